# SPDX-License-Identifier: Apache-2.0
"""JSON-LD from people one does not trust, as a graph: bounded, without the network, and with nothing lost on the way.

JSON-LD lets a document lose words in silence: keys no context defines, nulls, repeated keys, graphs beside the graph.
Here each of these is an error or a triple.
"""

import json
import logging
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NoReturn

from contracts.documents import parse_json
from registry.licensing.problems import LicenceRefused, Problem
from registry.licensing.profile import ODRL_CONTEXTS, odrl_context

if TYPE_CHECKING:
    from rdflib import Graph

UNDEFINED = "urn:exequatur:undefined:"
"""Namespace of the words a document uses and defines nowhere."""
_RELATIVE = "urn:exequatur:relative"

_LONGEST = 262_144
_DEEPEST = 24
_MOST_VALUES = 10_000
_MOST_TERMS = 1_000

_NOT_IN_IRIS = re.compile(r'[<>"{}|^`\\\x00-\x20]')
_NODE = {"@id", "@type", "@graph"}
_ALONE = ({"@list"}, {"@set"}, {"@value"}, {"@value", "@type"}, {"@value", "@language"})
_TERM = {"@id", "@type", "@container"}
_COERCIONS = {"@id", "@vocab", "@none"}


def graph_of(document: Mapping[str, object] | str) -> "Graph":
    """The triples of a document; raises `LicenceRefused` (E301, E302) for what is not JSON-LD this profile reads."""
    value = _json(document)
    contexts: list[dict[str, object]] = []
    if isinstance(value, dict) and "@context" in value:
        contexts = list(_contexts(value["@context"]))
        value = value | {"@context": contexts}
    _check(value, _names_of_id(contexts))
    return _parsed(value)


def _json(document: Mapping[str, object] | str) -> object:
    try:
        text = document if isinstance(document, str) else json.dumps(document)
        if len(text) > _LONGEST:
            _refuse(f"the document is longer than {_LONGEST} characters")
        parse_json(text)  # refuses what nests too deep for the parser below
        value: object = json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
        json.dumps(value, ensure_ascii=False).encode()  # refuses half characters, which escapes can write
        return value
    except (ValueError, TypeError, RecursionError) as error:
        raise LicenceRefused(
            (Problem(code="E301", message=f"the document is not JSON: {str(error)[:200]}"),)
        ) from error


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    said = dict(pairs)
    if len(said) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"“{twice[:80]}” is there twice in one object")
    return said


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number")


def _names_of_id(contexts: list[dict[str, object]]) -> frozenset[str]:
    aliases = {
        term for context in contexts for term, meaning in context.items() if meaning in ("@id", "@type")
    }
    for context in contexts:
        for term, meaning in context.items():
            if (meaning.get("@id") if isinstance(meaning, dict) else meaning) in aliases:
                _refuse(
                    f"the context defines “{term[:80]}” by another name of a JSON-LD keyword", code="E302"
                )
    return frozenset({"@id"} | {term for context in contexts for term, to in context.items() if to == "@id"})


def _check(root: object, ids: frozenset[str]) -> None:
    if not isinstance(root, dict | list):
        _refuse("the document is neither an object nor a list of objects")
    for count, (value, depth, within) in enumerate(_walk(root)):
        if count > _MOST_VALUES or depth > _DEEPEST:
            _refuse(f"the document holds more than {_MOST_VALUES} values, or nests deeper than {_DEEPEST}")
        if value is None:
            _refuse(f"“{within}” has the value null, which JSON-LD drops", "leave it out, or say what it is")
        if isinstance(value, dict):
            _check_object(value, ids, root=depth == 0)
        elif depth == 1 and isinstance(root, list):
            _refuse(f"“{str(value)[:80]}” stands at the top of the document and belongs to nothing")


def _walk(root: object) -> Iterator[tuple[object, int, str]]:
    waiting: list[tuple[object, int, str]] = [(root, 0, "")]
    while waiting:
        value, depth, within = waiting.pop()
        yield value, depth, within
        if isinstance(value, list):
            waiting += [(one, depth + 1, within) for one in value]
        elif isinstance(value, dict):
            waiting += [(one, depth + 1, key[:80]) for key, one in value.items() if key != "@context"]


def _check_object(value: dict[str, object], ids: frozenset[str], *, root: bool) -> None:
    words = {key for key in value if key.startswith("@")}
    if root:
        words -= {"@context"}
    if words & {"@list", "@set", "@value", "@language"}:
        _check_alone(value, words)
        return
    if unknown := sorted(words - _NODE):
        _refuse(f"the JSON-LD keyword “{unknown[0][:80]}” cannot stand here", code="E302")
    if "@graph" in words and (not root or set(value) - {"@context", "@graph"}):
        _refuse("a graph inside the document (@graph) cannot be read as part of the licence", code="E302")
    if blank := next((key for key in value if key.startswith("_:")), None):
        _refuse(f"“{blank[:80]}” is a property without a name", code="E302")
    _check_names([value[key] for key in ids & set(value)])
    kinds = value.get("@type", "")
    if not all(isinstance(kind, str) for kind in (kinds if isinstance(kinds, list) else [kinds])):
        _refuse("a @type is neither a text nor a list of texts")


def _check_names(named: list[object]) -> None:
    if len(named) > 1 or not all(isinstance(name, str) and name for name in named):
        _refuse("an object has two identifiers, or one that is not a text")
    if bad := next((name for name in named if _NOT_IN_IRIS.search(str(name))), None):
        _refuse(f"“{str(bad)[:80]}” is not an identifier: it holds a character that no IRI may")


def _check_alone(value: dict[str, object], words: set[str]) -> None:
    if set(value) != words or words not in _ALONE:
        extra = max(set(value) - {"@value"}, key=lambda word: not word.startswith("@"))
        _refuse(f"“{extra[:80]}” stands beside a value and would be dropped", code="E302")
    if "@value" in value and not isinstance(value["@value"], str | int | float):
        _refuse("a @value is not a text, number, true or false")
    if not all(isinstance(value.get(word, ""), str) for word in ("@type", "@language")):
        _refuse("a @type or @language of a value is not a text")


def _contexts(context: object) -> Iterator[dict[str, object]]:
    for one in context if isinstance(context, list) else [context]:
        if isinstance(one, str):
            if one not in ODRL_CONTEXTS:
                _refuse(
                    f"the context “{one[:120]}” would have to be fetched",
                    "write the context into the document; only W3C's own for ODRL is known here",
                )
            yield odrl_context()
        elif isinstance(one, dict):
            _check_context(one)
            yield one
        else:
            _refuse("a @context is neither an address nor an object")


def _check_context(context: dict[str, object]) -> None:
    if len(context) > _MOST_TERMS:
        _refuse(f"a context defines more than {_MOST_TERMS} terms")
    for term, meaning in context.items():
        if term == "@version":
            known = meaning == 1.1
        elif term == "@vocab":
            known = isinstance(meaning, str) and ":" in meaning and _is_definition(meaning)
        else:
            known = not term.startswith("@") and _is_definition(meaning)
        if not known:
            _refuse(f"the context defines “{term[:80]}” in a way that is not read here", code="E302")


def _is_definition(meaning: object) -> bool:
    texts = meaning.values() if isinstance(meaning, dict) else [meaning]
    if any(isinstance(text, str) and _NOT_IN_IRIS.search(text) for text in texts):
        return False
    if isinstance(meaning, str):
        return bool(meaning) and (not meaning.startswith(("@", "_:")) or meaning in ("@id", "@type"))
    if not isinstance(meaning, dict) or set(meaning) - _TERM:
        return False
    if not all(isinstance(one, str) for one in meaning.values()):
        return False
    kind, name = str(meaning.get("@type", "@id")), str(meaning.get("@id", "x"))
    return (
        (not kind.startswith("@") or kind in _COERCIONS)
        and bool(name)
        and not name.startswith(("@", "_:"))
        and meaning.get("@container", "@set") in ("@set", "@list")
    )


def _parsed(value: object) -> "Graph":
    from rdflib import Graph
    from rdflib.exceptions import Error

    # Ill-typed values are told to the author as problems; rdflib would also log a stack for each.
    logging.getLogger("rdflib.term").addHandler(logging.NullHandler())
    graph = Graph(bind_namespaces="none")
    try:
        graph.parse(
            data=json.dumps(value), format="json-ld", publicID=_RELATIVE, context={"@vocab": UNDEFINED}
        )
    except (
        # rdflib's reader was not written for hostile contexts, and fails as the lines it fails in do.
        ArithmeticError,
        AssertionError,
        AttributeError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
        Error,
    ) as error:
        raise LicenceRefused(
            (Problem(code="E301", message="the document is not JSON-LD that can be read"),)
        ) from error
    _require_iris(graph)
    return graph


def _require_iris(graph: "Graph") -> None:
    # The shapes' judge fails on what is none; the character class is that of SPARQL's IRIREF.
    from rdflib import Literal, URIRef

    for node in {node for triple in graph for node in triple}:
        iri = node.datatype if isinstance(node, Literal) else node
        if isinstance(iri, URIRef) and _NOT_IN_IRIS.search(iri):
            _refuse(
                f"“{iri.removeprefix(UNDEFINED)[:80]}” is not a word a licence in ODRL can hold", code="E302"
            )


def _refuse(message: str, instead: str = "", *, code: str = "E301") -> NoReturn:
    raise LicenceRefused((Problem(code=code, message=message, help=instead),))
