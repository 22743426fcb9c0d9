# SPDX-License-Identifier: Apache-2.0
"""Tokens changed item by item and signed again are refused with an error of ours, or read (S8)."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.structure import Decisions, changed, readers

READERS = dict(readers())


@pytest.mark.parametrize("kind", READERS, ids=lambda kind: kind.label)
@settings(max_examples=100, deadline=None)
@given(decisions=st.binary(max_size=24))
def test_s8_a_token_with_a_part_changed_ends_in_an_error_of_ours(kind: object, decisions: bytes) -> None:
    READERS[kind](decisions)  # type: ignore[index]


def test_decisions_reach_every_part() -> None:
    value = {1: [b"ab", "cd"], 2: 3}
    found = {
        repr(changed(value, Decisions(bytes([a, b, c, d]))))
        for a in range(8)
        for b in range(2)
        for c in range(8)
        for d in range(3)
    }
    assert {repr({2: 3}), repr({1: [b"ab", "cd"]})} <= found  # left out
    assert any("b'ab'" not in one and "2: 3" in one for one in found)
