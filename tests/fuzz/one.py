# SPDX-License-Identifier: Apache-2.0
"""`python -m tests.fuzz.one TARGET [libFuzzer options] CORPUS`: one target until it breaks or its time is over."""

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["enclave", "contracts"]):
    from tests.fuzz.targets import targets


def main() -> None:
    """Hand the target to libFuzzer."""
    name, *options = sys.argv[1:]
    shared = Path(__file__).resolve().parents[3] / "shared" / "evidence"
    target = targets(shared if shared.is_dir() else None)[name]
    atheris.Setup([sys.argv[0], *options], target.run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
