# SPDX-License-Identifier: Apache-2.0
"""README and the other pages show commands that exist, with options that exist, and links that lead somewhere."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main
from typer.core import TyperCommand, TyperGroup

from cli.main import app

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
_BLOCK = re.compile(r"^```(?:sh|bash|console)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
_BETWEEN = re.compile(r"\s*(?:&&|\|\||[|;&]|\$\(|\)(?=[\s)]|$))\s*")
_OURS = re.compile(r"(?:\$ |do |then |sudo |time )*\S*\bexequatur(?= |$)(.*)")
_INLINE = re.compile(r"`(exequatur [a-z][^`]*)`")


def _commands(text: str) -> Iterator[str]:
    """Every command of the shell blocks, and every `exequatur ...` between backticks."""
    for block in _BLOCK.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            yield from _BETWEEN.split(line)
    yield from _INLINE.findall(text)


def _unknown(command: str) -> str:
    """What of one command line `exequatur` does not know; empty when it knows everything."""
    if not (found := _OURS.match(command)):
        return ""
    words = [word for word in shlex.split(found[1], comments=True) if "=" not in word or word[0] == "-"]
    here: object = typer.main.get_command(app)
    options = _options(here)
    for word in words:
        if word.startswith("-") and word != "-":
            if word.split("=")[0] not in options:
                return f"{word} in {command}"
        elif isinstance(here, TyperGroup):
            if word not in here.commands:
                return f"{word} in {command}"
            here = here.commands[word]
            options |= _options(here)
    return f"no command after {command}" if isinstance(here, TyperGroup) and "--help" not in words else ""


def _options(command: object) -> set[str]:
    assert isinstance(command, TyperGroup | TyperCommand)
    return {"--help", *(option for parameter in command.params for option in parameter.opts)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_page_shows_commands_that_exist(page: Path) -> None:
    unknown = [found for command in _commands(page.read_text("utf-8")) if (found := _unknown(command))]
    assert not unknown


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_page_links_lead_somewhere(page: Path) -> None:
    links = [link for link in _LINK.findall(page.read_text("utf-8")) if "://" not in link]
    assert not [link for link in links if not (page.parent / link).exists()]


def test_make_targets_of_all_pages_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = {
        target
        for page in PAGES
        for target in re.findall(r"(?:^|`)make ([a-z]+)", page.read_text("utf-8"), re.MULTILINE)
    }
    assert {"demo", "test"} <= named
    assert named <= targets


@pytest.mark.parametrize(
    "wrong", ["exequatur model seel x", "exequatur model", "exequatur demo --no-such-option"]
)
def test_wrong_commands_are_noticed(wrong: str) -> None:
    assert _unknown(wrong)
