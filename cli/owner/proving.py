# SPDX-License-Identifier: Apache-2.0
"""Owner, step 3: what is proved of a licence, its state machine as a picture, and its exchange as ODRL."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import Json
from cli.output import note, reporting, show
from cli.owner.wording import TextArgument
from cli.texts import telling, text_of, understood

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from registry.licensing.model import Licence
    from registry.licensing.net import Net

_MALFORMED = 3


def prove(file: TextArgument, as_json: Json = False) -> None:
    """Look at everything that can happen under a licence, and say which of its promises hold."""
    with reporting(as_json), telling(as_json):
        from registry.licensing.net import net_of
        from registry.licensing.proof import prove as proof_of
        from registry.licensing.properties import PROPERTIES, promise
        from registry.licensing.reading import read

        reading = read(text_of(file))
        if reading.licence is None:
            understood(file)  # raises with all that is wrong
            return
        net = net_of(reading.licence)
        proof = proof_of(net)
        if as_json:
            promises = {name: promise(name) for name in PROPERTIES}
            stories = {name: story.told() for name, story in proof.stories.items()}
            counts = {"moves": len(net.moves), "states": proof.states, "steps": proof.edges}
            show(
                {**counts, "properties": dict(proof.holds), "promises": promises, "stories": stories}, as_json
            )
        else:
            for name, holds in proof.holds.items():
                print(f"{name:<4} {'holds ' if holds else 'BROKEN'}  {promise(name)}")
                if not holds:
                    print(f"     {proof.stories[name].told()}")
            print(
                f"{len(net.moves)} moves, {proof.states} states and {proof.edges} steps looked at", flush=True
            )
        if not proof.held:
            raise typer.Exit(_MALFORMED)


def picture(
    file: TextArgument,
    out: Annotated[Path, typer.Option(help="File to write: .svg, .dot or .pnml.")],
    as_json: Json = False,
) -> None:
    """Draw a licence's state machine, or write its net for other tools."""
    with reporting(as_json), telling(as_json):
        from registry.licensing.net import net_of

        draw = _drawings().get(out.suffix)
        if draw is None:
            raise typer.BadParameter(f"{out.name!r} ends in none of .svg, .dot, .pnml", param_hint="--out")
        licence, _ = understood(file)
        out.write_text(draw(net_of(licence), licence.title), encoding="utf-8")
        show({"picture": out}, as_json)


def odrl(
    file: TextArgument,
    out: Annotated[Path | None, typer.Option(help="File to write.")] = None,
    as_json: Json = False,
) -> None:
    """Print a licence as ODRL 2.2 in JSON-LD."""
    with reporting(as_json), telling(as_json):
        from registry.licensing.odrl import to_odrl

        document = to_odrl(understood(file)[0])
        if out is None:
            print(json.dumps(document, indent=None if as_json else 2, ensure_ascii=False), flush=True)
            return
        with out.open("x", encoding="utf-8") as target:
            target.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
        show({"odrl": out}, as_json)


def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The ODRL document in JSON-LD.")],
    as_json: Json = False,
) -> None:
    """Print the licence that an ODRL document holds, in words; refuses what words here cannot say."""
    with reporting(as_json), telling(as_json):
        from registry.licensing.building import digest_of
        from registry.licensing.problems import LicenceRefused
        from registry.licensing.saying import say

        try:
            licence = _imported(text_of(file))
        except LicenceRefused as refusal:
            raise LicenceRefused(refusal.problems, where=str(file)) from refusal
        text = say(licence)
        if as_json:
            show({"text": text, "digest": digest_of(text)}, as_json)
        else:
            print(text, end="", flush=True)
            note("this is what the document says; check it with `exequatur licence check`")


def _imported(document: str) -> "Licence":
    from registry.licensing.odrl import from_odrl

    return from_odrl(document)


def _drawings() -> "Mapping[str, Callable[[Net, str], str]]":
    from registry.licensing.pictures import dot, svg
    from registry.licensing.pnml import pnml

    return {".svg": svg, ".dot": dot, ".pnml": pnml}
