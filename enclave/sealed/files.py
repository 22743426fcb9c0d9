# SPDX-License-Identifier: Apache-2.0
"""A sealed model on disk: who it is, whether it is whole, and, with its key, what is in it.

Hosts, owners and stores use this; the guest reads chunks from its wire with `open.open_chunks`.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from contracts.ids import Digest, SealId
from enclave.errors import (
    ChunkNotAuthentic,
    ChunkOutOfPlace,
    MalformedModel,
    MalformedSeal,
    RootMismatch,
    SealExtended,
    SealRefused,
    SealTruncated,
    WrongSeal,
)
from enclave.sealed.open import OpenModel, in_turns, open_chunks
from enclave.sealed.preamble import (
    HEAD_SIZE,
    ROOT_SIZE,
    TAG_SIZE,
    Preamble,
    body_length,
    leaf,
    merkle_root,
    nonce,
)

_SEARCHED = 4096


class FileSource:
    """A `ChunkSource` over a file; raises `SealTruncated` at its end."""

    def __init__(self, descriptor: int, offset: int) -> None:
        self._descriptor = descriptor
        self._offset = offset

    def readinto(self, view: memoryview, /) -> None:
        """Fill the view with the bytes that follow."""
        while len(view):
            if not (size := os.preadv(self._descriptor, [view], self._offset)):
                raise SealTruncated("the file ends early", where="sealed model", hint="fetch it again")
            view, self._offset = view[size:], self._offset + size


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedFile:
    """A well-formed sealed file of the right length; its chunks are not yet believed."""

    path: Path
    preamble: Preamble
    root: Digest
    body_offset: int

    @property
    def seal_id(self) -> SealId:
        """The identity that preamble and root make."""
        return self.preamble.seal_id(self.root)

    @classmethod
    def inspect(cls, path: Path) -> "SealedFile":
        """Read preamble and root, and hold the file's length against them."""
        try:
            return cls._inspect(path)
        except OSError as error:
            raise SealRefused(error.strerror or "cannot be read", where=str(path)) from error

    @classmethod
    def _inspect(cls, path: Path) -> "SealedFile":
        with path.open("rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            head = os.pread(file.fileno(), HEAD_SIZE, 0)
            if not head:
                raise MalformedSeal("the file is empty", where=str(path), hint="fetch or seal it again")
            body = HEAD_SIZE + body_length(head)
            if size < body:
                raise SealTruncated("the file ends in its preamble", where=str(path), hint="fetch it again")
            preamble = Preamble.parse(os.pread(file.fileno(), body, 0))
            excess = size - (body + preamble.body_size + ROOT_SIZE)
            if excess < 0:
                raise SealTruncated(f"{-excess} bytes are missing", where=str(path), hint="fetch it again")
            if excess > 0:
                raise SealExtended(f"{excess} bytes too many", where=str(path), hint="fetch it again")
            root = Digest(os.pread(file.fileno(), ROOT_SIZE, size - ROOT_SIZE))
        return cls(path=path, preamble=preamble, root=root, body_offset=body)

    def require(self, seal_id: SealId) -> None:
        """Raise `WrongSeal` unless this is the sealed model of that identity."""
        if self.seal_id != seal_id:
            what = f"expected {seal_id}, this is {self.seal_id}"
            raise WrongSeal(what, where=str(self.path), hint="fetch the sealed model that was registered")

    def check_root(self) -> None:
        """Hold every chunk against the root; needs no key."""
        preamble, leaves = self.preamble, [b""] * self.preamble.chunks
        size = preamble.chunk_size

        def read(index: int, buffer: memoryview) -> memoryview:
            chunk = buffer[: min(size, preamble.size - index * size) + TAG_SIZE]
            source.readinto(chunk)
            return chunk

        def digest(index: int, chunk: memoryview) -> None:
            leaves[index] = leaf(chunk)

        with self.path.open("rb", buffering=0) as file:
            source = FileSource(file.fileno(), self.body_offset)
            in_turns(preamble.chunks, size + TAG_SIZE, read, lambda: digest)
        if merkle_root(leaves) != self.root:
            raise RootMismatch(
                "the chunks are not those of the root", where=str(self.path), hint="fetch it again"
            )

    def open(self, data_key: bytes, *, seal_id: SealId) -> OpenModel:
        """The plaintext model in memory, if this is the sealed model of that identity and key."""
        self.require(seal_id)
        with self.path.open("rb", buffering=0) as file:
            try:
                source = FileSource(file.fileno(), self.body_offset)
                return open_chunks(self.preamble, self.root, source, data_key)
            except ChunkNotAuthentic as error:
                self._locate(file.fileno(), error.index, data_key)
                raise

    def read(self, data_key: bytes, path: str, offset: int, length: int) -> bytes:
        """Part of one file of the model, decrypting only the chunks it lies in.

        Chunks are authentic under the key; that they are the root's rests on `check_root`.
        """
        found = next((f for f in self.preamble.files if f.path == path), None)
        if found is None or not 0 <= offset <= offset + length <= found.length:
            raise MalformedModel("no such file, or not that long", where=path[:200])
        start, size = found.offset + offset, self.preamble.chunk_size
        plain = bytearray()
        with self.path.open("rb", buffering=0) as file:
            for index in range(start // size, -(-(start + length) // size)):
                plain += self._decrypt(file.fileno(), index, index, data_key)
        skipped = start % size
        return bytes(plain[skipped : skipped + length])

    def _decrypt(self, descriptor: int, place: int, index: int, data_key: bytes) -> bytes:
        preamble, size = self.preamble, self.preamble.chunk_size
        chunk = bytearray(min(size, preamble.size - place * size) + TAG_SIZE)
        source = FileSource(descriptor, self.body_offset + place * (size + TAG_SIZE))
        source.readinto(memoryview(chunk))
        cipher = AESGCM(preamble.chunk_key(data_key))
        try:
            return cipher.decrypt(nonce(index, preamble.chunks), bytes(chunk), preamble.digest())
        except InvalidTag:
            raise ChunkNotAuthentic(place) from None

    def _locate(self, descriptor: int, place: int, data_key: bytes) -> None:
        """Tell a moved chunk from a changed one, so that an owner knows what happened to the file."""
        for index in range(min(self.preamble.chunks, _SEARCHED)):
            try:
                self._decrypt(descriptor, place, index, data_key)
            except ChunkNotAuthentic:
                continue
            raise ChunkOutOfPlace(place, index)


def open_file(path: Path, data_key: bytes, *, seal_id: SealId) -> OpenModel:
    """Open the sealed model at `path`, which must be the one of that identity."""
    return SealedFile.inspect(path).open(data_key, seal_id=seal_id)
