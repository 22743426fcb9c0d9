# SPDX-License-Identifier: Apache-2.0
"""The rows of a licence: who moves what, and what a marking permits."""

from dataclasses import replace

import pytest

from registry.licensing.model import Licence
from registry.licensing.net import Marking, Net, Role, net_of
from tests.fakes.nets import EUROS, FREE, LARGEST, ONCE, PACKS, PERIODIC, REMOVING, kinds, rows

ALWAYS = {
    *("grant", "accept", "activate", "suspend", "resume", "revoke", "expire"),
    *("attest", "lapse", "withdraw", "replace", "seat", "unseat", "use"),
}


def after(net: Net, *labels: str) -> Marking:
    """The marking after moves by their labels, each of which must be enabled."""
    marking = net.initial
    for label in labels:
        marking = net.fire(marking, next(move for move in net.enabled(marking) if move.label == label))
    return marking


def names(licence: Licence) -> set[str]:
    return {move.name for move in net_of(licence).moves}


def test_a_licence_has_only_the_moves_that_its_text_says() -> None:
    assert names(replace(FREE, term=replace(FREE.term, start=None))) == ALWAYS
    assert names(FREE) == {*ALWAYS, "clock_start"}
    assert names(ONCE) - names(FREE) == {"pay"}
    assert names(PERIODIC) - names(ONCE) == {"clock_due"}
    assert names(PACKS) - names(FREE) == {"buy", "back", "settle"}
    assert names(LARGEST) - names(PERIODIC) - names(PACKS) == {"notify", "clock_notice"}


@pytest.mark.parametrize("licence", kinds())
def test_rows_speak_of_places_of_their_own_net_only(licence: Licence) -> None:
    net = net_of(licence, nodes=3)
    assert {place for move in net.moves for place in (*move.needs, *move.give)} <= set(net.places)
    assert len(set(net.moves)) == len(net.moves)
    assert all(sum(place in net.marked for place in family) == 1 for family in net.families.values())


def test_ether_is_paid_by_the_licensee_and_other_money_confirmed_by_the_licensor() -> None:
    licence = replace(ONCE, packs=replace(LARGEST, fee=None).packs)
    assert {(move.role, "R.Accepted" in move.read) for move in rows(net_of(licence), "pay")} == {
        (Role.LICENSEE, True)
    }
    assert licence.packs is not None
    assert licence.packs.price == EUROS
    assert {(move.role, "R.Accepted" in move.read) for move in rows(net_of(licence), "buy")} == {
        (Role.LICENSOR, False)
    }


def test_a_node_that_missed_an_attestation_is_late_or_removed_as_the_text_says() -> None:
    assert {move.give for move in rows(net_of(FREE, nodes=1), "lapse")} == {("n1.Stale",)}
    assert {move.give for move in rows(net_of(REMOVING, nodes=1), "lapse")} == {("n1.Gone",)}
    assert {move.take for move in rows(net_of(REMOVING, nodes=1), "attest")} == {("n1.Absent",)}


def test_permits_through_a_life() -> None:
    net = net_of(ONCE)
    life = ["grant", "accept", "pay", "clock_start", "activate"]
    assert not net.permits(after(net, *life), 1)
    assert net.permits(after(net, *life, "attest(1)"), 1)
    assert not net.permits(after(net, *life, "attest(1)"), 2)
    assert not net.permits(after(net, *life, "attest(1)", "lapse(1)"), 1)
    assert net.permits(after(net, *life, "attest(1)", "lapse(1)", "attest(1)"), 1)
    assert not net.permits(after(net, *life, "attest(1)", "suspend"), 1)
    assert not net.permits(after(net, *life, "attest(1)", "revoke"), 1)
    assert not net.permits(after(net, *life, "attest(1)", "expire"), 1)


def test_permits_asks_for_neither_seat_nor_credit_and_use_for_both() -> None:
    net = net_of(PACKS)
    life = ["grant", "accept", "clock_start", "activate", "attest(1)"]
    for more in ([], ["seat(1)"], ["buy"], ["buy", "seat(1)"]):
        marking = after(net, *life, *more)
        assert net.permits(marking, 1)
        assert ("use(1)" in {move.label for move in net.enabled(marking)}) == (len(more) == 2)


def test_a_marking_tells_where_the_licence_stands() -> None:
    net = net_of(LARGEST, seats=3, packs=5)
    assert (net.state(net.initial, "L"), net.state(net.initial, "n2"), net.state(net.initial, "s1")) == (
        "Granted",
        "Absent",
        "Out",
    )
    assert (
        net.tokens(net.initial, "free"),
        net.tokens(net.initial, "room"),
        net.tokens(net.initial, "owed"),
    ) == (3, 5, 0)
    assert net_of(FREE).state(net_of(FREE).initial, "F") == ""
    assert net_of(FREE).tokens(net_of(FREE).initial, "credit") == 0


def test_a_move_that_is_not_enabled_does_not_fire() -> None:
    net = net_of(FREE)
    with pytest.raises(ValueError, match="activate"):
        net.fire(net.initial, rows(net, "activate")[0])
