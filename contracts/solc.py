# SPDX-License-Identifier: Apache-2.0
"""The one way to run the Solidity compiler: one version, found or fetched, checked, and spoken to in standard JSON.

Looked for in this order: the native build that py-solc-x installed, npm's soljson.js under Node.js, either of them from the
network. soljson.js is held to its digest before every use, a native build to its version. All give the same bytes for the
same sources.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from contracts import native, soljson
from contracts.errors import CompilerError
from contracts.soljson import PINS

PACKAGE = Path(__file__).resolve().parent
VERSION = PINS.version
_MODULES = PACKAGE / "node_modules"
_HINT = "pip install 'exequatur[compiler]' or install Node.js 18 or newer, and be online once"
_IMPORT = re.compile(r'^\s*(?:import\s+|import\s[^"]*\sfrom\s+|}\s*from\s+)"([^"]+)"', re.MULTILINE)
_SETTINGS = {"evmVersion": "cancun", "optimizer": {"enabled": True, "runs": 200}}
_OUTPUT = ["abi", "evm.bytecode.object", "evm.deployedBytecode", "evm.methodIdentifiers"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiler:
    """A checked compiler: the native build, or soljson.js with the Node.js that runs it."""

    path: Path
    node: soljson.Node | None = None

    @property
    def identity(self) -> str:
        """Names the build, for what is remembered about its results."""
        return native.version(self.path) if self.node is None else f"soljson {PINS.soljson}"

    def run(self, standard: Mapping[str, object], *, base: Path | None = None) -> dict[str, object]:
        """Standard JSON in, standard JSON out; imports that it lacks are read below `base`; raises `CompilerError`."""
        if self.node is None:
            return native.run(self.path, standard, base)
        return soljson.run(self.node, self.path, standard, base)


def _quiet(_: str) -> None:
    """Nobody is told."""


def find(*, modules: Path = _MODULES, online: bool = True, say: Callable[[str], None] = _quiet) -> Compiler:
    """The compiler, fetched if need be; raises `CompilerError` with what to install.

    `say` gets a line before anything is fetched. A compiler of another version or digest is never used, and named when no
    other is found.
    """
    passed_over: list[str] = []
    found = _installed(modules, passed_over)
    if found is None and online:
        found = _fetched(passed_over, say)
    if found is None:
        raise CompilerError("; ".join(["no Solidity compiler", *passed_over]), where="solc", hint=_HINT)
    return found


def _installed(modules: Path, passed_over: list[str]) -> Compiler | None:
    if (file := native.program()).is_file():
        if native.is_pinned(file):
            return Compiler(path=file)
        passed_over.append(f"{file} is not solc {PINS.build}")
    node = soljson.node()
    if node is None:
        passed_over.append(f"no Node.js {soljson.OLDEST_NODE} or newer")
        return None
    for path in (modules / "solc" / "soljson.js", soljson.cached()):
        if soljson.is_pinned(path):
            return Compiler(path=path, node=node)
        if path.exists():
            passed_over.append(f"{path} is not that of solc {VERSION}")
    return None


def _fetched(passed_over: list[str], say: Callable[[str], None]) -> Compiler | None:
    try:
        if native.is_pinned(file := native.fetch(say)):
            return Compiler(path=file)
        passed_over.append(f"{file} is not solc {PINS.build}")
    except CompilerError as error:
        passed_over.append(str(error))
    if (node := soljson.node()) is None:
        return None
    try:
        return Compiler(path=soljson.fetch(say), node=node)
    except CompilerError as error:
        passed_over.append(str(error))
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """What the compiler says: `severity` "error", "warning" or "info", its code, its words, and where, in lines."""

    severity: str
    code: str
    message: str
    told: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What came out: the compiler's JSON by contract name, and by source unit, and all it said."""

    contracts: Mapping[str, dict[str, object]]
    complaints: tuple[Complaint, ...]
    units: Mapping[str, Mapping[str, dict[str, object]]]

    def made(self, unit: str) -> Mapping[str, dict[str, object]]:
        """The contracts of one source unit."""
        return self.units.get(unit, {})


def compiled(
    sources: Mapping[str, str],
    *,
    compiler: Compiler,
    base: Path | None = None,
    only: str = "*",
    extra: Mapping[str, object] | None = None,
) -> Output:
    """Compile sources by virtual name; `only` names the source unit whose code is wanted, `extra` are more settings."""
    settings = {**_SETTINGS, "outputSelection": {only: {"*": _OUTPUT}}, **(extra or {})}
    named = {name: {"content": sources[name]} for name in sorted(sources)}
    output = compiler.run({"language": "Solidity", "sources": named, "settings": settings}, base=base)
    files, said = output.get("contracts", {}), output.get("errors", [])
    assert isinstance(files, dict)
    assert isinstance(said, list)
    made = {name: contract for file in files.values() for name, contract in file.items()}
    return Output(contracts=made, complaints=tuple(map(_complaint, said)), units=files)


def _complaint(said: Mapping[str, str]) -> Complaint:
    return Complaint(
        severity=said["severity"],
        code=said.get("errorCode", ""),
        message=said["message"],
        told=said.get("formattedMessage", said["message"]),
    )


def compile_sources(
    sources: Mapping[str, str], *, modules: Path = _MODULES, say: Callable[[str], None] = _quiet
) -> dict[str, dict[str, object]]:
    """Compile sources by virtual name; returns compiler output by contract name; raises `CompilerError`."""
    output = compiled(sources, compiler=find(modules=modules, say=say), base=modules)
    if broken := [one.told for one in output.complaints if one.severity == "error"]:
        raise CompilerError(_first_lines(broken), where="solc")
    return dict(output.contracts)


def needed(root: str, sources: Mapping[str, str]) -> dict[str, str]:
    """A source and what it imports of the others, however far: what else there is has no part in its code."""
    found: dict[str, str] = {}
    pending = [root]
    while pending:
        name = pending.pop()
        if name in sources and name not in found:
            found[name] = sources[name]
            pending += _IMPORT.findall(sources[name])
    return found


def virtual_sources(folder: Path = PACKAGE / "src", prefix: str = "contracts") -> dict[str, str]:
    """The Solidity files below a folder, by the name that imports use."""
    files = sorted(folder.rglob("*.sol"))
    return {f"{prefix}/{file.relative_to(folder).as_posix()}": file.read_text("utf-8") for file in files}


def _first_lines(told: list[str]) -> str:
    lines = [line[:300] for one in told for line in one.splitlines() if "Error" in line[:60]]
    return "\n".join(lines[:3]) or told[0][:300]
