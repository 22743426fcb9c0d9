# SPDX-License-Identifier: Apache-2.0
"""docs/steps.md names, for each of the twelve steps, one module and one test, and both are there."""

import ast
import re
from pathlib import Path

import pytest

_ROW = re.compile(r"^\| (\d+) [^|]+\| [^|]+\| `([^`]+\.py)` \| `(tests/[^`]+)` \|$", re.MULTILINE)


@pytest.fixture(scope="module")
def rows(root: Path) -> dict[int, tuple[Path, str]]:
    """Number of each step, with its module and its test: a file, or one function of it."""
    found = _ROW.findall((root / "docs" / "steps.md").read_text("utf-8"))
    return {int(number): (root / module, test) for number, module, test in found}


def test_there_are_twelve(rows: dict[int, tuple[Path, str]]) -> None:
    assert list(rows) == list(range(1, 13))


@pytest.mark.parametrize("step", range(1, 13))
def test_step_has_its_module_and_its_test(step: int, rows: dict[int, tuple[Path, str]], root: Path) -> None:
    module, test = rows[step]
    file, _, function = test.partition("::")
    assert f"def {function or 'test_'}" in (root / file).read_text("utf-8")
    assert (ast.get_docstring(ast.parse(module.read_text("utf-8"))) or "").startswith(f"Step {step}:")


def test_no_two_steps_share_a_module(rows: dict[int, tuple[Path, str]]) -> None:
    assert len({module for module, _ in rows.values()}) == len(rows)
