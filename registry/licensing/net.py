# SPDX-License-Identifier: Apache-2.0
"""The licence as a net: a move is a row, and everything that is proved, printed or drawn is read from the rows.

The rows over control places are the licence's state machine; the same rows with the counting places are its Petri net.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import product

from registry.licensing.model import Licence, OnFailure

Marking = tuple[int, ...]
"""How many tokens lie in each place, in the order of `Net.places`."""


class Role(StrEnum):
    """Who makes a move: a party, the attestation and release logs, or time itself."""

    LICENSOR = "licensor"
    LICENSEE = "licensee"
    LOG = "log"
    TIME = "time"

    @property
    def party(self) -> bool:
        """Whether it signed the licence."""
        return self in (Role.LICENSOR, Role.LICENSEE)


# One line is one move. "a/b" is one row for each; a place that the licence does not have falls away from its rows; "n" is
# each node in turn. A payer or buyer is the licensee who sends ether, or the licensor who confirms other money.
MOVES = """
move         by        takes -> gives                            : while                                  : if
grant        licensor  R.Draft -> R.Offered
accept       licensee  R.Offered -> R.Accepted
pay          payer     F.due -> F.paid                           : R.Accepted L.Granted W.none            : fee
pay          payer     F.due -> F.paid                           : R.Accepted L.Active/L.Suspended        : periodic
pay          payer     F.paid -> F.ahead                         : R.Accepted L.Active/L.Suspended        : periodic
activate     licensee  L.Granted -> L.Active                     : R.Accepted T.term F.paid
suspend      licensor  L.Active -> L.Suspended
resume       licensor  L.Suspended -> L.Active
notify       licensor  W.none -> W.given                         : L.Granted/L.Active/L.Suspended         : notice
revoke       licensor  L.Granted/L.Active/L.Suspended -> L.Revoked : W.over
expire       time      L.Granted T.term -> L.Expired T.after     :                                        : fixed
expire       time      L.Active/L.Suspended T.term -> L.Expired T.after
clock_start  time      T.before -> T.term                        :                                        : fixed
clock_due    time      F.ahead -> F.paid                         : L.Active/L.Suspended                   : periodic
clock_due    time      F.paid -> F.due                           : L.Active/L.Suspended                   : periodic
clock_notice time      W.given -> W.over                         : T.term                                 : notice
buy          buyer     room -> credit                            : R.Accepted L.Active                    : packs
attest       log       n.Absent/n.Stale -> n.Live
lapse        time      n.Live -> n.Stale                         :                                        : suspends
lapse        time      n.Live -> n.Gone                          :                                        : removes
withdraw     log       n.Absent/n.Live/n.Stale -> n.Gone
replace      log       n.Gone -> n.Absent                        : n.Out
seat         log       n.Out free -> n.Seated                    : L.Active T.term F.paid/F.ahead n.Live
unseat       time      n.Seated -> n.Out free
use          log       credit -> owed                            : L.Active T.term F.paid/F.ahead n.Live n.Seated
back         log       owed -> credit                            :                                        : packs
settle       log       owed -> room                              :                                        : packs
"""

_FAMILIES: Mapping[str, str] = {
    "R": "R.Draft R.Offered R.Accepted",
    "L": "L.Granted L.Active L.Suspended L.Revoked L.Expired",
    "T": "T.before T.term T.after",
    "F": "F.due F.paid F.ahead",
    "W": "W.none W.given W.over",
    "n": "n.Absent n.Live n.Stale n.Gone",
    "s": "n.Out n.Seated",
}
_COUNTING = ("free", "credit", "owed", "room")
_KNOWN = frozenset(" ".join(_FAMILIES.values()).split()) | frozenset(_COUNTING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One row: it may happen while every place in `take` and `read` is marked; it moves tokens from `take` to `give`.

    `node` counts from 1; None for moves of no one node. Several rows may share a name.
    """

    name: str
    role: Role
    take: tuple[str, ...]
    give: tuple[str, ...]
    read: tuple[str, ...] = ()
    node: int | None = None

    @property
    def needs(self) -> tuple[str, ...]:
        """Places that must be marked."""
        return self.take + self.read

    @property
    def label(self) -> str:
        """Name with its node, as in "seat(1)"."""
        return self.name if self.node is None else f"{self.name}({self.node})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Net:
    """Places, the families of which exactly one place is marked, counting places, the first marking, the rows."""

    families: Mapping[str, tuple[str, ...]]
    counting: Mapping[str, int]
    marked: frozenset[str]
    moves: tuple[Move, ...]
    nodes: int

    @property
    def places(self) -> tuple[str, ...]:
        """Every place: control places by family, then the counting ones."""
        return (*(place for family in self.families.values() for place in family), *self.counting)

    @property
    def initial(self) -> Marking:
        """The marking a licence starts from: nothing granted, no node known, no answer bought."""
        return tuple(self.counting.get(place, int(place in self.marked)) for place in self.places)

    def tokens(self, marking: Marking, place: str) -> int:
        """Tokens in a place; 0 for a place that this licence does not have."""
        return marking[self.places.index(place)] if place in self.places else 0

    def state(self, marking: Marking, family: str) -> str:
        """Which place of a family is marked, as "Active" of family "L"; "" where the family is not in this net."""
        marked = (place for place in self.families.get(family, ()) if self.tokens(marking, place))
        return next(marked, ".").split(".")[1]

    def enabled(self, marking: Marking) -> tuple[Move, ...]:
        """Rows that may happen in a marking."""
        held = dict(zip(self.places, marking, strict=True))
        return tuple(move for move in self.moves if _covered(move.needs, held))

    def fire(self, marking: Marking, move: Move) -> Marking:
        """The marking after a move; raises `ValueError` when the move may not happen."""
        held = dict(zip(self.places, marking, strict=True))
        if not _covered(move.needs, held):
            raise ValueError(f"{move.label} is not enabled")
        for place in move.take:
            held[place] -= 1
        for place in move.give:
            held[place] += 1
        return tuple(held.values())

    def permits(self, marking: Marking, node: int) -> bool:
        """What the contract's `permits` answers for a node: whether it may be used, credit and seat aside."""
        held = dict(zip(self.places, marking, strict=True))
        return any(_covered(needs, held) for needs in self.permitting(node))

    def permitting(self, node: int) -> tuple[tuple[str, ...], ...]:
        """The sets of places that permit a node's use: any one of them, wholly marked."""
        aside = {*self.counting, f"n{node}.Seated"}
        uses = (move for move in self.moves if move.name == "use" and move.node == node)
        return tuple(tuple(place for place in move.needs if place not in aside) for move in uses)


def net_of(licence: Licence, *, nodes: int = 2, seats: int = 1, packs: int = 2) -> Net:
    """The net of a licence, for so many nodes, seats and packs; the place invariants carry its proof to any number."""
    says = _said(licence)
    counting = {"free": seats} | ({"credit": 0, "owed": 0, "room": packs} if "packs" in says else {})
    families = _families(says, nodes)
    places = frozenset(place for family in families.values() for place in family) | counting.keys()
    marked = {family[0] for family in families.values()}
    moves = tuple(move for row in _rows(licence, says) for move in _moves(row, places, nodes))
    return Net(families=families, counting=counting, marked=frozenset(marked), moves=moves, nodes=nodes)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    name: str
    role: Role
    take: tuple[str, ...]
    give: tuple[str, ...]
    read: tuple[str, ...]


def _said(licence: Licence) -> frozenset[str]:
    facts = {
        "": True,
        "fee": licence.fee is not None,
        "periodic": licence.fee is not None and licence.fee.every is not None,
        "notice": licence.notice is not None,
        "fixed": licence.term.start is not None,
        "packs": licence.packs is not None,
        "suspends": licence.on_failure is OnFailure.SUSPEND,
        "removes": licence.on_failure is OnFailure.REMOVE,
    }
    return frozenset(fact for fact, said in facts.items() if said)


def _families(says: frozenset[str], nodes: int) -> dict[str, tuple[str, ...]]:
    families = {name: tuple(places.split()) for name, places in _FAMILIES.items() if name not in "ns"}
    absent = {"F": "fee", "W": "notice"}
    families = {name: places for name, places in families.items() if absent.get(name, "") in says}
    without = {"F.ahead": "periodic", "T.before": "fixed", "n.Stale": "suspends"}
    kept = {name: _kept(places, without, says) for name, places in families.items()}
    for i in range(1, nodes + 1):
        for name in "ns":
            node = _kept(tuple(_FAMILIES[name].split()), without, says)
            kept[f"{name}{i}"] = tuple(_numbered(place, i) for place in node)
    return kept


def _kept(places: tuple[str, ...], without: Mapping[str, str], says: frozenset[str]) -> tuple[str, ...]:
    return tuple(place for place in places if without.get(place, "") in says)


def _rows(licence: Licence, says: frozenset[str]) -> Iterator[_Row]:
    by_licensor = {
        "payer": licence.fee is not None and not licence.fee.price.in_ether,
        "buyer": licence.packs is not None and not licence.packs.price.in_ether,
    }
    for line in MOVES.strip().splitlines()[1:]:
        head, reads, condition = (*(part.strip() for part in line.split(" :")), "", "")[:3]
        if condition not in says:
            continue
        name, by, arcs = head.split(maxsplit=2)
        take, give = (tuple(side.split()) for side in arcs.split("->"))
        read = tuple(reads.split())
        if by_licensor.get(by):  # confirming a payment needs nobody's acceptance
            read = tuple(place for place in read if place != "R.Accepted")
        role = Role(by) if by not in by_licensor else Role.LICENSOR if by_licensor[by] else Role.LICENSEE
        yield _Row(name=name, role=role, take=take, give=give, read=read)


def _moves(row: _Row, places: frozenset[str], nodes: int) -> Iterator[Move]:
    words = (*row.take, *row.give, *row.read)
    if unknown := {place for word in words for place in word.split("/")} - _KNOWN:
        raise ValueError(f"{row.name}: no such places: {sorted(unknown)}")
    of_node = any(word.startswith("n.") for word in words)
    for node in range(1, nodes + 1) if of_node else (None,):
        take, give, read = (_choices(side, places, node) for side in (row.take, row.give, row.read))
        for taken, given, seen in product(take, give, read):
            yield Move(name=row.name, role=row.role, take=taken, give=given, read=seen, node=node)


def _choices(words: tuple[str, ...], places: frozenset[str], node: int | None) -> list[tuple[str, ...]]:
    numbered = ([_numbered(place, node) for place in word.split("/")] for word in words)
    kept = ([place for place in word if place in places] for word in numbered)
    return list(product(*(word for word in kept if word)))


def _numbered(place: str, node: int | None) -> str:
    return f"n{node}.{place[2:]}" if place.startswith("n.") else place


def _covered(needs: tuple[str, ...], held: Mapping[str, int]) -> bool:
    return all(held[place] >= needs.count(place) for place in needs)
