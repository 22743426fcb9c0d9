# SPDX-License-Identifier: Apache-2.0
"""Address books: where the five contracts are on one chain, what code is there, and how long finality takes."""

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from contracts.documents import parse_json
from contracts.errors import MalformedId
from contracts.ids import Address, Digest
from registry.errors import MalformedBook, NotConfigured

_FIELDS = {
    "ModelRegistry": "models",
    "PolicyRegistry": "policies",
    "AttestationLog": "attestations",
    "LicenceRegistry": "licences",
    "ReleaseLog": "releases",
}
_PACKAGED = Path(__file__).resolve().parents[2] / "contracts" / "deployments"


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressBook:
    """One deployment; `code_hashes` is Keccak of the runtime code by contract name, `finality_wait` in seconds."""

    chain_id: int
    models: Address
    policies: Address
    attestations: Address
    licences: Address
    releases: Address
    code_hashes: Mapping[str, Digest]
    deployed_at: int
    finality_wait: int

    def addresses(self) -> dict[str, Address]:
        """Addresses by contract name."""
        return {name: getattr(self, field) for name, field in _FIELDS.items()}

    def names(self) -> dict[Address, str]:
        """Contract names by address."""
        return {address: name for name, address in self.addresses().items()}

    def encode(self) -> str:
        """The book as JSON, keys sorted."""
        contracts = {
            name: {"address": str(address), "codeHash": str(self.code_hashes[name])}
            for name, address in self.addresses().items()
        }
        value = {
            "chainId": self.chain_id,
            "contracts": contracts,
            "deployedAt": self.deployed_at,
            "finalityWait": self.finality_wait,
        }
        return json.dumps(value, indent=2, sort_keys=True) + "\n"

    @classmethod
    def decode(cls, text: str, *, where: str = "address book") -> "AddressBook":
        """Read `encode()`; raises `MalformedBook`."""
        try:
            value = parse_json(text)
            if not isinstance(value, dict):
                raise ValueError("not an object")
            contracts = {name: value["contracts"][name] for name in _FIELDS}
            return cls(
                chain_id=_whole(value["chainId"]),
                deployed_at=_whole(value["deployedAt"]),
                finality_wait=_whole(value["finalityWait"]),
                code_hashes={n: Digest.parse(entry["codeHash"]) for n, entry in contracts.items()},
                **{_FIELDS[name]: Address.parse(entry["address"]) for name, entry in contracts.items()},
            )
        except (ValueError, KeyError, TypeError, AttributeError, MalformedId) as error:
            raise MalformedBook(
                f"not an address book: {error}", where=where, hint="write one with `exequatur chain deploy`"
            ) from error

    def save(self, path: Path) -> None:
        """Write the book, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", text=True)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(self.encode())
        Path(name).chmod(0o644)
        Path(name).replace(path)

    @classmethod
    def load(cls, path: Path) -> "AddressBook":
        """Read a book from a file."""
        try:
            return cls.decode(path.read_text("utf-8"), where=str(path))
        except FileNotFoundError as error:
            hint = "write one with `exequatur chain deploy`"
            raise NotConfigured("no such address book", where=str(path), hint=hint) from error


def home() -> Path:
    """Where settings, keys and address books live: `$EXEQUATUR_HOME`, else `~/.exequatur`."""
    return Path(os.environ.get("EXEQUATUR_HOME") or Path.home() / ".exequatur")


def book_path(chain_id: int) -> Path:
    """Where `chain deploy` writes the book of a chain."""
    return home() / "deployments" / f"{chain_id}.json"


def find_book(chain_id: int) -> AddressBook:
    """The book of a chain: the user's own first, then a packaged one."""
    for path in (book_path(chain_id), _PACKAGED / f"{chain_id}.json"):
        if path.exists():
            book = AddressBook.load(path)
            if book.chain_id != chain_id:
                raise MalformedBook(f"a book for chain {book.chain_id}, not {chain_id}", where=str(path))
            return book
    raise NotConfigured(
        f"no address book for chain {chain_id}",
        where=str(book_path(chain_id)),
        hint="deploy with `exequatur chain deploy`, or copy the deployer's address book there",
    )


def _whole(value: object) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"not a whole number: {value!r}")
    return value
