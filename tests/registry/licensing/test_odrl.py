# SPDX-License-Identifier: Apache-2.0
"""Licences leave as ODRL and come back the same, through other people's tools as well."""

import json
import re
from dataclasses import replace
from decimal import Decimal
from hashlib import sha256

import pytest
from hypothesis import given, settings
from rdflib import Graph, URIRef

from registry.licensing.model import Currency, Fee, Licence, Money, Span, Unit, Verb
from registry.licensing.odrl import from_odrl, to_odrl
from registry.licensing.profile import AML, ODRL, iso, span_of
from registry.licensing.reading import read
from registry.licensing.saying import say
from registry.licensing.shaping import shape_problems
from registry.licensing.vocabulary import FOLDER, places
from tests.fakes.licences import SAMPLES, licences


def _licence(text: str) -> Licence:
    licence = read(text).licence
    assert licence is not None
    return licence


def span(count: int, unit: Unit) -> Span:
    return Span(count=count, unit=unit)


ALL = {name: _licence(text) for name, text in SAMPLES.items()}
PUMP, HOSPITAL = ALL["pump"], ALL["hospital"]


def _round_trip(licence: Licence) -> None:
    document = to_odrl(licence)
    assert from_odrl(document) == licence
    assert from_odrl(json.dumps(document)) == licence


@given(licences())
@settings(max_examples=50)
def test_case_04_a_licence_comes_back_from_odrl(licence: Licence) -> None:
    _round_trip(licence)


@pytest.mark.slow
@given(licences())
@settings(max_examples=1_000)
def test_case_04_1000_licences_round_trip_in_odrl(licence: Licence) -> None:
    assert from_odrl(to_odrl(licence)) == licence


@pytest.mark.parametrize("name", ALL)
def test_case_05_a_sample_has_the_shape_and_comes_back(name: str) -> None:
    document = to_odrl(ALL[name])
    assert shape_problems(_graph(document)) == ()
    assert from_odrl(document) == ALL[name]


@pytest.mark.parametrize("name", ALL)
def test_case_05_a_sample_comes_back_from_turtle(name: str) -> None:
    turtle = _graph(to_odrl(ALL[name])).serialize(format="turtle")
    again = Graph().parse(data=turtle, format="turtle").serialize(format="json-ld")
    assert from_odrl(again) == ALL[name]


@given(licences())
@settings(max_examples=25)
def test_case_05_any_licence_comes_back_through_turtle(licence: Licence) -> None:
    turtle = _graph(to_odrl(licence)).serialize(format="turtle")
    again = Graph().parse(data=turtle, format="turtle").serialize(format="json-ld")
    assert from_odrl(again) == licence


def test_case_05_with_a_context_of_its_serialiser_it_comes_back() -> None:
    graph = _graph(to_odrl(HOSPITAL))
    context = {"o": ODRL, "aml": AML, "xsd": "http://www.w3.org/2001/XMLSchema#"}
    text = graph.serialize(format="json-ld", context=context)
    assert "o:permission" in text
    assert from_odrl(text) == HOSPITAL
    assert from_odrl(graph.serialize(format="json-ld", auto_compact=True)) == HOSPITAL


def test_an_agreement_is_named_by_the_digest_of_its_words() -> None:
    for licence in ALL.values():
        digest = sha256(say(licence).encode()).hexdigest()
        assert to_odrl(licence)["uid"] == f"urn:exequatur:licence:0x{digest}"


@pytest.mark.parametrize(
    "amount", ["1", "100", "0.000000000000000001", "999999999999.123456789012345678", "48000.00"]
)
def test_amounts_come_back_to_the_last_digit(amount: str) -> None:
    price = Money(amount=Decimal(amount), currency=Currency.ETH)
    assert from_odrl(to_odrl(replace(PUMP, fee=Fee(price=price)))).fee == Fee(price=price)


def test_zeros_at_the_end_are_not_decimals() -> None:
    text = json.dumps(to_odrl(HOSPITAL)).replace('"48000"', '"48000.0000"')
    assert "48000.0000" in text
    assert from_odrl(text) == HOSPITAL


def test_w3c_context_is_known_without_the_network() -> None:
    document = to_odrl(PUMP)
    document["@context"] = ["http://www.w3.org/ns/odrl.jsonld", {"aml": AML, "xsd": _XSD}]
    assert from_odrl(document) == PUMP


def test_lists_without_order_are_read_in_one_order() -> None:
    document = to_odrl(replace(PUMP, territory=("Germany", "Austria")))
    text = json.dumps(document)
    german, austrian = (json.dumps({"@id": places()[name].iri}) for name in ("Germany", "Austria"))
    ordered = f'{{"@list": [{german}, {austrian}]}}'
    assert ordered in text
    for unordered in (f"[{german}, {austrian}]", f"[{austrian}, {german}]"):
        assert from_odrl(text.replace(ordered, unordered)).territory == ("Austria", "Germany")


def test_what_is_derived_is_said_and_not_read_back() -> None:
    document = to_odrl(replace(PUMP, forbidden=(Verb.EXTRACT,)))
    assert "must not distil it either" in json.dumps(document["aml:derived"])
    licence = from_odrl(document)
    assert licence.forbidden == (Verb.EXTRACT,)
    assert from_odrl(document | {"aml:derived": "anything", "uid": "urn:example:another"}) == licence


def test_the_author_s_units_survive() -> None:
    text = json.dumps(to_odrl(PUMP))
    assert all(f'"{duration}"' in text for duration in ("PT24H", "P26W", "P24M", "PT0H"))
    assert '"P3Y"' in json.dumps(to_odrl(HOSPITAL))


@pytest.mark.parametrize("unit", Unit)
def test_a_span_is_read_as_written(unit: Unit) -> None:
    assert span_of(iso(span(52, unit))) == span(52, unit)


@pytest.mark.parametrize(
    "text", ["", "P", "P1", "PT", "24H", "P24H", "PT3D", "P1DT2H", "P1.5D", "-P1D", "P１D", " P1D"]
)
def test_other_durations_are_nospan(text: str) -> None:
    assert span_of(text) is None


def test_every_term_of_an_export_is_defined() -> None:
    defined = {str(subject) for subject in Graph().parse(FOLDER / "profile.ttl").subjects()}
    vendored = {str(value) for value in json.loads((FOLDER / "odrl.json").read_text()).values()}
    everything = replace(HOSPITAL, resale=True, packs=PUMP.packs, forbidden=tuple(Verb))
    for triple in _graph(to_odrl(everything)):
        for node in triple:
            name = str(node)
            if isinstance(node, URIRef) and name.startswith(AML):
                assert name in defined
            if isinstance(node, URIRef) and name.startswith(ODRL):
                assert f"odrl:{name.removeprefix(ODRL)}" in re.findall(r"odrl:\w+", str(vendored) + _CONTEXT)


_XSD = "http://www.w3.org/2001/XMLSchema#"
_CONTEXT = (FOLDER / "odrl.json").read_text(encoding="utf-8")


def _graph(document: dict[str, object]) -> Graph:
    return Graph().parse(data=json.dumps(document), format="json-ld")
