# SPDX-License-Identifier: Apache-2.0
"""Reading the rules of a policy, and refusing those that leave open what a technology says must be bounded."""

from collections.abc import Iterator

from contracts.ids import Digest
from contracts.records import Level
from enclave.errors import MalformedPolicy
from enclave.evidence.kinds import Kind
from enclave.evidence.reading import LARGEST, Table
from enclave.evidence.rules import AgeRule, DeviceRule, FloorRule, ReferenceRule, RegisterRule, Rules
from enclave.evidence.technologies import TECHNOLOGIES

_MOST_DEVICES = 256
_LARGEST_PLACE = 2**16 - 1
_SECONDS = 2**32 - 1


def read_rules(table: Table) -> Rules:
    """The rules in a policy's table, which may hold other keys as well; raises `MalformedPolicy`."""
    rules = Rules(
        devices=tuple(map(_device, table.tables("devices"))),
        workloads=tuple(map(Digest, table.hexes("workloads", 32))),
        registers=tuple(map(_register, table.tables("registers"))),
        references=tuple(map(_reference, table.tables("references"))),
        floors=tuple(map(_floor, table.tables("floors"))),
        ages=tuple(map(_age, table.tables("ages"))),
        revoked=table.hexes("revoked", 32),
        endorsers=table.hexes("endorsers", 65),
        places=table.integers("places", _LARGEST_PLACE),
        allow_test_root=table.boolean("allow_test_root"),
    )
    if flaw := next(_flaws(rules), None):
        raise MalformedPolicy(flaw, where="policy", hint="nothing that is left open counts as anything")
    return rules


def _device(table: Table) -> DeviceRule:
    rule = DeviceRule(
        kind=_kind(table),
        minimum_level=table.level("minimum_level"),
        least=table.integer("least", _MOST_DEVICES),
        most=table.integer("most", _MOST_DEVICES),
    )
    table.done()
    if not rule.least <= rule.most or rule.most == 0:
        raise MalformedPolicy("least is at most `most`, which is not 0", where="policy.devices")
    return rule


def _register(table: Table) -> RegisterRule:
    rule = RegisterRule(kind=_kind(table), name=table.text("name"), allow=table.registers("allow"))
    table.done()
    return rule


def _reference(table: Table) -> ReferenceRule:
    rule = ReferenceRule(kind=_kind(table), claim=table.text("claim"), allow=table.values("allow"))
    table.done()
    return rule


def _floor(table: Table) -> FloorRule:
    rule = FloorRule(
        kind=_kind(table),
        claim=table.text("claim"),
        at_least=table.integer("at_least", LARGEST),
        since=table.instant("from"),
        grace=table.integer("grace", _SECONDS),
    )
    table.done()
    return rule


def _age(table: Table) -> AgeRule:
    rule = AgeRule(
        kind=_kind(table),
        input=table.text("input"),
        at_most=table.integer("at_most", _SECONDS),
        required=table.boolean("required"),
    )
    table.done()
    return rule


def _kind(table: Table) -> Kind:
    label = table.choice("kind", tuple(kind.label for kind in Kind))
    return next(kind for kind in Kind if kind.label == label)


def _flaws(rules: Rules) -> Iterator[str]:
    kinds = [rule.kind for rule in rules.devices]
    if not kinds or len(set(kinds)) != len(kinds):
        yield "devices name each technology once, and at least one"
    for kind in kinds:
        yield from _open(rules, kind)
    yield from _astray(rules)
    asked = any(rule.minimum_level is Level.ISOLATED_CUSTODY for rule in rules.devices)
    if (asked or rules.endorsers) and not (rules.endorsers and rules.places):
        yield "custody needs endorsers, and the places that they may vouch for"
    if rules.places and not rules.endorsers:
        yield "places need endorsers who vouch for them"


def _open(rules: Rules, kind: Kind) -> Iterator[str]:
    """What the technology says must be bounded, and this policy leaves open."""
    technology = TECHNOLOGIES.get(kind)
    if technology is None:
        yield f"this version cannot verify {kind.label}"
        return
    registers = {rule.name for rule in rules.registers if rule.kind is kind}
    floors = {rule.claim for rule in rules.floors if rule.kind is kind}
    ages = {rule.input for rule in rules.ages if rule.kind is kind}
    covered = technology.covers if kind.peripheral else ()  # a root device's are digested in its workload
    yield from (f"{kind.label}: register {name!r} has no values" for name in covered if name not in registers)
    yield from (
        f"{kind.label}: claim {name!r} has no floor" for name in technology.floors if name not in floors
    )
    yield from (f"{kind.label}: input {name!r} has no age" for name in technology.inputs if name not in ages)
    if kind.peripheral and not registers and not rules.by_manifest(kind):
        yield f"{kind.label}: no register has values, and no manifest is required"
    unknown = ages - set(technology.inputs)
    yield from (f"{kind.label}: there is no input {name!r}" for name in sorted(unknown))


def _astray(rules: Rules) -> Iterator[str]:
    """Rules that could never apply, or contradict each other."""
    named = {rule.kind for rule in rules.devices}
    subjects = [(rule.kind, "register", rule.name) for rule in rules.registers]
    subjects += [(rule.kind, "reference", rule.claim) for rule in rules.references]
    subjects += [(rule.kind, "age", rule.input) for rule in rules.ages]
    floors = [(rule.kind, "floor", f"{rule.claim} from {rule.in_force}") for rule in rules.floors]
    everything = [*subjects, *floors]
    for kind, what, name in everything:
        if kind not in named:
            yield f"{what} {name} is for {kind.label}, which devices do not name"
    if len(set(everything)) != len(everything):
        yield "each register, reference and age is named once, each floor once for a moment"
