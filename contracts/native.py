# SPDX-License-Identifier: Apache-2.0
"""The native build of the compiler, where py-solc-x keeps it; held to its version, and once fetched to its publisher's digest."""

import functools
import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from contracts import caching
from contracts.errors import CompilerError
from contracts.soljson import PINS, parsed

_ORIGIN = "https://binaries.soliditylang.org"
_SYSTEMS = {"linux": "linux-amd64", "darwin": "macosx-amd64", "win32": "windows-amd64"}
_SECONDS = 30.0


def program() -> Path:
    """Where py-solc-x keeps the one version, present or not; importing it takes longer than looking."""
    said = os.environ.get("SOLCX_BINARY_PATH")
    folder = Path(said) if said else caching.home() / ".solcx"
    file = folder / f"solc-v{PINS.version}"
    return file / "solc.exe" if os.name == "nt" else file


@functools.cache
def version(file: Path) -> str:
    """What a compiler says its version is; empty when it does not run."""
    try:
        ran = subprocess.run([file, "--version"], capture_output=True, check=False, timeout=_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    found = re.search(rb"^Version: (\S+)", ran.stdout, re.MULTILINE)
    return found[1].decode("ascii", "replace") if found else ""


def is_pinned(file: Path) -> bool:
    """Whether a native compiler is the one build, by its own word."""
    said = version(file)
    return said == PINS.build or said.startswith(f"{PINS.build}.")


def fetch(say: Callable[[str], None]) -> Path:
    """Have py-solc-x install the build, and keep it only with the digest its publisher lists; raises `CompilerError`.

    That digest comes from where the build comes from: it shows a broken transfer, not a dishonest publisher.
    """
    import requests
    import solcx

    where = f"{_ORIGIN}/{_SYSTEMS.get(sys.platform, 'linux-amd64')}/list.json"
    try:
        listed = requests.get(where, timeout=_SECONDS).json()["builds"]
        (digest,) = (build["sha256"] for build in listed if build["longVersion"] == PINS.build)
        say(f"fetching the Solidity compiler: solc {PINS.version} of {where}")
        solcx.install_solc(PINS.version)
        content = program().read_bytes()
    except (requests.RequestException, solcx.exceptions.SolcInstallationError) as error:
        raise CompilerError(f"cannot be fetched ({type(error).__name__})", where=where) from error
    except (OSError, LookupError, TypeError, ValueError, solcx.exceptions.SolcNotInstalled) as error:
        raise CompilerError(f"lists no usable build ({type(error).__name__})", where=where) from error
    version.cache_clear()
    if digest != "0x" + hashlib.sha256(content).hexdigest():
        program().unlink()
        raise CompilerError("is not the build its publisher lists", where=str(program()))
    return program()


def run(file: Path, standard: Mapping[str, object], base: Path | None) -> dict[str, object]:
    """Standard JSON in, standard JSON out, complaints included; raises `CompilerError` when it breaks down."""
    import solcx

    allowed = None if base is None else str(base)
    try:
        output: dict[str, object] = solcx.compile_standard(
            dict(standard), base_path=allowed, allow_paths=allowed, solc_binary=file
        )
    except solcx.exceptions.SolcError as error:
        return parsed(error.stdout_data or "", str(error), str(file))
    except (OSError, ValueError) as error:
        raise CompilerError(f"broke down: {str(error)[:300]}", where=str(file)) from error
    return output
