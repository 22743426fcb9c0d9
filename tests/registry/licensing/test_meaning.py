# SPDX-License-Identifier: Apache-2.0
"""What follows from a licence beyond its words: each rule where it speaks, and where it is silent."""

import subprocess
import sys
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from contracts.ids import Address, ModelId
from registry.licensing.meaning import Meaning, countries, meaning
from registry.licensing.model import (
    Attestation,
    Currency,
    Fee,
    Licence,
    Licensed,
    Money,
    OnFailure,
    Party,
    Span,
    Term,
    Unit,
    Verb,
)
from registry.licensing.reading import read
from registry.licensing.report import check
from registry.licensing.vocabulary import hardware, places
from tests.fakes.licences import SAMPLES

PLAIN = Licence(
    title="Pump Guard Edge",
    version=1,
    model=Licensed(name="pump-guard-3", model_id=ModelId(b"\x9f" * 32)),
    licensor=Party(name="Hydro Analytics GmbH", address=Address(b"\x01" * 20)),
    licensee=Party(name="Nordwerk AG", address=Address(b"\x02" * 20)),
    term=Term(start=date(2027, 1, 1), lasts=Span(count=24, unit=Unit.MONTHS)),
    seats=2,
    attestation=Attestation(every=Span(count=24, unit=Unit.HOURS)),
    on_failure=OnFailure.SUSPEND,
    fee=Fee(price=Money(amount=Decimal("2.5"), currency=Currency.ETH)),
    notice=None,
    fields=("predictive maintenance",),
)
AUDIT = Span(count=26, unit=Unit.WEEKS)


def _codes(found: Meaning) -> list[str]:
    return [problem.code for problem in found.problems]


def test_a_plain_licence_means_what_it_says() -> None:
    assert meaning(PLAIN) == Meaning(problems=(), words=(), because=(), places=frozenset(), kinds=0)


def test_a_region_is_its_countries() -> None:
    found = meaning(replace(PLAIN, territory=("European Economic Area", "Switzerland")))
    assert found.places == places()["European Economic Area"].codes | {756}
    assert len(found.places) == 31
    assert "the European Economic Area is 30 countries: Austria, Belgium, " in found.because[0]


def test_a_country_needs_no_explanation() -> None:
    found = meaning(replace(PLAIN, territory=("Germany", "United Kingdom")))
    assert found.places == {276, 826}
    assert found.because == ()


def test_case_13_territory_outside_residency_is_refused_at_its_word() -> None:
    found = meaning(
        replace(PLAIN, territory=("France", "Switzerland"), residency=("European Economic Area",))
    )
    assert _codes(found) == ["E204", "W604"]
    assert found.words[0] == "Switzerland"
    assert found.problems[0].fatal
    assert found.problems[0].length == len("Switzerland")
    assert "Switzerland lies outside the European Economic Area" in found.problems[0].message


def test_case_13_territory_inside_residency_is_accepted() -> None:
    found = meaning(replace(PLAIN, territory=("France", "Norway"), residency=("European Economic Area",)))
    assert _codes(found) == ["W604"]
    assert found.places == {250, 578}


def test_case_13_of_a_region_only_what_lies_outside_is_named() -> None:
    found = meaning(replace(PLAIN, territory=("European Economic Area",), residency=("European Union",)))
    assert _codes(found) == ["E204", "W604"]
    assert (
        "the European Economic Area (Iceland, Liechtenstein, Norway) lies outside"
        in found.problems[0].message
    )


def test_places_with_nothing_in_common_are_all_refused() -> None:
    found = meaning(replace(PLAIN, territory=("India", "Japan"), residency=("Germany",)))
    assert _codes(found)[:2] == ["E204", "E204"]
    assert found.words[:2] == ("India", "Japan")
    assert found.places == frozenset()


def test_residency_alone_limits_where_a_node_stands() -> None:
    found = meaning(replace(PLAIN, residency=("France", "Belgium")))
    assert found.places == {250, 56}
    assert _codes(found) == ["W604"]
    assert "although no territory is said" in found.because[0]


def test_a_residency_wider_than_the_territory_takes_nothing_away() -> None:
    found = meaning(replace(PLAIN, territory=("France",), residency=("Europe",)))
    assert found.places == {250}


def test_no_place_no_warning_of_endorsement() -> None:
    assert "W604" not in _codes(meaning(PLAIN))
    assert "W604" in _codes(meaning(replace(PLAIN, territory=("France",))))


def test_what_is_extracted_by_asking_is_derived() -> None:
    found = meaning(replace(PLAIN, forbidden=(Verb.EXTRACT,)))
    assert len(found.because) == 1
    assert "must not distil it either" in found.because[0]


@pytest.mark.parametrize("forbidden", [(Verb.EXTRACT, Verb.DISTIL), (Verb.BENCHMARK,), ()])
def test_nothing_is_derived_where_it_is_said_or_not_implied(forbidden: tuple[Verb, ...]) -> None:
    assert meaning(replace(PLAIN, forbidden=forbidden)).because == ()


@pytest.mark.parametrize(
    ("field", "kind"), [("clinical research", "health"), ("fingerprint recognition", "biometric")]
)
def test_sensitive_data_without_residency_is_warned_of(field: str, kind: str) -> None:
    found = meaning(replace(PLAIN, fields=(field,)))
    assert _codes(found) == ["W611"]
    assert kind in found.problems[0].message
    assert found.words == (f'"{field}"',)
    assert not found.problems[0].fatal


def test_sensitive_data_with_residency_is_not_warned_of() -> None:
    found = meaning(replace(PLAIN, fields=("clinical research",), residency=("France",)))
    assert "W611" not in _codes(found)


def test_a_high_risk_field_without_audit_is_warned_of() -> None:
    assert _codes(meaning(replace(PLAIN, fields=("recruitment",)))) == ["W613"]


def test_a_high_risk_field_with_audit_is_not_warned_of() -> None:
    assert _codes(meaning(replace(PLAIN, fields=("recruitment",), audit=AUDIT))) == []


def test_each_field_is_judged_for_itself() -> None:
    found = meaning(replace(PLAIN, fields=("diagnostic imaging", "translation", "clinical research")))
    assert _codes(found) == ["W611", "W613", "W611"]


@pytest.mark.parametrize(
    ("verb", "told"),
    [
        (Verb.REDISTRIBUTE, "the model stays on the licensed nodes"),
        (Verb.SUBLICENSE, "no rights of their own"),
    ],
)
def test_serving_customers_and_not_passing_on_are_consistent_and_explained(verb: Verb, told: str) -> None:
    found = meaning(replace(PLAIN, resale=True, forbidden=(verb,)))
    assert found.problems == ()
    assert told in found.because[0]


def test_without_customers_there_is_nothing_to_explain() -> None:
    assert meaning(replace(PLAIN, forbidden=(Verb.REDISTRIBUTE, Verb.SUBLICENSE))).because == ()
    assert meaning(replace(PLAIN, resale=True)).because == ()


def test_hardware_is_a_union_of_technologies() -> None:
    found = meaning(replace(PLAIN, attestation=replace(PLAIN.attestation, hardware=("Intel TDX", "TPM 2.0"))))
    assert found.kinds == hardware()["Intel TDX"].kinds | hardware()["TPM 2.0"].kinds
    assert found.because == ()


def test_a_model_of_a_technology_is_said_to_be_any_of_it() -> None:
    found = meaning(replace(PLAIN, attestation=replace(PLAIN.attestation, hardware=("NVIDIA H100 CC",))))
    assert found.kinds == hardware()["NVIDIA GPU"].kinds
    assert "any NVIDIA GPU counts as “NVIDIA H100 CC”" in found.because[0]


def test_countries_of_nothing_are_none() -> None:
    assert countries(()) == frozenset()


def test_meaning_needs_no_rdf() -> None:
    script = (
        "import sys, registry.licensing.meaning; print('rdflib' in sys.modules or 'pyshacl' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "False"


def test_case_13_the_report_points_at_the_word() -> None:
    text = SAMPLES["hospital"].replace("France and Belgium", "France and Switzerland")
    errors = check(text).errors
    assert [problem.code for problem in errors] == ["E204"]
    source = text.splitlines()[errors[0].line - 1]
    assert source[errors[0].column - 1 :][: errors[0].length] == "Switzerland"


@pytest.mark.parametrize("name", SAMPLES)
def test_the_samples_mean_nothing_wrong(name: str) -> None:
    licence = read(SAMPLES[name]).licence
    assert licence is not None
    assert set(_codes(meaning(licence))) == {"W604"}
