# SPDX-License-Identifier: Apache-2.0
"""Proofs of assertions over all calls in all orders: solc's SMTChecker says what to prove, z3 decides it.

Nothing counts as proved that was not decided: an assertion without a verdict, a solver that gives up, a remark that the
checker left something out, all are `UNDECIDED`. What was decided is remembered in the user's cache folder.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from contracts import caching
from contracts.errors import CompilerError
from contracts.solc import PACKAGE, Compiler, needed, virtual_sources

KERNELS = ("Lifecycle", "Meter", "Seats")
SECONDS = 60
_ROUNDS = 6
# As solc itself runs z3 on Horn clauses.
_OPTIONS = (
    "rewriter.pull_cheap_ite=true",
    "fp.spacer.q3.use_qgen=true",
    "fp.spacer.mbqi=false",
    "fp.spacer.ground_pobs=false",
)
_ASSERT = re.compile(rb"\bassert\s*\(")
_SAFE, _UNSAFE = "9576", "6328"
# 8364: the arguments of a custom error have no meaning for the checker, and no part in a proof.
_HARMLESS = {"8364": "Assertion checker does not yet implement type error"}
_FORMAT = 1


class Verdict(StrEnum):
    """What became of an assertion."""

    PROVED = "proved"
    VIOLATED = "violated"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True, kw_only=True)
class Assertion:
    """An assertion: the file it stands in, its line from 1, its words."""

    file: str
    line: int
    condition: str
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Solver:
    """A z3 program, and what it says its version is."""

    program: Path
    version: str


def solver() -> Solver:
    """z3 of this environment, else of the system; raises `CompilerError` with what to install."""
    beside = Path(sys.executable).with_name("z3.exe" if os.name == "nt" else "z3")
    for program in (str(beside), shutil.which("z3")):
        if program is None:
            continue
        try:
            ran = subprocess.run([program, "--version"], capture_output=True, check=False, timeout=SECONDS)
        except (OSError, subprocess.TimeoutExpired):
            continue
        said = ran.stdout.decode("utf-8", "replace").strip()
        if said.startswith("Z3 version "):
            return Solver(program=Path(program), version=said)
    raise CompilerError(
        "no z3 to prove the contract with", where="z3", hint="pip install 'exequatur[compiler]'"
    )


def prove_kernels(
    *, compiler: Compiler, with_: Solver, sources: Mapping[str, str] | None = None
) -> tuple[Assertion, ...]:
    """Decide what is promised of the kernels that every compiled licence is made of; raises `CompilerError`.

    The promises are the assertions of the harnesses in `src/licence/proofs`.
    """
    sources = sources or virtual_sources(PACKAGE / "src" / "licence", "contracts/licence") | virtual_sources(
        PACKAGE / "src" / "interfaces", "contracts/interfaces"
    )
    units = [f"contracts/licence/proofs/{name}Proof.sol" for name in KERNELS]
    # One at a time: solc names the questions of the last unit it looks at only.
    return tuple(
        decided
        for file, name in zip(units, KERNELS, strict=True)
        for decided in prove(needed(file, sources), {file: (f"{name}Proof",)}, compiler=compiler, with_=with_)
    )


def prove(
    sources: Mapping[str, str],
    harnesses: Mapping[str, tuple[str, ...]],
    *,
    compiler: Compiler,
    with_: Solver,
    seconds: int = SECONDS,
) -> tuple[Assertion, ...]:
    """Decide every assertion that the harnesses (contracts by file) reach, each query within so many seconds of z3.

    Raises `CompilerError` when the sources do not compile.
    """
    standard = _standard(sources, harnesses)
    told = json.dumps([_FORMAT, standard, compiler.identity, with_.version, _OPTIONS], sort_keys=True)
    remembered = caching.folder() / "proofs" / f"{hashlib.sha256(told.encode()).hexdigest()}.json"
    if found := _recall(remembered, sources):
        return found
    decided = tuple(_verdicts(_answered(standard, compiler, with_, seconds), sources))
    if all(one.verdict is not Verdict.UNDECIDED for one in decided):
        caching.keep(remembered, json.dumps([asdict(one) for one in decided]).encode())
    return decided


def _answered(
    standard: Mapping[str, object], compiler: Compiler, with_: Solver, seconds: int
) -> dict[str, object]:
    """What solc says once its questions are answered; it may word them anew when it is told, so it is told again."""
    answers: dict[str, str] = {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in range(_ROUNDS):
            said = compiler.run({**standard, "auxiliaryInput": {"smtlib2responses": answers}})
            asked = {name: query for name, query in _queries(said).items() if name not in answers}
            if not asked:
                break
            found = pool.map(lambda query: _decide(query, with_, seconds), asked.values())
            answers |= dict(zip(asked, found, strict=True))
    return said


def _standard(sources: Mapping[str, str], harnesses: Mapping[str, tuple[str, ...]]) -> dict[str, object]:
    checker = {
        "engine": "chc",
        "targets": ["assert"],
        "solvers": ["smtlib2"],
        "showProvedSafe": True,
        "showUnproved": True,
        "showUnsupported": True,
        "contracts": {file: list(names) for file, names in sorted(harnesses.items())},
    }
    named = {name: {"content": sources[name]} for name in sorted(sources)}
    settings = {"evmVersion": "cancun", "outputSelection": {}, "modelChecker": checker}
    return {"language": "Solidity", "sources": named, "settings": settings}


def _queries(answer: Mapping[str, object]) -> dict[str, str]:
    """What solc asks a solver, by the names it knows the answers by."""
    wanted = answer.get("auxiliaryInputRequested", {})
    assert isinstance(wanted, dict)
    queries: dict[str, str] = wanted.get("smtlib2queries", {})
    return queries


def _decide(query: str, with_: Solver, seconds: int) -> str:
    command = [str(with_.program), "-in", "-smt2", f"-T:{seconds}", *_OPTIONS]
    try:
        ran = subprocess.run(
            command, input=query.encode(), capture_output=True, check=False, timeout=seconds + 30
        )
    except (OSError, subprocess.TimeoutExpired):
        return "unknown\n"
    said = ran.stdout.decode("utf-8", "replace")
    return said if said.startswith(("sat", "unsat")) else "unknown\n"


def _verdicts(answer: Mapping[str, object], sources: Mapping[str, str]) -> Iterator[Assertion]:
    said = answer.get("errors", [])
    assert isinstance(said, list)
    if broken := [one["message"] for one in said if one["severity"] == "error"]:
        raise CompilerError(f"cannot be proved: {broken[0]}", where="solc")
    left_out = any(not _understood(one) for one in said)
    found: dict[tuple[str, int], set[Verdict]] = {
        (name, match.start()): set()
        for name, text in sources.items()
        for match in _ASSERT.finditer(text.encode())
    }
    for one in said:
        if one.get("errorCode") in (_SAFE, _UNSAFE):
            place = one["sourceLocation"]
            found.setdefault((place["file"], place["start"]), set()).add(_verdict(one))
    for (name, start), verdicts in sorted(found.items()):
        yield _assertion(name, start, sources[name].encode(), _worst(verdicts, left_out))


def _understood(said: Mapping[str, str]) -> bool:
    code = said.get("errorCode", "")
    return said["severity"] == "info" or code == _UNSAFE or said["message"] == _HARMLESS.get(code, "nothing")


def _verdict(said: Mapping[str, str]) -> Verdict:
    if said["errorCode"] == _SAFE:
        return Verdict.PROVED
    return Verdict.VIOLATED if "violation happens here" in said["message"] else Verdict.UNDECIDED


def _worst(verdicts: set[Verdict], left_out: bool) -> Verdict:
    if Verdict.VIOLATED in verdicts:
        return Verdict.VIOLATED
    return Verdict.PROVED if verdicts == {Verdict.PROVED} and not left_out else Verdict.UNDECIDED


def _assertion(file: str, start: int, text: bytes, verdict: Verdict) -> Assertion:
    condition = text[start : text.index(b";", start)].decode("utf-8", "replace")
    line = text.count(b"\n", 0, start) + 1
    return Assertion(file=file, line=line, condition=" ".join(condition.split()), verdict=verdict)


def _recall(path: Path, sources: Mapping[str, str]) -> tuple[Assertion, ...] | None:
    """What was decided before; None when nothing was, or when what is kept is no list of the sources' assertions."""
    try:
        rows = json.loads(caching.kept(path) or b"")
        found = tuple(Assertion(**{**row, "verdict": Verdict(row["verdict"])}) for row in rows)
    except (ValueError, TypeError, LookupError):
        return None
    places = {(one.file, one.line) for one in found}
    expected = {
        (name, text.encode().count(b"\n", 0, match.start()) + 1)
        for name, text in sources.items()
        for match in _ASSERT.finditer(text.encode())
    }
    return found if places == expected else None
