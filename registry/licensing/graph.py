# SPDX-License-Identifier: Apache-2.0
"""Every marking that a net can reach, breadth first, with a shortest way to each.

A marking is packed into one integer, a field per place with a guard bit on top, so that "enough tokens everywhere" is one
subtraction. Nodes are alike: markings that differ only in which node is which are one state, if the rows say so.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from registry.licensing.net import Move, Net
from registry.licensing.problems import LicenceRefused, Problem

LIMIT = 100_000
"""States that are looked at; the net of a licence has a few thousand, only a broken one has more."""


@dataclass(frozen=True, kw_only=True)
class Packing:
    """How markings of a net are packed: `width` bits a place, a block of places a node lowest, if nodes are alike."""

    net: Net
    width: int
    shift: dict[str, int]
    guards: int
    alike: bool

    @classmethod
    def of(cls, net: Net) -> "Packing":
        """A packing in which a place can show one token more than the most it may ever hold."""
        mine = {
            i: tuple(place for place in net.places if place.startswith(f"n{i}."))
            for i in range(1, net.nodes + 1)
        }
        of_nodes = [place for places in mine.values() for place in places]
        order = [*of_nodes, *(place for place in net.places if place not in of_nodes)]
        width = (max(net.counting.values()) + 1).bit_length() + 1
        shift = {place: width * i for i, place in enumerate(order)}
        guards = sum(1 << at + width - 1 for at in shift.values())
        return cls(net=net, width=width, shift=shift, guards=guards, alike=alike(net))

    @cached_property
    def start(self) -> int:
        """The first marking."""
        return sum(
            count << self.shift[place] for place, count in zip(self.net.places, self.net.initial, strict=True)
        )

    @cached_property
    def block(self) -> int:
        """Bits a node takes."""
        return self.width * sum(place.startswith("n1.") for place in self.net.places)

    def weigh(self, places: Iterable[str]) -> int:
        """One token in each of the places, packed."""
        return sum(1 << self.shift[place] for place in places)

    def mask(self, *places: str) -> int:
        """The bits that are not all zero when any of the places is marked; places not in this net count for nothing."""
        full = (1 << self.width - 1) - 1
        return sum(full << self.shift[place] for place in places if place in self.shift)

    def total(self, places: Iterable[str]) -> Callable[[int], int]:
        """Counts the tokens of some places together."""
        shifts, full = [self.shift[place] for place in places], (1 << self.width - 1) - 1
        return lambda state: sum(state >> at & full for at in shifts)

    def covers(self, state: int, needs: int) -> bool:
        """Whether a state has the tokens of `needs`."""
        return (state | self.guards) - needs & self.guards == self.guards

    def full(self, state: int) -> int:
        """The state with places that ran over held at the most they can show: a broken net stays finite."""
        for place, at in self.shift.items():
            if state >> at + self.width - 1 & 1:
                state = state & ~(1 << at + self.width - 1) | self.mask(place)
        return state

    def after(self, state: int, move: Move) -> int:
        """The state after an enabled move, nodes as they are."""
        moved = state + self.weigh(move.give) - self.weigh(move.take)
        return self.full(moved) if moved & self.guards else moved

    def fold(self, state: int) -> int:
        """The one state that stands for all that differ in which node is which."""
        if not self.alike:
            return state
        nodes, bits = self.net.nodes, self.block
        ones = (1 << bits) - 1
        blocks = [state >> bits * i & ones for i in range(nodes)]
        if (ordered := sorted(blocks)) == blocks:
            return state
        return state >> bits * nodes << bits * nodes | sum(one << bits * i for i, one in enumerate(ordered))


@dataclass(frozen=True, kw_only=True)
class Graph:
    """The reachable states in the order of their distance, with the rows enabled and the states they lead to.

    `enabled[s]` has a bit per row of `net.moves`; `after[s]` holds the states those rows lead to, in the rows' order;
    `came[s]` is the state that `s` was first reached from and the row that did it.
    """

    net: Net
    packing: Packing
    states: tuple[int, ...]
    enabled: tuple[int, ...]
    after: tuple[tuple[int, ...], ...]
    came: tuple[tuple[int, int], ...]

    @property
    def edges(self) -> int:
        """How many steps there are between states."""
        return sum(map(len, self.after))

    @cached_property
    def fired(self) -> int:
        """The rows that happen somewhere, one bit each; with nodes alike, a row that happens for one happens for all."""
        happened = 0
        for rows in self.enabled:
            happened |= rows
        names = {unnumbered(move) for i, move in enumerate(self.net.moves) if happened >> i & 1}
        if self.packing.alike:
            happened |= self.rows(lambda move: unnumbered(move) in names)
        return happened

    def rows(self, chosen: Callable[[Move], bool]) -> int:
        """The rows that are chosen, one bit each."""
        return sum(1 << i for i, move in enumerate(self.net.moves) if chosen(move))

    def leading_to(self, goals: Iterable[int]) -> frozenset[int]:
        """The states from which some goal can be reached (EF), goals included, by going backwards."""
        found = set(goals)
        todo = list(found)
        while todo:
            for state in self._before[todo.pop()]:
                if state not in found:
                    found.add(state)
                    todo.append(state)
        return frozenset(found)

    def steps(self, state: int) -> Iterator[tuple[int, int]]:
        """The rows enabled in a state, each with the state it leads to."""
        bits = self.enabled[state]
        rows = (i for i in range(bits.bit_length()) if bits >> i & 1)
        return zip(rows, self.after[state], strict=True)

    @cached_property
    def permitting(self) -> tuple[tuple[int, ...], ...]:
        """For each node, the states in which the contract's `permits` says yes."""
        code = self.packing
        nodes = range(1, self.net.nodes + 1)
        ways = ([code.weigh(places) for places in self.net.permitting(node)] for node in nodes)
        return tuple(
            tuple(s for s, state in enumerate(self.states) if any(code.covers(state, way) for way in those))
            for those in ways
        )

    def way(self, state: int, row: int | None = None) -> tuple[Move, ...]:
        """A shortest way to a state (and one row more), of real nodes: which node is which is kept from step to step."""
        through = [state]
        while through[-1]:
            through.append(self.came[through[-1]][0])
        code, here, moves = self.packing, self.packing.start, []
        for there in reversed(through[:-1]):
            move = next(move for move in self._enabled(here) if self._leads(here, move, there))
            moves.append(move)
            here = code.after(here, move)
        if row is not None:
            last = unnumbered(self.net.moves[row])
            moves.append(next(move for move in self._enabled(here) if unnumbered(move) == last))
        return tuple(moves)

    def _enabled(self, here: int) -> Iterator[Move]:
        code = self.packing
        return (move for move in self.net.moves if code.covers(here, code.weigh(move.needs)))

    def _leads(self, here: int, move: Move, there: int) -> bool:
        return self.packing.fold(self.packing.after(here, move)) == self.states[there]

    @cached_property
    def _before(self) -> list[list[int]]:
        before: list[list[int]] = [[] for _ in self.states]
        for here, following in enumerate(self.after):
            for there in following:
                before[there].append(here)
        return before


def explore(net: Net) -> Graph:
    """Search the net from its first marking; a net with more than `LIMIT` states is refused."""
    code = Packing.of(net)
    rulings = code.mask(*_ruling(net))
    first = code.fold(code.start)
    number, states, came = {first: 0}, [first], [(0, 0)]
    enabled: list[int] = []
    after: list[tuple[int, ...]] = []
    possible: dict[int, list[_Step]] = {}
    steps = _steps(code)
    for here, state in enumerate(states):  # it grows while it is read
        if (ruled := state & rulings) not in possible:
            possible[ruled] = [step for step in steps if code.covers(ruled, step[1])]
        bits, following = _following(code, state, possible[ruled])
        for row, there in following:
            if there not in number:
                number[there] = len(states)
                states.append(there)
                came.append((here, row))
        enabled.append(bits)
        after.append(tuple(number[there] for _, there in following))
        if here > LIMIT:
            raise LicenceRefused(
                (Problem(code="E412", message=f"this licence can be in more than {LIMIT:,} states"),)
            )
    found = tuple(states), tuple(enabled), tuple(after), tuple(came)
    return Graph(net=net, packing=code, states=found[0], enabled=found[1], after=found[2], came=found[3])


def unnumbered(move: Move) -> Move:
    """The row as it would be said of any node."""
    sides = (
        tuple(_unnumber(place, move.node) for place in side) for side in (move.take, move.give, move.read)
    )
    take, give, read = sides
    return Move(name=move.name, role=move.role, take=take, give=give, read=read, node=move.node and 0)


def alike(net: Net) -> bool:
    """Whether every node has the same rows, places and first marking, so that they may be exchanged."""
    nodes = range(1, net.nodes + 1)
    of_nodes = {place for name, places in net.families.items() if not name.isalpha() for place in places}
    if any(of_nodes & {*move.needs, *move.give} for move in net.moves if move.node is None):
        return False
    rows = [Counter(unnumbered(move) for move in net.moves if move.node == node) for node in nodes]
    marks = [
        {_unnumber(place, node) for place in net.marked if place.startswith(f"n{node}.")} for node in nodes
    ]
    return all(row == rows[0] for row in rows) and all(mark == marks[0] for mark in marks)


_Step = tuple[int, int, int, int, bool]


def _following(code: Packing, state: int, steps: list[_Step]) -> tuple[int, list[tuple[int, int]]]:
    """The rows enabled in a state, as bits, and each with the state it leads to."""
    guards, bits, found = code.guards, 0, []
    for row, _, needs, change, refold in steps:
        if (state | guards) - needs & guards != guards:
            continue
        there = state + change
        if there & guards:
            there = code.full(there)
        bits |= 1 << row
        found.append((row, code.fold(there) if refold else there))
    return bits, found


def _steps(code: Packing) -> list[_Step]:
    """For each row: its number, its needs among the licence's own places, all its needs, its change, whether it moves a node."""
    ruling, low = _ruling(code.net), (1 << code.block * code.net.nodes) - 1
    steps = []
    for i, move in enumerate(code.net.moves):
        own = code.weigh(place for place in move.needs if place in ruling)
        change = code.weigh(move.give) - code.weigh(move.take)
        steps.append((i, own, code.weigh(move.needs), change, code.alike and bool(change & low)))
    return steps


def _ruling(net: Net) -> frozenset[str]:
    """Places of the licence itself, not of a node: they rule out most rows, for many markings at once."""
    return frozenset(place for name, places in net.families.items() if name.isalpha() for place in places)


def _unnumber(place: str, node: int | None) -> str:
    return place.replace(f"n{node}.", "n.", 1) if place.startswith(f"n{node}.") else place
