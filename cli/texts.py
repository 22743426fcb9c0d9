# SPDX-License-Identifier: Apache-2.0
"""Licence texts as files: read, understood, and told of when they are wrong."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from cli.output import note

if TYPE_CHECKING:
    from registry.licensing.model import Licence
    from registry.licensing.problems import Problem
    from registry.licensing.report import Report

_LARGEST = 2_000_000  # bytes; the reader refuses less, and nothing needs more to be read from a file


def text_of(path: Path) -> str:
    """The words of a licence text or ODRL document; raises `LicenceRefused` for what is no text."""
    with path.open("rb") as file:
        raw = file.read(_LARGEST + 1)
    if len(raw) > _LARGEST:
        raise _unread("this file is too long for a licence", "a licence is a page or two", path)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        what = f"byte {error.start + 1} of this file is no text"
        raise _unread(what, "save it as plain text in UTF-8", path) from error


def understood(path: Path) -> "tuple[Licence, Report]":
    """The licence of a text file with its report; raises `LicenceRefused` when no contract can be made of it."""
    from registry.licensing.report import require

    return require(text_of(path), where=str(path))


@contextmanager
def telling(as_json: bool) -> Iterator[None]:
    """Tell people every problem of a refused licence, with its place; programs get the one error all commands give."""
    from registry.licensing.problems import LicenceRefused

    try:
        yield
    except LicenceRefused as refusal:
        if as_json:
            raise
        where = f"{refusal.where}: " if refusal.where else ""
        note(f"error: {where}no contract can be made of this licence")
        note(told(refusal.problems))
        raise typer.Exit(int(refusal.code)) from refusal


def told(problems: "tuple[Problem, ...]") -> str:
    """Problems for people, each with its line and caret."""
    return "\n".join(problem.told() for problem in problems)


def _unread(what: str, hint: str, path: Path) -> Exception:
    from registry.licensing.problems import LicenceRefused, Problem

    return LicenceRefused((Problem(code="E101", message=what, help=hint),), where=str(path))
