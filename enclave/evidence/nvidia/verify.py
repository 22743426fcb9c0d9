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
from enclave.evidence.facts import Claims, Facts, RootStatus
from enclave.evidence.kinds import Kind
from enclave.evidence.nvidia.comparison import Compared, compare
from enclave.evidence.nvidia.device import Device, attest, chain_claims, kind_of, leaves, tcb_faults
from enclave.evidence.nvidia.report import Report, begins
from enclave.evidence.technology import Technology
from enclave.evidence.trust import Trust


def _verify(body: bytes, index: int, *, node: NodeId | None, trust: Trust, at: datetime, kind: Kind) -> Facts:
    """Check signature, chain, firmware and manifests at a moment."""
    del node
    enclosed = Enclosed.parse(body)
    report = _parse(enclosed.evidence, kind)
    device = attest(report, enclosed.endorsements, trust, at)
    compared = compare(report, device.chip, enclosed.endorsements, trust=trust, at=at)
    paths = (device.path, *(one.path for one in compared.used))
    lowest = next((path for path in paths if path.status is not RootStatus.VENDOR), device.path)
    registers = _registers(report, device)
    return Facts(
        kind=kind,
        index=index,
        bound=report.nonce,
        identity=device.identity,
        workload=digest("workload", kind.label, [[name, registers[name]] for name in sorted(registers)]),
        status=lowest.status,
        root=lowest.vendor,
        registers=registers,
        not_before=max(path.not_before for path in paths),
        not_after=min(path.not_after for path in paths),
        missed=(*tcb_faults(device.tcb), *compared.missed),
        trace=(*_trace(report, device), *compared.trace),
        claims=report.claims() | device.claims() | compared.claims,
        inputs=_inputs(device, compared),
        certificates=tuple(dict.fromkeys(key for path in paths for key in path.keys)),
    )


def _registers(report: Report, device: Device) -> dict[str, bytes]:
    """Everything that measures code: the measurements that were taken, and the firmware that signs."""
    found = {f"measurement.{index}": value for index, value in report.measured.items()}
    return found if device.fwid is None else found | {"fwid": device.fwid}


def _inputs(device: Device, compared: Compared) -> dict[str, datetime]:
    """When the leaf and the oldest signer of manifests were certified; the latter only where manifests vouch for all."""
    made = {"certificate": device.path.certificates[0].not_valid_before_utc}
    return made | ({"rim": min(one.made for one in compared.used)} if compared.whole else {})


def _parse(raw: bytes, kind: Kind) -> Report:
    report = Report.parse(raw)
    if kind_of(report) is not kind:
        raise MalformedEvidence(f"not the fields of a {kind.label}", where="NVIDIA report")
    return report


def _trace(report: Report, device: Device) -> Iterator[str]:
    """What is believed of a report and why, without naming the machine."""
    label, path, opaque = device.kind.label, device.path, report.opaque
    count, of = len(report.measured), len(report.measurements)
    yield f"{label}: {count} of {of} measurements signed for the nonce by the firmware of a {device.chip}"
    yield f"{label}: {len(path.certificates)} certificates up to {path.vendor}"
    if opaque.fwid is not None:
        yield f"{label}: the firmware that the report names is the one that its certificate is for"
    else:
        yield f"{label}: the report does not name its firmware, so that only the certificate does"
    if opaque.mode is not None:
        yield f"{label}: configured for {opaque.mode}"
    yield f"{label}: it answered the nonce by itself, outside of any session with the guest"


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
