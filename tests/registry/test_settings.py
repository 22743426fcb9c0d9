# SPDX-License-Identifier: Apache-2.0
"""Where settings come from, and that logs never hold bytes."""

import json
import logging
from pathlib import Path

import pytest

from contracts.ids import Digest
from registry.errors import NotConfigured
from registry.logs import setup
from registry.settings import Settings, passphrase


def _home(tmp_path: Path, text: str) -> dict[str, str]:
    (tmp_path / "config.toml").write_text(text)
    return {"EXEQUATUR_HOME": str(tmp_path)}


def test_an_option_wins_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    around = _home(tmp_path, 'chain = "file"\nstore = "file"\naccount = "file"\nverifiers = ["a", "b"]\n')
    around |= {"EXEQUATUR_STORE": "env", "EXEQUATUR_ACCOUNT": "env"}
    read = Settings.load({"account": "option"}, around)
    assert (read.chain, read.store, read.account) == ("file", "env", "option")
    assert read.verifiers == ("a", "b")
    assert read.need_chain() == "file"


def test_what_is_not_set_has_a_default_or_says_so(tmp_path: Path) -> None:
    read = Settings.load({}, {"EXEQUATUR_HOME": str(tmp_path), "EXEQUATUR_VERIFIERS": "http://a, http://b"})
    assert read.store == str(tmp_path / "store")
    assert read.verifiers == ("http://a", "http://b")
    with pytest.raises(NotConfigured) as missing:
        read.need_chain()
    assert "chain up" in missing.value.hint


@pytest.mark.parametrize("text", ["chain = ", "chian = 'x'", "chain = 7", "verifiers = [7]", "\x00"])
def test_s8_a_settings_file_that_makes_no_sense(tmp_path: Path, text: str) -> None:
    with pytest.raises(NotConfigured) as refused:
        Settings.load({}, _home(tmp_path, text))
    assert "config.toml" in refused.value.where


def test_an_unknown_option_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotConfigured):
        Settings.load({"colour": "blue"}, {"EXEQUATUR_HOME": str(tmp_path)})


def test_the_passphrase_is_a_files_first_line_or_asked_for(tmp_path: Path) -> None:
    around = {"EXEQUATUR_HOME": str(tmp_path)}
    assert passphrase(Settings.load({}, around), lambda: "asked") == b"asked"
    file = tmp_path / "passphrase"
    file.write_bytes(b"first \r\nsecond\n")
    around["EXEQUATUR_PASSPHRASE_FILE"] = str(file)
    assert passphrase(Settings.load({}, around), lambda: "asked") == b"first "
    file.unlink()
    with pytest.raises(NotConfigured):
        passphrase(Settings.load({}, around), lambda: "asked")


SECRET = b"\x01secret key bytes\xff"


@pytest.mark.parametrize("as_json", [False, True])
def test_s4_no_bytes_reach_a_log(capsys: pytest.CaptureFixture[str], as_json: bool) -> None:
    root = logging.getLogger()
    before = list(root.handlers), root.level
    setup(json=as_json, verbose=True)
    setup(json=as_json, verbose=True)
    log = logging.getLogger("exequatur.test")
    name = Digest(bytes(32))
    log.info("positional %s %s", SECRET, name)
    log.info("named %(key)s", {"key": SECRET})
    log.info("nested %s", {"keys": [SECRET, (bytearray(SECRET),)]})
    log.debug("extra", extra={"key": memoryview(SECRET)})
    log.warning(SECRET)
    logging.getLogger("urllib3").info("not ours")
    root.handlers[:], level = before
    root.setLevel(level)
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 5
    assert "secret" not in said
    assert str(name) in said
    if as_json:
        assert [json.loads(line)["level"] for line in said.splitlines()] == [
            *["info"] * 3,
            "debug",
            "warning",
        ]


def test_an_exception_in_a_log_is_only_named_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before = list(root.handlers), root.level
    setup(json=True)
    try:
        raise ValueError("what")
    except ValueError:
        logging.getLogger("exequatur.enclave").exception("failed")
    root.handlers[:], level = before
    root.setLevel(level)
    assert json.loads(capsys.readouterr().err)["error"] == "ValueError"
