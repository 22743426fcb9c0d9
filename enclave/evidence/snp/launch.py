# SPDX-License-Identifier: Apache-2.0
"""The measurement that an SNP guest under QEMU and KVM will have, computed before it runs (AMD 56860, chapter 8.17).

Each page that the host adds extends a digest: SHA-384 of PAGE_INFO, which holds the digest so far, the page's own and
where it lies. The image comes first, then the sections it asks for, then the state of each processor.
"""

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Self
from uuid import UUID

from enclave.errors import MalformedEvidence
from enclave.evidence.snp.firmware import PAGE, Firmware, Section, SectionKind
from enclave.evidence.snp.vcpu import RESET_VECTOR, Vcpu

START = bytes(48)
_NOTHING = bytes(48)
_VMSA_ADDRESS = 0xFFFFFFFFF000
_MOST_VCPUS = 4096
_PAGE_INFO = struct.Struct(
    "<48s48sHBB3xxQ"
)  # digest, page, length, kind, IMI, VMPL permissions, reserved, address
_TABLE = UUID("9438d606-4f22-4cc9-b479-a793d411fd21").bytes_le
_COMMAND_LINE = UUID("97d02dd8-bd20-4c94-aa78-e7714d36ab2a").bytes_le
_INITRD = UUID("44baf731-3a2f-4bd7-9af1-41e29169781d").bytes_le
_KERNEL = UUID("4de79437-abd2-427f-b835-d5b172d2045b").bytes_le
_WHERE = "launch measurement"


class PageKind(IntEnum):
    """PAGE_TYPE of SNP_LAUNCH_UPDATE."""

    NORMAL = 1
    VMSA = 2
    ZERO = 3
    SECRETS = 5
    CPUID = 6


_KINDS = {
    SectionKind.MEMORY: PageKind.ZERO,
    SectionKind.SVSM_CALLING_AREA: PageKind.ZERO,
    SectionKind.SECRETS: PageKind.SECRETS,
    SectionKind.CPUID: PageKind.CPUID,
    SectionKind.KERNEL_HASHES: PageKind.ZERO,  # where no kernel is given
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectBoot:
    """SHA-256 of kernel, initial file system and command line that QEMU hands to the firmware."""

    kernel: bytes
    initrd: bytes
    command_line: bytes

    @classmethod
    def of(cls, kernel: bytes, initrd: bytes, command_line: str) -> Self:
        """The digests of these; without an initial file system it is empty, and a command line ends with a zero."""
        parts = (kernel, initrd, command_line.encode() + b"\0")
        digests = [hashlib.sha256(part).digest() for part in parts]
        return cls(kernel=digests[0], initrd=digests[1], command_line=digests[2])

    def page(self, address: int) -> bytes:
        """The page with the table of hashes at its address."""
        named = ((_COMMAND_LINE, self.command_line), (_INITRD, self.initrd), (_KERNEL, self.kernel))
        entries = b"".join(name + (50).to_bytes(2, "little") + digest for name, digest in named)
        table = _TABLE + (18 + len(entries)).to_bytes(2, "little") + entries
        place = address % PAGE
        if place + len(table) > PAGE:
            raise MalformedEvidence("a table of hashes across pages", where=_WHERE)
        return (bytes(place) + table).ljust(PAGE, b"\0")


def extended(digest: bytes, kind: PageKind, address: int, page: bytes = b"") -> bytes:
    """The digest after one more page; pages whose content the firmware makes up count as zeros."""
    content = hashlib.sha384(page).digest() if page else _NOTHING
    info = _PAGE_INFO.pack(digest, content, _PAGE_INFO.size, kind, 0, address)
    return hashlib.sha384(info).digest()


def image_digest(firmware: Firmware) -> bytes:
    """The digest after the firmware's image alone."""
    digest = START
    for at in range(0, len(firmware.image), PAGE):
        digest = extended(digest, PageKind.NORMAL, firmware.base + at, firmware.image[at : at + PAGE])
    return digest


def launch_measurement(firmware: Firmware, boot: DirectBoot | None, *, vcpu: Vcpu, vcpus: int) -> bytes:
    """The MEASUREMENT of a guest: 48 bytes; raises `MalformedEvidence` where the firmware cannot start it so."""
    return measured_from(image_digest(firmware), firmware, boot, vcpu=vcpu, vcpus=vcpus)


def measured_from(
    digest: bytes, firmware: Firmware, boot: DirectBoot | None, *, vcpu: Vcpu, vcpus: int
) -> bytes:
    """The same, where the digest after the image is known."""
    if not 0 < vcpus <= _MOST_VCPUS or (vcpus > 1 and firmware.start is None):
        raise MalformedEvidence(f"{vcpus} processors, which this firmware cannot start", where=_WHERE)
    if boot is not None and not any(one.kind is SectionKind.KERNEL_HASHES for one in firmware.sections):
        hint = "build OVMF from OvmfPkg/AmdSev"
        raise MalformedEvidence("firmware that measures no kernel", where=_WHERE, hint=hint)
    for section in firmware.sections:
        for kind, address, page in _pages(section, firmware, boot):
            digest = extended(digest, kind, address, page)
    for number in range(vcpus):
        start = RESET_VECTOR if number == 0 else firmware.start or 0
        digest = extended(digest, PageKind.VMSA, _VMSA_ADDRESS, vcpu.page(start))
    return digest


def _pages(
    section: Section, firmware: Firmware, boot: DirectBoot | None
) -> Iterator[tuple[PageKind, int, bytes]]:
    if section.kind is SectionKind.KERNEL_HASHES and boot is not None:
        if (
            firmware.hashes_at is None
            or section.size != PAGE
            or firmware.hashes_at not in range(section.address, section.address + PAGE)
        ):
            raise MalformedEvidence("no place for the hashes of a kernel", where=_WHERE)
        yield PageKind.NORMAL, section.address, boot.page(firmware.hashes_at)
        return
    yield from ((_KINDS[section.kind], address, b"") for address in section.pages)
