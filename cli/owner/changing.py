# SPDX-License-Identifier: Apache-2.0
"""Owner: what changes of a registered model: the policy that comes next, what is served, its broker, its owner."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import AccountName, Chain, DryRun, Json, ModelArgument, VersionOption
from cli.output import instant, note, reporting

if TYPE_CHECKING:
    from cli.session import Session
    from contracts.ids import ModelId, PolicyId


def next_policy(
    model: ModelArgument,
    policy: Annotated[str, typer.Option(help="Id of the policy that comes next.")],
    start: Annotated[str, typer.Option(help="From when on, such as 2026-03-01T00:00:00Z.")],
    version: VersionOption = 1,
    chain: Chain = "",
    account: AccountName = "",
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Name the policy that replaces a version's own from an instant on; until then both count.

    The keys are bound to it where they are here; the broker serves it once it is started again.
    """
    with reporting(as_json):
        from cli.evidence import moment
        from cli.session import session
        from cli.transaction import once
        from contracts.ids import PolicyId
        from registry.models import Models

        when, named = int(moment(start).timestamp()), PolicyId.parse(policy)
        opened = session(chain=chain, account=account)
        target = opened.model_id(model)
        once(
            opened,
            {"model": target, "version": version, "next": named, "start": instant(when)},
            lambda live: (
                (found := Models(live).version(target, version)).next == named and found.next_start == when
            ),
            lambda live, signer: Models(live).name_next(signer, target, version, named, when),
            dry_run=dry_run,
            as_json=as_json,
        )
        if not dry_run:
            _pin(opened, target, version, named)


def raise_lowest(
    model: ModelArgument,
    version: VersionOption,
    chain: Chain = "",
    account: AccountName = "",
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Stop serving every version below this one, for ever; their nodes get no further lease."""
    with reporting(as_json):
        from cli.session import session
        from cli.transaction import once
        from registry.models import Models

        opened = session(chain=chain, account=account)
        target = opened.model_id(model)
        once(
            opened,
            {"model": target, "lowest_served": version},
            lambda live: Models(live).model(target).lowest_served == version,
            lambda live, signer: Models(live).raise_lowest(signer, target, version),
            dry_run=dry_run,
            as_json=as_json,
        )


def clear_broker(
    model: ModelArgument,
    chain: Chain = "",
    account: AccountName = "",
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Let nobody release keys, renew leases or stop nodes, until a broker is set again."""
    with reporting(as_json):
        from cli.session import session
        from cli.transaction import once
        from contracts.ids import ZERO_ADDRESS
        from registry.models import Models

        opened = session(chain=chain, account=account)
        target = opened.model_id(model)
        once(
            opened,
            {"model": target, "broker": None},
            lambda live: Models(live).model(target).broker == ZERO_ADDRESS,
            lambda live, signer: Models(live).set_broker(signer, target, ZERO_ADDRESS),
            dry_run=dry_run,
            as_json=as_json,
        )


def offer(
    model: ModelArgument,
    to: Annotated[str, typer.Argument(help="Address that may accept it; 0x00..00 takes an offer back.")],
    chain: Chain = "",
    account: AccountName = "",
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Offer a model to another owner; it is yours until he accepts."""
    with reporting(as_json):
        from cli.session import session
        from cli.transaction import once
        from contracts.ids import Address
        from registry.models import Models

        opened, named = session(chain=chain, account=account), Address.parse(to.lower())
        target = opened.model_id(model)
        once(
            opened,
            {"model": target, "offered_to": named},
            lambda live: Models(live).model(target).pending_owner == named,
            lambda live, signer: Models(live).offer(signer, target, named),
            dry_run=dry_run,
            as_json=as_json,
        )


def accept(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Model id, as `model offer` prints it.")],
    chain: Chain = "",
    account: AccountName = "",
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Become the owner of a model that its owner offers; keys and policies are handed over apart."""
    with reporting(as_json):
        from cli.session import session
        from cli.transaction import once
        from registry.models import Models

        opened = session(chain=chain, account=account)
        target, mine = opened.model_id(model), opened.address()
        once(
            opened,
            {"model": target, "owner": mine},
            lambda live: Models(live).model(target).owner == mine,
            lambda live, signer: Models(live).accept(signer, target),
            dry_run=dry_run,
            as_json=as_json,
        )


def _pin(opened: "Session", model: "ModelId", version: int, policy: "PolicyId") -> None:
    """Let the keys of a version serve its next policy too, where this person has them."""
    from enclave.keystore import Keystore

    keystore = Keystore(opened.home)
    for entry in keystore.list():
        if entry.bound is None or (entry.bound.model_id, entry.bound.version) != (model, version):
            continue
        if policy not in entry.policies:
            keystore.pin(entry.seal_id, opened.passphrase(), (*entry.policies, policy))
        return
    note(
        "the keys of this version are not here: whoever has them types this too, or no key is released under it"
    )
