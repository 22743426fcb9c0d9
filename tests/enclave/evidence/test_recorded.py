# SPDX-License-Identifier: Apache-2.0
"""Quotes that other people's TPMs made, with what their `expected.json` claims and refuses."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from enclave.errors import MalformedEvidence, NotAuthentic
from enclave.evidence.certificates import Path as CertificatePath
from enclave.evidence.certificates import key_digest, load, path
from enclave.evidence.facts import RootStatus
from enclave.evidence.roots import ATTESTATION_KEY_ROOTS
from enclave.evidence.tpm.log import EventLog
from enclave.evidence.tpm.quote import pcr_digest
from enclave.evidence.tpm.structures import TpmAttest, TpmPublic, TpmSignature
from enclave.evidence.trust import Trust

GCP = ["gcp-sev-vtpm-ak-chain", "gcp-tdx-vtpm-ak-chain"]


def expected(folder: Path) -> dict[str, object]:
    return json.loads((folder / "expected.json").read_text("utf-8"))


def claims_hold(attest: TpmAttest, claims: dict[str, object]) -> None:
    assert attest.extra_data.hex() == claims["extra_data"]
    assert (attest.clock, attest.reset_count, attest.restart_count) == (
        claims["clock"],
        claims["reset"],
        claims["restart"],
    )
    assert (attest.safe, hex(attest.firmware)) == (bool(claims["safe"]), claims["firmware"])
    assert [[bank, list(numbers)] for bank, numbers in attest.selections] == claims["sel"]
    assert attest.pcr_digest.hex() == claims["pcr_digest"]


@pytest.fixture(params=GCP)
def gcp(request: pytest.FixtureRequest, shared_evidence: Path) -> Path:
    return shared_evidence / "tpm" / request.param


def gcp_parts(
    folder: Path,
) -> tuple[dict[str, object], TpmAttest, bytes, list[x509.Certificate], list[bytes]]:
    fixture, expectation = json.loads((folder / "fixture.json").read_text("utf-8")), expected(folder)
    quote = fixture["attestation"]["tpm"]["ecc_p256"]
    attest = TpmAttest.parse(bytes.fromhex(quote["attest_data"]))
    pem = fixture["attestation"]["gcp"]["ak_cert_chain"].encode()
    chain = [load(c.public_bytes(Encoding.DER)) for c in x509.load_pem_x509_certificates(pem)]
    values = [bytes.fromhex(v) for _, v in sorted(fixture["pcrs"]["sha256"].items(), key=lambda p: int(p[0]))]
    return expectation, attest, bytes.fromhex(quote["signature"]), chain, values


def up(chain: list[x509.Certificate], at: datetime) -> CertificatePath:
    nobody = Trust(enrollers=frozenset(), extra_roots=frozenset())
    return path(chain[0], chain[1:], roots=ATTESTATION_KEY_ROOTS, trust=nobody, at=at)


def test_google_s_quotes_verify(gcp: Path) -> None:
    expectation, attest, signature, chain, values = gcp_parts(gcp)
    claims_hold(attest, expectation["claims"]["attest"])
    assert pcr_digest(0x000B, values) == attest.pcr_digest
    changed = [values[0][:31] + bytes([values[0][31] ^ 1]), *values[1:]]
    assert pcr_digest(0x000B, changed) != attest.pcr_digest
    key = chain[0].public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    numbers = key.public_numbers()
    point = b"".join(b"\0\x20" + n.to_bytes(32, "big") for n in (numbers.x, numbers.y))
    public = TpmPublic.parse(bytes.fromhex("0023000b00050472000000100018000b00030010") + point)
    r, s = (n.to_bytes(32, "big") for n in utils.decode_dss_signature(signature))
    ours = TpmSignature.parse(bytes.fromhex("0018000b") + b"\0\x20" + r + b"\0\x20" + s)
    assert public.signed(attest.raw, ours)
    assert not public.signed(attest.raw + b"\0", ours)
    key.verify(signature, attest.raw, ec.ECDSA(SHA256()))


def test_google_s_chains_reach_the_pinned_root(gcp: Path) -> None:
    expectation, _, _, chain, _ = gcp_parts(gcp)
    at = datetime.fromisoformat(str(expectation["verification_time"]))
    found = up(chain, at)
    assert (found.status, found.vendor) == (RootStatus.VENDOR, "Google EK/AK CA Root")
    (pem,) = x509.load_pem_x509_certificates((gcp / "gcp-ek-ak-root.pem").read_bytes())
    assert key_digest(pem) == found.root


def test_google_s_negatives_are_refused(gcp: Path) -> None:
    _, _, _, chain, _ = gcp_parts(gcp)
    early = chain[0].not_valid_before_utc.replace(microsecond=0)
    up(chain, early)
    for wrong, at in (
        (chain, datetime(2026, 2, 2, 6, 57, 46, tzinfo=UTC)),
        ([chain[0], chain[2]], early),
        (chain[:1], early),
    ):
        with pytest.raises(NotAuthentic) as caught:
            up(wrong, at)
        assert caught.value.reasons == ("CERTIFICATE",)


def test_azure_s_root_is_pinned(shared_evidence: Path) -> None:
    pem = shared_evidence / "azure-vtpm" / "tdx-2026-with-ak-chain" / "azure-virtual-tpm-root-2023.pem"
    root = key_digest(x509.load_pem_x509_certificate(pem.read_bytes()))
    assert ATTESTATION_KEY_ROOTS[root.hex()] == "Azure Virtual TPM Root Certificate Authority 2023"


def test_keylime_s_rsa_quote_verifies(shared_evidence: Path) -> None:
    folder = shared_evidence / "tpm" / "keylime-rsa"
    attest = TpmAttest.parse(raw := (folder / "quote.out").read_bytes())
    claims_hold(attest, expected(folder)["claims"])
    public = TpmPublic.parse((folder / "ak.pub").read_bytes()[2:])
    assert public.name == (folder / "ak.name").read_bytes()
    signature = TpmSignature.parse((folder / "quotesig.out").read_bytes())
    assert public.signed(raw, signature)
    for bit in range(0, 8 * len(raw), 13):
        wrong = bytearray(raw)
        wrong[bit // 8] ^= 1 << bit % 8
        assert not public.signed(bytes(wrong), signature)


def fields(raw: bytes) -> Iterator[tuple[int, bytes | int]]:
    """The fields of a protobuf message."""
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte, at = raw[at], at + 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(raw):
        key = varint()
        value = varint()
        if key & 7 == 2:
            yield key >> 3, raw[at : at + value]
            at += value
        else:
            yield key >> 3, value


def octets(message: bytes, number: int) -> list[bytes]:
    return [value for n, value in fields(message) if n == number and isinstance(value, bytes)]


def test_three_banks_of_one_vtpm_verify_and_its_event_log_replays(shared_evidence: Path) -> None:
    folder = shared_evidence / "tpm" / "gcp-cos85-three-banks"
    whole = (folder / "attestation.pb").read_bytes()
    public = TpmPublic.parse(octets(whole, 1)[0])
    banks: dict[int, dict[int, bytes]] = {}
    for quote in octets(whole, 2):
        attest = TpmAttest.parse(octets(quote, 1)[0])
        signature = TpmSignature.parse(octets(quote, 2)[0])
        assert public.signed(attest.raw, signature)
        assert attest.extra_data.hex() == expected(folder)["claims"]["nonce"]
        ((bank, numbers),) = attest.selections
        pairs = [dict(fields(entry)) for entry in octets(octets(quote, 3)[0], 2)]
        values = {int(pair.get(1, 0)): bytes(pair[2]) for pair in pairs}
        assert pcr_digest(signature.hash, [values[n] for n in numbers]) == attest.pcr_digest
        banks[bank] = values
    assert [hex(bank) for bank in banks] == expected(folder)["claims"]["banks"]
    log = EventLog.parse(octets(whole, 3)[0])
    replayed = log.replay()
    assert set(replayed) >= set(range(8))
    assert all(banks[0x000B][number] == value for number, value in replayed.items())
    assert any(b"GCE Virtual Firmware".decode().encode("utf-16-le") in event.body for event in log.of(0))
    with pytest.raises(MalformedEvidence):
        EventLog.parse(octets(whole, 3)[0][:-3])
