# SPDX-License-Identifier: Apache-2.0
"""What a certificate says about the firmware of the layer that holds its key.

The extensions are those of "DICE Attestation Architecture" 1.2 (TCG), section 6.1: TcbInfo, MultiTcbInfo and Ueid.
Some devices put the older Composite Device ID, a device key and one FWID, under the OID of TcbInfo.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeVar

from cryptography import x509

from enclave.errors import MalformedEvidence
from enclave.evidence.facts import Claim, Claims

TCB_INFO = "2.23.133.5.4.1"
UEID = "2.23.133.5.4.4"
MULTI_TCB_INFO = "2.23.133.5.4.5"
_TCB_INFO_OF_NVIDIA = "2.23.133.5.4.1.1"
FLAGS = {
    0: "notConfigured",
    1: "notSecure",
    2: "recovery",
    3: "debug",
    4: "notReplayProtected",
    5: "notIntegrityProtected",
    6: "notRuntimeMeasured",
    7: "notImmutable",
    8: "notTcb",
    31: "fixedWidth",
}
_INTEGER, _OCTETS, _OID, _SEQUENCE = 0x02, 0x04, 0x06, 0x30
_MOST = 64
_DIGESTS = frozenset({20, 28, 32, 48, 64})
_T = TypeVar("_T")

Fwid = tuple[str, bytes]
"""A firmware digest: the dotted OID of its algorithm, and its value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegrityRegister:
    """A register of the layer, by name or by number, with its value under each algorithm."""

    name: str | None
    number: int | None
    digests: tuple[Fwid, ...]

    def claims(self) -> Claims:
        """Its fields as the specification names them."""
        return {
            "registerName": self.name,
            "registerNum": self.number,
            "registerDigests": _shown(self.digests),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class TcbInfo:
    """One DiceTcbInfo; None where the certificate leaves a field out, which never means zero.

    `flags` and `flags_mask` are the bits as bytes, bit 0 first. `device_key` is the SubjectPublicKeyInfo of an old
    Composite Device ID, which has nothing else but one FWID.
    """

    vendor: str | None = None
    model: str | None = None
    version: str | None = None
    svn: int | None = None
    layer: int | None = None
    index: int | None = None
    fwids: tuple[Fwid, ...] = ()
    flags: bytes | None = None
    vendor_info: bytes | None = None
    type: bytes | None = None
    flags_mask: bytes | None = None
    integrity_registers: tuple[IntegrityRegister, ...] = ()
    device_key: bytes | None = field(default=None, repr=False)

    @property
    def flag_names(self) -> tuple[str, ...]:
        """The operational flags that are set; a bit without a name is `bit <number>`."""
        bits = (self.flags or b"")[:_MOST]
        found = (8 * at + bit for at, byte in enumerate(bits) for bit in range(8) if byte & 0x80 >> bit)
        return tuple(FLAGS.get(number, f"bit {number}") for number in found)

    def claims(self) -> Claims:
        """The fields that are there, as the specification names them."""
        registers: list[Claim] = [register.claims() for register in self.integrity_registers]
        fields: Claims = {
            "vendor": self.vendor,
            "model": self.model,
            "version": self.version,
            "svn": self.svn,
            "layer": self.layer,
            "index": self.index,
            "fwids": _shown(self.fwids) or None,
            "flags": None if self.flags is None else list(self.flag_names),
            "vendorInfo": self.vendor_info,
            "type": self.type,
            "flagsMask": self.flags_mask,
            "integrityRegisters": registers or None,
            "deviceID": self.device_key,
        }
        return {name: value for name, value in fields.items() if value is not None}


def tcb_infos(certificate: x509.Certificate) -> tuple[TcbInfo, ...]:
    """Every TcbInfo in a certificate, in its order; empty when it has none; raises `MalformedEvidence`."""
    found: list[TcbInfo] = []
    for extension in certificate.extensions:
        oid, value = extension.oid.dotted_string, extension.value
        if not isinstance(value, x509.UnrecognizedExtension):
            continue
        if oid in (TCB_INFO, _TCB_INFO_OF_NVIDIA):
            found.append(_whole(value.value, _SEQUENCE, _tcb_info))
        elif oid == MULTI_TCB_INFO:
            found.extend(_whole(value.value, _SEQUENCE, lambda der: _list(der, _tcb_info)))
    return tuple(found)


def ueid(certificate: x509.Certificate) -> bytes | None:
    """The device's universal entity id in a certificate, or None; raises `MalformedEvidence`."""
    for extension in certificate.extensions:
        value = extension.value
        if extension.oid.dotted_string == UEID and isinstance(value, x509.UnrecognizedExtension):
            return _whole(value.value, _SEQUENCE, lambda der: _whole(der, _OCTETS, _entity))
    return None


def _shown(digests: tuple[Fwid, ...]) -> list[Claim]:
    return [{"hashAlg": algorithm, "digest": value} for algorithm, value in digests]


def _wrong(what: str) -> MalformedEvidence:
    return MalformedEvidence(what, where="DICE extension")


def _elements(der: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and contents of each element; DER has one way to write a length, and tags here fit one byte."""
    at, count = 0, 0
    while at < len(der):
        header = der[at : at + 4]
        if len(header) < 2 or header[0] & 0x1F == 0x1F:
            raise _wrong("no tag and length that it may have")
        tag, size, at = header[0], header[1], at + 2
        if size >= 0x80:
            width = size - 0x80
            size = int.from_bytes(header[2 : 2 + width], "big")
            at += width
            if width not in (1, 2) or size < (0x80, 0x100)[width - 1]:
                raise _wrong("a length that is not in its shortest form, or too long")
        if at + size > len(der):
            raise _wrong("an element that is cut off")
        if (count := count + 1) > _MOST:
            raise _wrong(f"more than {_MOST} elements")
        yield tag, der[at : at + size]
        at += size


def _whole(der: bytes, tag: int, read: Callable[[bytes], _T]) -> _T:
    elements = list(_elements(der))
    if [found for found, _ in elements] != [tag]:
        raise _wrong(f"expected one element with tag {tag:#04x}")
    return read(elements[0][1])


def _entity(octets: bytes) -> bytes:
    if not 7 <= len(octets) <= 33:  # RFC 9711, section 4.2.1
        raise _wrong("a ueid that has not 7 to 33 bytes")
    return octets


def _list(der: bytes, read: Callable[[bytes], _T]) -> tuple[_T, ...]:
    elements = list(_elements(der))
    if not elements or any(tag != _SEQUENCE for tag, _ in elements):
        raise _wrong("expected a list of sequences with at least one")
    return tuple(read(value) for _, value in elements)


def _tcb_info(der: bytes) -> TcbInfo:
    elements = list(_elements(der))
    if elements and elements[0][0] == _INTEGER:
        return _composite_device_id(elements)
    fields = _tagged(elements, highest=11, constructed=(6, 11))
    return TcbInfo(
        vendor=_optional(fields, 0, _text),
        model=_optional(fields, 1, _text),
        version=_optional(fields, 2, _text),
        svn=_optional(fields, 3, _number),
        layer=_optional(fields, 4, _number),
        index=_optional(fields, 5, _number),
        fwids=_optional(fields, 6, _fwids) or (),
        flags=_optional(fields, 7, _bits),
        vendor_info=fields.get(8),
        type=fields.get(9),
        flags_mask=_optional(fields, 10, _bits),
        integrity_registers=_optional(fields, 11, lambda der: _list(der, _register)) or (),
    )


def _composite_device_id(elements: list[tuple[int, bytes]]) -> TcbInfo:
    if [tag for tag, _ in elements] != [_INTEGER, _SEQUENCE, _SEQUENCE] or _number(elements[0][1]) != 1:
        raise _wrong("neither a TcbInfo nor a Composite Device ID of version 1")
    key = elements[1][1]
    return TcbInfo(fwids=(_fwid(elements[2][1]),), device_key=b"\x30" + _length(len(key)) + key)


def _length(size: int) -> bytes:
    width = (size.bit_length() + 7) // 8
    return bytes([size]) if size < 0x80 else bytes([0x80 | width]) + size.to_bytes(width, "big")


def _register(der: bytes) -> IntegrityRegister:
    fields = _tagged(list(_elements(der)), highest=2, constructed=(2,))
    digests = _optional(fields, 2, _fwids)
    if digests is None:
        raise _wrong("a register without a value")
    return IntegrityRegister(
        name=_optional(fields, 0, _text), number=_optional(fields, 1, _number), digests=digests
    )


def _tagged(
    elements: list[tuple[int, bytes]], *, highest: int, constructed: tuple[int, ...]
) -> dict[int, bytes]:
    """Fields with implicit tags, each once and in ascending order."""
    known = {(0xA0 if number in constructed else 0x80) | number: number for number in range(highest + 1)}
    numbers = [known.get(tag, -1) for tag, _ in elements]
    if -1 in numbers or any(a >= b for a, b in pairwise(numbers)):
        raise _wrong("fields that are unknown, repeated or out of order")
    return dict(zip(numbers, (value for _, value in elements), strict=True))


def _optional(fields: dict[int, bytes], number: int, read: Callable[[bytes], _T]) -> _T | None:
    return read(fields[number]) if number in fields else None


def _fwids(der: bytes) -> tuple[Fwid, ...]:
    return _list(der, _fwid)


def _fwid(der: bytes) -> Fwid:
    elements = list(_elements(der))
    if [tag for tag, _ in elements] != [_OID, _OCTETS] or len(elements[1][1]) not in _DIGESTS:
        raise _wrong("a FWID that is not an algorithm and a digest")
    return _dotted(elements[0][1]), elements[1][1]


def _dotted(der: bytes) -> str:
    arcs: list[int] = []
    value, fresh = 0, True
    if len(der) > _MOST:
        raise _wrong("an object identifier that is too long")
    for byte in der:
        if fresh and byte == 0x80:
            raise _wrong("an object identifier that is not in its shortest form")
        value, fresh = value << 7 | byte & 0x7F, byte < 0x80
        if fresh:
            arcs.append(value)
            value = 0
    if not arcs or not fresh:
        raise _wrong("an object identifier that is cut off")
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))


def _number(der: bytes) -> int:
    if not der or len(der) > 16 or der[0] & 0x80 or (len(der) > 1 and der[0] == 0 and der[1] < 0x80):
        raise _wrong("an integer that is negative, too long or not in its shortest form")
    return int.from_bytes(der, "big")


def _bits(der: bytes) -> bytes:
    unused = der[0] if der else 8
    if unused > 7 or (unused and (len(der) < 2 or der[-1] & (1 << unused) - 1)):
        raise _wrong("a bit string with unused bits that it cannot have")
    return der[1:]


def _text(der: bytes) -> str:
    try:
        return der.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _wrong("text that is not UTF-8") from error
