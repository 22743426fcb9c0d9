# SPDX-License-Identifier: Apache-2.0
"""Chains and scenes for these tests."""

from collections.abc import Iterator

import pytest

from registry.chain.dev import DevChain
from tests.fakes.chains import KINDS, fresh
from tests.fakes.scenes import Scene, prepared


@pytest.fixture(params=KINDS)
def chain(request: pytest.FixtureRequest) -> Iterator[DevChain]:
    """An embedded chain, and anvil."""
    with fresh(request.param) as chain:
        yield chain


@pytest.fixture
def embedded_chain() -> Iterator[DevChain]:
    """The embedded chain only."""
    with fresh("embedded") as chain:
        yield chain


@pytest.fixture
def anvil_chain() -> Iterator[DevChain]:
    """anvil only; tests that use it carry the marker."""
    with fresh("anvil") as chain:
        yield chain


@pytest.fixture(params=KINDS)
def story(request: pytest.FixtureRequest) -> Iterator[Scene]:
    """A model, its policy and its licence on either chain."""
    with prepared(request.param) as story:
        yield story


@pytest.fixture
def embedded_story() -> Iterator[Scene]:
    """The same on the embedded chain only."""
    with prepared("embedded") as story:
        yield story
