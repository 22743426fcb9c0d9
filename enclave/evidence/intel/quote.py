# SPDX-License-Identifier: Apache-2.0
"""Quotes of Intel's quoting enclaves, versions 3, 4 and 5, taken apart (SPEC.md, section 1).

Little-endian throughout. What follows the signature data may only be zeros: guests read quotes into larger buffers.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Self

from enclave.errors import MalformedEvidence
from enclave.evidence.facts import Claims
from enclave.evidence.intel.enclave import SIZE as ENCLAVE_SIZE
from enclave.evidence.intel.enclave import EnclaveReport
from enclave.evidence.tpm.log import LogReader

INTEL = bytes.fromhex("939a7233f79c4ca9940a0db3957f0607")
"""The vendor id of Intel's quoting enclaves."""
_HEADER = 48
_LONGEST = 1 << 17
_ECDSA_P256 = 2
_QE_REPORT, _PCK_CHAIN = 6, 5
_WHERE = "quote"


class Body(Enum):
    """What a quote is of: number in version 5, size, and TEE type."""

    SGX = (1, ENCLAVE_SIZE, 0x00)
    TD_1_0 = (2, 584, 0x81)
    TD_1_5 = (3, 648, 0x81)

    def __init__(self, number: int, size: int, tee: int) -> None:
        self.number = number
        self.size = size
        self.tee = tee


_UNTYPED: Mapping[tuple[int, int], Body] = MappingProxyType(
    {(3, 0x00): Body.SGX, (4, 0x00): Body.SGX, (4, 0x81): Body.TD_1_0}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Certification:
    """Who vouches for the attestation key: the quoting enclave's report, signed by the platform's PCK."""

    report: EnclaveReport = field(repr=False)
    signature: bytes = field(repr=False)
    auth_data: bytes = field(repr=False)
    chain: bytes = field(repr=False)

    @classmethod
    def read(cls, reader: LogReader) -> Self:
        """Read QE report, signature, authentication data and the PCK's chain in PEM (type 5)."""
        report, signature = EnclaveReport.parse(reader.take(ENCLAVE_SIZE)), reader.take(64)
        auth_data = reader.take(reader.number(2))
        if (kind := reader.number(2)) != _PCK_CHAIN:
            hint = "only quotes with the PCK certificate chain inside (type 5) are read"
            raise MalformedEvidence(f"certification data of type {kind}", where=_WHERE, hint=hint)
        return cls(report=report, signature=signature, auth_data=auth_data, chain=reader.sized())


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """A quote that is well formed, and not yet believed; `raw` without padding, `signed` what its signature covers."""

    version: int
    kind: Body
    body: bytes = field(repr=False)
    raw: bytes = field(repr=False)
    signed: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    key: bytes = field(repr=False)
    certification: Certification

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read a quote; anything unexpected, bytes other than zeros behind it too, is `MalformedEvidence`."""
        if len(raw) > _LONGEST:
            raise MalformedEvidence(f"longer than {_LONGEST} bytes", where=_WHERE)
        reader = LogReader(raw, _WHERE)
        version, kind = _header(reader)
        body = reader.take(kind.size)
        signed = raw[: len(raw) - reader.left]
        section = LogReader(reader.sized(), "signature of a quote")
        signature, key = section.take(64), section.take(64)
        if version > 3:
            if (outer := section.number(2)) != _QE_REPORT:
                raise MalformedEvidence(f"certification data of type {outer}", where=_WHERE)
            section = _only(section)
        certification = Certification.read(section)
        end = len(raw) - reader.left
        if section.left or any(raw[end:]):
            raise MalformedEvidence("bytes behind the signature that are not padding", where=_WHERE)
        return cls(
            version=version,
            kind=kind,
            body=body,
            raw=raw[:end],
            signed=signed,
            signature=signature,
            key=key,
            certification=certification,
        )

    def rebuilt(self, chain: bytes) -> bytes:
        """The same quote with another PCK certificate chain, which no signature covers."""
        one = self.certification
        inner = one.report.raw + one.signature + len(one.auth_data).to_bytes(2, "little") + one.auth_data
        inner += _typed(_PCK_CHAIN, chain)
        section = self.signature + self.key + (_typed(_QE_REPORT, inner) if self.version > 3 else inner)
        return self.signed + len(section).to_bytes(4, "little") + section

    @property
    def tdx(self) -> bool:
        """Whether this is of a trust domain and not of an enclave."""
        return self.kind is not Body.SGX

    def claims(self) -> Claims:
        """The header's fields."""
        claims: Claims = {
            "quote_version": self.version,
            "tee": "TDX" if self.tdx else "SGX",
            "qe_vendor_id": self.raw[12:28],
            "user_data": self.raw[28:48],
        }
        if self.version == 3:
            claims |= {
                "qe_svn": int.from_bytes(self.raw[8:10], "little"),
                "pce_svn": int.from_bytes(self.raw[10:12], "little"),
            }
        if self.version == 5:
            claims["body_type"] = self.kind.number
        return claims


def _header(reader: LogReader) -> tuple[int, Body]:
    version, key_type, tee = reader.number(2), reader.number(2), reader.number(4)
    reader.take(_HEADER - 8)
    if key_type != _ECDSA_P256:
        raise MalformedEvidence(f"attestation key of type {key_type}, not ECDSA P-256", where=_WHERE)
    if version != 5:
        found = _UNTYPED.get((version, tee))
        if found is None:
            raise MalformedEvidence(f"version {version} for TEE type {tee:#x}", where=_WHERE)
        return version, found
    number, size = reader.number(2), reader.number(4)
    for kind in Body:
        if (kind.number, kind.size, kind.tee) == (number, size, tee):
            return version, kind
    what = f"body type {number} of {size} bytes for TEE type {tee:#x}"
    raise MalformedEvidence(what, where=_WHERE, hint="body types 1, 2 and 3 are read")


def _typed(kind: int, content: bytes) -> bytes:
    return kind.to_bytes(2, "little") + len(content).to_bytes(4, "little") + content


def _only(reader: LogReader) -> LogReader:
    """What is inside the outer certification data, which must end the signature data."""
    inner = LogReader(reader.sized(), "certification data of a quote")
    if reader.left:
        raise MalformedEvidence("bytes behind the certification data", where=_WHERE)
    return inner


def recognised(raw: bytes, tees: frozenset[int]) -> bool:
    """Whether bytes begin as a quote for one of these TEE types does."""
    return (
        len(raw) > _HEADER
        and raw[0] in (3, 4, 5)
        and raw[1:4] == b"\0\2\0"
        and int.from_bytes(raw[4:8], "little") in tees
        and raw[12:28] == INTEL
    )
