# SPDX-License-Identifier: Apache-2.0
"""How one device's facts are held to a policy's rules; `Rules.unmet` asks every question here (SPEC.md, section 6).

A finding says what was expected, what was found, and what would make it pass.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from enclave.evidence.facts import Claim, Facts, RootStatus
from enclave.evidence.findings import Finding, Reason
from enclave.evidence.technologies import TECHNOLOGIES

if TYPE_CHECKING:
    from enclave.evidence.rules import Rules, Value

_LONGEST_SHOWN, _MOST_SHOWN = 200, 16


def _named(rules: "Rules", facts: Facts, at: datetime) -> Iterator[Finding]:
    del at
    if facts.kind not in {rule.kind for rule in rules.devices}:
        named = " or ".join(rule.kind.label for rule in rules.devices)
        yield finding(Reason.KIND, named, facts.kind.label, "name the technology in [[devices]]")


def _level(rules: "Rules", facts: Facts, at: datetime) -> Iterator[Finding]:
    del at
    for rule in rules.devices:
        if rule.kind is facts.kind and facts.level < rule.minimum_level:
            expected = f"{facts.kind.label} at least {rule.minimum_level.label}"
            found = f"{facts.level.label} ({facts.status.value})"
            hint = "a vendor's device in its place, or a custody statement where the level asks for one"
            yield finding(Reason.LEVEL, expected, found, hint)


def _root(rules: "Rules", facts: Facts, at: datetime) -> Iterator[Finding]:
    del at
    if facts.status is RootStatus.TEST_ROOT and not rules.allow_test_root:
        yield finding(Reason.ROOT, "a vendor's root", facts.root, "allow_test_root is for development")


def _in_time(rules: "Rules", facts: Facts, at: datetime) -> Iterator[Finding]:
    del rules
    expected = f"in force at {_instant(at)}"
    if facts.not_before is not None and at < facts.not_before:
        hint = "check the clocks of whoever signed it"
        yield finding(Reason.FUTURE, expected, f"from {_instant(facts.not_before)}", hint)
    if facts.not_after is not None and facts.not_after <= at:
        hint = "enrol again, or send newer certificates and collateral"
        yield finding(Reason.STALE, expected, f"until {_instant(facts.not_after)}", hint)


def _workload(rules: "Rules", facts: Facts, at: datetime) -> Iterator[Finding]:
    del at
    vouched = any(facts.workload)  # zeros are evidence that vouches for no workload, which no list can name
    if not facts.kind.peripheral and not (vouched and facts.workload in rules.workloads):
        allowed = ", ".join(map(str, rules.workloads)) or "none"
        hint = "the guest's files or boot changed; add the workload only if you built that guest"
        yield finding(Reason.WORKLOAD, allowed, str(facts.workload), hint)


def _registers(rules: "Rules", facts: Facts, at: datetime) -> Iterator[Finding]:
    del at
    for rule in rules.registers:
        value = facts.registers.get(rule.name)
        if rule.kind is facts.kind and (value is None or value not in rule.allow):
            expected = f"{rule.name} {' or '.join(v.hex() for v in rule.allow) or 'none'}"
            found = f"{rule.name} {'missing' if value is None else value.hex()}"
            hint = f"add the value to {rule.name} only if you know the code that it measures"
            yield finding(Reason.PCR, expected, found, hint)


def _unnamed(rules: "Rules", facts: Facts, at: datetime) -> Iterator[Finding]:
    """Registers of a peripheral that nobody judges, where the technology cannot say beforehand which there are."""
    del at
    if not facts.kind.peripheral or TECHNOLOGIES[facts.kind].covers or rules.by_manifest(facts.kind):
        return
    named = {rule.name for rule in rules.registers if rule.kind is facts.kind}
    for name in sorted(facts.registers.keys() - named):
        hint = f"give {name} the values that it may have, as `policy from` does"
        yield finding(Reason.PCR, "registers that the policy names", f"{name} as well", hint)


def _references(rules: "Rules", facts: Facts, at: datetime) -> Iterator[Finding]:
    del at
    for rule in rules.references:
        if rule.kind is not facts.kind:
            continue
        found = facts.value(rule.claim)
        entries = found if isinstance(found, list) else [found]
        if not all(any(_same(value, entry) for value in rule.allow) for entry in entries):
            expected = f"{rule.claim} {' or '.join(map(_plain, rule.allow)) or 'none'}"
            hint = f"add the value to {rule.claim} only if your reference says so"
            yield finding(Reason.REFERENCE, expected, f"{rule.claim} {_shown(found, facts)}", hint)


def _floors(rules: "Rules", facts: Facts, at: datetime) -> Iterator[Finding]:
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
            yield finding(Reason.MINIMUM, expected, f"{rule.claim} {_shown(found, facts)}", hint)


def _ages(rules: "Rules", facts: Facts, at: datetime) -> Iterator[Finding]:
    for rule in rules.ages:
        made = facts.inputs.get(rule.input)
        if rule.kind is not facts.kind or (made is None and not rule.required):
            continue
        if made is None or at >= rule.until(made):  # what was made since is not too old
            expected = f"{rule.input} made less than {rule.at_most} s before {_instant(at)}"
            found = "none" if made is None else f"{rule.input} of {_instant(made)}"
            yield finding(Reason.AGE, expected, found, f"send a newer {rule.input} with the evidence")


def _revoked(rules: "Rules", facts: Facts, at: datetime) -> Iterator[Finding]:
    del at
    for place, key in enumerate(facts.certificates):
        if key in rules.revoked:  # the key itself may identify a machine
            hint = "the policy's owner revoked it; another device, or a new certificate by another key"
            yield finding(Reason.REVOKED, "no revoked key", f"key {place} of the chain, leaf first", hint)


def _identified(rules: "Rules", facts: Facts, at: datetime) -> Iterator[Finding]:
    del rules, at
    if not facts.identity:
        hint = "have the host stop masking its chip id: a platform that cannot be named cannot be burnt"
        yield finding(
            Reason.PLATFORM, "a platform that can be told from others", "one without identity", hint
        )


def _custody(rules: "Rules", facts: Facts, at: datetime) -> Iterator[Finding]:
    custody = facts.custody
    if custody is None:
        return
    hint = "ask an endorser that the policy names for a new statement, or leave the statement out"
    if custody.endorser not in rules.endorsers:
        yield finding(Reason.CUSTODY, "an endorser that the policy names", "another", hint)
    if custody.place not in rules.places:
        allowed = " or ".join(map(str, rules.places)) or "none"
        yield finding(Reason.CUSTODY, f"place {allowed}", f"place {custody.place}", hint)
    if not custody.not_before <= at < custody.not_after:
        expected, until = f"custody in force at {_instant(at)}", _instant(custody.not_after)
        yield finding(Reason.CUSTODY, expected, f"from {_instant(custody.not_before)} until {until}", hint)


def _same(allowed: "Value", found: Claim) -> bool:
    if isinstance(found, bytes):
        return isinstance(allowed, bytes) and allowed == bytes(found)
    return isinstance(allowed, bool) == isinstance(found, bool) and allowed == found


def _shown(value: Claim, facts: Facts) -> str:
    """A claim's value, unless it tells which machine it is."""
    if value is None or isinstance(value, dict):
        return "missing" if value is None else "a table"
    if isinstance(value, list):
        return ", ".join(_shown(entry, facts) for entry in value[:_MOST_SHOWN]) or "empty"
    raw = value if isinstance(value, bytes) else str(value).encode()
    known = {facts.identity, facts.identity.hex().encode()}
    if any(len(raw) > 3 and (raw in name or name in raw) for name in known):
        return "another platform's"
    return _plain(value)


def _plain(value: Claim) -> str:
    shown = value.hex() if isinstance(value, bytes) else str(value)
    return shown if len(shown) <= _LONGEST_SHOWN else f"{shown[:_LONGEST_SHOWN]}..."


def _instant(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def finding(reason: Reason, expected: str, found: str, hint: str) -> Finding:
    """One unmet rule, and what would meet it."""
    return Finding(reason=reason, expected=expected, found=found, hint=hint)


QUESTIONS: "tuple[Callable[[Rules, Facts, datetime], Iterator[Finding]], ...]" = (
    _named,
    _level,
    _root,
    _in_time,
    _workload,
    _registers,
    _unnamed,
    _references,
    _floors,
    _ages,
    _revoked,
    _identified,
    _custody,
)
