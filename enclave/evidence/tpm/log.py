# SPDX-License-Identifier: Apache-2.0
"""The TCG event log of a boot, crypto-agile form, replayed to the registers of any of its banks (tpm/SPEC.md, section 5).

A log proves nothing by itself: only a log that replays to quoted registers says what was measured, and of an event's
body only what its digest covers. CCEL logs of confidential guests have the same form; their registers count from 1.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Self

from enclave.errors import MalformedEvidence

_SHA256 = 0x000B
_ALGORITHMS = {0x0004: "sha1", _SHA256: "sha256", 0x000C: "sha384", 0x000D: "sha512"}
_SIGNATURE = b"Spec ID Event03\0"
_LOCALITY = b"StartupLocality\0"
_MOST_EVENTS = 1 << 16
_MOST_BANKS = 8


class EventKind(IntEnum):
    """Types of events as TCG PC Client Platform Firmware Profile 1.06, table 27, names and numbers them."""

    EV_PREBOOT_CERT = 0x0
    EV_POST_CODE = 0x1
    EV_NO_ACTION = 0x3
    EV_SEPARATOR = 0x4
    EV_ACTION = 0x5
    EV_EVENT_TAG = 0x6
    EV_S_CRTM_CONTENTS = 0x7
    EV_S_CRTM_VERSION = 0x8
    EV_CPU_MICROCODE = 0x9
    EV_PLATFORM_CONFIG_FLAGS = 0xA
    EV_TABLE_OF_DEVICES = 0xB
    EV_COMPACT_HASH = 0xC
    EV_IPL = 0xD
    EV_IPL_PARTITION_DATA = 0xE
    EV_NONHOST_CODE = 0xF
    EV_NONHOST_CONFIG = 0x10
    EV_NONHOST_INFO = 0x11
    EV_OMIT_BOOT_DEVICE_EVENTS = 0x12
    EV_POST_CODE2 = 0x13
    EV_EFI_VARIABLE_DRIVER_CONFIG = 0x80000001
    EV_EFI_VARIABLE_BOOT = 0x80000002
    EV_EFI_BOOT_SERVICES_APPLICATION = 0x80000003
    EV_EFI_BOOT_SERVICES_DRIVER = 0x80000004
    EV_EFI_RUNTIME_SERVICES_DRIVER = 0x80000005
    EV_EFI_GPT_EVENT = 0x80000006
    EV_EFI_ACTION = 0x80000007
    EV_EFI_PLATFORM_FIRMWARE_BLOB = 0x80000008
    EV_EFI_HANDOFF_TABLES = 0x80000009
    EV_EFI_PLATFORM_FIRMWARE_BLOB2 = 0x8000000A
    EV_EFI_HANDOFF_TABLES2 = 0x8000000B
    EV_EFI_VARIABLE_BOOT2 = 0x8000000C
    EV_EFI_GPT_EVENT2 = 0x8000000D
    EV_EFI_HCRTM_EVENT = 0x80000010
    EV_EFI_VARIABLE_AUTHORITY = 0x800000E0
    EV_EFI_SPDM_FIRMWARE_BLOB = 0x800000E1
    EV_EFI_SPDM_FIRMWARE_CONFIG = 0x800000E2


_KINDS = frozenset(map(int, EventKind))


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
    """One measurement: into which register, of what kind, the digest for each bank, and what it says it is of."""

    pcr: int
    kind: int
    digests: Mapping[int, bytes]
    body: bytes = field(repr=False)

    @property
    def name(self) -> str:
        """The kind by name, or in hex where the profile has none for it."""
        return EventKind(self.kind).name if self.kind in _KINDS else hex(self.kind)

    @property
    def digest(self) -> bytes:
        """What was extended into the SHA-256 bank, or else into the last that the log has."""
        return self.digests.get(_SHA256) or list(self.digests.values())[-1]

    def covers(self, measured: bytes) -> bool:
        """Whether the digests, all that we can compute, are of these bytes."""
        known = [(_ALGORITHMS[bank], value) for bank, value in self.digests.items() if bank in _ALGORITHMS]
        return bool(known) and all(hashlib.new(name, measured).digest() == value for name, value in known)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventLog:
    """A boot's measurements in order, and the banks that they were extended into."""

    banks: tuple[int, ...]
    events: tuple[Event, ...]

    @classmethod
    def parse(cls, raw: bytes, *, area: bool = False) -> Self:
        """Read a whole log; the header names the banks and their digest sizes.

        `area` is for the whole memory area of a CCEL table, which is filled up with bytes ff or 00 behind the log.
        """
        reader = LogReader(_used(raw) if area else raw, "event log")
        pcr, kind, digest = reader.number(4), reader.number(4), reader.take(20)
        if pcr > 1 or kind != EventKind.EV_NO_ACTION or any(digest):  # CCEL counts registers from 1
            raise MalformedEvidence("does not begin with a header", where="event log")
        sizes = _header(LogReader(reader.sized(), "event log header"))
        events: list[Event] = []
        while reader.left:
            events.append(_event(reader, sizes))
            if len(events) > _MOST_EVENTS:
                raise MalformedEvidence(f"more than {_MOST_EVENTS} events", where="event log")
        return cls(banks=tuple(sizes), events=tuple(events))

    def replay(self, bank: int = _SHA256) -> dict[int, bytes]:
        """The value of every register that the log extends, in one bank; nothing where the log has no such bank."""
        values: dict[int, bytes] = {}
        if bank not in self.banks or bank not in _ALGORITHMS:
            return values
        name = _ALGORITHMS[bank]
        start = bytes(hashlib.new(name).digest_size)
        for event in self.events:
            if event.kind == EventKind.EV_NO_ACTION:
                if event.pcr == 0 and event.body[:-1] == _LOCALITY:
                    values[0] = start[:-1] + event.body[-1:]
                continue
            before = values.get(event.pcr, start)
            values[event.pcr] = hashlib.new(name, before + event.digests[bank]).digest()
        return values

    def of(self, pcr: int, *, kind: int | None = None) -> Iterator[Event]:
        """The events of one register, or those of one kind in it."""
        return (event for event in self.events if event.pcr == pcr and kind in (None, event.kind))

    def of_kind(self, kind: int) -> Iterator[Event]:
        """The events of one kind, in any register."""
        return (event for event in self.events if event.kind == kind)


def _used(raw: bytes) -> bytes:
    """The log in a memory area: all but the filling, and with the zeros that a last body may end in."""
    filling = raw[-1:] if raw[-1:] in (b"\xff", b"\0") else b""
    size = len(raw.rstrip(filling)) if filling else len(raw)
    reader = LogReader(raw, "event log")
    reader.take(28)
    sizes = _header(LogReader(reader.sized(), "event log header"))
    while len(raw) - reader.left < size:
        _event(reader, sizes)
    return raw[: len(raw) - reader.left]


def _header(reader: LogReader) -> dict[int, int]:
    """TCG_EfiSpecIDEvent: sizes of digests by bank."""
    if reader.take(16) != _SIGNATURE:
        raise MalformedEvidence("not a crypto-agile log", where="event log header")
    reader.take(8)
    count = reader.number(4)
    if not 1 <= count <= _MOST_BANKS:
        raise MalformedEvidence(f"{count} banks", where="event log header")
    sizes = {reader.number(2): reader.number(2) for _ in range(count)}
    reader.take(reader.number(1))
    wrong = [
        b for b, name in _ALGORITHMS.items() if sizes.get(b) not in (None, hashlib.new(name).digest_size)
    ]
    if wrong or reader.left or len(sizes) != count or not set(sizes) & set(_ALGORITHMS):
        raise MalformedEvidence("no bank that we know, or bytes that do not fit", where="event log header")
    return sizes


def _event(reader: LogReader, sizes: dict[int, int]) -> Event:
    pcr, kind, count = (reader.number(4) for _ in range(3))
    digests: dict[int, bytes] = {}
    for _ in range(min(count, len(sizes) + 1)):
        algorithm = reader.number(2)
        if algorithm not in sizes or algorithm in digests:
            raise MalformedEvidence(f"algorithm {algorithm:#x} is unexpected", where="event log")
        digests[algorithm] = reader.take(sizes[algorithm])
    if pcr > 23 or set(digests) != set(sizes):
        raise MalformedEvidence(f"PCR {pcr}, or digests that the header does not name", where="event log")
    return Event(pcr=pcr, kind=kind, digests=digests, body=reader.sized())
