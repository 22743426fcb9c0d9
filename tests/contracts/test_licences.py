# SPDX-License-Identifier: Apache-2.0
"""What Python knows of compiled licences is what their interface says."""

import re
from dataclasses import fields, replace
from enum import IntEnum
from pathlib import Path

import pytest

from contracts.ids import Digest, ModelId
from contracts.licences import LicenceRefusal, LicenceStanding, LicenceState, LicenceTerms
from registry.chain.abi import interface

SOURCE = Path(__file__).resolve().parents[2] / "contracts" / "src" / "interfaces" / "ICompiledLicence.sol"
TERMS = LicenceTerms(
    model_id=ModelId(bytes(32)),
    lowest_version=1,
    start=0,
    end=0,
    length=3_600,
    seats=1,
    every=3_600,
    removes=False,
    kinds=0,
    places=(0, 0, 0, 0),
    period=0,
    price=0,
    notice=0,
    pack=0,
    pack_price=0,
    text=Digest(bytes(32)),
)


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


@pytest.mark.parametrize(
    ("function", "mirror"), [("terms", LicenceTerms), ("standing", LicenceStanding)], ids=str
)
def test_a_struct_has_the_fields_of_the_interface(function: str, mirror: type) -> None:
    (struct,) = interface("ICompiledLicence").functions[function].outputs
    assert [f.name for f in fields(mirror)] == [_snake(part.name) for part in struct.parts]


@pytest.mark.parametrize(("name", "mirror"), [("State", LicenceState), ("Refusal", LicenceRefusal)])
def test_an_enum_has_the_members_of_the_interface(name: str, mirror: type[IntEnum]) -> None:
    found = re.search(rf"enum {name} {{(.*?)}}", SOURCE.read_text("utf-8"), re.DOTALL)
    assert found is not None
    members = [_snake(member.strip()).upper() for member in found[1].split(",")]
    assert [(member.name, member.value) for member in mirror] == [(n, i) for i, n in enumerate(members)]


def test_places_are_bits_the_lowest_256_first() -> None:
    assert TERMS.covers(0)
    assert TERMS.covers(65_535)
    assert TERMS.codes() == ()
    some = replace(TERMS, places=(1 << 40, 1 << 20, 0, 1 << 255))
    assert some.codes() == (40, 276, 1023)
    assert not some.covers(0)
    assert not some.covers(1024 + 40)
