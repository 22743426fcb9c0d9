# SPDX-License-Identifier: Apache-2.0
"""Every recorded quote of Intel's, its claims field by field, and each change that must turn it away."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from enclave.evidence.examine import Examination, Expected, examine_file
from enclave.evidence.findings import Reason
from enclave.evidence.trust import Trust

NOBODY = Trust(enrollers=frozenset(), extra_roots=frozenset())
NAMES = (
    "sgx/v3-debug-enclave",
    "sgx/v3-pck-platform-2025",
    "sgx/v3-pck-processor-2025",
    "tdx/v4-00806f-2026-01",
    "tdx/v4-00806f-2026-06",
    "tdx/v4-20a06f-2025",
    "tdx/v4-b0c06f-2025",
    "tdx/v4-b0c06f-2026",
    "tdx/v4-cos113-with-ccel",
    "tdx/v4-debug-td",
    "tdx/v5-90c06f-tcb-below-all-levels",
    "tdx/v5-service-td",
)
REASONS = {
    "Debug mode is enabled": Reason.DEBUG,
    "Invalid MR service TD": Reason.DEBUG,
    "No matching TCB level found": Reason.TCB,
    "ISV enclave report signature is invalid": Reason.SIGNATURE,
    "Signature is invalid for tcb_info in quote_collateral": Reason.SIGNATURE,
    "TCBInfo expired": Reason.CERTIFICATE,
    "QE Identity expired": Reason.CERTIFICATE,
}


@dataclass(frozen=True, kw_only=True)
class Sample:
    quote: bytes
    collateral: dict[str, str]
    logs: tuple[bytes, ...]
    at: datetime
    expected: dict[str, object]

    def examined(self) -> Examination:
        pieces = [json.dumps(self.collateral).encode(), *self.logs]
        return examine_file(self.quote, pieces, trust=NOBODY, at=self.at, expected=Expected())

    def flipped(self, at: int) -> "Sample":
        changed = bytearray(self.quote)
        changed[at] ^= 1
        return replace(self, quote=bytes(changed))

    def day_after(self) -> "Sample":
        end = datetime.fromisoformat(self.expected["collateral_window"][1])
        return replace(self, at=end + timedelta(days=1))

    def other_digit(self) -> "Sample":
        signature = self.collateral["tcb_info_signature"]
        other = signature[:-1] + ("0" if signature[-1] != "0" else "1")
        return replace(self, collateral={**self.collateral, "tcb_info_signature": other})


def read(folder: Path, collateral: str = "collateral.json") -> Sample:
    expected = json.loads((folder / "expected.json").read_text("utf-8"))
    return Sample(
        quote=(folder / "quote.bin").read_bytes(),
        collateral=json.loads((folder / collateral).read_text("utf-8")),
        logs=tuple(log.read_bytes() for log in folder.glob("ccel_data.dat")),
        at=datetime.fromisoformat(expected["verification_time"]),
        expected=expected,
    )


CHANGES: dict[str, Callable[[Sample], Sample]] = {
    "flip bit 0 of the last byte of report_data (offset 431)": lambda sample: sample.flipped(431),
    "flip bit 0 of the last byte of report_data (offset 631)": lambda sample: sample.flipped(631),
    "flip bit 0 of the last byte of report_data (offset 637)": lambda sample: sample.flipped(637),
    "flip bit 0 of the quote signature (offset 436)": lambda sample: sample.flipped(436),
    "flip bit 0 of the quote signature (offset 636)": lambda sample: sample.flipped(636),
    "flip bit 0 of the quote signature (offset 706)": lambda sample: sample.flipped(706),
    "verify one day after the collateral window ends": Sample.day_after,
    "replace the last digit of tcb_info_signature": Sample.other_digit,
}


@pytest.fixture(params=NAMES)
def sample(request: pytest.FixtureRequest, shared_evidence: Path) -> Sample:
    return read(shared_evidence / request.param)


def test_no_recorded_quote_is_left_out(shared_evidence: Path) -> None:
    found = [*shared_evidence.glob("sgx/*/quote.bin"), *shared_evidence.glob("tdx/*/quote.bin")]
    assert sorted(f"{quote.parent.parent.name}/{quote.parent.name}" for quote in found) == sorted(NAMES)


def plain(value: object) -> object:
    return value.hex() if isinstance(value, bytes) else value


def test_claims_are_those_of_the_vendor(sample: Sample) -> None:
    found = sample.examined().claims
    assert {name: plain(found[name]) for name in sample.expected["claims"]} == sample.expected["claims"]
    assert plain(found["fmspc"]) == str(sample.expected["fmspc"]).lower()
    evaluations = {
        json.loads(sample.collateral[name])["tcbEvaluationDataNumber"] for name in ("tcb_info", "qe_identity")
    }
    assert found["tcb_evaluation_data_number"] == min(evaluations)


def holds(found: Examination, verdict: dict[str, object]) -> None:
    assert found.authentic, found.reasons
    if verdict["result"] == "accept":
        assert (found.accepted, found.claims["tcb"]) == (True, verdict)
        assert found.claims["tcb_status"] == verdict["status"]
    else:
        assert [one.reason for one in found.reasons] == [REASONS[str(verdict["reason"])]]


def test_verdicts_are_as_expected(sample: Sample) -> None:
    holds(sample.examined(), sample.expected["verdict"])


def test_every_listed_change_is_refused(sample: Sample) -> None:
    listed = {one["change"]: one["expected"]["reason"] for one in sample.expected["negatives"]}
    assert listed.keys() <= CHANGES.keys()
    for change, reason in listed.items():
        found = CHANGES[change](sample).examined()
        assert not found.authentic, change
        assert [one.reason for one in found.reasons] == [REASONS[reason]], change


def test_one_quote_has_another_status_by_later_collateral(shared_evidence: Path) -> None:
    folder = shared_evidence / "tdx" / "v4-cos113-with-ccel"
    sample = read(folder, "collateral-2026-01.json")
    second = sample.expected["second_verdict"]
    later = replace(sample, at=datetime.fromisoformat(second["verification_time"]))
    holds(later.examined(), second["verdict"])


def test_a_log_that_does_not_replay_is_found(shared_evidence: Path) -> None:
    sample = read(shared_evidence / "tdx" / "v4-cos113-with-ccel")
    assert "tdx: the event log replays to the RTMRs" in sample.examined().trace
    other = read(shared_evidence / "tdx" / "v4-b0c06f-2025")
    (wrong,) = {one.reason for one in replace(other, logs=sample.logs).examined().reasons}
    assert wrong is Reason.LOG


def test_padding_may_only_be_zeros(shared_evidence: Path) -> None:
    sample = read(shared_evidence / "tdx" / "v4-00806f-2026-06")
    assert len(sample.quote) == 8000
    cut = replace(sample, quote=sample.quote.rstrip(b"\0"))
    assert cut.examined().claims == sample.examined().claims
