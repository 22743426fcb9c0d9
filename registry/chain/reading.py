# SPDX-License-Identifier: Apache-2.0
"""JSON-RPC words, read strictly: quantities, byte strings, blocks."""

from contracts.errors import MalformedId
from contracts.ids import Digest
from registry.chain.transport import Json
from registry.chain.view import Block
from registry.errors import ChainUnavailable


def table(value: Json) -> dict[str, Json]:
    """A JSON object."""
    if isinstance(value, dict):
        return value
    raise _unreadable("an object", value)


def rows(value: Json) -> list[Json]:
    """A JSON array."""
    if isinstance(value, list):
        return value
    raise _unreadable("an array", value)


def quantity(value: Json) -> int:
    """A quantity: `0x` and hex digits."""
    try:
        if isinstance(value, str) and value.startswith("0x"):
            return int(value, 16)
    except ValueError:
        pass
    raise _unreadable("a quantity", value)


def octets(value: Json) -> bytes:
    """A byte string: `0x` and pairs of hex digits."""
    try:
        if isinstance(value, str) and value.startswith("0x"):
            return bytes.fromhex(value[2:])
    except ValueError:
        pass
    raise _unreadable("a byte string", value)


def digest(value: Json) -> Digest:
    """A 32-byte hash."""
    try:
        return Digest(octets(value))
    except MalformedId as error:
        raise _unreadable("a hash", value) from error


def block(value: Json) -> Block:
    """A block header."""
    header = table(value)
    return Block(
        number=quantity(header.get("number")),
        hash=digest(header.get("hash")),
        timestamp=quantity(header.get("timestamp")),
    )


def _unreadable(wanted: str, value: Json) -> ChainUnavailable:
    return ChainUnavailable(f"the node sent {str(value)[:60]!r} where {wanted} belongs", where="json-rpc")
