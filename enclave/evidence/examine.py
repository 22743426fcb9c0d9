# SPDX-License-Identifier: Apache-2.0
"""One device's evidence on its own, without bundle, policy or chain: authentic, and by a baseline acceptable?

The baseline refuses what no policy should accept: guests that can be debugged, states known to be bad, and roots
nobody pinned. A root that the caller adds for this call is believed, at level `none`, and the trace says so first.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from contracts.records import Level
from enclave.errors import NotAuthentic
from enclave.evidence.binding import device_nonce, report_data
from enclave.evidence.bundle import Bundle
from enclave.evidence.certificates import key_digest, spki_digest
from enclave.evidence.detect import Detected, detect, devices_of, is_bundle
from enclave.evidence.ear import Appraised
from enclave.evidence.endorsements import Endorsements
from enclave.evidence.facts import Claims, Facts, RootStatus
from enclave.evidence.findings import Finding, Reason
from enclave.evidence.rules import Rules, together
from enclave.evidence.trust import Trust
from enclave.evidence.vouching import verify_device

_UNSEEN = "the bundle answers its own challenge; whether that was ever asked is for a verifier with a chain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What was believed of evidence, and every reason why not; `kind` is a technology's name, or `bundle`.

    `devices` are those of a bundle by their labels, each examined for itself.
    """

    kind: str
    authentic: bool
    level: Level
    status: RootStatus
    claims: Claims
    reasons: tuple[Finding, ...]
    trace: tuple[str, ...]
    devices: Mapping[str, "Examination"] = field(default_factory=dict)

    @property
    def accepted(self) -> bool:
        """Whether it is authentic and meets every rule it was examined by."""
        return self.authentic and not self.reasons


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What evidence should have been made for, as far as the caller knows: a nonce, or whole report data."""

    nonce: bytes | None = None
    report_data: bytes | None = None


def trusting(blobs: Sequence[bytes]) -> Trust:
    """Trust in the roots and keys in some files; of certificates, those that signed themselves where there are any."""
    found = Endorsements.sort(blobs)
    roots = [c for c in found.certificates if c.issuer == c.subject] or list(found.certificates)
    digests = {*map(key_digest, roots), *map(spki_digest, found.keys)}
    return Trust(enrollers=frozenset(), extra_roots=frozenset(digests))


def examine_file(
    raw: bytes,
    pieces: Sequence[bytes] = (),
    *,
    family: str = "",
    trust: Trust,
    at: datetime,
    expected: Expected,
    rules: Rules | None = None,
) -> Examination:
    """Verify and judge a file of evidence as of a moment; raises `MalformedEvidence` only."""
    if is_bundle(raw):
        return _examine_bundle(raw, trust=trust, at=at, rules=rules)
    return examine(detect(raw, pieces, family=family), trust=trust, at=at, expected=expected, rules=rules)


def examine(
    detected: Detected,
    *,
    index: int = 0,
    trust: Trust,
    at: datetime,
    expected: Expected,
    rules: Rules | None = None,
) -> Examination:
    """Verify and judge one device's evidence as of a moment; raises `MalformedEvidence` only."""
    return _examined(detected, index, trust=trust, at=at, expected=expected, rules=rules)[0]


def _examined(
    detected: Detected, index: int, *, trust: Trust, at: datetime, expected: Expected, rules: Rules | None
) -> tuple[Examination, Facts | None]:
    """What was found of one device, and the facts if it is authentic."""
    kind = detected.kind.label
    try:
        facts = verify_device(detected.kind, detected.body, index, node=None, trust=trust, at=at)
    except NotAuthentic as error:
        unproven = Examination(
            kind=kind,
            authentic=False,
            level=Level.NONE,
            status=RootStatus.NONE,
            claims={},
            reasons=error.findings,
            trace=(f"{kind}: not authentic at {at:%Y-%m-%dT%H:%M:%SZ}",),
        )
        return unproven, None
    reasons = [*facts.missed, *_bound(facts, expected)]
    reasons += _baseline(facts, trust) if rules is None else rules.unmet(facts, at)
    examined = Examination(
        kind=kind,
        authentic=True,
        level=facts.level,
        status=facts.status,
        claims=facts.claims,
        reasons=tuple(reasons),
        trace=(*_loud(facts), *facts.trace),
    )
    return examined, facts


def _examine_bundle(raw: bytes, *, trust: Trust, at: datetime, rules: Rules | None) -> Examination:
    """Every device of a bundle, each expected to answer the bundle's own challenge, which nobody else checked."""
    bundle, found = Bundle.decode(raw), devices_of(raw)
    bound = report_data(bundle.challenge, bundle.claims, bundle.entries())
    examined: list[Examination] = []
    believed: list[Facts] = []
    for index, device in enumerate(found):
        nonce = device_nonce(bundle.challenge, index, device.kind.label)
        expected = Expected(nonce=nonce) if index else Expected(report_data=bound)
        one, facts = _examined(device, index, trust=trust, at=at, expected=expected, rules=rules)
        examined.append(one)
        believed += [] if facts is None else [facts]
    root, reasons = examined[0], [reason for device in examined for reason in device.reasons]
    if len(believed) == len(examined):
        reasons += together(believed) if rules is None else rules.composition(believed)
    return Examination(
        kind="bundle",
        authentic=all(device.authentic for device in examined),
        level=root.level,
        status=root.status,
        claims={d.label: device.claims for d, device in zip(bundle.devices, examined, strict=True)},
        reasons=tuple(reasons),
        trace=(_UNSEEN, *(line for device in examined for line in device.trace)),
        devices={d.label: device for d, device in zip(bundle.devices, examined, strict=True)},
    )


def _loud(facts: Facts) -> Iterator[str]:
    if facts.status is RootStatus.TEST_ROOT:
        yield (
            f"TRUST ADDED BY THE CALLER: {facts.root} is no vendor's; level none, "
            f"{facts.potential.label} under a vendor root"
        )


def _baseline(facts: Facts, trust: Trust) -> Iterator[Finding]:
    hint = "a policy may accept level none, for development"
    if facts.status is RootStatus.NONE:
        yield Finding(
            reason=Reason.ROOT, expected="a vendor's root", found="nobody vouches for it", hint=hint
        )
    if facts.status is RootStatus.TEST_ROOT and not trust.extra_roots:
        yield Finding(reason=Reason.ROOT, expected="a vendor's root", found=facts.root, hint=hint)


def _bound(facts: Facts, expected: Expected) -> Iterator[Finding]:
    wanted = expected.nonce if expected.report_data is None else expected.report_data
    if wanted is not None and facts.bound.ljust(64, b"\0") != wanted.ljust(64, b"\0"):
        yield Finding(
            reason=Reason.BINDING,
            expected=wanted.hex(),
            found=facts.bound.hex(),
            hint="the evidence was made for another challenge",
        )


def appraised(examined: Examination) -> tuple[Appraised, ...]:
    """The devices as an EAR reports them; one alone is device 0."""
    devices = examined.devices or {f"{examined.kind}.0": examined}
    return tuple(
        Appraised(
            label=label,
            authentic=device.authentic,
            level=device.level,
            status=device.status,
            reasons=device.reasons,
        )
        for label, device in devices.items()
    )
