# SPDX-License-Identifier: Apache-2.0
"""Reading transcripts: what a person types after `$ exequatur`, and what they read, as `tests/cli/test_transcripts.py` says."""

import re
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Exchange:
    """One command and what it must say."""

    typed: str
    expected: list[str]
    code: int


def exchanges(text: str) -> Iterator[Exchange]:
    """Every command in a transcript."""
    for block in re.split(r"^\$ exequatur ", text, flags=re.MULTILINE)[1:]:
        typed, *lines = block.rstrip("\n").splitlines()
        lines = [line for line in lines if line and not line.startswith("#")]
        code = int(lines.pop()[1:-1]) if lines and re.fullmatch(r"\[\d+\]", lines[-1]) else 0
        yield Exchange(typed, lines, code)


def pattern(line: str) -> str:
    """The regular expression of an expected line."""
    parts = re.split(r"(\.\.\.|<\w+>)", line)
    made = [".*" if p == "..." else f"(?P{p}\\S+)" if p.startswith("<") else re.escape(p) for p in parts]
    return re.sub(r"(\\ )+", r" +", "".join(made))
