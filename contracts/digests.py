# SPDX-License-Identifier: Apache-2.0
"""Domain-separated digests: SHA-256 over CBOR off chain, Keccak-256 over ABI words on chain.

Layouts and worked values are in SPEC.md, sections 1 and 2.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import cbor2
from Crypto.Hash import keccak as _keccak

from contracts.ids import Address, Digest

Cbor: TypeAlias = "int | str | bytes | bool | Sequence[Cbor] | None"
Word: TypeAlias = bytes | int | bool


def keccak(data: bytes) -> Digest:
    """Keccak-256, as the EVM computes it."""
    return Digest(_keccak.new(digest_bits=256, data=data).digest())


def digest(what: str, *fields: Cbor) -> Digest:
    """SHA-256 of `"exequatur/v1/<what>"`, a zero byte, and the fields as one deterministic CBOR array."""
    tag = f"exequatur/v1/{what}".encode("ascii")
    return Digest(hashlib.sha256(tag + b"\0" + cbor2.dumps(list(fields), canonical=True)).digest())


def word(value: Word) -> bytes:
    """One static ABI word of 32 bytes: integers and addresses right aligned, 32-byte strings as they are."""
    if isinstance(value, Address):
        return bytes(12) + value
    if isinstance(value, bytes):
        if len(value) > 32:
            raise ValueError(f"an ABI word holds 32 bytes, got {len(value)}")
        return value.ljust(32, b"\0")
    return int(value).to_bytes(32, "big")


def evm_digest(what: str, *words: Word) -> Digest:
    """`keccak256(abi.encode("exequatur/v1/<what>", words...))` for static words."""
    tag = f"exequatur/v1/{what}".encode("ascii")
    head = word(32 * (1 + len(words))) + b"".join(map(word, words))
    padded = tag + bytes(-len(tag) % 32)
    return keccak(head + word(len(tag)) + padded)


@dataclass(frozen=True, slots=True, kw_only=True)
class TypedDomain:
    """The EIP-712 domain `("Exequatur", "1", chainId, contract)`."""

    chain_id: int
    contract: Address

    def separator(self) -> Digest:
        """The domain separator of EIP-712."""
        kind = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
        words: tuple[Word, ...] = (
            keccak(kind.encode()),
            keccak(b"Exequatur"),
            keccak(b"1"),
            self.chain_id,
            self.contract,
        )
        return keccak(b"".join(map(word, words)))

    def digest(self, kind: str, *words: Word) -> Digest:
        """The digest to sign for a struct of static members; `kind` is its EIP-712 type string."""
        struct = keccak(b"".join(map(word, (keccak(kind.encode()), *words))))
        return keccak(b"\x19\x01" + self.separator() + struct)
