# SPDX-License-Identifier: Apache-2.0
"""The one way to run the Solidity compiler: npm's solc 0.8.37 through py-solc-x, standard JSON only."""

import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from contracts.errors import CompilerError

VERSION = "0.8.37"
PACKAGE = Path(__file__).resolve().parent
_SETTINGS = {
    "evmVersion": "cancun",
    "optimizer": {"enabled": True, "runs": 200},
    "outputSelection": {
        "*": {"*": ["abi", "evm.bytecode.object", "evm.deployedBytecode", "evm.methodIdentifiers"]}
    },
}


def compile_sources(
    sources: Mapping[str, str], *, modules: Path = PACKAGE / "node_modules"
) -> dict[str, dict[str, object]]:
    """Compile sources by virtual name; returns compiler output by contract name; raises `CompilerError`."""
    import solcx

    standard = {
        "language": "Solidity",
        "sources": {name: {"content": sources[name]} for name in sorted(sources)},
        "settings": _SETTINGS,
    }
    with _compiler(modules) as binary:
        try:
            output = solcx.compile_standard(standard, solc_binary=binary)
        except solcx.exceptions.SolcError as error:
            raise CompilerError(_first_line(error), where="solc") from error
    return {name: made for file in output["contracts"].values() for name, made in file.items()}


@contextmanager
def _compiler(modules: Path) -> Iterator[Path]:
    """A `solc` that py-solc-x can run: npm's compiler behind the shim, with its paths written in."""
    node, soljson = shutil.which("node"), modules / "solc" / "soljson.js"
    if node is None or not soljson.is_file():
        hint = "install Node.js, then: npm ci --prefix contracts --ignore-scripts"
        raise CompilerError("no Solidity compiler", where=str(modules), hint=hint)
    found = json.loads((modules / "solc" / "package.json").read_text("utf-8"))["version"]
    if found != VERSION:
        raise CompilerError(f"needs solc {VERSION}, found {found}", where=str(modules))
    with tempfile.TemporaryDirectory() as folder:
        binary = Path(folder) / "solc"
        shim = PACKAGE / "solc_shim.js"
        binary.write_text(f'#!/bin/sh\nexec "{node}" "{shim}" "{modules}" "$@"\n', "utf-8")
        binary.chmod(binary.stat().st_mode | stat.S_IXUSR)
        yield binary


def virtual_sources(folder: Path = PACKAGE / "src", prefix: str = "contracts") -> dict[str, str]:
    """The Solidity files below a folder, by the name that imports use."""
    files = sorted(folder.rglob("*.sol"))
    return {f"{prefix}/{file.relative_to(folder).as_posix()}": file.read_text("utf-8") for file in files}


def _first_line(error: Exception) -> str:
    lines = [line[:300] for line in str(error).splitlines() if "Error" in line[:60]]
    return os.linesep.join(lines[:3]) or str(error)[:300]
