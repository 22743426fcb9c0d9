# SPDX-License-Identifier: Apache-2.0
"""Twelve promises: kept by the net of every licence, and each broken alone by a net of its own."""

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings

from registry.licensing import graph
from registry.licensing.graph import Packing, alike, explore
from registry.licensing.invariants import breakers, incidence, prepaid, seats, standing
from registry.licensing.model import Licence
from registry.licensing.net import Marking, Net, Role, net_of
from registry.licensing.problems import LicenceRefused
from registry.licensing.proof import prove
from registry.licensing.properties import PROPERTIES, promise
from registry.licensing.reading import read
from tests.fakes.licences import SAMPLES, licences
from tests.fakes.nets import (
    FREE,
    LARGEST,
    MUTANTS,
    NOTICE,
    ONCE,
    PACKS,
    REMOVING,
    Mutant,
    added,
    dropped,
    kinds,
    mapped,
    untaken,
)

NAMES = tuple(f"P{i}" for i in range(1, 13))
NETS = tuple(net_of(licence) for licence in kinds())
REGULAR = replace(NOTICE, fee=LARGEST.fee)
SMALL = replace(REMOVING, packs=PACKS.packs)


def reached(net: Net) -> set[Marking]:
    """Every marking, by the net's own moves alone: what the packed search must agree with."""
    found, todo = {net.initial}, [net.initial]
    while todo:
        marking = todo.pop()
        new = {net.fire(marking, move) for move in net.enabled(marking)} - found
        found |= new
        todo += new
    return found


def packed(code: Packing, marking: Marking) -> int:
    return sum(count << code.shift[place] for place, count in zip(code.net.places, marking, strict=True))


@pytest.mark.parametrize("licence", kinds())
def test_case_01_every_promise_holds_for_every_kind_of_licence(licence: Licence) -> None:
    proof = prove(net_of(licence))
    assert proof.held, [problem.told() for problem in proof.problems]
    assert tuple(proof.holds) == NAMES


@pytest.mark.parametrize(
    ("name", "moves", "states", "edges"),
    [("pump", 36, 708, 4_404), ("hospital", 49, 1_120, 6_890), ("reseller", 29, 318, 1_945)],
)
def test_case_01_every_promise_holds_for_the_samples(name: str, moves: int, states: int, edges: int) -> None:
    licence = read(SAMPLES[name]).licence
    assert licence is not None
    net = net_of(licence)
    proof = prove(net)
    assert proof.held
    assert (len(net.moves), proof.states, proof.edges) == (moves, states, edges)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(licences())
def test_case_01_any_licence_has_the_net_of_one_of_these_kinds(licence: Licence) -> None:
    assert net_of(licence) in NETS


@pytest.mark.parametrize(
    "mutant", MUTANTS, ids=lambda mutant: f"{mutant.breaks}-{mutant.what.replace(' ', '-')}"
)
def test_case_23_a_broken_net_breaks_exactly_one_promise_and_is_told_in_ten_steps(mutant: Mutant) -> None:
    whole = net_of(mutant.licence)
    broken = mutant.of(whole)
    assert broken != whole
    proof = prove(broken)
    assert [name for name, holds in proof.holds.items() if not holds] == [mutant.breaks]
    (problem,) = proof.problems
    assert problem.code == f"E4{int(mutant.breaks[1:]):02}"
    assert problem.help
    (story,) = proof.stories.values()
    assert len(story.steps) <= 10
    assert not re.search(r"[RLTFWns]\d?\.[A-Za-z]|token|marking|\{|_", problem.told()), problem.told()


def test_case_23_every_promise_has_a_broken_net() -> None:
    assert {mutant.breaks for mutant in MUTANTS} == set(PROPERTIES) == set(NAMES)


def test_the_stories_are_for_people() -> None:
    mutant = next(one for one in MUTANTS if one.what == "use in an unpaid period")
    (problem,) = prove(mutant.of(net_of(mutant.licence))).problems
    assert problem.message.endswith(
        "the licensor offers the licence, the licensee accepts it, the licensor confirms the payment of the fee, the term"
        " begins, the licensee activates the licence, the paid period ends, node 1 passes attestation; then the model can be"
        " used although the fee is not paid."
    )
    assert all(": " in promise(name) and promise(name).endswith(".") for name in NAMES)


def test_the_search_finds_what_the_moves_alone_reach() -> None:
    net = net_of(SMALL, packs=1)
    found = explore(net)
    assert found.packing.alike
    assert {found.packing.fold(packed(found.packing, marking)) for marking in reached(net)} == set(
        found.states
    )
    assert len(found.states) == len(set(found.states)) == len(found.enabled) == len(found.after)


def test_nodes_that_differ_are_searched_each_for_itself() -> None:
    net = net_of(SMALL, packs=1)
    net = replace(net, moves=tuple(move for move in net.moves if move.label != "withdraw(2)"))
    found = explore(net)
    assert not found.packing.alike
    assert {packed(found.packing, marking) for marking in reached(net)} == set(found.states)


def test_a_row_of_the_licence_that_moves_one_node_makes_nodes_differ() -> None:
    assert alike(net_of(SMALL))
    assert not alike(added("suspend", Role.LICENSOR, "n1.Live -> n1.Gone")(net_of(SMALL)))


def test_every_way_can_be_walked_and_ends_where_it_says() -> None:
    net = net_of(SMALL, packs=1)
    found = explore(net)
    for number, state in enumerate(found.states):
        marking = net.initial
        for move in found.way(number):
            marking = net.fire(marking, move)
        assert found.packing.fold(packed(found.packing, marking)) == state


def test_the_promises_hold_for_more_nodes_seats_and_packs_too() -> None:
    assert prove(net_of(SMALL, nodes=3, seats=2, packs=3)).held
    assert prove(net_of(FREE, nodes=1, seats=1)).held


@pytest.mark.parametrize(("nodes", "free", "packs"), [(1, 1, 1), (5, 3, 7), (9, 1_000_000, 10**12)])
def test_sums_are_kept_for_any_number_of_nodes_seats_and_packs(nodes: int, free: int, packs: int) -> None:
    net = net_of(LARGEST, nodes=nodes, seats=free, packs=packs)
    sums = (*seats(net), *prepaid(net), *standing(net))
    assert not [kept for kept in sums if breakers(net, kept)]
    assert all(sum(net.tokens(net.initial, place) for place in kept.places) == kept.total for kept in sums)
    assert {place for kept in sums for place in kept.places} == set(net.places)


def test_the_incidence_matrix_is_what_firing_does() -> None:
    net = net_of(SMALL, packs=1)
    matrix = incidence(net)
    for marking in reached(net):
        for move in net.enabled(marking):
            row = net.moves.index(move)
            change = (after - before for before, after in zip(marking, net.fire(marking, move), strict=True))
            assert tuple(change) == tuple(matrix[place][row] for place in net.places)


def test_a_sum_is_broken_by_the_row_that_changes_it() -> None:
    net = mapped(untaken("free"), "seat")(net_of(ONCE))
    assert {net.moves[row].name for row in breakers(net, seats(net)[0])} == {"seat"}


def test_a_net_that_makes_tokens_for_ever_ends_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "LIMIT", 5_000)
    endless = added("suspend", Role.LICENSOR, "-> L.Suspended free credit room owed W.given F.due T.before")
    net = endless(mapped(dropped(), "suspend")(net_of(LARGEST)))
    with pytest.raises(LicenceRefused, match="5,000 states"):
        prove(net)


# A forgotten look that changes nothing anybody may do: another row or an earlier move looks as well.
HARMLESS = {
    ("activate", "T.term"),  # use looks
    ("activate", "F.paid"),  # use looks, and a period can be paid after activation
    ("activate", "R.Accepted"),  # where the licensee pays first, that needs its acceptance
    ("pay", "R.Accepted"),  # an active licence was accepted
    ("buy", "R.Accepted"),
    ("use", "T.term"),  # a licence that was activated in its term and is out of it is expired
    ("seat", "T.term"),
    ("use", "F.paid"),  # a fee paid once before activation stays paid
    ("seat", "F.paid"),
    (
        "clock_due",
        "L.Active",
    ),  # periods would run before activation: the licensee pays again, nobody uses more
    ("clock_due", "L.Suspended"),
    ("notify", "L.Granted"),  # notice of a licence that has ended changes nothing
    ("notify", "L.Active"),
    ("notify", "L.Suspended"),
    ("replace", "n1.Out"),  # the seat stays with the place of the machine
}


def forgetful(net: Net) -> Iterator[tuple[str, str, Net]]:
    """Every net in which one row forgets one arc."""
    for row, move in enumerate(net.moves):
        for side, places in (("take", move.take), ("give", move.give), ("read", move.read)):
            for place in places:
                rest = {side: tuple(other for other in places if other != place)}
                moves = (*net.moves[:row], replace(move, **rest), *net.moves[row + 1 :])
                yield move.name, place, replace(net, moves=moves)


def noticed(net: Net) -> bool:
    try:
        return not prove(net).held
    except LicenceRefused:
        return True


def test_case_23_no_arc_of_any_row_can_be_forgotten_unnoticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "LIMIT", 1_000)
    unnoticed = {
        (name, place)
        for licence in (REGULAR, PACKS, ONCE)
        for name, place, net in forgetful(net_of(licence, nodes=1, packs=1))
        if not noticed(net)
    }
    assert unnoticed == HARMLESS
