# SPDX-License-Identifier: Apache-2.0
"""A licence's text read: the licence if it says a whole one, and everything that is wrong with it, in one pass."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from registry.licensing.checking import Fault, faults, warnings
from registry.licensing.grammar import Misread, Part, parse
from registry.licensing.model import Licence
from registry.licensing.needed import FACTS
from registry.licensing.problems import Problem
from registry.licensing.sentences import Fact, facts_of, licence_of
from registry.licensing.words import Word, opening, sentences, unfit_name

MOST_CHARACTERS = 65_536
_MOST_PROBLEMS = 20
_MOST_SHOWN = 160
_ENOUGH = 100
_VAGUE = frozenset(
    {
        *("should", "ought", "reasonable", "reasonably", "prompt", "promptly", "timely"),
        *("best", "efforts", "endeavours", "appropriate", "material"),
    }
)


class ClauseClass(StrEnum):
    """Who holds a clause: the contract, the contract by what evidence claims, or nobody but the parties."""

    CHAIN = "chain"
    CLAIM = "claim"
    RECORD = "record"


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """One sentence of the text: its line, its words, its form (as in the grammar), its class."""

    line: int
    text: str
    form: str
    kind: ClauseClass


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a text says; `licence` is None when any problem is an error."""

    licence: Licence | None
    problems: tuple[Problem, ...]
    clauses: tuple[Clause, ...]


_RECORDED = {"fields", "resale", "forbid", "audit", "law"}
_CLAIMED = {"territory", "residency"}
_NOT_HELD = "the contract cannot hold anybody to this; it is only recorded."


def read(text: str) -> Reading:
    """Read a text; whatever it is, it ends in a licence or in problems that say what to write instead."""
    if len(text) > MOST_CHARACTERS:
        message = f"this text has {len(text):,} characters; a licence has at most {MOST_CHARACTERS:,}."
        return _nothing(
            [Problem(code="E101", message=message, help="leave out what is no sentence of the licence")]
        )
    return _Reader(text).reading()


def _nothing(problems: Sequence[Problem], clauses: Sequence[Clause] = ()) -> Reading:
    kept = sorted(problems, key=lambda one: (one.line == 0, one.line, one.column))
    if len(kept) > _MOST_PROBLEMS:
        least = "at least " if len(kept) > _ENOUGH else ""
        more = f"there are {least}{len(kept) - _MOST_PROBLEMS} more problems; repair these first."
        kept = [*kept[:_MOST_PROBLEMS], Problem(code="E101", message=more)]
    return Reading(licence=None, problems=tuple(kept), clauses=tuple(clauses))


class _Reader:
    """One text being read; problems are collected, and the next sentence is read all the same."""

    def __init__(self, text: str) -> None:
        self._lines = text.split("\n")
        self._words = tuple(sentences(text))
        self._problems: list[Problem] = []
        self._clauses: list[Clause] = []
        self._facts: dict[str, Fact] = {}
        self._unread: list[Sequence[Word]] = []

    def reading(self) -> Reading:
        start = "title"
        for sentence in self._words:
            for part, words in self._parsed(sentence, start):
                self._take(part, words)
            start = "sentence"
            if self._enough():
                return _nothing(self._problems, self._clauses)
        self._missing()
        if self._problems:
            return _nothing(self._problems, self._clauses)
        licence = licence_of(self._facts)
        wrong = list(map(self._placed, faults(licence)))
        if wrong:
            return _nothing(wrong, self._clauses)
        noted = [*map(self._recorded, self._clauses), *map(self._placed, warnings(licence))]
        remarks = sorted((one for one in noted if one is not None), key=lambda one: one.line)
        return Reading(licence=licence, problems=tuple(remarks), clauses=tuple(self._clauses))

    def _enough(self) -> bool:
        """Whether so much is wrong that reading on would only cost time."""
        return len(self._problems) > _ENOUGH

    def _parsed(self, sentence: Sequence[Word], start: str) -> Iterator[tuple[Part, Sequence[Word]]]:
        """The clauses of a sentence, with their words: more than one where a full stop was forgotten on a line."""
        odd = next(filter(None, map(_odd, sentence)), None)
        if odd:
            self._complain(*odd)
            self._unread.append(sentence)
            return
        while not self._enough():
            found = parse(sentence, start)
            if isinstance(found, Part):
                yield found, sentence
                return
            rest = self._rest(sentence, found)
            self._misread(found, sentence, cut=bool(rest))
            if not rest:
                self._unread.append(sentence)
                return
            before = sentence[: len(sentence) - len(rest)]
            whole = parse([*before, _stop(rest[0])], start)
            if isinstance(whole, Part):
                yield whole, before
            sentence, start = (opening(rest[0]), *rest[1:]), "sentence"

    def _rest(self, sentence: Sequence[Word], found: Misread) -> Sequence[Word]:
        if found.word is None or not found.stops or found.word is sentence[0]:
            return ()
        at = sentence.index(found.word)
        return sentence[at:] if sentence[at].line > sentence[at - 1].line else ()

    def _misread(self, found: Misread, sentence: Sequence[Word], *, cut: bool) -> None:
        if found.word is None or cut:
            before = sentence[-1] if found.word is None else sentence[sentence.index(found.word) - 1]
            self._complain("E101", "this sentence does not end with a full stop.", "end it with “.”", before)
        elif found.word.kind == "DOT":
            self._complain("E101", "the sentence ends too soon.", found.help, found.word)
        else:
            self._not_understood(found.word, found.help, sentence)

    def _not_understood(self, word: Word, help_: str, sentence: Sequence[Word]) -> None:
        at = sentence.index(word)
        vague = next((one for one in sentence[at : at + 3] if one.text.lower() in _VAGUE), None)
        if vague is None:
            shown = word.text if len(word.text) <= 40 else word.text[:40] + "…"
            self._complain("E101", f"I do not understand “{shown}” here.", help_, word)
            return
        message = f"“{vague.text}” leaves open what is meant; a licence says only what can be checked."
        help_ = help_ if vague is word else f"at “{word.text}”: {help_}"
        self._complain("E101", message, help_, vague)

    def _take(self, part: Part, sentence: Sequence[Word]) -> None:
        fact, wrong = facts_of(part, sentence[0])
        for code, message, help_, word in wrong:
            self._complain(code, message, help_, word)
        line = sentence[0].line
        if fact.key in self._facts:
            other = self._facts[fact.key].first.line
            message = f"the licence already says this on line {other}."
            self._complain("E202", message, f"keep line {other} or line {line}, not both", sentence[0])
            return
        self._facts[fact.key] = fact
        if part.name != "title":
            text = _wording(sentence)
            self._clauses.append(Clause(line=line, text=text, form=part.name, kind=_class(part)))

    def _missing(self) -> None:
        unread = {word.text.lower() for sentence in self._unread for word in sentence}
        for key, needed in FACTS.items():
            if key not in self._facts and not unread & needed.telling:
                message = f"the licence does not say {needed.what}."
                self._problems.append(
                    Problem(code="E201", message=message, help=f"add a sentence such as: {needed.example}")
                )

    def _recorded(self, clause: Clause) -> Problem | None:
        if clause.kind is not ClauseClass.RECORD:
            return None
        source = self._lines[clause.line - 1].rstrip("\r")
        place = {"line": clause.line, "column": len(source) - len(source.lstrip()) + 1}
        length = len(source.strip())
        help_ = "nothing to change: the licensee promises it, and its words are in the hash of the text"
        return Problem(code="W601", message=_NOT_HELD, help=help_, source=source, length=length, **place)

    def _placed(self, fault: Fault) -> Problem:
        places = {name: word for fact in self._facts.values() for name, word in fact.places.items()}
        about = self._facts.get(fault.part, self._facts["title"])
        return self._problem(fault.code, fault.message, fault.help, places.get(fault.part, about.first))

    def _complain(self, code: str, message: str, help_: str, word: Word) -> None:
        self._problems.append(self._problem(code, message, help_, word))

    def _problem(self, code: str, message: str, help_: str, word: Word) -> Problem:
        source = self._lines[word.line - 1].rstrip("\r").replace("\t", " ")
        if len(source) > _MOST_SHOWN:
            source = source[:_MOST_SHOWN] if word.column < _MOST_SHOWN else ""
        length = min(len(word.text), max(1, len(source) - word.column + 1))
        place: Mapping[str, int] = {"line": word.line, "column": word.column, "length": length}
        return Problem(code=code, message=message, help=help_, source=source, **place)


def _odd(word: Word) -> tuple[str, str, str, Word] | None:
    """What is wrong with a word by itself."""
    digits = word.text.replace(".", "").replace(",", "")
    if word.kind == "DATE":
        return (
            "E103",
            "this date can be read in two ways.",
            "write the month as a word, as in 1 February 2027",
            word,
        )
    if word.kind == "GROUPED":
        help_ = f"write {int(digits):,} for a whole number, or {word.text}0 with a decimal point"
        help_ = help_ if word.text.count(".") == 1 else f"write {digits} or {int(digits):,}"
        return "E104", "this number can be read in two ways.", help_, word
    if word.kind == "STRING" and (why := unfit_name(word.text[1:-1])):
        return "E105", f"{why}.", "write a name of 1 to 80 visible characters between straight quotes", word
    if word.text in ('"', "“", "”", "„"):
        return (
            "E105",
            "this name does not end on its line, or not with a straight quote.",
            'write it as in "pump"',
            word,
        )
    if word.kind == "UNKNOWN" and digits.isascii() and digits.isdigit():
        return "E205", "this number is far too large.", "write a smaller one", word
    return None


def _stop(after: Word) -> Word:
    return Word(kind="DOT", text=".", line=after.line, column=after.column)


def _class(part: Part) -> ClauseClass:
    if part.name in _RECORDED:
        return ClauseClass.RECORD
    claimed = part.name in _CLAIMED or (part.name == "attest" and part.has("strings_or"))
    return ClauseClass.CLAIM if claimed else ClauseClass.CHAIN


def _wording(words: Sequence[Word]) -> str:
    """A sentence on one line, its blanks and remarks left out."""
    glued = ("COMMA", "DOT")
    return "".join(("" if not n or word.kind in glued else " ") + word.text for n, word in enumerate(words))
