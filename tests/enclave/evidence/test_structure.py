# SPDX-License-Identifier: Apache-2.0
"""Tokens changed item by item and signed again are refused with an error of ours, or read (S8)."""

from itertools import product

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


def test_decisions_leave_out_add_cut_and_replace() -> None:
    value = {1: b"ab", 2: 3}
    programs = [bytes(p) for p in product(range(8), range(2), range(8), range(3))]
    found = [changed(value, Decisions(program)) for program in programs]
    for expected in ({2: 3}, {1: b"ab", 2: 3, 0: 3}, {1: b"a", 2: 3}, 1 << 40_000):
        assert expected in found
