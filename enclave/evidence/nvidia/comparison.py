# SPDX-License-Identifier: Apache-2.0
"""Whether a report's measurements are those of NVIDIA's manifests for the driver and the VBIOS that it names."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from enclave.errors import NotAuthentic
from enclave.evidence.endorsements import Endorsements
from enclave.evidence.facts import Claim, Claims
from enclave.evidence.findings import Finding, Reason
from enclave.evidence.nvidia.report import Report
from enclave.evidence.nvidia.rim import Manifest, manifest
from enclave.evidence.roots import NVIDIA_RIM_ROOTS
from enclave.evidence.trust import Trust

NVDEC0 = 35
_PARTS = {False: ("driver", "vbios"), True: ("vbios",)}  # by whether it is a switch, which has no driver
_HINT = "fetch the manifests of exactly this driver and VBIOS from NVIDIA's RIM service"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """The manifests that hold and are for this report, and what did not hold or match."""

    used: tuple[Manifest, ...]
    missed: tuple[Finding, ...]
    claims: Claims
    whole: bool  # whether every measurement that counts, of every part, equals a manifest's
    trace: tuple[str, ...]


def compare(report: Report, model: str, beside: Endorsements, *, trust: Trust, at: datetime) -> Compared:
    """Verify every manifest and compare every measurement that counts; `model` is the chip, such as `GH100`.

    A manifest that is not NVIDIA's, not in force or of another version is a finding. Raises `MalformedEvidence`.
    """
    missed, held = list[Finding](), list[Manifest]()
    for raw in beside.manifests:
        try:
            held.append(manifest(raw, roots=NVIDIA_RIM_ROOTS, trust=trust, at=at, crls=beside.crls))
        except NotAuthentic as error:
            missed.extend(map(_of_a_manifest, error.findings))
    opaque = report.opaque
    stated = {"driver": opaque.driver_version, "vbios": opaque.vbios_version}
    parts = {part: version for part, version in stated.items() if version}
    used = [one for one in held if one.product == model and one.version and one.version in parts.values()]
    missed += [_foreign(one, model, parts) for one in held if one not in used]
    missed += _conflicts(used)
    claims, trace = dict[str, Claim](), list[str]()
    for part, version in parts.items():
        mine = [one for one in used if one.version == version]
        different = [finding for one in mine for finding in _differences(report, one)]
        missed += different
        claims[part] = "none" if not mine else "differs" if different else "matched"
        count = len({n for one in mine for n in _counting(report, one)})
        claims[f"{part}_compared"] = count
        trace.append(_sentence(part, bool(mine), different, count))
    return Compared(
        used=tuple(used),
        missed=tuple(missed),
        claims={"reference_values": claims},
        whole=not missed and all(claims.get(part) == "matched" for part in _PARTS[opaque.switch]),
        trace=tuple(trace),
    )


def _of_a_manifest(finding: Finding) -> Finding:
    """A flaw of a manifest, which leaves the report authentic."""
    reason = Reason.REFERENCE if finding.reason is Reason.SIGNATURE else finding.reason
    return replace(
        finding,
        reason=reason,
        expected=f"of a reference manifest: {finding.expected}",
        hint=finding.hint or "leave the manifest out, or fetch it anew from NVIDIA's RIM service",
    )


def _sentence(part: str, there: bool, different: Sequence[Finding], count: int) -> str:
    if not there:
        return (
            f"nvidia: nothing compares the measurements of the {part}: no manifest of its version came along"
        )
    if different:
        return f"nvidia: {len(different)} of {count} measurements differ from NVIDIA's manifest of the {part}"
    return f"nvidia: all {count} measurements that count equal NVIDIA's manifest of the {part}"


def _counting(report: Report, one: Manifest) -> list[int]:
    """The indices to compare; a decoder that is off leaves its measurement undefined."""
    return [n for n in one.active if not (n == NVDEC0 and report.opaque.nvdec0_disabled)]


def _differences(report: Report, one: Manifest) -> Iterator[Finding]:
    for index in _counting(report, one):
        found = _measured(report, index)
        if found not in one.active[index]:
            yield Finding(
                reason=Reason.REFERENCE,
                expected=f"measurement {index} of {one.product} {one.version}",
                found="none" if found is None else found.hex(),
                hint=_HINT,
            )


def _measured(report: Report, index: int) -> bytes | None:
    return report.measurements[index] if index < len(report.measurements) else None


def _conflicts(used: Sequence[Manifest]) -> Iterator[Finding]:
    allowed = dict[int, frozenset[bytes]]()
    for one in used:
        for index, values in one.active.items():
            if allowed.setdefault(index, values) != values:
                yield Finding(
                    reason=Reason.REFERENCE,
                    expected=f"one set of values for measurement {index}",
                    found="manifests that contradict each other",
                    hint=_HINT,
                )


def _foreign(one: Manifest, model: str, parts: dict[str, str]) -> Finding:
    wanted = " or ".join(f"{part} {version}" for part, version in parts.items())
    return Finding(
        reason=Reason.REFERENCE,
        expected=f"a manifest of {model}, {wanted}",
        found=f"one of {one.product} {one.version}",
        hint=_HINT,
    )
