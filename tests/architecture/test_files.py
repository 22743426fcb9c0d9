# SPDX-License-Identifier: Apache-2.0
"""What every file has, and what none may say."""

import ast
import re
from pathlib import Path

import pytest

SPDX = "SPDX-License-Identifier: Apache-2.0"
COMMENTED = {".py", ".sol", ".js", ".sh"}
TEXT = {*COMMENTED, ".md", ".toml", ".json", ".lock", ".tree", ".yml", ".yaml", ".npmrc", ""}
MACHINE = re.compile(r"(?<![\w.])/(?:work|root|opt|home/\w+)/")  # paths of the machine it was written on
PACKAGES = ("contracts", "registry", "enclave", "cli")


def test_sources_name_their_licence_on_top(files: tuple[Path, ...]) -> None:
    sources = [path for path in files if path.suffix in COMMENTED and path.stat().st_size]
    heads = {path: path.read_text("utf-8").splitlines()[:2] for path in sources}
    assert not [str(path) for path, head in heads.items() if SPDX not in "\n".join(head)]


def test_no_file_names_a_path_of_one_machine(files: tuple[Path, ...], root: Path) -> None:
    texts = {path: path.read_text("utf-8") for path in files if path.suffix in TEXT}
    named = {
        str(path.relative_to(root)): found.group()
        for path, text in texts.items()
        if (found := MACHINE.search(text))
    }
    assert not named


def test_package_files_are_empty(root: Path) -> None:
    inits = [path for package in PACKAGES for path in (root / package).rglob("__init__.py")]
    assert inits
    assert not [str(path) for path in inits if "node_modules" not in path.parts and path.stat().st_size]


def test_tests_are_no_package(root: Path) -> None:
    assert not list((root / "tests").rglob("__init__.py"))


def test_every_module_says_what_it_is_for(modules: dict[Path, ast.Module]) -> None:
    silent = [str(path) for path, tree in modules.items() if tree.body and not ast.get_docstring(tree)]
    assert not silent


@pytest.mark.parametrize(
    "vague", ["util", "utils", "helper", "helpers", "manager", "data", "info", "misc", "common"]
)
def test_no_module_has_a_vague_name(vague: str, modules: dict[Path, ast.Module]) -> None:
    assert not [str(path) for path in modules if path.stem == vague]


def test_licence_is_apache(root: Path) -> None:
    assert "Apache License" in (root / "LICENSE").read_text("utf-8")[:200]
