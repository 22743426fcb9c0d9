# SPDX-License-Identifier: Apache-2.0
"""What a PCK certificate says of its platform, in Intel's own extension (SPEC.md, section 3)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Self

from cryptography import x509

from enclave.errors import MalformedEvidence
from enclave.evidence.facts import Claims

EXTENSION = "1.2.840.113741.1.13.1"
_PREFIX = bytes.fromhex("2a864886f84d010d01")
_SEQUENCE, _OID = 0x30, 0x06
_COMPONENTS = 16
_SIZES = {1: 16, 3: 2, 4: 6, 6: 16}
_WHERE = "PCK certificate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pck:
    """A platform as of its certificate: who it is, and the security versions that its keys are derived from."""

    ppid: bytes = field(repr=False)
    components: tuple[int, ...]
    pce_svn: int
    cpu_svn: bytes
    pce_id: bytes
    fmspc: bytes
    sgx_type: int
    platform_instance_id: bytes | None = field(repr=False)
    configuration: tuple[bool, ...]

    @classmethod
    def of(cls, certificate: x509.Certificate) -> Self:
        """Read the extension; a certificate without it, or with one that does not parse, is `MalformedEvidence`."""
        oid = x509.ObjectIdentifier(EXTENSION)
        try:
            extension = certificate.extensions.get_extension_for_oid(oid).value
        except x509.ExtensionNotFound as error:
            raise MalformedEvidence("no SGX extension", where=_WHERE) from error
        if not isinstance(extension, x509.UnrecognizedExtension):
            raise MalformedEvidence("an SGX extension of another kind", where=_WHERE)
        try:
            return cls._read(_fields(extension.value))
        except (KeyError, ValueError) as error:
            raise MalformedEvidence("a field of the SGX extension is missing", where=_WHERE) from error

    @classmethod
    def _read(cls, found: Mapping[tuple[int, ...], bytes]) -> Self:
        if any(len(found[number,]) != size for number, size in _SIZES.items() if (number,) in found):
            raise ValueError("a field of another size")
        if len(found[2, 18]) != _COMPONENTS:
            raise ValueError("a CPUSVN of another size")
        components = tuple(_unsigned(found[2, number], 255) for number in range(1, _COMPONENTS + 1))
        return cls(
            ppid=found[1,],
            components=components,
            pce_svn=_unsigned(found[2, 17], 65535),
            cpu_svn=found[2, 18],
            pce_id=found[3,],
            fmspc=found[4,],
            sgx_type=_unsigned(found[5,], 255),
            platform_instance_id=found.get((6,)),
            configuration=tuple(any(found.get((7, number), b"")) for number in (1, 2, 3)),
        )

    def claims(self) -> Claims:
        """The fields, named as in the certificate's specification."""
        dynamic, cached, smt = self.configuration
        return {
            "ppid": self.ppid,
            "cpu_svn": self.cpu_svn,
            "pce_svn": self.pce_svn,
            "pce_id": self.pce_id,
            "fmspc": self.fmspc,
            "sgx_type": self.sgx_type,
            "platform_instance_id": self.platform_instance_id,
            "dynamic_platform": dynamic,
            "cached_keys": cached,
            "smt_enabled": smt,
        }


@lru_cache(maxsize=256)
def _fields(extension: bytes) -> Mapping[tuple[int, ...], bytes]:
    return MappingProxyType(_members(_whole(extension, _SEQUENCE), ()))


def _unsigned(value: bytes, largest: int) -> int:
    number = int.from_bytes(value, "big", signed=True)
    if not value or not 0 <= number <= largest:
        raise ValueError("a number out of range")
    return number


def _members(content: bytes, within: tuple[int, ...]) -> dict[tuple[int, ...], bytes]:
    """Values of `SEQUENCE { OID, value }` entries by the part of their OID below the extension's."""
    found: dict[tuple[int, ...], bytes] = {}
    for tag, entry in _elements(content):
        parts = list(_elements(entry))
        if tag != _SEQUENCE or len(parts) != 2 or parts[0][0] != _OID:
            raise MalformedEvidence("an entry that is no pair", where=_WHERE)
        oid, (kind, value) = parts[0][1], parts[1]
        path = tuple(oid[len(_PREFIX) :])
        if not oid.startswith(_PREFIX) or path[:-1] != within or path in found:
            raise MalformedEvidence("an entry that does not belong there", where=_WHERE)
        if kind == _SEQUENCE and not within:
            found |= _members(value, path)
        else:
            found[path] = value
    return found


def _elements(raw: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(raw):
        tag, content, at = _element(raw, at)
        yield tag, content


def _element(raw: bytes, at: int) -> tuple[int, bytes, int]:
    """Tag, content and end of one DER element, of at most 65535 bytes."""
    if len(raw) < at + 2:
        raise MalformedEvidence("DER that ends early", where=_WHERE)
    tag, size, start = raw[at], raw[at + 1], at + 2
    if size > 0x80:
        start += size - 0x80
        size = int.from_bytes(raw[at + 2 : start], "big")
    if tag & 0x1F == 0x1F or size > 0xFFFF or raw[at + 1] in (0x80, 0xFF) or start + size > len(raw):
        raise MalformedEvidence("DER that does not fit", where=_WHERE)
    return tag, raw[start : start + size], start + size


def _whole(raw: bytes, tag: int) -> bytes:
    found, content, end = _element(raw, 0)
    if found != tag or end != len(raw):
        raise MalformedEvidence("not one sequence", where=_WHERE)
    return content
