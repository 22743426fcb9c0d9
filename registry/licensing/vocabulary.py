# SPDX-License-Identifier: Apache-2.0
"""The names a licence may use for places, hardware and fields of use, and what each means.

The SKOS files in `vocabularies/` are what people edit; `index.json` beside them holds what is derived from them, so that
reading a licence needs no RDF. `python -m registry.licensing.vocabulary` writes it again, and a test holds the two equal.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from rdflib import Graph
    from rdflib.term import Node

FOLDER = Path(__file__).parent / "vocabularies"
_INDEX = FOLDER / "index.json"
_AML = "urn:exequatur:aml:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A country, or a region of them: `codes` are ISO 3166-1 numbers; `article` says whether it takes "the"."""

    name: str
    iri: str
    article: bool
    codes: frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """Hardware by its marketing name; bit `n` of `kinds` is technology `n` of an attestation record.

    `broader` names the technology that stands for a model of it, where the name is that of a model.
    """

    name: str
    iri: str
    kinds: int
    broader: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field of use, and why it may need more care than others (in the EU)."""

    name: str
    iri: str
    health: bool
    biometric: bool
    high_risk: bool


class PlaceRow(TypedDict):
    """A place in the index."""

    iri: str
    article: bool
    codes: list[int]


class HardwareRow(TypedDict):
    """Hardware in the index."""

    iri: str
    kinds: int
    broader: str


class FieldRow(TypedDict):
    """A field of use in the index."""

    iri: str
    health: bool
    biometric: bool
    highRisk: bool


class Index(TypedDict):
    """What is derived from the SKOS files: entries by name, and other words for some of the names."""

    places: dict[str, PlaceRow]
    hardware: dict[str, HardwareRow]
    fields: dict[str, FieldRow]
    aliases: dict[str, str]


@cache
def places() -> Mapping[str, Place]:
    """Countries and regions by the one name that licences use."""
    return MappingProxyType(
        {
            name: Place(name=name, iri=row["iri"], article=row["article"], codes=frozenset(row["codes"]))
            for name, row in _index()["places"].items()
        }
    )


@cache
def hardware() -> Mapping[str, Hardware]:
    """Hardware by the one name that licences use."""
    return MappingProxyType(
        {
            name: Hardware(name=name, iri=row["iri"], kinds=row["kinds"], broader=row["broader"])
            for name, row in _index()["hardware"].items()
        }
    )


@cache
def fields() -> Mapping[str, Field]:
    """Fields of use by the one name that licences use."""
    return MappingProxyType(
        {
            name: Field(
                name=name,
                iri=row["iri"],
                health=row["health"],
                biometric=row["biometric"],
                high_risk=row["highRisk"],
            )
            for name, row in _index()["fields"].items()
        }
    )


@cache
def aliases() -> Mapping[str, str]:
    """Other words people use ("Turkey", "USA", "SEV-SNP") and the name to write instead."""
    return MappingProxyType(_index()["aliases"])


@cache
def names_by_iri() -> Mapping[str, str]:
    """The name of everything above by its IRI."""
    entries: list[Place | Hardware | Field] = [
        *places().values(),
        *hardware().values(),
        *fields().values(),
    ]
    return MappingProxyType({entry.iri: entry.name for entry in entries})


@cache
def _index() -> Index:
    index: Index = json.loads(_INDEX.read_text(encoding="utf-8"))
    return index


def derived() -> Index:
    """The index as the SKOS files now say it; takes a second or so, and rdflib."""
    from rdflib import Graph

    places, hardware, fields = (
        Graph().parse(FOLDER / name, format="turtle") for name in ("places.ttl", "hardware.ttl", "fields.ttl")
    )
    return {
        "places": {name: _place(places, node) for name, node in _concepts(places)},
        "hardware": {name: _piece(hardware, node) for name, node in _concepts(hardware)},
        "fields": {name: _field(fields, node) for name, node in _concepts(fields)},
        "aliases": {key: name for graph in (places, hardware, fields) for key, name in _aliases(graph)},
    }


def _concepts(graph: "Graph") -> list[tuple[str, "Node"]]:
    from rdflib.namespace import SKOS

    return sorted((str(name), node) for node, name in graph.subject_objects(SKOS.prefLabel))


def _aliases(graph: "Graph") -> list[tuple[str, str]]:
    from rdflib.namespace import SKOS

    return sorted(
        (str(other), name) for name, node in _concepts(graph) for other in graph.objects(node, SKOS.altLabel)
    )


def _place(graph: "Graph", node: "Node") -> PlaceRow:
    from rdflib.namespace import SKOS

    within = list(graph.objects(node, SKOS.narrower)) or [node]
    codes = [
        int(str(note))
        for one in within
        for note in graph.objects(one, SKOS.notation)
        if getattr(note, "datatype", None) == _aml("Numeric")
    ]
    return {"iri": str(node), "article": _flag(graph, node, "article"), "codes": sorted(codes)}


def _piece(graph: "Graph", node: "Node") -> HardwareRow:
    from rdflib.namespace import SKOS

    own = graph.value(node, SKOS.notation) is not None
    broader = None if own else graph.value(predicate=SKOS.narrower, object=node)
    name = "" if broader is None else str(graph.value(broader, SKOS.prefLabel))
    return {"iri": str(node), "kinds": _kinds(graph, node), "broader": name}


def _kinds(graph: "Graph", node: "Node") -> int:
    from rdflib.namespace import SKOS

    notation = graph.value(node, SKOS.notation)
    if notation is not None:
        return 1 << int(str(notation))
    bits = 0
    for one in list(graph.objects(node, SKOS.narrower)) or list(graph.subjects(SKOS.narrower, node)):
        bits |= 1 << int(str(graph.value(one, SKOS.notation)))
    return bits


def _field(graph: "Graph", node: "Node") -> FieldRow:
    return {
        "iri": str(node),
        "health": _flag(graph, node, "health"),
        "biometric": _flag(graph, node, "biometric"),
        "highRisk": _flag(graph, node, "highRisk"),
    }


def _flag(graph: "Graph", node: "Node", name: str) -> bool:
    return graph.value(node, _aml(name)) is not None


def _aml(name: str) -> "Node":
    from rdflib import URIRef

    return URIRef(_AML + name)


def write() -> None:
    """Write the index again after a change of the SKOS files."""
    # One entry a line: a change shows as what it is.
    parts = (
        json.dumps(name) + ": {\n" + ",\n".join(_line(key, row) for key, row in dict(rows).items()) + "\n}"
        for name, rows in _sections(derived())
    )
    _INDEX.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")


def _sections(index: Index) -> list[tuple[str, Mapping[str, object]]]:
    return [
        ("places", index["places"]),
        ("hardware", index["hardware"]),
        ("fields", index["fields"]),
        ("aliases", index["aliases"]),
    ]


def _line(key: str, row: object) -> str:
    return json.dumps(key, ensure_ascii=False) + ": " + json.dumps(row, ensure_ascii=False)


if __name__ == "__main__":
    write()
