# SPDX-License-Identifier: Apache-2.0
"""Deterministic CBOR (RFC 8949, section 4.2) of few items: a decoder that a small file cannot make build a large value."""

import io

import cbor2

_MOST_ITEMS = 4096
_LONGEST, _DEEPEST = 1 << 16, 16
_STRINGS, _ARRAY, _MAP, _TAG = (2, 3), 4, 5, 6


def decode(raw: bytes, most: int = _MOST_ITEMS) -> object:
    """What `raw` encodes; `ValueError` for anything that is not its one deterministic encoding, or has more items.

    Counted before anything is built: 16 MiB of empty arrays are a gigabyte of objects.
    """
    _count(raw, most)
    try:
        value = cbor2.loads(raw)
        again = cbor2.dumps(value, canonical=True)
    except Exception as error:  # cbor2 raises many kinds on hostile input
        raise ValueError("not CBOR") from error
    if again != raw:
        raise ValueError("not deterministic CBOR")
    return value


def whole(raw: bytes, longest: int = _LONGEST) -> object:
    """What `raw` encodes, in whatever encoding its maker chose; `ValueError` where a key is there twice or bytes are left.

    For the formats of others, which are small: `longest` bounds what can be built from them.
    """
    if len(raw) > longest:
        raise ValueError(f"longer than {longest} bytes")
    stream = io.BytesIO(raw)
    try:
        value: object = cbor2.CBORDecoder(stream, allow_duplicate_keys=False, max_depth=_DEEPEST).decode()
    except Exception as error:  # cbor2 raises many kinds on hostile input
        raise ValueError("not CBOR") from error
    if stream.tell() != len(raw):
        raise ValueError("bytes behind the item")
    return value


def _count(raw: bytes, most: int) -> None:
    at, left = 0, 1
    for _ in range(most):
        if left == 0 or at >= len(raw):
            break
        kind, short = raw[at] >> 5, raw[at] & 31
        size = 1 << short - 24 if 24 <= short <= 27 else 0
        if short > 27:
            raise ValueError("an indefinite length")
        argument = int.from_bytes(raw[at + 1 : at + 1 + size], "big") if size else short
        at += 1 + size + (argument if kind in _STRINGS else 0)
        left += {_ARRAY: argument, _MAP: 2 * argument, _TAG: 1}.get(kind, 0) - 1
    if left or at != len(raw):
        raise ValueError("more items than are allowed, or bytes that are no item")
