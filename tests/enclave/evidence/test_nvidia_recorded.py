# SPDX-License-Identifier: Apache-2.0
"""Recorded reports of NVIDIA's GPUs and switches: what was claimed, and everything that must not pass."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contracts.records import Level
from enclave.errors import MalformedEvidence, NotAuthentic
from enclave.evidence.certificates import key_digest, load_all
from enclave.evidence.detect import detect
from enclave.evidence.examine import Expected, examine
from enclave.evidence.facts import Facts, RootStatus
from enclave.evidence.findings import Reason
from enclave.evidence.kinds import Kind
from enclave.evidence.nvidia.rim import manifest
from enclave.evidence.roots import NVIDIA_RIM_ROOTS
from enclave.evidence.technologies import TECHNOLOGIES
from enclave.evidence.trust import Trust
from tests.fakes.recorded import hexed

HOPPER = "hopper-535.86.09-with-vbios-rim"
WITH_NRAS, SWITCH, BROKEN = (
    "hopper-550.90.07-with-nras-claims",
    "nvswitch-ls10-with-rim",
    "hopper-invalid-signature",
)
MACHINE = tuple(f"multi-gpu-{number}" for number in range(4))
NAMES = (
    HOPPER,
    WITH_NRAS,
    "hopper-570.124.03",
    "hopper-590.12",
    "blackwell-575.32",
    SWITCH,
    BROKEN,
    *MACHINE,
)
GOOD = tuple(name for name in NAMES if name != BROKEN)
NOBODY = Trust(enrollers=frozenset(), extra_roots=frozenset())
_STEP, _REQUEST, _SIGNATURE = 29, 37, 96


@pytest.fixture
def folder(request: pytest.FixtureRequest, shared_evidence: Path) -> Path:
    return shared_evidence / "nvidia" / str(request.param)


def samples(names: Sequence[str]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("folder", names, indirect=True)


def expected(folder: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((folder / "expected.json").read_text("utf-8"))
    return found


def moment(folder: Path) -> datetime:
    return datetime.fromisoformat(str(expected(folder)["verification_time"]))


def judged(folder: Path, report: bytes | None = None, *manifests: str, at: datetime | None = None) -> Facts:
    """The facts of a report, with the sample's chain and these manifests of its folder."""
    pieces = [(folder / name).read_bytes() for name in ("cert_chain.pem", *manifests)]
    found = detect((folder / "report.bin").read_bytes() if report is None else report, pieces)
    verify = TECHNOLOGIES[found.kind].verify
    return verify(found.body, 1, node=None, trust=NOBODY, at=at or moment(folder))


def compared(facts: Facts, part: str) -> object:
    return facts.value(f"reference_values.{part}")


def test_no_sample_is_left_out(shared_evidence: Path) -> None:
    found = {path.parent.name for path in shared_evidence.glob("nvidia/*/report.bin")}
    assert found == set(NAMES)


@samples(GOOD)
def test_every_sample_verifies_and_every_claim_is_as_recorded(folder: Path) -> None:
    facts = judged(folder)
    claims = expected(folder)["claims"]
    assert isinstance(claims, dict)
    found = hexed(facts.claims)
    assert isinstance(found, dict)
    for name, value in claims.items():
        if name == "opaque":
            assert value.items() <= found[name].items()
        else:
            assert found[name] == value, name
    assert facts.kind is (Kind.NVIDIA_SWITCH if folder.name == SWITCH else Kind.NVIDIA_GPU)
    assert (facts.status, facts.root) == (RootStatus.VENDOR, "NVIDIA Device Identity CA")
    assert (facts.level, facts.unlinked, facts.missed) == (Level.ROOTED, True, ())
    assert facts.bound.hex() == claims["nonce"]
    assert set(facts.inputs) == {"certificate"}
    assert facts.not_after == datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert any("nothing compares the measurements" in line for line in facts.trace)
    measured = {f"measurement.{n}": v for n, v in claims["measurements"].items() if int(v, 16)}
    assert {name: value.hex() for name, value in facts.registers.items() if name != "fwid"} == measured


@samples(GOOD)
def test_nothing_that_names_the_device_is_in_trace_or_claims_of_code(folder: Path) -> None:
    facts = judged(folder)
    serial = str(facts.claims["leaf_subject"]).rpartition("=")[2]
    told = " ".join(facts.trace).lower()
    assert serial.lower() not in told
    assert facts.identity.hex() not in told
    assert str(facts.claims["ueid"]) not in told


@samples((BROKEN,))
def test_a_report_under_another_devices_chain_is_refused(folder: Path) -> None:
    with pytest.raises(NotAuthentic) as refusal:
        judged(folder)
    reasons = [finding.reason for finding in refusal.value.findings]
    assert reasons == [Reason.SIGNATURE, Reason.PLATFORM]


def test_gpus_of_one_machine_answer_one_nonce_each_by_itself(shared_evidence: Path) -> None:
    found = [judged(shared_evidence / "nvidia" / name) for name in MACHINE]
    assert len({facts.bound for facts in found}) == 1
    assert len({facts.identity for facts in found}) == len(MACHINE)
    assert len({facts.workload for facts in found}) == 1


def test_nvidias_service_says_the_same_of_a_report(shared_evidence: Path) -> None:
    folder = shared_evidence / "nvidia" / WITH_NRAS
    theirs = json.loads((folder / "nras_claims.json").read_text("utf-8"))["GPU-0"]
    facts = judged(folder)
    assert facts.bound.hex() == theirs["eat_nonce"]
    assert facts.claims["ueid"] == theirs["ueid"]
    assert facts.claims["hwmodel"] == theirs["hwmodel"]
    assert facts.claims["driver_version"] == theirs["x-nvidia-gpu-driver-version"]
    assert facts.claims["vbios_version"] == theirs["x-nvidia-gpu-vbios-version"]
    assert theirs["x-nvidia-gpu-attestation-report-cert-chain-fwid-match"]
    assert any("the firmware that the report names" in line for line in facts.trace)
    chain = theirs["x-nvidia-gpu-attestation-report-cert-chain"]
    assert facts.not_after == datetime.fromisoformat(chain["x-nvidia-cert-expiration-date"])
    assert facts.missed == ()
    assert theirs["dbgstat"] == "disabled"


def _flips(folder: Path) -> None:
    report = (folder / "report.bin").read_bytes()
    signed = len(report) - _SIGNATURE
    for at in (*range(4, 36), *range(_REQUEST + 8, signed, _STEP), signed - 1, len(report) - 1):
        changed = bytearray(report)
        changed[at] ^= 1 << at % 8
        allowed = {Reason.SIGNATURE, None} if at >= _REQUEST else {Reason.SIGNATURE}
        assert _first_reason(folder, bytes(changed)) in allowed, at


def _first_reason(folder: Path, report: bytes) -> Reason | None:
    """Why a report is not authentic; None where it is malformed; fails where it is neither."""
    try:
        judged(folder, report)
    except MalformedEvidence:
        return None
    except NotAuthentic as refusal:
        return refusal.findings[0].reason
    pytest.fail("a changed report verified")


def _another_nonce(folder: Path) -> None:
    pieces = [(folder / "cert_chain.pem").read_bytes()]
    found = detect((folder / "report.bin").read_bytes(), pieces)
    for nonce, reasons in ((bytes(32), [Reason.BINDING]), (judged(folder).bound, [])):
        seen = examine(found, trust=NOBODY, at=moment(folder), expected=Expected(nonce=nonce))
        assert seen.authentic
        assert [finding.reason for finding in seen.reasons] == reasons


NEGATIVES: dict[str, Callable[[Path], None]] = {
    "flip one bit of any measurement, nonce or opaque byte": _flips,
    "expect another nonce": _another_nonce,
}


@samples(GOOD)
@pytest.mark.parametrize("change", NEGATIVES)
def test_each_listed_change_is_refused(folder: Path, change: str) -> None:
    NEGATIVES[change](folder)


@samples(NAMES)
def test_no_listed_change_is_left_out(folder: Path) -> None:
    listed = expected(folder)["negatives"]
    assert isinstance(listed, list)
    assert {str(negative["change"]) for negative in listed} == (
        set() if folder.name == BROKEN else set(NEGATIVES)
    )


@samples((HOPPER,))
def test_manifests_of_a_hopper_match_differ_and_expire(folder: Path) -> None:
    good = judged(folder, None, "vbios_rim.xml")
    assert (compared(good, "vbios"), compared(good, "vbios_compared")) == ("matched", 12)
    assert (compared(good, "driver"), good.missed) == ("none", ())
    assert "rim" not in good.inputs  # nothing vouches for the driver
    assert good.not_after == datetime(2025, 6, 22, 9, 30, 33, tzinfo=UTC)
    expired = judged(folder, None, "vbios_rim.xml", at=datetime(2025, 6, 23, tzinfo=UTC))
    assert [finding.reason for finding in expired.missed] == [Reason.CERTIFICATE]
    assert compared(expired, "vbios") == "none"
    other = "NV_GPU_VBIOS_1010_0200_882_96005E0001_measurement_mismatch.xml"
    differing = judged(folder, None, other)
    assert compared(differing, "vbios") == "differs"
    (finding,) = differing.missed
    assert finding.reason is Reason.REFERENCE
    assert "measurement 9 " in finding.expected
    both = judged(folder, None, "vbios_rim.xml", other)
    assert any("contradict" in finding.found for finding in both.missed)
    edited = judged(folder, None, "NV_GPU_DRIVER_GH100_535.86.09_measurement_mismatch.xml")
    assert [finding.reason for finding in edited.missed] == [Reason.REFERENCE]
    assert compared(edited, "driver") == "none"


@samples((SWITCH,))
def test_the_manifest_of_a_switch_vouches_for_all_of_it(folder: Path) -> None:
    good = judged(folder, None, "bios_rim.xml")
    assert (compared(good, "vbios"), compared(good, "vbios_compared"), good.missed) == ("matched", 31, ())
    assert good.inputs["rim"] == datetime(2026, 5, 20, 22, 2, 51, tzinfo=UTC)
    assert good.not_after == datetime(2027, 11, 2, 23, 59, 59, tzinfo=UTC)
    edited = judged(folder, None, "bios_rim_invalid_signature.xml")
    assert [finding.reason for finding in edited.missed] == [Reason.REFERENCE]
    assert "rim" not in edited.inputs


@samples((HOPPER, SWITCH))
def test_no_listed_manifest_is_left_out(folder: Path) -> None:
    listed = expected(folder)["rims"]
    assert isinstance(listed, list)
    assert {str(rim["file"]) for rim in listed} == {path.name for path in folder.glob("*.xml")}


def test_manifests_of_other_versions_are_told(shared_evidence: Path) -> None:
    folder = shared_evidence / "nvidia" / "hopper-570.124.03"
    files = shared_evidence / "nvidia" / "rim-files"
    pieces = [(folder / "cert_chain.pem").read_bytes(), (files / "driver_550.144.03.xml").read_bytes()]
    pieces.append((files / "vbios_1010_0205_862_96005E0004.xml").read_bytes())
    found = detect((folder / "report.bin").read_bytes(), pieces)
    at = datetime(2025, 3, 1, tzinfo=UTC)
    facts = TECHNOLOGIES[found.kind].verify(found.body, 1, node=None, trust=NOBODY, at=at)
    assert (compared(facts, "vbios"), compared(facts, "driver")) == ("differs", "none")
    version, measurement = facts.missed
    assert {version.reason, measurement.reason} == {Reason.REFERENCE}
    assert "570.124.03" in version.expected
    assert "550.144.03" in version.found
    assert "measurement 9 " in measurement.expected  # eleven others are as in the manifest


def test_a_wrong_root_of_manifests_does_not_help(shared_evidence: Path) -> None:
    """`incorrect_rim_root.crt` is no root of any manifest, and trusting it changes nothing."""
    files = shared_evidence / "nvidia" / "rim-files"
    (wrong,) = load_all((files / "incorrect_rim_root.crt").read_bytes())
    trust = Trust(enrollers=frozenset(), extra_roots=frozenset({key_digest(wrong)}))
    raw = (files / "driver_550.144.03.xml").read_bytes()
    at = datetime(2025, 3, 1, tzinfo=UTC)
    with pytest.raises(NotAuthentic):
        manifest(raw, roots={}, trust=trust, at=at)
    assert manifest(raw, roots=NVIDIA_RIM_ROOTS, trust=trust, at=at).path.status is RootStatus.VENDOR
