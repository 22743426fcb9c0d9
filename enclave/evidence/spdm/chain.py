# SPDX-License-Identifier: Apache-2.0
"""Certificate chains in SPDM: DIGESTS, CERTIFICATE in portions, and what they add up to (DSP0274 1.3, section 10.6)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from enclave.errors import MalformedEvidence
from enclave.evidence.certificates import load
from enclave.evidence.findings import Reason, fault
from enclave.evidence.spdm.negotiation import Negotiated
from enclave.evidence.spdm.wire import GET_CERTIFICATE, GET_DIGESTS, Reader

_SLOTS = 8
_MOST_CERTIFICATES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """The chain of one slot as the device gave it, root first; `digest` is what DIGESTS must say of it."""

    root_hash: bytes
    certificates: tuple[x509.Certificate, ...] = field(repr=False)
    size: int
    digest: bytes

    @classmethod
    def parse(cls, raw: bytes, agreed: Negotiated) -> Self:
        """Read length, root hash and certificates; raises `MalformedEvidence`."""
        reader = Reader(raw, "certificate chain")
        size, reserved = reader.number(2), reader.number(2)
        if size != len(raw) or reserved:
            raise reader.wrong("another length than it states")
        root_hash = reader.take(agreed.algorithms.hash_size)
        certificates = tuple(map(load, _split(raw[len(reader.taken) :], reader)))
        if not certificates:
            raise reader.wrong("no certificate")
        return cls(
            root_hash=root_hash,
            certificates=certificates,
            size=size,
            digest=agreed.algorithms.digest(raw),
        )

    def rooted(self, agreed: Negotiated, others: tuple[x509.Certificate, ...]) -> bool:
        """Whether the root hash is that of its first certificate, or of one of the others, which is left out."""
        candidates = (self.certificates[0], *others)
        return any(
            agreed.algorithms.digest(candidate.public_bytes(Encoding.DER)) == self.root_hash
            for candidate in candidates
        )


class Slots:
    """Collects the chains of a transcript's slots from their portions."""

    def __init__(self, agreed: Negotiated) -> None:
        self._agreed = agreed
        self._parts: dict[int, bytearray] = {}
        self.chains: dict[int, bytes] = {}
        self.digests: list[Mapping[int, bytes]] = []

    def add_digests(self, request: bytes, response: bytes) -> None:
        """Read GET_DIGESTS and DIGESTS."""
        asked = Reader(request, "GET_DIGESTS")
        asked.head(self._agreed.version, GET_DIGESTS)
        asked.done()
        reader = Reader(response, "DIGESTS")
        _, mask = reader.head(self._agreed.version, GET_DIGESTS & 0x7F)
        slots = [slot for slot in range(_SLOTS) if mask >> slot & 1]
        self.digests.append({slot: reader.take(self._agreed.algorithms.hash_size) for slot in slots})
        reader.done()

    def add_portion(self, request: bytes, response: bytes) -> None:
        """Read GET_CERTIFICATE and CERTIFICATE; portions of a slot follow each other."""
        asked = Reader(request, "GET_CERTIFICATE")
        slot, attributes = asked.head(self._agreed.version, GET_CERTIFICATE)
        offset, most = asked.number(2), asked.number(2)
        asked.done()
        reader = Reader(response, "CERTIFICATE")
        answered, _ = reader.head(self._agreed.version, GET_CERTIFICATE & 0x7F)
        size, remainder = reader.number(2), reader.number(2)
        portion = reader.take(size)
        reader.done()
        slot &= 0xF
        if answered & 0xF != slot or slot >= _SLOTS or attributes or size > most or not size:
            raise reader.wrong("an answer for another slot, or longer than was asked for, or empty")
        if offset == 0:
            self._parts[slot] = bytearray()
        part = self._parts.get(slot, bytearray())
        if len(part) != offset:
            raise reader.wrong("portions that do not follow each other")
        part += portion
        if not remainder:
            self._finish(slot, bytes(self._parts.pop(slot)))

    def _finish(self, slot: int, chain: bytes) -> None:
        if self.chains.setdefault(slot, chain) != chain:
            raise fault(Reason.CERTIFICATE, f"one chain in slot {slot}", "two that differ")


def _split(der: bytes, reader: Reader) -> list[bytes]:
    found: list[bytes] = []
    while der:
        if len(der) < 4 or der[:2] != b"\x30\x82" or len(found) == _MOST_CERTIFICATES:
            raise MalformedEvidence(
                f"not certificates in DER, or more than {_MOST_CERTIFICATES}", where=f"SPDM {reader.where}"
            )
        size = 4 + int.from_bytes(der[2:4], "big")
        found.append(der[:size])
        der = der[size:]
    return found
