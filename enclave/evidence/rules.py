# SPDX-License-Identifier: Apache-2.0
"""The part of a policy that judges devices: each one's facts at a moment, and all of them together (SPEC.md, section 6).

A finding says what was expected, what was found, and what would make it pass.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from contracts.ids import Digest
from contracts.records import Level
from enclave.evidence.facts import Claim, Facts, RootStatus
from enclave.evidence.findings import Finding, Reason
from enclave.evidence.kinds import Kind

Value: TypeAlias = "int | bool | str | bytes"

_LONGEST_SHOWN = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRule:
    """A technology that a node may bring: from `least` to `most` of them, each at which level."""

    kind: Kind
    minimum_level: Level
    least: int
    most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterRule:
    """The values that a register may have, for example `pcr7` of a TPM."""

    kind: Kind
    name: str
    allow: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceRule:
    """The values that a claim may have; `claim` is a dotted path through the names of the vendor's manual."""

    kind: Kind
    claim: str
    allow: tuple[Value, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorRule:
    """The lowest security version that a claim may state, in force from `grace` seconds after `since` on.

    Zero, and nothing else, also accepts evidence that does not state it.
    """

    kind: Kind
    claim: str
    at_least: int
    since: datetime = field(metadata={"key": "from"})
    grace: int

    @property
    def in_force(self) -> datetime:
        """From when on it counts."""
        return _later(self.since, self.grace)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgeRule:
    """How old something that a verdict rests on may be: too old from its date plus `at_most` seconds on.

    Where it is not `required`, evidence that came without it passes.
    """

    kind: Kind
    input: str
    at_most: int
    required: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a policy asks of devices. Kinds that `devices` does not name are refused, empty lists accept nothing.

    `revoked` are SHA-256 of SubjectPublicKeyInfos, `endorsers` uncompressed P-256 points, `places` the numbers of
    the places that they may vouch for.
    """

    devices: tuple[DeviceRule, ...]
    workloads: tuple[Digest, ...]
    registers: tuple[RegisterRule, ...]
    references: tuple[ReferenceRule, ...]
    floors: tuple[FloorRule, ...]
    ages: tuple[AgeRule, ...]
    revoked: tuple[bytes, ...]
    endorsers: tuple[bytes, ...]
    places: tuple[int, ...]
    allow_test_root: bool

    def unmet(self, facts: Facts, at: datetime) -> Iterator[Finding]:
        """Every rule that one device's facts do not meet at a moment."""
        for rule in _OF_ONE:
            yield from rule(self, facts, at)

    def composition(self, devices: Sequence[Facts]) -> Iterator[Finding]:
        """Every rule about the devices of one node together that they do not meet; the root device comes first."""
        present = [facts.kind for facts in devices]
        for rule in self.devices:
            if not rule.least <= (count := present.count(rule.kind)) <= rule.most:
                expected = f"{rule.least} to {rule.most} of {rule.kind.label}"
                hint = "attest with exactly the devices that the policy counts, or change least and most"
                yield _finding(Reason.DEVICES, expected, str(count), hint)
        identities = [facts.identity for facts in devices]
        if len(set(identities)) != len(identities):
            hint = "each device answers once; another machine's device cannot stand in"
            yield _finding(Reason.DEVICES, "distinct devices", "one device twice", hint)
        if devices[0].kind.peripheral:
            hint = "the first device isolates the guest's memory and carries the binding"
            yield _finding(Reason.KIND, "a root device first", devices[0].kind.label, hint)

    def moments(self, facts: Facts) -> Iterator[datetime]:
        """Every moment at which `unmet` may begin to give another answer for these facts."""
        yield from (rule.in_force for rule in self.floors if rule.kind is facts.kind)
        for rule in self.ages:
            if rule.kind is facts.kind and rule.input in facts.inputs:
                yield _later(facts.inputs[rule.input], rule.at_most)
        yield from (end for end in (facts.not_after, facts.custody and facts.custody.not_after) if end)


def _named(rules: Rules, facts: Facts, at: datetime) -> Iterator[Finding]:
    del at
    if facts.kind not in {rule.kind for rule in rules.devices}:
        named = " or ".join(rule.kind.label for rule in rules.devices)
        yield _finding(Reason.KIND, named, facts.kind.label, "name the technology in [[devices]]")


def _level(rules: Rules, facts: Facts, at: datetime) -> Iterator[Finding]:
    del at
    for rule in rules.devices:
        if rule.kind is facts.kind and facts.level < rule.minimum_level:
            expected = f"{facts.kind.label} at least {rule.minimum_level.label}"
            found = f"{facts.level.label} ({facts.status.value})"
            hint = "a vendor's device in its place, or a custody statement where the level asks for one"
            yield _finding(Reason.LEVEL, expected, found, hint)


def _root(rules: Rules, facts: Facts, at: datetime) -> Iterator[Finding]:
    del at
    if facts.status is RootStatus.TEST_ROOT and not rules.allow_test_root:
        yield _finding(Reason.ROOT, "a vendor's root", facts.root, "allow_test_root is for development")


def _in_time(rules: Rules, facts: Facts, at: datetime) -> Iterator[Finding]:
    del rules
    expected = f"in force at {_instant(at)}"
    if facts.not_before is not None and at < facts.not_before:
        hint = "check the clocks of whoever signed it"
        yield _finding(Reason.FUTURE, expected, f"from {_instant(facts.not_before)}", hint)
    if facts.not_after is not None and facts.not_after <= at:
        hint = "enrol again, or send newer certificates and collateral"
        yield _finding(Reason.STALE, expected, f"until {_instant(facts.not_after)}", hint)


def _workload(rules: Rules, facts: Facts, at: datetime) -> Iterator[Finding]:
    del at
    if not facts.kind.peripheral and facts.workload not in rules.workloads:
        allowed = ", ".join(map(str, rules.workloads)) or "none"
        hint = "the guest's files or boot changed; add the workload only if you built that guest"
        yield _finding(Reason.WORKLOAD, allowed, str(facts.workload), hint)


def _registers(rules: Rules, facts: Facts, at: datetime) -> Iterator[Finding]:
    del at
    for rule in rules.registers:
        value = facts.registers.get(rule.name)
        if rule.kind is facts.kind and (value is None or value not in rule.allow):
            expected = f"{rule.name} {' or '.join(v.hex() for v in rule.allow) or 'none'}"
            found = f"{rule.name} {'missing' if value is None else value.hex()}"
            hint = f"add the value to {rule.name} only if you know the code that it measures"
            yield _finding(Reason.PCR, expected, found, hint)


def _references(rules: Rules, facts: Facts, at: datetime) -> Iterator[Finding]:
    del at
    for rule in rules.references:
        if rule.kind is not facts.kind:
            continue
        found = facts.value(rule.claim)
        if not any(_same(value, found) for value in rule.allow):
            expected = f"{rule.claim} {' or '.join(map(_plain, rule.allow)) or 'none'}"
            hint = f"add the value to {rule.claim} only if your reference says so"
            yield _finding(Reason.REFERENCE, expected, f"{rule.claim} {_shown(found, facts)}", hint)


def _floors(rules: Rules, facts: Facts, at: datetime) -> Iterator[Finding]:
    for rule in rules.floors:
        if rule.kind is not facts.kind or at < rule.in_force:
            continue
        found = facts.value(rule.claim)
        if not isinstance(found, int) or isinstance(found, bool):
            unmet = found is not None or rule.at_least > 0
        else:
            unmet = found < rule.at_least
        if unmet:
            expected = f"{rule.claim} at least {rule.at_least} since {_instant(rule.in_force)}"
            hint = f"update the platform until its {rule.claim} is {rule.at_least} or more"
            yield _finding(Reason.MINIMUM, expected, f"{rule.claim} {_shown(found, facts)}", hint)


def _ages(rules: Rules, facts: Facts, at: datetime) -> Iterator[Finding]:
    for rule in rules.ages:
        made = facts.inputs.get(rule.input)
        if rule.kind is not facts.kind or (made is None and not rule.required):
            continue
        if made is None or not made <= at < _later(made, rule.at_most):
            expected = f"{rule.input} made less than {rule.at_most} s before {_instant(at)}"
            found = "none" if made is None else f"{rule.input} of {_instant(made)}"
            yield _finding(Reason.AGE, expected, found, f"send a newer {rule.input} with the evidence")


def _revoked(rules: Rules, facts: Facts, at: datetime) -> Iterator[Finding]:
    del at
    for place, key in enumerate(facts.certificates):
        if key in rules.revoked:  # the key itself may identify a machine
            hint = "the policy's owner revoked it; another device, or a new certificate by another key"
            yield _finding(Reason.REVOKED, "no revoked key", f"key {place} of the chain, leaf first", hint)


def _custody(rules: Rules, facts: Facts, at: datetime) -> Iterator[Finding]:
    custody = facts.custody
    if custody is None:
        return
    hint = "ask an endorser that the policy names for a new statement, or leave the statement out"
    if custody.endorser not in rules.endorsers:
        yield _finding(Reason.CUSTODY, "an endorser that the policy names", "another", hint)
    if custody.place not in rules.places:
        allowed = " or ".join(map(str, rules.places)) or "none"
        yield _finding(Reason.CUSTODY, f"place {allowed}", f"place {custody.place}", hint)
    if not custody.not_before <= at < custody.not_after:
        expected, until = f"custody in force at {_instant(at)}", _instant(custody.not_after)
        yield _finding(Reason.CUSTODY, expected, f"from {_instant(custody.not_before)} until {until}", hint)


def _same(allowed: Value, found: Claim) -> bool:
    if isinstance(found, bytes):
        return isinstance(allowed, bytes) and allowed == bytes(found)
    return isinstance(allowed, bool) == isinstance(found, bool) and allowed == found


def _shown(value: Claim, facts: Facts) -> str:
    """A claim's value, unless it tells which machine it is."""
    if value is None:
        return "missing"
    raw = value if isinstance(value, bytes) else str(value).encode()
    known = {facts.identity, facts.identity.hex().encode()}
    if any(len(raw) > 3 and (raw in name or name in raw) for name in known):
        return "another platform's"
    return _plain(value)


def _plain(value: Claim) -> str:
    shown = value.hex() if isinstance(value, bytes) else str(value)
    return shown if len(shown) <= _LONGEST_SHOWN else f"{shown[:_LONGEST_SHOWN]}..."


def _later(moment: datetime, seconds: int) -> datetime:
    try:
        return moment + timedelta(seconds=seconds)
    except OverflowError:  # whatever ends after the year 9999 does not end
        return datetime.max.replace(tzinfo=UTC)


def _instant(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def _finding(reason: Reason, expected: str, found: str, hint: str) -> Finding:
    return Finding(reason=reason, expected=expected, found=found, hint=hint)


_OF_ONE: tuple[Callable[[Rules, Facts, datetime], Iterator[Finding]], ...] = (
    _named,
    _level,
    _root,
    _in_time,
    _workload,
    _registers,
    _references,
    _floors,
    _ages,
    _revoked,
    _custody,
)
