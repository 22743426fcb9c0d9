# SPDX-License-Identifier: Apache-2.0
"""Transcripts: what a person types, and what they read. In the files of `transcripts/`:

`$ exequatur ...` is typed, with `$NAME` for what was captured before; the lines below it are what stdout and stderr
say, where `...` stands for anything and `<NAME>` captures a word; a last line `[2]` is an exit code other than 0.
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from string import Template

import pytest

FOLDER = Path(__file__).parent / "transcripts"


@dataclass(frozen=True)
class Exchange:
    """One command and what it must say."""

    typed: str
    expected: list[str]
    code: int


def exchanges(text: str) -> Iterator[Exchange]:
    for block in re.split(r"^\$ exequatur ", text, flags=re.MULTILINE)[1:]:
        typed, *lines = block.rstrip("\n").splitlines()
        lines = [line for line in lines if line and not line.startswith("#")]
        code = int(lines.pop()[1:-1]) if lines and re.fullmatch(r"\[\d+\]", lines[-1]) else 0
        yield Exchange(typed, lines, code)


def pattern(line: str) -> str:
    parts = re.split(r"(\.\.\.|<\w+>)", line)
    made = [".*" if p == "..." else f"(?P{p}\\S+)" if p.startswith("<") else re.escape(p) for p in parts]
    return re.sub(r"(\\ )+", r" +", "".join(made))


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.txt")))
def test_transcript(name: str, connected, small_model: Path) -> None:
    connected.account("licensee")
    known = {"CHAIN": connected.environment["EXEQUATUR_CHAIN"]}
    text = (FOLDER / f"{name}.txt").read_text("utf-8")
    for exchange in exchanges(text):
        words = [Template(word).substitute(known) for word in shlex.split(exchange.typed)]
        said = connected(*words)
        lines = (said.out + said.err).splitlines()
        assert said.code == exchange.code, (exchange, said)
        assert len(lines) == len(exchange.expected), (exchange, lines)
        for line, expected in zip(lines, exchange.expected, strict=True):
            found = re.fullmatch(pattern(expected), line)
            assert found, (exchange.typed, line, expected)
            known |= found.groupdict()
