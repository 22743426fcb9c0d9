# SPDX-License-Identifier: Apache-2.0
"""All there is to know of a licence text before anyone signs it: what is wrong, what code enforces, what was proved."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from registry.licensing.model import Licence
from registry.licensing.net import Net
from registry.licensing.problems import LicenceRefused, Problem
from registry.licensing.reading import Clause, read

# Which sentences a problem is about that was found in the meaning of the licence rather than in its words.
_ABOUT: Mapping[str, tuple[str, ...]] = {
    "E203": ("forbid", "resale"),
    "E204": ("territory",),
    "E403": ("revoke_now", "revoke_notice"),
    "E404": ("fee_once", "fee_periodic"),
    "E406": ("seats",),
    "E407": ("attest",),
    "E408": ("packs",),
    "E410": ("revoke_now", "revoke_notice"),
    "W601": ("forbid", "fields", "resale", "audit", "law"),
    "W602": ("packs",),
    "W603": ("fee_periodic", "attest"),
    "W604": ("territory", "residency"),
    "W611": ("fields",),
    "W613": ("fields",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was found in one text; `licence` and `net` are None, and nothing is proved, when it says no whole licence."""

    licence: Licence | None
    net: Net | None
    problems: tuple[Problem, ...]
    clauses: tuple[Clause, ...]
    because: tuple[str, ...]
    states: int
    properties: Mapping[str, bool]

    @property
    def errors(self) -> tuple[Problem, ...]:
        """What keeps a contract from being made of it, by line; problems of no one line come last."""
        return tuple(one for one in self.problems if one.fatal)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What is worth knowing before signing, by line."""
        return tuple(one for one in self.problems if not one.fatal)

    @property
    def ok(self) -> bool:
        """Whether a contract can be made of it."""
        return not self.errors

    @property
    def moves(self) -> int:
        """Rows of the net."""
        return 0 if self.net is None else len(self.net.moves)

    def row(self) -> dict[str, object]:
        """The report for programs."""
        return {
            "ok": self.ok,
            "errors": _rows(self.errors),
            "warnings": _rows(self.warnings),
            "clauses": [{"line": one.line, "text": one.text, "class": str(one.kind)} for one in self.clauses],
            "moves": self.moves,
            "states": self.states,
            "properties": dict(self.properties),
        }


def check(text: str) -> Report:
    """Read, understand and prove a text; whatever is wrong with it is in the report."""
    from registry.licensing.drafting import unfilled

    reading, empty = read(text), unfilled(text)
    lines = {one.line for one in empty}
    problems = [*empty, *(one for one in reading.problems if one.line not in lines)]
    if reading.licence is None or empty:
        return nothing(_sorted(problems), reading.clauses)
    return _understood(text, reading.licence, reading.clauses, problems)


def nothing(problems: tuple[Problem, ...], clauses: tuple[Clause, ...] = ()) -> Report:
    """The report on a text that says no whole licence."""
    return Report(
        licence=None, net=None, problems=problems, clauses=clauses, because=(), states=0, properties={}
    )


def require(text: str, *, where: str = "") -> tuple[Licence, Report]:
    """The licence of a text and its report; raises `LicenceRefused` when there is any error."""
    report = check(text)
    if report.licence is None or not report.ok:
        raise LicenceRefused(report.problems, where=where)
    return report.licence, report


def _understood(text: str, licence: Licence, clauses: tuple[Clause, ...], problems: list[Problem]) -> Report:
    from registry.licensing.meaning import meaning
    from registry.licensing.net import net_of
    from registry.licensing.proof import prove

    meant, net = meaning(licence), net_of(licence)
    proof = prove(net)
    found = [*zip(meant.problems, meant.words, strict=True), *((one, "") for one in proof.problems)]
    known = {(one.code, one.message) for one in problems}
    lines = [line.rstrip("\r") for line in text.split("\n")]
    placed = [
        _placed(one, word, clauses, lines) for one, word in found if (one.code, one.message) not in known
    ]
    return Report(
        licence=licence,
        net=net,
        problems=_sorted([*problems, *placed]),
        clauses=clauses,
        because=meant.because,
        states=proof.states,
        properties=proof.holds,
    )


def _rows(problems: tuple[Problem, ...]) -> list[dict[str, object]]:
    """Problems for programs, by the line they name."""
    return [one.row() for one in sorted(problems, key=lambda one: one.line)]


def _sorted(problems: list[Problem]) -> tuple[Problem, ...]:
    return tuple(sorted(problems, key=lambda one: (one.line == 0, one.line, one.column, one.code)))


def _placed(problem: Problem, word: str, clauses: tuple[Clause, ...], lines: list[str]) -> Problem:
    """A problem at the sentence it is about, and there at its word; as it is where there is none."""
    about = [clause for clause in clauses if clause.form in _ABOUT.get(problem.code, ())]
    if problem.line or not about:
        return problem
    for clause in about if word else ():
        for number in _lines_of(clause, lines):
            if (at := lines[number - 1].find(word)) >= 0:
                return _at(problem, number, at, word, lines)
    return _at(problem, about[0].line, -1, "", lines)


def _lines_of(clause: Clause, lines: list[str]) -> range:
    """The lines a sentence may stand on: up to the one that ends it."""
    last = clause.line
    while last < len(lines) and not lines[last - 1].rstrip().endswith("."):
        last += 1
    return range(clause.line, last + 1)


def _at(problem: Problem, number: int, at: int, word: str, lines: list[str]) -> Problem:
    source = lines[number - 1]
    if at < 0:  # the whole sentence
        at, word = len(source) - len(source.lstrip()), source.strip()
    return replace(problem, line=number, column=at + 1, length=len(word), source=source)
