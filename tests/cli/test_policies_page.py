# SPDX-License-Identifier: Apache-2.0
"""The worked example of docs/policies.md does what the page says, on the evidence of a real machine."""

import re
import shlex
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Keyboard
from tests.conftest import ROOT
from tests.fakes.transcripts import exchanges, pattern

PAGE = (ROOT / "docs" / "policies.md").read_text("utf-8")
_BLOCK = re.compile(r"^```(console|toml)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def test_the_worked_example_works(
    keyboard: Keyboard, shared_evidence: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in (shared_evidence / "sev-snp" / "genoa-v3-vcek").iterdir():
        shutil.copy(file, tmp_path / file.name)
    monkeypatch.chdir(tmp_path)
    for language, block in _BLOCK.findall(PAGE):
        if language == "toml":
            with (tmp_path / "machine.toml").open("a", encoding="utf-8") as policy:
                policy.write("\n" + block)
            continue
        for exchange in exchanges(block):
            said = keyboard(*shlex.split(exchange.typed))
            assert said.code == exchange.code, (exchange, said)
            told = "\n".join(map(pattern, exchange.expected)).replace("\n.*", "(?s:.*)")
            assert re.fullmatch(told, (said.out + said.err).rstrip("\n")), (exchange, said)


def test_the_python_of_the_page_runs() -> None:
    (block,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    exec(compile(block, "docs/policies.md", "exec"), {})
