# SPDX-License-Identifier: Apache-2.0
"""GET_MEASUREMENTS and MEASUREMENTS (DSP0274 1.3, section 10.11), with blocks as DMTF specifies them."""

from dataclasses import dataclass, field
from typing import Self

from enclave.evidence.facts import Claims
from enclave.evidence.spdm.negotiation import Negotiated
from enclave.evidence.spdm.wire import CONTEXT, GET_MEASUREMENTS, NONCE, VERSION_12, VERSION_13, Reader

NUMBER, EVERY = 0x00, 0xFF
CHANGED, UNCHANGED = 1, 2
_SIGNED, _ATTRIBUTES = 0x01, 0x07
_DMTF = 1
_RAW = 0x80
_DEVICE_MODE, _SVN = 0x85, 0x87
OPERATIONAL_MODES = ("manufacturing", "validation", "normal", "recovery", "rma", "decommissioned")
NORMAL = 1 << OPERATIONAL_MODES.index("normal")
DEVICE_MODES = (
    "non-invasive debug",
    "invasive debug",
    "non-invasive debug since reset",
    "invasive debug since reset",
    "invasive debug since manufacturing",
)
INVASIVE_NOW = 1 << 1 | 1 << 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One measurement; `type` is DMTFSpecMeasurementValueType, whose bit 7 says that the value is raw."""

    index: int
    type: int
    value: bytes

    @property
    def raw(self) -> bool:
        """Whether the value is what was measured, and not its digest."""
        return bool(self.type & _RAW)

    @property
    def svn(self) -> int | None:
        """The security version in a block of that type."""
        return int.from_bytes(self.value, "little") if self.type == _SVN else None

    @property
    def modes(self) -> tuple[int, int] | None:
        """OperationalModeState and DeviceModeState in a block of that type."""
        if self.type != _DEVICE_MODE:
            return None
        return int.from_bytes(self.value[4:8], "little"), int.from_bytes(self.value[12:16], "little")

    @property
    def device_modes(self) -> tuple[str, ...]:
        """What DeviceModeState says of debugging, in a block of that type."""
        return () if self.modes is None else _named(self.modes[1], DEVICE_MODES)

    def claims(self) -> Claims:
        """Its fields as DSP0274 names them."""
        shown: Claims = {
            "index": self.index,
            "spec": _DMTF,
            "type": self.type,
            "raw": self.raw,
            "value": self.value,
        }
        if self.modes is not None:
            shown["operational_mode"] = list(_named(self.modes[0], OPERATIONAL_MODES))
            shown["device_mode"] = list(self.device_modes)
        if self.svn is not None:
            shown["svn"] = self.svn
        return shown

    @classmethod
    def read(cls, reader: Reader, digest_size: int) -> Self:
        """The next block."""
        index, specification, size, kind = (reader.number(width) for width in (1, 1, 2, 1))
        value = reader.take(reader.number(2))
        if not 0 < index < EVERY or specification != _DMTF or size != len(value) + 3:
            raise reader.wrong("a block with an index, specification or size that it cannot have")
        right = {_SVN: 8, _DEVICE_MODE: 16}.get(kind, len(value) if kind & _RAW else digest_size)
        if len(value) != right or not value:
            raise reader.wrong(f"{len(value)} bytes of a measurement of type {kind:#04x}")
        return cls(index=index, type=kind, value=value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurements:
    """One exchange; `request_nonce` and `signature` are empty where no signature was asked for.

    `covered` is the request and the response up to the signature. Slots are those of request and response.
    """

    operation: int
    attributes: int
    request_nonce: bytes
    asked_slot: int
    slot: int
    total: int
    content_change: int
    blocks: tuple[Block, ...]
    nonce: bytes
    opaque: bytes
    signature: bytes = field(repr=False)
    covered: bytes = field(repr=False)

    @property
    def signed(self) -> bool:
        """Whether a signature ends it."""
        return bool(self.attributes & _SIGNED)

    def claims(self) -> Claims:
        """Its fields as DSP0274 names them, or nearly."""
        shown: Claims = {
            "op": self.operation,
            "req_attr": self.attributes,
            "slot": self.slot,
            "content_change": self.content_change,
            "blocks": [block.claims() for block in self.blocks],
            "nonce": self.nonce,
            "req_nonce": self.request_nonce or None,
            "opaque": self.opaque,
        }
        if self.operation == NUMBER:
            shown["total"] = self.total
        if self.signed:
            shown["signature"] = self.signature
        return shown

    @classmethod
    def parse(cls, request: bytes, response: bytes, agreed: Negotiated) -> Self:
        """Read one exchange; raises `MalformedEvidence`."""
        context = CONTEXT if agreed.version >= VERSION_13 else 0
        asked = Reader(request, "GET_MEASUREMENTS")
        attributes, operation = asked.head(agreed.version, GET_MEASUREMENTS)
        signed = bool(attributes & _SIGNED)
        nonce = asked.take(NONCE if signed else 0)
        slot = asked.number(1) if signed else 0
        echoed = asked.take(context)
        asked.done()
        if attributes & ~_ATTRIBUTES or slot > 0xF:
            raise asked.wrong("attributes or a slot that no request has")

        reader = Reader(response, "MEASUREMENTS")
        total, second = reader.head(agreed.version, GET_MEASUREMENTS & 0x7F)
        blocks = _blocks(reader, operation, agreed.algorithms.measurement_size)
        device_nonce, opaque = reader.take(NONCE), reader.opaque()
        if reader.take(context) != echoed:
            raise reader.wrong("another requester's context")
        covered = request + reader.taken
        signature = reader.take(agreed.algorithms.signature_size if signed else 0)
        reader.done()
        change = second >> 4 & 3 if agreed.version >= VERSION_12 else 0
        if change > UNCHANGED:
            raise reader.wrong("a content change that is reserved")
        return cls(
            operation=operation,
            attributes=attributes,
            request_nonce=nonce,
            asked_slot=slot,
            slot=second & 0xF,
            total=total,
            content_change=change,
            blocks=blocks,
            nonce=device_nonce,
            opaque=opaque,
            signature=signature,
            covered=covered,
        )


def _blocks(reader: Reader, operation: int, digest_size: int) -> tuple[Block, ...]:
    count, length = reader.number(1), reader.number(3)
    record = Reader(reader.take(length), reader.where)
    blocks = tuple(Block.read(record, digest_size) for _ in range(count))
    record.done()
    indices = [block.index for block in blocks]
    if operation == NUMBER:
        right = not indices
    elif operation == EVERY:
        right = len(set(indices)) == len(indices)
    else:
        right = indices == [operation]
    if not right:
        raise reader.wrong("other blocks than were asked for, or one twice")
    return blocks


def _named(bits: int, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(names[bit] if bit < len(names) else f"bit {bit}" for bit in range(32) if bits >> bit & 1)
