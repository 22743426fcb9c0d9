# SPDX-License-Identifier: Apache-2.0
"""How long the command takes to say what it can do, against an interpreter that does nothing."""

import subprocess
import sys

from tests.bench.timing import ROOT, interleaved, ratio, timed

ROUNDS = 9


def run() -> dict[str, float]:
    """The ratio for `--help`."""

    def process(*arguments: str) -> float:
        command = [sys.executable, *arguments]
        return timed(lambda: subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL))

    variants = {
        "help": lambda: process("-m", "cli.main", "--help"),
        "pass": lambda: process("-c", "pass"),
    }
    return {"help_vs_bare_python": ratio(interleaved(variants, ROUNDS), "help", "pass")}
