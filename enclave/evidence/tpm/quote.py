# SPDX-License-Identifier: Apache-2.0
"""A TPM's evidence: a quote, the PCR values behind it, the key that signed it, and the logs that explain it."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import cbor2
from cryptography.hazmat.primitives import hashes

from contracts.digests import digest
from contracts.ids import Digest
from enclave.errors import MalformedEvidence
from enclave.evidence.facts import Claims
from enclave.evidence.kinds import Kind
from enclave.evidence.tpm.structures import HASHES, TpmAttest, TpmPublic, TpmSignature

BOOT_PCRS = range(8, 14)
GUEST_PCR = 14
_SHAPE = (bytes, bytes, bytes, list, list, bytes, bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class TpmQuote:
    """A TPM's evidence that is well formed, and not yet believed; `pcrs` are in selection order."""

    attest: TpmAttest
    signature: TpmSignature
    public: TpmPublic
    pcrs: tuple[bytes, ...]
    chain: tuple[bytes, ...] = field(repr=False)
    event_log: bytes = field(repr=False)
    ima_log: bytes = field(repr=False)

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read `[attest, signature, public, [pcr...], [certificate...], event log, IMA log]`."""
        try:
            parts = cbor2.loads(raw)
            again = cbor2.dumps(parts, canonical=True)
        except Exception as error:  # cbor2 raises many kinds on hostile input
            raise MalformedEvidence("not CBOR", where="tpm evidence") from error
        if again != raw or not isinstance(parts, list) or tuple(map(type, parts)) != _SHAPE:
            raise MalformedEvidence("not the seven parts of tpm evidence", where="tpm evidence")
        attest, signature, public, pcrs, chain, event_log, ima_log = parts
        if any(type(part) is not bytes for part in (*pcrs, *chain)):
            raise MalformedEvidence("a byte string is something else", where="tpm evidence")
        return cls(
            attest=TpmAttest.parse(attest),
            signature=TpmSignature.parse(signature),
            public=TpmPublic.parse(public),
            pcrs=tuple(pcrs),
            chain=tuple(chain),
            event_log=event_log,
            ima_log=ima_log,
        )

    def registers(self) -> Mapping[int, bytes]:
        """PCR values by number; empty unless the quote selects exactly one bank."""
        if len(self.attest.selections) != 1:
            return {}
        _, numbers = self.attest.selections[0]
        return dict(zip(numbers, self.pcrs, strict=False))

    def claims(self) -> Claims:
        """The quote's fields as the TPM 2.0 Library names them, and the PCR values that came with it."""
        attest = self.attest
        return {
            "attest": attest.claims(),
            "pcrs_sha256": {str(number): value for number, value in self.registers().items()},
            "ak_name": self.public.name,
        }

    def covers_pcrs(self) -> bool:
        """Whether the values are those that the TPM quoted."""
        selected = [bank for bank, numbers in self.attest.selections for _ in numbers]
        sizes = [HASHES[bank].digest_size if bank in HASHES else 0 for bank in selected]
        return (
            sizes == list(map(len, self.pcrs))
            and pcr_digest(self.signature.hash, self.pcrs) == self.attest.pcr_digest
        )


def pcr_digest(algorithm: int, values: Sequence[bytes]) -> bytes:
    """What a TPM signs about PCRs: their values hashed with the signature scheme's algorithm."""
    hasher = hashes.Hash(HASHES[algorithm]())
    hasher.update(b"".join(values))
    return hasher.finalize()


def workload_of(registers: Mapping[int, bytes]) -> Digest:
    """The workload a TPM vouches for: PCRs 8 to 14, never the resettable 16 and 23."""
    values = [registers.get(n, b"") for n in (*BOOT_PCRS, GUEST_PCR)]
    return digest("workload", Kind.TPM.label, values)


def expected_workload(guest_files: bytes, boot: Sequence[bytes] = (bytes(32),) * len(BOOT_PCRS)) -> Digest:
    """The workload of a guest before it has run, for a policy's allow-list.

    `guest_files` is the digest of its file list and `boot` the values of PCRs 8 to 13: what the boot loader
    and kernel of that machine leave there, or zeros where nothing measures into them.
    """
    if len(boot) != len(BOOT_PCRS):
        raise MalformedEvidence(f"PCRs 8 to 13 are six values, got {len(boot)}", where="expected workload")
    registers = dict(zip(BOOT_PCRS, boot, strict=True))
    registers[GUEST_PCR] = hashlib.sha256(bytes(32) + guest_files).digest()
    return workload_of(registers)
