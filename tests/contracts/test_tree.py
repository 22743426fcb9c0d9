# SPDX-License-Identifier: Apache-2.0
"""Each Solidity test has a tree beside it, and each leaf of a tree its test."""

import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent
TESTS = sorted(HERE.glob("*.t.sol"))
_TEST = re.compile(r"/// (it [^\n]*)\n\s*function (test|testFuzz|invariant)_(\w+?)(?:_(\w+))?\(")


def leaves(source: str) -> list[tuple[str, str, str]]:
    """Function, branch and outcome of every test, in order."""
    return [(name, _words(branch), outcome) for outcome, _, name, branch in _TEST.findall(source)]


def tree(source: str, title: str) -> str:
    """The tree that a test file promises."""
    lines, listed = [title], leaves(source)
    names = list(dict.fromkeys(name for name, _, _ in listed))
    for place, name in enumerate(names):
        last = place == len(names) - 1
        lines.append(f"{'└' if last else '├'}── {name}")
        branches = [(branch, outcome) for found, branch, outcome in listed if found == name]
        for index, (branch, outcome) in enumerate(branches):
            stem = "    " if last else "│   "
            mark = "└" if index == len(branches) - 1 else "├"
            lines.append(f"{stem}{mark}── {branch + ': ' if branch else ''}{outcome}")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_tree_and_tests_say_the_same(path: Path) -> None:
    source = path.read_text("utf-8")
    written = path.with_name(path.name.replace(".t.sol", ".tree")).read_text("utf-8")
    assert written == tree(source, path.name.replace(".t.sol", ""))


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_every_test_says_its_outcome(path: Path) -> None:
    source = path.read_text("utf-8")
    named = re.findall(r"function (?:test|testFuzz|invariant)_\w+\(", source)
    assert len(leaves(source)) == len(named) > 0


def _words(branch: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda found: " " + found.group(1).lower(), branch)
