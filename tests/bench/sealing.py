# SPDX-License-Identifier: Apache-2.0
"""Sealing and opening 1 GiB against a plain copy, pyrage and Model Signing; and how much memory sealing takes.

Sealing is timed as what its peers do, from a surveyed model to a new file; against pyrage to /dev/null, as making a new file
takes a plain copy nearly half of pyrage's time. The manifest root, which neither a copy nor pyrage makes, is timed
against the tool that defines it, and the whole of sealing without a must. Opening is timed from file to
plaintext in fresh memory, every check included, against reading the plaintext there and against pyrage doing the same.
"""

import mmap
import os
from collections.abc import Callable
from pathlib import Path

import pyrage
from model_signing import hashing

from contracts.ids import Address
from enclave.sealed.files import SealedFile, open_file
from enclave.sealed.preamble import Preamble
from enclave.sealed.seal import seal_inventory, write_sealed
from enclave.sealed.survey import Inventory, survey
from tests.bench.child import KEY
from tests.bench.timing import child, interleaved, ratio, timed

ADDRESS = Address(bytes(20))
BLOCK = 1 << 20
ROUNDS = 3


def copied(source: Path, target: Path) -> None:
    """Read and write 1 MiB at a time, the least that sealing can do."""
    block = memoryview(bytearray(BLOCK))
    with source.open("rb", buffering=0) as read, target.open("xb", buffering=0) as write:
        while size := read.readinto(block):
            write.write(block[:size])


def loaded(source: Path) -> mmap.mmap:
    """Read into fresh memory, the least that opening can do."""
    size = source.stat().st_size
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    view = memoryview(memory)
    with source.open("rb", buffering=0) as file:
        for start in range(0, size, BLOCK):
            file.readinto(view[start : start + BLOCK])
    return memory


def discarded(inventory: Inventory, preamble: Preamble) -> None:
    """Seal without making a file."""
    descriptor = os.open(os.devnull, os.O_WRONLY)
    try:
        write_sealed(descriptor, preamble, inventory, KEY, lambda _done, _size: None)
    finally:
        os.close(descriptor)


def variants(model: Path, work: Path) -> dict[str, Callable[[], float]]:
    """Everything to time, by name; `work` has room for three copies of the model."""
    identity = pyrage.x25519.Identity.generate()
    recipients = [identity.to_public()]
    inventory, age, sealed, target = survey(model), work / "age", work / "sealed", work / "new"
    pyrage.encrypt_file(str(model), str(age), recipients)
    info = seal_inventory(inventory, sealed, data_key=KEY, grant_address=ADDRESS)
    preamble = SealedFile.inspect(sealed).preamble

    def to_new(make: Callable[[], object]) -> float:
        target.unlink(missing_ok=True)
        return timed(make)

    def seal() -> object:
        return seal_inventory(inventory, target, data_key=KEY, grant_address=ADDRESS)

    return {
        "copy": lambda: to_new(lambda: copied(model, target)),
        "seal": lambda: to_new(seal),
        "pyrage": lambda: to_new(lambda: pyrage.encrypt_file(str(model), str(target), recipients)),
        "seal to null": lambda: timed(lambda: discarded(inventory, preamble)),
        "pyrage to null": lambda: timed(lambda: pyrage.encrypt_file(str(model), os.devnull, recipients)),
        "manifest": lambda: timed(lambda: survey(model)),
        "model signing": lambda: timed(lambda: hashing.hash(model)),
        "read": lambda: timed(lambda: loaded(model)),
        "open": lambda: timed(lambda: open_file(sealed, KEY, seal_id=info.seal_id)),
        "pyrage open": lambda: timed(lambda: pyrage.decrypt(age.read_bytes(), [identity])),
    }


def run(model: Path, work: Path) -> dict[str, float]:
    """Ratios for one large ONNX file, in a folder that the caller removes."""
    seconds = interleaved(variants(model, work), ROUNDS)
    seconds["both"] = [sum(pair) for pair in zip(seconds["manifest"], seconds["seal"], strict=True)]
    for path in work.iterdir():
        if path.is_file():
            path.unlink()
    return {
        "seal_vs_copy": ratio(seconds, "copy", "seal"),
        "open_vs_copy": ratio(seconds, "read", "open"),
        "seal_vs_pyrage": ratio(seconds, "pyrage to null", "seal to null"),
        "seal_vs_pyrage_new_file": ratio(seconds, "pyrage", "seal"),
        "open_vs_pyrage": ratio(seconds, "pyrage open", "open"),
        "manifest_vs_model_signing": ratio(seconds, "model signing", "manifest"),
        "seal_with_manifest_vs_copy": ratio(seconds, "copy", "both"),
        "seal_with_manifest_vs_pyrage": ratio(seconds, "pyrage", "both"),
        "seal_peak_mib_over_interpreter": child("seal", model, work / "new")["peak"] / (1 << 20),
    }
