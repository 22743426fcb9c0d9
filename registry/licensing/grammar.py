# SPDX-License-Identifier: Apache-2.0
"""One sentence at a time: its form and its parts, or what is wrong with it, in words an author knows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from registry.licensing.model import Currency
from registry.licensing.vocabulary import places
from registry.licensing.words import LICENCE, MONTHS, UNITS, VERBS, Word

if TYPE_CHECKING:
    from lark import Lark, Token, Tree

_MOST_NAMED = 6
_HUMAN = {
    "$END": "nothing more",
    "STRING": 'a name in quotes such as "pump"',
    "INT": "a number such as 12",
    "DECIMAL": "an amount such as 2.5",
    "HEX": "digits such as 0x12ab",
    "PLACE": "a place such as Germany",
    "VERB": "an act such as extract",
    "MONTH": "a month such as January",
    "CURRENCY": "a currency such as EUR",
    "UNIT": "a unit such as days",
    "LICENCE": "“licence”",
    "COMMA": "a comma",
    "DOT": "a full stop",
}
_STARTS = "a sentence begins with “The licence”, “The licensee”, “The licensor”, “The model”, “Every node”, “If a node” or “Personal data”"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A sentence or a part of it by name; `words` are those that carry something, `parts` what it is made of."""

    name: str
    words: tuple[Word, ...]
    parts: tuple["Part", ...]

    def of(self, kind: str) -> tuple[Word, ...]:
        """Its own words of one class."""
        return tuple(word for word in self.words if word.kind == kind)

    def part(self, name: str) -> "Part":
        """Its part of that name."""
        return next(part for part in self.parts if part.name == name)

    def has(self, name: str) -> bool:
        """Whether it has such a part."""
        return any(part.name == name for part in self.parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Misread:
    """The word at which a sentence stops making sense; None when it is the missing full stop."""

    word: Word | None
    help: str
    stops: bool


def parse(words: Sequence[Word], start: str) -> Part | Misread:
    """A sentence ("title" or "sentence") as its one clause, or where it goes wrong."""
    from lark.exceptions import UnexpectedToken

    tokens = (_token(word, n) for n, word in enumerate(words))
    try:
        tree = _grammar().parse(tokens, start=start)
    except UnexpectedToken as error:
        accepted, token = error.accepts or set(), error.token
        word = None if token.type == "$END" else words[token.start_pos]
        return Misread(word=word, help=_help(word, accepted, word is words[0]), stops="DOT" in accepted)
    whole = _part(tree, words)
    return whole if start == "title" else whole.parts[0]


def _help(word: Word | None, accepted: set[str], first: bool) -> str:
    if word is None:
        return "end the sentence with a full stop"
    if near := get_close_matches(
        word.text.lower(), {w.lower(): w for w in _candidates(accepted)}, n=1, cutoff=0.7
    ):
        right = next(w for w in _candidates(accepted) if w.lower() == near[0])
        return f"did you mean “{right}”?"
    if first:
        return _STARTS
    named = sorted(_HUMAN.get(name) or f"“{_keyword(name)}”" for name in accepted)
    return "expected " + " or ".join(named[:_MOST_NAMED]) if named else "expected another sentence"


def _candidates(accepted: set[str]) -> Iterator[str]:
    classes = {
        "PLACE": places(),
        "VERB": VERBS,
        "UNIT": UNITS,
        "MONTH": MONTHS,
        "CURRENCY": Currency,
        "LICENCE": LICENCE,
    }
    for name in sorted(accepted):
        if name in classes:
            yield from classes[name]
        elif name not in _HUMAN:
            yield _keyword(name)


def _keyword(terminal: str) -> str:
    return next(word for word, name in _keywords().items() if name == terminal)


def _token(word: Word, number: int) -> "Token":
    from lark import Token

    kind = _keywords().get(word.kind[1:], "UNKNOWN") if word.kind.startswith("=") else word.kind
    return Token(kind if kind in _terminals() else "UNKNOWN", word.text, start_pos=number)


def _part(tree: "Tree[Token]", words: Sequence[Word]) -> Part:
    from lark import Tree

    own = tuple(words[child.start_pos or 0] for child in tree.children if not isinstance(child, Tree))
    inner = tuple(_part(child, words) for child in tree.children if isinstance(child, Tree))
    return Part(name=str(tree.data), words=own, parts=inner)


@cache
def _grammar() -> "Lark":
    from lark import Lark
    from lark.lexer import Lexer

    class Words(Lexer):
        """Hands on the words that were split before."""

        def __init__(self, _: object) -> None: ...

        def lex(self, words: Iterator["Token"]) -> Iterator["Token"]:  # type: ignore[override]  # words, no text
            yield from words

    text = (files("registry.licensing") / "licence.lark").read_text("utf-8")
    return Lark(
        text,
        parser="lalr",
        lexer=Words,
        start=["title", "sentence"],
        maybe_placeholders=False,
    )


@cache
def _keywords() -> dict[str, str]:
    """Terminal by keyword; classes of words have no pattern."""
    return {str(one.pattern.value): one.name for one in _grammar().terminals if one.name not in _HUMAN}


@cache
def _terminals() -> frozenset[str]:
    return frozenset({*_HUMAN, *_keywords().values()})
