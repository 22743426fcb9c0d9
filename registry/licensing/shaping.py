# SPDX-License-Identifier: Apache-2.0
"""Whether a graph has the shape of a licence, told in words: SHACL over `shapes.ttl`."""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from registry.licensing.problems import Problem
from registry.licensing.profile import AML, ODRL, short

if TYPE_CHECKING:
    from rdflib import Graph

_SHAPES = Path(__file__).parent / "shapes.ttl"
_MOST = 64
# What the shapes compare with each other: their number, not the document's length, is what judging costs.
_PARTS = (
    *("permission", "prohibition", "obligation", "duty", "constraint"),
    *("target", "assigner", "assignee", "action", "leftOperand", "operator", "unit"),
)


def shape_problems(graph: "Graph") -> tuple[Problem, ...]:
    """What is wrong with the graph's shape (E301), or clashes in it (E203); none when it has an agreement's shape."""
    from pyshacl import validate
    from rdflib import RDF, Graph, URIRef
    from rdflib.namespace import SH

    agreements = set(graph.subjects(RDF.type, URIRef(ODRL + "Agreement")))
    if len(agreements) != 1:
        return (
            Problem(
                code="E301",
                message=f"the document holds {len(agreements)} agreements (odrl:Agreement) instead of one",
            ),
        )
    if too_many := next((part for part in _PARTS if _count(graph, part) > _MOST), None):
        return (Problem(code="E301", message=f"the document holds more than {_MOST} of odrl:{too_many}"),)
    roles = [set(graph.objects(None, URIRef(ODRL + role))) for role in ("assigner", "assignee")]
    if both := roles[0] & roles[1]:
        # Told before the shapes see one party with two names.
        return (
            Problem(code="E208", message=f"{short(str(both.pop()))[:100]} is both licensor and licensee"),
        )
    conforms, report, _ = validate(graph, shacl_graph=_shapes(), inplace=True)
    if conforms or not isinstance(report, Graph):
        return ()
    found = set()
    for result in report.subjects(RDF.type, SH.ValidationResult):
        clash = report.value(result, SH.sourceConstraint) == URIRef(AML + "Clash")
        value = report.value(result, SH.value) if clash else None
        message = str(report.value(result, SH.resultMessage))
        found.add(("E203", f"{message}: {short(str(value))}") if clash else ("E301", message))
    return tuple(Problem(code=code, message=message) for code, message in sorted(found))


def _count(graph: "Graph", part: str) -> int:
    from rdflib import URIRef

    return sum(1 for _ in graph.triples((None, URIRef(ODRL + part), None)))


@cache
def _shapes() -> "Graph":
    from rdflib import Graph

    return Graph().parse(_SHAPES, format="turtle")
