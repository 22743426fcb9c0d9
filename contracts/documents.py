# SPDX-License-Identifier: Apache-2.0
"""JSON from people one does not trust."""

import json
import re

_DEEPEST = 100
_TEXT = re.compile(r'"(?:[^"\\]|\\.)*+"')
_BRACKET = re.compile(r"[\[{\]}]")


def parse_json(raw: bytes | str) -> object:
    """Read JSON that nests at most 100 deep; `ValueError` for everything else.

    The standard parser recurses in C as deep as the interpreter's limit allows, which some libraries raise beyond
    what the stack can hold: unguarded, a few kilobytes of brackets end the process.
    """
    text = raw.decode("utf-8") if isinstance(raw, bytes) else raw
    _require_shallow(text)
    return json.loads(text)


def _require_shallow(text: str) -> None:
    if text.count("[") + text.count("{") <= _DEEPEST:
        return
    depth = 0
    for bracket in _BRACKET.findall(_TEXT.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        if depth > _DEEPEST:
            raise ValueError(f"nests deeper than {_DEEPEST}")
