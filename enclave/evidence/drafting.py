# SPDX-License-Identifier: Apache-2.0
"""Rules to start from: of a technology by its profile, or from a machine that the owner trusts."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.resources import files

from contracts.ids import Digest
from contracts.records import Level
from enclave.evidence.facts import Facts, RootStatus
from enclave.evidence.kinds import Kind
from enclave.evidence.reading import LARGEST
from enclave.evidence.rules import (
    MANIFEST,
    AgeRule,
    DeviceRule,
    FloorRule,
    ReferenceRule,
    RegisterRule,
    Rules,
)
from enclave.evidence.technologies import TECHNOLOGIES

_DAY = 86_400
_FALLBACK = (90 * _DAY, True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What the profile of a technology suggests: claims worth pinning, how old inputs may be, and which must be there."""

    references: tuple[str, ...]
    ages: Mapping[str, tuple[int, bool]]


def profile_text(kind: Kind) -> str:
    """The documented fragment of a technology, as it ships; empty where there is none."""
    found = files("enclave.evidence").joinpath("profiles", f"{kind.label}.toml")
    return found.read_text("utf-8") if found.is_file() else ""


def profile(kind: Kind) -> Profile:
    """What the profile of a technology suggests."""
    document = tomllib.loads(profile_text(kind))
    return Profile(
        references=tuple(rule["claim"] for rule in document.get("references", ())),
        ages={rule["input"]: (rule["at_most"], rule["required"]) for rule in document.get("ages", ())},
    )


def outline(kind: Kind, *, minimum_level: Level, workloads: Sequence[Digest], at: datetime) -> Rules:
    """Rules for one device that bound whatever its technology says must be.

    Registers accept nothing and floors are out of reach until a person fills them in; `at` dates the floors.
    """
    technology, ages = TECHNOLOGIES[kind], profile(kind).ages
    return Rules(
        devices=(DeviceRule(kind=kind, minimum_level=minimum_level, least=1, most=1),),
        workloads=tuple(workloads),
        registers=tuple(RegisterRule(kind=kind, name=name, allow=()) for name in named(kind)),
        references=(),
        floors=tuple(
            FloorRule(kind=kind, claim=claim, at_least=LARGEST, since=_whole(at), grace=0)
            for claim in technology.floors
        ),
        ages=tuple(
            AgeRule(kind=kind, input=name, at_most=at_most, required=required)
            for name in technology.inputs
            for at_most, required in (ages.get(name, _FALLBACK),)
        ),
        revoked=(),
        endorsers=(),
        places=(),
        allow_test_root=minimum_level is Level.NONE,
    )


def named(kind: Kind) -> tuple[str, ...]:
    """The registers that a policy names: a peripheral's, unless signed manifests judge them."""
    technology = TECHNOLOGIES[kind]
    if not kind.peripheral or MANIFEST in technology.inputs:
        return technology.covers if kind.peripheral else ()
    return technology.covers or ("every register by name",)


def learned(devices: Sequence[Facts], at: datetime) -> Rules:
    """Rules that exactly these devices meet at a moment: every register, and what their profiles name, as it is."""
    kinds = tuple(dict.fromkeys(facts.kind for facts in devices))
    of = {kind: [facts for facts in devices if facts.kind is kind] for kind in kinds}
    custody = [facts.custody for facts in devices if facts.custody is not None]
    return Rules(
        devices=tuple(_device(kind, of[kind]) for kind in kinds),
        workloads=tuple(
            dict.fromkeys(f.workload for f in devices if not f.kind.peripheral and any(f.workload))
        ),
        registers=tuple(rule for kind in kinds for rule in _registers(kind, of[kind])),
        references=tuple(rule for kind in kinds for rule in _references(kind, of[kind])),
        floors=tuple(rule for kind in kinds for rule in _floors(kind, of[kind], at)),
        ages=tuple(rule for kind in kinds for rule in _ages(kind, of[kind], at)),
        revoked=(),
        endorsers=tuple(dict.fromkeys(statement.endorser for statement in custody)),
        places=tuple(dict.fromkeys(statement.place for statement in custody)),
        allow_test_root=any(facts.status is RootStatus.TEST_ROOT for facts in devices),
    )


def _device(kind: Kind, devices: Sequence[Facts]) -> DeviceRule:
    count, lowest = len(devices), min(facts.level for facts in devices)
    return DeviceRule(kind=kind, minimum_level=lowest, least=count, most=count)


def _registers(kind: Kind, devices: Sequence[Facts]) -> Iterator[RegisterRule]:
    for name in devices[0].registers:
        values = dict.fromkeys(facts.registers[name] for facts in devices if name in facts.registers)
        yield RegisterRule(kind=kind, name=name, allow=tuple(values))


def _references(kind: Kind, devices: Sequence[Facts]) -> Iterator[ReferenceRule]:
    for claim in profile(kind).references:
        found = [facts.value(claim) for facts in devices]
        entries = [entry for value in found for entry in (value if isinstance(value, list) else [value])]
        allow = [entry for entry in entries if isinstance(entry, bytes | str | int)]
        if len(allow) == len(entries):
            yield ReferenceRule(kind=kind, claim=claim, allow=tuple(dict.fromkeys(allow)))


def _floors(kind: Kind, devices: Sequence[Facts], at: datetime) -> Iterator[FloorRule]:
    for claim in TECHNOLOGIES[kind].floors:
        found = [facts.value(claim) for facts in devices]
        versions = [value for value in found if isinstance(value, int)]
        lowest = min(versions) if len(versions) == len(found) else 0
        yield FloorRule(kind=kind, claim=claim, at_least=lowest, since=_whole(at), grace=0)


def _ages(kind: Kind, devices: Sequence[Facts], at: datetime) -> Iterator[AgeRule]:
    usual = profile(kind).ages
    for name in TECHNOLOGIES[kind].inputs:
        dates = [facts.inputs[name] for facts in devices if name in facts.inputs]
        (at_most, _), oldest = usual.get(name, _FALLBACK), min(dates, default=at)
        if at - oldest >= timedelta(seconds=at_most):
            at_most = min(_days(at - oldest) * 2, 2**32 - 1)
        yield AgeRule(kind=kind, input=name, at_most=at_most, required=len(dates) == len(devices))


def _days(age: timedelta) -> int:
    return (age.days + 1) * _DAY


def _whole(at: datetime) -> datetime:
    return at.replace(microsecond=0)
