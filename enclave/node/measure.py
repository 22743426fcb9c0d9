# SPDX-License-Identifier: Apache-2.0
"""Measures the guest before it starts: the digest of its files goes into PCR 14, which only a reboot clears."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from contracts.digests import Cbor, digest
from contracts.ids import Digest
from enclave.errors import AlreadyMeasured

GUEST_FILES = (
    "contracts/__init__.py",
    "contracts/digests.py",
    "contracts/errors.py",
    "contracts/ids.py",
    "enclave/__init__.py",
    "enclave/evidence/__init__.py",
    "enclave/evidence/binding.py",
    "enclave/faults.py",
    "enclave/guest/**/*.py",
    "enclave/sealed/__init__.py",
    "enclave/sealed/open.py",
    "enclave/sealed/preamble.py",
    "enclave/statements.py",
    "enclave/wire.py",
)
PCR = 14
_HERE = Path(__file__).resolve().parents[2]


class Registers(Protocol):
    """The part of a TPM that measuring needs."""

    def pcr(self, number: int) -> bytes:
        """The value of a PCR in the SHA-256 bank."""

    def extend(self, number: int, digest: bytes) -> None:
        """Extend a PCR of that bank."""


def guest_files(folder: Path = _HERE) -> Iterator[Path]:
    """Every file of ours that runs in the guest, in the order of their names."""
    found = {path for pattern in GUEST_FILES for path in folder.glob(pattern)}
    return iter(sorted(found, key=lambda path: path.relative_to(folder).as_posix()))


def guest_files_digest(folder: Path = _HERE) -> Digest:
    """Digest of the sorted list of (relative path, SHA-256) of the guest's files."""
    listed: list[Cbor] = [
        [path.relative_to(folder).as_posix(), hashlib.sha256(path.read_bytes()).digest()]
        for path in guest_files(folder)
    ]
    return digest("guest-files", listed)


def extend_pcr14(tpm: Registers, measured: bytes) -> None:
    """Make PCR 14 hold this one measurement; raises `AlreadyMeasured` when it holds anything else."""
    before, wanted = tpm.pcr(PCR), hashlib.sha256(bytes(32) + measured).digest()
    if before == bytes(32):
        tpm.extend(PCR, measured)
    elif before != wanted:
        raise AlreadyMeasured(
            f"PCR {PCR} holds {before.hex()}, this guest needs {wanted.hex()}",
            where="TPM",
            hint="another guest, or a boot loader that uses PCR 14, was measured: start the machine again",
        )
