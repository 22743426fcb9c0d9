# SPDX-License-Identifier: Apache-2.0
"""Would this policy accept this evidence at some moment, and until when? For owners, before a date or a change comes.

Everything is asked that can be asked without a chain: not whether the challenge was ever made, nor what was burnt.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from enclave.errors import NotAuthentic
from enclave.evidence.appraise import refused_from, unmet
from enclave.evidence.bundle import Bundle
from enclave.evidence.detect import detect, is_bundle
from enclave.evidence.facts import Facts
from enclave.evidence.findings import Finding
from enclave.evidence.policy import Policy
from enclave.evidence.rules import Rules
from enclave.evidence.trust import Trust
from enclave.evidence.verify import verify
from enclave.evidence.vouching import verify_device

NOBODY = Trust(enrollers=frozenset(), extra_roots=frozenset())


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What a policy says of evidence at a moment; `until` is the first later moment at which it refuses, if any."""

    findings: tuple[Finding, ...]
    until: datetime | None

    @property
    def passes(self) -> bool:
        """Whether it meets every rule."""
        return not self.findings


def outlook(
    raw: bytes, policy: Policy | Rules, *, pieces: Sequence[bytes] = (), trust: Trust = NOBODY, at: datetime
) -> Outlook:
    """Judge a bundle, or one device's evidence, as of a moment; raises `MalformedEvidence` only.

    `trust` is added to the policy's, whose fragments name nobody. A device alone is not held to how many there are.
    """
    rules = policy.rules if isinstance(policy, Policy) else policy
    believed = trust | policy.trust
    bundle = Bundle.decode(raw) if is_bundle(raw) else None
    try:
        if bundle is None:
            devices = devices_in(raw, pieces=pieces, trust=believed, at=at)
        else:
            verified = verify(bundle, trust=believed, at=at)
            devices = verified.devices
    except NotAuthentic as error:
        return Outlook(findings=error.findings, until=None)
    if bundle is not None and isinstance(policy, Policy):
        findings = tuple(unmet(verified, policy, at))
    else:
        findings = tuple(f for facts in devices for f in (*facts.missed, *rules.unmet(facts, at)))
        findings += tuple(rules.composition(devices)) if bundle is not None else ()
    return Outlook(findings=findings, until=None if findings else refused_from(devices, rules, at))


def devices_in(raw: bytes, *, pieces: Sequence[bytes] = (), trust: Trust, at: datetime) -> tuple[Facts, ...]:
    """The devices of a bundle, or the one that this evidence is of; raises `MalformedEvidence` or `NotAuthentic`."""
    if is_bundle(raw):
        return verify(Bundle.decode(raw), trust=trust, at=at).devices
    found = detect(raw, pieces)
    return (verify_device(found.kind, found.body, 0, node=None, trust=trust, at=at),)
