# SPDX-License-Identifier: Apache-2.0
"""Model user, steps 9 and 10: ask a model, and check for oneself where the answer came from."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import Chain, Json, StoreUrl
from cli.output import progress, reporting, show

if TYPE_CHECKING:
    from cli.session import Session
    from enclave.client import Answer, NodeClient, Verification

Input = Annotated[Path, typer.Argument(help="Input: .npy, or .json of {name: numbers}.")]
InputName = Annotated[str, typer.Option("--input-name", help="Name of the model's input, for .npy.")]


def infer(
    node: Annotated[str, typer.Argument(metavar="NODE_URL", help="Where the node answers.")],
    source: Input,
    out: Annotated[Path, typer.Option(help="File for the answer with its receipt.")] = Path("answer.cbor"),
    input_name: InputName = "input",
    policy: Annotated[
        Path | None, typer.Option(help="Your own policy, which the node must meet too.")
    ] = None,
    unverified: Annotated[
        bool, typer.Option("--unverified", help="Send the input without checking the node first.")
    ] = False,
    chain: Chain = "",
    store: StoreUrl = "",
    as_json: Json = False,
) -> None:
    """Check a node, then ask it; the input leaves this machine only if every check holds."""
    with reporting(as_json):
        from cli.session import session
        from cli.tensors import read_request, shown
        from enclave.client import NodeClient

        request, client = read_request(source, input_name), NodeClient(node)
        checked = None if unverified else _check_node(session(chain=chain, store=store), client, policy)
        progress("asking")
        answer = client.infer(request)
        if checked is not None:
            _require_same(answer, checked)
        out.write_bytes(answer.encode())
        show(
            {"answer": out, "level": checked and checked.level.label, "outputs": shown(answer.response)},
            as_json,
        )


def verify(
    answer: Annotated[Path, typer.Argument(help="File that `infer` wrote.")],
    source: Input,
    input_name: InputName = "input",
    events: Annotated[
        Path | None, typer.Option(help="File from `audit export`, instead of the chain.")
    ] = None,
    book: Annotated[Path | None, typer.Option(help="Address book of the chain the events come from.")] = None,
    chain: Chain = "",
    as_json: Json = False,
) -> None:
    """Check that an answer came from the registered model in an attested node, from files and events alone."""
    with reporting(as_json):
        from cli.histories import history
        from cli.session import session
        from cli.tensors import read_request
        from enclave.client import Answer, verify_receipt

        read, request = Answer.decode(answer.read_bytes()), read_request(source, input_name)
        found = verify_receipt(read, request, history(session(chain=chain), events, book))
        result: dict[str, object] = {"verified": True, "node": found.node_id, "level": found.level.label}
        if found.subject is not None:
            result |= {"model": found.subject.model_id, "version": found.subject.version}
        show({**result, "steps": steps(found)}, as_json)


def steps(found: "Verification") -> list[dict[str, object]]:
    """What was checked, each with what it rests on."""
    return [{"step": one.name, "found": one.found, "rests_on": one.rests_on} for one in found.steps]


def _check_node(opened: "Session", client: "NodeClient", own: Path | None) -> "Verification":
    from cli.assigned import document_of
    from cli.histories import history_of
    from enclave.client import verify_node
    from enclave.evidence.policy import Policy

    live, presence = opened.chain(), client.presence()
    progress("checking the node")
    owners = Policy.from_json(opened.store().get(document_of(live, presence.policy_id)))
    own_policy = None if own is None else Policy.from_toml(own.read_text("utf-8"))
    now = live.head().timestamp
    return verify_node(presence.bundle, history_of(live), now=now, policy=owners, own=own_policy)


def _require_same(answer: "Answer", checked: "Verification") -> None:
    from enclave.errors import NotVerified
    from enclave.statements import NodeKeys

    answered = NodeKeys.decode(answer.keys).node_id()
    if answered != checked.node_id:
        raise NotVerified(f"{answered} answered, not the node that was checked", where="node")
