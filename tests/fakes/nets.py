# SPDX-License-Identifier: Apache-2.0
"""Licences of every kind that makes a net of its own, and nets that are broken in one way each."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from itertools import product

from contracts.ids import Address, ModelId
from registry.licensing.model import (
    Attestation,
    Currency,
    Fee,
    Licence,
    Licensed,
    Money,
    OnFailure,
    Packs,
    Party,
    Span,
    Term,
    Unit,
)
from registry.licensing.net import Move, Net, Role

ETHER = Money(amount=Decimal("2.5"), currency=Currency.ETH)
EUROS = Money(amount=Decimal(48_000), currency=Currency.EUR)
YEAR = Span(count=52, unit=Unit.WEEKS)
FREE = Licence(
    title="Pump Guard Edge",
    version=1,
    model=Licensed(name="pump-guard-3", model_id=ModelId(bytes([9]) * 32)),
    licensor=Party(name="Hydro Analytics GmbH", address=Address(bytes([1]) * 20)),
    licensee=Party(name="Nordwerk AG", address=Address(bytes([2]) * 20)),
    term=Term(start=date(2027, 1, 1), lasts=Span(count=365, unit=Unit.DAYS)),
    seats=2,
    attestation=Attestation(every=Span(count=24, unit=Unit.HOURS)),
    on_failure=OnFailure.SUSPEND,
    fee=None,
    notice=None,
)
ONCE = replace(FREE, fee=Fee(price=ETHER))
PERIODIC = replace(FREE, fee=Fee(price=EUROS, every=YEAR))
NOTICE = replace(FREE, notice=Span(count=30, unit=Unit.DAYS))
NOTICED = replace(ONCE, notice=NOTICE.notice)
PACKS = replace(FREE, packs=Packs(size=1_000, price=ETHER))
REMOVING = replace(FREE, on_failure=OnFailure.REMOVE)
LARGEST = replace(
    FREE, fee=Fee(price=ETHER, every=YEAR), notice=NOTICE.notice, packs=Packs(size=1_000, price=EUROS)
)


def kinds() -> tuple[Licence, ...]:
    """A licence for every combination of facts that the net depends on."""
    fees = (None, *(Fee(price=price, every=every) for price in (ETHER, EUROS) for every in (None, YEAR)))
    terms = (FREE.term, replace(FREE.term, start=None))
    packs = (None, Packs(size=10, price=ETHER), Packs(size=10, price=EUROS))
    return tuple(
        replace(FREE, fee=fee, notice=notice, term=term, packs=pack, on_failure=failing)
        for fee, notice, term, pack, failing in product(fees, (None, NOTICE.notice), terms, packs, OnFailure)
    )


def rows(net: Net, name: str) -> tuple[Move, ...]:
    """The rows of a name."""
    return tuple(move for move in net.moves if move.name == name)


def mapped(change: Callable[[Move], Move | None], *names: str) -> Callable[[Net], Net]:
    """A change to every row of some names; None leaves the row out, equal rows become one."""

    def mutant(net: Net) -> Net:
        moves = (change(move) if move.name in names else move for move in net.moves)
        return replace(net, moves=tuple(dict.fromkeys(move for move in moves if move is not None)))

    return mutant


def unread(*places: str) -> Callable[[Move], Move]:
    """Forget to look at places; "Live" is any node's."""
    return lambda move: replace(move, read=tuple(place for place in move.read if not _named(place, places)))


def untaken(*places: str) -> Callable[[Move], Move]:
    """Forget to take tokens."""
    return lambda move: replace(move, take=tuple(place for place in move.take if not _named(place, places)))


def ungiven(*places: str) -> Callable[[Move], Move]:
    """Forget to give tokens."""
    return lambda move: replace(move, give=tuple(place for place in move.give if not _named(place, places)))


def dropped(*places: str) -> Callable[[Move], Move | None]:
    """Leave out rows that need one of the places, or every row where none is named."""
    return lambda move: None if not places or any(_named(place, places) for place in move.needs) else move


def by(role: Role) -> Callable[[Move], Move]:
    """Let somebody else make the move."""
    return lambda move: replace(move, role=role)


def added(name: str, role: Role, arc: str, read: str = "") -> Callable[[Net], Net]:
    """One row more, as in "L.Active -> L.Revoked"."""
    take, give = (tuple(side.split()) for side in arc.split("->"))
    move = Move(name=name, role=role, take=take, give=give, read=tuple(read.split()))
    return lambda net: replace(net, moves=(*net.moves, move))


def also(name: str, instead: str, place: str) -> Callable[[Net], Net]:
    """Every row of a name once more, looking at another place of each node or of the licence."""

    def swap(seen: str) -> str:
        return seen[: len(seen) - len(instead)] + place if _named(seen, (instead,)) else seen

    def mutant(net: Net) -> Net:
        more = (replace(move, read=tuple(map(swap, move.read))) for move in rows(net, name))
        return replace(net, moves=tuple(dict.fromkeys((*net.moves, *more))))

    return mutant


def _named(place: str, names: tuple[str, ...]) -> bool:
    return place in names or (place.startswith("n") and place.split(".")[-1] in names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A broken net: what was done to the net of which licence, and the one property that must notice."""

    breaks: str
    what: str
    licence: Licence
    changes: tuple[Callable[[Net], Net], ...]

    def of(self, net: Net) -> Net:
        """The net, broken."""
        for change in self.changes:
            net = change(net)
        return net


def _mutant(breaks: str, what: str, licence: Licence, *changes: Callable[[Net], Net]) -> Mutant:
    return Mutant(breaks=breaks, what=what, licence=licence, changes=changes)


_FEE = ("F.paid", "F.ahead")
_LICENSOR, _LICENSEE, _LOG = Role.LICENSOR, Role.LICENSEE, Role.LOG
MUTANTS = (
    _mutant("P1", "the registry says when notice is over", NOTICED, mapped(by(_LOG), "clock_notice")),
    # A licence that cannot end cannot be revoked either. P3 asks for revocation where there is an end, so that P2 stands alone.
    _mutant(
        "P2",
        "notice never runs out, and no term ends",
        NOTICE,
        mapped(dropped(), "clock_notice", "expire"),
        mapped(dropped("W.over"), "revoke"),
    ),
    _mutant("P3", "no revocation while suspended", FREE, mapped(dropped("L.Suspended"), "revoke")),
    _mutant("P3", "the licensee revokes", FREE, mapped(by(_LICENSEE), "revoke")),
    _mutant(
        "P3",
        "notice never runs out",
        NOTICE,
        mapped(dropped(), "clock_notice"),
        mapped(dropped("W.over"), "revoke"),
    ),
    _mutant("P3", "revocation without notice", NOTICE, mapped(unread("W.over"), "revoke")),
    _mutant("P3", "notice before the term", NOTICE, mapped(unread("T.term"), "clock_notice")),
    _mutant("P3", "paid under notice", NOTICED, mapped(unread("W.none"), "pay")),
    _mutant("P4", "activation without acceptance", FREE, mapped(unread("R.Accepted"), "activate")),
    _mutant("P4", "use in an unpaid period", PERIODIC, mapped(unread(*_FEE), "use", "seat")),
    _mutant("P4", "activation before payment", ONCE, mapped(unread(*_FEE), "activate", "use", "seat")),
    _mutant("P5", "resumed after revocation", FREE, added("resume", _LICENSOR, "L.Revoked -> L.Active")),
    _mutant("P5", "revoked after the end", FREE, added("revoke", _LICENSOR, "L.Expired -> L.Revoked")),
    _mutant(
        "P5",
        "the end is not noticed",
        FREE,
        mapped(dropped("L.Active"), "expire"),
        added("expire", Role.TIME, "T.term -> T.after", "L.Active"),
        mapped(unread("T.term"), "use"),
    ),
    _mutant("P5", "use while suspended", FREE, also("use", "L.Active", "L.Suspended")),
    _mutant("P5", "use before the term", FREE, mapped(unread("T.term"), "activate", "use")),
    _mutant("P5", "a fee after the end", ONCE, mapped(unread("L.Granted"), "pay")),
    _mutant("P5", "packs after the end", PACKS, mapped(unread("L.Active"), "buy")),
    _mutant("P6", "use without a seat", FREE, mapped(unread("Seated"), "use")),
    _mutant("P6", "a seat without a record", FREE, mapped(unread("Live"), "seat")),
    _mutant(
        "P6",
        "sitting takes no seat",
        FREE,
        mapped(untaken("free"), "seat"),
        mapped(ungiven("free"), "unseat"),
    ),
    _mutant(
        "P6",
        "a seat is given back twice",
        FREE,
        mapped(lambda m: replace(m, give=(*m.give, "free")), "unseat"),
    ),
    _mutant("P7", "use without looking at the record", ONCE, mapped(unread("Live"), "use")),
    _mutant("P7", "use with an old record", PERIODIC, also("use", "Live", "Stale")),
    _mutant("P7", "use by a removed node", REMOVING, also("use", "Live", "Gone")),
    _mutant("P8", "use takes no answer", PACKS, mapped(untaken("credit"), "use")),
    _mutant(
        "P8",
        "answers come back twice",
        PACKS,
        mapped(lambda m: replace(m, give=("credit", "credit")), "back"),
    ),
    _mutant("P8", "a pack bought is still to be bought", PACKS, mapped(untaken("room"), "buy")),
    _mutant("P8", "given answers come back", PACKS, mapped(lambda m: replace(m, give=("credit",)), "settle")),
    # A use that can never happen is a row that can never happen, which breaks P11 too: only a net without any such row, and
    # without the seats that are taken for it, breaks P9 alone.
    _mutant("P9", "there is no use", NOTICE, mapped(dropped(), "use", "seat", "unseat")),
    _mutant("P10", "suspended for ever", FREE, mapped(dropped(), "resume")),
    _mutant("P10", "a late node stays late", FREE, mapped(dropped("Stale"), "attest")),
    _mutant(
        "P11", "a fee due once is paid again", ONCE, added("pay", _LICENSEE, "F.due -> F.paid", "L.Active")
    ),
    _mutant(
        "P11",
        "activated after the end",
        FREE,
        added("activate", _LICENSEE, "L.Granted -> L.Active", "T.after"),
    ),
    _mutant("P12", "both parties suspend", FREE, added("suspend", _LICENSEE, "L.Active -> L.Suspended")),
    _mutant("P12", "suspending may revoke", FREE, added("suspend", _LICENSOR, "L.Active -> L.Revoked")),
    _mutant("P12", "notice given and not given", NOTICE, mapped(untaken("W.none"), "notify")),
)
