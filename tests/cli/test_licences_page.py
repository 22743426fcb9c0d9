# SPDX-License-Identifier: Apache-2.0
"""docs/licences.md says what the commands say: its worked example, its sentences, its errors and its picture."""

import re
import shlex
from pathlib import Path
from string import Template

import pytest

from registry.chain.dev import fund
from registry.chain.embedded import EmbeddedChain
from registry.licensing.model import Currency, Unit, Verb
from registry.licensing.net import net_of
from registry.licensing.pictures import svg
from registry.licensing.properties import PROPERTIES, promise
from registry.licensing.reading import read
from registry.licensing.report import check
from registry.licensing.vocabulary import fields, hardware, places
from tests.cli.conftest import Keyboard
from tests.conftest import ROOT
from tests.fakes.mistakes import changed
from tests.fakes.transcripts import exchanges, pattern

PAGE = (ROOT / "docs" / "licences.md").read_text("utf-8")
_BLOCK = re.compile(r"^```console\n(.*?)^```", re.DOTALL | re.MULTILINE)
(PUMP,) = re.findall(r"^```text\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
_ON_CHAIN = "$MODEL", "$LICENCE"


def rows(heading: str, level: str = "##") -> list[list[str]]:
    """Cells of the first table below a heading."""
    below = PAGE[PAGE.index(f"\n{level} {heading}\n") :].splitlines()
    table = [line for line in below if line.startswith("|")]
    end = next((n for n, line in enumerate(table) if n > 1 and set(line) <= set("| -")), len(table) + 1)
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table[2 : end - 1]]


def hold(keyboard: Keyboard, block: str, known: dict[str, str]) -> None:
    """Type what a block types; each answer must be as the page has it."""
    for exchange in exchanges(block):
        said = keyboard(*(Template(word).substitute(known) for word in shlex.split(exchange.typed)))
        assert said.code == exchange.code, (exchange, said)
        told = "\n".join(map(pattern, exchange.expected)).replace("\n.*", "(?s:.*)")
        told = re.sub(r"\A\.\*\n", r"(?s:.*)\n", told)
        found = re.fullmatch(told, (said.out + said.err).rstrip("\n"))
        assert found, (exchange, said)
        known |= found.groupdict()


def test_the_worked_example_works(keyboard: Keyboard) -> None:
    Path("pump.txt").write_text(PUMP, "utf-8")
    Path("wrong.txt").write_text(
        PUMP.replace("model in", "modle in").replace("2.5 ETH", "1.000 ETH"), "utf-8"
    )
    blocks = [block for block in _BLOCK.findall(PAGE) if not any(word in block for word in _ON_CHAIN)]
    assert len(blocks) == 6
    for block in blocks:
        hold(keyboard, block, {})


def test_the_licence_of_the_page_is_the_sample() -> None:
    assert (ROOT / "tests" / "vectors" / "licences" / "pump.txt").read_text("utf-8") == PUMP


def test_the_picture_of_the_page_is_the_one_its_command_draws() -> None:
    licence = read(PUMP).licence
    assert licence is not None
    drawn = (ROOT / "docs" / "pictures" / "licence.svg").read_text("utf-8")
    assert drawn == svg(net_of(licence), licence.title), "draw it again: see the page"


def test_the_page_has_every_sentence_with_its_class() -> None:
    forms = set()
    for sentence, kind in rows("The sentences"):
        (clause,) = read(f'Licence "X" version 1.\n{sentence}\n').clauses
        assert f"`{clause.kind}`" == kind, sentence
        forms.add(clause.form)
    grammar = (ROOT / "registry" / "licensing" / "licence.lark").read_text("utf-8")
    (named,) = re.findall(r"^_clause:(.*?)\n\n", grammar, re.DOTALL | re.MULTILINE)
    assert forms == set(named.replace("|", " ").split())


def test_the_page_has_every_word_that_may_be_chosen() -> None:
    regions = [name for name, place in places().items() if len(place.codes) > 1]
    told = {
        word.strip().strip('"').removeprefix("the ")
        for _, known in rows("The words", "###")
        for word in known.split(",")
    }
    told = {word.removeprefix("and ").removeprefix("the ").partition(" (")[0] for word in told}
    for word in (*Unit, *Currency, *Verb, *hardware(), *fields(), *regions):
        assert word in told, word


@pytest.mark.parametrize(("code", "example", "message", "advice"), rows("Every error"))
def test_the_page_has_each_error_as_its_author_reads_it(
    code: str, example: str, message: str, advice: str
) -> None:
    report = check(changed(PUMP, example))
    assert {one.code for one in report.errors} <= {code}
    assert (message, advice) in [(one.message, one.help) for one in report.problems if one.code == code]


def test_the_page_leaves_no_code_out() -> None:
    source = "".join(path.read_text("utf-8") for path in (ROOT / "registry" / "licensing").glob("*.py"))
    codes = set(re.findall(r'"([EW]\d{3})"', source))
    assert {code for code in codes if code not in PAGE} == set()


def test_the_page_has_every_promise() -> None:
    for number, name in enumerate(PROPERTIES, 1):
        assert f"| E4{number:02} | {promise(name)} |" in PAGE


@pytest.mark.forge
def test_the_way_from_text_to_chain_works(
    connected: Keyboard,
    served_chain: tuple[EmbeddedChain, str],
    small_model: Path,
) -> None:
    """With a model registered, as the owner and the licensee."""
    owner = connected.json("keys", "show", "owner")["address"]
    licensee = connected.account("licensee").address
    fund(served_chain[0], licensee)
    connected.json("policy", "draft", "p", "--verifier", owner)
    policy = connected.json("policy", "publish", "policy.toml")["policy"]
    connected.json("model", "seal", small_model)
    model = connected.json("model", "register", "small", f"{small_model}.sealed", "--policy", policy)["model"]
    known = {"MODEL": str(model), "OWNER": str(owner), "LICENSEE": str(licensee)}
    blocks = [block for block in _BLOCK.findall(PAGE) if any(word in block for word in _ON_CHAIN)]
    assert len(blocks) == 2
    for block in blocks:
        hold(connected, block, known)
