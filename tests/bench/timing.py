# SPDX-License-Identifier: Apache-2.0
"""Measuring side by side: every round runs every variant, so that drift of the machine cancels out of the ratios."""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def timed(work: Callable[[], object]) -> float:
    """Seconds that `work` takes; what it returns is freed outside of the measurement."""
    start = time.perf_counter()
    result = work()
    seconds = time.perf_counter() - start
    del result
    return seconds


def interleaved(variants: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each variant in each round; each second round runs them backwards."""
    seen: dict[str, list[float]] = {name: [] for name in variants}
    for n in range(rounds):
        for name in sorted(variants, reverse=n % 2 == 1):
            seen[name].append(variants[name]())
    return seen


def ratio(seconds: Mapping[str, list[float]], above: str, below: str) -> float:
    """Median over the rounds of one variant's time over another's."""
    pairs = zip(seconds[above], seconds[below], strict=True)
    return statistics.median(one / other for one, other in pairs)


def child(job: str, *arguments: object) -> dict[str, float]:
    """Run `tests.bench.child` in a fresh interpreter; its figures are those of one job alone."""
    command = [sys.executable, "-B", "-m", "tests.bench.child", job, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures
