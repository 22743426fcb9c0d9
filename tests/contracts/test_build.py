# SPDX-License-Identifier: Apache-2.0
"""The committed artefacts are what the sources compile to, always to the same bytes."""

import json
from pathlib import Path

import pytest

from contracts import build
from contracts.build import main
from contracts.errors import CompilerError
from contracts.solc import compile_sources

SOURCE = "// SPDX-License-Identifier: Apache-2.0\npragma solidity ^0.8.24;\ncontract A {}\n"


@pytest.mark.forge
def test_artefacts_are_what_the_sources_compile_to() -> None:
    assert main(["--check"]) == 0


@pytest.mark.forge
def test_check_names_what_differs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(build, "artefacts", lambda: [(tmp_path / "Other.json", "{}")])
    with pytest.raises(CompilerError, match=r"Other\.json") as refused:
        main(["--check"])
    assert "contracts.build" in refused.value.hint
    assert main([]) == 0
    assert main(["--check"]) == 0


@pytest.mark.forge
def test_compiles_twice_to_the_same_bytes() -> None:
    first, second = (compile_sources({"contracts/A.sol": SOURCE}) for _ in range(2))
    assert json.dumps(first) == json.dumps(second)


@pytest.mark.forge
def test_a_broken_source_says_where() -> None:
    with pytest.raises(CompilerError, match="ParserError"):
        compile_sources({"contracts/A.sol": SOURCE.replace("{}", "{")})
