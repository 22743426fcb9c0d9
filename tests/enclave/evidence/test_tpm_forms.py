# SPDX-License-Identifier: Apache-2.0
"""The forms of a TPM's evidence: several banks, files beside a bare quote, and who vouches for the key."""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta

import cbor2
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from contracts.records import Level
from enclave.errors import MalformedEvidence, NotAuthentic
from enclave.evidence.certificates import spki_digest
from enclave.evidence.detect import detect
from enclave.evidence.enclosed import Enclosed
from enclave.evidence.examine import Examination, Expected, examine
from enclave.evidence.facts import Facts, RootStatus
from enclave.evidence.kinds import Kind
from enclave.evidence.tpm.evidence import TpmEvidence
from enclave.evidence.tpm.pieces import PcrFile, Pieces
from enclave.evidence.tpm.structures import TpmPublic
from enclave.evidence.tpm.verify import TECHNOLOGY
from enclave.evidence.trust import Trust
from tests.fakes.authorities import Authority, new_key, usage
from tests.fakes.evidence import NOON, Case
from tests.fakes.tpm import FakeTpm, ima_entry, pcr_file, selection, sized

NONCE = b"\x42" * 32
NOBODY = Trust(enrollers=frozenset(), extra_roots=frozenset())
VENDOR = Authority.root("Vendor of TPMs")
SHA1, SHA256, SHA384 = 0x4, 0xB, 0xC


def made(*, chained: bool = True) -> FakeTpm:
    tpm = FakeTpm()
    tpm.others = {
        bank: {n: bytes(size) for n in range(24)} for bank, size in ((SHA1, 20), (SHA384, 48), (0xD, 64))
    }
    if chained:
        tpm.chain = (VENDOR.issue("AK", key=tpm.key).der, VENDOR.der)
    return tpm


def judged(body: bytes, trust: Trust = VENDOR.trust) -> Facts:
    return TECHNOLOGY.verify(body, 0, node=None, trust=trust, at=NOON)


def own_key(tpm: FakeTpm) -> Trust:
    digest = spki_digest(TpmPublic.parse(tpm.public()).key)
    return Trust(enrollers=frozenset(), extra_roots=frozenset({digest}))


def rules(body: bytes, trust: Trust = VENDOR.trust) -> set[str]:
    with pytest.raises(NotAuthentic) as caught:
        judged(body, trust)
    return {finding.rule for finding in caught.value.findings}


def test_several_banks_are_one_piece_of_evidence() -> None:
    tpm = made()
    tpm.extend(14, b"\x01" * 32)
    facts = judged(tpm.several(NONCE, SHA1, SHA256, SHA384))
    assert facts.missed == ()
    assert (facts.workload, facts.bound) == (judged(tpm.collect(NONCE * 2)).workload, NONCE)
    assert facts.registers.keys() == {f"{bank}pcr{n}" for n in range(15) for bank in ("", "sha384.")}
    assert facts.claims["banks"] == ["0x4", "0xb", "0xc"]
    assert facts.value("attest.sel") == [[SHA256, list(range(15))]]
    assert facts.value("quotes.2.sel.0.0") == SHA384
    assert facts.value("pcrs_sha1.0") == bytes(20)


def test_sha_1_alone_is_authentic_and_refused() -> None:
    body = made().several(NONCE, SHA1)
    assert [finding.rule for finding in judged(body).missed] == ["pcr"]
    assert "sha1" in judged(body).missed[0].found
    assert judged(made().several(NONCE, SHA384)).missed == ()


def changed(tpm: FakeTpm, change: Callable[[list[object]], None]) -> bytes:
    parts = cbor2.loads(tpm.several(NONCE, SHA256, SHA384))
    change(parts)
    return cbor2.dumps(parts, canonical=True)


def test_quotes_are_of_one_key_one_challenge_and_one_boot() -> None:
    tpm, other = made(), made()

    def put(quote: list[object]) -> bytes:
        def change(parts: list[object]) -> None:
            parts[0][1] = quote  # type: ignore[index]

        return changed(tpm, change)

    assert rules(put(other.quote(NONCE, SHA384))) == {"signature"}
    assert rules(put(tpm.quote(b"\x43" * 32, SHA384))) == {"binding"}
    attest, _, values = tpm.quote(NONCE, SHA384)
    assert isinstance(attest, bytes)
    rebooted = attest.replace(b"\0\0\0\x01\0\0\0\0\x01", b"\0\0\0\x02\0\0\0\0\x01")
    assert rebooted != attest
    assert rules(put([rebooted, tpm.sign(rebooted), values])) == {"binding"}
    assert rules(put([attest, tpm.sign(attest), [b"\x01" * 48] * 15])) == {"pcr"}
    for wrong in (
        tpm.quote(NONCE, SHA256),
        [attest, b"", values],
        [attest, values],
        b"",
        [attest, tpm.sign(attest), [1]],
    ):
        with pytest.raises(MalformedEvidence):
            judged(put(wrong))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "parts",
    [
        [[], b"", [], b"", b""],
        [[b""] * 5, b"", [], b"", b""],
        [[[b"", b"", []]] * 5, b"", [], b"", b""],
        [1, 2, 3, 4, 5],
        [b"", []],
        [b"", [b""]],
    ],
)
def test_other_bodies_are_malformed(parts: list[object]) -> None:
    with pytest.raises(MalformedEvidence):
        TpmEvidence.parse(cbor2.dumps(parts, canonical=True))


def files(tpm: FakeTpm) -> tuple[bytes, dict[str, bytes]]:
    attest = tpm.attest(NONCE)
    key = tpm.key.public_key()
    return attest, {
        "signature": tpm.sign(attest),
        "pcrs": pcr_file(tpm.quoted, [tpm.pcrs[n] for n in tpm.quoted]),
        "public": sized(tpm.public()),
        "pem": key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "name": TpmPublic.parse(tpm.public()).name,
    }


def read(
    tpm: FakeTpm, *wanted: str, further: Sequence[bytes] = (), trust: Trust | None = None
) -> Examination:
    attest, held = files(tpm)
    detected = detect(attest, [*(held[name] for name in wanted), *further])
    return examine(detected, trust=trust or VENDOR.trust, at=NOON, expected=Expected(nonce=NONCE))


@pytest.mark.parametrize(
    "names",
    [
        ("signature", "pcrs", "public"),
        ("name", "pem", "public", "pcrs", "signature"),
        ("pcrs", "pem", "signature"),
    ],
)
def test_a_bare_quote_counts_with_its_files_in_any_order(names: tuple[str, ...]) -> None:
    tpm = made()
    assert read(tpm, *names, further=tpm.chain).accepted
    assert read(tpm, *names[::-1], further=[VENDOR.pem, tpm.chain[0]]).accepted
    assert not read(tpm, *names, further=tpm.chain, trust=NOBODY).authentic


def test_the_only_certificate_says_which_key_signed() -> None:
    tpm = made()
    trusted = own_key(tpm)
    assert read(tpm, "signature", "pcrs", further=tpm.chain[:1], trust=trusted).accepted
    with pytest.raises(MalformedEvidence, match="which key"):
        read(tpm, "signature", "pcrs", further=tpm.chain)
    with pytest.raises(MalformedEvidence, match="which key"):
        read(tpm, "signature", "pcrs")


def test_files_of_another_key_do_not_mix() -> None:
    tpm, other = made(), made()
    _, theirs = files(other)
    for further in ([theirs["pem"]], [theirs["public"]]):
        with pytest.raises(MalformedEvidence, match="same key"):
            read(tpm, "signature", "pcrs", "public", further=further)
    result = read(tpm, "signature", "pcrs", "public", further=[theirs["name"], *tpm.chain])
    assert [finding.rule for finding in result.reasons] == ["key"]
    with pytest.raises(MalformedEvidence):
        read(tpm, "signature", "pcrs", "public", further=[theirs["signature"]])
    with pytest.raises(MalformedEvidence, match="other PCRs"):
        read(tpm, "signature", "public", further=[pcr_file([0], [bytes(32)])])
    wrong = pcr_file(tpm.quoted, [b"\x01" * 32] * 15)
    result = read(tpm, "signature", "public", further=[wrong, *tpm.chain])
    assert [finding.rule for finding in result.reasons] == ["pcr"]


def test_pieces_add_to_a_body_and_replace_nothing_in_it() -> None:
    tpm = made(chained=False)
    tpm.measure(ima_entry("boot_aggregate", bytes(32)))
    chain = (VENDOR.issue("AK", key=tpm.key).der, VENDOR.der)
    log, tpm.ima_log = tpm.ima_log, b""
    whole = TECHNOLOGY.endorse(TECHNOLOGY.endorse(tpm.collect(NONCE), chain), [log])
    assert Enclosed.parse(whole).pieces == (*chain, log)
    assert detect(whole).kind is Kind.TPM
    assert judged(whole).missed == ()
    assert TECHNOLOGY.show(whole)["ima_log"] == {"files": 1, "violations": 0}
    _, held = files(tpm)
    for piece in (held["signature"], held["pcrs"]):
        with pytest.raises(MalformedEvidence, match="beside quotes"):
            judged(TECHNOLOGY.endorse(whole, [piece]))
    with pytest.raises(MalformedEvidence, match="more than one log"):
        judged(TECHNOLOGY.endorse(whole, [log + log]))


def test_a_key_that_trust_names_needs_no_certificate() -> None:
    tpm = made(chained=False)
    body = tpm.collect(NONCE)
    assert rules(body, NOBODY) == {"certificate"}
    facts = judged(body, own_key(tpm))
    assert (facts.level, facts.status, facts.inputs, facts.not_after) == (
        Level.NONE,
        RootStatus.TEST_ROOT,
        {},
        None,
    )
    assert facts.identity.hex() not in repr(facts)
    expired = VENDOR.issue("AK", key=tpm.key, since=timedelta(days=9), lasts=timedelta(days=1))
    tpm.chain = (expired.der, VENDOR.der)
    assert judged(tpm.collect(NONCE), own_key(tpm)).status is RootStatus.TEST_ROOT
    assert rules(tpm.collect(NONCE)) == {"certificate"}
    tpm.attributes &= ~(1 << 16)
    assert rules(tpm.collect(NONCE), own_key(tpm)) == {"key"}


def test_attributes_are_claimed_only_where_somebody_is_for_them(tpm_case: Case, fake_tpm: FakeTpm) -> None:
    enrolled = judged(fake_tpm.collect(NONCE), tpm_case.policy.trust).claims
    assert enrolled["ak_name"] == TpmPublic.parse(fake_tpm.public()).name
    tpm = made()
    claims = judged(tpm.collect(NONCE)).claims
    assert TECHNOLOGY.show(tpm.collect(NONCE)).keys() - claims.keys() == {"ak_name", "ak_public_area"}
    tpm.attributes |= 1 << 14
    assert judged(tpm.collect(NONCE)).claims["ak_public"] == claims["ak_public"]


def test_quotes_of_a_primary_key_say_that_it_is_restricted() -> None:
    tpm = made()
    name = TpmPublic.parse(tpm.public()).name
    for handle, known in ((0x40000001, True), (0x4000000B, True), (0x40000002, False)):
        tpm.signer = b"\0\x0b" + hashlib.sha256(handle.to_bytes(4, "big") + name).digest()
        trace = judged(tpm.collect(NONCE)).trace
        assert any("tpm: the key is restricted" in line for line in trace) is known
    tpm.signer = b"\0\x0b" + hashlib.sha256((0x40000001).to_bytes(4, "big") + name).digest()
    tpm.attributes |= 1 << 14
    assert any("nothing signed says" in line for line in judged(tpm.collect(NONCE)).trace)


def test_a_vendor_s_word_is_better_than_the_caller_s(monkeypatch: pytest.MonkeyPatch) -> None:
    tpm = made()
    assert judged(tpm.collect(NONCE)).level is Level.NONE
    monkeypatch.setattr("enclave.evidence.tpm.vouched.ATTESTATION_KEY_ROOTS", VENDOR.vendor)
    facts = judged(tpm.collect(NONCE), NOBODY)
    assert (facts.level, facts.status, facts.root) == (Level.ROOTED, RootStatus.VENDOR, "Test vendor")
    assert facts.certificates[-1] == VENDOR.digest
    assert facts.not_after == TpmEvidence.parse(tpm.collect(NONCE)).certificates[0].not_valid_after_utc


@pytest.mark.parametrize(
    "flaw",
    [{"authority": True}, {"key_usage": usage("key_encipherment")}, {"key_usage": usage("key_cert_sign")}],
)
def test_certificates_for_another_use_are_refused(flaw: dict[str, object]) -> None:
    tpm = made(chained=False)
    tpm.chain = (VENDOR.issue("AK", key=tpm.key, **flaw).der, VENDOR.der)  # type: ignore[arg-type]
    assert rules(tpm.collect(NONCE)) == {"certificate"}
    tpm.chain = (VENDOR.issue("AK", key=tpm.key, key_usage=None).der, VENDOR.der)
    assert judged(tpm.collect(NONCE)).missed == ()


def test_revocation_lists_that_come_along_are_obeyed() -> None:
    tpm = made(chained=False)
    leaf = VENDOR.issue("AK", key=tpm.key)
    tpm.chain = (leaf.der, VENDOR.der)
    fine, revoking = (
        crl.public_bytes(encoding)
        for crl, encoding in ((VENDOR.crl(), Encoding.PEM), (VENDOR.crl(leaf), Encoding.DER))
    )
    facts = judged(TECHNOLOGY.endorse(tpm.collect(NONCE), [fine]))
    assert any("not on the revocation lists that came" in line for line in facts.trace)
    assert facts.not_after == VENDOR.crl().next_update_utc
    assert rules(TECHNOLOGY.endorse(tpm.collect(NONCE), [revoking])) == {"certificate"}


def test_a_name_that_was_enrolled_needs_the_public_area(tpm_case: Case, fake_tpm: FakeTpm) -> None:
    trust = tpm_case.policy.trust
    assert read(fake_tpm, "signature", "pcrs", "public", further=fake_tpm.chain, trust=trust).authentic
    result = read(fake_tpm, "signature", "pcrs", "pem", further=fake_tpm.chain, trust=trust)
    assert [finding.expected for finding in result.reasons] == ["the Name that was enrolled"]


@pytest.mark.parametrize("kind", ["Ed25519", "P-521", "K-256", "RSA-1024"])
def test_keys_that_no_tpm_signs_with_are_malformed(kind: str) -> None:
    spki = new_key(kind).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    parts = cbor2.loads(made().several(NONCE, SHA256))
    parts[1] = spki
    with pytest.raises(MalformedEvidence):
        TpmEvidence.parse(cbor2.dumps(parts, canonical=True))


def test_pcr_files_are_read_strictly() -> None:
    values = [bytes([n]) * 32 for n in range(15)]
    file = pcr_file(range(15), values)
    assert PcrFile.parse(file).values == tuple(values)
    assert PcrFile.parse(file).selections == ((SHA256, tuple(range(15))),)
    assert selection(range(15))[-3:] == file[7:10]
    for at in (10, 11, 13, 131, len(file) - 1):
        wrong = bytearray(file)
        wrong[at] ^= 1
        with pytest.raises(MalformedEvidence):
            PcrFile.parse(bytes(wrong))


@given(st.binary(max_size=700), st.integers(0, 300))
def test_parsers_raise_malformed_or_nothing(raw: bytes, at: int) -> None:
    file = bytearray(pcr_file(range(15), [bytes(32)] * 15))
    file[at : at + len(raw[:3])] = raw[:3]
    for parse in (TpmEvidence.parse, PcrFile.parse, lambda blob: Pieces.sort([blob])):
        for candidate in (raw, bytes(file), b"\xffTCG\x80\x18" + raw, b"\x82\x58" + raw):
            with suppress(MalformedEvidence):
                parse(candidate)  # type: ignore[operator]
