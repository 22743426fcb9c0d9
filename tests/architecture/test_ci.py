# SPDX-License-Identifier: Apache-2.0
"""CI skips nothing: a skipped test, module or fixture passes on a desk and fails under CI=true."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SKIPS = {
    "test_body.py": "import pytest\ndef test_it():\n    pytest.skip('no reason')\n",
    "test_mark.py": "import pytest\n@pytest.mark.skipif(True, reason='no reason')\ndef test_it(): ...\n",
    "test_module.py": "import pytest\npytest.importorskip('no_such_module')\ndef test_it(): ...\n",
    "test_fixture.py": (
        "import pytest\n@pytest.fixture\ndef it():\n    pytest.skip('no reason')\ndef test_it(it): ...\n"
    ),
    "test_xfail.py": "import pytest\n@pytest.mark.xfail\ndef test_it():\n    assert False\n",
}


def _summary(folder: Path, ci: str) -> str:
    for name, text in SKIPS.items():
        (folder / name).write_text(text, "utf-8")
    options = ["-q", "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(folder), "-p", "tests.conftest"]
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "--continue-on-collection-errors", str(folder)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "CI": ci},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return ended.stdout.strip().splitlines()[-1]


def test_skip_is_a_skip_on_a_desk(tmp_path: Path) -> None:
    assert _summary(tmp_path, ci="").startswith("4 skipped, 1 xfailed")


def test_skip_is_a_failure_in_ci(tmp_path: Path) -> None:
    # Skips of a module, a mark and a fixture come before the test starts, and count as errors.
    assert _summary(tmp_path, ci="true").startswith("1 failed, 1 xfailed, 3 errors")
