# SPDX-License-Identifier: Apache-2.0
"""Each technology has a profile, which names exactly what that technology says must be bounded, and accepts nothing."""

import re
from datetime import UTC, datetime
from importlib.resources import files

import pytest

from contracts.records import Level
from enclave.evidence.drafting import named, outline, profile, profile_text
from enclave.evidence.kinds import Kind
from enclave.evidence.policy import rules_from
from enclave.evidence.reading import LARGEST
from enclave.evidence.technologies import TECHNOLOGIES

LATER = datetime(2027, 1, 1, tzinfo=UTC)
KINDS = pytest.mark.parametrize("kind", TECHNOLOGIES, ids=lambda kind: kind.label)


def test_there_is_a_profile_for_each_technology_and_no_other() -> None:
    folder = files("enclave.evidence") / "profiles"
    assert {entry.name for entry in folder.iterdir()} == {f"{kind.label}.toml" for kind in TECHNOLOGIES}


@KINDS
def test_a_profile_names_what_its_technology_says_must_be_bounded(kind: Kind) -> None:
    technology, rules = TECHNOLOGIES[kind], rules_from(profile_text(kind))
    (device,) = rules.devices
    assert (device.kind, device.minimum_level) == (kind, kind.level)
    assert tuple(rule.claim for rule in rules.floors) == technology.floors
    assert tuple(rule.input for rule in rules.ages) == technology.inputs
    assert tuple(rule.name for rule in rules.registers) == named(kind)


@KINDS
def test_a_profile_says_what_is_covered_and_excluded_and_whose_clock_counts(kind: Kind) -> None:
    text = profile_text(kind)
    for word in ("# Covers ", "# Excludes ", "# Clock "):
        assert word in text
    covered = re.search(r"^# Covered: (.*)$", text, re.MULTILINE)
    assert (tuple(covered[1].split(", ")) if covered else ()) == TECHNOLOGIES[kind].covers
    assert all(len(line) <= 400 for line in text.splitlines())


@KINDS
def test_a_profile_accepts_nothing_until_it_is_filled_in(kind: Kind) -> None:
    rules = rules_from(profile_text(kind))
    assert not rules.workloads
    assert not rules.allow_test_root
    assert all(not rule.allow for rule in rules.registers)
    assert all(rule.at_least == LARGEST and rule.in_force < LATER for rule in rules.floors)
    stated = [rule for rule in rules.references if not rule.claim.endswith(("advisory_ids", "_version"))]
    assert all(rule.allow for rule in stated)


@KINDS
def test_an_outline_takes_its_ages_from_the_profile(kind: Kind) -> None:
    rules = outline(kind, minimum_level=Level.NONE, workloads=(), at=LATER)
    assert {rule.input: (rule.at_most, rule.required) for rule in rules.ages} == profile(kind).ages
