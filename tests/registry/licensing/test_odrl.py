# SPDX-License-Identifier: Apache-2.0
import json
import re
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rdflib import Graph, URIRef

from contracts.ids import Address, ModelId
from registry.licensing.model import (
    Attestation,
    Currency,
    Fee,
    Licence,
    Licensed,
    Money,
    OnFailure,
    Packs,
    Party,
    Span,
    Term,
    Unit,
    Verb,
)
from registry.licensing.odrl import from_odrl, to_odrl
from registry.licensing.profile import AML, ODRL, iso, span_of
from registry.licensing.shaping import shape_problems
from registry.licensing.vocabulary import FOLDER, fields, hardware, places


def _span(count: int, unit: Unit) -> Span:
    return Span(count=count, unit=unit)


PUMP = Licence(
    title="Pump Guard Edge",
    version=1,
    model=Licensed(name="pump-guard-3", model_id=ModelId(b"\x9f" * 32)),
    licensor=Party(name="Hydro Analytics GmbH", address=Address(b"\x01" * 20)),
    licensee=Party(name="Nordwerk AG", address=Address(b"\x02" * 20)),
    term=Term(start=date(2027, 1, 1), lasts=_span(24, Unit.MONTHS)),
    seats=2,
    attestation=Attestation(every=_span(24, Unit.HOURS), hardware=("Intel TDX", "TPM 2.0")),
    on_failure=OnFailure.SUSPEND,
    fee=Fee(price=Money(amount=Decimal("2.5"), currency=Currency.ETH)),
    notice=None,
    fields=("predictive maintenance",),
    territory=("Germany", "Austria", "Switzerland"),
    packs=Packs(size=1_000, price=Money(amount=Decimal("0.1"), currency=Currency.ETH)),
    forbidden=(Verb.EXTRACT, Verb.DISTIL, Verb.REDISTRIBUTE),
    audit=_span(26, Unit.WEEKS),
    law="Germany",
)
HOSPITAL = replace(
    PUMP,
    title="Lung CT Triage",
    term=Term(start=date(2027, 3, 1), lasts=_span(3, Unit.YEARS)),
    fields=("diagnostic imaging", "clinical research"),
    territory=("France", "Belgium"),
    residency=("European Economic Area",),
    fee=Fee(price=Money(amount=Decimal(48_000), currency=Currency.EUR), every=_span(52, Unit.WEEKS)),
    packs=None,
    notice=_span(30, Unit.DAYS),
)
RESELLER = replace(
    PUMP,
    title="Lexi Chat API",
    term=Term(start=None, lasts=_span(365, Unit.DAYS)),
    fields=("customer support",),
    territory=("United Kingdom", "Ireland", "India"),
    resale=True,
    attestation=Attestation(every=_span(6, Unit.HOURS), hardware=("NVIDIA H100 CC",)),
    on_failure=OnFailure.REMOVE,
    fee=None,
    audit=None,
    law="",
)
ALL = {"pump": PUMP, "hospital": HOSPITAL, "reseller": RESELLER}

_names = st.text(
    st.characters(categories=["L", "N", "P", "S", "Zs"], exclude_characters='"'), min_size=1, max_size=80
)
_fixed = st.builds(_span, st.integers(1, 999), st.sampled_from([Unit.HOURS, Unit.DAYS, Unit.WEEKS]))
_amounts = st.decimals(min_value="0.000000000000000001", max_value=10**9, places=18, allow_nan=False)
_money = st.builds(Money, amount=_amounts, currency=st.sampled_from(Currency))


def _some(known: object) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(sorted(known)), unique=True, max_size=4).map(tuple)


@st.composite
def licences(draw: st.DrawFn) -> Licence:
    whom = draw(st.lists(st.binary(min_size=20, max_size=20), min_size=2, max_size=2, unique=True))
    return Licence(
        title=draw(_names),
        version=draw(st.integers(1, 10**6)),
        model=Licensed(
            name=draw(_names),
            model_id=ModelId(draw(st.binary(min_size=32, max_size=32))),
            lowest_version=draw(st.integers(1, 99)),
        ),
        licensor=Party(name=draw(_names), address=Address(whom[0])),
        licensee=Party(name=draw(_names), address=Address(whom[1])),
        term=Term(
            start=draw(st.none() | st.dates(date(1970, 1, 1), date(9000, 1, 1))),
            lasts=draw(st.builds(_span, st.integers(1, 999), st.sampled_from(Unit))),
        ),
        seats=draw(st.integers(1, 10**6)),
        attestation=Attestation(every=draw(_fixed), hardware=draw(_some(hardware()))),
        on_failure=draw(st.sampled_from(OnFailure)),
        fee=draw(st.none() | st.builds(Fee, price=_money, every=st.none() | _fixed)),
        notice=draw(st.none() | _fixed),
        fields=draw(_some(fields())),
        territory=draw(_some(places())),
        residency=draw(_some(places())),
        resale=draw(st.booleans()),
        packs=draw(st.none() | st.builds(Packs, size=st.integers(1, 10**9), price=_money)),
        forbidden=tuple(draw(st.lists(st.sampled_from(Verb), unique=True))),
        audit=draw(st.none() | _fixed),
        law=draw(st.just("") | st.sampled_from(sorted(places()))),
    )


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
    assert span_of(iso(_span(52, unit))) == _span(52, unit)


@pytest.mark.parametrize(
    "text", ["", "P", "P1", "PT", "24H", "P24H", "PT3D", "P1DT2H", "P1.5D", "-P1D", "P１D", " P1D"]
)
def test_other_durations_are_no_span(text: str) -> None:
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
