# SPDX-License-Identifier: Apache-2.0
"""Owner, steps 1 and 2: seal a model, register it, and take it back."""

from pathlib import Path
from typing import Annotated

import typer

from cli.options import AccountName, Chain, DryRun, Json, ModelArgument, StoreUrl, VersionOption, group
from cli.output import bar, progress, reporting, show
from cli.owner.changing import accept, clear_broker, next_policy, offer, raise_lowest

app = group("Seal models, register them, change hands and policies, take them back.")
app.command("next-policy")(next_policy)
app.command("raise-lowest")(raise_lowest)
app.command("clear-broker")(clear_broker)
app.command()(offer)
app.command()(accept)


@app.command()
def seal(
    source: Annotated[Path, typer.Argument(help="ONNX file, or folder with one.")],
    out: Annotated[Path | None, typer.Option(help="Sealed file; SOURCE.sealed if left out.")] = None,
    main: Annotated[str, typer.Option(help="The ONNX file, where a folder holds several.")] = "",
    as_json: Json = False,
) -> None:
    """Encrypt a model so that only its key opens it; the key goes into your keystore."""
    with reporting(as_json):
        from cli.session import session
        from enclave.keystore import Keystore, SealKeys
        from enclave.sealed.seal import seal as seal_model

        opened, keys = session(), SealKeys.draw()
        passphrase = opened.passphrase(confirm=True)
        target = out or source.with_name(source.name + ".sealed")
        sealed = seal_model(
            source,
            target,
            data_key=keys.data_key,
            grant_address=keys.grant_address,
            main=main or None,
            progress=bar("sealing"),
        )
        try:
            Keystore(opened.home).create(sealed.seal_id, keys, passphrase)
        except BaseException:
            target.unlink()  # nobody could ever open it
            raise
        result = {"seal_id": sealed.seal_id, "sealed": target, "bytes": sealed.size}
        show({**result, "manifest_root": sealed.manifest_root}, as_json)


@app.command()
def register(
    name: Annotated[str, typer.Argument(help="Name of the model under this account.")],
    sealed: Annotated[Path, typer.Argument(help="File that `model seal` made.")],
    policy: Annotated[str, typer.Option(help="Id of the policy its machines must meet.")],
    broker: Annotated[str, typer.Option(help="Address that may release keys and stop nodes.")] = "",
    finality: Annotated[str, typer.Option(help="How deep a release must be: seen, safe, final.")] = "safe",
    chain: Chain = "",
    store: StoreUrl = "",
    account: AccountName = "",
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Put a sealed model into the store and on chain, and bind its keys to that version and policy."""
    with reporting(as_json):
        from cli.owner.registration import Registration
        from cli.session import finality_named, session
        from cli.transaction import sending
        from contracts.ids import Address, PolicyId
        from enclave.sealed.files import SealedFile

        file = SealedFile.inspect(sealed)
        opened = session(chain=chain, store=store, account=account)
        with sending(opened, dry_run, as_json) as (live, signer):
            registration = Registration(
                live=live,
                signer=signer,
                name=name,
                seal_id=file.seal_id,
                policy=PolicyId.parse(policy),
                finality=finality_named(finality),
                broker=Address.parse(broker.lower()) if broker else None,
            )
            registration.require_keys(opened.home)
            known = registration.known()
            uri = f"sha256/{opened.store().put_file(sealed).hex()}" if not dry_run and known is None else ""
            result = registration.result() if known is not None else registration.send(uri)
        if not dry_run:
            progress("binding the keys to this version and policy")
            registration.bind(opened.home, opened.passphrase())
        show({**result, "already": known is not None}, as_json)


@app.command("show")
def show_(
    model: ModelArgument,
    version: Annotated[int, typer.Option(help="Only this version.")] = 0,
    chain: Chain = "",
    account: AccountName = "",
    as_json: Json = False,
) -> None:
    """Print a model and its versions as the chain has them."""
    with reporting(as_json):
        from cli.reads import model_state
        from cli.session import session

        opened = session(chain=chain, account=account)
        show(model_state(opened.reader(), opened.model_id(model), version), as_json)


@app.command()
def withdraw(
    model: ModelArgument,
    version: VersionOption,
    chain: Chain = "",
    account: AccountName = "",
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Withdraw one version, for ever; its nodes get no further lease."""
    with reporting(as_json):
        from cli.session import session
        from cli.transaction import mined, sending
        from registry.chain.reverts import reverted_type
        from registry.models import Models

        opened = session(chain=chain, account=account)
        target = opened.model_id(model)
        result: dict[str, object] = {"model": target, "version": version, "withdrawn": True}
        with sending(opened, dry_run, as_json) as (live, signer):
            try:
                sent = Models(live).withdraw_version(signer, target, version)
            except reverted_type("AlreadyWithdrawn"):
                show({**result, "already": True}, as_json)
                return
        show({**result, "already": False, **mined(sent)}, as_json)


@app.command()
def retire(
    model: ModelArgument,
    successor: Annotated[str, typer.Option(help="Id of the model that takes its place.")] = "",
    chain: Chain = "",
    account: AccountName = "",
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Retire a model with all its versions, for ever."""
    with reporting(as_json):
        from cli.session import session
        from cli.transaction import mined, sending
        from contracts.ids import ModelId
        from registry.chain.reverts import reverted_type
        from registry.models import Models

        opened = session(chain=chain, account=account)
        target, follows = (
            opened.model_id(model),
            ModelId.parse(successor) if successor else ModelId(bytes(32)),
        )
        result: dict[str, object] = {"model": target, "retired": True}
        with sending(opened, dry_run, as_json) as (live, signer):
            try:
                sent = Models(live).retire(signer, target, follows)
            except reverted_type("AlreadyRetired"):
                show({**result, "already": True}, as_json)
                return
        show({**result, "already": False, **mined(sent)}, as_json)


@app.command("set-broker")
def set_broker(
    model: ModelArgument,
    broker: Annotated[str, typer.Argument(help="Address that may release keys and stop nodes.")],
    chain: Chain = "",
    account: AccountName = "",
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Name the account that may release keys and stop nodes, and nothing else."""
    with reporting(as_json):
        from cli.session import session
        from cli.transaction import mined, sending
        from contracts.ids import Address
        from registry.models import Models

        opened, named = session(chain=chain, account=account), Address.parse(broker.lower())
        target = opened.model_id(model)
        result: dict[str, object] = {"model": target, "broker": named}
        with sending(opened, dry_run, as_json) as (live, signer):
            if Models(live).model(target).broker == named:
                show({**result, "already": True}, as_json)
                return
            sent = Models(live).set_broker(signer, target, named)
        show({**result, "already": False, **mined(sent)}, as_json)
