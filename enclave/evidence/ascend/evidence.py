# SPDX-License-Identifier: Apache-2.0
"""Evidence of an Ascend NPU: its host's TPM quote, and the kernel's list of the firmware it loaded (ascend/SPEC.md)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self

import cbor2

from enclave.errors import MalformedEvidence
from enclave.evidence.cbor import decode
from enclave.evidence.tpm.evidence import TpmEvidence
from enclave.evidence.tpm.ima import ImaEntry

LABEL = "ascend"
PREFIX = b"\x82\x66ascend"
DIRECTORY = "/driver/device/"
_WHERE = "ascend evidence"


@dataclass(frozen=True, slots=True, kw_only=True)
class AscendEvidence:
    """What a host says of its NPUs' firmware, well formed and not yet believed."""

    body: bytes = field(repr=False)
    tpm: TpmEvidence = field(repr=False)

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read deterministic CBOR `["ascend", tpm body]`; raises `MalformedEvidence`."""
        body = body_in(raw)
        return cls(body=body, tpm=TpmEvidence.parse(body))


def body_in(raw: bytes) -> bytes:
    """The TPM's body inside."""
    try:
        parts = decode(raw)
    except ValueError as error:
        raise MalformedEvidence("not the evidence of an Ascend host", where=_WHERE) from error
    body = parts[1] if isinstance(parts, list) and len(parts) == 2 and parts[0] == LABEL else None
    if not isinstance(body, bytes):
        raise MalformedEvidence("another label, or other parts", where=_WHERE)
    return body


def wrapped(body: bytes) -> bytes:
    """The evidence around a TPM's body."""
    return cbor2.dumps([LABEL, body], canonical=True)


def firmware(entries: Iterable[ImaEntry]) -> Mapping[str, tuple[bytes, ...]]:
    """The distinct digests of each firmware file among the measurements: those below the driver's `device/`."""
    found: dict[str, dict[bytes, None]] = {}
    for entry in entries:
        if DIRECTORY in entry.path:
            found.setdefault(entry.path, {})[entry.digest] = None
    return {path: tuple(digests) for path, digests in found.items()}
