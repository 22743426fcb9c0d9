# SPDX-License-Identifier: Apache-2.0
"""What is encrypted to somebody: a model key to a guest, a node's evidence to the readers its policy names.

HPKE base mode, single shot: MLKEM768_X25519, HKDF-SHA256, AES-256-GCM (RFC 9180 and draft-ietf-hpke-pq). Public
keys are the ML-KEM-768 key (1184 bytes) followed by the X25519 key (32).
"""

import json
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import cbor2
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric import mlkem, x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from contracts.digests import digest
from contracts.ids import Digest
from enclave.errors import EnvelopeError, MalformedEntry, MalformedEvidence, NoEntry, WrongPassphrase
from enclave.statements import Grant, Statement

_SUITE = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
_LATTICE = 1184
_SEED = 64 + 32
_FORMAT = "exequatur/v1/reader-key"


def seal_to(public: bytes, plaintext: bytes, info: bytes) -> bytes:
    """Encrypt to a public key; only whoever gives the same `info` can open it."""
    try:
        lattice = mlkem.MLKEM768PublicKey.from_public_bytes(public[:_LATTICE])
        curve = x25519.X25519PublicKey.from_public_bytes(public[_LATTICE:])
    except ValueError as error:
        raise MalformedEvidence("not an HPKE public key", where="HPKE key") from error
    return _SUITE.encrypt(plaintext, hpke.MLKEM768X25519PublicKey(lattice, curve), info)


def wrap(grant: Grant, hpke_key: bytes, data_key: bytes) -> bytes:
    """The envelope with a model's data key, bound to everything the grant says but the envelope's own digest."""
    return seal_to(hpke_key, data_key, grant.info())


def envelope_digest(envelope: bytes) -> Digest:
    """What grant and chain say of an envelope."""
    return digest("envelope", envelope)


class ReaderKey:
    """A private HPKE key of a broker or auditor, whose public half policies name among their readers."""

    def __init__(self, seed: bytes) -> None:
        lattice = mlkem.MLKEM768PrivateKey.from_seed_bytes(seed[:64])
        curve = x25519.X25519PrivateKey.from_private_bytes(seed[64:])
        self._seed = seed
        self._private = hpke.MLKEM768X25519PrivateKey(lattice, curve)
        self.public = lattice.public_key().public_bytes_raw() + curve.public_key().public_bytes_raw()

    @classmethod
    def generate(cls) -> Self:
        """A fresh key."""
        return cls(secrets.token_bytes(_SEED))

    @classmethod
    def load(cls, path: Path, passphrase: bytes) -> Self:
        """Open a key file written by `save`."""
        try:
            document = json.loads(path.read_text("utf-8"))
            salt, nonce, sealed = (bytes.fromhex(document[name]) for name in ("salt", "nonce", "sealed"))
            if document["format"] != _FORMAT:
                raise ValueError("another format")
        except FileNotFoundError as error:
            raise NoEntry(
                "no such reader key", where=str(path), hint="exequatur broker reader-key"
            ) from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise MalformedEntry("not a reader key", where=str(path)) from error
        try:
            return cls(_cipher(passphrase, salt).decrypt(nonce, sealed, _FORMAT.encode()))
        except InvalidTag:
            raise WrongPassphrase("the passphrase does not open this key", where=str(path)) from None

    def save(self, path: Path, passphrase: bytes) -> None:
        """Write the key under a passphrase (Argon2id, AES-256-GCM), mode 0600, whole or not at all."""
        salt, nonce = secrets.token_bytes(16), secrets.token_bytes(12)
        sealed = _cipher(passphrase, salt).encrypt(nonce, self._seed, _FORMAT.encode())
        parts = {"salt": salt.hex(), "nonce": nonce.hex(), "sealed": sealed.hex()}
        document = {"format": _FORMAT, "public": "0x" + self.public.hex()} | parts
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
        try:
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                json.dump(document, file)
                file.flush()
                os.fsync(file.fileno())
            part.rename(path)
        finally:
            part.unlink(missing_ok=True)

    def open(self, ciphertext: bytes, info: bytes) -> bytes:
        """Decrypt what `seal_to` made for this key."""
        try:
            return _SUITE.decrypt(ciphertext, self._private, info)
        except (InvalidTag, ValueError) as error:
            raise EnvelopeError("this key does not open it", where="HPKE") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Filed(Statement):
    """What verifiers keep for readers: the bundle that a verdict rests on, and the opening of its platform."""

    bundle: bytes = field(repr=False)
    opening: bytes = field(repr=False)


def file_name(evidence: Digest) -> str:
    """Where the store keeps a sealed bundle."""
    return f"sealed/{evidence.hex()}"


def seal_bundle(filed: Filed, evidence: Digest, readers: Sequence[bytes]) -> bytes:
    """Encrypt a bundle once, and its content key to every reader."""
    key, nonce = secrets.token_bytes(32), secrets.token_bytes(12)
    body = AESGCM(key).encrypt(nonce, filed.encode(), evidence)
    wrapped = [seal_to(reader, key, _bundle_info(evidence)) for reader in readers]
    return cbor2.dumps([wrapped, nonce, body], canonical=True)


def open_bundle(raw: bytes, evidence: Digest, reader: ReaderKey) -> Filed:
    """Decrypt as one of the readers; the caller compares the bundle's digest."""
    try:
        wrapped, nonce, body = cbor2.loads(raw)
        if {type(part) for part in (nonce, body, *wrapped)} != {bytes}:
            raise ValueError("a byte string is something else")
    except Exception as error:  # cbor2 and unpacking raise many kinds on hostile input
        raise MalformedEvidence("not a sealed bundle", where=file_name(evidence)) from error
    for one in wrapped:
        try:
            key = reader.open(one, _bundle_info(evidence))
            return Filed.decode(AESGCM(key).decrypt(nonce, body, evidence))
        except (EnvelopeError, InvalidTag, TypeError, ValueError):
            continue
    hint = "the policy must name this key among its readers"
    raise EnvelopeError("this reader's key opens nothing here", where=file_name(evidence), hint=hint)


def _bundle_info(evidence: Digest) -> bytes:
    return digest("bundle-key", evidence)


def _cipher(passphrase: bytes, salt: bytes) -> AESGCM:
    kdf = Argon2id(salt=salt, length=32, iterations=3, lanes=4, memory_cost=64 << 10)
    return AESGCM(kdf.derive(passphrase))
