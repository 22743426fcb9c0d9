# SPDX-License-Identifier: Apache-2.0
"""The state in which QEMU and KVM start a virtual processor, as the page that is measured (AMD 24593, table B-4).

A VMSA is 4096 bytes, little-endian, and zero wherever nothing is written below.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

RESET_VECTOR = 0xFFFFFFF0
_SIZE = 4096
_SEGMENT = struct.Struct("<HHIQ")  # selector, attributes, limit, base
_DATA, _CODE, _TABLE, _LDT, _TSS = 0x93, 0x9B, 0, 0x82, 0x8B
_SEGMENTS = (_DATA, _CODE, _DATA, _DATA, _DATA, _DATA, _TABLE, _LDT, _TABLE, _TSS)
_CS = 1
_REGISTERS = (
    (0x0D0, 8, 0x1000),  # EFER: SVME
    (0x148, 8, 0x40),  # CR4: MCE
    (0x158, 8, 0x10),  # CR0: ET
    (0x160, 8, 0x400),  # DR7
    (0x168, 8, 0xFFFF0FF0),  # DR6
    (0x170, 8, 0x2),  # RFLAGS
    (0x268, 8, 0x0007040600070406),  # G_PAT
    (0x3E8, 8, 0x1),  # XCR0
)
_RIP, _RDX, _SEV_FEATURES, _MXCSR, _FCW = 0x178, 0x310, 0x3B0, 0x408, 0x410
SIGNATURES: Mapping[str, tuple[int, int, int]] = MappingProxyType(
    {"EPYC": (23, 1, 2), "EPYC-Rome": (23, 49, 0), "EPYC-Milan": (25, 1, 1), "EPYC-Genoa": (25, 17, 0)}
)
"""Family, model and stepping of QEMU's processor types; versions such as `EPYC-v4` have those of their type."""


def signature(family: int, model: int, stepping: int) -> int:
    """What CPUID function 1 gives in EAX for a processor of a family of 15 or above."""
    return (family - 15) << 20 | (model >> 4) << 16 | 15 << 8 | (model & 15) << 4 | stepping


@dataclass(frozen=True, slots=True, kw_only=True)
class Vcpu:
    """A processor as QEMU presents it: its signature, SEV_FEATURES, and whether KVM sets up its floating point.

    KVM does so from Linux 6.9 on; without, MXCSR and FCW are zero. SEV_FEATURES is 1 for plain SNP.
    """

    signature: int
    sev_features: int
    floating_point: bool

    def page(self, start: int) -> bytes:
        """The VMSA of a processor that starts at a 32-bit address."""
        page = bytearray(_SIZE)
        for number, attributes in enumerate(_SEGMENTS):
            selector, base = (0xF000, start & 0xFFFF0000) if number == _CS else (0, 0)
            _SEGMENT.pack_into(page, number * _SEGMENT.size, selector, attributes, 0xFFFF, base)
        registers = [*_REGISTERS, (_RIP, 8, start & 0xFFFF), (_RDX, 8, self.signature)]
        registers.append((_SEV_FEATURES, 8, self.sev_features))
        if self.floating_point:
            registers += [(_MXCSR, 4, 0x1F80), (_FCW, 2, 0x37F)]
        for at, size, value in registers:
            page[at : at + size] = value.to_bytes(size, "little")
        return bytes(page)
