# SPDX-License-Identifier: Apache-2.0
"""How an SPDM connection begins: GET_VERSION to ALGORITHMS, which later messages must keep to."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from enclave.evidence.spdm.algorithms import Algorithms
from enclave.evidence.spdm.wire import (
    GET_CAPABILITIES,
    GET_VERSION,
    NEGOTIATE_ALGORITHMS,
    VERSION_10,
    VERSION_12,
    VERSIONS,
    Reader,
)

MESSAGES = 6
_DMTF = 1
_MULTI_KEY = 0x10


@dataclass(frozen=True, slots=True, kw_only=True)
class Negotiated:
    """What both sides agreed on; `vca` is those six messages, which signatures cover from SPDM 1.2 on."""

    version: int
    versions: tuple[int, ...]
    capabilities: int
    algorithms: Algorithms
    vca: bytes = field(repr=False)

    @classmethod
    def parse(cls, messages: Sequence[bytes]) -> Self:
        """Read the first six messages; raises `MalformedEvidence`."""
        versions = _versions(messages[0], messages[1])
        version = messages[2][0] if messages[2] else 0
        if version not in VERSIONS or version not in versions:
            raise Reader(b"", "GET_CAPABILITIES").wrong(
                f"version {version:#04x} is none that we know and the device offered"
            )
        return cls(
            version=version,
            versions=versions,
            capabilities=_capabilities(messages[2], messages[3], version),
            algorithms=_algorithms(messages[4], messages[5], version),
            vca=b"".join(messages[:MESSAGES]),
        )

    @property
    def signed(self) -> bool:
        """Whether signatures over measurements cover this, which they do from SPDM 1.2 on."""
        return self.version >= VERSION_12

    @property
    def newest(self) -> int:
        """The newest version that the device offered and we know."""
        return max(set(self.versions) & set(VERSIONS))


def _versions(request: bytes, response: bytes) -> tuple[int, ...]:
    asked = Reader(request, "GET_VERSION")
    asked.head(VERSION_10, GET_VERSION)
    asked.done()
    reader = Reader(response, "VERSION")
    reader.head(VERSION_10, GET_VERSION & 0x7F)
    reader.take(1)
    versions = tuple(reader.number(2) >> 8 for _ in range(reader.number(1)))
    reader.done()
    return versions


def _capabilities(request: bytes, response: bytes, version: int) -> int:
    flags = 0
    for message, code, where in (
        (request, GET_CAPABILITIES, "GET_CAPABILITIES"),
        (response, GET_CAPABILITIES & 0x7F, "CAPABILITIES"),
    ):
        reader = Reader(message, where)
        reader.head(version, code)
        reader.take(4)
        flags = reader.number(4)
        reader.take(8 if version >= VERSION_12 else 0)  # the sizes of messages
        reader.done()
    return flags


def _algorithms(request: bytes, response: bytes, version: int) -> Algorithms:
    asked = Reader(request, "NEGOTIATE_ALGORITHMS")
    tables, _ = asked.head(version, NEGOTIATE_ALGORITHMS)
    _length(asked, request)
    asked.take(2)
    offered_asym, offered_hash = asked.number(4), asked.number(4)
    _extended(asked, 12, tables)

    reader = Reader(response, "ALGORITHMS")
    tables, _ = reader.head(version, NEGOTIATE_ALGORITHMS & 0x7F)
    _length(reader, response)
    specification, parameters = reader.take(2)
    measurement_hash, base_asym, base_hash = reader.number(4), reader.number(4), reader.number(4)
    _extended(reader, 12, tables)
    chosen = Algorithms(base_asym=base_asym, base_hash=base_hash, measurement_hash=measurement_hash)
    if not chosen.known or specification != _DMTF or parameters & _MULTI_KEY:
        raise reader.wrong("algorithms, a measurement specification or several keys that we cannot check")
    if not base_asym & offered_asym or not base_hash & offered_hash:
        raise reader.wrong("algorithms that the requester did not offer")
    return chosen


def _length(reader: Reader, message: bytes) -> None:
    if reader.number(2) != len(message):
        raise reader.wrong("another length than it states")


def _extended(reader: Reader, reserved: int, tables: int) -> None:
    """Pass the algorithms of other registries, and those of key exchanges, which measurements do not use."""
    reader.take(reserved)
    asymmetric, hashed = reader.take(2)
    reader.take(2 + 4 * (asymmetric + hashed))
    for _ in range(tables):
        reader.take(1)
        counts = reader.number(1)
        reader.take((counts >> 4) + 4 * (counts & 0xF))
    reader.done()
