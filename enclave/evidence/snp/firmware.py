# SPDX-License-Identifier: Apache-2.0
"""What an OVMF image says of itself: the table of GUIDs at its end and the SNP sections that it names.

Source: EDK II, OvmfPkg/ResetVector/Ia16/ResetVectorVtf0.asm and X64/OvmfSevMetadata.asm.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Self
from uuid import UUID

from enclave.errors import MalformedEvidence

PAGE = 4096
_LONGEST = 64 << 20
_MOST_SECTIONS, _MOST_PAGES = 64, 1 << 16
_BEHIND, _HEAD = 32, 18  # the reset vector, and length and GUID behind an entry's content
_FOOTER = UUID("96b582de-1fb2-45f7-baea-a366c55a082d").bytes_le
_METADATA = UUID("dc886566-984a-4798-a75e-5585a7bf67cc").bytes_le
_HASHES = UUID("7255371f-3a3b-4b04-927b-1da6efa8d454").bytes_le
_RESET = UUID("00f771de-1a7e-4fcb-890e-68c77e2fb44e").bytes_le
_WHERE = "OVMF image"


class SectionKind(Enum):
    """What a section of the guest's memory is for."""

    MEMORY = 1
    SECRETS = 2
    CPUID = 3
    SVSM_CALLING_AREA = 4
    KERNEL_HASHES = 0x10


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Pages that the firmware wants set up before it starts."""

    kind: SectionKind
    address: int
    size: int

    @property
    def pages(self) -> range:
        """The address of each page."""
        return range(self.address, self.address + self.size, PAGE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Firmware:
    """Sections in the order in which they are measured, where hashes of a kernel go, and where further processors start."""

    image: bytes = field(repr=False)
    sections: tuple[Section, ...]
    hashes_at: int | None
    start: int | None

    @classmethod
    def parse(cls, image: bytes) -> Self:
        """Read an image that ends at 4 GiB; raises `MalformedEvidence`."""
        if not image or len(image) % PAGE or len(image) > _LONGEST:
            raise MalformedEvidence(f"{len(image)} bytes are not whole pages", where=_WHERE)
        entries = dict(_entries(image))
        hashes, start = (entries.get(name, b"")[:4] for name in (_HASHES, _RESET))
        return cls(
            image=image,
            sections=tuple(_sections(image, entries)),
            hashes_at=int.from_bytes(hashes, "little") or None,
            start=int.from_bytes(start, "little") or None,
        )

    @property
    def base(self) -> int:
        """The address of the image's first byte."""
        return (1 << 32) - len(self.image)


def _entries(image: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and content of each entry, last first: each is content, length of all of it, and GUID."""
    end = len(image) - _BEHIND
    size, name = _head(image, end)
    if name != _FOOTER or not _HEAD <= size <= end:
        raise MalformedEvidence("no table of GUIDs at its end", where=_WHERE)
    first, end = end - size, end - _HEAD
    while end > first:
        size, name = _head(image, end)
        if not _HEAD <= size <= end - first:
            raise MalformedEvidence("an entry that reaches out of the table", where=_WHERE)
        yield name, image[end - size : end - _HEAD]
        end -= size


def _head(image: bytes, end: int) -> tuple[int, bytes]:
    return int.from_bytes(image[end - _HEAD : end - 16], "little"), image[end - 16 : end]


def _sections(image: bytes, entries: dict[bytes, bytes]) -> Iterator[Section]:
    """The table of sections: `ASEV`, length, version, count, then address, size and kind of each."""
    if _METADATA not in entries:
        raise MalformedEvidence("no SNP metadata", where=_WHERE, hint="OVMF knows SNP since 2022")
    back = int.from_bytes(entries[_METADATA][:4], "little")
    table = image[len(image) - back :] if 0 < back <= len(image) else b""
    count, pages = int.from_bytes(table[12:16], "little"), 0
    if table[:4] != b"ASEV" or len(table) < 16 + 12 * count or count > _MOST_SECTIONS:
        raise MalformedEvidence("SNP metadata that is none", where=_WHERE)
    for number in range(count):
        at = 16 + 12 * number
        address, size, kind = (int.from_bytes(table[at + 4 * n : at + 4 * n + 4], "little") for n in range(3))
        pages += size // PAGE
        if address % PAGE or size % PAGE or pages > _MOST_PAGES:
            raise MalformedEvidence(f"section {number} is not of whole pages, or too large", where=_WHERE)
        if kind not in {member.value for member in SectionKind}:
            raise MalformedEvidence(f"section {number} of kind {kind}", where=_WHERE)
        yield Section(kind=SectionKind(kind), address=address, size=size)
