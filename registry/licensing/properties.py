# SPDX-License-Identifier: Apache-2.0
"""The twelve promises that the net of a licence keeps, each checked on every state that it can reach.

A property answers with what is wrong, or None. Its docstring says in plain words what it promises; people read it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

from registry.licensing.graph import Graph, unnumbered
from registry.licensing.invariants import Sum, breakers, prepaid, seats, standing
from registry.licensing.net import Move, Role
from registry.licensing.stories import circumstances, step

_OPEN = ("L.Granted", "L.Active", "L.Suspended")
_ENDED = ("L.Revoked", "L.Expired")
_FLOWS = {
    "buy": ("room", "credit"),
    "use": ("credit", "owed"),
    "back": ("owed", "credit"),
    "settle": ("owed", "room"),
}
_PREPAID = {"credit", "owed", "room"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Why a property fails: in which state of the graph (None: everywhere), after which row more, and what is true then."""

    ending: str
    state: int | None = None
    row: int | None = None


def p1(graph: Graph) -> Fault | None:
    """Nobody gets stuck: as long as the licence is open, the licensor or the licensee can do something, or will when the clock lets them."""
    parties = graph.rows(lambda move: move.role.party)
    clock = graph.rows(lambda move: move.role is Role.TIME)
    moving = {s for s in _where(graph, *_OPEN) if graph.enabled[s] & parties}
    stuck = set(_where(graph, *_OPEN)) - moving
    while waiting := {s for s in stuck if any(clock >> i & 1 and to in moving for i, to in graph.steps(s))}:
        stuck, moving = stuck - waiting, moving | waiting
    told = "neither party can do anything, however long they wait, and the licence is still open"
    return _first(sorted(stuck), told)


def p2(graph: Graph) -> Fault | None:
    """It can always end: from wherever the licence gets, it can still be revoked or expire."""
    ending = graph.leading_to(_where(graph, *_ENDED))
    endless = (s for s in range(len(graph.states)) if s not in ending)
    return _first(endless, "the licence can never end")


def p3(graph: Graph) -> Fault | None:
    """The licensor can always revoke, as agreed: at once, or after notice that runs in the term; nobody begins to pay under it."""
    ways = graph.rows(lambda move: move.name in ("revoke", "notify") and move.role is Role.LICENSOR)
    waiting = set(_where(graph, "W.given"))
    opened = list(_where(graph, *_OPEN))
    held = (s for s in opened if not graph.enabled[s] & ways and s not in waiting)
    if fault := _first(held, "the licensor can neither revoke the licence nor give notice"):
        return fault
    revocable = graph.leading_to(_where(graph, "L.Revoked"))
    ending = graph.leading_to(_where(graph, *_ENDED))  # that it ends at all is another promise
    held = (s for s in opened if s in ending and s not in revocable)
    if fault := _first(held, "the licensor can never again revoke the licence, however long they wait"):
        return fault
    early = "the licensor can revoke the licence without the notice that was agreed"
    late = "the licence can be paid for although notice was given"
    return _first(_unannounced(graph), early) or _first(_paying_late(graph), late)


def p4(graph: Graph) -> Fault | None:
    """Acceptance and payment come before use: no node may use the model before both, or in a time that is not paid."""
    accepted, theirs = graph.packing.mask("R.Accepted"), ("pay", "activate", "buy")
    asked = graph.rows(lambda move: move.name in theirs and move.role is Role.LICENSEE)
    unasked = (s for s, state in enumerate(graph.states) if not state & accepted and graph.enabled[s] & asked)
    if fault := _first(unasked, "the licensee is bound to a licence that it has not accepted"):
        return fault
    if "F" not in graph.net.families:
        return None
    paid = graph.packing.mask("F.paid", "F.ahead")
    unpaid = (s for s in _permitting(graph) if not graph.states[s] & paid)
    return _first(unpaid, "the model can be used although the fee is not paid")


def p5(graph: Graph) -> Fault | None:
    """The end is the end: use only in the term of an active licence; a revoked or expired one stays so and costs nothing."""
    wrong = {
        "the model can still be used after the end": ("T.after", *_ENDED),
        "the model can be used before the term begins": ("T.before",),
        "the model can be used while the licence is suspended": ("L.Suspended",),
        "the model can be used before the licence is activated": ("L.Granted",),
    }
    for ending, places in wrong.items():
        mask = graph.packing.mask(*places)
        if fault := _first((s for s in _permitting(graph) if graph.states[s] & mask), ending):
            return fault
    paying = graph.rows(lambda move: move.name in ("pay", "buy"))
    if fault := _first(
        (s for s in _where(graph, *_ENDED) if graph.enabled[s] & paying), "more can be paid for nothing"
    ):
        return fault
    life = graph.packing.mask(*_OPEN, *_ENDED)
    for here in _where(graph, *_ENDED):
        for row, there in graph.steps(here):
            if graph.states[there] & life != graph.states[here] & life:
                return Fault(
                    ending="a licence that had ended is no longer in that state", state=here, row=row
                )
    return None


def p6(graph: Graph) -> Fault | None:
    """Seats are never exceeded: free and taken ones add up to what is allowed; only permitted nodes sit down, none uses it standing."""
    if fault := _kept(
        graph, seats(graph.net), "the seats no longer add up, and more or fewer nodes may sit than allowed"
    ):
        return fault
    standing_up, unasked = [], []
    for node, permitting in enumerate(graph.permitting, 1):
        using, sitting = _rows_of(graph, "use", node), _rows_of(graph, "seat", node)
        seated, permitted = graph.packing.mask(f"n{node}.Seated"), frozenset(permitting)
        standing_up += [
            s for s, rows in enumerate(graph.enabled) if rows & using and not graph.states[s] & seated
        ]
        unasked += [s for s, rows in enumerate(graph.enabled) if rows & sitting and s not in permitted]
    fault = _first(sorted(standing_up), "a node can use the model without a seat")
    return fault or _first(sorted(unasked), "a node can take a seat although it may not use the model")


def p7(graph: Graph) -> Fault | None:
    """Use needs a fresh attestation: a node that has not passed in time, or was withdrawn, may not use the model."""
    live = [graph.packing.mask(f"n{node}.Live") for node in range(1, graph.net.nodes + 1)]
    stale = (
        s
        for mask, states in zip(live, graph.permitting, strict=True)
        for s in states
        if not graph.states[s] & mask
    )
    return _first(sorted(stale), "a node may use the model without a fresh attestation")


def p8(graph: Graph) -> Fault | None:
    """Packs are counted exactly: answers come from buying alone, each use takes one, none appears or vanishes."""
    if fault := _kept(graph, prepaid(graph.net), "there are more or fewer answers than were bought"):
        return fault
    for i, move in enumerate(graph.net.moves):
        source, target = _FLOWS.get(move.name, ("", ""))
        for place in _PREPAID & graph.net.counting.keys():
            if move.give.count(place) - move.take.count(place) != (place == target) - (place == source):
                return _at(graph, i, "answers were counted otherwise than they were bought and used")
    return None


def p9(graph: Graph) -> Fault | None:
    """The licence can be used: its conditions do not contradict each other, some node can answer with the model."""
    if graph.fired & _uses(graph):
        return None
    return Fault(ending="whatever the parties do, no node can ever use the model")


def p10(graph: Graph) -> Fault | None:
    """A suspension can be undone: while the term runs the model can come into use again, and a late node can pass again."""
    late = sorted(s for node in range(1, graph.net.nodes + 1) for s in _never_again(graph, node))
    if fault := _first(late, "a node that was late can never pass attestation again"):
        return fault
    uses, term = _uses(graph), graph.packing.mask("T.term")
    if not graph.fired & uses:  # that it can be used at all is another promise
        return None
    again = graph.leading_to(s for s, rows in enumerate(graph.enabled) if rows & uses)
    lost = (s for s in _where(graph, "L.Suspended") if graph.states[s] & term and s not in again)
    return _first(lost, "the model can never be used again, although the term still runs")


def p11(graph: Graph) -> Fault | None:
    """Every rule matters: each move of the licence can happen some time."""
    for i, move in enumerate(graph.net.moves):
        if not graph.fired >> i & 1:
            return Fault(ending=f"it can never be that {step(move)} while {circumstances(move)}")
    return None


def p12(graph: Graph) -> Fault | None:
    """No doubt who and what: a move is one role's, has one result, and leaves the licence in exactly one state."""
    roles: dict[str, Move] = {}
    for i, move in enumerate(graph.net.moves):
        if roles.setdefault(move.name, move).role is not move.role:
            first = step(roles[move.name])
            return _at(graph, i, f"it is in doubt who may do this, as also {first}")
    if fault := _kept(graph, standing(graph.net), "the licence stands in two states at once, or in none"):
        return fault
    for i, j in _rivals(graph):
        both = 1 << i | 1 << j
        torn = (s for s, rows in enumerate(graph.enabled) if rows & both == both)
        if fault := _first(torn, f"it is in doubt what happens when {step(graph.net.moves[i])}"):
            return fault
    return None


Property = Callable[[Graph], Fault | None]
PROPERTIES: Mapping[str, Property] = {
    check.__name__.upper(): check for check in (p1, p2, p3, p4, p5, p6, p7, p8, p9, p10, p11, p12)
}


def promise(name: str) -> str:
    """What a property promises, in plain words; `name` as in "P4"."""
    return (PROPERTIES[name].__doc__ or "").strip()


def _where(graph: Graph, *places: str) -> Iterator[int]:
    mask = graph.packing.mask(*places)
    return (s for s, state in enumerate(graph.states) if state & mask)


def _permitting(graph: Graph) -> list[int]:
    return sorted({state for states in graph.permitting for state in states})


def _unannounced(graph: Graph) -> Iterator[int]:
    """States of a licence with notice in which it can be revoked before that is over, or in which it ran before the term."""
    if "W" not in graph.net.families:
        return
    revoking = graph.rows(lambda move: move.name == "revoke")
    over, before = graph.packing.mask("W.over"), graph.packing.mask("T.before")
    for s, state in enumerate(graph.states):
        if (graph.enabled[s] & revoking and not state & over) or (state & over and state & before):
            yield s


def _paying_late(graph: Graph) -> Iterator[int]:
    """States of a licence that was not begun in which it can be paid under notice."""
    granted, paying = graph.packing.mask("L.Granted"), graph.rows(lambda move: move.name == "pay")
    noticed = _where(graph, "W.given", "W.over")
    return (s for s in noticed if graph.states[s] & granted and graph.enabled[s] & paying)


def _never_again(graph: Graph, node: int) -> Iterator[int]:
    """States in which a late node cannot pass attestation."""
    live = f"n{node}.Live"
    passing = graph.rows(lambda move: move.name == "attest" and live in move.give)
    return (s for s in _where(graph, f"n{node}.Stale") if not graph.enabled[s] & passing)


def _rows_of(graph: Graph, name: str, node: int) -> int:
    return graph.rows(lambda move: move.name == name and move.node == node)


def _uses(graph: Graph) -> int:
    return graph.rows(lambda move: move.name == "use")


def _first(states: Iterable[int], ending: str) -> Fault | None:
    """The fault nearest to the first marking: states are numbered by their distance."""
    state = next(iter(states), None)
    return None if state is None else Fault(ending=ending, state=state)


def _at(graph: Graph, row: int, ending: str) -> Fault:
    """The fault of a row, where that row first happens."""
    like = unnumbered(graph.net.moves[row])
    rows = graph.rows(lambda move: unnumbered(move) == like)
    for state, enabled in enumerate(graph.enabled):
        if happening := enabled & rows:
            return Fault(ending=ending, state=state, row=happening.bit_length() - 1)
    return Fault(ending=ending)


def _kept(graph: Graph, sums: Iterable[Sum], ending: str) -> Fault | None:
    """Whether sums are kept, in every state found and by every row: the first for this net, the second for any number."""
    for kept in sums:
        tokens, total = graph.packing.total(kept.places), kept.total
        mask = graph.packing.mask(*kept.places)
        wrong = {part for part in {state & mask for state in graph.states} if tokens(part) != total}
        if wrong:
            return _first((s for s, state in enumerate(graph.states) if state & mask in wrong), ending)
        if rows := breakers(graph.net, kept):
            return _at(graph, rows[0], ending)
    return None


def _rivals(graph: Graph) -> Iterator[tuple[int, int]]:
    """Rows of one name and node with different results that no family keeps apart."""
    families = {place: name for name, places in graph.net.families.items() for place in places}
    for (i, one), (j, other) in combinations(enumerate(graph.net.moves), 2):
        if (one.name, one.node) != (other.name, other.node) or (one.take, one.give) == (
            other.take,
            other.give,
        ):
            continue
        stands = {families[place]: place for place in one.needs if place in families}
        if all(stands.get(families.get(place, ""), place) == place for place in other.needs):
            yield i, j
