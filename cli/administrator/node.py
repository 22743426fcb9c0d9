# SPDX-License-Identifier: Apache-2.0
"""Administrator of a machine, steps 4 to 11: run a node, and ask what the chain says of it."""

from pathlib import Path
from typing import Annotated

import typer

from cli.options import (
    NODE,
    AccountName,
    Chain,
    Json,
    LicenceArgument,
    ModelArgument,
    StoreUrl,
    VersionOption,
    group,
)
from cli.output import note, reporting, show

app = group("Run a model in an attested guest on this machine.")

NodeArgument = Annotated[str, typer.Argument(metavar="NODE", help="Node id, as `node run` prints it.")]


@app.command()
def run(
    model: ModelArgument,
    licence: LicenceArgument,
    version: VersionOption = 1,
    tpm: Annotated[str, typer.Option(help="TPM to attest with (TCTI), instead of none at all.")] = "",
    ek_chain: Annotated[
        list[Path] | None, typer.Option(help="Certificate above the TPM's EK (DER), root last; repeat.")
    ] = None,
    attester: Annotated[
        str, typer.Option(help="Devices to attest with, root first, such as 'tdx + nvidia-gpu'.")
    ] = "",
    with_: Annotated[
        list[Path] | None,
        typer.Option(
            "--with", help="File that goes with the root device's evidence, such as collateral; repeat."
        ),
    ] = None,
    listen: Annotated[str, typer.Option(help="Address to answer users at.")] = NODE,
    chain: Chain = "",
    store: StoreUrl = "",
    account: AccountName = "",
    as_json: Json = False,
) -> None:
    """Start a guest, get it attested and licensed, open the model, answer users, until stopped.

    The account pays, and acts for the licensee.
    """
    if tpm and attester:
        raise typer.BadParameter("--tpm and --attester exclude each other")
    with reporting(as_json):
        from cli.administrator.assignment import Devices, open_node
        from cli.running import serving, stop_on_signals, tell_changes
        from cli.session import session
        from contracts.ids import Address
        from enclave.node.front import node_application

        stop = stop_on_signals()
        opened = session(chain=chain, store=store, account=account)
        device = Devices(
            tcti=tpm,
            authorities=[path.read_bytes() for path in ek_chain or ()],
            words=tuple(attester.split()),
            endorsements=tuple(with_ or ()),
        )
        target = Address.parse(licence.lower())
        node = open_node(opened, opened.model_id(model), version, target, device)
        with serving(node_application(node), listen) as address:
            show({"listening": address, "model": opened.model_id(model), "version": version}, as_json)
            note("working; stop it with Ctrl-C")
            tell_changes(lambda: f"node {node.node_id or '-'}: {node.phase.value}", stop)
            node.run(stop)
        if node.ended_because and not stop.is_set():
            note(f"ended: {node.ended_because}")


@app.command()
def status(
    node: NodeArgument,
    policy: Annotated[str, typer.Option(help="Policy it attested under.")] = "",
    licence: Annotated[str, typer.Option(help="Licence it uses.")] = "",
    model: Annotated[str, typer.Option(help="Model it runs.")] = "",
    version: VersionOption = 1,
    chain: Chain = "",
    account: AccountName = "",
    as_json: Json = False,
) -> None:
    """Print what the chain says of a node: its record, its authorisation, and whether it may run a model now."""
    with reporting(as_json):
        from cli.reads import node_state
        from cli.session import session
        from contracts.ids import Address, NodeId, PolicyId

        opened = session(chain=chain, account=account)
        state = node_state(
            opened.reader(),
            NodeId.parse(node),
            PolicyId.parse(policy) if policy else None,
            Address.parse(licence.lower()) if licence else None,
            (opened.model_id(model), version) if model else None,
        )
        show(state, as_json)


@app.command()
def workload(as_json: Json = False) -> None:
    """Print the digest of the guest in this installation, and the workload it makes without a device."""
    with reporting(as_json):
        from cli.owner.draft import installed_workload
        from enclave.node.measure import guest_files_digest

        show({"guest_files": guest_files_digest(), "software": installed_workload("software")[0]}, as_json)
