# SPDX-License-Identifier: Apache-2.0
"""Transcripts: what a person types, and what they read. In the files of `transcripts/`:

`$ exequatur ...` is typed, with `$NAME` for what was captured before; the lines below it are what stdout and stderr
say, where `...` stands for anything and `<NAME>` captures a word; a last line `[2]` is an exit code other than 0.
"""

import re
import shlex
from pathlib import Path
from string import Template

import pytest

from tests.fakes.transcripts import exchanges, pattern

FOLDER = Path(__file__).parent / "transcripts"


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
