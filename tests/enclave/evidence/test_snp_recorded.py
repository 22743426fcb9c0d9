# SPDX-License-Identifier: Apache-2.0
"""SNP reports of real processors: every claim, verdict and negative of their `expected.json`."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from enclave.evidence.examine import Examination, Expected, examine_file
from enclave.evidence.trust import Trust
from tests.fakes.recorded import hexed

NAMES = ("genoa-v3-vcek", "milan-v2-vcek", "milan-v3-dstack-2026", "milan-v3-vlek-vmpl1", "turin-v5-vcek")
NOBODY = Trust(enrollers=frozenset(), extra_roots=frozenset())


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One report with what goes with it, to be changed."""

    folder: Path
    report: bytes
    key: bytes
    issuers: bytes
    at: datetime
    expected: dict[str, object] = field(repr=False)

    @classmethod
    def of(cls, folder: Path) -> "Sample":
        expected = json.loads((folder / "expected.json").read_text("utf-8"))
        return cls(
            folder=folder,
            report=(folder / "report.bin").read_bytes(),
            key=(folder / "endorsement_key.der").read_bytes(),
            issuers=(folder / "ask_ark_asvk.pem").read_bytes(),
            at=datetime.fromisoformat(expected["verification_time"]),
            expected=expected,
        )

    def examine(self) -> Examination:
        return examine_file(
            self.report, [self.issuers, self.key], trust=NOBODY, at=self.at, expected=Expected()
        )

    def flipped(self, at: int) -> "Sample":
        return replace(self, report=self.report[:at] + bytes([self.report[at] ^ 1]) + self.report[at + 1 :])

    def of_another_line(self) -> "Sample":
        other = "milan-v2-vcek" if "milan" not in self.folder.name else "turin-v5-vcek"
        return replace(self, issuers=(self.folder.parent / other / "ask_ark_asvk.pem").read_bytes())

    def after(self, when: str) -> "Sample":
        return replace(self, at=datetime.fromisoformat(when) + timedelta(seconds=1))


NEGATIVES: dict[str, tuple[Callable[[Sample], Sample], set[str]]] = {
    "flip bit 0 of measurement byte 0 (offset 0x90)": (lambda one: one.flipped(0x90), {"signature"}),
    "flip bit 0 of signature byte 0 (offset 0x2a0)": (lambda one: one.flipped(0x2A0), {"signature"}),
    "flip bit 0 of reported_tcb byte 0 (offset 0x180)": (
        lambda one: one.flipped(0x180),
        {"signature", "platform"},
    ),
    "use a chain of another processor line (root ARK)": (Sample.of_another_line, {"certificate"}),
    "verify after": (lambda one: one.after(one.expected["endorsement_validity"][1]), {"certificate"}),
}


def coded(change: str) -> tuple[Callable[[Sample], Sample], set[str]] | None:
    return NEGATIVES.get("verify after" if change.startswith("verify after ") else change)


@pytest.fixture(params=NAMES)
def sample(request: pytest.FixtureRequest, shared_evidence: Path) -> Sample:
    return Sample.of(shared_evidence / "sev-snp" / request.param)


def test_every_sample_is_named_here(shared_evidence: Path) -> None:
    assert sorted(NAMES) == sorted(one.name for one in (shared_evidence / "sev-snp").iterdir())


def test_claims_and_verdict_are_as_expected(sample: Sample) -> None:
    found = sample.examine()
    claims = dict(sample.expected["claims"])
    claims.pop("note", None)
    assert {name: hexed(found.claims[name]) for name in claims} == claims
    assert (found.accepted, found.kind, int(found.level)) == (True, "sev-snp", 3)
    assert sample.expected["verdict"] == {"result": "accept"}
    assert found.claims["product"] == sample.expected["product"].title()
    chip = found.claims["chip_id"]
    assert not any(chip.hex()[:16] in line for line in found.trace if any(chip))


def test_every_negative_is_refused(sample: Sample) -> None:
    for negative in sample.expected["negatives"]:
        found = coded(negative["change"])
        assert found is not None, f"no code for {negative['change']}"
        change, reasons = found
        examined = change(sample).examine()
        assert not examined.authentic
        assert {finding.rule for finding in examined.reasons} == reasons


def test_certificates_of_other_keys_are_refused(shared_evidence: Path) -> None:
    sample = Sample.of(shared_evidence / "sev-snp" / "milan-v2-vcek")
    for negative in sample.expected["file_negatives"]:
        examined = replace(sample, key=(sample.folder / negative["file"]).read_bytes()).examine()
        assert not examined.authentic
        assert {"signature", "certificate", "platform"} == {finding.rule for finding in examined.reasons}
    assert len(sample.expected["file_negatives"]) == 2
