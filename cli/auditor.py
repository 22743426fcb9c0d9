# SPDX-License-Identifier: Apache-2.0
"""Auditor, step 12: follow events as they come, export them, and replay every decision they record."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import Chain, Json, StoreUrl, group
from cli.output import reporting, show

if TYPE_CHECKING:
    from registry.chain.view import Event

app = group("Export events, and replay every decision they record.")

FromBlock = Annotated[int, typer.Option("--from", min=0, help="First block; the deployment's if left out.")]
_PAUSE, _PAGE = 0.5, 2_000
_FINDINGS = 5


@app.command()
def export(
    out: Annotated[Path | None, typer.Option(help="File to write; stdout if left out.")] = None,
    first: FromBlock = 0,
    chain: Chain = "",
    as_json: Json = False,
) -> None:
    """Write every event as one JSON object a line, up to the last final block."""
    with reporting(as_json):
        from cli.session import session
        from contracts.records import Finality
        from registry.replay import dump_events

        live = session(chain=chain).chain()
        head = live.head(Finality.FINAL)
        events = live.events(first or live.book.deployed_at, head.number)
        text = dump_events(events)
        if out is None:
            sys.stdout.write(text)
            return
        out.write_text(text, "utf-8")
        show({"events": len(events), "up_to_block": head.number, "file": out}, as_json)


@app.command()
def replay(
    events: Annotated[
        Path | None, typer.Option(help="File from `audit export`, instead of the chain.")
    ] = None,
    chain: Chain = "",
    store: StoreUrl = "",
    as_json: Json = False,
) -> None:
    """Judge every recorded decision again with the code that took it; exit code 5 when one differs.

    Needs the salts of the burn domains, and a reader key that the policies name (`broker reader-key`).
    """
    with reporting(as_json):
        from cli.administrator.broker import reader
        from cli.assigned import assigned_policies
        from cli.histories import all_events, published, read_events
        from cli.session import session
        from enclave.audit import replay as judge

        opened = session(chain=chain, store=store)
        live = opened.chain()
        told = all_events(live) if events is None else read_events(events)
        assigned = assigned_policies(opened, live, published(told))
        key = reader(opened.home, opened.passphrase())
        found = judge(told, book=live.book, assigned=assigned, store=opened.store(), reader=key)
        findings = [
            {"block": one.block, "what": one.what, "expected": one.expected, "found": one.found}
            for one in found
            if not one.erased
        ]
        erased = len(found) - len(findings)
        show({"events": len(told), "agrees": not findings, "findings": findings, "erased": erased}, as_json)
    if findings:
        raise typer.Exit(_FINDINGS)


def watch(
    first: FromBlock = 0,
    once: Annotated[
        bool, typer.Option("--once", help="Stop at the head instead of waiting for more.")
    ] = False,
    chain: Chain = "",
    as_json: Json = False,
) -> None:
    """Print events as they come, from the head on; with --json one object a line."""
    with reporting(as_json):
        from cli.session import session

        live = session(chain=chain).chain()
        at = first or live.head().number + 1
        while True:
            head = live.head().number
            while at <= head:
                last = min(head, at + _PAGE - 1)
                for event in live.events(at, last):
                    _print(event, as_json)
                at = last + 1
            if once:
                return
            time.sleep(_PAUSE)


def _print(event: "Event", as_json: bool) -> None:
    from registry.replay import dump_events

    if as_json:
        sys.stdout.write(dump_events([event]))
        sys.stdout.flush()
        return
    named = "  ".join(f"{name}={_word(value)}" for name, value in event.args.items())
    print(f"{event.block.number}  {event.contract}.{event.name}  {named}", flush=True)


def _word(value: object) -> str:
    if isinstance(value, dict):
        return "{" + " ".join(f"{name}={_word(part)}" for name, part in value.items()) + "}"
    if isinstance(value, tuple):
        return "[" + " ".join(map(_word, value)) + "]"
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)
