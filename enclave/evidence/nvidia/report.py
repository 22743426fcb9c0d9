# SPDX-License-Identifier: Apache-2.0
"""An NVIDIA device's report: the request it answers, its measurements, and its signature over both (SPEC.md, section 1).

SPDM 1.1 (DSP0274 1.1, sections 10.11 and 10.12), without the messages before it.
"""

from dataclasses import dataclass, field
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from enclave.errors import MalformedEvidence
from enclave.evidence.facts import Claims
from enclave.evidence.nvidia.opaque import Opaque
from enclave.evidence.spdm.wire import GET_MEASUREMENTS, NONCE, VERSION_11, Reader

MEASUREMENT = 48
_REQUEST = 37
_ALL, _SIGNED = 0xFF, 0x01
_DMTF, _BLOCK, _COORDINATE = 0x01, 0x33, 48
_PREFIX, _SIZE = 7, MEASUREMENT.to_bytes(2, "little")
_LONGEST = 1 << 16
_HEAD = bytes([VERSION_11, GET_MEASUREMENTS, _SIGNED, _ALL])
_ANSWER = bytes([VERSION_11, GET_MEASUREMENTS & 0x7F])


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A report that is well formed, and not yet believed; measurement n is SPDM's block n + 1."""

    nonce: bytes
    slot: int
    responder_nonce: bytes
    measurements: tuple[bytes, ...] = field(repr=False)
    opaque: Opaque = field(repr=False)
    signed: bytes = field(repr=False)
    signature: tuple[int, int] = field(repr=False)

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read request and answer, with nothing behind; raises `MalformedEvidence`."""
        if len(raw) > _LONGEST:
            raise MalformedEvidence(f"longer than {_LONGEST} bytes", where="NVIDIA report")
        asked = Reader(raw[:_REQUEST], "GET_MEASUREMENTS")
        if asked.head(VERSION_11, GET_MEASUREMENTS) != (_SIGNED, _ALL):
            raise asked.wrong("a request for something else than all measurements, signed")
        nonce, slot = asked.take(NONCE), asked.number(1)
        reader = Reader(raw[_REQUEST:], "MEASUREMENTS")
        _, answered = reader.head(VERSION_11, GET_MEASUREMENTS & 0x7F)
        if not 0 <= slot < 8 or answered not in (0, slot):
            raise reader.wrong(f"slot {answered} where {slot} was asked for")
        count, record = reader.number(1), reader.take(reader.number(3))
        responder_nonce, opaque = reader.take(NONCE), reader.opaque()
        signed = raw[: _REQUEST + len(reader.taken)]
        signature = reader.take(_COORDINATE), reader.take(_COORDINATE)
        reader.done()
        return cls(
            nonce=nonce,
            slot=slot,
            responder_nonce=responder_nonce,
            measurements=_blocks(record, count),
            opaque=Opaque.parse(opaque),
            signed=signed,
            signature=(int.from_bytes(signature[0], "big"), int.from_bytes(signature[1], "big")),
        )

    def signed_by(self, key: object) -> bool:
        """Whether a P-384 key signed request and answer."""
        if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp384r1":
            return False
        try:
            key.verify(utils.encode_dss_signature(*self.signature), self.signed, ec.ECDSA(hashes.SHA384()))
        except InvalidSignature:
            return False
        return True

    @property
    def measured(self) -> dict[int, bytes]:
        """The measurements that were taken, which are those that are not zero."""
        return {index: value for index, value in enumerate(self.measurements) if any(value)}

    def claims(self) -> Claims:
        """Everything that the signature covers."""
        return {
            "spdm_version": f"{VERSION_11:#04x}",
            "nonce": self.nonce,
            "slot": self.slot,
            "responder_nonce": self.responder_nonce,
            "measurement_blocks": len(self.measurements),
            "measurements": {str(index): value for index, value in enumerate(self.measurements)},
            "opaque": self.opaque.claims(),
            "driver_version": self.opaque.driver_version,
            "driver_version_number": self.opaque.driver_version_number,
            "vbios_version": self.opaque.vbios_version,
            "vbios_version_number": self.opaque.vbios_version_number,
            "mode": self.opaque.mode,
        }


def _blocks(record: bytes, count: int) -> tuple[bytes, ...]:
    """The values of blocks that are numbered from 1 without a gap, each a digest of 48 bytes in DMTF's form."""
    size, where = _PREFIX + MEASUREMENT, "measurement record"
    if len(record) != count * size:
        raise MalformedEvidence(f"{len(record)} bytes for {count} blocks of {size}", where=where)
    blocks = [record[at : at + size] for at in range(0, len(record), size)]
    for index, block in enumerate(blocks, 1):
        if block[:4] != bytes([index, _DMTF, _BLOCK, 0]):
            raise MalformedEvidence(f"not block {index} with a digest of {MEASUREMENT} bytes", where=where)
        if block[4] & 0x80 or block[5:_PREFIX] != _SIZE:
            raise MalformedEvidence(
                f"block {index} with a value of kind {block[4]}, or of another size", where=where
            )
    return tuple(block[_PREFIX:] for block in blocks)


def begins(raw: bytes) -> bool:
    """Whether these bytes have the heads of a request and of its answer."""
    return raw[:4] == _HEAD and raw[_REQUEST : _REQUEST + 2] == _ANSWER
