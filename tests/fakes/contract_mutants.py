# SPDX-License-Identifier: Apache-2.0
"""Generated contracts that are wrong in one way each, and which question shows it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from registry.licensing.building import UNIT, printed, units
from registry.licensing.model import Currency, Fee, Licence, Money, Packs, Span, Unit
from registry.licensing.reading import read
from tests.fakes.grounds import Ground
from tests.fakes.licences import SAMPLES

_LIFE, _SEATS, _METER = (f"contracts/licence/{name}.sol" for name in ("Lifecycle", "Seats", "Meter"))
ATTACKER = "attacker"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractMutant:
    """A text in one source file, what stands there instead, and the kind of question that shows it.

    `walk`: a party's move or `permits` where the net stands; `boundary`: `permits` around an instant; `bound`: answers around
    what was bought; `turn`, `amount`: a payment or counted move that is off by one; `standing`: what the licence says of
    itself; `place`, `hardware`, `gap`: records that the text does not accept; `attacker`: a contract that calls back.
    """

    name: str
    file: str
    old: str
    new: str
    killer: str
    removes: bool = False

    def of(self, sources: Mapping[str, str]) -> dict[str, str]:
        """The sources with the change."""
        text = sources[self.file]
        assert text.count(self.old) == 1, f"{self.name}: {text.count(self.old)} places to change"
        return {**sources, self.file: text.replace(self.old, self.new)}


def bases(ground: Ground) -> dict[bool, Licence]:
    """The licences that are mutated, by whether late nodes are removed: every optional move is in the first."""
    pump, reseller = (read(SAMPLES[name]).licence for name in ("pump", "reseller"))
    assert pump is not None
    assert reseller is not None
    ether = Money(amount=Decimal("2.5"), currency=Currency.ETH)
    largest = replace(
        pump,
        fee=Fee(price=ether, every=Span(count=12, unit=Unit.WEEKS)),
        notice=Span(count=10, unit=Unit.DAYS),
        packs=Packs(size=1_000, price=ether),
    )
    return {False: ground.fitted(largest), True: ground.fitted(reseller)}


def sources(licence: Licence) -> dict[str, str]:
    """The unharmed sources of a licence's contract."""
    return units(printed(licence)[1])


def _in_licence(name: str, old: str, new: str, killer: str) -> ContractMutant:
    return ContractMutant(name=name, file=UNIT, old=old, new=new, killer=killer)


def _in_life(name: str, old: str, new: str, killer: str) -> ContractMutant:
    return ContractMutant(name=name, file=_LIFE, old=old, new=new, killer=killer)


def _in_seats(name: str, old: str, new: str, killer: str, *, removes: bool = False) -> ContractMutant:
    return ContractMutant(name=name, file=_SEATS, old=old, new=new, killer=killer, removes=removes)


def _in_meter(name: str, old: str, new: str, killer: str) -> ContractMutant:
    return ContractMutant(name=name, file=_METER, old=old, new=new, killer=killer)


CONTRACT_MUTANTS = (
    _in_licence("anyone is the licensor", "require(_licensor() == msg.sender,", "require(true,", "walk"),
    _in_licence("anyone is the licensee", "require(_licensee() == msg.sender,", "require(true,", "walk"),
    _in_licence(
        "anyone is the release log", "require(address(_releases) == msg.sender,", "require(true,", "walk"
    ),
    _in_licence(
        "anyone draws", "draw() external locking onlyLicensor", "draw() external locking", "walk"
    ),
    _in_licence("no turn is counted", "require(turn == _held.turn,", "require(true,", "turn"),
    _in_licence(
        "revocation takes a turn",
        "function revoke() external locking onlyLicensor",
        "function revoke(uint32 turn) external locking onlyLicensor counted(turn)",
        "walk",
    ),
    _in_licence("no lock", "        _busy = true;\n", "", ATTACKER),
    _in_licence("any amount pays the fee", "require(msg.value == _PRICE,", "require(true,", "amount"),
    _in_licence("any amount buys a pack", "require(msg.value == price,", "require(true,", "amount"),
    _in_licence(
        "packs are sold in any state",
        "require(state == ICompiledLicence.State.Active, ICompiledLicence.WrongState(state));",
        "",
        "walk",
    ),
    _in_licence("a seat too many", "_SEATS = 2;", "_SEATS = 3;", "standing"),
    _in_life(
        "suspended from any state",
        "_requireState(time, ICompiledLicence.State.Active);\n        _held.state = ICompiledLicence.State.Suspended;",
        "_held.state = ICompiledLicence.State.Suspended;",
        "walk",
    ),
    _in_life(
        "resumed from any state",
        "_requireState(time, ICompiledLicence.State.Suspended);",
        "",
        "walk",
    ),
    _in_life(
        "activated again", "_requireState(time, ICompiledLicence.State.Granted);", "", "walk"
    ),
    _in_life("activated early", "require(time >= start, ICompiledLicence.NotStarted(start));", "", "walk"),
    _in_life(
        "activated a second late", "require(time >= start,", "require(time > start,", "walk"
    ),
    _in_life(
        "activated unpaid", "require(period == 0 || _held.prepaid, ICompiledLicence.FeeUnpaid());", "", "walk"
    ),
    _in_life(
        "paid twice before activation",
        "require(!_held.prepaid, ICompiledLicence.NothingDue(_held.paidUntil));",
        "",
        "walk",
    ),
    _in_life(
        "two periods ahead", "<= uint256(time) + period", "<= uint256(time) + 2 * uint256(period)", "walk"
    ),
    _in_life("a second paid too much", "when < _held.paidUntil ?", "when <= _held.paidUntil ?", "boundary"),
    _in_life("a second after the end", "|| when >= _held.end)", "|| when > _held.end)", "boundary"),
    _in_life(
        "the end a second late", "_held.end != 0 && time >= _held.end", "_held.end != 0 && time > _held.end", "walk"
    ),
    _in_life("permitted before activation", "when < _held.since)", "false)", "boundary"),
    _in_life(
        "permitted while suspended",
        "if (state == ICompiledLicence.State.Suspended) return ICompiledLicence.Refusal.Suspended;",
        "",
        "walk",
    ),
    _in_life(
        "expired before the end",
        "require(_stateAt(time) == ICompiledLicence.State.Expired, ICompiledLicence.NotOver(_held.end));",
        "",
        "walk",
    ),
    _in_life("revoked without notice", "require(notice == 0 || served,", "require(true,", "walk"),
    _in_life(
        "notice a second late",
        "_held.noticeOver != 0 && time >= _held.noticeOver",
        "_held.noticeOver != 0 && time > _held.noticeOver",
        "walk",
    ),
    _in_life(
        "notice given twice",
        "_requireOpen(time);\n        require(_held.noticeOver == 0,",
        "_requireOpen(time);\n        require(true,",
        "walk",
    ),
    _in_life(
        "notice before the term", "(time < start ? start : time) + notice", "time + notice", "standing"
    ),
    _in_life(
        "paid under notice",
        "NothingDue(_held.paidUntil));\n            require(_held.noticeOver == 0,",
        "NothingDue(_held.paidUntil));\n            require(true,",
        "walk",
    ),
    _in_life(
        "revoked after the end", "require(_isOpen(state), ICompiledLicence.WrongState(state));", "", "walk"
    ),
    _in_seats("a record a second too old", "when - asOf >= every", "when - asOf > every", "boundary"),
    _in_seats(
        "a record of any age", "if (when - asOf >= every) return ICompiledLicence.Refusal.Stale;", "", "boundary"
    ),
    _in_seats(
        "a record from the future",
        "if (asOf > when) return ICompiledLicence.Refusal.NoRecord;\n        if (when - asOf >= every)",
        "if (when > asOf && when - asOf >= every)",
        "boundary",
    ),
    _in_seats(
        "any place",
        "return placed ? ICompiledLicence.Refusal.None : ICompiledLicence.Refusal.Place;",
        "return ICompiledLicence.Refusal.None;",
        "place",
    ),
    _in_seats("any hardware", "if (!suited) return ICompiledLicence.Refusal.Hardware;", "", "hardware"),
    _in_seats(
        "a late node comes back",
        "uint256(gap) * 1 minutes >= every",
        "uint256(gap) * 1 minutes > every",
        "gap",
        removes=True,
    ),
    _in_seats(
        "a node removed a minute early",
        "uint256(gap) * 1 minutes >= every",
        "(uint256(gap) + 1) * 1 minutes >= every",
        "gap",
        removes=True,
    ),
    _in_meter(
        "one answer overspent",
        "require(amount <= _left, ICompiledLicence.CreditExhausted(_left, amount));\n        _left -= amount;",
        "require(amount <= _left + 1, ICompiledLicence.CreditExhausted(_left, amount));\n        _left -= amount > _left ? _left : amount;",
        "bound",
    ),
    _in_meter("the last answer is kept back", "require(amount <= _left,", "require(amount < _left || amount == 0,", "bound"),
    _in_meter(
        "more given back than spent",
        "require(amount <= _spent, ICompiledLicence.CreditBeyondSpent(_spent, amount));\n        _spent -= amount;",
        "_spent -= amount > _spent ? _spent : amount;",
        "bound",
    ),
    _in_meter("an answer more in a pack", "_left += answers;", "_left += answers + 1;", "bound"),
)  # fmt: skip
