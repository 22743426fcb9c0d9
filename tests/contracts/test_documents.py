# SPDX-License-Identifier: Apache-2.0
"""JSON from people one does not trust ends in a value or a `ValueError`, never in the end of the process."""

import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.documents import parse_json

VALUES = st.recursive(
    st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)


@given(VALUES)
def test_reads_what_the_standard_parser_reads(value: object) -> None:
    assert parse_json(json.dumps(value)) == value


@pytest.mark.parametrize("raw", ["[" * 100_000, '{"a":' * 50_000, b"[" * 200 + b"]" * 200, b"\xff"])
def test_s8_deep_or_broken_input_is_refused_however_high_the_recursion_limit(raw: bytes | str) -> None:
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(1_000_000)
    try:
        with pytest.raises(ValueError, match=r"deeper|decode"):
            parse_json(raw)
    finally:
        sys.setrecursionlimit(limit)


def test_brackets_in_text_do_not_count() -> None:
    value = ['[{"' * 500, "\\" * 3, ["]" * 300]]
    assert parse_json(json.dumps(value)) == value
