# SPDX-License-Identifier: Apache-2.0
"""Assertions are proved, or shown to fail, or stay undecided: and nothing undecided, unseen or remembered wrongly passes."""

import json
import sys
from pathlib import Path

import pytest

from contracts import smt
from contracts.errors import CompilerError
from contracts.smt import Solver, Verdict, prove, solver
from contracts.solc import Compiler, find

pytestmark = pytest.mark.forge
METER = """// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;
contract Meter {
    error Exhausted(uint64 left, uint64 asked);
    uint64 private _credit;
    uint64 private _spent;
    uint64 private _bought;
    function buy(uint64 n) external { _credit += n; _bought += n; }
    function use(uint64 n) external { require(n <= _credit, Exhausted(_credit, n)); _credit -= n; _spent += n; }
    function check() external view { assert(_bought == _credit + _spent); assert(_credit <= _bought); }
}
"""


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.fixture(scope="module")
def compiler() -> Compiler:
    return find(online=False)


@pytest.fixture(scope="module")
def z3() -> Solver:
    return solver()


def verdicts(source: str, compiler: Compiler, z3: Solver, seconds: int = 60) -> list[Verdict]:
    decided = prove({"m.sol": source}, {"m.sol": ("Meter",)}, compiler=compiler, with_=z3, seconds=seconds)
    return [one.verdict for one in decided]


def test_what_holds_is_proved_and_placed(compiler: Compiler, z3: Solver) -> None:
    first, second = prove({"m.sol": METER}, {"m.sol": ("Meter",)}, compiler=compiler, with_=z3)
    assert (first.verdict, second.verdict) == (Verdict.PROVED, Verdict.PROVED)
    assert (first.file, first.line) == ("m.sol", 10)
    assert first.condition == "assert(_bought == _credit + _spent)"


def test_what_does_not_hold_is_found(compiler: Compiler, z3: Solver) -> None:
    wrong = METER.replace("_spent += n", "_spent += n + 1")
    assert verdicts(wrong, compiler, z3) == [Verdict.VIOLATED, Verdict.PROVED]
    assert verdicts(wrong, compiler, z3) == [Verdict.VIOLATED, Verdict.PROVED]


@pytest.mark.parametrize("says", ["timeout", "unknown", "", '(error "line 1")', "sa"])
def test_case_27_an_answer_that_is_none_is_no_answer(says: str, tmp_path: Path) -> None:
    broken = tmp_path / "z3"
    broken.write_text(f"#!/bin/sh\necho '{says}'\n", "utf-8")
    broken.chmod(0o755)
    assert smt._decide("(check-sat)", Solver(program=broken, version=""), 60) == "unknown\n"


def test_case_27_a_solver_that_gives_up_proves_nothing(
    compiler: Compiler, z3: Solver, tmp_path: Path
) -> None:
    gone = Solver(program=tmp_path / "absent", version=z3.version)
    assert verdicts(METER, compiler, gone) == [Verdict.UNDECIDED] * 2
    assert verdicts(METER, compiler, z3) == [Verdict.PROVED] * 2  # and it was not remembered


def test_an_assertion_nobody_looked_at_is_undecided(compiler: Compiler, z3: Solver) -> None:
    beside = METER + "contract Other { function check(uint x) external pure { assert(x > 1); } }\n"
    assert verdicts(beside, compiler, z3) == [Verdict.PROVED, Verdict.PROVED, Verdict.UNDECIDED]


def test_what_the_checker_leaves_out_proves_nothing(compiler: Compiler, z3: Solver) -> None:
    assembly = METER.replace("_credit += n;", "assembly { sstore(0, n) } _credit += n;")
    assert Verdict.PROVED not in verdicts(assembly, compiler, z3)


def test_a_source_that_does_not_compile_is_an_error(compiler: Compiler, z3: Solver) -> None:
    with pytest.raises(CompilerError, match="cannot be proved"):
        verdicts(METER.replace("_credit;", "_credits;"), compiler, z3)


def test_what_was_decided_is_remembered_for_these_sources_compiler_and_solver(
    compiler: Compiler, z3: Solver, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert verdicts(METER, compiler, z3) == [Verdict.PROVED] * 2
    asked = list[str]()

    def decide(query: str, _: Solver, seconds: int) -> str:
        asked.append(query)
        return "unknown\n"

    monkeypatch.setattr(smt, "_decide", decide)
    assert verdicts(METER, compiler, z3) == [Verdict.PROVED] * 2
    assert not asked
    other = Solver(program=z3.program, version=f"{z3.version} patched")
    assert verdicts(METER, compiler, other) == [Verdict.UNDECIDED] * 2
    assert verdicts(METER.replace("+= n;", "+= n ;"), compiler, z3) == [Verdict.UNDECIDED] * 2
    assert len(asked) == 4


@pytest.mark.parametrize(
    "kept",
    [
        b"",
        b"{",
        b"[]",
        b"7",
        b"{}",
        b"\xff",
        json.dumps([{"file": "m.sol", "line": 10, "condition": "", "verdict": "sure"}]).encode(),
        json.dumps([{"file": "n.sol", "line": 10, "condition": "", "verdict": "proved"}]).encode(),
        json.dumps([{"file": "m.sol", "line": 10, "verdict": "proved"}]).encode(),
        json.dumps([{"file": "m.sol", "line": 10, "condition": "", "verdict": "proved", "more": 1}]).encode(),
    ],
)
def test_a_broken_memory_is_ignored(kept: bytes, tmp_path: Path) -> None:
    sources = {"m.sol": METER}
    whole = [{"file": "m.sol", "line": 10, "condition": "", "verdict": "proved"}] * 2
    (tmp_path / "kept").write_text(json.dumps(whole), "utf-8")
    assert smt._recall(tmp_path / "kept", sources)
    (tmp_path / "kept").write_bytes(kept)
    assert not smt._recall(tmp_path / "kept", sources)
    assert not smt._recall(tmp_path / "absent", sources)


def test_case_27_a_missing_z3_says_in_one_line_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    for script in (None, "echo 'something else'", "exit 1"):
        if script is not None:
            (tmp_path / "z3").write_text(f"#!/bin/sh\n{script}\n", "utf-8")
            (tmp_path / "z3").chmod(0o755)
        with pytest.raises(CompilerError, match="no z3") as missing:
            solver()
        assert "exequatur[compiler]" in missing.value.hint
        assert "\n" not in str(missing.value) + missing.value.hint
