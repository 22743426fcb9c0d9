# SPDX-License-Identifier: Apache-2.0
"""Who may import whom: the layers of pyproject.toml, and one home for each heavy library."""

import subprocess
import sys
from pathlib import Path

import grimp
import pytest

PACKAGES = ("contracts", "registry", "enclave", "cli")
HOMES = {
    "web3": ["registry.chain"],
    "eth_tester": ["registry.chain"],
    "eth": ["registry.chain"],
    "eth_abi": ["registry.chain"],
    "eth_utils": ["registry.chain"],
    "eth_account": ["registry.signing"],
    "solcx": ["contracts.native"],
    "onnxruntime": ["enclave.guest.model", "cli.bearing.train"],
    "onnx": ["enclave.sealed.graph", "cli.bearing.train"],
    "sklearn": ["cli.bearing.train"],
    "tpm2_pytss": ["enclave.node.tss"],
    "rfc8785": ["enclave.evidence"],
    "blake3": ["enclave.sealed"],
}
GUEST_OURS = {
    "contracts.digests",
    "contracts.errors",
    "contracts.ids",
    "enclave.faults",
    "enclave.evidence.binding",
    "enclave.sealed.open",
    "enclave.sealed.preamble",
    "enclave.statements",
    "enclave.wire",
}
GUEST_OTHERS = {"Crypto", "blake3", "cbor2", "coincurve", "cryptography", "numpy", "onnxruntime"}


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    """Who imports whom, type-checking imports aside."""
    return grimp.build_graph(
        *PACKAGES, include_external_packages=True, exclude_type_checking_imports=True, cache_dir=None
    )


def test_layers_hold(root: Path) -> None:
    program = [
        sys.executable,
        "-c",
        "from importlinter.cli import lint_imports_command as run; run()",
        "--no-cache",
    ]
    ended = subprocess.run(program, cwd=root, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout


@pytest.mark.parametrize("library", HOMES)
def test_library_is_imported_in_its_home_only(library: str, graph: grimp.ImportGraph) -> None:
    importers = graph.find_modules_that_directly_import(library) if library in graph.modules else set()
    homes = HOMES[library]
    assert not {module for module in importers if not any(_within(module, home) for home in homes)}


def test_guest_imports_what_it_may_and_nothing_else(graph: grimp.ImportGraph) -> None:
    inside = {module for module in graph.modules if _within(module, "enclave.guest")}
    imported = {found for module in inside for found in graph.find_modules_directly_imported_by(module)}
    ours = {module for module in imported - inside if module.split(".")[0] in PACKAGES}
    others = imported - inside - ours - sys.stdlib_module_names
    assert ours <= GUEST_OURS
    assert others <= GUEST_OTHERS


def test_what_the_guest_imports_stays_as_small(graph: grimp.ImportGraph) -> None:
    """Nor does anything it imports reach further than the list."""
    reached = graph.find_upstream_modules("enclave.guest", as_package=True)
    ours = {module for module in reached if module.split(".")[0] in PACKAGES}
    assert {module for module in ours if not _within(module, "enclave.guest")} <= GUEST_OURS


def _within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")
