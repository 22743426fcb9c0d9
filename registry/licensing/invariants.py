# SPDX-License-Identifier: Apache-2.0
"""Sums of tokens that no move changes: what holds by them holds for any number of seats, nodes and packs.

A sum over places is kept when every row's effect on it, a column of the incidence matrix, adds up to nothing. That is a
statement about rows, not about markings: the search looks at a small net, the sums carry its result to a large one.
"""

from dataclasses import dataclass

from registry.licensing.net import Move, Net


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """Places whose tokens together are always `total`."""

    places: tuple[str, ...]
    total: int


def incidence(net: Net) -> dict[str, tuple[int, ...]]:
    """For each place, how many tokens each row adds to it; rows in the net's order."""
    return {place: tuple(_effect(move, place) for move in net.moves) for place in net.places}


def breakers(net: Net, kept: Sum) -> tuple[int, ...]:
    """The rows that change a sum; none where it is kept."""
    matrix = incidence(net)
    columns = enumerate(zip(*(matrix[place] for place in kept.places), strict=True))
    return tuple(row for row, effects in columns if sum(effects))


def seats(net: Net) -> tuple[Sum, ...]:
    """Free seats and seated nodes are as many as there are seats; each node sits or does not."""
    seated = tuple(f"n{i}.Seated" for i in range(1, net.nodes + 1))
    each = (_one(places) for name, places in net.families.items() if name.startswith("s"))
    return (Sum(places=("free", *seated), total=net.counting["free"]), *each)


def prepaid(net: Net) -> tuple[Sum, ...]:
    """Answers left, debited and still to be bought are as many as all packs hold."""
    places = tuple(place for place in ("credit", "owed", "room") if place in net.counting)
    return (Sum(places=places, total=sum(net.counting[place] for place in places)),) if places else ()


def standing(net: Net) -> tuple[Sum, ...]:
    """Registry, licence, time, fee, notice and each node's attestation stand in exactly one of their places."""
    return tuple(_one(places) for name, places in net.families.items() if not name.startswith("s"))


def _one(places: tuple[str, ...]) -> Sum:
    return Sum(places=places, total=1)


def _effect(move: Move, place: str) -> int:
    return move.give.count(place) - move.take.count(place)
