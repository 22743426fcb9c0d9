# SPDX-License-Identifier: Apache-2.0
"""Recorded tokens, of Nitro, PSA and CCA: every negative that their `expected.json` lists."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import cbor2
import pytest

from contracts.errors import ExequaturError
from enclave.evidence.detect import detect
from enclave.evidence.examine import Examination, Expected, examine_file, trusting
from enclave.evidence.technologies import TECHNOLOGIES
from tests.conftest import ROOT
from tests.fakes.arm import FakeRealm
from tests.fakes.recorded import Recorded, hexed, recorded

GROUPS = ("aws-nitro", "arm-cca", "psa")
SHARED = ROOT.parent / "shared" / "evidence"
SAMPLES = [sample for sample in recorded(SHARED) if sample.name.startswith(GROUPS)]
_BITS = 97


def judge(sample: Recorded, raw: bytes) -> Examination:
    pieces, roots = ([path.read_bytes() for path in paths] for paths in (sample.pieces, sample.trusted))
    return examine_file(raw, [*pieces, *roots], trust=trusting(roots), at=sample.moment, expected=Expected())


def refused(sample: Recorded, raw: bytes) -> bool:
    try:
        return not judge(sample, raw).authentic
    except ExequaturError:
        return True


def flipped(raw: bytes, ats: Iterator[int]) -> Iterator[bytes]:
    return (raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :] for at in ats)


def after(sample: Recorded, change: str) -> bool:
    end = datetime.fromisoformat(change.removeprefix("verify after "))
    late = replace(sample, at=(end + timedelta(seconds=1)).isoformat())
    return refused(late, sample.evidence.read_bytes())


def payload_or_signature(sample: Recorded, _change: str) -> bool:
    raw = sample.evidence.read_bytes()
    start = raw.index(b"module_id")
    changed = [*flipped(raw, iter(range(start, len(raw) - 96, _BITS))), *flipped(raw, iter([len(raw) - 1]))]
    return all(refused(sample, one) for one in changed)


def any_bit(sample: Recorded, _change: str) -> bool:
    raw = sample.evidence.read_bytes()
    return all(refused(sample, one) for one in flipped(raw, iter(range(8, len(raw), 13))))


def either_payload(sample: Recorded, _change: str) -> bool:
    raw = sample.evidence.read_bytes()
    platform, realm = cbor2.loads(raw[3:]).values()
    ats = [raw.index(token) + 60 + step for token in (platform, realm) for step in range(0, 300, 50)]
    return all(refused(sample, one) for one in flipped(raw, iter(ats)))


def realm_of_another(sample: Recorded, _change: str) -> bool:
    """With a realm made here: both recorded ones have one published key, so that either belongs to both platforms."""
    platform = cbor2.loads(sample.evidence.read_bytes()[3:])[44234]
    swapped = b"\xd9\x01\x8f" + cbor2.dumps({44234: platform, 44241: FakeRealm().tokens()[1]})
    return refused(sample, swapped)


NEGATIVES: dict[str, Callable[[Recorded, str], bool]] = {
    "verify after": after,
    "flip one bit of the payload or the last byte of the signature": payload_or_signature,
    "flip one bit": any_bit,
    "flip one bit of either payload": either_payload,
    "replace the realm token by that of another sample": realm_of_another,
}


def listed() -> list[tuple[Recorded, str]]:
    return [
        (sample, entry["change"])
        for sample in SAMPLES
        for entry in sample.expected.get("negatives", [])  # type: ignore[attr-defined]
    ]


def coded(change: str) -> Callable[[Recorded, str], bool] | None:
    return NEGATIVES.get("verify after" if change.startswith("verify after ") else change)


def test_no_listed_negative_is_without_code(shared_evidence: Path) -> None:
    assert shared_evidence.is_dir()
    assert not [change for _, change in listed() if coded(change) is None]


@pytest.mark.parametrize(
    ("sample", "change"), listed(), ids=lambda part: getattr(part, "name", None) or str(part)[:24]
)
def test_a_listed_negative_is_refused(sample: Recorded, change: str) -> None:
    negative = coded(change)
    assert negative is not None
    assert negative(sample, change)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_what_is_shown_is_what_is_believed(sample: Recorded) -> None:
    found = detect(sample.evidence.read_bytes())
    examined = judge(sample, sample.evidence.read_bytes())
    if examined.authentic:
        assert hexed(TECHNOLOGIES[found.kind].show(found.body)) == hexed(examined.claims)
