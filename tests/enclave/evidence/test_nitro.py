# SPDX-License-Identifier: Apache-2.0
"""Nitro documents and NitroTPMs under a hypervisor of our own: each field, date and key wrong alone."""

from datetime import timedelta

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from contracts.records import Level
from enclave.errors import MalformedEvidence, NotAuthentic
from enclave.evidence.detect import detect
from enclave.evidence.facts import Facts, RootStatus
from enclave.evidence.findings import Reason
from enclave.evidence.kinds import Kind
from enclave.evidence.nitro.tpm import vaportpm
from enclave.evidence.nitro.verify import AHEAD
from enclave.evidence.trust import Trust
from tests.fakes.arm import sign1
from tests.fakes.authorities import Authority
from tests.fakes.evidence import NOON
from tests.fakes.nitro import LEAF, MODULE, ROOT, ZONE, FakeEnclave, FakeNitroTpm

GOOD = FakeEnclave()
PCRS = {number: bytes(48) for number in range(16)}


def refused(fake: FakeEnclave, *pieces: bytes, **options: object) -> set[Reason]:
    with pytest.raises(NotAuthentic) as caught:
        fake.facts(*pieces, **options)
    assert MODULE not in str(caught.value)
    return {finding.reason for finding in caught.value.findings}


def test_a_document_says_who_and_what() -> None:
    facts = GOOD.facts()
    assert facts.bound == bytes(range(32)) + bytes(32)
    assert facts.identity == b"i-0123456789abcdef0"
    assert (facts.status, facts.level, facts.potential) == (RootStatus.TEST_ROOT, Level.NONE, Level.ISOLATED)
    assert (facts.missed, facts.clock, facts.inputs["document"]) == ((), "protected", NOON)
    assert facts.not_after == GOOD.leaf.certificate.not_valid_after_utc
    assert detect(GOOD.document()).kind is Kind.NITRO
    assert detect(b"\xd2" + GOOD.document()).kind is Kind.NITRO


def test_without_user_data_the_nonce_is_what_was_asked() -> None:
    assert GOOD.but(fields={"user_data": None, "nonce": b"\x09" * 32}).facts().bound == b"\x09" * 32
    assert GOOD.but(fields={"user_data": None}).facts().bound == b""


@pytest.mark.parametrize("number", [0, 1, 2])
def test_the_workload_is_the_image(number: int) -> None:
    pcrs = GOOD.payload()["pcrs"]
    assert isinstance(pcrs, dict)
    other = GOOD.but(fields={"pcrs": pcrs | {number: b"\x99" * 48}})
    assert other.facts().workload != GOOD.facts().workload
    assert GOOD.but(fields={"pcrs": pcrs | {4: b"\x99" * 48}}).facts().workload == GOOD.facts().workload


@pytest.mark.parametrize("name", ["public_key", "user_data", "nonce"])
def test_an_optional_field_may_be_absent_or_null(name: str) -> None:
    absent, null = GOOD.but(fields={name: ...}).facts(), GOOD.but(fields={name: None}).facts()
    assert (absent.bound, absent.workload) == (null.bound, null.workload)


def test_debug_mode_is_held_against_it() -> None:
    facts = GOOD.but(fields={"pcrs": PCRS | {4: b"\x01" * 48}}).facts()
    assert [finding.reason for finding in facts.missed] == [Reason.DEBUG]
    assert facts.claims["debug"] is True


@pytest.mark.parametrize(
    "fields",
    [
        {"module_id": ""}, {"module_id": 7}, {"module_id": "x" * 200}, {"digest": "SHA256"}, {"timestamp": 0},
        {"timestamp": 1.5}, {"timestamp": 1 << 60}, {"timestamp": True}, {"pcrs": {}}, {"pcrs": [bytes(48)]},
        {"pcrs": {0: bytes(32)}}, {"pcrs": {40: bytes(48)}}, {"pcrs": {"0": bytes(48)}}, {"certificate": b""},
        {"certificate": None}, {"certificate": bytes(2000)}, {"certificate": b"\x30\x00"}, {"cabundle": []},
        {"cabundle": None}, {"cabundle": [b""]}, {"cabundle": [b"\x30"] * 17}, {"public_key": "key"},
        {"user_data": bytes(2000)}, {"nonce": 5}, {"digest": ...}, {"timestamp": ...}, {"more": 1},
        {"nitrotpm_pcrs": PCRS}, {"pcrs": ..., "nitrotpm_pcrs": PCRS}, {"pcrs": ...},
    ],
    ids=str,
)  # fmt: skip
def test_a_field_of_another_form_is_malformed(fields: dict[str, object]) -> None:
    with pytest.raises(MalformedEvidence):
        GOOD.but(fields=fields).facts()


@pytest.mark.parametrize(
    "evidence",
    [
        b"\x84",
        GOOD.document() + b"\0",
        GOOD.document() + bytes(0x3000),
        sign1([1], GOOD.leaf.key, tag=False),
        sign1(b"\xff", GOOD.leaf.key, tag=False),
        sign1(cbor2.dumps(GOOD.payload()) + b"\0", GOOD.leaf.key, tag=False),
        sign1(GOOD.payload(), ec.generate_private_key(ec.SECP256R1()), tag=False),
    ],
    ids=range(7),
)
def test_what_is_no_document_is_malformed(evidence: bytes) -> None:
    with pytest.raises(MalformedEvidence):
        GOOD.facts(evidence=evidence)


def test_another_signature_is_refused() -> None:
    document = GOOD.document()
    for at in (100, 2000, len(document) - 1):
        changed = document[:at] + bytes([document[at] ^ 1]) + document[at + 1 :]
        with pytest.raises((NotAuthentic, MalformedEvidence)):
            GOOD.facts(evidence=changed)
    assert refused(GOOD, evidence=document[:-1] + bytes([document[-1] ^ 1])) == {Reason.SIGNATURE}


def test_chains_that_do_not_end_at_the_root_are_refused() -> None:
    stranger = Authority.root("aws.nitro-enclaves", "P-384")
    alone = stranger.issue(MODULE, "P-384", **LEAF)
    assert refused(GOOD.but(leaf=alone, chain=(stranger,))) == {Reason.ROOT}
    assert refused(GOOD.but(chain=(ROOT,))) == {Reason.CERTIFICATE}
    nobody = Trust(enrollers=frozenset(), extra_roots=frozenset())
    assert refused(GOOD.but(trust=nobody)) == {Reason.ROOT}
    assert GOOD.but(chain=(ROOT,)).facts(ZONE.der).status is RootStatus.TEST_ROOT  # the issuer came beside it


def test_a_revoked_certificate_is_refused() -> None:
    crl = ZONE.crl(GOOD.leaf, by=ZONE, when=NOON).public_bytes(Encoding.DER)
    assert refused(GOOD, crl) == {Reason.CERTIFICATE}


def test_it_counts_for_a_block_a_little_before_it_and_until_its_hours_are_over() -> None:
    assert isinstance(GOOD.facts(at=NOON - timedelta(minutes=5)), Facts)
    assert GOOD.facts().not_before == NOON - AHEAD
    assert refused(GOOD, at=NOON - AHEAD - timedelta(seconds=1)) == {Reason.FUTURE}
    assert isinstance(GOOD.facts(at=NOON + timedelta(hours=2, minutes=59)), Facts)
    assert refused(GOOD, at=NOON + timedelta(hours=3)) == {Reason.CERTIFICATE}


def test_a_document_made_outside_its_certificate_s_hours_is_refused() -> None:
    late = GOOD.but(made=NOON + timedelta(hours=4))
    assert refused(late, at=NOON + timedelta(hours=4)) == {Reason.CERTIFICATE}


TPM = FakeNitroTpm()


def test_a_nitrotpm_quotes_by_the_key_that_its_document_names() -> None:
    facts = TPM.facts()
    assert (facts.kind, facts.bound, facts.missed) == (Kind.NITRO_TPM, b"\x77" * 32, ())
    assert (facts.potential, facts.level) == (Level.ROOTED, Level.NONE)
    assert "tpm" in facts.claims
    alone = TPM.enclave.facts()
    assert (alone.workload, alone.bound) == (facts.workload, facts.bound)
    assert detect(TPM.enclave.document()).kind is Kind.NITRO_TPM


@pytest.mark.parametrize(
    ("fake", "reason"),
    [
        (TPM.but(quoted=b"\x78" * 32), Reason.BINDING),
        (TPM.but(bank=0x000B), Reason.PCR),
        (TPM.but(shown=(bytes(48),) * 24), Reason.PCR),
        (TPM.but(shown=(bytes(48),)), Reason.PCR),
        (TPM.but(values=(b"\x99" * 48,) * 24), Reason.PCR),
    ],
)
def test_a_quote_that_is_not_the_document_s_is_refused(fake: FakeNitroTpm, reason: Reason) -> None:
    with pytest.raises(NotAuthentic) as caught:
        fake.facts()
    assert [finding.reason for finding in caught.value.findings] == [reason]


def test_a_quote_by_another_key_is_refused() -> None:
    with pytest.raises(NotAuthentic) as caught:
        TPM.facts(signer=ec.generate_private_key(ec.SECP256R1()))
    assert [finding.reason for finding in caught.value.findings] == [Reason.SIGNATURE]


@pytest.mark.parametrize(
    "evidence",
    [
        b"\x80",
        cbor2.dumps([1, 2, 3, 4]),
        cbor2.dumps([b"", b"", bytes(64), []]),
        cbor2.dumps([TPM.enclave.document(), b"", bytes(63), []]),
        cbor2.dumps([GOOD.document(), b"", bytes(64), []]),
        TPM.evidence() + b"\0",
        GOOD.document(),
    ],
    ids=range(7),
)
def test_malformed_nitrotpm_evidence_is_malformed(evidence: bytes) -> None:
    with pytest.raises(MalformedEvidence):
        TPM.enclave.facts(evidence=evidence)


@pytest.mark.parametrize("raw", [b"{", b"[]", b"{}", b"\x84"])
def test_other_containers_are_left_to_others(raw: bytes) -> None:
    assert vaportpm(raw) is None


@pytest.mark.parametrize(
    "body",
    [b'{"nitro":', b'{"nitro": 1, "ak_pubkeys": 2}', b'{"attestation": {"nitro": {}}, "ak_pubkeys": 2}'],
)
def test_a_broken_container_is_malformed(body: bytes) -> None:
    if b"ak_pubkeys" not in body:
        assert vaportpm(body) is None
        return
    with pytest.raises(MalformedEvidence):
        vaportpm(body)
