# SPDX-License-Identifier: Apache-2.0
"""The part of a policy that judges devices: each one's facts at a moment, and all of them together (SPEC.md, section 6)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from contracts.ids import Digest
from contracts.records import Level
from enclave.evidence.facts import Facts
from enclave.evidence.findings import Finding, Reason
from enclave.evidence.judgement import QUESTIONS, finding
from enclave.evidence.kinds import Kind
from enclave.evidence.trust import Trust

MANIFEST = "rim"  # the input of a technology whose registers were each compared with signed manifests
Value: TypeAlias = "int | bool | str | bytes"


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
    """The values that a claim, or each entry of a list, may have.

    `claim` is a dotted path through the names of the vendor's manual.
    """

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

    def until(self, made: datetime) -> datetime:
        """When what was made at a moment is too old."""
        return _later(made, self.at_most)


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

    @property
    def trust(self) -> Trust:
        """Whom these rules let evidence rest on: endorsers, and nobody else."""
        nobody: frozenset[bytes] = frozenset()
        return Trust(enrollers=nobody, extra_roots=nobody, endorsers=frozenset(self.endorsers))

    def unmet(self, facts: Facts, at: datetime) -> Iterator[Finding]:
        """Every rule that one device's facts do not meet at a moment."""
        for question in QUESTIONS:
            yield from question(self, facts, at)

    def by_manifest(self, kind: Kind) -> bool:
        """Whether manifests that a vendor signs judge every register of a technology, and must come along."""
        return any(rule.kind is kind and rule.input == MANIFEST and rule.required for rule in self.ages)

    def composition(self, devices: Sequence[Facts]) -> Iterator[Finding]:
        """Every rule about the devices of one node together that they do not meet; the root device comes first."""
        present = [facts.kind for facts in devices]
        for rule in self.devices:
            if not rule.least <= (count := present.count(rule.kind)) <= rule.most:
                expected = f"{rule.least} to {rule.most} of {rule.kind.label}"
                hint = "attest with exactly the devices that the policy counts, or change least and most"
                yield finding(Reason.DEVICES, expected, str(count), hint)
        yield from together(devices)

    def moments(self, facts: Facts) -> Iterator[datetime]:
        """Every moment at which `unmet` may begin to give another answer for these facts."""
        yield from (rule.in_force for rule in self.floors if rule.kind is facts.kind)
        for rule in self.ages:
            if rule.kind is facts.kind and rule.input in facts.inputs:
                yield rule.until(facts.inputs[rule.input])
        yield from (end for end in (facts.not_after, facts.custody and facts.custody.not_after) if end)


def together(devices: Sequence[Facts]) -> Iterator[Finding]:
    """Why some devices cannot be those of one node under any policy; the root device comes first."""
    identities = [facts.identity for facts in devices]
    if len(set(identities)) != len(identities):
        hint = "each device answers once; another machine's device cannot stand in"
        yield finding(Reason.DEVICES, "distinct devices", "one device twice", hint)
    if devices[0].kind.peripheral:
        hint = "the first device isolates the guest's memory and carries the binding"
        yield finding(Reason.KIND, "a root device first", devices[0].kind.label, hint)


def _later(moment: datetime, seconds: int) -> datetime:
    try:
        return moment + timedelta(seconds=seconds)
    except OverflowError:  # whatever ends after the year 9999 does not end
        return datetime.max.replace(tzinfo=UTC)
