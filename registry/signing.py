# SPDX-License-Identifier: Apache-2.0
"""Accounts: who signs transactions and verdicts, kept in Web3 keystore files (version 3).

The only module that imports eth_account, and only where it is used: it takes a second to load.
"""

import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeAlias

from coincurve import PrivateKey, PublicKey

from contracts.digests import keccak
from contracts.documents import parse_json
from contracts.ids import Address, Digest
from registry.errors import MalformedAccount, NotConfigured, WrongPassphrase

_Rlp: TypeAlias = "bytes | list[_Rlp]"

_DYNAMIC_FEE = b"\x02"
_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """What EIP-1559 asks for; fees in wei, `to` is None for a creation."""

    chain_id: int
    nonce: int
    priority_fee: int
    fee: int
    gas: int
    to: Address | None
    value: int
    data: bytes

    def fields(self) -> "list[_Rlp]":
        """The members in their order, without signature."""
        numbers = (self.chain_id, self.nonce, self.priority_fee, self.fee, self.gas)
        return [*map(_integer, numbers), bytes(self.to or b""), _integer(self.value), self.data, []]


class Account:
    """A secp256k1 key and its address; shows the address and never the key."""

    def __init__(self, key: PrivateKey) -> None:
        self._key = key
        self.address = _address(key.public_key)

    def __repr__(self) -> str:
        return f"Account({self.address})"

    @classmethod
    def generate(cls) -> Self:
        """A fresh random account."""
        return cls(PrivateKey())

    @classmethod
    def from_key(cls, key: bytes) -> Self:
        """The account of a 32-byte private key."""
        try:
            return cls(PrivateKey(key))
        except ValueError as error:
            raise MalformedAccount("not a secp256k1 private key", where="account") from error

    @classmethod
    def load(cls, path: Path, passphrase: bytes) -> Self:
        """Open a keystore file."""
        from eth_account import Account as EthAccount

        try:
            sealed = parse_json(path.read_text("utf-8"))
        except FileNotFoundError as error:
            hint = "make one with `exequatur keys new`"
            raise NotConfigured("no such account file", where=str(path), hint=hint) from error
        except (OSError, ValueError) as error:
            raise MalformedAccount("not a keystore file", where=str(path)) from error
        try:
            return cls.from_key(bytes(EthAccount.decrypt(sealed, passphrase)))  # type: ignore[arg-type]  # takes bytes
        except ValueError as error:
            if "mac" in str(error).lower():
                raise WrongPassphrase("wrong passphrase", where=str(path)) from None
            raise MalformedAccount("not a keystore file of version 3", where=str(path)) from error
        except (KeyError, TypeError, NotImplementedError) as error:
            raise MalformedAccount("not a keystore file of version 3", where=str(path)) from error

    def save(self, path: Path, passphrase: bytes, *, iterations: int | None = None) -> None:
        """Write a keystore file of mode 0600, whole or not at all; `iterations` is scrypt's n."""
        from eth_account import Account as EthAccount

        sealed = EthAccount.encrypt(self._key.secret, passphrase, iterations=iterations)  # type: ignore[arg-type]
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(sealed, file)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def sign_typed(self, digest: Digest) -> bytes:
        """Sign an EIP-712 digest: r, s and v in 65 bytes, low s, v 27 or 28."""
        signature = self._key.sign_recoverable(digest, hasher=None)
        return signature[:64] + bytes((27 + signature[64],))

    def sign_transaction(self, transaction: Transaction) -> tuple[bytes, Digest]:
        """Sign a transaction; returns its raw form and its hash."""
        fields = transaction.fields()
        digest = keccak(_DYNAMIC_FEE + _rlp(fields))
        signature = self._key.sign_recoverable(digest, hasher=None)
        r, s = (int.from_bytes(signature[i : i + 32], "big") for i in (0, 32))
        raw = _DYNAMIC_FEE + _rlp([*fields, _integer(signature[64]), _integer(r), _integer(s)])
        return raw, keccak(raw)


def recover(digest: Digest, signature: bytes) -> Address:
    """Who signed an EIP-712 digest; refuses a high s and any v but 27 and 28."""
    if len(signature) != 65 or signature[64] not in (27, 28):
        raise MalformedAccount("a signature is 65 bytes and ends in 27 or 28", where="signature")
    if int.from_bytes(signature[32:64], "big") > _ORDER // 2:
        raise MalformedAccount("a signature has a low s", where="signature")
    try:
        compact = signature[:64] + bytes((signature[64] - 27,))
        return _address(PublicKey.from_signature_and_message(compact, digest, hasher=None))
    except Exception as error:  # coincurve raises bare Exception
        raise MalformedAccount("nobody's signature", where="signature") from error


def creation_address(sender: Address, nonce: int) -> Address:
    """Where a plain creation by `sender` puts its contract."""
    return Address(keccak(_rlp([bytes(sender), _integer(nonce)]))[12:])


def _address(key: PublicKey) -> Address:
    return Address(keccak(key.format(compressed=False)[1:])[12:])


def _integer(value: int) -> bytes:
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def _rlp(value: "_Rlp") -> bytes:
    if isinstance(value, bytes):
        if len(value) == 1 and value[0] < 0x80:
            return value
        offset, body = 0x80, value
    else:
        offset, body = 0xC0, b"".join(map(_rlp, value))
    if len(body) < 56:
        return bytes((offset + len(body),)) + body
    length = _integer(len(body))
    return bytes((offset + 55 + len(length),)) + length + body
