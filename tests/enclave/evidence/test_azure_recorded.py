# SPDX-License-Identifier: Apache-2.0
"""Confidential machines of Azure's: every claim, verdict and negative of their `expected.json`."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from enclave.evidence.azure.evidence import AzureEvidence, Parts
from enclave.evidence.azure.verify import TECHNOLOGY
from enclave.evidence.detect import Detected, detect
from enclave.evidence.enclosed import Enclosed
from enclave.evidence.examine import Examination, Expected, examine
from enclave.evidence.kinds import Kind
from enclave.evidence.tpm.structures import signed_by
from enclave.evidence.trust import Trust
from tests.fakes.recorded import Recorded, hexed, recorded

NAMES = (
    "snp-genoa-v0",
    "snp-milan-live",
    "snp-milan-v1",
    "tdx-2025-padded-ak-cert",
    "tdx-2026-with-ak-chain",
)
NOBODY = Trust(enrollers=frozenset(), extra_roots=frozenset())
RUNTIME = 32 + 1184 + 20


def flipped(raw: bytes, bit: int) -> bytes:
    return raw[: bit // 8] + bytes([raw[bit // 8] ^ 1 << bit % 8]) + raw[bit // 8 + 1 :]


def quotes(parts: Parts) -> Iterator[tuple[Parts, set[str]]]:
    """Bits of the clock and of the signature: a change elsewhere in the message may already make it malformed."""
    clock = 8 * (len(parts.attest) - 8 - 8 - 4 - 4 - 1 - 40)
    for bit in (clock, clock + 60):
        yield replace(parts, attest=flipped(parts.attest, bit)), {"signature"}
    for bit in (0, 8 * len(parts.signature) - 1):
        yield replace(parts, signature=flipped(parts.signature, bit)), {"signature"}


def registers(parts: Parts) -> Iterator[tuple[Parts, set[str]]]:
    for number in (0, 23):
        changed = list(parts.pcrs)
        changed[number] = flipped(changed[number], 7)
        yield replace(parts, pcrs=tuple(changed)), {"pcr"}


def runtime_data(parts: Parts) -> Iterator[tuple[Parts, set[str]]]:
    """A byte of text that leaves JSON and key as they are, and one of the key itself."""
    another_key = {"binding", "signature", *(["key"] if parts.certificate else [])}
    for text, reasons in ((b"HCLEkPub", {"binding"}), (b'"n":"', another_key)):
        at = parts.hcl.index(text, RUNTIME) + len(text)
        at += 12 if b"n" in text[:2] else -1
        swapped = b"A" if parts.hcl[at : at + 1] != b"A" else b"B"
        yield replace(parts, hcl=parts.hcl[:at] + swapped + parts.hcl[at + 1 :]), reasons


NEGATIVES: dict[str, Callable[[Parts], Iterator[tuple[Parts, set[str]]]]] = {
    "flip any bit of the TPM message or signature": quotes,
    "change one PCR value": registers,
    "change one byte of the HCL runtime data": runtime_data,
}


@pytest.fixture(params=NAMES)
def sample(request: pytest.FixtureRequest, shared_evidence: Path) -> Recorded:
    return next(one for one in recorded(shared_evidence) if one.name == f"azure-vtpm/{request.param}")


def body(sample: Recorded) -> bytes:
    found = detect(sample.evidence.read_bytes(), [piece.read_bytes() for piece in sample.pieces])
    assert found.kind is Kind.AZURE
    return found.body


def examined(sample: Recorded, changed: bytes) -> Examination:
    found = Detected(kind=Kind.AZURE, body=changed)
    return examine(found, trust=NOBODY, at=sample.moment, expected=Expected())


def test_every_sample_is_named_here(shared_evidence: Path) -> None:
    assert sorted(NAMES) == sorted(one.name for one in (shared_evidence / "azure-vtpm").iterdir())


def test_claims_and_verdict_are_as_expected(sample: Recorded) -> None:
    found = examined(sample, body(sample))
    assert (found.reasons, int(found.level)) == ((), 3)
    assert found.accepted
    assert sample.expected["verdict"] == {"result": "accept"}
    claims = sample.expected["claims"]
    said = {part: {name: hexed(found.claims[part][name]) for name in claims[part]} for part in claims}
    assert said == claims
    shown = TECHNOLOGY.show(body(sample))
    assert all(
        shown[part][name] == found.claims[part][name] for part in ("tpm", "hcl") for name in claims[part]
    )


def test_what_is_known_of_the_key_s_certificate_is_said(sample: Recorded) -> None:
    said = {
        "snp": "no certificate of the key came along",
        "tdx-2025": "its chain ends early",
        "tdx-2026": "Azure Virtual TPM Root Certificate Authority 2023 over 4 certificates",
    }
    wanted = next(text for name, text in said.items() if sample.folder.name.startswith(name))
    assert any(wanted in line for line in examined(sample, body(sample)).trace)


def test_every_negative_is_refused(sample: Recorded) -> None:
    whole = Enclosed.parse(body(sample))
    listed = [negative["change"] for negative in sample.expected["negatives"]]
    assert set(listed) <= NEGATIVES.keys()
    for change in listed:
        for parts, reasons in NEGATIVES[change](Parts.decode(whole.evidence)):
            found = examined(sample, replace(whole, evidence=parts.encode()).encode())
            assert not found.authentic
            assert {finding.rule for finding in found.reasons} == reasons


def test_no_bit_of_message_or_signature_can_change(sample: Recorded) -> None:
    evidence = AzureEvidence.parse(Enclosed.parse(body(sample)).evidence)
    key, quote = evidence.hcl.key, evidence.quote
    signature = quote.signature.parts[0]
    assert signed_by(key, quote.attest.raw, quote.signature)
    for bit in range(8 * len(quote.attest.raw)):
        assert not signed_by(key, flipped(quote.attest.raw, bit), quote.signature)
    for bit in range(8 * len(signature)):
        changed = replace(quote.signature, parts=(flipped(signature, bit),))
        assert not signed_by(key, quote.attest.raw, changed)


def test_the_verdict_needs_the_chain_in_the_pieces(sample: Recorded) -> None:
    bare = Enclosed.parse(body(sample)).evidence
    found = examined(sample, Enclosed(evidence=bare, pieces=()).encode())
    assert not found.authentic
