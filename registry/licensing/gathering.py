# SPDX-License-Identifier: Apache-2.0
"""Reading a graph so that nothing in it is overlooked: what is read is crossed off, what is left at the end is told."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from registry.licensing.jsonld import UNDEFINED
from registry.licensing.problems import LicenceRefused, Problem
from registry.licensing.profile import ODRL, short

if TYPE_CHECKING:
    from rdflib import Graph
    from rdflib.term import Node

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_MOST_TOLD = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """How a left operand may be used: with which operator, and whether it needs a unit."""

    operator: str
    unit: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """One constraint as found: the right operands in the order of their list, or sorted; the unit's IRI or nothing."""

    values: "tuple[Node, ...]"
    unit: str = ""


class Gathering:
    """A graph being read; every reading crosses its triples off."""

    def __init__(self, graph: "Graph") -> None:
        self._graph = graph
        self._left = set(graph)

    def all(self, subject: "Node", predicate: str) -> "list[Node]":
        """Every object of a property, in a stable order."""
        from rdflib import URIRef

        path = URIRef(predicate)
        found = sorted(self._graph.objects(subject, path), key=str)
        self._left -= {(subject, path, one) for one in found}
        return found

    def one(self, subject: "Node", predicate: str) -> "Node | None":
        """The object of a property the shapes allow once."""
        found = self.all(subject, predicate)
        return found[0] if found else None

    def kind(self, subject: "Node", *allowed: str) -> None:
        """Cross off that the subject is of one of these ODRL classes."""
        from rdflib import RDF, URIRef

        self._left -= {(subject, RDF.type, URIRef(ODRL + name)) for name in allowed}

    def bounds(self, rule: "Node", limits: Mapping[str, Limit]) -> dict[str, Bound]:
        """The constraints of a rule by left operand; one that the profile lacks is refused (E302), a second one too (E202)."""
        bounds: dict[str, Bound] = {}
        for node in self.all(rule, ODRL + "constraint"):
            self.kind(node, "Constraint")
            left = str(self.one(node, ODRL + "leftOperand"))
            if left not in limits:
                refuse("E302", f"a licence cannot express the left operand “{told(left)}” here")
            if left in bounds:
                refuse("E202", f"the document says {told(left)} twice in one rule")
            operator, limit = str(self.one(node, ODRL + "operator")), limits[left]
            if operator != ODRL + limit.operator:
                refuse(
                    "E302",
                    f"a licence cannot express {told(left)} with the operator {told(operator)}",
                    f"the only operator for it is odrl:{limit.operator}",
                )
            unit = str(self.one(node, ODRL + "unit") or "") if limit.unit else ""
            bounds[left] = Bound(values=self._operands(node), unit=unit)
        return bounds

    def _operands(self, node: "Node") -> "tuple[Node, ...]":
        found = self.all(node, ODRL + "rightOperand")
        if len(found) != 1 or not self._is_list(found[0]):
            return tuple(found)
        values: list[Node] = []
        rest: Node | None = found[0]
        seen = set()
        while rest is not None and str(rest) != _RDF + "nil" and rest not in seen:
            seen.add(rest)
            # A list with two firsts is none: what is not taken here is told as left over.
            values += self.all(rest, _RDF + "first")
            rest = self.one(rest, _RDF + "rest")
        return tuple(values)

    def _is_list(self, node: "Node") -> bool:
        from rdflib import URIRef

        return str(node) == _RDF + "nil" or (node, URIRef(_RDF + "rest"), None) in self._graph

    def leftovers(self) -> tuple[Problem, ...]:
        """What the profile cannot express (E302), named; the first ten."""
        found = sorted({(told(str(path)), _value(value)) for _, path, value in self._left})
        return tuple(
            Problem(code="E302", message=f"a licence cannot express “{path}”{value} here")
            for path, value in found[:_MOST_TOLD]
        )


def _value(node: "Node") -> str:
    from rdflib import BNode

    return "" if isinstance(node, BNode) else f" (“{told(str(node))}”)"


def told(iri: str) -> str:
    """An IRI or text for people: abbreviated, and no longer than a line."""
    return short(iri.removeprefix(UNDEFINED))[:100]


def refuse(code: str, message: str, instead: str = "") -> NoReturn:
    """Give up on the document for one reason."""
    raise LicenceRefused((Problem(code=code, message=message, help=instead),))
