# SPDX-License-Identifier: Apache-2.0
"""Ready licences with blanks: `{{price}}` stands where the author's words go, and no reader takes it for a word."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from registry.licensing.problems import Problem

_FOLDER = Path(__file__).parent / "templates"
_BLANK = re.compile(r"\{\{([^{}\n]*)\}\}")
_LONGEST = 500  # characters of an answer; more is no phrase


@dataclass(frozen=True, slots=True, kw_only=True)
class Blank:
    """What an author fills in: its name, the question, an answer as an example, whether it is a name put in quotes."""

    name: str
    question: str
    example: str
    quoted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A licence of one kind: what it is for, its text, and what is to be filled in, in the order of the text."""

    kind: str
    purpose: str
    text: str
    blanks: tuple[Blank, ...]


BLANKS = {
    blank.name: blank
    for blank in (
        Blank(
            name="licence title",
            question="What shall the licence be called?",
            example="Pump Guard Edge",
            quoted=True,
        ),
        Blank(name="model name", question="What is the model called?", example="pump-guard-3", quoted=True),
        Blank(
            name="model id",
            question="Which model is it (its id, which `exequatur model show NAME` prints)?",
            example="0x9f2c5d1e7a4b8036c1d2e3f405162738495a6b7c8d9e0f1a2b3c4d5e6f708192",
        ),
        Blank(
            name="licensor name",
            question="Who gives the licence?",
            example="Hydro Analytics GmbH",
            quoted=True,
        ),
        Blank(
            name="licensor address",
            question="At which address (`exequatur keys list` prints yours)?",
            example="0x" + "11" * 20,
        ),
        Blank(name="licensee name", question="Who gets the licence?", example="Nordwerk AG", quoted=True),
        Blank(name="licensee address", question="At which address?", example="0x" + "22" * 20),
        Blank(name="start date", question="From which day on?", example="1 January 2027"),
        Blank(name="length", question="For how long?", example="24 months"),
        Blank(
            name="fixed length",
            question="For how long, in hours, days or weeks from activation?",
            example="30 days",
        ),
        Blank(name="nodes", question="On how many nodes at once, at most?", example="2"),
        Blank(name="price", question="For how much?", example="2.5 ETH"),
        Blank(name="payment period", question="To be paid how often?", example="52 weeks"),
        Blank(name="purpose", question="For which purpose?", example="predictive maintenance", quoted=True),
        Blank(name="places", question="In which places?", example="Germany and Austria"),
        Blank(
            name="where personal data stays",
            question="Where must personal data stay?",
            example="the European Economic Area",
        ),
        Blank(name="answers in a pack", question="How many inferences are in a pack?", example="1,000"),
        Blank(name="price of a pack", question="How much is a pack?", example="0.1 ETH"),
        Blank(name="law", question="Under the law of which country?", example="Germany"),
    )
}
"""Every blank a template may have."""


@cache
def kinds() -> tuple[str, ...]:
    """The kinds of licence there are templates for, by name."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.txt")))


def template(kind: str) -> Template:
    """The template of a kind; raises `KeyError` for a kind there is none for."""
    if kind not in kinds():
        raise KeyError(kind)
    text = (_FOLDER / f"{kind}.txt").read_text(encoding="utf-8")
    names = dict.fromkeys(_BLANK.findall(text))
    purpose = text.partition("\n")[0].removeprefix("#").partition(":")[2].strip()
    return Template(kind=kind, purpose=purpose, text=text, blanks=tuple(BLANKS[name] for name in names))


def filled(ready: Template, answers: Mapping[str, str]) -> str:
    """The template with these answers in it; a blank without an answer stays."""

    def put(found: "re.Match[str]") -> str:
        answer = answers.get(found[1])
        return found[0] if answer is None else _put(BLANKS[found[1]], answer)

    return _BLANK.sub(put, ready.text)


def refused(ready: Template, blank: Blank, answer: str, others: Mapping[str, str]) -> Problem | None:
    """What is wrong with an answer, once it stands in its sentences; None when it may stay.

    `others` are the answers so far. Blanks still empty hold their examples meanwhile.
    """
    from registry.licensing.reading import read

    if len(answer) > _LONGEST or not answer.isprintable() or _BLANK.search(answer):
        return Problem(
            code="E105", message="an answer is one short phrase", help=f"write for example: {blank.example}"
        )
    examples = {one.name: one.example for one in ready.blanks}
    before, after = (
        read(filled(ready, examples | dict(others) | given)) for given in ({}, {blank.name: answer})
    )
    if len(after.clauses) > len(before.clauses):
        return Problem(
            code="E101",
            message="an answer cannot end the sentence it stands in",
            help=f"for example: {blank.example}",
        )
    lines = [
        number for number, line in enumerate(ready.text.splitlines(), 1) if blank.name in _BLANK.findall(line)
    ]
    return next((one for one in after.problems if one.fatal and one.line in lines), None)


def unfilled(text: str) -> tuple[Problem, ...]:
    """One problem for each blank that is still in a text; what looks like one in a name or a comment is none."""
    return tuple(
        _empty(found, line.rstrip("\r"), number)
        for number, line in enumerate(text.split("\n"), 1)
        for found in _BLANK.finditer(line)
        if _in_words(line[: found.start()])
    )


def _in_words(before: str) -> bool:
    """Whether what follows on a line is neither in quotes nor in a comment."""
    bare = re.sub(r'"[^"]*"', "", before)
    return '"' not in bare and "#" not in bare


def _empty(found: "re.Match[str]", line: str, number: int) -> Problem:
    blank = BLANKS.get(found[1].strip())
    example = "your own words" if blank is None else _put(blank, blank.example)
    return Problem(
        code="E101",
        message=f"the blank “{found[1].strip()}” is not filled in",
        help=f"write for example: {example}",
        line=number,
        column=found.start() + 1,
        length=len(found[0]),
        source=line,
    )


def _put(blank: Blank, answer: str) -> str:
    """An answer as the sentence takes it: names in quotes, which authors may type or leave out."""
    stripped = answer.strip()
    if not blank.quoted or stripped.startswith('"'):
        return stripped
    return f'"{stripped}"'
