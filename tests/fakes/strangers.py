# SPDX-License-Identifier: Apache-2.0
"""Contracts of strangers that emit whatever they like while they are made, and hold no code afterwards."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from registry.chain.abi import encode, interface

_PUSH2, _PUSH32, _MSTORE, _LOG0, _STOP = 0x61, 0x7F, 0x52, 0xA0, 0x00
_WORD = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One log: up to four topics, and data."""

    topics: Sequence[bytes]
    data: bytes = b""


def saying(contract: str, event: str, args: Mapping[str, object]) -> Said:
    """A log that is just what a contract would emit."""
    topic, shape = next((t, s) for t, s in interface(contract).events.items() if s.name == event)
    indexed = [p for p in shape.inputs if p.indexed]
    plain = [p for p in shape.inputs if not p.indexed]
    return Said(
        topics=[topic, *(encode((p,), (args[p.name],)) for p in indexed)],
        data=encode(plain, [args[p.name] for p in plain]),
    )


def emitting(*logs: Said) -> bytes:
    """Creation code of a contract that emits `logs`."""
    return b"".join(map(_log, logs)) + bytes([_STOP])


def _log(said: Said) -> bytes:
    padded = said.data + bytes(-len(said.data) % _WORD)
    code = b"".join(
        bytes([_PUSH32]) + padded[at : at + _WORD] + _number(at) + bytes([_MSTORE])
        for at in range(0, len(padded), _WORD)
    )
    code += b"".join(bytes([_PUSH32]) + topic.rjust(_WORD, b"\0") for topic in reversed(said.topics))
    return code + _number(len(said.data)) + _number(0) + bytes([_LOG0 + len(said.topics)])


def _number(value: int) -> bytes:
    return bytes([_PUSH2]) + value.to_bytes(2, "big")
