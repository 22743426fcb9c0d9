# SPDX-License-Identifier: Apache-2.0
"""Owner and licensee, step 3: write and prove a licence, grant and accept it, let nodes use it, move it, end it."""

from pathlib import Path
from typing import Annotated

import typer

from cli.options import AccountName, Chain, DryRun, Json, LicenceArgument, ModelArgument, StoreUrl, group
from cli.output import instant, reporting, show
from cli.owner.compiling import build, deploy, verify
from cli.owner.delegation import appoint, dismiss, offer, revoke_node
from cli.owner.living import MOVES, buy, moving, rebind
from cli.owner.proving import import_, odrl, picture, prove
from cli.owner.wording import check, explain, new, say

app = group("Who may run a model, until when, on how many machines.")

for command in (new, check, say, explain, prove, picture, odrl, build, deploy, verify, buy, rebind):
    app.command()(command)
app.command("import")(import_)
for move in MOVES:
    app.command(move)(moving(move))
app.command("revoke-node")(revoke_node)
app.command()(appoint)
app.command()(dismiss)
app.command()(offer)

_DAY = 86_400


@app.command()
def grant(
    model: ModelArgument,
    licensee: Annotated[str, typer.Option(help="Address that may accept it.")],
    days: Annotated[int, typer.Option(min=1, help="Length of the term, from now.")] = 365,
    seats: Annotated[int, typer.Option(min=1, max=65_535, help="Machines at once.")] = 1,
    answers: Annotated[int, typer.Option(min=1, help="Answers it pays for.")] = 1_000_000,
    lowest_version: Annotated[int, typer.Option(min=1, help="Lowest version it covers.")] = 1,
    text: Annotated[Path | None, typer.Option(help="The licence's words; kept in the store.")] = None,
    chain: Chain = "",
    store: StoreUrl = "",
    account: AccountName = "",
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Deploy a licence for a term, and record it for a licensee to accept."""
    with reporting(as_json):
        from cli.session import session
        from cli.transaction import mined, sending
        from contracts.ids import ZERO_DIGEST, Address
        from registry.licences import Licences, TermDraft

        opened = session(chain=chain, store=store, account=account)
        target, to = opened.model_id(model), Address.parse(licensee.lower())
        words = ZERO_DIGEST if text is None or dry_run else opened.store().put(text.read_bytes())
        with sending(opened, dry_run, as_json) as (live, signer):
            start = live.head().timestamp
            draft = TermDraft(
                model_id=target,
                lowest_version=lowest_version,
                start=start,
                end=start + days * _DAY,
                seats=seats,
                answers=answers,
                text=words,
            )
            licence = Licences(live).deploy_term(signer, draft)
            sent = Licences(live).grant(signer, licence, target, lowest_version, to)
        result = {"licence": licence, "model": target, "licensee": to, "until": instant(draft.end)}
        show({**result, **mined(sent)}, as_json)


@app.command()
def accept(
    licence: LicenceArgument,
    chain: Chain = "",
    account: AccountName = "",
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Accept a licence, or the licensee's role that its holder offers."""
    with reporting(as_json):
        from cli.moves import following
        from cli.session import session
        from cli.transaction import mined, sending
        from contracts.ids import Address
        from registry.licences import Licences

        opened, target = session(chain=chain, account=account), Address.parse(licence.lower())
        with sending(opened, dry_run, as_json, moves=["accept"]) as (live, signer):
            result: dict[str, object] = {"licence": target, "licensee": signer.address}
            if Licences(live).licensee(target) == signer.address:
                show({**result, "already": True, **following(live, target)}, as_json)
                return
            sent = Licences(live).accept(signer, target)
            after = following(live, target)
        show({**result, "already": False, **mined(sent), **after}, as_json)


@app.command()
def authorise(
    licence: LicenceArgument,
    node: Annotated[str, typer.Argument(help="Node id, as `node run` prints it.")],
    chain: Chain = "",
    account: AccountName = "",
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Let a node use a licence; its licensee or an operator he appointed."""
    with reporting(as_json):
        from cli.session import session
        from cli.transaction import mined, sending
        from contracts.ids import Address, NodeId
        from registry.releases import Releases

        opened = session(chain=chain, account=account)
        target, named = Address.parse(licence.lower()), NodeId.parse(node)
        result: dict[str, object] = {"licence": target, "node": named}
        with sending(opened, dry_run, as_json) as (live, signer):
            authorised, _ = Releases(live).node(target, named)
            if authorised:
                show({**result, "already": True}, as_json)
                return
            sent = Releases(live).authorise(signer, target, named)
        show({**result, "already": False, **mined(sent)}, as_json)


@app.command("show")
def show_(licence: LicenceArgument, chain: Chain = "", as_json: Json = False) -> None:
    """Print a licence: for which model, whose, in which state, until when."""
    with reporting(as_json):
        from cli.reads import licence_state
        from cli.session import session
        from contracts.ids import Address

        show(licence_state(session(chain=chain).reader(), Address.parse(licence.lower())), as_json)
