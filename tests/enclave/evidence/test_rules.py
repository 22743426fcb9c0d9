# SPDX-License-Identifier: Apache-2.0
"""Every rule about one device alone: facts that pass, one of them changed, one reason with what would make it pass."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from contracts.ids import Digest
from contracts.records import Level
from enclave.evidence.appraise import refused_from
from enclave.evidence.facts import Facts, RootStatus
from enclave.evidence.findings import Reason
from enclave.evidence.kinds import Kind
from enclave.evidence.rules import AgeRule, DeviceRule, FloorRule, ReferenceRule, RegisterRule, Rules
from tests.fakes.evidence import NOON
from tests.fakes.facts import CUSTODY, DAY, FACTS, KEY, RULES

OTHER = (RegisterRule(kind=Kind.TPM, name="pcr0", allow=()),)


def unmet(facts: Facts = FACTS, rules: Rules = RULES, later: timedelta = timedelta()) -> list[str]:
    findings = list(rules.unmet(facts, NOON + later))
    assert all(finding.expected and finding.found and finding.hint for finding in findings)
    assert not any("99" * 16 in str(finding) for finding in findings)  # which machine it is stays unsaid
    return [finding.reason.name for finding in findings]


def test_these_facts_meet_these_rules() -> None:
    assert unmet() == []
    assert (FACTS.level, FACTS.place) == (Level.ISOLATED_CUSTODY, 7)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"registers": {"mr_td": b"\x04" * 48}}, Reason.PCR),
        ({"registers": {}}, Reason.PCR),
        ({"registers": {"mr_td": b"\x01" * 32}}, Reason.PCR),
        ({"workload": Digest(b"\x01" * 32)}, Reason.WORKLOAD),
        ({"certificates": (b"\x01" * 32, b"\x02" * 32)}, Reason.REVOKED),
        ({"identity": b""}, Reason.PLATFORM),  # else a burnt platform would hide behind a mask
        ({"inputs": {}}, Reason.AGE),
        ({"inputs": {"collateral": NOON - 30 * DAY}}, Reason.AGE),
        ({"custody": None}, Reason.LEVEL),
        ({"custody": replace(CUSTODY, endorser=KEY)}, Reason.CUSTODY),
        ({"custody": replace(CUSTODY, place=9)}, Reason.CUSTODY),
        ({"custody": replace(CUSTODY, not_after=NOON)}, Reason.CUSTODY),
        ({"custody": replace(CUSTODY, not_before=NOON + DAY)}, Reason.CUSTODY),
        ({"status": RootStatus.NONE}, Reason.LEVEL),
        ({"not_after": NOON}, Reason.STALE),
        ({"not_before": NOON + DAY}, Reason.FUTURE),
    ],
)
def test_each_fact_alone_refuses(change: dict[str, object], reason: Reason) -> None:
    assert unmet(replace(FACTS, **change)) == [reason.name]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ("tcb.status", "OutOfDate", Reason.REFERENCE),
        ("tcb.status", None, Reason.REFERENCE),
        ("debug", True, Reason.REFERENCE),
        ("debug", 0, Reason.REFERENCE),
        ("debug", "False", Reason.REFERENCE),
        ("xfam", "e7", Reason.REFERENCE),
        ("xfam", b"\xe7\x00", Reason.REFERENCE),
        ("tcb.svn.0", 4, Reason.REFERENCE),
        ("tcb.svn.0", True, Reason.REFERENCE),
        ("tcb.svn.1", 3, Reason.MINIMUM),
        ("tcb.svn.1", "4", Reason.MINIMUM),
        ("tcb.svn.1", True, Reason.MINIMUM),
        ("tcb.svn.1", None, Reason.MINIMUM),
    ],
)
def test_each_claim_alone_refuses(path: str, value: object, reason: Reason) -> None:
    claims = {**FACTS.claims, "tcb": {"status": "UpToDate", "svn": [3, 4]}}
    match path.split("."):
        case ["tcb", "svn", place]:
            claims["tcb"]["svn"][int(place)] = value  # type: ignore[index,call-overload]
        case ["tcb", name]:
            claims["tcb"][name] = value  # type: ignore[index,call-overload]
        case _:
            claims[path] = value  # type: ignore[assignment]
    assert unmet(replace(FACTS, claims=claims)) == [reason.name]


@pytest.mark.parametrize(
    ("advisories", "met"),
    [
        ([], True),
        (["SA-1"], True),
        (["SA-2", "SA-1"], True),
        (["SA-1", "SA-3"], False),
        ([["SA-1"]], False),
        ("SA-3", False),
    ],
)
def test_each_entry_of_a_list_is_judged(advisories: object, met: bool) -> None:
    rule = ReferenceRule(kind=Kind.TDX, claim="advisories", allow=("SA-1", "SA-2"))
    claims = FACTS.claims | {"advisories": advisories}  # type: ignore[dict-item]
    found = unmet(replace(FACTS, claims=claims), replace(RULES, references=(rule,)))
    assert found == ([] if met else [Reason.REFERENCE.name])


@pytest.mark.parametrize("claim", ["ppid", "serial", "nested", "table"])
def test_which_machine_it_is_stays_unsaid(claim: str) -> None:
    rule = ReferenceRule(kind=Kind.TDX, claim=claim, allow=(b"\x01",))
    claims = FACTS.claims | {"nested": [[b"\x99" * 16]], "table": {"a": b"\x99" * 16}}
    shown = replace(FACTS, claims=claims)
    assert unmet(shown, replace(RULES, references=(rule,))) == [Reason.REFERENCE.name]
    assert r"\x99" not in str(list(replace(RULES, references=(rule,)).unmet(shown, NOON)))


def test_a_test_root_counts_where_it_is_allowed() -> None:
    shown = replace(FACTS, status=RootStatus.TEST_ROOT)
    lowest = replace(RULES, devices=(replace(RULES.devices[0], minimum_level=Level.NONE),))
    assert set(unmet(shown)) == {Reason.ROOT.name, Reason.LEVEL.name}
    assert unmet(shown, lowest) == [Reason.ROOT.name]
    assert unmet(shown, replace(lowest, allow_test_root=True)) == []


def test_a_kind_that_is_not_named_is_refused_and_held_to_no_other_kind_s_rules() -> None:
    strange = replace(FACTS, kind=Kind.SNP, custody=None)
    assert unmet(strange) == [Reason.KIND.name]
    assert unmet(rules=replace(RULES, registers=(*RULES.registers, *OTHER))) == []


def test_a_register_of_a_peripheral_that_nobody_judges_is_refused() -> None:
    device = (DeviceRule(kind=Kind.SPDM, minimum_level=Level.NONE, least=1, most=1),)
    named = RegisterRule(kind=Kind.SPDM, name="measurement.1", allow=(b"\x01",))
    rules = replace(RULES, devices=device, registers=(named,))
    shown = replace(FACTS, kind=Kind.SPDM, index=1, custody=None, registers={"measurement.1": b"\x01"})
    assert unmet(shown, rules) == []
    assert unmet(replace(shown, registers={**shown.registers, "measurement.2": b""}), rules) == [
        Reason.PCR.name
    ]


def test_signed_manifests_judge_registers_where_they_are_required() -> None:
    gpu = replace(FACTS, kind=Kind.SPDM, index=1, custody=None, inputs={"rim": NOON}, registers={"1": b""})
    device = (DeviceRule(kind=Kind.SPDM, minimum_level=Level.NONE, least=1, most=1),)
    age = AgeRule(kind=Kind.SPDM, input="rim", at_most=60, required=True)
    rules = replace(RULES, devices=device, ages=(age,))
    assert unmet(gpu, rules) == []
    assert unmet(replace(gpu, inputs={}), rules) == [Reason.AGE.name]
    assert unmet(gpu, replace(rules, ages=(replace(age, required=False),))) == [Reason.PCR.name]


def test_a_floor_counts_from_its_date_and_grace_on() -> None:
    floor = FloorRule(kind=Kind.TDX, claim="tcb.svn.0", at_least=4, since=NOON + DAY, grace=3_600)
    rules = replace(RULES, floors=(floor,))
    second = timedelta(seconds=1)
    assert unmet(rules=rules, later=DAY + timedelta(hours=1) - second) == []
    assert unmet(rules=rules, later=DAY + timedelta(hours=1)) == [Reason.MINIMUM.name]


def test_a_floor_of_zero_accepts_that_nothing_is_stated() -> None:
    floor = FloorRule(kind=Kind.TDX, claim="fmc", at_least=0, since=NOON, grace=0)
    assert unmet(rules=replace(RULES, floors=(floor,))) == []
    assert unmet(rules=replace(RULES, floors=(replace(floor, at_least=1),))) == [Reason.MINIMUM.name]
    assert unmet(rules=replace(RULES, floors=(replace(floor, claim="tcb.status"),))) == [Reason.MINIMUM.name]


def test_an_input_that_may_be_missing_is_judged_when_it_is_there() -> None:
    rules = replace(RULES, ages=(replace(RULES.ages[0], required=False),))
    assert unmet(replace(FACTS, inputs={}), rules) == []
    assert unmet(replace(FACTS, inputs={"collateral": NOON - 31 * DAY}), rules) == [Reason.AGE.name]


def test_what_was_made_after_the_challenge_is_not_too_old() -> None:
    assert unmet(replace(FACTS, inputs={"collateral": NOON + DAY})) == []


def test_no_date_is_too_far_for_arithmetic() -> None:
    floor = replace(RULES.floors[0], claim="tcb.svn.0", since=NOON.replace(year=9999), grace=2**32 - 1)
    ages = (replace(RULES.ages[0], at_most=2**32 - 1),)
    far = replace(FACTS, inputs={"collateral": NOON.replace(year=9999)})
    assert unmet(rules=replace(RULES, floors=(floor,))) == []
    assert list(replace(RULES, ages=ages).moments(far))


@pytest.mark.parametrize(
    ("rules", "days"),
    [
        (RULES, 9),
        (replace(RULES, ages=(replace(RULES.ages[0], at_most=8 * 86_400),)), 3),
        (replace(RULES, floors=(replace(RULES.floors[0], at_least=5, since=NOON + 2 * DAY),)), 2),
        (replace(RULES, floors=(replace(RULES.floors[0], since=NOON + 2 * DAY),)), 9),
    ],
    ids=["custody", "age", "floor", "floor that is met"],
)
def test_refusal_begins_at_the_first_moment_that_changes_an_answer(rules: Rules, days: int) -> None:
    moment = refused_from([FACTS], rules, NOON)
    assert moment == NOON + days * DAY
    assert unmet(rules=rules, later=days * DAY - timedelta(seconds=1)) == []
    assert unmet(rules=rules, later=days * DAY)


@given(
    floors=st.lists(st.tuples(st.integers(3, 6), st.integers(-5, 40), st.integers(0, 5)), max_size=4),
    at_most=st.integers(5, 60),
    until=st.integers(1, 60),
)
def test_nothing_is_refused_before_that_moment_and_something_at_it(
    floors: list[tuple[int, int, int]], at_most: int, until: int
) -> None:
    dated = tuple(
        FloorRule(
            kind=Kind.TDX, claim="tcb.svn.1", at_least=least, since=NOON + day * DAY, grace=grace * 86_400
        )
        for least, day, grace in floors
    )
    ages = (replace(RULES.ages[0], at_most=at_most * 86_400 + 1),)
    rules, facts = replace(RULES, floors=dated, ages=ages), replace(FACTS, not_after=NOON + until * DAY)
    assume(not unmet(facts, rules))
    moment = refused_from([facts], rules, NOON)
    assert moment is not None
    assert unmet(facts, rules, moment - NOON)
    for hour in range(0, int((moment - NOON) / timedelta(hours=1)), 6):
        assert not unmet(facts, rules, timedelta(hours=hour))


def test_some_evidence_is_never_refused() -> None:
    rules = replace(RULES, ages=(), endorsers=(), places=())
    lasting = replace(FACTS, not_after=None, custody=None)
    anything = replace(rules, devices=(replace(RULES.devices[0], minimum_level=Level.NONE),))
    assert refused_from([lasting], anything, NOON) is None


def test_an_unlinked_device_is_rooted_at_most() -> None:
    assert replace(FACTS, index=1).level is Level.ROOTED
    gpu = replace(FACTS, kind=Kind.NVIDIA_GPU, index=1, custody=None)
    assert (gpu.level, gpu.unlinked, FACTS.unlinked) == (Level.ROOTED, True, False)
    assert replace(FACTS, kind=Kind.ASCEND, index=1).level is Level.MEASURED
