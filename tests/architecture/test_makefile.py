# SPDX-License-Identifier: Apache-2.0
"""The Makefile says what a machine lacks, and does not begin without it."""

import shutil
import subprocess
from pathlib import Path

import pytest

# What a machine answers to: is it new enough, can it make an environment?
OLD = '#!/bin/sh\ncase "$*" in *version_info*) exit 1 ;; esac\n'
WITHOUT_VENV = '#!/bin/sh\ncase "$*" in *ensurepip*) exit 1 ;; esac\n'


def _make(root: Path, folder: Path, pythons: dict[str, str]) -> subprocess.CompletedProcess[str]:
    programs = folder / "bin"
    programs.mkdir()
    for name, script in pythons.items():
        (programs / name).write_text(script, "utf-8")
        (programs / name).chmod(0o755)
    for name in ("Makefile", "pyproject.toml", "uv.lock"):
        shutil.copy(root / name, folder)
    make = shutil.which("make")
    assert make
    return subprocess.run(
        [make, "test"], cwd=folder, env={"PATH": str(programs)}, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("pythons", [{}, {"python3": OLD}, {"python3.11": OLD, "python3": OLD}])
def test_old_or_no_python_is_refused(pythons: dict[str, str], root: Path, tmp_path: Path) -> None:
    ended = _make(root, tmp_path, pythons)
    assert ended.returncode == 2
    assert "Python 3.11 or newer is needed: apt-get install python3" in ended.stderr
    assert not (tmp_path / ".venv").exists()


@pytest.mark.parametrize("name", ["python3.11", "python3.13", "python3"])
def test_missing_venv_module_is_named(name: str, root: Path, tmp_path: Path) -> None:
    ended = _make(root, tmp_path, {name: WITHOUT_VENV})
    assert ended.returncode == 2
    assert "apt-get install python3-venv" in ended.stderr
    assert not (tmp_path / ".venv").exists()
