# SPDX-License-Identifier: Apache-2.0
"""One desk for the whole folder; each attack gets it as it was."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.fakes.chains import fresh
from tests.fakes.desk import Desk


@pytest.fixture(scope="package")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with fresh("embedded") as chain:
        yield Desk.open(chain, tmp_path_factory.mktemp("desk"))


@pytest.fixture
def desk(opened: Desk) -> Iterator[Desk]:
    before = opened.chain.snapshot()
    yield replace(opened)
    opened.chain.revert(before)
