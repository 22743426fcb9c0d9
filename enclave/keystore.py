# SPDX-License-Identifier: Apache-2.0
"""The owner's secrets of one sealed model: its data key and its grant key, one file per sealId.

The file is `keys/<sealId>.json` under the home folder: JSON whose public part says what the keys are bound to, and
whose secret part is AES-256-GCM under Argon2id of the passphrase. Every public byte is associated data, so an entry
that was edited does not open. An entry begins unbound, is bound once to a registered version, and then pins policies.
"""

import json
import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from coincurve import PrivateKey
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from contracts.digests import digest, keccak
from contracts.documents import parse_json
from contracts.errors import MalformedId
from contracts.ids import Address, ModelId, PolicyId, SealId
from enclave.errors import EntryRefused, MalformedEntry, NoEntry, WrongPassphrase

_FORMAT = "exequatur/v1/keystore"
_SIZES = {"salt": 16, "nonce": 12, "check": 32, "secret": 64 + 16}
_ARGON2 = {"iterations": 3, "lanes": 4, "memory": 64 << 10}
_FIELDS = {
    "format",
    "sealId",
    "grantAddress",
    "bound",
    "policies",
    "argon2",
    "salt",
    "nonce",
    "check",
    "secret",
}
_BOUND = {"chainId", "registry", "modelId", "version"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """The one registered version that an entry's keys serve."""

    chain_id: int
    registry: Address
    model_id: ModelId
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An opened entry: secrets in memory, and what they may be used for."""

    seal_id: SealId
    bound: Binding | None = None
    policies: tuple[PolicyId, ...] = ()
    data_key: bytes = field(repr=False)
    grant_key: bytes = field(repr=False)

    @property
    def grant_address(self) -> Address:
        """The account whose signatures grants carry."""
        return account_of(self.grant_key)

    @classmethod
    def fresh(cls, seal_id: SealId, keys: "SealKeys") -> Self:
        """An entry that is not bound yet."""
        return cls(seal_id=seal_id, data_key=keys.data_key, grant_key=keys.grant_key)


@dataclass(frozen=True, slots=True, kw_only=True)
class SealKeys:
    """Keys for one sealing, before its sealId is known."""

    data_key: bytes = field(repr=False)
    grant_key: bytes = field(repr=False)

    @classmethod
    def draw(cls) -> Self:
        """New random keys."""
        return cls(data_key=secrets.token_bytes(32), grant_key=PrivateKey().secret)

    @property
    def grant_address(self) -> Address:
        """The account whose signatures grants carry."""
        return account_of(self.grant_key)


@dataclass(frozen=True, slots=True, kw_only=True)
class EntrySummary:
    """What an entry says without its passphrase; not authenticated until it is opened."""

    seal_id: SealId
    grant_address: Address
    bound: Binding | None
    policies: tuple[PolicyId, ...]


class Keystore:
    """Entries under `<home>/keys`, readable by their owner alone."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "keys"

    def create(self, seal_id: SealId, keys: SealKeys, passphrase: bytes) -> Entry:
        """Keep the keys of a model that was just sealed; refuses an entry that exists."""
        entry = Entry.fresh(seal_id, keys)
        self._write(entry, passphrase, new=True)
        return entry

    def open(self, seal_id: SealId, passphrase: bytes) -> Entry:
        """The entry of a sealed model."""
        return _decrypt(self._read(seal_id), passphrase, self.path(seal_id))

    def bind(self, seal_id: SealId, passphrase: bytes, bound: Binding) -> Entry:
        """Tie an entry to the version it was registered as; again the same is fine, anything else refused."""
        entry = self.open(seal_id, passphrase)
        if entry.bound not in (None, bound):
            raise EntryRefused("these keys are bound to another version", where=str(self.path(seal_id)))
        return self._replace(replace(entry, bound=bound), passphrase)

    def pin(self, seal_id: SealId, passphrase: bytes, policies: Iterable[PolicyId]) -> Entry:
        """Set the policies that keys may be released under."""
        entry = self.open(seal_id, passphrase)
        if entry.bound is None:
            raise EntryRefused(
                "bind the keys to a registered version before pinning policies", where=str(self.path(seal_id))
            )
        return self._replace(replace(entry, policies=tuple(sorted(set(policies)))), passphrase)

    def list(self) -> tuple[EntrySummary, ...]:
        """Every entry's public part."""
        paths = sorted(self._folder.glob("0x*.json"))
        return tuple(_summary(_parse(path.read_bytes(), path), path) for path in paths)

    def path(self, seal_id: SealId) -> Path:
        """Where an entry is kept."""
        return self._folder / f"{seal_id}.json"

    def _replace(self, entry: Entry, passphrase: bytes) -> Entry:
        self._write(entry, passphrase, new=False)
        return entry

    def _read(self, seal_id: SealId) -> dict[str, Any]:
        path = self.path(seal_id)
        try:
            document = _parse(path.read_bytes(), path)
        except FileNotFoundError as error:
            raise NoEntry(
                "no keys of this sealed model", where=str(path), hint="exequatur keys list"
            ) from error
        if document["sealId"] != str(seal_id):
            raise MalformedEntry("an entry of another sealed model", where=str(path))
        return document

    def _write(self, entry: Entry, passphrase: bytes, *, new: bool) -> None:
        path = self.path(entry.seal_id)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder.chmod(0o700)
        part = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(_encrypt(entry, passphrase))
                file.flush()
                os.fsync(descriptor)
            if new:
                os.link(part, path)
            else:
                part.rename(path)
        except FileExistsError as error:
            raise EntryRefused("keys of this sealed model exist already", where=str(path)) from error
        finally:
            part.unlink(missing_ok=True)


def account_of(secret: bytes) -> Address:
    """The account of a secp256k1 private key."""
    public = PrivateKey(secret).public_key.format(compressed=False)
    return Address(keccak(public[1:])[12:])


def _encrypt(entry: Entry, passphrase: bytes) -> bytes:
    bound = entry.bound
    document: dict[str, Any] = {
        "format": _FORMAT,
        "sealId": str(entry.seal_id),
        "grantAddress": str(entry.grant_address),
        "bound": bound
        and {
            "chainId": bound.chain_id,
            "registry": str(bound.registry),
            "modelId": str(bound.model_id),
            "version": bound.version,
        },
        "policies": [str(policy) for policy in entry.policies],
        "argon2": _ARGON2,
        "salt": secrets.token_hex(_SIZES["salt"]),
        "nonce": secrets.token_hex(_SIZES["nonce"]),
    }
    cipher, check = _derive(document, passphrase)
    document["check"] = check.hex()
    nonce = bytes.fromhex(document["nonce"])
    secret = cipher.encrypt(nonce, entry.data_key + entry.grant_key, _associated(document))
    return json.dumps(document | {"secret": secret.hex()}, indent=2).encode() + b"\n"


def _decrypt(document: dict[str, Any], passphrase: bytes, path: Path) -> Entry:
    nonce, secret = bytes.fromhex(document["nonce"]), bytes.fromhex(document["secret"])
    cipher, check = _derive(document, passphrase)
    if not secrets.compare_digest(check, bytes.fromhex(document["check"])):
        raise WrongPassphrase("the passphrase does not open these keys", where=str(path), hint="try again")
    try:
        plain = cipher.decrypt(nonce, secret, _associated(document))
    except InvalidTag:
        raise MalformedEntry(
            "the entry was changed", where=str(path), hint="restore it from a backup"
        ) from None
    summary = _summary(document, path)
    return Entry(
        seal_id=summary.seal_id,
        bound=summary.bound,
        policies=summary.policies,
        data_key=plain[:32],
        grant_key=plain[32:],
    )


def _derive(document: dict[str, Any], passphrase: bytes) -> tuple[AESGCM, bytes]:
    """The entry's cipher, and what tells a wrong passphrase from a changed entry."""
    cost = document["argon2"]
    kdf = Argon2id(
        salt=bytes.fromhex(document["salt"]),
        length=64,
        iterations=cost["iterations"],
        lanes=cost["lanes"],
        memory_cost=cost["memory"],
    )
    derived = kdf.derive(passphrase)
    return AESGCM(derived[:32]), bytes(digest("keystore-check", derived[32:]))


def _associated(document: dict[str, Any]) -> bytes:
    public = {name: value for name, value in document.items() if name != "secret"}
    return json.dumps(public, sort_keys=True, separators=(",", ":")).encode()


def _parse(raw: bytes, path: Path) -> dict[str, Any]:
    """A document of exactly the fields and costs that this version writes."""
    try:
        document = parse_json(raw)
        if not isinstance(document, dict):
            raise TypeError("not an object")
        sizes = {name: len(bytes.fromhex(document[name])) for name in _SIZES}
        well_formed = (
            set(document) == _FIELDS
            and document["format"] == _FORMAT
            and document["argon2"] == _ARGON2
            and sizes == _SIZES
        )
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise MalformedEntry(
            "not a keystore entry", where=str(path), hint="restore it from a backup"
        ) from error
    if not well_formed:
        raise MalformedEntry("not a keystore entry of this version", where=str(path))
    _summary(document, path)
    return dict(document)


def _summary(document: dict[str, Any], path: Path) -> EntrySummary:
    try:
        return EntrySummary(
            seal_id=SealId.parse(document["sealId"]),
            grant_address=Address.parse(document["grantAddress"]),
            bound=_binding(document["bound"]),
            policies=tuple(PolicyId.parse(policy) for policy in document["policies"]),
        )
    except (MalformedId, TypeError, ValueError, KeyError, AttributeError) as error:
        raise MalformedEntry("a keystore entry with a malformed field", where=str(path)) from error


def _binding(value: Any) -> Binding | None:
    if value is None:
        return None
    if set(value) != _BOUND or type(value["chainId"]) is not int or type(value["version"]) is not int:
        raise ValueError("not a binding")
    return Binding(
        chain_id=value["chainId"],
        registry=Address.parse(value["registry"]),
        model_id=ModelId.parse(value["modelId"]),
        version=value["version"],
    )
