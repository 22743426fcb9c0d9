# SPDX-License-Identifier: Apache-2.0
"""A licence said in words reads back as the same licence."""

import pytest
from hypothesis import HealthCheck, given, settings

from registry.licensing.model import Licence
from registry.licensing.reading import read
from registry.licensing.saying import say
from tests.fakes.licences import SAMPLES, licences

_PATIENT = settings(deadline=None, suppress_health_check=list(HealthCheck))


def read_back(licence: Licence) -> Licence | None:
    text = say(licence)
    reading = read(text)
    assert reading.licence is not None, (text, [one.told() for one in reading.problems])
    assert say(reading.licence) == text
    return reading.licence


@pytest.mark.parametrize("name", SAMPLES)
def test_case_03_a_sample_said_again_reads_as_the_same_licence(name: str) -> None:
    licence = read(SAMPLES[name]).licence
    assert licence is not None
    assert read_back(licence) == licence


@settings(_PATIENT, max_examples=200)
@given(licence=licences())
def test_any_licence_said_reads_back_as_the_same(licence: Licence) -> None:
    assert read_back(licence) == licence


@pytest.mark.slow
@settings(_PATIENT, max_examples=1_000)
@given(licence=licences())
def test_case_04_1000_licences_round_trip_in_words(licence: Licence) -> None:
    assert read_back(licence) == licence
