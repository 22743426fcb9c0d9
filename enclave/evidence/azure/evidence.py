# SPDX-License-Identifier: Apache-2.0
"""What a machine of Azure's gives: the paravisor's report, a vTPM's quote, and for TDX a quote (azure/SPEC.md, section 2)."""

from dataclasses import dataclass, field
from typing import Any, Self

import cbor2
from cryptography import x509

from enclave.errors import MalformedEvidence
from enclave.evidence.azure.hcl import MAGIC, Hardware, HclReport
from enclave.evidence.cbor import decode
from enclave.evidence.certificates import load
from enclave.evidence.facts import Claims
from enclave.evidence.tpm.quote import Quote
from enclave.evidence.tpm.structures import SHA256, TpmAttest, TpmSignature

_VERSION = 1
_LONGEST = 1 << 18
_MOST_PCRS = 64
_RSASSA = 0x0014
_RESETTABLE = frozenset({16, 23})
_WHERE = "Azure evidence"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The bytes as they were collected; `td_quote` and `certificate` are empty where there is none."""

    hcl: bytes
    attest: bytes
    signature: bytes
    pcrs: tuple[bytes, ...]
    td_quote: bytes = b""
    certificate: bytes = b""

    def encode(self) -> bytes:
        """Deterministic CBOR `[1, hcl, attest, signature, [pcr, ...], td_quote, certificate]`."""
        parts = (self.hcl, self.attest, self.signature, list(self.pcrs), self.td_quote, self.certificate)
        return cbor2.dumps([_VERSION, *parts], canonical=True)

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        """Read `encode()`; raises `MalformedEvidence` for any other bytes."""
        if len(raw) > _LONGEST:
            raise MalformedEvidence(f"longer than {_LONGEST} bytes", where=_WHERE)
        try:
            read: Any = decode(raw)
            version, hcl, attest, signature, pcrs, td_quote, certificate = read
            parts = cls(
                hcl=hcl,
                attest=attest,
                signature=signature,
                pcrs=tuple(pcrs),
                td_quote=td_quote,
                certificate=certificate,
            )
            types = {type(part) for part in (hcl, attest, signature, td_quote, certificate, *pcrs)}
            right = version == _VERSION and types == {bytes} and parts.encode() == raw
        except Exception as error:  # cbor2 and unpacking raise many kinds on hostile input
            raise MalformedEvidence("not the seven parts", where=_WHERE) from error
        if not right or len(parts.pcrs) > _MOST_PCRS:
            raise MalformedEvidence("a part of the wrong type, or too many", where=_WHERE)
        return parts


@dataclass(frozen=True, slots=True, kw_only=True)
class AzureEvidence:
    """Evidence that is well formed, and not yet believed."""

    hcl: HclReport
    quote: Quote
    td_quote: bytes = field(repr=False)
    certificate: x509.Certificate | None = field(repr=False)

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read every part; a quote of a trust domain is there for TDX and for nothing else."""
        parts = Parts.decode(raw)
        hcl = HclReport.parse(parts.hcl)
        if (hcl.hardware is Hardware.TDX) != bool(parts.td_quote):
            raise MalformedEvidence("a TD quote that should not be there, or is missing", where=_WHERE)
        quote = Quote(
            attest=TpmAttest.parse(parts.attest),
            signature=TpmSignature(scheme=_RSASSA, hash=SHA256, parts=(parts.signature,)),
            pcrs=parts.pcrs,
        )
        certificate = load(unpadded(parts.certificate)) if parts.certificate else None
        return cls(hcl=hcl, quote=quote, td_quote=parts.td_quote, certificate=certificate)

    @property
    def pcrs(self) -> dict[int, bytes]:
        """The quoted registers of the SHA-256 bank by number."""
        pairs = zip(self.quote.selected, self.quote.pcrs, strict=False)
        return {number: value for (bank, number), value in pairs if bank == SHA256}

    def registers(self) -> dict[str, bytes]:
        """The registers that rules may name; not 16 and 23, to which the guest can give any value."""
        return {f"pcr{number}": value for number, value in self.pcrs.items() if number not in _RESETTABLE}

    def claims(self) -> Claims:
        """What the vTPM and the paravisor say."""
        attest = self.quote.attest
        values: Claims = {str(number): value for number, value in self.pcrs.items()}
        tpm: Claims = {**attest.claims(), "pcrs_sha256": values}
        return {"tpm": tpm, "hcl": self.hcl.claims()}


def unpadded(der: bytes) -> bytes:
    """A certificate without the zeros that fill up the NV index it was read from."""
    if der[:2] != b"\x30\x82":
        return der
    size = 4 + int.from_bytes(der[2:4], "big")
    return der if any(der[size:]) else der[:size]


def recognise(raw: bytes) -> bool:
    """Whether these bytes begin as `Parts.encode()` does, with a paravisor's report."""
    return raw[:3] == b"\x87\x01\x59" and raw[5:9] == MAGIC
