# SPDX-License-Identifier: Apache-2.0
"""Nothing outgrows one sitting: modules, functions and contracts have a longest length."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

MODULE, TESTS, FUNCTION = 300, 400, 40  # a file of tests is read one test at a time
CONTRACT, SOLIDITY_FUNCTION = 200, 30
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_FUNCTION = re.compile(
    r"^    (?:function \w+|constructor|modifier \w+)\b.*?^    }$", re.DOTALL | re.MULTILINE
)


def test_modules(modules: dict[Path, ast.Module]) -> None:
    lines = {path: len(path.read_text("utf-8").splitlines()) for path in modules}
    assert not {str(path): count for path, count in lines.items() if count > _longest(path)}


def _longest(path: Path) -> int:
    return TESTS if "tests" in path.parts else MODULE


def test_functions(modules: dict[Path, ast.Module]) -> None:
    lengths = {
        f"{path}:{function.lineno} {function.name}": _length(function)
        for path, tree in modules.items()
        for function in _functions(tree)
    }
    assert not {where: length for where, length in lengths.items() if length > FUNCTION}


def test_contracts(files: tuple[Path, ...]) -> None:
    sources = {path: _code(path) for path in files if path.suffix == ".sol" and "src" in path.parts}
    assert sources
    assert not {str(path): n for path, code in sources.items() if (n := len(code.splitlines())) > CONTRACT}
    long = {
        f"{path}: {found.group().splitlines()[0].strip()}": found.group().count("\n") + 1
        for path, code in sources.items()
        for found in _FUNCTION.finditer(code)
    }
    assert not {where: count for where, count in long.items() if count > SOLIDITY_FUNCTION}


def _functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from the first statement on: a signature is a list, and a docstring is no code."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return (function.end_lineno or 0) - body[0].lineno + 1 if body else 0


def _code(path: Path) -> str:
    bare = _COMMENT.sub("", path.read_text("utf-8"))
    return "\n".join(line for line in bare.splitlines() if line.strip())
