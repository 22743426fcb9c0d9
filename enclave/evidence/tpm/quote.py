# SPDX-License-Identifier: Apache-2.0
"""A TPM's quotes, the PCR values behind them, and the workload that they amount to."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes

from contracts.digests import digest
from contracts.ids import Digest
from enclave.errors import MalformedEvidence
from enclave.evidence.kinds import Kind
from enclave.evidence.tpm.structures import HASHES, TpmAttest, TpmSignature

BOOT_PCRS = range(8, 14)
GUEST_PCR = 14
COVERED = range(15)
NO_WORKLOAD = Digest(bytes(32))
"""The workload of a TPM that did not quote what the workload is made of; no policy can list a guest by it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """One quote that is well formed, and not yet believed; `pcrs` are in selection order."""

    attest: TpmAttest
    signature: TpmSignature
    pcrs: tuple[bytes, ...]

    @property
    def selected(self) -> tuple[tuple[int, int], ...]:
        """Bank and number of every PCR that was quoted, in order."""
        return tuple((bank, number) for bank, numbers in self.attest.selections for number in numbers)

    def covers_pcrs(self) -> bool:
        """Whether the values are those that the TPM quoted."""
        sizes = [HASHES[bank].digest_size if bank in HASHES else 0 for bank, _ in self.selected]
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
    """The workload a TPM vouches for: PCRs 8 to 14 of the SHA-256 bank, where 0 to 14 were all quoted.

    Never the resettable 16 and 23: whoever runs on the machine can give those any value.
    """
    if not registers.keys() >= set(COVERED):
        return NO_WORKLOAD
    return digest("workload", Kind.TPM.label, [registers[n] for n in (*BOOT_PCRS, GUEST_PCR)])


def expected_workload(guest_files: bytes, boot: Sequence[bytes] = (bytes(32),) * len(BOOT_PCRS)) -> Digest:
    """The workload of a guest before it has run, for a policy's allow-list.

    `guest_files` is the digest of its file list and `boot` the values of PCRs 8 to 13: what the boot loader
    and kernel of that machine leave there, or zeros where nothing measures into them.
    """
    if len(boot) != len(BOOT_PCRS):
        raise MalformedEvidence(f"PCRs 8 to 13 are six values, got {len(boot)}", where="expected workload")
    registers = dict.fromkeys(COVERED, bytes(32)) | dict(zip(BOOT_PCRS, boot, strict=True))
    registers[GUEST_PCR] = hashlib.sha256(bytes(32) + guest_files).digest()
    return workload_of(registers)
