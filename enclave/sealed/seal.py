# SPDX-License-Identifier: Apache-2.0
"""Step 1: seal a model folder or file into one file that only the holder of its data key can open.

Two passes over the model: one for the manifest root, which the preamble and so every chunk's associated data holds,
one that encrypts. Memory is constant. The target appears whole, by rename, or not at all.
"""

import bisect
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from contracts.ids import Address, Digest, SealId
from enclave.errors import SealRefused
from enclave.sealed.open import in_turns
from enclave.sealed.preamble import CHUNK_SIZE, TAG_SIZE, Preamble, commit, leaf, merkle_root, nonce
from enclave.sealed.survey import Inventory, survey

Progress: TypeAlias = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedInfo:
    """What an owner registers and keeps of a model that was sealed."""

    seal_id: SealId
    preamble_digest: Digest
    root: Digest
    manifest_root: Digest
    size: int


def seal(
    source: Path,
    target: Path,
    *,
    data_key: bytes,
    grant_address: Address,
    main: str | None = None,
    progress: Progress | None = None,
) -> SealedInfo:
    """Seal `source` under a fresh 32-byte data key into `target`, which must not exist.

    `grant_address` is the account of the key that signs grants; `main` names the ONNX file where a folder has several.
    `progress` is called with bytes done and bytes in all.
    """
    if os.path.lexists(target):
        raise SealRefused("the target exists", where=str(target), hint="remove it, or seal to another path")
    if source.is_dir() and target.resolve().is_relative_to(source.resolve()):
        raise SealRefused("the target lies in the model's folder", where=str(target))
    return seal_inventory(
        survey(source, main), target, data_key=data_key, grant_address=grant_address, progress=progress
    )


def seal_inventory(
    inventory: Inventory,
    target: Path,
    *,
    data_key: bytes,
    grant_address: Address,
    chunk_size: int = CHUNK_SIZE,
    progress: Progress | None = None,
) -> SealedInfo:
    """Seal a model that was surveyed; refuses when a file has changed since."""
    preamble = Preamble(
        chunk_size=chunk_size,
        files=inventory.files,
        main=inventory.main,
        tensors=inventory.tensors,
        manifest_root=inventory.manifest_root,
        key_commitment=commit(data_key),
        grant_address=grant_address,
    )
    Preamble.parse(preamble.encode())  # whatever a guest would refuse is refused here
    part = target.with_name(f".{target.name}.{secrets.token_hex(8)}.part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        try:
            root = write_sealed(descriptor, preamble, inventory, data_key, progress or _silent)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        inventory.check_unchanged()
        _publish(part, target)
    except OSError as error:
        raise SealRefused(
            error.strerror or "cannot be written", where=str(error.filename or target)
        ) from error
    finally:
        part.unlink(missing_ok=True)
    return SealedInfo(
        seal_id=preamble.seal_id(root),
        preamble_digest=preamble.digest(),
        root=root,
        manifest_root=preamble.manifest_root,
        size=len(preamble.encode()) + preamble.body_size + len(root),
    )


def _silent(_done: int, _size: int) -> None:
    """Progress that nobody watches."""


def write_sealed(
    descriptor: int, preamble: Preamble, inventory: Inventory, data_key: bytes, progress: Progress
) -> Digest:
    """Write preamble, chunks and root at their places in a file that is open for writing; returns the root."""
    head, size, count = preamble.encode(), preamble.chunk_size, preamble.chunks
    key, associated = preamble.chunk_key(data_key), preamble.digest()
    starts = [file.offset for file in inventory.files]
    leaves = [b""] * count

    def take(index: int, buffer: memoryview) -> memoryview:
        plain = buffer[: min(size, preamble.size - index * size)]
        progress(index * size, preamble.size)
        return plain

    def encrypt() -> Callable[[int, memoryview], None]:
        cipher, held = AESGCM(key), memoryview(bytearray(size + TAG_SIZE))

        def one(index: int, plain: memoryview) -> None:
            chunk = held[: len(plain) + TAG_SIZE]
            _fill(plain, index * size, inventory, starts)
            cipher.encrypt_into(nonce(index, count), plain, associated, chunk)
            leaves[index] = leaf(chunk)
            _put(descriptor, chunk, len(head) + index * (size + TAG_SIZE))

        return one

    _put(descriptor, memoryview(head), 0)
    in_turns(count, size, take, encrypt)
    progress(preamble.size, preamble.size)
    root = merkle_root(leaves)
    _put(descriptor, memoryview(root), len(head) + preamble.body_size)
    return root


def _fill(plain: memoryview, start: int, inventory: Inventory, starts: list[int]) -> None:
    """Copy the plaintext from `start` on: parts of files, and zeros between them."""
    end, at = start + len(plain), start
    for n in range(max(0, bisect.bisect_right(starts, start) - 1), len(starts)):
        file = inventory.files[n]
        if file.offset >= end:
            break
        first, last = max(start, file.offset), min(end, file.offset + file.length)
        if first < last:
            plain[at - start : first - start] = bytes(first - at)
            _get(inventory.folder / file.path, plain[first - start : last - start], first - file.offset)
            at = last
    plain[at - start :] = bytes(end - at)


def _get(path: Path, view: memoryview, offset: int) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        while len(view):
            if not (size := os.preadv(descriptor, [view], offset)):
                raise SealRefused("the file became shorter while it was sealed", where=str(path))
            view, offset = view[size:], offset + size
    finally:
        os.close(descriptor)


def _put(descriptor: int, view: memoryview, offset: int) -> None:
    while len(view):
        size = os.pwrite(descriptor, view, offset)
        view, offset = view[size:], offset + size


def _publish(part: Path, target: Path) -> None:
    """Give the finished file its name; a link, unlike a rename, never replaces what appeared there meanwhile."""
    try:
        os.link(part, target)
    except FileExistsError as error:
        raise SealRefused("the target exists", where=str(target)) from error
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
