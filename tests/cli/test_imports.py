# SPDX-License-Identifier: Apache-2.0
"""What a command loads: help loads nothing heavy, and reading the chain none of the libraries that send."""

import ast
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CLI = ROOT / "cli"
SENDING = ("web3", "eth_abi", "eth_utils", "eth_account", "onnxruntime")
HEAVY = (*SENDING, "eth_tester", "cryptography", "numpy", "requests", "fsspec", "coincurve", "rich")
PROBE = """
import json, sys
from cli.main import app
ends = []
for words in json.loads(sys.argv[1]):
    try:
        app(words)
    except SystemExit as end:
        ends.append(end.code)
print(json.dumps([ends, sorted(sys.modules)]), file=sys.stderr)
"""


def loaded(keyboard, *commands: tuple[str, ...]) -> set[str]:
    """Modules in a process that ran some commands, all of which must have worked."""
    said = keyboard.spawn(json.dumps(commands), code=PROBE)
    ends, modules = json.loads(said.stderr.splitlines()[-1])
    assert ends == [0] * len(commands), said
    return set(modules)


def test_help_loads_nothing_heavy(keyboard) -> None:
    commands = [("--help",), ("--version",), ("model", "register", "--help"), ("demo", "--help")]
    assert not {*HEAVY, "contracts", "registry", "enclave"} & loaded(keyboard, *commands)


@pytest.fixture
def published(connected, small_model: Path) -> dict[str, str]:
    """A policy, a model and a licence on chain."""
    address = connected.json("keys", "show", "owner")["address"]
    connected.json("policy", "draft", "p", "--verifier", address)
    policy = connected.json("policy", "publish", "policy.toml")["policy"]
    connected.json("model", "seal", small_model)
    connected.json("model", "register", "m", f"{small_model}.sealed", "--policy", policy)
    licence = connected.json("licence", "grant", "m", "--licensee", address)["licence"]
    return {"policy": policy, "licence": licence}


def test_show_and_status_load_nothing_that_sends(connected, published: dict[str, str]) -> None:
    policy, licence = published["policy"], published["licence"]
    node = ("node", "status", policy, "--policy", policy, "--licence", licence, "--model", "m")
    shows = [("model", "show", "m"), ("policy", "show", policy), ("licence", "show", licence), node]
    assert not set(SENDING) & loaded(connected, *shows, ("keys", "show", "owner"), ("keys", "list"))


def test_checking_a_licence_loads_neither_chain_nor_compiler_nor_rdf(keyboard) -> None:
    text = ROOT / "tests" / "vectors" / "licences" / "pump.txt"
    reads = [("licence", command, str(text)) for command in ("check", "say", "explain", "prove")]
    needless = {"rdflib", "pyshacl", "jinja2", "z3", "solcx", "registry.chain", "enclave", *HEAVY}
    assert not needless & loaded(keyboard, *reads, ("licence", "new"))


def test_command_modules_import_only_typer_and_the_standard_library_at_the_top() -> None:
    import sys

    allowed = {"typer", "cli", *sys.stdlib_module_names}
    for path in [*CLI.glob("*.py"), *CLI.glob("owner/*.py"), *CLI.glob("administrator/*.py")]:
        for node in ast.parse(path.read_text()).body:
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert {name.partition(".")[0] for name in names} <= allowed, path
