# SPDX-License-Identifier: Apache-2.0
"""One device's evidence on its own, without bundle, policy or chain: authentic, and by a baseline acceptable?

The baseline refuses what no policy should accept: guests that can be debugged, states known to be bad, and roots
nobody pinned. A root that the caller adds for this call is believed, at level `none`, and the trace says so first.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from contracts.records import Level
from enclave.errors import NotAuthentic
from enclave.evidence.detect import Detected
from enclave.evidence.facts import Claims, Facts, RootStatus
from enclave.evidence.findings import Finding, Reason
from enclave.evidence.kinds import Kind
from enclave.evidence.rules import Rules
from enclave.evidence.technologies import TECHNOLOGIES
from enclave.evidence.trust import Trust


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What was believed of one device's evidence, and every reason why not."""

    kind: Kind
    facts: Facts | None
    reasons: tuple[Finding, ...]
    trace: tuple[str, ...]

    @property
    def authentic(self) -> bool:
        """Whether its signatures and certificates hold."""
        return self.facts is not None

    @property
    def accepted(self) -> bool:
        """Whether it is authentic and meets every rule it was examined by."""
        return self.facts is not None and not self.reasons

    @property
    def level(self) -> Level:
        """The level of evidence that was accepted or refused; `none` where it is not authentic."""
        return Level.NONE if self.facts is None else self.facts.level

    @property
    def status(self) -> RootStatus:
        """What its certificates end at."""
        return RootStatus.NONE if self.facts is None else self.facts.status

    @property
    def claims(self) -> Claims:
        """What the device vouches for; nothing where it is not authentic."""
        return {} if self.facts is None else self.facts.claims


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What the evidence should have been made for, as far as the caller knows: a nonce, or whole report data."""

    nonce: bytes | None = None
    report_data: bytes | None = None


def examine(
    detected: Detected, *, trust: Trust, at: datetime, expected: Expected, rules: Rules | None = None
) -> Examination:
    """Verify and judge one device's evidence as of a moment; raises `MalformedEvidence` only."""
    technology = TECHNOLOGIES[detected.kind]
    try:
        facts = technology.verify(detected.body, 0, node=None, trust=trust, at=at)
    except NotAuthentic as error:
        return Examination(
            kind=detected.kind, facts=None, reasons=error.findings, trace=(f"not authentic at {at:%FT%TZ}",)
        )
    reasons = [*facts.missed, *_bound(facts, expected)]
    reasons += _baseline(facts, trust) if rules is None else rules.unmet(facts, at)
    return Examination(
        kind=detected.kind, facts=facts, reasons=tuple(reasons), trace=(*_loud(facts), *facts.trace)
    )


def _loud(facts: Facts) -> Iterator[str]:
    if facts.status is RootStatus.TEST_ROOT:
        yield (
            f"TRUST ADDED FOR THIS CALL: {facts.root} is no vendor's root; level none, "
            f"{facts.potential.label} under a vendor root"
        )


def _baseline(facts: Facts, trust: Trust) -> Iterator[Finding]:
    if facts.status is RootStatus.TEST_ROOT and not trust.extra_roots:
        yield Finding(
            reason=Reason.ROOT,
            expected="a vendor's root",
            found=facts.root,
            hint="a policy may accept roots of its own, at level none",
        )


def _bound(facts: Facts, expected: Expected) -> Iterator[Finding]:
    wanted = expected.nonce if expected.report_data is None else expected.report_data
    if wanted is not None and facts.bound.ljust(64, b"\0") != wanted.ljust(64, b"\0"):
        yield Finding(
            reason=Reason.BINDING,
            expected=wanted.hex(),
            found=facts.bound.hex(),
            hint="the evidence was made for another challenge",
        )
