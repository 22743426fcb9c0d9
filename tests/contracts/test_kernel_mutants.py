# SPDX-License-Identifier: Apache-2.0
"""Each promise of the kernels is one that some change to them would break, and the proof notices."""

import pytest

from contracts.smt import Assertion, Verdict, prove, solver
from contracts.solc import PACKAGE, find, needed, virtual_sources

pytestmark = [pytest.mark.forge, pytest.mark.slow]
SOURCES = virtual_sources(PACKAGE / "src" / "licence", "contracts/licence") | virtual_sources(
    PACKAGE / "src" / "interfaces", "contracts/interfaces"
)
# What is changed in a kernel, and what the assertion that notices speaks of.
METER = {
    "spend more than is left": (
        "require(amount <= _left, ICompiledLicence.CreditExhausted(_left, amount));\n        _left -= amount;",
        "_left = amount <= _left ? _left - amount : 0;",
        "_bought == ",
    ),
    "give back more than was spent": (
        "require(amount <= _spent, ICompiledLicence.CreditBeyondSpent(_spent, amount));\n        _spent -= amount;",
        "_spent = amount <= _spent ? _spent - amount : 0;",
        "_bought == ",
    ),
    "give back twice": ("_spent -= amount;\n        _left += amount;", "_left += amount;", "_bought == "),
}
SEATS = {
    "fresh a second too long": ("when - asOf >= every", "when - asOf > every", "== (known && fresh"),
    "a gap forgiven": ("removes && uint256(gap)", "false && uint256(gap)", "== (known && fresh"),
    "a gap of exactly the interval forgiven": (
        "1 minutes >= every",
        "1 minutes > every",
        "== (known && fresh",
    ),
    "a record of the future": ("Refusal.NoRecord;", "Refusal.None;", "== (known && fresh"),
    "any hardware": ("if (!suited)", "if (false && !suited)", "== (known && fresh"),
    "any place": ("return placed ?", "return placed || suited ?", "== (known && fresh"),
}
LIFE = {
    "active without payment": ("require(period == 0 || _held.prepaid,", "require(true,", "was.prepaid"),
    "active before the term": ("require(time >= start,", "require(true,", "time >= terms.start"),
    "revoked without notice": ("require(notice == 0 || served,", "require(true,", "was.noticeOver != 0"),
    "notice given again": (
        "_requireOpen(time);\n        require(_held.noticeOver == 0,",
        "_requireOpen(time);\n        require(true,",
        "was.noticeOver == 0 &&",
    ),
    "notice before the term": ("(time < start ? start : time) + notice", "time + notice", "_isSound(now_"),
    "paid under notice": (
        "NothingDue(_held.paidUntil));\n            require(_held.noticeOver == 0,",
        "NothingDue(_held.paidUntil));\n            require(true,",
        "|| was.noticeOver == 0",
    ),
    "ended too early": (
        "require(_stateAt(time) == ICompiledLicence.State.Expired, ICompiledLicence.NotOver(_held.end));",
        "",
        "time >= was.end",
    ),
    "used at its end": ("when >= _held.end", "when > _held.end", "when < now_.end"),
    "used unpaid": (
        "return when < _held.paidUntil ?",
        "return when <= _held.paidUntil ?",
        "when < now_.paidUntil",
    ),
    "used before it was resumed": (
        "if (when < _held.since)",
        "if (when + 1 < _held.since)",
        "now_.since <= when",
    ),
    "no move counted": ("_held.turn = _held.turn + 1;", "", "was.turn + 1"),
    "revived": (
        "_requireState(time, ICompiledLicence.State.Suspended);",
        "",
        "was.state < ICompiledLicence.State.Revoked",
    ),
}


def decided(kernel: str, old: str = "", new: str = "") -> tuple[Assertion, ...]:
    """What the proof says of a kernel with some of its text changed."""
    file = f"contracts/licence/{kernel}.sol"
    assert old in SOURCES[file]
    harness = f"contracts/licence/proofs/{kernel}Proof.sol"
    sources = needed(harness, SOURCES | {file: SOURCES[file].replace(old, new, 1)})
    return prove(sources, {harness: (f"{kernel}Proof",)}, compiler=find(), with_=solver())


def broken(kernel: str, old: str, new: str) -> list[str]:
    return [one.condition for one in decided(kernel, old, new) if one.verdict is Verdict.VIOLATED]


@pytest.mark.parametrize("name", METER)
def test_case_24_a_changed_meter_breaks_its_promise(name: str) -> None:
    old, new, killer = METER[name]
    assert any(killer in condition for condition in broken("Meter", old, new))


@pytest.mark.parametrize("name", SEATS)
def test_case_24_changed_seats_break_their_promise(name: str) -> None:
    old, new, killer = SEATS[name]
    assert any(killer in condition for condition in broken("Seats", old, new))


@pytest.mark.parametrize("name", LIFE)
def test_case_24_a_changed_life_breaks_its_promise(name: str) -> None:
    old, new, killer = LIFE[name]
    assert any(killer in condition for condition in broken("Lifecycle", old, new))


@pytest.mark.parametrize("kernel", ["Meter", "Seats", "Lifecycle"])
def test_the_kernels_as_they_are_keep_every_promise(kernel: str) -> None:
    assert {one.verdict for one in decided(kernel)} == {Verdict.PROVED}
