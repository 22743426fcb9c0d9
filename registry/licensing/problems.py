# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a licence, or worth knowing before it is signed: in its author's words, with the place."""

from dataclasses import dataclass

from contracts.errors import ExitCode
from registry.errors import RegistryError

_WIDEST, _AROUND = 160, 60  # characters of a source line that are shown, and of these before the caret


def visible(text: str) -> str:
    """A text that may come from anyone, for a terminal: what would move the cursor or turn the writing is a dot."""
    return "".join(one if one.isprintable() else "·" for one in text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One error (code `E...`) or warning (`W...`).

    `line` and `column` count from 1 and are 0 where the problem has no one place; `source` is that line of the text, `length`
    how many characters of it the caret covers; `help` is one line on what to write instead.
    """

    code: str
    message: str
    help: str = ""
    line: int = 0
    column: int = 0
    length: int = 1
    source: str = ""

    @property
    def fatal(self) -> bool:
        """Whether no licence can be made of it."""
        return self.code.startswith("E")

    def told(self) -> str:
        """The problem for people: code, line, message, the source line with a caret, one line of help."""
        place = f" line {self.line}" if self.line else ""
        lines = [f"{self.code}{place}: {visible(self.message)}"]
        if self.source and self.column:
            lines += self._pointed()
        return "\n".join([*lines, f"    {visible(self.help)}"] if self.help else lines)

    def _pointed(self) -> list[str]:
        """The source line with its caret; of a long one what is around the caret."""
        start = max(0, self.column - 1 - _AROUND) if len(self.source) > _WIDEST else 0
        shown, before = self.source[start : start + _WIDEST], self.column - 1 - start
        caret = "^" * max(1, min(self.length, len(shown) - before))
        return [f"    {visible(shown)}", "    " + " " * before + caret]

    def row(self) -> dict[str, object]:
        """The problem for programs."""
        return {
            "code": self.code,
            "line": self.line,
            "column": self.column,
            "message": self.message,
            "help": self.help,
        }


class LicenceRefused(RegistryError):
    """A licence text, ODRL document, net or contract that does not hold; `problems` says all that is wrong."""

    code = ExitCode.MALFORMED

    def __init__(self, problems: tuple[Problem, ...], *, where: str = "") -> None:
        first = next((one for one in problems if one.fatal), problems[0])
        more = sum(one.fatal for one in problems) - 1
        what = f"{first.code}: {first.message}" + (f" (and {more} more)" if more > 0 else "")
        super().__init__(what, where=where, hint=first.help)
        self.problems = problems

    @property
    def reasons(self) -> tuple[str, ...]:
        """Codes of everything found."""
        return tuple(one.code for one in self.problems)
