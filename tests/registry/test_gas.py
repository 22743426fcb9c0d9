# SPDX-License-Identifier: Apache-2.0
"""What each operation costs: as committed, and within what was promised."""

import json

import pytest

from tests.bench.gas import FIGURES, MUSTS, measure

TOLERANCE = 0.01


@pytest.fixture(scope="module")
def measured() -> dict[str, int]:
    """Gas by operation, on the embedded chain."""
    return measure()


def test_gas_is_as_committed(measured: dict[str, int]) -> None:
    committed = json.loads(FIGURES.read_text("utf-8"))
    assert measured.keys() == committed.keys(), "refresh with `python -m tests.bench.gas --write`"
    assert measured == pytest.approx(committed, rel=TOLERANCE)


@pytest.mark.parametrize("operation", sorted(MUSTS))
def test_gas_is_within_its_limit(measured: dict[str, int], operation: str) -> None:
    assert measured[operation] <= MUSTS[operation]
