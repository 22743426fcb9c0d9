# SPDX-License-Identifier: Apache-2.0
"""Owner: accounts that sign transactions, and the keys of sealed models."""

from pathlib import Path
from typing import Annotated

import typer

from cli.options import Json, group
from cli.output import reporting, show

app = group("Accounts, and keys of sealed models.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the account.")]


@app.command()
def new(name: Name, as_json: Json = False) -> None:
    """Make an account; its key never leaves its passphrase-encrypted file."""
    with reporting(as_json):
        from cli.session import session
        from registry.signing import Account

        opened = session()
        path = opened.new_account_path(name)
        account = Account.generate()
        account.save(path, opened.passphrase(confirm=True))
        show({"account": name, "address": account.address, "file": path}, as_json)


@app.command("import")
def import_(
    name: Name,
    file: Annotated[Path, typer.Argument(help="Web3 keystore (version 3) to take over.")],
    as_json: Json = False,
) -> None:
    """Take over an account from a Web3 keystore file, if the passphrase opens it."""
    with reporting(as_json):
        from cli.session import session
        from registry.signing import Account

        opened = session()
        path = opened.new_account_path(name)
        passphrase = opened.passphrase()
        account = Account.load(file, passphrase)
        account.save(path, passphrase)
        show({"account": name, "address": account.address, "file": path}, as_json)


@app.command("show")
def show_(name: Name, as_json: Json = False) -> None:
    """Print an account's address; needs no passphrase."""
    with reporting(as_json):
        from cli.session import address_in, session

        path = session().account_path(name)
        show({"account": name, "address": address_in(path), "file": path}, as_json)


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List accounts and the keys of sealed models; needs no passphrase."""
    with reporting(as_json):
        from cli.session import address_in, session

        opened = session()
        accounts = [{"account": path.stem, "address": address_in(path)} for path in opened.account_files()]
        show({"accounts": accounts, "models": opened.model_keys()}, as_json)
