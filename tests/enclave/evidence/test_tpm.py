# SPDX-License-Identifier: Apache-2.0
"""TPM quotes: each way in which one is not authentic, or authentic and short of the technology's rules."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

import cbor2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.ids import Digest
from enclave.errors import MalformedEvidence, NotAuthentic, Refused
from enclave.evidence.appraise import Reason
from enclave.evidence.bundle import Bundle
from enclave.evidence.certificates import key_digest, load
from enclave.evidence.facts import Facts
from enclave.evidence.policy import Policy
from enclave.evidence.tpm.certificate import Enrolment
from enclave.evidence.tpm.evidence import TpmEvidence
from enclave.evidence.tpm.quote import NO_WORKLOAD, expected_workload, workload_of
from enclave.evidence.tpm.structures import Attributes, TpmAttest, TpmPublic, TpmSignature
from enclave.evidence.tpm.verify import verify
from enclave.evidence.trust import Trust
from tests.fakes.evidence import FILES, NOON, Case
from tests.fakes.tpm import ATTRIBUTES, FakeTpm, certificate, selection, sized

Enrol = Callable[[FakeTpm], bytes]


def reasons(case: Case) -> set[str]:
    with pytest.raises((NotAuthentic, Refused)) as caught:
        case.judge()
    return set(caught.value.reasons)


@pytest.mark.parametrize(
    "attributes",
    [ATTRIBUTES & ~bit for bit in (1 << 1, 1 << 4, 1 << 5, 1 << 16, 1 << 18)] + [ATTRIBUTES | 1 << 17],
)
def test_a_key_that_could_sign_anything_is_refused_s1(
    tpm_case: Case, fake_tpm: FakeTpm, attributes: int
) -> None:
    fake_tpm.attributes = attributes
    assert reasons(tpm_case) >= {Reason.KEY.name}


def test_another_signature_is_refused(tpm_case: Case, fake_tpm: FakeTpm) -> None:
    def forged(report_data: bytes) -> bytes:
        parts = cbor2.loads(fake_tpm.collect(report_data))
        parts[1] = FakeTpm().sign(parts[0])
        return cbor2.dumps(parts, canonical=True)

    assert reasons(tpm_case.but(collect=forged)) == {Reason.SIGNATURE.name}


def test_pcr_values_that_were_not_quoted_are_refused(tpm_case: Case, fake_tpm: FakeTpm) -> None:
    def lying(report_data: bytes) -> bytes:
        parts = cbor2.loads(fake_tpm.collect(report_data))
        parts[3][14] = bytes(32)
        return cbor2.dumps(parts, canonical=True)

    assert reasons(tpm_case.but(collect=lying)) == {Reason.PCR.name}


@pytest.mark.parametrize("quoted", [tuple(range(14)), tuple(range(8, 15)), (15, 16, 22)])
def test_a_quote_without_boot_or_guest_is_of_no_workload(
    tpm_case: Case, fake_tpm: FakeTpm, quoted: tuple[int, ...]
) -> None:
    fake_tpm.quoted = quoted
    assert reasons(tpm_case) == {Reason.WORKLOAD.name}
    facts = judged(fake_tpm, tpm_case)
    assert (facts.workload, facts.missed) == (NO_WORKLOAD, ())
    assert any("vouches for no workload" in line for line in facts.trace)


def test_no_policy_can_list_the_workload_that_nobody_vouches_for(
    tpm_case: Case, tpm_text: str, fake_tpm: FakeTpm
) -> None:
    fake_tpm.quoted = (15, 16, 22)
    text = tpm_text.replace(str(expected_workload(FILES)), str(NO_WORKLOAD))
    assert text != tpm_text
    assert reasons(tpm_case.but(policy=Policy.from_toml(text))) == {Reason.WORKLOAD.name}


def test_a_quote_of_nothing_is_refused_by_itself(tpm_case: Case, fake_tpm: FakeTpm) -> None:
    fake_tpm.quoted = ()
    assert [finding.reason for finding in judged(fake_tpm, tpm_case).missed] == [Reason.PCR]
    assert reasons(tpm_case) == {Reason.PCR.name, Reason.WORKLOAD.name}


def test_resettable_registers_may_be_quoted_and_count_for_nothing(tpm_case: Case, fake_tpm: FakeTpm) -> None:
    before = tpm_case.judge().verdict().workload
    fake_tpm.quoted = (*range(15), 16, 17, 23)
    fake_tpm.extend(16, FILES)
    fake_tpm.extend(23, FILES)
    assert tpm_case.judge().verdict().workload == before
    facts = judged(fake_tpm, tpm_case)
    assert facts.registers.keys() == {f"pcr{number}" for number in (*range(15), 17)}
    assert facts.value("pcrs_sha256.16") == fake_tpm.pcrs[16]


def judged(tpm: FakeTpm, case: Case) -> Facts:
    return verify(tpm.collect(bytes(64)), 0, node=None, trust=case.policy.trust, at=NOON)


def test_more_pcrs_are_welcome(tpm_case: Case, fake_tpm: FakeTpm) -> None:
    fake_tpm.quoted = (*range(15), 15, 17)
    assert tpm_case.judge().verdict().workload == expected_workload(FILES)


def test_another_bank_is_refused(tpm_case: Case, fake_tpm: FakeTpm) -> None:
    fake_tpm.bank = 0x000C
    assert Reason.PCR.name in reasons(tpm_case)


def test_a_key_without_certificate_is_refused(tpm_case: Case, fake_tpm: FakeTpm) -> None:
    fake_tpm.chain = ()
    assert reasons(tpm_case) == {Reason.CERTIFICATE.name}


def test_another_key_s_certificate_is_refused(tpm_case: Case, fake_tpm: FakeTpm, enrolled: Enrol) -> None:
    fake_tpm.chain = (enrolled(FakeTpm()),)
    assert reasons(tpm_case) == {Reason.CERTIFICATE.name}


def test_a_name_that_was_not_enrolled_is_refused(tpm_case: Case, fake_tpm: FakeTpm) -> None:
    fake_tpm.attributes |= 1 << 6 ^ 1 << 10  # the same key under another Name
    fake_tpm.attributes &= ~(1 << 10)
    assert reasons(tpm_case) == {Reason.CERTIFICATE.name}


def test_a_stranger_s_enrolment_is_refused(tpm_case: Case, tpm_text: str) -> None:
    point = tpm_case.policy.enrollers[0].hex()
    stranger = Policy.from_toml(tpm_text.replace(f'["0x{point}"]', "[]"))
    assert reasons(tpm_case.but(policy=stranger)) == {Reason.CERTIFICATE.name}


def own_chain(tpm: FakeTpm) -> tuple[bytes, ...]:
    root = ec.generate_private_key(ec.SECP256R1())
    leaf = certificate("AK", tpm.key, "Mine", root, NOON)
    return leaf, certificate("Mine", root, "Mine", root, NOON, authority=True)


def test_a_chain_to_an_unknown_root_is_refused(tpm_case: Case, fake_tpm: FakeTpm) -> None:
    fake_tpm.chain = own_chain(fake_tpm)
    assert reasons(tpm_case) == {Reason.ROOT.name}


def test_a_root_that_the_policy_adds_makes_it_a_test_root(
    tpm_case: Case, tpm_text: str, fake_tpm: FakeTpm
) -> None:
    fake_tpm.chain = own_chain(fake_tpm)
    root = key_digest(load(fake_tpm.chain[-1])).hex()
    text = tpm_text.replace("extra_roots = []", f'extra_roots = ["0x{root}"]')
    accepted = tpm_case.but(policy=Policy.from_toml(text)).judge()
    assert accepted.verdict().level == 0
    assert accepted.verified.root.status.value == "test-root"


@pytest.mark.parametrize("flaw", ["leaf as issuer", "unrelated", "expired", "alone"])
def test_chains_that_do_not_hold_are_refused(tpm_case: Case, fake_tpm: FakeTpm, flaw: str) -> None:
    leaf, root = own_chain(fake_tpm)
    middle = ec.generate_private_key(ec.SECP256R1())
    chains = {
        "leaf as issuer": (
            certificate("AK", fake_tpm.key, "AK2", middle, NOON),
            certificate("AK2", middle, "AK2", middle, NOON),
        ),
        "unrelated": (leaf, certificate("Mine", middle, "Mine", middle, NOON, authority=True)),
        "expired": (certificate("AK", fake_tpm.key, "Mine", middle, NOON - timedelta(days=9), days=1), root),
        "alone": (leaf,),
    }
    fake_tpm.chain = chains[flaw]
    assert reasons(tpm_case) == {Reason.CERTIFICATE.name}


def test_a_chain_of_more_than_eight_is_malformed(tpm_case: Case, fake_tpm: FakeTpm) -> None:
    leaf, root = own_chain(fake_tpm)
    fake_tpm.chain = (leaf, *[root] * 8)
    with pytest.raises(MalformedEvidence):
        tpm_case.judge()


@pytest.mark.parametrize("when", [NOON - timedelta(days=3), NOON + timedelta(days=31)])
def test_certificates_are_judged_at_the_moment_of_verification(tpm_case: Case, when: datetime) -> None:
    assert reasons(tpm_case.but(at=when)) == {Reason.CERTIFICATE.name}


def test_a_quote_answers_one_nonce_only(tpm_case: Case, fake_tpm: FakeTpm) -> None:
    tpm_case.but(collect=lambda data: fake_tpm.collect(data)).judge()
    assert reasons(tpm_case.but(collect=lambda _: fake_tpm.collect(bytes(64)))) == {Reason.BINDING.name}


def test_expected_workload_is_what_a_quote_shows(fake_tpm: FakeTpm) -> None:
    shown = {n: fake_tpm.pcrs[n] for n in range(15)}
    assert workload_of(shown) == expected_workload(FILES)
    boot = [bytes([n]) * 32 for n in range(6)]
    fake_tpm.pcrs |= dict(zip(range(8, 14), boot, strict=True))
    assert workload_of(fake_tpm.pcrs) == expected_workload(FILES, boot)
    with pytest.raises(MalformedEvidence):
        expected_workload(FILES, boot[:5])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("ff544347", "ff544348"),
        ("ff5443478018", "ff5443478017"),
        ("0001000b03", "0009000b03"),
        ("00000000012019", "00000000022019"),
    ],
)
def test_what_is_not_a_quote_is_malformed(old: str, new: str) -> None:
    raw = FakeTpm().attest(bytes(32)).hex()
    assert old in raw
    with pytest.raises(MalformedEvidence):
        TpmAttest.parse(bytes.fromhex(raw.replace(old, new, 1)))


@pytest.mark.parametrize("parse", [TpmAttest.parse, TpmPublic.parse, TpmSignature.parse])
def test_structures_end_where_they_end(parse: Callable[[bytes], object]) -> None:
    tpm = FakeTpm()
    raw = {
        TpmAttest.parse: tpm.attest(bytes(32)),
        TpmPublic.parse: tpm.public(),
        TpmSignature.parse: tpm.sign(b"x"),
    }[parse]
    parse(raw)
    for wrong in (raw + b"\0", raw[:-1], b""):
        with pytest.raises(MalformedEvidence):
            parse(wrong)


@pytest.mark.parametrize(
    ("at", "value"), [(0, "0008"), (2, "0004"), (16, "0005"), (24, "ff" * 16), (0, "0001")]
)
def test_public_areas_of_other_kinds_are_malformed(at: int, value: str) -> None:
    raw = bytearray(FakeTpm().public())
    raw[at : at + len(value) // 2] = bytes.fromhex(value)
    with pytest.raises(MalformedEvidence):
        TpmPublic.parse(bytes(raw))


def test_the_name_and_attributes_are_read() -> None:
    public = TpmPublic.parse(FakeTpm().public())
    assert public.name.startswith(b"\0\x0b")
    assert Attributes.RESTRICTED in public.attributes
    assert TpmAttest.parse(FakeTpm().attest(b"n" * 32)).selections == ((0x000B, tuple(range(15))),)
    assert selection([0, 9])[-3:] == b"\x01\x02\x00"


def test_a_signature_of_another_scheme_is_not_this_key_s() -> None:
    public = TpmPublic.parse(FakeTpm().public())
    rsa = TpmSignature.parse(bytes.fromhex("0014000b") + sized(bytes(256)))
    assert not public.signed(b"message", rsa)
    with pytest.raises(MalformedEvidence):
        TpmSignature.parse(bytes.fromhex("00140004") + sized(bytes(256)))  # SHA-1
    with pytest.raises(MalformedEvidence):
        TpmSignature.parse(bytes.fromhex("001a000b") + sized(bytes(32)) * 2)


@pytest.mark.parametrize("raw", [b"", b"\x80", cbor2.dumps([b"", b""]), cbor2.dumps([b"x" * 34, b"", b""])])
def test_an_extension_that_is_not_ours_is_malformed(raw: bytes) -> None:
    with pytest.raises(MalformedEvidence):
        Enrolment.decode(raw)


@pytest.mark.parametrize("parts", [[1] * 7, [b"", b"", b"", [1], [], b"", b""], []])
def test_evidence_of_other_parts_is_malformed(parts: list[object]) -> None:
    with pytest.raises(MalformedEvidence):
        TpmEvidence.parse(cbor2.dumps(parts, canonical=True))


@given(st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
def test_every_flipped_bit_of_a_tpm_bundle_is_refused(tpm_case: Case, data: st.DataObject) -> None:
    good = tpm_case.bundle()
    raw = bytearray(good.encode())
    bit = data.draw(st.integers(0, 8 * len(raw) - 1))
    raw[bit // 8] ^= 1 << bit % 8
    with pytest.raises((MalformedEvidence, NotAuthentic, Refused)):
        tpm_case.judge(bytes(raw))


@given(st.binary(max_size=300))
def test_tpm_parsers_raise_malformed_or_nothing(raw: bytes) -> None:
    for parse in (TpmAttest.parse, TpmPublic.parse, TpmSignature.parse, load, Enrolment.decode):
        with suppress(MalformedEvidence):
            parse(raw)


@given(st.integers(0, 8 * 110 - 1), st.sampled_from(["attest", "public", "sign", "certificate"]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_almost_right_structures_raise_malformed_or_nothing(fake_tpm: FakeTpm, bit: int, which: str) -> None:
    raws: dict[str, tuple[bytes, Callable[[bytes], object]]] = {
        "attest": (fake_tpm.attest(bytes(32)), TpmAttest.parse),
        "public": (fake_tpm.public(), TpmPublic.parse),
        "sign": (fake_tpm.sign(b"x"), TpmSignature.parse),
        "certificate": (fake_tpm.chain[0], load),
    }
    raw, parse = bytearray(raws[which][0]), raws[which][1]
    raw[bit // 8 % len(raw)] ^= 1 << bit % 8
    with suppress(MalformedEvidence):
        parse(bytes(raw))


def test_facts_never_print_the_platform(tpm_case: Case) -> None:
    bundle = tpm_case.bundle()
    facts = verify(bundle.devices[0].body, 0, node=None, trust=tpm_case.policy.trust, at=NOON)
    assert facts.identity.hex() not in repr(facts)
    assert repr(facts.identity) not in repr(facts)


def test_a_certificate_that_may_not_issue_ends_a_chain(tpm_case: Case, fake_tpm: FakeTpm) -> None:
    root = ec.generate_private_key(ec.SECP256R1())
    bare = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Bare")])
    authority = (
        x509.CertificateBuilder(
            issuer_name=bare, subject_name=bare, public_key=root.public_key(), serial_number=1
        )
        .not_valid_before(NOON - timedelta(days=1))
        .not_valid_after(NOON + timedelta(days=1))
        .sign(root, SHA256())
    )
    leaf = certificate("AK", fake_tpm.key, "Bare", root, NOON)
    fake_tpm.chain = (leaf, authority.public_bytes(Encoding.DER))
    assert reasons(tpm_case) == {Reason.CERTIFICATE.name}


def test_no_trust_means_no_evidence(tpm_case: Case) -> None:
    body = tpm_case.bundle().devices[0].body
    with pytest.raises(NotAuthentic):
        verify(body, 0, node=None, trust=Trust(enrollers=frozenset(), extra_roots=frozenset()), at=NOON)


def test_evidence_of_one_node_does_not_serve_another_s6(tpm_case: Case) -> None:
    stranger = replace(tpm_case.keys, receipt=b"\x04" + b"\x23" * 64)
    bundle = tpm_case.bundle()
    theirs = replace(bundle, keys=stranger, challenge=replace(bundle.challenge, node_id=stranger.node_id()))
    with pytest.raises(Refused) as caught:
        tpm_case.judge(Bundle.decode(theirs.encode()))
    assert caught.value.reasons == (Reason.BINDING.name,)
    assert Digest(b"\x55" * 32) == theirs.challenge.lease_nonce
