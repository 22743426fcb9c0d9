# SPDX-License-Identifier: Apache-2.0
"""What tests need besides Python, and the rule that CI skips nothing."""

import os
import shutil
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent
CI = os.environ.get("CI") == "true"
_NPM = "npm ci --prefix contracts --ignore-scripts"
_APT = "apt-get install --no-install-recommends swtpm swtpm-tools tpm2-tools gnutls-bin"

# No deadline: how long one example takes says nothing on a busy machine. CI repeats itself.
settings.register_profile(
    "exequatur", deadline=None, derandomize=CI, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("exequatur")


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


def _no_compiler(items: list[pytest.Item]) -> Iterator[tuple[str, str]]:
    """A Solidity compiler is looked for, and fetched, only where a test needs one."""
    if not any(item.get_closest_marker("compiler") for item in items):
        return
    from contracts.errors import CompilerError
    from contracts.solc import find

    try:
        find()
    except CompilerError as error:
        yield "compiler", f"{error}: {error.hint}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a missing program, with the line that installs it."""
    reasons = dict([*_missing(), *_no_compiler(items)])
    for item in items:
        for marker, reason in reasons.items():
            if item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Under CI=true a skipped test is a failure."""
    report = yield
    if not hasattr(report, "wasxfail"):
        _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Under CI=true a skipped module is a failure, `importorskip` included."""
    report = yield
    _refuse_skip(report)
    return report


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if CI and report.skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome, report.longrepr = "failed", f"skipped under CI=true: {reason}"


@pytest.fixture(scope="session")
def shared_evidence() -> Path:
    """The folder of recorded evidence beside the checkout."""
    folder = ROOT.parent / "shared" / "evidence"
    if not folder.is_dir():
        pytest.skip(f"recorded evidence is absent: no folder {folder}")
    return folder
