# SPDX-License-Identifier: Apache-2.0
"""What tests need besides Python, and the rule that CI skips nothing."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CI = os.environ.get("CI") == "true"
_NPM = "npm ci --prefix contracts --ignore-scripts"
_APT = "apt-get install --no-install-recommends swtpm swtpm-tools tpm2-tools gnutls-bin"


def _npm_program(name: str) -> bool:
    beside = ROOT / "contracts" / "node_modules" / ".bin" / name
    return bool(os.environ.get(f"{name.upper()}_BIN") or shutil.which(name) or beside.exists())


def _missing() -> Iterator[tuple[str, str]]:
    if not _npm_program("anvil"):
        yield "anvil", f"anvil is not installed: {_NPM}"
    if not (_npm_program("forge") and shutil.which("node")):
        yield "forge", f"forge or node is not installed: {_NPM}"
    if not all(map(shutil.which, ("swtpm", "swtpm_setup", "tpm2_quote"))):
        yield "swtpm", f"swtpm or tpm2-tools is not installed: {_APT}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a missing program, with the line that installs it."""
    reasons = dict(_missing())
    for item in items:
        for marker, reason in reasons.items():
            if item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Under CI=true a skip is a failure."""
    outcome = yield
    report = outcome.get_result()
    if CI and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome, report.longrepr = "failed", f"skipped under CI=true: {reason}"


@pytest.fixture(scope="session")
def shared_evidence() -> Path:
    """The folder of recorded evidence beside the checkout."""
    folder = ROOT.parent / "shared" / "evidence"
    if not folder.is_dir():
        pytest.skip(f"recorded evidence is absent: no folder {folder}")
    return folder
