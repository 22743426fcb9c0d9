# SPDX-License-Identifier: Apache-2.0
"""Administrator for an owner, step 7: run a broker, which hands over model keys."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import BROKER, AccountName, Chain, Json, StoreUrl, group
from cli.output import note, reporting, show

if TYPE_CHECKING:
    from cli.session import Session
    from contracts.ids import ModelId
    from enclave.broker.service import Broker
    from enclave.envelope import ReaderKey
    from enclave.keystore import Entry
    from registry.chain.chain import Chain as LiveChain

app = group("Hand over model keys to machines that the owner's policies accept.")

_KEY = "reader.json"
_PAUSE = 1.0


@app.command()
def run(
    listen: Annotated[str, typer.Option(help="Address to listen at.")] = BROKER,
    chain: Chain = "",
    store: StoreUrl = "",
    account: AccountName = "",
    as_json: Json = False,
) -> None:
    """Judge the evidence behind each key request again, release keys, renew leases, until stopped.

    Serves every model whose keys are bound in this keystore, under the policies pinned there and no other.
    """
    with reporting(as_json):
        from cli.running import run as loop
        from cli.running import serving, stop_on_signals
        from cli.session import session
        from enclave.http import broker_application

        stop = stop_on_signals()
        opened = session(chain=chain, store=store, account=account)
        broker, entries = _open(opened)
        served = [{"model": model, "version": version} for model, version in entries]
        with serving(broker_application(broker), listen) as address:
            show({"listening": address, "serving": served}, as_json)
            note("watching; stop it with Ctrl-C")
            loop(broker.step, stop, pause=_PAUSE)


@app.command("reader-key")
def reader_key(
    out: Annotated[Path, typer.Option(help="File for the public key.")] = Path("reader.pub"),
    as_json: Json = False,
) -> None:
    """Write the key that evidence is sealed to, for policies to name; makes it if there is none."""
    with reporting(as_json):
        from cli.session import session

        opened = session()
        key = reader(opened.home, opened.passphrase())
        out.write_text(f"0x{key.public.hex()}\n", "ascii")
        show({"reader_key": out, "private": opened.home / _KEY}, as_json)


def reader(home: Path, passphrase: bytes) -> "ReaderKey":
    """The private key of whoever uses this home folder, for evidence that policies let him read."""
    from enclave.envelope import ReaderKey

    path = home / _KEY
    if not path.exists():
        ReaderKey.generate().save(path, passphrase)
    return ReaderKey.load(path, passphrase)


def _open(opened: "Session") -> "tuple[Broker, dict[tuple[ModelId, int], Entry]]":
    from cli.assigned import assigned_policies
    from enclave.broker.journal import Journal
    from enclave.broker.service import Broker
    from registry.errors import NotConfigured

    live, passphrase = opened.chain(), opened.passphrase()
    entries = _entries(opened.home, live, passphrase)
    if not entries:
        hint = "register one with `exequatur model register`"
        raise NotConfigured("no keys are bound to a model on this chain", where="keystore", hint=hint)
    pinned = sorted({policy for entry in entries.values() for policy in entry.policies})
    folder = opened.home / "broker"
    folder.mkdir(parents=True, exist_ok=True)
    broker = Broker(
        live,
        opened.account(passphrase),
        entries,
        assigned_policies(opened, live, pinned),
        opened.store(),
        reader(opened.home, passphrase),
        Journal(folder / f"{live.chain_id}.sqlite"),
    )
    return broker, entries


def _entries(home: Path, live: "LiveChain", passphrase: bytes) -> "dict[tuple[ModelId, int], Entry]":
    from enclave.keystore import Keystore

    keystore, found = Keystore(home), {}
    for summary in keystore.list():
        bound = summary.bound
        if bound and (bound.chain_id, bound.registry) == (live.chain_id, live.book.models):
            found[bound.model_id, bound.version] = keystore.open(summary.seal_id, passphrase)
    return found
