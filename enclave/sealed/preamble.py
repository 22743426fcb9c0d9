# SPDX-License-Identifier: Apache-2.0
"""The public head of a sealed model, and how its parts become one sealId (SPEC.md).

Part of the trusted base: what is read here decides what a guest opens, so every field is checked once, in `parse`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Any, Self

import cbor2
from blake3 import blake3
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from contracts.digests import digest
from contracts.ids import Address, Digest, SealId
from enclave.faults import MalformedSeal, WrongKey

MAGIC = b"EXEQSEAL"
VERSION = 1
HEAD_SIZE = 16
LARGEST_PREAMBLE = 16 << 20
CHUNK_SIZE = 1 << 20
TAG_SIZE = 16
ROOT_SIZE = 32
ALIGNMENT = 64
ITEM_SIZES = {"bool": 1, "int8": 1, "uint8": 1, "int16": 2, "uint16": 2, "float16": 2}
ITEM_SIZES |= {"int32": 4, "uint32": 4, "float32": 4, "int64": 8, "uint64": 8, "float64": 8}
_CHUNK_SIZES = [1 << bits for bits in range(10, 21)]


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One file of the model: a relative POSIX path, and where its bytes stand in the plaintext."""

    path: str
    offset: int
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """An initializer that lives in external data: `offset` counts from the start of its file."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    file: str
    offset: int
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Preamble:
    """Everything public about a sealed model; `raw` is the exact encoding that its digest covers."""

    chunk_size: int
    files: tuple[File, ...]
    main: str
    tensors: tuple[Tensor, ...]
    manifest_root: Digest
    key_commitment: Digest
    grant_address: Address

    @property
    def size(self) -> int:
        """Length of the plaintext: the files one after the other, each from a multiple of 64."""
        return self.files[-1].offset + self.files[-1].length

    @property
    def chunks(self) -> int:
        """How many chunks there are; an empty model has one."""
        return max(1, -(-self.size // self.chunk_size))

    @property
    def body_size(self) -> int:
        """Length of all chunks together, as they stand between preamble and root."""
        return self.size + self.chunks * TAG_SIZE

    def encode(self) -> bytes:
        """Magic, version, length, then one deterministic CBOR array."""
        files = [[file.path, file.offset, file.length] for file in self.files]
        tensors = [[t.name, t.dtype, list(t.shape), t.file, t.offset, t.length] for t in self.tensors]
        ends = [bytes(self.manifest_root), bytes(self.key_commitment), bytes(self.grant_address)]
        body = cbor2.dumps([self.chunk_size, files, self.main, tensors, *ends], canonical=True)
        return MAGIC + VERSION.to_bytes(4, "big") + len(body).to_bytes(4, "big") + body

    def digest(self) -> Digest:
        """Associated data of every chunk."""
        return digest("preamble", self.encode())

    def seal_id(self, root: bytes) -> SealId:
        """Identity of the sealed model with this preamble and root."""
        return SealId(digest("seal", self.digest(), bytes(root)))

    def chunk_key(self, data_key: bytes) -> bytes:
        """The AES-256-GCM key of the chunks; raises `WrongKey` for a key the preamble does not commit to.

        The salt makes the key this file's own even if an owner uses a data key twice, so nonces may count from zero.
        """
        if commit(data_key) != self.key_commitment:
            raise WrongKey("this data key is another model's", where="sealed model")
        return _derive(data_key, b"exequatur/v1/chunk-key", self.digest())

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read exactly one preamble; anything unexpected raises `MalformedSeal`."""
        if len(raw) != HEAD_SIZE + body_length(raw[:HEAD_SIZE]):
            raise _malformed("a preamble of another length than it says")
        try:
            preamble = cls._of(cbor2.loads(raw[HEAD_SIZE:]))
            same = preamble.encode() == raw
        except MalformedSeal:
            raise
        except (
            Exception
        ) as error:  # cbor2 raises many kinds on hostile input, and so does reading what it returns
            raise _malformed("the preamble does not decode") from error
        if not same:
            raise _malformed("the preamble is not deterministically encoded")
        preamble._check()
        return preamble

    @classmethod
    def _of(cls, body: object) -> Self:
        size, files, main, tensors, root, commitment, address = _row(
            body, int, list, str, list, bytes, bytes, bytes
        )
        rows = [_row(file, str, int, int) for file in files]
        return cls(
            chunk_size=size,
            files=tuple(File(path=path, offset=offset, length=length) for path, offset, length in rows),
            main=main,
            tensors=tuple(_tensor(tensor) for tensor in tensors),
            manifest_root=Digest(root),
            key_commitment=Digest(commitment),
            grant_address=Address(address),
        )

    def _check(self) -> None:
        if self.chunk_size not in _CHUNK_SIZES:
            raise _malformed("a chunk size that is not a power of two from 1 KiB to 1 MiB")
        if not self.files or self.chunks >= 1 << 32:
            raise _malformed("no files, or 2^32 chunks and more")
        end = 0
        for file in self.files:
            if not safe(file.path) or file.offset != aligned(end):
                raise _malformed(
                    f"file {file.path[:80]!r} has an unsafe path, or does not follow the one before"
                )
            end = file.offset + file.length
        if any(PurePosixPath(a.path) >= PurePosixPath(b.path) for a, b in pairwise(self.files)):
            raise _malformed("files out of order")
        if self.main not in {file.path for file in self.files}:
            raise _malformed("the main file is not among the files")
        self._check_tensors()

    def _check_tensors(self) -> None:
        lengths = {file.path: file.length for file in self.files}
        for t in self.tensors:
            size = ITEM_SIZES.get(t.dtype, -1) * math.prod(t.shape)
            if t.dtype not in ITEM_SIZES or size != t.length or t.offset + size > lengths.get(t.file, -1):
                raise _malformed(f"tensor {t.name[:80]!r} does not lie in a file")
        if len({t.name for t in self.tensors}) != len(self.tensors):
            raise _malformed("two tensors of one name")


def body_length(head: bytes) -> int:
    """Length of the CBOR that follows a preamble's first 16 bytes."""
    if len(head) != HEAD_SIZE or head[:8] != MAGIC:
        raise _malformed("this is not a sealed model", "seal it first: exequatur model seal")
    if (version := int.from_bytes(head[8:12], "big")) != VERSION:
        raise _malformed(f"version {version} is not known", "a newer exequatur may read it")
    if (length := int.from_bytes(head[12:], "big")) > LARGEST_PREAMBLE - HEAD_SIZE:
        raise _malformed("a preamble longer than 16 MiB")
    return length


def safe(path: str) -> bool:
    """Whether a path is relative, canonical, and stays below the model's folder."""
    parts = path.split("/")
    return not any(part in ("", ".", "..") or not part.isprintable() or "\\" in part for part in parts)


def aligned(offset: int) -> int:
    """The next multiple of 64, so that every file can be used in place."""
    return -(-offset // ALIGNMENT) * ALIGNMENT


def commit(data_key: bytes) -> Digest:
    """The public commitment to a data key: GCM alone does not commit to its key."""
    return digest("key-commitment", _derive(data_key, b"exequatur/v1/key-commitment", b""))


def nonce(index: int, count: int) -> bytes:
    """STREAM: the chunk's index and whether it is the last, so that none can move, and none be dropped."""
    return bytes(7) + index.to_bytes(4, "big") + bytes([index == count - 1])


def leaf(chunk: memoryview | bytes) -> bytes:
    """Merkle leaf of one ciphertext chunk with its tag: BLAKE3, as SHA-256 would take most of the time (ADR 2)."""
    return blake3(chunk, derive_key_context="exequatur/v1/seal-leaf").digest()


def merkle_root(leaves: Sequence[bytes]) -> Digest:
    """Root over all leaves and their count; an odd last node moves up as it is."""
    level = list(leaves)
    while len(level) > 1:
        pairs = [bytes(digest("seal-node", a, b)) for a, b in zip(level[::2], level[1::2], strict=False)]
        level = pairs + level[len(level) & ~1 :]
    return digest("seal-root", len(leaves), level[0])


def _derive(key: bytes, info: bytes, salt: bytes) -> bytes:
    if len(key) != 32:
        raise WrongKey("a data key has 32 bytes", where="sealed model")
    return HKDF(algorithm=SHA256(), length=32, salt=salt, info=info).derive(key)


def _malformed(what: str, hint: str = "") -> MalformedSeal:
    return MalformedSeal(what, where="sealed model", hint=hint)


def _row(value: Any, *kinds: type) -> list[Any]:
    """An array of exactly these types, numbers below 2^52."""
    if type(value) is not list or [type(part) for part in value] != list(kinds):
        raise _malformed("a field of another type than it should be")
    if any(type(part) is int and not 0 <= part < 1 << 52 for part in value):
        raise _malformed("a number out of range")
    return value


def _tensor(value: object) -> Tensor:
    name, dtype, shape, file, offset, length = _row(value, str, str, list, str, int, int)
    sides = _row(shape, *[int] * len(shape))
    return Tensor(name=name, dtype=dtype, shape=tuple(sides), file=file, offset=offset, length=length)
