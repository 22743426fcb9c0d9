# SPDX-License-Identifier: Apache-2.0
"""The names a licence may use, as the SKOS files list them, and their table for quick reading."""

import re
import subprocess
import sys
import unicodedata
from collections import Counter
from itertools import chain

import pytest

from enclave.evidence.kinds import Kind
from registry.licensing import vocabulary
from registry.licensing.vocabulary import FOLDER, aliases, fields, hardware, names_by_iri, places


def _countries() -> dict[str, int]:
    return {
        name: next(iter(place.codes))
        for name, place in places().items()
        if re.fullmatch(r"urn:exequatur:place:\d{3}", place.iri)
    }


def test_the_index_is_what_the_files_say() -> None:
    written = FOLDER.joinpath("index.json").read_text(encoding="utf-8")
    assert vocabulary._index() == vocabulary.derived(), "run: python -m registry.licensing.vocabulary"
    assert written.endswith("\n}\n")


def test_names_cost_no_rdf_library() -> None:
    script = (
        "import sys; from registry.licensing import vocabulary as v; "
        "v.places(), v.hardware(), v.fields(), v.aliases(); print('rdflib' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "False"


def test_every_country_of_iso_3166_is_there_once() -> None:
    countries = _countries()
    assert len(countries) == len(set(countries.values())) == 249
    assert all(0 < code < 900 for code in countries.values())
    for name, code in countries.items():
        assert places()[name].iri.endswith(f":{code:03}")


def test_every_country_has_a_two_letter_code_of_its_own() -> None:
    text = FOLDER.joinpath("places.ttl").read_text(encoding="utf-8")
    letters = re.findall(r'"([A-Z]{2})"\^\^aml:Alpha2', text)
    assert len(letters) == len(set(letters)) == 249


@pytest.mark.parametrize(
    ("name", "code", "article"),
    [
        ("Germany", 276, False),
        ("Austria", 40, False),
        ("Switzerland", 756, False),
        ("France", 250, False),
        ("United Kingdom", 826, True),
        ("United States", 840, True),
        ("Netherlands", 528, True),
        ("Ireland", 372, False),
        ("India", 356, False),
        ("Namibia", 516, False),
        ("Norway", 578, False),
    ],
)
def test_a_country_has_its_number_and_its_article(name: str, code: int, article: bool) -> None:
    assert places()[name].codes == {code}
    assert places()[name].article is article


@pytest.mark.parametrize(
    ("region", "count", "has", "has_not"),
    [
        ("European Union", 27, "Croatia", "United Kingdom"),
        ("European Economic Area", 30, "Norway", "Switzerland"),
        ("European Free Trade Association", 4, "Switzerland", "France"),
        ("Group of Seven", 7, "Japan", "China"),
        ("Africa", 60, "Namibia", "Spain"),
        ("Americas", 57, "Brazil", "Spain"),
        ("Asia", 51, "Taiwan", "Australia"),
        ("Europe", 51, "Switzerland", "Türkiye"),
        ("Oceania", 29, "Fiji", "Indonesia"),
    ],
)
def test_a_region_is_its_countries(region: str, count: int, has: str, has_not: str) -> None:
    codes = places()[region].codes
    assert len(codes) == count
    assert places()[has].codes <= codes
    assert not places()[has_not].codes & codes
    assert codes <= set(_countries().values())


def test_continents_hold_every_country_but_antarctica_once() -> None:
    counted = Counter(
        chain.from_iterable(
            places()[name].codes for name in ("Africa", "Americas", "Asia", "Europe", "Oceania")
        )
    )
    assert set(counted.values()) == {1}
    assert set(_countries().values()) - set(counted) == {10}


def test_hardware_has_the_bits_and_labels_of_evidence() -> None:
    text = FOLDER.joinpath("hardware.ttl").read_text(encoding="utf-8")
    told = {(kind, int(bit)) for bit, kind in re.findall(r'skos:notation (\d+) ; aml:kind "([^"]+)"', text)}
    assert told == {(kind.label, kind.bit) for kind in Kind}


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("Intel TDX", {Kind.TDX}),
        ("TPM 2.0", {Kind.TPM}),
        ("AMD SEV-SNP", {Kind.SNP}),
        ("NVIDIA H100 CC", {Kind.NVIDIA_GPU}),
        ("Ascend NPU", {Kind.ASCEND}),
        ("Confidential VM", {Kind.TDX, Kind.SNP, Kind.AZURE, Kind.CCA, Kind.VIRTCCA}),
    ],
)
def test_a_marketing_name_means_technologies(name: str, kinds: set[Kind]) -> None:
    assert hardware()[name].kinds == sum(1 << kind.bit for kind in kinds)


def test_fields_of_use_carry_their_flags() -> None:
    assert len(fields()) > 60
    imaging = fields()["diagnostic imaging"]
    assert (imaging.health, imaging.biometric, imaging.high_risk) == (True, False, True)
    research = fields()["clinical research"]
    assert (research.health, research.high_risk) == (True, False)
    face = fields()["face recognition"]
    assert (face.biometric, face.high_risk) == (True, True)
    for plain in (
        "predictive maintenance",
        "customer support",
        "bearing fault detection",
        "condition monitoring",
    ):
        field = fields()[plain]
        assert (field.health, field.biometric, field.high_risk) == (False, False, False)


def test_no_two_things_share_a_name_or_iri() -> None:
    everything = [*places().values(), *hardware().values(), *fields().values()]
    assert len({entry.name.casefold() for entry in everything}) == len(everything)
    assert len(names_by_iri()) == len(everything)


def test_other_words_lead_to_a_name_and_are_none() -> None:
    names = {*places(), *hardware(), *fields()}
    assert aliases()["Turkey"] == "Türkiye"
    assert aliases()["USA"] == "United States"
    assert set(aliases().values()) <= names
    assert not set(aliases()) & names


def test_every_name_can_stand_in_a_sentence() -> None:
    for name in (*places(), *hardware(), *fields()):
        assert name == unicodedata.normalize("NFC", name)
        assert 1 <= len(name) <= 80
        assert not set(name) & set('",()\n')
    for name in places():
        assert name[0].isupper()
