# SPDX-License-Identifier: Apache-2.0
"""`python -m contracts.build`: compile the contracts, always to the same bytes; `--check` compares with abi/."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from contracts.digests import keccak
from contracts.errors import CompilerError, ExequaturError
from contracts.solc import PACKAGE, compile_sources, virtual_sources

CONTRACTS = (
    "AttestationLog",
    "LicenceRegistry",
    "ModelRegistry",
    "PolicyRegistry",
    "ReleaseLog",
    "TermLicence",
)
_FOLDER = PACKAGE / "abi"


def artefacts() -> Iterator[tuple[Path, str]]:
    """Path and text of every artefact, compiled now."""
    made = compile_sources(virtual_sources())
    for name in (*CONTRACTS, "ICompiledLicence", "ILicence"):
        yield _FOLDER / f"{name}.json", json.dumps(_artefact(made[name]), indent=1, sort_keys=True) + "\n"


def _artefact(made: dict[str, object]) -> dict[str, object]:
    evm, abi = made["evm"], made["abi"]
    assert isinstance(evm, dict)
    assert isinstance(abi, list)
    return {
        "abi": abi,
        "bytecode": "0x" + evm["bytecode"]["object"],
        "deployedBytecode": "0x" + evm["deployedBytecode"]["object"],
        "immutableReferences": evm["deployedBytecode"].get("immutableReferences", {}),
        "methodIdentifiers": evm["methodIdentifiers"],
        "eventTopics": {
            signature(part): str(keccak(signature(part).encode())) for part in abi if part["type"] == "event"
        },
    }


def signature(part: dict[str, object]) -> str:
    """Canonical signature of an ABI entry, for example `Recorded(bytes32,...)`."""
    inputs = part["inputs"]
    assert isinstance(inputs, list)
    return f"{part['name']}({','.join(map(_kind, inputs))})"


def _kind(parameter: dict[str, object]) -> str:
    kind, parts = str(parameter["type"]), parameter.get("components")
    if not isinstance(parts, list):
        return kind
    return f"({','.join(map(_kind, parts))}){kind.removeprefix('tuple')}"


def main(arguments: list[str]) -> int:
    """Write the artefacts, or with `--check` say which differ; returns the exit code."""
    stale = []
    for path, text in artefacts():
        if path.is_file() and path.read_text("utf-8") == text:
            continue
        stale.append(path.name)
        if "--check" not in arguments:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, "utf-8")
    if "--check" in arguments and stale:
        hint = "run `python -m contracts.build` and commit contracts/abi"
        raise CompilerError(
            f"not what the sources compile to: {', '.join(stale)}", where="contracts/abi", hint=hint
        )
    print(f"contracts/abi: {', '.join(stale) or 'nothing'} {'written' if stale else 'to do'}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except ExequaturError as error:
        print(f"error: {error}\nhint: {error.hint}", file=sys.stderr)
        sys.exit(int(error.code))
