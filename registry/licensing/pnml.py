# SPDX-License-Identifier: Apache-2.0
"""The net of a licence as PNML, for the Petri net tools that people already have (ISO/IEC 15909-2, place/transition nets).

That kind of net has no read arcs. A place that a row only looks at gets an arc to the transition and one back: the same
token game, and every tool plays it. Who makes a move is kept as tool-specific information, which other tools pass over.
"""

from collections import Counter
from xml.etree import ElementTree as Xml

from registry.licensing.net import Move, Net

_GRAMMAR = "http://www.pnml.org/version-2009/grammar"


def pnml(net: Net, name: str) -> str:
    """The whole net as a PNML document; `name` is what tools show."""
    root = Xml.Element("pnml", {"xmlns": f"{_GRAMMAR}/pnml"})
    whole = Xml.SubElement(root, "net", {"id": "licence", "type": f"{_GRAMMAR}/ptnet"})
    _text(whole, "name", name)
    page = Xml.SubElement(whole, "page", {"id": "page"})
    ids = {place: f"p{i}" for i, place in enumerate(net.places)}
    for place, tokens in zip(net.places, net.initial, strict=True):
        node = Xml.SubElement(page, "place", {"id": ids[place]})
        _text(node, "name", place)
        if tokens:
            _text(node, "initialMarking", str(tokens))
    for i, move in enumerate(net.moves):
        _transition(page, f"t{i}", move, ids)
    Xml.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + Xml.tostring(root, encoding="unicode") + "\n"


def _transition(page: Xml.Element, own: str, move: Move, ids: dict[str, str]) -> None:
    node = Xml.SubElement(page, "transition", {"id": own})
    _text(node, "name", move.label)
    ours = Xml.SubElement(node, "toolspecific", {"tool": "licence", "version": "1"})
    Xml.SubElement(ours, "role").text = str(move.role)
    for place, weight in Counter(move.needs).items():
        _arc(page, f"{ids[place]}-{own}", (ids[place], own), weight)
    for place, weight in Counter(move.give + move.read).items():
        _arc(page, f"{own}-{ids[place]}", (own, ids[place]), weight)


def _arc(page: Xml.Element, own: str, ends: tuple[str, str], weight: int) -> None:
    arc = Xml.SubElement(page, "arc", {"id": own, "source": ends[0], "target": ends[1]})
    if weight != 1:
        _text(arc, "inscription", str(weight))


def _text(parent: Xml.Element, tag: str, text: str) -> None:
    Xml.SubElement(Xml.SubElement(parent, tag), "text").text = text
