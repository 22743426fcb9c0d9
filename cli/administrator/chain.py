# SPDX-License-Identifier: Apache-2.0
"""Administrator: a development chain, the contracts on a chain, and money on a development chain."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import AccountName, Chain, DryRun, Json, group
from cli.output import note, reporting, show

if TYPE_CHECKING:
    from subprocess import Popen

    from contracts.ids import Address
    from registry.chain.chain import Chain as LiveChain

_PATIENCE, _POLL = 20.0, 0.5

app = group("Start a development chain, deploy the contracts, fund accounts.")


@app.command()
def up(
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port for HTTP and WebSocket.")] = 8545,
    detach: Annotated[
        bool, typer.Option("--detach", help="Return once it answers; it keeps running.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Start a development chain on this machine (anvil); it keeps its state between runs."""
    with reporting(as_json):
        from cli.running import stop_on_signals
        from cli.session import session
        from registry.chain.anvil import down
        from registry.chain.anvil import up as start

        stop, home = stop_on_signals(), session().home
        folder = home / "chain"
        socket = folder / "anvil.ipc"
        process = _detached(folder, port) if detach else start(socket, state=folder / "state.json", port=port)
        _remember(home / "config.toml", socket)
        show({"chain": socket, "http": f"http://127.0.0.1:{port}", "process": process.pid}, as_json)
        if detach:
            return
        note("running; stop it with Ctrl-C")
        while process.poll() is None and not stop.wait(_POLL):
            pass
        down(process)


@app.command()
def deploy(
    chain: Chain = "", account: AccountName = "", dry_run: DryRun = False, as_json: Json = False
) -> None:
    """Deploy the five contracts where they are missing, and write the address book."""
    with reporting(as_json):
        from cli.session import session
        from registry.chain.book import book_path
        from registry.chain.connect import connect_bare
        from registry.chain.deploy import deploy_all

        opened = session(chain=chain, account=account)
        live = connect_bare(opened.settings.need_chain())
        if dry_run:
            show(_deployment_cost(live, opened.address()), as_json)
            return
        book = deploy_all(live, opened.account())
        path = book_path(book.chain_id)
        book.save(path)
        contracts = {name: str(address) for name, address in book.addresses().items()}
        wait = {"finality_wait": book.finality_wait}
        show({"chain_id": book.chain_id, "address_book": path, **wait, "contracts": contracts}, as_json)


@app.command()
def fund(
    receiver: Annotated[str, typer.Argument(help="Account name or address.")],
    ether: Annotated[int, typer.Option(min=1, max=10_000, help="How much.")] = 100,
    chain: Chain = "",
    as_json: Json = False,
) -> None:
    """Send ether from a development chain's own accounts; no other chain has them."""
    with reporting(as_json):
        from cli.session import address_in, session
        from contracts.ids import Address
        from registry.chain.connect import connect_bare
        from registry.chain.dev import ETHER
        from registry.chain.dev import fund as send

        opened = session(chain=chain)
        to = (
            Address.parse(receiver.lower())
            if receiver.startswith("0x")
            else address_in(opened.account_path(receiver))
        )
        live = connect_bare(opened.settings.need_chain())
        send(live, to, ether * ETHER)
        show({"account": receiver, "address": to, "ether": live.balance(to) // ETHER}, as_json)


def _detached(folder: Path, port: int) -> "Popen[bytes]":
    """Start the chain in a session of its own, so that it outlives this terminal."""
    import subprocess
    import time

    from registry.chain.anvil import command
    from registry.chain.transport import open_transport
    from registry.errors import ChainUnavailable

    folder.mkdir(parents=True, exist_ok=True)
    socket, log = folder / "anvil.ipc", folder / "anvil.log"
    words = command(socket, state=folder / "state.json", port=port)
    with log.open("wb") as out:
        process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
        )
    deadline = time.monotonic() + _PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        try:
            open_transport(str(socket)).request("eth_chainId")
        except ChainUnavailable:
            time.sleep(0.05)
        else:
            return process
    process.kill()
    raise ChainUnavailable("anvil did not start", where=str(log), hint="another chain may hold the port")


def _deployment_cost(live: "LiveChain", payer: "Address") -> dict[str, object]:
    """Gas of each contract that is missing; constructors only keep their arguments."""
    from cli.transaction import cost
    from registry.chain.abi import REGISTRIES, interface
    from registry.chain.reading import quantity

    gas = {}
    for name in REGISTRIES:
        shape = interface(name)
        data = "0x" + shape.creation([bytes(20)] * len(shape.constructor)).hex()
        asked = live.transport.request("eth_estimateGas", {"from": str(payer), "data": data})
        gas[name] = quantity(asked)
    return {"dry_run": True, "would_send": gas, **cost(live, sum(gas.values()))}


def _remember(path: Path, target: Path) -> None:
    """Make the chain the default of this home folder, unless one is named there."""
    import json
    import tomllib

    text = path.read_text("utf-8") if path.exists() else ""
    if "chain" not in tomllib.loads(text):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"chain = {json.dumps(str(target))}\n{text}", "utf-8")
