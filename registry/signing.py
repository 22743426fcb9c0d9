# SPDX-License-Identifier: Apache-2.0
"""Accounts: who signs transactions and verdicts, kept in Web3 keystore files (version 3).

The only module that imports eth_account, and only where it is used: it takes a second to load.
"""

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from coincurve import PrivateKey, PublicKey

from contracts.digests import keccak
from contracts.documents import parse_json
from contracts.ids import Address, Digest
from registry.errors import MalformedAccount, NotConfigured, WrongPassphrase

_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


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

        sealed = EthAccount.encrypt(self._key.secret, passphrase, iterations=iterations)  # type: ignore[arg-type]  # takes bytes
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

    def sign_transaction(self, transaction: Mapping[str, object]) -> tuple[bytes, Digest]:
        """Sign a transaction given in JSON-RPC names; returns its raw form and its hash."""
        from eth_account import Account as EthAccount

        signed = EthAccount.sign_transaction(dict(transaction), self._key.secret)
        return bytes(signed.raw_transaction), Digest(bytes(signed.hash))


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
    import rlp

    return Address(keccak(rlp.encode([bytes(sender), nonce]))[12:])


def _address(key: PublicKey) -> Address:
    return Address(keccak(key.format(compressed=False)[1:])[12:])
