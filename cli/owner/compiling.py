# SPDX-License-Identifier: Apache-2.0
"""Owner, step 3: the contract of a licence: built from its text, put on chain, compared with what is there."""

from pathlib import Path
from typing import Annotated

import typer

from cli.options import AccountName, Chain, DryRun, Json, LicenceArgument, StoreUrl
from cli.output import note, reporting, show
from cli.owner.wording import TextArgument
from cli.texts import telling, understood

_DIFFERENT = 5


def build(
    file: TextArgument,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder to write to.")],
    as_json: Json = False,
) -> None:
    """Compile a licence to a proved contract: Solidity, bytecode, ABI, report, ODRL, net and picture."""
    with reporting(as_json), telling(as_json):
        from cli.artefacts import artefacts
        from registry.licensing.building import build as made_from

        licence, report = understood(file)
        built = made_from(licence, say=note)
        out.mkdir(parents=True, exist_ok=True)
        files = artefacts(built, report)
        for name, content in files.items():
            (out / name).write_text(content, encoding="utf-8")
        result = {
            "folder": out,
            "text": built.digest,
            "bytes": len(built.runtime),
            "proved": len(built.kernels),
        }
        show({**result, "files": list(files)}, as_json)


def deploy(
    file: TextArgument,
    chain: Chain = "",
    store: StoreUrl = "",
    account: AccountName = "",
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Put a licence's contract on chain and offer it to the licensee its text names; goes on where it was cut off."""
    with reporting(as_json), telling(as_json):
        from cli.deploying import contracts_of, granted, may_grant, open_grant, overdue
        from cli.session import session
        from cli.transaction import mined, sending
        from registry.compiled import CompiledLicences
        from registry.licences import Licences
        from registry.licensing.building import build as made_from

        licence, _ = understood(file)
        opened = session(chain=chain, store=store, account=account)
        target, to = licence.model.model_id, licence.licensee.address
        with sending(opened, dry_run, as_json, moves=["grant"]) as (live, signer):
            may_grant(live, signer.address, licence)
            if warning := overdue(licence, live.head().timestamp):
                note(warning)
            built = made_from(licence, say=note)
            if not dry_run:
                opened.store().put(built.text.encode())
            result: dict[str, object] = {"model": target, "licensee": to, "text": built.digest}
            there = contracts_of(live, built)
            if held := open_grant(live, there):
                show({"licence": held, **result, "already": True}, as_json)
                return
            fresh = [address for address in there if not granted(live, address)]
            address = fresh[0] if fresh else CompiledLicences(live).deploy(signer, built.creation)[0]
            sent = Licences(live).grant(signer, address, target, licence.model.lowest_version, to)
        show({"licence": address, **result, "already": False, **mined(sent)}, as_json)


def verify(
    licence: LicenceArgument,
    file: TextArgument,
    chain: Chain = "",
    as_json: Json = False,
) -> None:
    """Compare a licence on chain with a text, byte for byte; exit 5 when they differ."""
    with reporting(as_json), telling(as_json):
        from cli.deploying import differing
        from cli.session import session
        from contracts.ids import Address
        from registry.licensing.building import build as made_from

        words, _ = understood(file)
        live, target = session(chain=chain).chain(), Address.parse(licence.lower())
        built = made_from(words, prove=False, say=note)
        found = differing(live, target, built)
        result = {"licence": target, "text": built.digest, "equal": not found, "differences": found}
        show(result, as_json)
        if found:
            raise typer.Exit(_DIFFERENT)
