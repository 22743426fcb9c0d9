# SPDX-License-Identifier: Apache-2.0
"""Step 5: is the evidence authentic? Bytes in, `Verified` out; no clock, network or chain."""

from dataclasses import dataclass
from datetime import datetime

from contracts.ids import NodeId
from enclave.errors import NotAuthentic
from enclave.evidence.bundle import Bundle, Device
from enclave.evidence.facts import Facts
from enclave.evidence.findings import Finding, Reason
from enclave.evidence.kinds import Kind
from enclave.evidence.technologies import TECHNOLOGIES
from enclave.evidence.trust import Trust
from enclave.evidence.vouching import verify_device


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """A bundle whose signatures and certificates hold, and which nobody has accepted yet; minted by `verify`."""

    bundle: Bundle
    devices: tuple[Facts, ...]

    @property
    def root(self) -> Facts:
        """The device that isolates guest memory and carries the binding."""
        return self.devices[0]


def verify(bundle: Bundle, *, trust: Trust, at: datetime) -> Verified:
    """Check every device's evidence at a moment; raises `NotAuthentic` with what fails in any of them."""
    facts: list[Facts] = []
    findings: list[Finding] = []
    for device in bundle.devices:
        try:
            facts.append(_device(device, bundle.keys.node_id(), trust, at))
        except NotAuthentic as error:
            findings.extend(error.findings)
    if findings:
        raise NotAuthentic(findings)
    return Verified(bundle=bundle, devices=tuple(facts))


def _device(device: Device, node: NodeId, trust: Trust, at: datetime) -> Facts:
    kind = Kind.of(device.kind)
    if kind is None or kind not in TECHNOLOGIES:
        known = ", ".join(kind.label for kind in TECHNOLOGIES)
        raise NotAuthentic([Finding(reason=Reason.KIND, expected=f"one of {known}", found=device.kind)])
    return verify_device(kind, device.body, device.index, node=node, trust=trust, at=at)
