# SPDX-License-Identifier: Apache-2.0
"""Recorded conversations with a software responder: what was claimed, and everything that must not verify."""

import hashlib
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from enclave.errors import MalformedEvidence, NotAuthentic
from enclave.evidence.certificates import key_digest, load_all
from enclave.evidence.detect import detect
from enclave.evidence.enclosed import Enclosed
from enclave.evidence.facts import Claim, Facts, RootStatus
from enclave.evidence.findings import Reason
from enclave.evidence.kinds import Kind
from enclave.evidence.spdm.transcript import encode
from enclave.evidence.spdm.verify import show, verify
from enclave.evidence.trust import Trust

NAMES = (
    "libspdm-v11-p384-all-hash",
    "libspdm-v12-p256-all-hash",
    "libspdm-v12-p384-all-hash",
    "libspdm-v12-p384-all-raw",
    "libspdm-v12-p384-onebyone-hash",
    "libspdm-v12-rsapss3072-all-hash",
    "libspdm-v13-p384-all-hash",
)
_NUMBERS = ("version", "base_asym", "base_hash", "meas_hash", "type")
_STEP = 7


@pytest.fixture(params=NAMES)
def sample(request: pytest.FixtureRequest, shared_evidence: Path) -> Path:
    return shared_evidence / "spdm" / str(request.param)


def expected(sample: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((sample / "expected.json").read_text("utf-8"))
    return found


def messages(sample: Path) -> list[bytes]:
    return [bytes.fromhex(m["hex"]) for m in json.loads((sample / "messages.json").read_text("utf-8"))]


def judged(sample: Path, said: list[bytes]) -> Facts:
    """The facts of a conversation, under the sample's root."""
    root = load_all((sample / "chain.pem").read_bytes())[0]
    trust = Trust(enrollers=frozenset(), extra_roots=frozenset({key_digest(root)}))
    at = datetime.fromisoformat(str(expected(sample)["verification_time"]))
    body = Enclosed(evidence=encode(said), pieces=()).encode()
    return verify(body, 1, node=None, trust=trust, at=at)


def same(claim: Claim, wanted: object, field: str) -> None:
    """Whether a claim is what the sample's record says, which has bytes and some numbers in hex."""
    if isinstance(wanted, dict):
        assert isinstance(claim, dict)
        for name, value in wanted.items():
            same(claim[name], value, name)
    elif isinstance(wanted, list):
        assert isinstance(claim, list)
        assert len(claim) == len(wanted), field
        for one, other in zip(claim, wanted, strict=True):
            same(one, other, field)
    elif isinstance(claim, bytes):
        long = f"sha256:{hashlib.sha256(claim).hexdigest()}({len(claim)} bytes)"
        assert wanted in (claim.hex(), long), field
    else:
        assert claim == (int(str(wanted), 16) if field in _NUMBERS else wanted), field


def test_every_field_is_as_recorded(sample: Path) -> None:
    shown = show(detect((sample / "messages.json").read_bytes()).body)
    record = expected(sample)
    fields = ("version", "base_asym", "base_hash", "meas_hash", "chal_nonce", "chain_len", "message_count")
    for name in (*fields, "certs", "measurements"):
        same(shown[name], record[name], name)


def test_it_verifies_under_its_root_and_claims_what_is_signed(sample: Path) -> None:
    facts, record = judged(sample, messages(sample)), expected(sample)
    assert record["verdict"] == "accept"
    assert facts.missed == ()
    assert (facts.kind, facts.status) == (Kind.SPDM, RootStatus.TEST_ROOT)
    for name in ("version", "base_asym", "base_hash", "certs"):
        same(facts.claims[name], record[name], name)
    measured, claimed = record["measurements"], facts.claims["measurements"]
    assert isinstance(measured, list)
    assert isinstance(claimed, list)
    signed = {name: value for name, value in measured[-1].items() if name != "signature"}
    same(claimed[-1], signed, "measurements")
    assert facts.bound.hex() == measured[-1]["req_nonce"]
    last = {f"measurement.{block['index']}": block["value"] for block in measured[-1]["blocks"]}
    assert set(last) <= set(facts.registers)
    for name, value in last.items():
        same(facts.registers[name], value, name)
    assert facts.claims["svn"] == (0 if "onebyone" in sample.name else 7)
    assert facts.claims["device_info"] == "ACME:WIDGET:1234567890"


def test_what_was_not_asked_for_with_the_last_nonce_does_not_count(shared_evidence: Path) -> None:
    folder = shared_evidence / "spdm" / "libspdm-v12-p384-onebyone-hash"
    facts = judged(folder, messages(folder))
    assert set(facts.registers) == {"measurement.254"}
    measured = facts.claims["measurements"]
    assert isinstance(measured, list)
    assert len(measured) == 1
    assert any("8 signed measurements for other nonces" in line for line in facts.trace)


def test_captures_of_one_conversation_are_the_same_evidence(sample: Path) -> None:
    found = [detect((sample / name).read_bytes()) for name in ("messages.json", "transcript.pcap")]
    assert found[0] == found[1] == detect(encode(messages(sample)))
    assert found[0].kind is Kind.SPDM


def test_the_chain_is_the_one_that_was_sent(sample: Path) -> None:
    certs = show(detect((sample / "messages.json").read_bytes()).body)["certs"]
    assert isinstance(certs, list)
    chain = load_all((sample / "chain.pem").read_bytes())
    sent = (sample / "chain.spdm.bin").read_bytes()
    assert [cert["sha256"] for cert in certs] == [
        hashlib.sha256(c.public_bytes(Encoding.DER)).digest() for c in chain
    ]  # type: ignore[index,call-overload]
    assert any(sent[4:] in message for message in [b"".join(m[8:] for m in messages(sample) if m[1] == 2)])


def refused(sample: Path, said: list[bytes]) -> set[Reason]:
    """Why a conversation is not authentic; empty where it is malformed; fails where it is neither."""
    try:
        facts = judged(sample, said)
    except MalformedEvidence:
        return set()
    except NotAuthentic as error:
        return {finding.reason for finding in error.findings}
    pytest.fail(f"verified: {facts.trace}")


def _flips(sample: Path) -> None:
    said = messages(sample)
    for at in range(8, len(said[-1]), _STEP):
        changed = bytearray(said[-1])
        changed[at] ^= 1
        assert refused(sample, [*said[:-1], bytes(changed)]) <= {Reason.SIGNATURE}


def _another_nonce(sample: Path) -> None:
    said = messages(sample)
    for at in range(4, 36):
        changed = bytearray(said[-2])
        changed[at] ^= 1
        assert refused(sample, [*said[:-2], bytes(changed), said[-1]]) == {Reason.SIGNATURE}


NEGATIVES: dict[str, Callable[[Path], None]] = {
    "flip the low bit of one byte of the last MEASUREMENTS message, from its 9th byte on": _flips,
    "replace the request nonce in GET_MEASUREMENTS": _another_nonce,
}


@pytest.mark.parametrize("change", NEGATIVES)
def test_each_listed_change_is_refused(sample: Path, change: str) -> None:
    NEGATIVES[change](sample)


def test_no_listed_change_is_left_out(sample: Path) -> None:
    listed = expected(sample)["negatives"]
    assert isinstance(listed, list)
    assert {str(negative["change"]) for negative in listed} == set(NEGATIVES)


def test_no_root_of_theirs_counts_unless_the_caller_adds_it(sample: Path) -> None:
    with pytest.raises(NotAuthentic) as refusal:
        verify(
            detect((sample / "messages.json").read_bytes()).body,
            1,
            node=None,
            trust=Trust(enrollers=frozenset(), extra_roots=frozenset()),
            at=datetime.fromisoformat(str(expected(sample)["verification_time"])),
        )
    assert [finding.reason for finding in refusal.value.findings] == [Reason.ROOT]
    assert "extra_roots" in refusal.value.findings[0].hint


def test_what_no_signature_covers_is_not_claimed(shared_evidence: Path) -> None:
    """Changed answers that nobody asked to sign, and chains of other slots, are refused or change nothing."""
    folder = shared_evidence / "spdm" / "libspdm-v12-p384-onebyone-hash"
    said = messages(folder)
    good = judged(folder, said).claims
    passed = 0
    for number in (*range(6, 32), *range(520, len(said))):
        for at in range(len(said[number]) - 1, 3, -191):
            changed = [*said]
            changed[number] = said[number][:at] + bytes([said[number][at] ^ 0x10]) + said[number][at + 1 :]
            try:
                found = judged(folder, changed).claims
            except (MalformedEvidence, NotAuthentic):
                continue
            passed += 1
            assert found == good
    assert passed
