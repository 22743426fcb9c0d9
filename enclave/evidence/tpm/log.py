# SPDX-License-Identifier: Apache-2.0
"""The TCG event log of a boot, crypto-agile form, replayed to PCR values (SPEC.md, section 7.5).

A log proves nothing by itself: only a log that replays to quoted PCRs says what was measured.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Self

from enclave.errors import MalformedEvidence

_SHA256 = 0x000B
_NO_ACTION = 3
_SIGNATURE = b"Spec ID Event03\0"
_LOCALITY = b"StartupLocality\0"
_MOST_EVENTS = 1 << 16


class LogReader:
    """Takes little-endian fields from a log; running out is `MalformedEvidence`."""

    def __init__(self, raw: bytes, where: str) -> None:
        self._raw, self._at, self._where = raw, 0, where

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        part = self._raw[self._at : self._at + size]
        if len(part) != size:
            raise MalformedEvidence(f"ends within a field at byte {self._at}", where=self._where)
        self._at += size
        return part

    def number(self, size: int) -> int:
        """The next unsigned integer."""
        return int.from_bytes(self.take(size), "little")

    def sized(self) -> bytes:
        """Four bytes of length, then that many."""
        return self.take(self.number(4))

    @property
    def left(self) -> int:
        """How many bytes are left."""
        return len(self._raw) - self._at


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One measurement: into which PCR, of what kind, and the SHA-256 digest that was extended."""

    pcr: int
    kind: int
    digest: bytes
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventLog:
    """A boot's measurements in order."""

    events: tuple[Event, ...]

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read a whole log; the header names the digest sizes, and SHA-256 must be among them."""
        reader = LogReader(raw, "event log")
        reader.take(28)
        sizes = _header(LogReader(reader.sized(), "event log header"))
        events: list[Event] = []
        while reader.left:
            events.append(_event(reader, sizes))
            if len(events) > _MOST_EVENTS:
                raise MalformedEvidence(f"more than {_MOST_EVENTS} events", where="event log")
        return cls(events=tuple(events))

    def replay(self) -> dict[int, bytes]:
        """The value of every PCR that the log extends."""
        values: dict[int, bytes] = {}
        for event in self.events:
            if event.kind == _NO_ACTION:
                if (
                    event.pcr == 0
                    and event.body.startswith(_LOCALITY)
                    and len(event.body) == len(_LOCALITY) + 1
                ):
                    values[0] = bytes(31) + event.body[-1:]
                continue
            before = values.get(event.pcr, bytes(32))
            values[event.pcr] = hashlib.sha256(before + event.digest).digest()
        return values

    def of(self, pcr: int, *, kind: int | None = None) -> Iterator[Event]:
        """The events of one PCR, or those of one kind in it."""
        return (event for event in self.events if event.pcr == pcr and kind in (None, event.kind))


def _header(reader: LogReader) -> dict[int, int]:
    if reader.take(16) != _SIGNATURE:
        raise MalformedEvidence("not a crypto-agile log", where="event log header")
    reader.take(8)
    sizes = {reader.number(2): reader.number(2) for _ in range(min(reader.number(4), 16))}
    reader.take(reader.number(1))
    if sizes.get(_SHA256) != 32 or reader.left:
        raise MalformedEvidence("without SHA-256, or with bytes too many", where="event log header")
    return sizes


def _event(reader: LogReader, sizes: dict[int, int]) -> Event:
    pcr, kind, count = (reader.number(4) for _ in range(3))
    digests: dict[int, bytes] = {}
    for _ in range(min(count, 16)):
        algorithm = reader.number(2)
        if algorithm not in sizes:
            raise MalformedEvidence(f"algorithm {algorithm:#x} is not in the header", where="event log")
        digests[algorithm] = reader.take(sizes[algorithm])
    if pcr > 23 or set(digests) != set(sizes):
        raise MalformedEvidence(f"PCR {pcr}, or digests that the header does not name", where="event log")
    return Event(pcr=pcr, kind=kind, digest=digests[_SHA256], body=reader.sized())
