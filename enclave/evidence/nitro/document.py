# SPDX-License-Identifier: Apache-2.0
"""The attestation document of a Nitro enclave or of an EC2 instance's NitroTPM (nitro/SPEC.md, section 1).

Source: AWS Nitro Enclaves user guide, "Cryptographic attestation"; aws-nitro-enclaves-nsm-api, attestation_process.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Self

from enclave.errors import MalformedEvidence
from enclave.evidence.cbor import whole
from enclave.evidence.cose import Sign1
from enclave.evidence.facts import Claims
from enclave.evidence.nitro.limits import checked

_ES384 = -35
_LONGEST = 0x3000
_WHERE = "nitro attestation document"
_FIELDS = {"module_id", "digest", "timestamp", "certificate", "cabundle"}
_OPTIONAL = {"public_key", "user_data", "nonce"}
PCR_FIELDS = ("pcrs", "nitrotpm_pcrs")
_DEBUG = range(3)


@dataclass(frozen=True, slots=True, kw_only=True)
class NitroDocument:
    """A document that is well formed, and not yet believed; absent optional fields are empty."""

    module_id: str
    timestamp_ms: int
    pcr_field: str
    pcrs: Mapping[int, bytes]
    certificate: bytes = field(repr=False)
    cabundle: tuple[bytes, ...] = field(repr=False)
    public_key: bytes
    user_data: bytes
    nonce: bytes
    signed: Sign1 = field(repr=False)

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read a COSE_Sign1 by ES384 whose payload is the map of the manual, and nothing besides."""
        if len(raw) > _LONGEST:
            raise MalformedEvidence(f"longer than {_LONGEST} bytes", where=_WHERE)
        signed = Sign1.parse(raw, _WHERE)
        if signed.algorithm != _ES384 or signed.unprotected:
            raise MalformedEvidence("not ES384 alone", where=_WHERE)
        try:
            payload = whole(signed.payload)
        except ValueError as error:
            raise MalformedEvidence("a payload that is not one item", where=_WHERE) from error
        fields = set(payload) if isinstance(payload, dict) else set()
        banks = [name for name in PCR_FIELDS if name in fields]
        if not isinstance(payload, dict) or len(banks) != 1 or fields - _OPTIONAL != {*_FIELDS, *banks}:
            raise MalformedEvidence("other fields than the manual lists", where=_WHERE)
        return cls(signed=signed, pcr_field=banks[0], **checked(payload, banks[0], _WHERE))

    @property
    def made(self) -> datetime:
        """When the hypervisor says that it signed."""
        return datetime.fromtimestamp(self.timestamp_ms / 1000, UTC)

    @property
    def instance(self) -> str:
        """The EC2 instance: a module id without what follows its last dash."""
        return self.module_id.rpartition("-")[0]

    @property
    def debug(self) -> bool:
        """Whether PCR0 to PCR2 are zero, which AWS defines as debug mode of an enclave."""
        return self.pcr_field == PCR_FIELDS[0] and not any(any(self.pcrs.get(n, b"")) for n in _DEBUG)

    def claims(self) -> Claims:
        """The fields as the manual names them; `debug` is what its PCRs mean."""
        return {
            "module_id": self.module_id,
            "timestamp_ms": self.timestamp_ms,
            "digest": "SHA384",
            "pcr_field": self.pcr_field,
            "pcrs": {str(number): value for number, value in sorted(self.pcrs.items())},
            "user_data": self.user_data,
            "nonce": self.nonce,
            "public_key": self.public_key,
            "debug": self.debug,
        }
