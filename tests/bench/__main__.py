# SPDX-License-Identifier: Apache-2.0
"""`python -m tests.bench`: measure, write build/bench.json, and fail when a must is missed.

Large files are made in memory (/dev/shm), about 5 GiB at once, and removed. `--only NAME` runs one group.
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.bench import command, inference, models, sealing, verification
from tests.bench.timing import ROOT

LAYERS = 16
NEEDED = 8 << 30


def large() -> dict[str, float]:
    """Everything measured on a model of 1 GiB."""
    shared = Path("/dev/shm")
    place = shared if shared.is_dir() and shutil.disk_usage(shared).free > NEEDED else None
    with tempfile.TemporaryDirectory(dir=place, prefix="exequatur-bench-") as folder:
        work = Path(folder)
        inline, external = work / "inline" / "model.onnx", work / "external"
        inline.parent.mkdir()
        size = models.perceptron(inline, external, LAYERS)
        figures = inference.run(inline, external, size, work)
        shutil.rmtree(external)
        return figures | sealing.run(inline, work)


GROUPS: dict[str, Callable[[], dict[str, float]]] = {
    "command": command.run,
    "evidence": verification.run,
    "large": large,
}


def missed(figures: Mapping[str, float], musts: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Every must that a figure does not hold, in words."""
    found = []
    for name, bounds in musts.items():
        value = figures.get(name)
        if value is None:
            found.append(f"{name} was not measured")
        elif value < bounds.get("min", value) or value > bounds.get("max", value):
            found.append(f"{name} is {value:.2f}, must be {json.dumps(bounds)}")
    return found


def main() -> int:
    """Run the groups asked for; the exit code says whether every must of them holds."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("--only", choices=sorted(GROUPS))
    only = parser.parse_args().only
    figures: dict[str, float] = {}
    for name, group in GROUPS.items():
        if only in (None, name):
            print(f"measuring: {name}", file=sys.stderr)
            figures |= group()
    musts = json.loads((Path(__file__).parent / "musts.json").read_text())
    if only:
        musts = {name: bounds for name, bounds in musts.items() if name in figures}
    target = ROOT / "build" / "bench.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps({name: round(value, 4) for name, value in figures.items()}, indent=2) + "\n")
    for name, value in figures.items():
        print(f"{name:34} {value:8.2f}  {json.dumps(musts.get(name, {}))}")
    problems = missed(figures, musts)
    for problem in problems:
        print(f"missed: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
