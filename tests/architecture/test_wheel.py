# SPDX-License-Identifier: Apache-2.0
"""The wheel works where there is no checkout: it holds its data, and the command runs."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

HELD = {
    "contracts/abi/ReleaseLog.json",
    "contracts/src/interfaces/ILicence.sol",
    "contracts/compiler.json",
    "contracts/src/licence/Lifecycle.sol",
    "contracts/src/licence/TermLicence.sol",
    "contracts/src/licence/proofs/LifecycleProof.sol",
    "registry/licensing/Licence.sol.j2",
    "registry/licensing/licence.lark",
    "registry/licensing/shapes.ttl",
    "registry/licensing/templates/sale.txt",
    "registry/licensing/vocabularies/index.json",
    "enclave/sealed/SPEC.md",
    "enclave/evidence/SPEC.md",
    "enclave/evidence/profiles/tdx.toml",
    "enclave/guest/main.py",
    "cli/bearing/bearing.onnx",
    "cli/bearing/licence.txt",
    "cli/bearing/samples.json",
    "cli/main.py",
}
_UV = Path(sys.executable).with_name("uv")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Path:
    """A wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    _run([str(_UV), "build", "--quiet", "--wheel", "--out-dir", str(folder), str(root)], folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory, root: Path) -> Path:
    """An environment that holds the wheel with its compiler, what both depend on as locked, and nothing else."""
    folder = tmp_path_factory.mktemp("installed")
    python, pins = folder / "venv" / "bin" / "python", folder / "pins.txt"
    chosen = [
        "--frozen",
        "--no-dev",
        "--extra",
        "compiler",
        "--no-emit-project",
        "--quiet",
        "--output-file",
        str(pins),
    ]
    _run([str(_UV), "export", "--project", str(root), *chosen], folder)
    _run([str(_UV), "venv", "--quiet", "--python", sys.executable, str(folder / "venv")], folder)
    into = [str(_UV), "pip", "install", "--quiet", "--python", str(python)]
    _run([*into, "--no-deps", "--only-binary", ":all:", "--requirements", str(pins)], folder)
    _run([*into, "--no-deps", str(wheel)], folder)
    return python.parent


def test_wheel_holds_its_data_and_no_tests(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert names >= HELD
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {
        "cli",
        "contracts",
        "enclave",
        "registry",
    }
    assert not [name for name in names if "node_modules" in name or "tests/" in name or "__pycache__" in name]


def test_installed_command_helps(installed: Path, tmp_path: Path) -> None:
    assert "demo" in _run([str(installed / "exequatur"), "--help"], tmp_path)


@pytest.mark.compiler
def test_installed_command_runs_the_whole_story(installed: Path, tmp_path: Path) -> None:
    told = _run([str(installed / "exequatur"), "demo", "--json"], tmp_path)
    assert '"n": 12' in told or '"n":12' in told


def test_installed_copy_imports_nothing_from_the_checkout(
    installed: Path, tmp_path: Path, root: Path
) -> None:
    code = "import cli, contracts, enclave, registry; print(cli.__file__, contracts.__file__)"
    assert str(root) not in _run([str(installed / "python"), "-c", code], tmp_path)


def _run(program: list[str], folder: Path) -> str:
    """Output of a program that knows nothing of this checkout."""
    kept = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    ended = subprocess.run(program, cwd=folder, env=kept, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, f"{program[0]}: {ended.stderr or ended.stdout}"
    return ended.stdout
