# SPDX-License-Identifier: Apache-2.0
"""The contract of a licence does on a chain what its net allows, and nothing else, wherever the net can come."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from registry.licensing.model import Licence
from registry.licensing.reading import read
from tests.fakes.grounds import Ground, ground
from tests.fakes.licences import SAMPLES, licences
from tests.fakes.made import creations
from tests.fakes.walking import out_of_time, walk

pytestmark = [pytest.mark.anvil, pytest.mark.forge]
_MANY = 50


@pytest.fixture(scope="module")
def field() -> Iterator[Ground]:
    with ground() as made:
        yield made


@pytest.fixture(scope="module")
def samples(field: Ground) -> dict[str, tuple[Licence, bytes]]:
    """The samples, for this ground's model, with their code."""
    said = [read(text).licence for text in SAMPLES.values()]
    fitted = [field.fitted(licence) for licence in said if licence is not None]
    return dict(zip(SAMPLES, zip(fitted, creations(fitted), strict=True), strict=True))


@pytest.mark.parametrize("name", SAMPLES)
def test_case_01_samples_do_on_chain_what_their_nets_allow(
    name: str, field: Ground, samples: dict[str, tuple[Licence, bytes]]
) -> None:
    licence, creation = samples[name]
    walked = walk(field, licence, creation)
    assert not walked.left_out, "every row is made"
    assert walked.questions > 1_000


@pytest.mark.slow
def test_case_04_fifty_random_licences_walk(field: Ground) -> None:
    drawn = [field.fitted(licence) for licence in _drawn(_MANY)]
    made = creations(drawn)
    for licence, creation in zip(drawn, made, strict=True):
        walked = walk(field, licence, creation)
        assert all(out_of_time(licence, move) for move in walked.left_out), licence


def _drawn(count: int) -> list[Licence]:
    """The same random licences every time, whose nets keep every promise."""
    found: list[Licence] = []

    @seed(20)
    @settings(
        max_examples=2 * count,
        phases=[Phase.generate],
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(licences())
    def draw(drawn: Licence) -> None:
        found.append(drawn)

    draw()
    return found[-count:]
