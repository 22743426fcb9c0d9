# SPDX-License-Identifier: Apache-2.0
"""Is an NVIDIA report authentic: signed by firmware of a device that NVIDIA vouches for, and measured as NVIDIA says?"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from functools import partial

from contracts.digests import digest
from contracts.ids import NodeId
from enclave.errors import MalformedEvidence
from enclave.evidence.enclosed import Enclosed
from enclave.evidence.facts import Claims, Facts
from enclave.evidence.kinds import Kind
from enclave.evidence.nvidia.device import Device, attest, chain_claims, kind_of, leaves, tcb_faults
from enclave.evidence.nvidia.report import Report, begins
from enclave.evidence.technology import Technology
from enclave.evidence.trust import Trust


def _verify(
    body: bytes, index: int, *, node: NodeId | None, trust: Trust, at: datetime, kind: Kind
) -> Facts:
    """Check signature, chain, firmware and manifests at a moment."""
    del node
    enclosed = Enclosed.parse(body)
    report = _parse(enclosed.evidence, kind)
    device = attest(report, enclosed.endorsements, trust, at)
    registers = {f"measurement.{index}": value for index, value in report.measured.items()}
    return Facts(
        kind=kind,
        index=index,
        bound=report.nonce,
        identity=device.identity,
        workload=digest("workload", kind.label, [[name, registers[name]] for name in sorted(registers)]),
        status=device.path.status,
        root=device.path.vendor,
        registers=registers,
        not_before=device.path.not_before,
        not_after=device.path.not_after,
        missed=tuple(tcb_faults(device.tcb)),
        trace=tuple(_trace(report, device)),
        claims=report.claims() | device.claims(),
        inputs={"certificate": device.path.certificates[0].not_valid_before_utc},
        certificates=device.path.keys,
    )


def _parse(raw: bytes, kind: Kind) -> Report:
    report = Report.parse(raw)
    if kind_of(report) is not kind:
        raise MalformedEvidence(f"not the fields of a {kind.label}", where="NVIDIA report")
    return report


def _trace(report: Report, device: Device) -> Iterator[str]:
    """What is believed of a report and why, without naming the machine."""
    label, path = device.kind.label, device.path
    count = len(report.measured)
    yield f"{label}: {count} measurements signed for the nonce by the firmware of a {device.chip}"
    yield f"{label}: {len(path.certificates)} certificates up to {path.vendor}"


def _show(body: bytes, *, kind: Kind) -> Claims:
    """What the report says, and its leaf certificate where one came, believed by nobody."""
    enclosed = Enclosed.parse(body)
    report = _parse(enclosed.evidence, kind)
    found = leaves(enclosed.endorsements.certificates)
    return report.claims() | (chain_claims(found) if len(found) == 1 else {})


def _recognise(raw: bytes, *, kind: Kind) -> bool:
    """Whether these bytes are a request and its answer, with the fields of this kind of device."""
    if not begins(raw):
        return False
    try:
        return kind_of(Report.parse(raw)) is kind
    except MalformedEvidence:
        return False


GPU = Technology(
    kind=Kind.NVIDIA_GPU,
    recognise=partial(_recognise, kind=Kind.NVIDIA_GPU),
    show=partial(_show, kind=Kind.NVIDIA_GPU),
    verify=partial(_verify, kind=Kind.NVIDIA_GPU),
    inputs=("certificate", "rim"),
)
SWITCH = replace(
    GPU,
    kind=Kind.NVIDIA_SWITCH,
    recognise=partial(_recognise, kind=Kind.NVIDIA_SWITCH),
    show=partial(_show, kind=Kind.NVIDIA_SWITCH),
    verify=partial(_verify, kind=Kind.NVIDIA_SWITCH),
)
