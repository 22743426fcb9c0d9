# SPDX-License-Identifier: Apache-2.0
"""The root of every package's error tree.

ExequaturError                 what happened, where, and what to do next
├── MalformedId                an identifier of the wrong length or alphabet
└── CompilerError              no Solidity compiler, or sources it does not take
"""

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of the command; part of its interface."""

    YES = 0
    FAULT = 1
    USAGE = 2
    MALFORMED = 3
    NOT_AUTHENTIC = 4
    REFUSED = 5
    CONTRACT = 6
    UNAVAILABLE = 7


class ExequaturError(Exception):
    """Something a person can act on: `what` went wrong, `where`, and a `hint` for the next step.

    Subclasses set `code`, the exit code of the command, and may add typed fields. No field ever
    holds a secret, so any of them may be printed or logged.
    """

    code: ExitCode = ExitCode.FAULT

    def __init__(self, what: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(f"{where}: {what}" if where else what)
        self.what = what
        self.where = where
        self.hint = hint

    @property
    def reasons(self) -> tuple[str, ...]:
        """Names of every unmet rule, for errors that refuse; empty for the others."""
        return ()


class MalformedId(ExequaturError):
    """An identifier of the wrong length or alphabet."""

    code = ExitCode.MALFORMED


class CompilerError(ExequaturError):
    """No Solidity compiler, or sources it does not take."""

    code = ExitCode.USAGE
