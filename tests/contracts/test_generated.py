# SPDX-License-Identifier: Apache-2.0
"""The licences that the Solidity tests live through are those that are printed today.

After a change of the template: `python -m tests.fakes.generated`.
"""

import pytest

from tests.fakes.generated import HERE, printed


@pytest.mark.parametrize("name", sorted(printed()))
def test_checked_in_licence_is_the_printed_one(name: str) -> None:
    assert (HERE / name).read_text("utf-8") == printed()[name]
