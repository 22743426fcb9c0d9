# SPDX-License-Identifier: Apache-2.0
"""From characters to whole words, each with its place: names in quotes, numbers, dates, places, acts, units, keywords.

Whole words, and not a pattern for each keyword, so that "licence" is never found inside "licensee" and a caret is exactly as
long as the word somebody wrote.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import takewhile

from registry.licensing.model import Currency, Unit, Verb
from registry.licensing.vocabulary import places

MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
UNITS: Mapping[str, Unit] = {word: unit for unit in Unit for word in (unit.value, unit.value[:-1])}
VERBS: Mapping[str, Verb] = {verb.value: verb for verb in Verb} | {"distill": Verb.DISTIL}
LICENCE = ("licence", "license")
LONGEST_NAME = 80
_MOST_DIGITS = 60
# Digits are those of ASCII, a remark ends where any reader may see a line end, and holds nothing that turns or hides letters:
# else somebody would see another number, or another sentence, than is compiled. And 0,500 is no five hundred.
_PATTERNS = (
    ("BLANK", r"[ \t\r\n\f\v]+|#[^\x00-\x08\n-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]*"),
    ("STRING", r'"[^"\n]*"'),
    ("HEX", r"0x\w*"),
    ("DATE", r"[0-9]+[/-][0-9]+[/-][0-9]+|[0-9]{1,2}\.[0-9]{1,2}\.[0-9]{4}(?!\d)"),
    ("GROUPED", r"[0-9]+(?:\.[0-9]+){2,}|[1-9][0-9]{0,2}\.[0-9]{3}(?!\d)"),
    ("DECIMAL", r"(?:[1-9][0-9]{0,2}(?:,[0-9]{3})+|[0-9]+)\.[0-9]+"),
    ("INT", r"(?:[1-9][0-9]{0,2}(?:,[0-9]{3})+(?!\d)|[0-9]+)(?!\w)"),
    ("COMMA", ","),
    ("DOT", r"\."),
    ("WORD", r"[^\W\d_][\w'’-]*"),
    ("UNKNOWN", r"\d\w*|."),
)
_WORDS = re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern in _PATTERNS), re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A word as written: its class ("=the" for a keyword), and where it begins, from 1."""

    kind: str
    text: str
    line: int
    column: int


def sentences(text: str) -> Iterator[tuple[Word, ...]]:
    """The words of each sentence with its full stop; the last one may lack it."""
    sentence: list[Word] = []
    for word in _split(text):
        sentence.append(word)
        if word.kind == "DOT":
            yield classed(sentence)
            sentence = []
    if sentence:
        yield classed(sentence)


def classed(sentence: Sequence[Word]) -> tuple[Word, ...]:
    """A sentence with every word in its class; the first may be written in any case, words of a place become one."""
    found: list[Word] = []
    left = list(sentence)
    while left:
        length = _place_length(left) if found and left[0].kind == "WORD" else 0
        if length:
            name = " ".join(word.text for word in left[:length])
            found.append(replace(left[0], kind="PLACE", text=name))
        else:
            found.append(_classed(left[0], found))
        del left[: max(1, length)]
    return tuple(found)


def opening(word: Word) -> Word:
    """A word as it reads when it is the first of a sentence."""
    return _classed(replace(word, kind="WORD"), [])


def unfit_name(name: str) -> str:
    """What keeps a text between quotes from being a name; "" when nothing does."""
    if not name.strip():
        return "a name cannot be empty"
    if len(name) > LONGEST_NAME:
        return f"a name has at most {LONGEST_NAME} characters"
    if any(unicodedata.category(one) in ("Zl", "Zp") or unicodedata.category(one)[0] == "C" for one in name):
        return "a name has an invisible or unassigned character in it"
    return (
        "" if unicodedata.is_normalized("NFC", name) else "a name has an accent typed as a separate character"
    )


def _split(text: str) -> Iterator[Word]:
    line, began = 1, 0
    for found in _WORDS.finditer(text):
        kind, written = str(found.lastgroup), found.group()
        if kind != "BLANK":
            if kind in ("INT", "DECIMAL", "GROUPED") and len(written) > _MOST_DIGITS:
                kind = "UNKNOWN"
            yield Word(kind=kind, text=written, line=line, column=found.start() - began + 1)
        elif "\n" in written:
            line += written.count("\n")
            began = found.start() + written.rindex("\n") + 1


def _place_length(words: Sequence[Word]) -> int:
    """How many of the first words name a place together: a known one, else several that all begin with a capital."""
    near = words[: _longest()]
    for length in range(len(near), 0, -1):
        if tuple(word.text for word in near[:length]) in _named():
            return length
    run = sum(1 for _ in takewhile(_capital, near))
    return run if run > 1 else 0


def _capital(word: Word) -> bool:
    return word.kind == "WORD" and word.text[0].isupper() and word.text not in _CLASSES


@cache
def _named() -> frozenset[tuple[str, ...]]:
    return frozenset(tuple(name.split()) for name in places())


@cache
def _longest() -> int:
    return max(map(len, _named()))


_CLASSES: Mapping[str, str] = {
    **dict.fromkeys(UNITS, "UNIT"),
    **dict.fromkeys(VERBS, "VERB"),
    **dict.fromkeys(LICENCE, "LICENCE"),
    **dict.fromkeys(Currency, "CURRENCY"),
    **dict.fromkeys(MONTHS, "MONTH"),
}


def _classed(word: Word, before: list[Word]) -> Word:
    """A word in its class; the first of a sentence may be written in any case."""
    if word.kind != "WORD":
        return word
    written = word.text if before else word.text.lower()
    if written == "node" and before and before[-1].kind == "INT":
        written = "nodes"
    if kind := _CLASSES.get(written):
        return replace(word, kind=kind)
    return replace(word, kind="PLACE" if written[0].isupper() else f"={written}")
