# SPDX-License-Identifier: Apache-2.0
"""CBOR is decoded only where it is deterministic and of few items, counted before anything is built."""

import tracemalloc
from contextlib import suppress

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from enclave.evidence.cbor import decode

SMALL = st.recursive(
    st.integers(-(2**64), 2**64 - 1)
    | st.binary(max_size=300)
    | st.text(max_size=30)
    | st.booleans()
    | st.none(),
    lambda inner: (
        st.lists(inner, max_size=6)
        | st.dictionaries(st.integers(0, 99) | st.text(max_size=3), inner, max_size=5)
    ),
    max_leaves=30,
)


@given(SMALL)
def test_what_was_encoded_deterministically_is_decoded(value: object) -> None:
    raw = cbor2.dumps(value, canonical=True)
    assert decode(raw) == value
    for wrong in (raw + b"\0", raw[:-1]):
        with pytest.raises(ValueError):
            decode(wrong)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x18\x01",
        b"\x9f\xff",
        b"\x5f\x40\xff",
        b"\x5b" + b"\xff" * 8,
        b"\x82\x01",
        b"\xa2\x02\0\x01\0",
        b"\xff",
        b"\x1c",
    ],
)
def test_other_encodings_are_refused(raw: bytes) -> None:
    with pytest.raises(ValueError):
        decode(raw)


def test_items_are_counted_tags_and_pairs_too() -> None:
    assert decode(cbor2.dumps([1] * 9), most=10) == [1] * 9
    for value in ([1] * 10, {n: n for n in range(5)}, cbor2.CBORTag(1000, [1] * 9), [[]] * 10):
        raw = cbor2.dumps(value, canonical=True)
        decode(raw, most=12)
        with pytest.raises(ValueError, match="more items"):
            decode(raw, most=10)


def test_a_large_file_of_small_items_is_refused_before_it_grows() -> None:
    raw = b"\x9a\x00\xff\xff\xf0" + b"\x80" * 0xFFFFF0
    tracemalloc.start()
    with pytest.raises(ValueError):
        decode(raw)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


@given(st.binary(max_size=200))
def test_anything_is_decoded_or_refused(raw: bytes) -> None:
    with suppress(ValueError):
        assert cbor2.dumps(decode(raw), canonical=True) == raw
