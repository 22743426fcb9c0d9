# SPDX-License-Identifier: Apache-2.0
"""`python -m tests.fuzz [--seconds N] [--jobs N] [TARGET ...]`: coverage-guided runs, and their table in Markdown.

Each target runs in a process of its own under a memory limit; inputs that broke it stay in `build/fuzz/TARGET/`.
"""

import argparse
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.fuzz.targets import targets

ROOT = Path(__file__).resolve().parents[2]
_MEMORY = 2048


def main() -> int:
    """Run the targets and print their table; 1 when one of them broke."""
    options = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    options.add_argument("--seconds", type=int, default=600, help="how long each target runs")
    options.add_argument("--jobs", type=int, default=1, help="targets at a time")
    options.add_argument("targets", nargs="*", help="all where none is named")
    chosen = options.parse_args()
    shared = ROOT.parent / "shared" / "evidence"
    known = targets(shared if shared.is_dir() else None)
    names = [name for name in known if not chosen.targets or any(name.startswith(t) for t in chosen.targets)]
    print("| target | seeds | runs | seconds | coverage | peak MiB | found |\n|---|---|---|---|---|---|---|")
    with ThreadPoolExecutor(chosen.jobs) as pool:
        broken = list(pool.map(lambda name: _run(name, known[name].seeds, chosen.seconds), names))
    return int(any(broken))


def _run(name: str, seeds: object, seconds: int) -> bool:
    folder = ROOT / "build" / "fuzz" / name.replace(":", "_").replace("/", "_")
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    assert isinstance(seeds, list)
    for number, seed in enumerate(seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
    limits = [f"-max_total_time={seconds}", f"-rss_limit_mb={_MEMORY}", "-timeout=20", "-max_len=65536"]
    command = [
        sys.executable,
        "-m",
        "tests.fuzz.one",
        name,
        *limits,
        f"-artifact_prefix={folder}/",
        str(corpus),
    ]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, errors="replace", check=False)
    (folder / "log").write_text(ended.stdout + ended.stderr, "utf-8")
    runs, spent = (re.findall(r"Done (\d+) runs in (\d+) second", ended.stderr) or [("-", "-")])[-1]
    covered = (re.findall(r"cov: (\d+)", ended.stderr) or ["-"])[-1]
    peak = (re.findall(r"rss: (\d+)Mb", ended.stderr) or ["-"])[-1]
    found = "nothing" if ended.returncode == 0 else f"exit {ended.returncode}, see {folder.relative_to(ROOT)}"
    print(f"| `{name}` | {len(seeds)} | {runs} | {spent} | {covered} | {peak} | {found} |", flush=True)
    return ended.returncode != 0


if __name__ == "__main__":
    sys.exit(main())
