# SPDX-License-Identifier: Apache-2.0
"""The life of a licence as a picture: its five states, who moves it from one to the next, and on which conditions.

Drawn from the rows of its net, at fixed places: the same licence always gives the same picture, and only its own moves are in it.
"""

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree import ElementTree as Xml

from registry.licensing.net import Move, Net, Role

_STATES = {
    "Granted": (40, 200),
    "Active": (400, 200),
    "Suspended": (760, 200),
    "Revoked": (400, 30),
    "Expired": (400, 420),
}
_ENDS = ("Revoked", "Expired")
_BOX, _LIVING, _ENDED = 200, 120, 56
_SIZE = (1000, 510)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Route:
    """Where an arrow runs and where its words begin, lines downwards from there."""

    path: str
    words: tuple[int, int]
    anchor: str = "start"


_ROUTES = {
    ("Granted", "Active"): _Route(path="M240,260 H394", words=(316, 250), anchor="middle"),
    ("Active", "Suspended"): _Route(path="M600,240 H754", words=(676, 230), anchor="middle"),
    ("Suspended", "Active"): _Route(path="M760,285 H606", words=(676, 275), anchor="middle"),
    ("Granted", "Revoked"): _Route(path="M140,200 V68 Q140,58 150,58 H394", words=(154, 48)),
    ("Active", "Revoked"): _Route(path="M500,200 V92", words=(512, 140)),
    ("Suspended", "Revoked"): _Route(path="M860,200 V68 Q860,58 850,58 H606", words=(846, 48), anchor="end"),
    ("Granted", "Expired"): _Route(path="M140,320 V438 Q140,448 150,448 H394", words=(154, 438)),
    ("Active", "Expired"): _Route(path="M500,320 V414", words=(512, 366)),
    ("Suspended", "Expired"): _Route(
        path="M860,320 V438 Q860,448 850,448 H606", words=(846, 438), anchor="end"
    ),
}
_IF = {
    "R.Accepted": "accepted",
    "F.paid": "paid",
    "T.term": "within the term",
    "W.over": "the notice is over",
}
_INSIDE = {
    "grant": "{who} offers it",
    "accept": "{who} accepts it",
    "pay": "{who} {pays} the fee",
    "notify": "{who} gives notice",
    "buy": "{who} {pays} packs",
    "use": "attested nodes may use it",
}
_STYLE = (
    "text{font-family:system-ui,'Segoe UI',Helvetica,Arial,sans-serif;fill:#24292f}"
    ".state{font-size:17px;font-weight:600}.words{font-size:13px}.if{font-size:12px;fill:#57606a}"
    ".box{fill:#fff;stroke:#57606a;stroke-width:1.5}.end{fill:#f3f4f6}.arrow{fill:none;stroke:#57606a;stroke-width:1.5}"
)


def svg(net: Net, title: str) -> str:
    """The state machine as an SVG document on a light card of its own, readable on any page; `title` is read out, not drawn."""
    width, height = _SIZE
    root = Xml.Element(
        "svg", {"xmlns": "http://www.w3.org/2000/svg", "viewBox": f"0 0 {width} {height}", "role": "img"}
    )
    _add(root, "title", title)
    _add(
        root,
        "desc",
        "; ".join(f"{move.role}: {move.name}, {here} to {there}" for here, there, move in machine(net)),
    )
    _add(root, "style", _STYLE)
    tip = _add(
        _add(root, "defs"),
        "marker",
        id="tip",
        viewBox="0 0 10 10",
        refX=9,
        refY=5,
        markerWidth=8,
        markerHeight=8,
    )
    tip.set("orient", "auto")
    _add(tip, "path", d="M0,0 L10,5 L0,10 z", fill="#57606a")
    _add(root, "rect", x=1, y=1, width=width - 2, height=height - 2, rx=12, fill="#fbfbfa", stroke="#d0d7de")
    _add(root, "circle", cx=14, cy=260, r=5, fill="#57606a")
    _arrow(root, "M19,260 H34")
    for here, there, move in machine(net):
        if route := _ROUTES.get((here, there)):
            _arrow(root, route.path)
            _words(root, route, move)
    for state in _STATES:
        _state(root, state, _inside(net, state))
    Xml.indent(root)
    return Xml.tostring(root, encoding="unicode") + "\n"


def dot(net: Net, title: str) -> str:
    """The state machine in the DOT language."""
    lines = [f"digraph {_quoted(title)} {{", "  rankdir=LR;", "  node [shape=box, style=rounded];"]
    lines += [f"  {state} [peripheries={2 if state in _ENDS else 1}];" for state in _STATES]
    for here, there, move in machine(net):
        label = "\\n".join([f"{move.role}: {move.name}", *_conditions(move)])
        lines.append(f'  {here} -> {there} [label="{label}"];')
    return "\n".join([*lines, "}", ""])


def machine(net: Net) -> tuple[tuple[str, str, Move], ...]:
    """The rows that take the licence from one state to another, each with the two: the net read as a state machine."""
    found = []
    for move in net.moves:
        here = next((place for place in move.take if place.startswith("L.")), "")
        there = next((place for place in move.give if place.startswith("L.")), "")
        if here and there:
            found.append((here[2:], there[2:], move))
    return tuple(found)


def _conditions(move: Move) -> list[str]:
    if move.role is Role.TIME:
        return ["when the term is over"]
    conditions = [words for place, words in _IF.items() if place in move.read]
    return textwrap.wrap(f"if {' and '.join(conditions)}", 21) if conditions else []


def _inside(net: Net, state: str) -> Iterator[str]:
    """What happens in a state without leaving it, each once."""
    told: dict[str, Move] = {}
    for move in net.moves:
        stays = f"L.{state}" in move.read or (state == "Granted" and move.name in ("grant", "accept"))
        if stays and move.name in _INSIDE:
            told.setdefault(move.name, move)
    for name, move in told.items():
        verb = "pays" if move.role is Role.LICENSEE else "confirms"
        verb = "buys" if name == "buy" and verb == "pays" else verb
        yield _INSIDE[name].format(who=move.role, pays=verb)
    if state == "Suspended" and "use" not in told:
        yield "no node may use it"


def _state(root: Xml.Element, state: str, inside: Iterator[str]) -> None:
    left, top = _STATES[state]
    ended = state in _ENDS
    height = _ENDED if ended else _LIVING
    _add(
        root,
        "rect",
        **{"class": "box end" if ended else "box"},
        x=left,
        y=top,
        width=_BOX,
        height=height,
        rx=10,
    )
    if ended:  # the double border of a state that is for ever
        _add(
            root,
            "rect",
            **{"class": "box end"},
            x=left + 4,
            y=top + 4,
            width=_BOX - 8,
            height=height - 8,
            rx=7,
        )
    middle = left + _BOX // 2
    _text(root, "state", (middle, top + (34 if ended else 28)), "middle", state)
    for i, line in enumerate(inside):
        _text(root, "words", (middle, top + 52 + 18 * i), "middle", line)


def _words(root: Xml.Element, route: _Route, move: Move) -> None:
    """Who does what on the arrow, and on what condition beneath it."""
    x, y = route.words
    _text(
        root,
        "words",
        (x, y),
        route.anchor,
        "the clock" if move.role is Role.TIME else f"{move.role}: {move.name}",
    )
    beside = " V9" in route.path or route.path.endswith("V414")
    for i, line in enumerate(_conditions(move)):
        _text(root, "if", (x, y + (17 if beside else 28) + 16 * i), route.anchor, line)


def _arrow(root: Xml.Element, path: str) -> None:
    _add(root, "path", **{"class": "arrow", "marker-end": "url(#tip)"}, d=path)


def _text(root: Xml.Element, style: str, at: tuple[int, int], anchor: str, words: str) -> None:
    _add(root, "text", words, **{"class": style, "text-anchor": anchor}, x=at[0], y=at[1])


def _add(parent: Xml.Element, tag: str, words: str = "", **attributes: str | int) -> Xml.Element:
    element = Xml.SubElement(parent, tag, {name: str(value) for name, value in attributes.items()})
    if words:
        element.text = words
    return element


def _quoted(words: str) -> str:
    return '"' + words.replace("\\", "\\\\").replace('"', '\\"') + '"'
