# SPDX-License-Identifier: Apache-2.0
"""From words to code: nothing is built that is not proved, and the same words give the same bytes."""

import os
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from contracts import smt
from contracts.ids import Digest
from contracts.smt import Verdict
from contracts.solc import Compiler, find, virtual_sources
from registry.licensing import building, solidity
from registry.licensing.building import LARGEST, Built, build, compiled, printed
from registry.licensing.model import Licence
from registry.licensing.problems import LicenceRefused
from registry.licensing.reading import read
from registry.licensing.saying import say
from tests.fakes.licences import SAMPLES

pytestmark = pytest.mark.compiler
HOSTILE = "*/ } selfdestruct"


def sample(name: str) -> Licence:
    licence = read(SAMPLES[name]).licence
    assert licence is not None
    return licence


@cache
def built(name: str) -> Built:
    return build(sample(name), prove=False)


@pytest.mark.parametrize("name", SAMPLES)
def test_case_01_a_sample_builds_without_a_word_from_the_compiler(name: str) -> None:
    made = built(name)
    assert made.proof.held
    assert 5_000 < len(made.runtime) < LARGEST // 2
    assert made.runtime.find(made.digest) > 0
    assert not made.proved


@pytest.mark.slow
def test_case_01_a_sample_builds_with_every_kernel_proved() -> None:
    made = build(sample("pump"))
    assert made.proved
    assert {one.verdict for one in made.kernels} == {Verdict.PROVED}
    assert {Path(one.file).stem for one in made.kernels} == {f"{name}Proof" for name in smt.KERNELS}
    assert (made.runtime, made.creation) == (built("pump").runtime, built("pump").creation)


def test_case_03_the_same_words_build_the_same_bytes_elsewhere(tmp_path: Path) -> None:
    code = (
        "import sys; from registry.licensing.building import build; from registry.licensing.reading import read; "
        "print(build(read(sys.stdin.read()).licence, prove=False).creation.hex())"
    )
    root = Path(__file__).resolve().parents[3]
    said = say(sample("hospital")).replace("licence", "license") + "# a remark\n"
    there = {**os.environ, "PYTHONPATH": str(root), "PYTHONHASHSEED": "7"}
    command = [sys.executable, "-c", code]
    ran = subprocess.run(
        command, input=said, capture_output=True, text=True, check=True, cwd=tmp_path, env=there
    )
    assert bytes.fromhex(ran.stdout) == built("hospital").creation


def test_case_16_what_an_author_names_reaches_no_code() -> None:
    licence = sample("reseller")
    named = replace(
        licence,
        title=HOSTILE,
        model=replace(licence.model, name="{{ text }}"),
        licensor=replace(licence.licensor, name=HOSTILE),
    )
    (plain_text, plain), (text, source) = printed(licence), printed(named)
    assert HOSTILE in text
    assert HOSTILE not in source
    assert [one for one in zip(plain.splitlines(), source.splitlines(), strict=True) if one[0] != one[1]] == [
        (
            f"    bytes32 private constant _TEXT = {building.digest_of(plain_text)};",
            f"    bytes32 private constant _TEXT = {building.digest_of(text)};",
        )
    ]
    ours, theirs = build(named, prove=False), built("reseller")
    assert ours.runtime.replace(ours.digest, theirs.digest) == theirs.runtime


def test_case_16_the_printer_takes_numbers_and_hashes_only() -> None:
    filled = solidity.constants(sample("pump"), Digest(bytes(32)))
    with pytest.raises(TypeError, match="seats is no number"):
        dict(solidity._printed(replace(filled, seats="1; }")))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("old", "new"),
    [("return _TEXT;", "return _TEXTS;"), ("return _TEXT;", "uint256 unused = 1; return _TEXT;")],
    ids=["an error", "a warning"],
)
def test_e501_whatever_the_compiler_says_refuses(old: str, new: str) -> None:
    source = printed(sample("pump"))[1]
    assert old in source
    with pytest.raises(LicenceRefused) as refused:
        compiled(source.replace(old, new), find())
    assert set(refused.value.reasons) == {"E501"}


@pytest.fixture
def only_the_meter(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Compiler:
    """A compiler whose proofs are about the smallest kernel, and are not remembered."""
    compiler = find()
    monkeypatch.setattr(smt, "KERNELS", ("Meter",))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return compiler


def test_e502_a_kernel_that_breaks_its_promise_refuses(
    only_the_meter: Compiler, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overspending(folder: Path, prefix: str) -> dict[str, str]:
        found = virtual_sources(folder, prefix)
        return {name: text.replace("_spent += amount;", "") for name, text in found.items()}

    monkeypatch.setattr(smt, "virtual_sources", overspending)
    with pytest.raises(LicenceRefused) as refused:
        build(sample("pump"), compiler=only_the_meter)
    assert "E502" in refused.value.reasons
    assert "_bought == uint256(_left) + _spent" in str([one.message for one in refused.value.problems])


def test_e503_a_kernel_that_nobody_could_decide_refuses(
    only_the_meter: Compiler, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert build(sample("pump"), compiler=only_the_meter).proved
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "forgotten"))
    monkeypatch.setattr(smt, "_decide", lambda *_: "unknown\n")
    with pytest.raises(LicenceRefused) as refused:
        build(sample("pump"), compiler=only_the_meter)
    assert set(refused.value.reasons) == {"E503"}


def test_e503_kernels_that_promise_nothing_are_not_proved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "_kernels", lambda _: ())
    with pytest.raises(LicenceRefused) as refused:
        build(sample("pump"))
    assert refused.value.reasons == ("E503",)


def test_a_contract_too_large_for_a_chain_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "LARGEST", 5_000)
    with pytest.raises(LicenceRefused, match="chains take 5000"):
        build(sample("pump"), prove=False)
