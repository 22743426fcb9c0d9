# SPDX-License-Identifier: Apache-2.0
"""Every custom error of the contracts is provoked by a Solidity test."""

import json
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ABI = HERE.parents[1] / "contracts" / "abi"
TESTED = "".join(path.read_text("utf-8") for path in HERE.glob("*.t.sol"))
# Of OpenZeppelin's short strings; our names are constants that fit.
UNREACHABLE = {"InvalidShortString", "StringTooLong"}


def errors() -> list[tuple[str, str]]:
    """Contract and name of every error in an artefact."""
    return [
        (path.stem, part["name"])
        for path in sorted(ABI.glob("*.json"))
        for part in json.loads(path.read_text("utf-8"))["abi"]
        if part["type"] == "error" and part["name"] not in UNREACHABLE
    ]


@pytest.mark.parametrize(("contract", "name"), errors())
def test_error_is_provoked(contract: str, name: str) -> None:
    assert f".{name}.selector" in TESTED, f"{contract}.{name}"
