# SPDX-License-Identifier: Apache-2.0
"""What a device says of itself beside its measurements: the opaque data of its answer (SPEC.md, section 2).

Names are those of NVIDIA's own verifiers, without the prefix `OPAQUE_FIELD_ID_`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Self

from enclave.evidence.facts import Claim, Claims
from enclave.evidence.spdm.wire import Reader

_VBIOS_VERSION, _DRIVER_VERSION, _MSRSCNT = 6, 3, 12
_NVDEC0_STATUS, _FWID, _FEATURE_FLAG = 11, 20, 36
_NAMES: Mapping[int, str] = MappingProxyType(
    {
        1: "CERT_ISSUER_NAME",
        2: "CERT_AUTHORITY_KEY_IDENTIFIER",
        3: "DRIVER_VERSION",
        4: "GPU_INFO",
        5: "SKU",
        6: "VBIOS_VERSION",
        7: "MANUFACTURER_ID",
        8: "TAMPER_DETECTION",
        9: "SMC",
        10: "VPR",
        11: "NVDEC0_STATUS",
        12: "MSRSCNT",
        13: "CPRINFO",
        14: "BOARD_ID",
        15: "CHIP_SKU",
        16: "CHIP_SKU_MOD",
        17: "PROJECT",
        18: "PROJECT_SKU",
        19: "PROJECT_SKU_MOD",
        20: "FWID",
        21: "PROTECTED_PCIE_STATUS",
        22: "SWITCH_PDI",
        23: "FLOORSWEPT_PORTS",
        24: "POSITION_ID",
        25: "LOCK_SWITCH_STATUS",
        33: "SWITCH_UUID/34?",  # sources disagree on this name; NVIDIA's current one is SYS_ENABLE_STATUS
    }
)
_TEXTS = frozenset({3, 14, 15, 16, 17, 18, 19})
_OF_A_GPU = frozenset({3, 4, 11})
_OF_A_SWITCH = frozenset({22, 23, 24, 25})
_NVDEC0_DISABLED = b"\x55"
_MODES = {0: "single GPU passthrough", 1: "multiple GPU passthrough", 2: "protected PCIe"}
_FIRMWARE = 48
_DRIVER = re.compile(r"([0-9]{1,3})\.([0-9]{1,3})(?:\.([0-9]{1,3}))?", re.ASCII)
_VBIOS = re.compile(r"[0-9A-F]{2}(\.[0-9A-F]{2}){4}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opaque:
    """The fields by their numbers, as they were sent."""

    fields: Mapping[int, bytes] = field(repr=False)

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read type and size, two bytes each in little-endian, before each field; raises `MalformedEvidence`."""
        reader, found = Reader(raw, "opaque data of NVIDIA"), dict[int, bytes]()
        while len(reader.taken) < len(raw):
            number, size = reader.number(2), reader.number(2)
            if number in found:
                raise reader.wrong(f"field {number} twice")
            found[number] = reader.take(size)
        opaque = cls(fields=MappingProxyType(found))
        sizes = {_FWID: (_FIRMWARE,), _NVDEC0_STATUS: (1,), _MSRSCNT: range(0, 1025, 4)}
        wrong = [
            number for number, allowed in sizes.items() if len(found.get(number, b"")) not in (0, *allowed)
        ]
        if wrong or (not opaque.switch and len(found.get(_VBIOS_VERSION, bytes(8))) != 8):
            raise reader.wrong("a field of another size than it has")
        return opaque

    @property
    def gpu(self) -> bool:
        """Whether these are the fields of a GPU."""
        return bool(_OF_A_GPU & self.fields.keys())

    @property
    def switch(self) -> bool:
        """Whether these are the fields of a switch, which has no driver; a GPU names the switches beside it."""
        return not self.gpu and bool(_OF_A_SWITCH & self.fields.keys())

    @property
    def driver_version(self) -> str | None:
        """The version of the driver that the GPU booted with, as its manifest calls it."""
        raw = self.fields.get(_DRIVER_VERSION)
        return None if raw is None else _text(raw)

    @property
    def vbios_version(self) -> str | None:
        """The version of the device's own firmware, as its manifest calls it: `96.00.9F.00.01`."""
        raw = self.fields.get(_VBIOS_VERSION)
        if raw is None or self.switch:
            return None if raw is None else _text(raw)
        return ".".join(f"{byte:02X}" for byte in (*raw[3::-1], raw[4]))

    @property
    def driver_version_number(self) -> int | None:
        """The driver's version as a number that grows with it: 550090007 for 550.90.07."""
        found = _DRIVER.fullmatch(self.driver_version or "")
        return None if found is None else int("".join((part or "0").zfill(3) for part in found.groups()))

    @property
    def vbios_version_number(self) -> int | None:
        """The VBIOS version as a number that grows with it, for devices of one board: 0x96009f0001."""
        version = self.vbios_version or ""
        return int(version.replace(".", ""), 16) if _VBIOS.fullmatch(version) else None

    @property
    def fwid(self) -> bytes | None:
        """The digest of the firmware that signs; reports of old drivers have none."""
        return self.fields.get(_FWID) or None

    @property
    def nvdec0_disabled(self) -> bool:
        """Whether the first video decoder is off, in which case nothing loads what measurement 35 is of."""
        return self.fields.get(_NVDEC0_STATUS) == _NVDEC0_DISABLED

    @property
    def mode(self) -> str | None:
        """How the GPU is passed to guests, where the report says so."""
        raw = self.fields.get(_FEATURE_FLAG)
        return None if raw is None else _MODES.get(int.from_bytes(raw, "little"), f"mode {raw.hex()}")

    def claims(self) -> Claims:
        """Every field; one without a name by its number."""
        return {_NAMES.get(number, str(number)): _value(number, raw) for number, raw in self.fields.items()}


def _value(number: int, raw: bytes) -> Claim:
    if number == _MSRSCNT:
        return [int.from_bytes(raw[at : at + 4], "little") for at in range(0, len(raw), 4)]
    return _text(raw) if number in _TEXTS else raw


def _text(raw: bytes) -> str:
    """Text as the device pads it; BOARD_ID is a number that is shown byte by byte."""
    return raw.rstrip(b"\0").decode("latin-1")
