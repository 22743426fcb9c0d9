# SPDX-License-Identifier: Apache-2.0
"""The life of a licence drawn, in DOT and as PNML: well formed, the same each time, and only its own moves."""

from collections import Counter
from dataclasses import dataclass, replace
from itertools import combinations
from xml.etree import ElementTree as Xml

import pytest
from hypothesis import given

from registry.licensing.graph import explore
from registry.licensing.model import Licence
from registry.licensing.net import Move, Net, Role, net_of
from registry.licensing.pictures import dot, machine, svg
from registry.licensing.pnml import pnml
from tests.fakes.licences import names
from tests.fakes.nets import FREE, LARGEST, NOTICE, ONCE, PERIODIC, REMOVING, kinds

SVG = "{http://www.w3.org/2000/svg}"
PNML = "{http://www.pnml.org/version-2009/grammar/pnml}"
AWKWARD = 'Pump "Guard" & <b>\\'
RELATIVE = replace(FREE, term=replace(FREE.term, start=None))
FONT = {"state": 17, "words": 13, "if": 12}


@dataclass(frozen=True, slots=True)
class Patch:
    """The area that some words take, generously."""

    words: str
    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: "Patch") -> bool:
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )

    def within(self, other: "Patch") -> bool:
        return (
            other.left <= self.left
            and self.right <= other.right
            and other.top <= self.top
            and self.bottom <= other.bottom
        )


def patches(root: Xml.Element) -> list[Patch]:
    found = []
    for text in root.iter(f"{SVG}text"):
        words, size, x, y = (
            text.text or "",
            FONT[text.get("class", "")],
            float(text.get("x", 0)),
            float(text.get("y", 0)),
        )
        wide = len(words) * size * 0.58
        left = x - wide * {"start": 0, "middle": 0.5, "end": 1}[text.get("text-anchor", "")]
        found.append(Patch(words, left, y - size * 0.8, left + wide, y + size * 0.25))
    return found


def boxes(root: Xml.Element) -> list[Patch]:
    numbers = (
        [float(rect.get(name, 0)) for name in ("x", "y", "width", "height")]
        for rect in root.iter(f"{SVG}rect")
    )
    return [Patch("", x, y, x + width, y + height) for x, y, width, height in numbers]


def words(licence: Licence) -> Counter[str]:
    return Counter(patch.words for patch in patches(Xml.fromstring(svg(net_of(licence), "a licence"))))


@pytest.mark.parametrize("licence", kinds())
def test_no_words_of_a_picture_overlap_or_leave_their_box(licence: Licence) -> None:
    root = Xml.fromstring(svg(net_of(licence), "a licence"))
    said, (card, *states) = patches(root), boxes(root)
    assert not [(one, other) for one, other in combinations(said, 2) if one.meets(other)]
    assert all(patch.within(card) for patch in said)
    assert not [(one, box) for one in said for box in states if one.meets(box) and not one.within(box)]


def test_a_picture_shows_the_moves_of_its_own_licence_only() -> None:
    plain = words(RELATIVE)
    assert {"Granted", "Active", "Suspended", "Revoked", "Expired"} <= plain.keys()
    assert (plain["licensor: revoke"], plain["the clock"], plain["licensee: activate"]) == (3, 2, 1)
    assert not [line for line in plain if "fee" in line or "notice" in line or "packs" in line]
    assert words(FREE)["the clock"] == 3
    assert words(NOTICE)["if the notice is over"] == 3
    assert words(NOTICE)["licensor gives notice"] == 3
    assert words(ONCE)["licensee pays the fee"] == 1
    assert words(PERIODIC)["licensor confirms the fee"] == 3
    assert words(LARGEST)["licensor confirms packs"] == 1


def test_a_picture_is_self_contained_and_the_same_each_time() -> None:
    drawn = svg(net_of(LARGEST), AWKWARD)
    assert drawn == svg(net_of(LARGEST), AWKWARD)
    root = Xml.fromstring(drawn)
    assert root.findtext(f"{SVG}title") == AWKWARD
    assert drawn.count("http") == 1
    assert not {element.tag for element in root.iter()} & {
        f"{SVG}script",
        f"{SVG}image",
        f"{SVG}use",
        f"{SVG}foreignObject",
    }
    assert not [
        name for element in root.iter() for name in element.attrib if name.startswith("on") or "href" in name
    ]


@given(names())
def test_any_name_can_be_drawn_and_exchanged(name: str) -> None:
    net = net_of(FREE, nodes=1)
    assert Xml.fromstring(svg(net, name)).findtext(f"{SVG}title") == name
    assert Xml.fromstring(pnml(net, name)).findtext(f".//{PNML}name/{PNML}text") == name
    assert dot(net, name).count("\n") == dot(net, "").count("\n")


@pytest.mark.parametrize("licence", [RELATIVE, LARGEST])
def test_every_edge_of_the_machine_is_drawn_and_none_twice(licence: Licence) -> None:
    net = net_of(licence)
    edges = [(here, there) for here, there, _ in machine(net)]
    assert len(edges) == len(set(edges))
    arrows = [
        path for path in Xml.fromstring(svg(net, "")).iter(f"{SVG}path") if path.get("class") == "arrow"
    ]
    assert len(arrows) == len(edges) + 1
    assert dot(net, AWKWARD).count(" -> ") == len(edges)


def test_dot_quotes_what_the_author_wrote() -> None:
    lines = dot(net_of(LARGEST), AWKWARD).splitlines()
    assert lines[0] == 'digraph "Pump \\"Guard\\" & <b>\\\\" {'
    assert '  Active -> Revoked [label="licensor: revoke\\nif the notice is over"];' in lines
    assert lines[-1] == "}"


def imported(document: str, like: Net) -> Net:
    """The net that a PNML tool would play: places, first marking and arcs, read from the document alone."""
    page = Xml.fromstring(document).find(f".//{PNML}page")
    assert page is not None
    names = {
        node.get("id"): node.findtext(f"{PNML}name/{PNML}text") or ""
        for node in page
        if node.tag != f"{PNML}arc"
    }
    arcs = [(arc.get("source"), arc.get("target")) for arc in page.iter(f"{PNML}arc")]
    tokens = {
        names[place.get("id")]: int(place.findtext(f"{PNML}initialMarking/{PNML}text") or 0)
        for place in page.iter(f"{PNML}place")
    }
    moves = []
    for node in page.iter(f"{PNML}transition"):
        own, label = node.get("id"), names[node.get("id")]
        take = tuple(names[source] for source, target in arcs if target == own)
        give = tuple(names[target] for source, target in arcs if source == own)
        number = int(label[:-1].split("(")[1]) if "(" in label else None
        role = Role(node.findtext(f"{PNML}toolspecific/{PNML}role") or "")
        moves.append(Move(name=label.split("(")[0], role=role, take=take, give=give, node=number))
    counting = {place: tokens[place] for place in like.counting}
    marked = frozenset(place for place, count in tokens.items() if count and place not in counting)
    return replace(like, moves=tuple(moves), counting=counting, marked=marked)


@pytest.mark.parametrize("licence", [ONCE, replace(LARGEST, fee=None), REMOVING])
def test_pnml_plays_the_same_game(licence: Licence) -> None:
    net = net_of(licence, packs=1)
    played, ours = explore(imported(pnml(net, AWKWARD), net)), explore(net)
    assert (played.states, played.after) == (ours.states, ours.after)


def test_pnml_is_a_place_transition_net_with_ids_used_once() -> None:
    root = Xml.fromstring(pnml(net_of(LARGEST), AWKWARD))
    whole = root.find(f"{PNML}net")
    assert root.tag == f"{PNML}pnml"
    assert whole is not None
    assert whole.get("type") == "http://www.pnml.org/version-2009/grammar/ptnet"
    assert whole.findtext(f"{PNML}name/{PNML}text") == AWKWARD
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
