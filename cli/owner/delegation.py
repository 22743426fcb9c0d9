# SPDX-License-Identifier: Apache-2.0
"""Licensee: whom he lets act for him, which nodes he takes back, and to whom he hands his role."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import AccountName, Chain, DryRun, Json, LicenceArgument
from cli.output import reporting

if TYPE_CHECKING:
    from contracts.ids import Address, NodeId
    from registry.chain.chain import Chain as LiveChain

OperatorArgument = Annotated[
    str, typer.Argument(metavar="OPERATOR", help="Address that authorises nodes and asks for keys.")
]


def appoint(
    licence: LicenceArgument,
    operator: OperatorArgument,
    chain: Chain = "",
    account: AccountName = "",
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Let another account authorise nodes and ask for keys under a licence; its licensee only."""
    _set(licence, operator, True, chain, account, dry_run, as_json)


def dismiss(
    licence: LicenceArgument,
    operator: OperatorArgument,
    chain: Chain = "",
    account: AccountName = "",
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Take an operator's appointment back; nodes that he authorised stay so until `revoke-node`."""
    _set(licence, operator, False, chain, account, dry_run, as_json)


def offer(
    licence: LicenceArgument,
    to: Annotated[str, typer.Argument(help="Address that may accept it; 0x00..00 takes an offer back.")],
    chain: Chain = "",
    account: AccountName = "",
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Offer the licensee's role to another account, which takes it with `licence accept`.

    Operators and authorised nodes end with the role.
    """
    with reporting(as_json):
        from cli.session import session
        from cli.transaction import once
        from contracts.ids import Address
        from registry.licences import Licences

        opened = session(chain=chain, account=account)
        target, named = Address.parse(licence.lower()), Address.parse(to.lower())
        once(
            opened,
            {"licence": target, "offered_to": named},
            lambda live: Licences(live).grant_of(target).pending_licensee == named,
            lambda live, signer: Licences(live).offer(signer, target, named),
            dry_run=dry_run,
            as_json=as_json,
        )


def revoke_node(
    licence: LicenceArgument,
    node: Annotated[str, typer.Argument(help="Node id, as `node run` prints it.")],
    chain: Chain = "",
    account: AccountName = "",
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Take a node's authorisation back; its licensee or an operator he appointed.

    Signatures given out before let it in no more; `licence authorise` does.
    """
    with reporting(as_json):
        from cli.session import session
        from cli.transaction import once
        from contracts.ids import Address, NodeId
        from registry.releases import Releases

        opened = session(chain=chain, account=account)
        target, named = Address.parse(licence.lower()), NodeId.parse(node)
        once(
            opened,
            {"licence": target, "node": named},
            lambda live: _revoked(live, target, named),
            lambda live, signer: Releases(live).revoke_node(signer, target, named),
            dry_run=dry_run,
            as_json=as_json,
        )


def _set(
    licence: str, operator: str, allowed: bool, chain: str, account: str, dry_run: bool, as_json: bool
) -> None:
    with reporting(as_json):
        from cli.session import session
        from cli.transaction import once
        from contracts.ids import Address
        from registry.licences import Licences

        opened = session(chain=chain, account=account)
        target, named = Address.parse(licence.lower()), Address.parse(operator.lower())
        once(
            opened,
            {"licence": target, "operator": named, "allowed": allowed},
            lambda live: _acts(live, target, named) is allowed,
            lambda live, signer: Licences(live).set_operator(signer, target, named, allowed),
            dry_run=dry_run,
            as_json=as_json,
        )


def _acts(live: "LiveChain", licence: "Address", operator: "Address") -> bool:
    """Whether an operator is appointed; the licensee himself is none, and no licence has nobody."""
    from registry.errors import NotConfigured
    from registry.licences import Licences

    if Licences(live).grant_of(licence).licensee == operator:
        hint = "he acts for himself; `exequatur licence offer` hands the role on"
        raise NotConfigured("this is the licensee", where=str(operator), hint=hint)
    return Licences(live).acts_for(licence, operator)


def _revoked(live: "LiveChain", licence: "Address", node: "NodeId") -> bool:
    """Whether the last word on a node was its revocation: one that nobody let in yet can be revoked too."""
    from registry.releases import Releases

    if Releases(live).node(licence, node)[0]:
        return False
    book = live.book
    events = live.events(book.deployed_at, live.head().number, addresses=[book.releases])
    words = [
        event.name
        for event in events
        if event.name in ("NodeAuthorised", "NodeRevoked")
        and (event.args["licence"], event.args["nodeId"]) == (licence, node)
    ]
    return words[-1:] == ["NodeRevoked"]
