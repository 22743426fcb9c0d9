# SPDX-License-Identifier: Apache-2.0
"""Licensor and licensee, step 3: every move of a licence that was granted: paid, activated, suspended, revoked and so on."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import AccountName, Chain, DryRun, Json, LicenceArgument
from cli.output import note, reporting, show

if TYPE_CHECKING:
    from contracts.ids import Address
    from registry.chain.chain import Chain as Live
    from registry.chain.view import Mined
    from registry.signing import Account

    Make = Callable[[Live, Account, Address], Mined | None]

MOVES = {
    "pay": "Pay a licence's fee: its licensee in ether, or its licensor confirms that other money came.",
    "activate": "Begin to use a licence, once its term has begun and its fee is paid; its licensee.",
    "suspend": "Refuse new leases until resumed.",
    "resume": "Take a suspension back.",
    "notify": "Give the notice after which a licence may be revoked; its licensor.",
    "revoke": "End a licence, for ever; its nodes stop at once or at the end of their lease.",
    "expire": "Record that a licence's term is over, which it is whether recorded or not.",
    "draw": "Draw the ether that was paid to a licence; its licensor.",
}
"""Moves that need no more than the licence's address, with what each is for."""


def moving(move: str) -> Callable[..., None]:
    """The command that makes one of these moves."""

    def command(
        licence: LicenceArgument,
        chain: Chain = "",
        account: AccountName = "",
        dry_run: DryRun = False,
        as_json: Json = False,
    ) -> None:
        with reporting(as_json):
            from cli.moves import make

            def send(live: "Live", signer: "Account", target: "Address") -> "Mined | None":
                return make(move, live, signer, target)

            _make(licence, move, send, chain, account, dry_run, as_json)

    command.__doc__ = MOVES[move]
    return command


def buy(
    licence: LicenceArgument,
    packs: Annotated[int, typer.Argument(min=1, help="How many packs of answers.")] = 1,
    chain: Chain = "",
    account: AccountName = "",
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Buy packs of answers: the licensee in ether, or the licensor confirms that other money came."""
    with reporting(as_json):
        from cli.moves import buying, compiled

        def send(live: "Live", signer: "Account", target: "Address") -> "Mined | None":
            return compiled("buy", buying(packs), live, signer, target)

        _make(licence, "buy", send, chain, account, dry_run, as_json)


def rebind(
    licence: LicenceArgument,
    releases: Annotated[str, typer.Option(help="Address of the release log it shall answer to.")],
    model: Annotated[str, typer.Option(help="The model's id there.")],
    chain: Chain = "",
    account: AccountName = "",
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Move a licence to other contracts, once licensor and licensee asked for the same."""
    with reporting(as_json):
        from cli.moves import bound, compiled, rebinding
        from contracts.ids import Address, ModelId

        to, known = Address.parse(releases.lower()), ModelId.parse(model)

        def send(live: "Live", signer: "Account", target: "Address") -> "Mined | None":
            sent = compiled("rebind", rebinding(to, known), live, signer, target)
            if not bound(live, target, to, known):
                note("it moves once the other party asks for the same")
            return sent

        _make(licence, "rebind", send, chain, account, dry_run, as_json)


def _make(
    licence: str, move: str, send: "Make", chain: str, account: str, dry_run: bool, as_json: bool
) -> None:
    """Make one move unless it was made, and say how the licence stands then."""
    from cli.moves import made, standing
    from cli.session import session
    from cli.transaction import mined, sending
    from contracts.ids import Address

    opened, target = session(chain=chain, account=account), Address.parse(licence.lower())
    result: dict[str, object] = {"licence": target, "move": move}
    stands = standing(opened.chain(), target, move)
    if made(move, stands):
        show({**result, **stands, "already": True}, as_json)
        return
    with sending(opened, dry_run, as_json, moves=[move]) as (live, signer):
        sent = send(live, signer, target)
        stands = standing(live, target, move)
    done = {"already": True} if sent is None else {"already": False, **mined(sent)}
    show({**result, **stands, **done}, as_json)
