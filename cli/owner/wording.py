# SPDX-License-Identifier: Apache-2.0
"""Owner, step 3: a licence as a text: begun from a template, checked, explained, in the one spelling that is signed."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import Json
from cli.output import note, reporting, show
from cli.texts import telling, text_of, understood

if TYPE_CHECKING:
    from registry.licensing.drafting import Blank, Template
    from registry.licensing.report import Report

TextArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The licence in plain English.")]
_MALFORMED = 3


def new(
    kind: Annotated[
        str, typer.Argument(metavar="[KIND]", help="Kind of licence; all are listed if left out.")
    ] = "",
    given: Annotated[
        list[str] | None, typer.Option("--set", metavar="BLANK=WORDS", help="Fill in a blank; repeat.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="File to write.")] = None,
    as_json: Json = False,
) -> None:
    """Begin a licence from a template: asks for what is to be filled in."""
    with reporting(as_json), telling(as_json):
        from registry.licensing.drafting import filled, kinds, template

        if not kind:
            show({name: template(name).purpose for name in kinds()}, as_json)
            return
        if kind not in kinds():
            raise typer.BadParameter(f"no kind {kind!r}; there are {', '.join(kinds())}", param_hint="KIND")
        ready = template(kind)
        answers = _asked(ready, _given(ready, given or []), as_json)
        text = filled(ready, answers)
        _complete(text)
        if out is not None:
            with out.open("x", encoding="utf-8") as file:
                file.write(text)
        _written(kind, text, out, as_json)


def check(file: TextArgument, as_json: Json = False) -> None:
    """Say all that is wrong with a licence, what the contract would enforce, and what was proved."""
    with reporting(as_json):
        from registry.licensing.problems import LicenceRefused
        from registry.licensing.report import check as report_on
        from registry.licensing.report import nothing

        try:
            report = report_on(text_of(file))
        except LicenceRefused as unread:
            report = nothing(unread.problems)
        if as_json:
            show(report.row(), as_json)
        else:
            print("\n".join(_report(report)), flush=True)
        if not report.ok:
            raise typer.Exit(_MALFORMED)


def say(file: TextArgument, as_json: Json = False) -> None:
    """Print a licence in its canonical words, whose digest the contract holds."""
    with reporting(as_json), telling(as_json):
        from registry.licensing.building import digest_of
        from registry.licensing.saying import say as said

        text = said(understood(file)[0])
        if as_json:
            show({"text": text, "digest": digest_of(text)}, as_json)
        else:
            print(text, end="", flush=True)


def explain(file: TextArgument, as_json: Json = False) -> None:
    """Say clause by clause who keeps it, which moves it creates, and what follows from it."""
    with reporting(as_json), telling(as_json):
        from registry.licensing.explaining import explained
        from registry.licensing.problems import visible

        _, report = understood(file)
        clauses = explained(report)
        if as_json:
            rows = [
                {"line": one.line, "text": one.text, "class": one.kind, "moves": list(one.moves)}
                for one in clauses
            ]
            remarks = [problem.row() for problem in report.warnings]
            show({"clauses": rows, "because": list(report.because), "remarks": remarks}, as_json)
            return
        for one in clauses:
            print(f"line {one.line}: {visible(one.text)}\n    {one.kept}")
            print("".join(f"    - {move}\n" for move in one.moves), end="")
        print("".join(f"because: {fact}\n" for fact in report.because), end="")
        print("".join(f"{problem.told()}\n" for problem in report.warnings), end="", flush=True)


def _report(report: "Report") -> list[str]:
    from registry.licensing.problems import visible

    lines = [problem.told() for problem in report.problems]
    lines += [""] if report.problems and report.clauses else []
    lines += [f"line {one.line:<3} {one.kind!s:<6}  {visible(one.text)}" for one in report.clauses]
    if not report.ok:
        count = len(report.errors)
        what = "1 error" if count == 1 else f"{count} errors"
        return [*lines, f"{what}: no contract can be made of this licence"]
    held = sum(report.properties.values())
    return [*lines, f"{report.moves} moves, {report.states} states, {held} properties hold"]


def _given(ready: "Template", given: list[str]) -> dict[str, str]:
    """The answers from the command line, each looked at in its sentence."""
    from registry.licensing.drafting import refused
    from registry.licensing.problems import LicenceRefused

    blanks, answers = {blank.name: blank for blank in ready.blanks}, dict[str, str]()
    for one in given:
        name, equals, answer = one.partition("=")
        if not equals or name not in blanks:
            raise typer.BadParameter(
                f"{one!r} names no blank of this kind; they are {', '.join(blanks)}", param_hint="--set"
            )
        if problem := refused(ready, blanks[name], answer, answers):
            raise LicenceRefused((problem,), where=name)
        answers[name] = answer
    return answers


def _asked(ready: "Template", answers: dict[str, str], as_json: bool) -> dict[str, str]:
    """The answers with those a person at the terminal gives to what is still open."""
    from registry.errors import NotConfigured

    missing = [blank for blank in ready.blanks if blank.name not in answers]
    if missing and (as_json or not _terminal()):
        names = ", ".join(blank.name for blank in missing)
        hint = f'answer each with --set "{missing[0].name}=..."'
        raise NotConfigured(f"not filled in: {names}", where=ready.kind, hint=hint)
    if missing:
        note(ready.purpose)
    for blank in missing:
        answers[blank.name] = _ask(ready, blank, answers)
    return answers


def _ask(ready: "Template", blank: "Blank", answers: dict[str, str]) -> str:
    from registry.licensing.drafting import refused

    while True:
        answer = str(typer.prompt(f"{blank.question} For example {blank.example}", err=True)).strip()
        problem = refused(ready, blank, answer, answers)
        if problem is None:
            return answer
        note(problem.told())


def _terminal() -> bool:
    import sys

    return sys.stdin.isatty()


def _complete(text: str) -> None:
    from registry.licensing.report import require

    require(text)


def _written(kind: str, text: str, out: Path | None, as_json: bool) -> None:
    if as_json:
        show({"kind": kind, "file": out, "text": text}, as_json)
    elif out is None:
        print(text, end="", flush=True)
    else:
        show({"kind": kind, "file": out}, as_json)
        note(f"read it, then see what it means: exequatur licence explain {out}")
