# SPDX-License-Identifier: Apache-2.0
"""What commands open: settings, chain, store and account, each where it is first used.

Everything heavy is imported in the functions, so that help and reads stay fast.
"""

import json
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from contracts.errors import ExequaturError
    from contracts.ids import Address, ModelId
    from contracts.records import Finality
    from registry.chain.book import AddressBook
    from registry.chain.chain import Chain
    from registry.chain.rpc import Reader
    from registry.settings import Settings
    from registry.signing import Account
    from registry.store import Store

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """The settings of one command, and what it opens with them."""

    settings: "Settings"

    @property
    def home(self) -> Path:
        """Where this person keeps accounts and keys."""
        return self.settings.home

    def chain(self) -> "Chain":
        """The chain, with the code of its contracts checked."""
        from registry.chain.connect import connect

        return connect(self.settings.need_chain())

    def reader(self) -> "Reader":
        """The chain for reading only, which starts quickly."""
        from registry.chain.rpc import Reader

        return Reader.open(self.settings.need_chain())

    def book(self) -> "AddressBook":
        """Where the contracts are on this chain."""
        from registry.chain.book import find_book
        from registry.chain.reading import quantity
        from registry.chain.transport import open_transport

        return find_book(quantity(open_transport(self.settings.need_chain()).request("eth_chainId")))

    def store(self) -> "Store":
        """The blob store."""
        from registry.store import Store

        return Store(self.settings.store)

    def passphrase(self, *, confirm: bool = False) -> bytes:
        """The passphrase, from its file or the terminal."""
        from registry.settings import passphrase

        return passphrase(self.settings, _ask_twice if confirm else _ask)

    def account(self, passphrase: bytes | None = None) -> "Account":
        """The account that signs, unlocked."""
        from registry.signing import Account

        path = self.account_path(self.need_account())
        return Account.load(path, self.passphrase() if passphrase is None else passphrase)

    def address(self) -> "Address":
        """The address of the account that would sign; needs no passphrase."""
        return address_in(self.account_path(self.need_account()))

    def need_account(self) -> str:
        """The account's name: as set, or the only one there is."""
        if self.settings.account:
            return self.settings.account
        files = self.account_files()
        if len(files) == 1:
            return files[0].stem
        what = "several accounts, and none is chosen" if files else "no account yet"
        hint = "set --account or EXEQUATUR_ACCOUNT" if files else "make one with `exequatur keys new NAME`"
        raise _problem(what, where="account", hint=hint)

    def model_id(self, text: str) -> "ModelId":
        """A model by its id, or by its name under this account."""
        from contracts.ids import ModelId
        from registry.models import model_id

        if text.startswith("0x"):
            return ModelId.parse(text)
        book = self.book()
        return model_id(book.chain_id, book.models, self.address(), text)

    def account_files(self) -> list[Path]:
        """Every account file, by name."""
        return sorted((self.home / "accounts").glob("*.json"))

    def model_keys(self) -> list[dict[str, object]]:
        """The sealed models whose keys are here, and what they are bound to."""
        from enclave.keystore import Keystore

        return [
            {
                "seal_id": entry.seal_id,
                "model": entry.bound and entry.bound.model_id,
                "version": entry.bound and entry.bound.version,
                "policies": [str(policy) for policy in entry.policies],
            }
            for entry in Keystore(self.home).list()
        ]

    def account_path(self, name: str) -> Path:
        """The file of an account, by its name or as a path."""
        path = Path(name) if os.sep in name else self.home / "accounts" / f"{name}.json"
        if not path.is_file():
            hint = "see `exequatur keys list`; make one with `exequatur keys new NAME`"
            raise _problem("no such account", where=str(path), hint=hint)
        return path

    def new_account_path(self, name: str) -> Path:
        """Where a new account goes; refuses to replace one."""
        if not _NAME.fullmatch(name):
            raise _problem("a name is letters, digits, '.', '_' and '-'", where=name[:80])
        path = self.home / "accounts" / f"{name}.json"
        if path.exists():
            raise _problem("this account exists", where=str(path), hint="choose another name")
        return path


def session(*, chain: str = "", store: str = "", account: str = "") -> Session:
    """Settings by option, environment and configuration file, in this order."""
    from registry.settings import Settings

    options = {"chain": chain, "store": store, "account": account}
    return Session(settings=Settings.load({name: value for name, value in options.items() if value}))


def finality_named(text: str) -> "Finality":
    """A finality level by its name."""
    from contracts.records import Finality

    level = Finality.__members__.get(text.upper())
    if level is None:
        raise typer.BadParameter(f"{text!r} is not seen, safe or final", param_hint="--finality")
    return level


def address_in(path: Path) -> "Address":
    """The address that a keystore file names, without opening it."""
    from contracts.ids import Address

    try:
        return Address.parse("0x" + str(json.loads(path.read_text("utf-8"))["address"]).removeprefix("0x"))
    except (ValueError, KeyError, TypeError) as error:
        raise _problem("not a keystore file", where=str(path)) from error


def _ask() -> str:
    from getpass import getpass

    if not sys.stdin.isatty():
        hint = "name a file that holds it in EXEQUATUR_PASSPHRASE_FILE"
        raise _problem("no terminal to ask for the passphrase", where="passphrase", hint=hint)
    return getpass("passphrase: ")


def _ask_twice() -> str:
    first = _ask()
    from getpass import getpass

    if getpass("again: ") != first:
        raise _problem("the two differ", where="passphrase")
    return first


def _problem(what: str, *, where: str, hint: str = "") -> "ExequaturError":
    from registry.errors import NotConfigured

    return NotConfigured(what, where=where, hint=hint)
