# SPDX-License-Identifier: Apache-2.0
"""Step 8: open a sealed model straight into memory.

Rules, in order: the data key is the one the preamble commits to; every chunk is authentic, at its place, under this
preamble; the Merkle root over what was read is the expected one. Nothing is handed out before the last rule holds,
and whatever was decrypted until one fails is overwritten.
"""

import mmap
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from enclave.faults import ChunkNotAuthentic, RootMismatch
from enclave.sealed.preamble import TAG_SIZE, Preamble, Tensor, leaf, merkle_root, nonce

_BLANK = 1 << 20


class ChunkSource(Protocol):
    """Where ciphertext comes from, in order: a file, or a stream on the wire."""

    def readinto(self, view: memoryview, /) -> None:
        """Fill the whole view with the bytes that follow, or raise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenModel:
    """A plaintext model in memory: views of one buffer, which the owner of this value zeroises."""

    preamble: Preamble
    buffer: mmap.mmap = field(repr=False)

    @property
    def main(self) -> str:
        """Path of the file that describes the graph."""
        return self.preamble.main

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """Initializers that live in external data."""
        return self.preamble.tensors

    @property
    def files(self) -> Mapping[str, memoryview]:
        """Every file's bytes, by path, without a copy."""
        view = memoryview(self.buffer)
        return {file.path: view[file.offset : file.offset + file.length] for file in self.preamble.files}

    def zeroise(self) -> None:
        """Overwrite the plaintext; every view shows zeros from here on."""
        blank = bytes(_BLANK)
        for start in range(0, self.preamble.size, _BLANK):
            end = min(start + _BLANK, self.preamble.size)
            self.buffer[start:end] = blank[: end - start]


def open_chunks(preamble: Preamble, root: bytes, source: ChunkSource, data_key: bytes) -> OpenModel:
    """Decrypt the chunks that follow a preamble; `preamble.seal_id(root)` must have been checked before."""
    key, associated, count = preamble.chunk_key(data_key), preamble.digest(), preamble.chunks
    memory = mmap.mmap(-1, max(1, preamble.size), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    model = OpenModel(preamble=preamble, buffer=memory)
    plain, size = memoryview(model.buffer), preamble.chunk_size
    leaves = [b""] * count

    def decrypt() -> Callable[[int, memoryview], None]:
        cipher = AESGCM(key)

        def one(index: int, chunk: memoryview) -> None:
            leaves[index] = leaf(chunk)
            target = plain[index * size : index * size + len(chunk) - TAG_SIZE]
            try:
                cipher.decrypt_into(nonce(index, count), chunk, associated, target)
            except InvalidTag:
                raise ChunkNotAuthentic(index) from None

        return one

    def read(index: int, buffer: memoryview) -> memoryview:
        chunk = buffer[: min(size, preamble.size - index * size) + TAG_SIZE]
        source.readinto(chunk)
        return chunk

    try:
        in_turns(count, size + TAG_SIZE, read, decrypt)
        if merkle_root(leaves) != bytes(root):
            raise RootMismatch("the chunks are not those of the root", where="sealed model")
    except BaseException:
        model.zeroise()
        raise
    return model


def in_turns(
    count: int,
    size: int,
    take: Callable[[int, memoryview], memoryview],
    worker: Callable[[], Callable[[int, memoryview], None]],
) -> None:
    """Take chunks in order, each into the free buffer of one of two threads, and work on them in parallel.

    The calling thread is one of the two, so an interrupt stops both; the failure of the first chunk is raised.
    """
    turn, indices, failures = threading.Lock(), iter(range(count)), dict[int, BaseException]()

    def run() -> None:
        index = -1
        try:
            buffer, work = memoryview(bytearray(size)), worker()
            while True:
                with turn:
                    if failures or (index := next(indices, count)) == count:
                        return
                    chunk = take(index, buffer)
                work(index, chunk)
        except BaseException as failure:  # noqa: BLE001  # a thread's is lost otherwise; raised below
            failures[index] = failure

    other = threading.Thread(target=run)
    other.start()
    run()
    while other.is_alive():  # whatever they use is freed next, so no interrupt may leave it running
        try:
            other.join()
        except BaseException as failure:  # noqa: BLE001  # raised below
            failures[-1] = failure
    if failures:
        raise failures[min(failures)]
