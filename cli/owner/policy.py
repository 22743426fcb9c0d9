# SPDX-License-Identifier: Apache-2.0
"""Owner, step 2: policies, which say what evidence a machine must bring, and what was taken back."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import BROKER_URL, VERIFIER_URL, AccountName, Chain, DryRun, Json, StoreUrl, group
from cli.output import reporting, show
from cli.owner.foresight import from_, what_if

if TYPE_CHECKING:
    from contracts.ids import Half
    from contracts.records import Finality
    from registry.chain.book import AddressBook

app = group("Which machines may run a model, on what evidence.")

PolicyArgument = Annotated[str, typer.Argument(metavar="POLICY", help="Policy id.")]
app.command("what-if")(what_if)
app.command("from")(from_)
_WAITS = 4  # a lease shorter than this many waits for finality would be spent on waiting


@app.command()
def draft(
    name: Annotated[str, typer.Argument(help="Name of the policy and of its burn domain.")],
    verifier: Annotated[list[str], typer.Option(help="Address of a verifier; repeat for each.")],
    out: Annotated[Path, typer.Option(help="File to write.")] = Path("policy.toml"),
    threshold: Annotated[int, typer.Option(min=1, help="Verifiers that must agree.")] = 1,
    kind: Annotated[str, typer.Option(help="Technology of the root device, such as tdx.")] = "software",
    level: Annotated[str, typer.Option(help="Lowest level: none, measured, rooted, isolated.")] = "none",
    lease: Annotated[int, typer.Option(min=1, help="Longest lease in seconds.")] = 600,
    quota: Annotated[int, typer.Option(min=1, help="Answers beyond the last anchored counter.")] = 1000,
    workload: Annotated[
        list[str] | None, typer.Option(help="Guest allowed; the one installed here if left out.")
    ] = None,
    reader: Annotated[list[Path] | None, typer.Option(help="File from `broker reader-key`; repeat.")] = None,
    enroller: Annotated[list[str] | None, typer.Option(help="Enroller's key, hex; repeat.")] = None,
    verifier_url: Annotated[
        list[str] | None, typer.Option(help="Where a verifier listens; repeat. This machine if left out.")
    ] = None,
    broker_url: Annotated[str, typer.Option(help="Where the broker hands over keys.")] = BROKER_URL,
    chain: Chain = "",
    account: AccountName = "",
    as_json: Json = False,
) -> None:
    """Write a policy to edit, and draw the secret salt of its burn domain unless there is one."""
    with reporting(as_json):
        from cli import salts
        from cli.evidence import moment
        from cli.owner.draft import Draft, installed_workload, text
        from cli.owner.fragment import halves, outlined
        from cli.session import session
        from enclave.evidence.policy import Policy, burn_domain

        opened = session(chain=chain, account=account)
        book = opened.book()
        domain = burn_domain(book.chain_id, book.policies, opened.address(), name)
        allowed = workload or installed_workload(kind)
        made = Draft(
            name=name,
            domain=str(domain),
            verifiers=[word.lower() for word in verifier],
            threshold=threshold,
            level=level,
            lease=lease,
            quota=quota,
            readers=[path.read_text("ascii").strip() for path in reader or ()],
            enrollers=enroller or (),
            verifier_urls=verifier_url or (VERIFIER_URL,),
            broker_url=broker_url,
            rules=halves(outlined(kind, level, allowed, moment(""))),
        )
        written = text(made)
        Policy.from_toml(written)
        with out.open("x", encoding="utf-8") as file:
            file.write(written)
        show({"policy": out, "burn_domain": domain, "salt": salts.make(opened.home, domain)}, as_json)


@app.command()
def publish(
    file: Annotated[Path, typer.Argument(help="The policy in TOML.")],
    finality: Annotated[
        str, typer.Option(help="Finality its models will ask for: seen, safe or final.")
    ] = "safe",
    chain: Chain = "",
    store: StoreUrl = "",
    account: AccountName = "",
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Publish a policy: its digest and terms on chain, its document in the store."""
    with reporting(as_json):
        from cli.session import finality_named, session
        from cli.transaction import mined, sending
        from enclave.evidence.policy import Policy
        from registry.policies import Policies

        opened = session(chain=chain, store=store, account=account)
        policy = Policy.from_toml(file.read_bytes())
        with sending(opened, dry_run, as_json) as (live, signer):
            _require_lease(policy.enforced.lease, live.book, finality_named(finality))
            known = policy.policy_id(live.chain_id, live.book.policies, signer.address)
            result: dict[str, object] = {"policy": known, "document": policy.document_digest}
            if not dry_run:
                opened.store().put(policy.canonical())
            if any(Policies(live).controller(known)):
                show({**result, "already": True}, as_json)
                return
            _, sent = Policies(live).publish(signer, policy.enforced, policy.document_digest)
        show({**result, "already": False, **mined(sent)}, as_json)


@app.command("show")
def show_(policy: PolicyArgument, chain: Chain = "", as_json: Json = False) -> None:
    """Print what the contracts enforce of a policy, and whether it still counts."""
    with reporting(as_json):
        from cli.reads import policy_terms
        from cli.session import session
        from contracts.ids import PolicyId

        show(policy_terms(session(chain=chain).reader(), PolicyId.parse(policy)), as_json)


@app.command()
def withdraw(
    policy: PolicyArgument,
    verifier: Annotated[str, typer.Option(help="Withdraw only this verifier of the policy.")] = "",
    chain: Chain = "",
    account: AccountName = "",
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Withdraw a policy, or one of its verifiers, for ever."""
    with reporting(as_json):
        from cli.session import session
        from cli.transaction import mined, sending
        from contracts.ids import Address, PolicyId
        from registry.chain.reverts import reverted_type
        from registry.policies import Policies

        target, opened = PolicyId.parse(policy), session(chain=chain, account=account)
        result: dict[str, object] = {"policy": target, "verifier": verifier or None}
        with sending(opened, dry_run, as_json) as (live, signer):
            policies = Policies(live)
            try:
                if verifier:
                    sent = policies.withdraw_verifier(signer, target, Address.parse(verifier.lower()))
                else:
                    sent = policies.withdraw(signer, target)
            except (reverted_type("AlreadyWithdrawn"), reverted_type("VerifierAlreadyWithdrawn")):
                show({**result, "already": True}, as_json)
                return
        show({**result, "already": False, **mined(sent)}, as_json)


@app.command("withdraw-node")
def withdraw_node(
    policy: PolicyArgument,
    node: Annotated[str, typer.Argument(help="Node id, as `node run` prints it.")],
    chain: Chain = "",
    account: AccountName = "",
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Withdraw one node under a policy, for ever."""
    with reporting(as_json):
        from cli.session import session
        from cli.transaction import mined, sending
        from contracts.ids import NodeId, PolicyId
        from registry.attestations import Attestations
        from registry.chain.reverts import reverted_type

        target, named = PolicyId.parse(policy), NodeId.parse(node)
        result: dict[str, object] = {"policy": target, "node": named}
        with sending(session(chain=chain, account=account), dry_run, as_json) as (live, signer):
            try:
                sent = Attestations(live).withdraw(signer, target, named)
            except reverted_type("NodeIsWithdrawn"):
                show({**result, "already": True}, as_json)
                return
        show({**result, "already": False, **mined(sent)}, as_json)


@app.command()
def burn(
    domain: Annotated[str, typer.Argument(help="Name of the burn domain: the policy's name.")],
    platform: Annotated[str, typer.Option(help="Platform commitment to burn.")] = "",
    workload: Annotated[str, typer.Option(help="Workload to recall.")] = "",
    chain: Chain = "",
    account: AccountName = "",
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Burn a platform, or recall a workload, for every policy that names the domain; for ever."""
    if bool(platform) == bool(workload):
        raise typer.BadParameter("give --platform or --workload, and not both")
    with reporting(as_json):
        from cli.session import session
        from cli.transaction import mined, sending
        from registry.chain.reverts import reverted_type
        from registry.policies import Policies

        target = _half(platform or workload)
        result: dict[str, object] = {"domain": domain, "platform" if platform else "workload": target}
        opened = session(chain=chain, account=account)
        with sending(opened, dry_run, as_json) as (live, signer):
            act = Policies(live).burn if platform else Policies(live).recall
            try:
                sent = act(signer, domain, target)
            except (reverted_type("AlreadyBurnt"), reverted_type("AlreadyRecalled")):
                show({**result, "already": True}, as_json)
                return
        show({**result, "already": False, **mined(sent)}, as_json)


def _half(text: str) -> "Half":
    """A whole digest or the 16 bytes of it that are stored."""
    from contracts.ids import Digest, Half

    return Half(Digest.parse(text)[: Half.SIZE]) if len(text) == 66 else Half.parse(text)


def _require_lease(lease: int, book: "AddressBook", finality: "Finality") -> None:
    from contracts.records import Finality
    from registry.errors import NotConfigured

    wait = 0 if finality is Finality.SEEN else book.finality_wait
    if lease < _WAITS * wait:
        what = f"a lease of {lease} s is shorter than {_WAITS} times the chain's wait of {wait} s"
        raise NotConfigured(what, where="policy.enforced.lease", hint="lengthen it, or ask for less finality")
