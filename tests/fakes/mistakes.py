# SPDX-License-Identifier: Apache-2.0
"""Changes of one licence as a table of errors describes them: sentences written otherwise, left out or added."""

import difflib
import re
from itertools import takewhile

_CHANGES = re.compile(r"(leave out |add |)`([^`]+)`")


def changed(text: str, example: str) -> str:
    """The text after the changes in backticks: a sentence replaces the one that begins most like it."""
    lines = text.splitlines()
    for how, sentence in _CHANGES.findall(example):
        if how == "add ":
            lines.append(sentence)
        elif how == "leave out ":
            lines.remove(sentence)
        else:
            lines[lines.index(max(lines, key=lambda line: _alike(line, sentence)))] = sentence
    return "\n".join(lines) + "\n"


def _alike(line: str, sentence: str) -> tuple[int, float]:
    words = takewhile(lambda pair: pair[0] == pair[1], zip(line.split(), sentence.split(), strict=False))
    return len(list(words)), difflib.SequenceMatcher(None, line, sentence).ratio()
