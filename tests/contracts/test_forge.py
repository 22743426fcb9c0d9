# SPDX-License-Identifier: Apache-2.0
"""The Foundry tests, fuzz and invariants of the contracts, run from here so that one command runs everything."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def suites() -> dict[str, dict[str, dict[str, object]]]:
    beside = ROOT / "contracts" / "node_modules" / ".bin" / "forge"
    forge = os.environ.get("FORGE_BIN") or shutil.which("forge") or str(beside)
    ran = subprocess.run(
        [forge, "test", "--json"], cwd=ROOT / "contracts", capture_output=True, text=True, check=False
    )
    assert ran.stdout.startswith("{"), ran.stderr[-2000:]
    return {name: suite["test_results"] for name, suite in json.loads(ran.stdout).items()}


@pytest.mark.forge
def test_every_solidity_test_passes(suites: dict[str, dict[str, dict[str, object]]]) -> None:
    failed = {
        f"{suite}.{name}": result.get("reason")
        for suite, results in suites.items()
        for name, result in results.items()
        if result["status"] != "Success"
    }
    assert not failed
    assert sum(map(len, suites.values())) >= 320


@pytest.mark.forge
@pytest.mark.parametrize("invariant", ["S1", "S2", "S6", "S10", "life", "permits", "money"])
def test_invariant_is_tried(invariant: str, suites: dict[str, dict[str, dict[str, object]]]) -> None:
    tried = [
        name for results in suites.values() for name in results if name.startswith(f"invariant_{invariant}_")
    ]
    assert len(tried) == 1
