# SPDX-License-Identifier: Apache-2.0
"""Writing a licence at the keyboard: asked for at a terminal, named without one, never a stack."""

import os
import pty
import re
import select
import subprocess
import sys
from pathlib import Path

import pytest

from registry.licensing.drafting import template
from registry.licensing.report import check
from tests.cli.conftest import Keyboard
from tests.conftest import ROOT

PUMP = (ROOT / "tests" / "vectors" / "licences" / "pump.txt").read_text("utf-8")
_PATIENCE = 60.0
EXAMPLES = {blank.name: blank.example for blank in template("evaluation").blanks}


def filling(**given: str) -> list[str]:
    return [word for name, answer in (EXAMPLES | given).items() for word in ("--set", f"{name}={answer}")]


class Terminal:
    """A person at a terminal who types lines and reads what comes."""

    def __init__(self, keyboard: Keyboard, *words: str) -> None:
        self._ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "cli.main", *words],
            env=os.environ | keyboard.environment | {"PYTHONPATH": str(ROOT)},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            close_fds=True,
            start_new_session=True,
            preexec_fn=_controlled,
        )
        os.close(theirs)
        self.read = ""

    def type(self, line: str) -> None:
        """Type something as it is."""
        os.write(self._ours, line.encode())

    def until(self, words: str) -> str:
        """Read on until these words were printed; returns all that was read for them."""
        found = ""
        while words not in found:
            assert select.select([self._ours], [], [], _PATIENCE)[0], (words, self.read + found)
            found += os.read(self._ours, 4096).decode("utf-8", "replace")
        self.read += found
        return found

    def end(self, pressing: str = "") -> int:
        """How the command ended, once everything it said was read; a key is pressed again while it says nothing."""
        waited = 0
        try:
            while waited < _PATIENCE:
                if not select.select([self._ours], [], [], 1)[0]:
                    waited += 1
                    self.type(pressing)
                elif piece := os.read(self._ours, 4096):
                    self.read += piece.decode("utf-8", "replace")
                else:
                    break
        except OSError:  # the other end is closed
            pass
        return self.process.wait(_PATIENCE)


def _controlled() -> None:
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def test_a_terminal_is_asked_for_every_blank_and_again_after_a_bad_answer(keyboard: Keyboard) -> None:
    terminal = Terminal(keyboard, "licence", "new", "evaluation", "--out", "trial.txt")
    for blank in template("evaluation").blanks:
        terminal.until(blank.question)
        if blank.name == "fixed length":
            terminal.type("twenty days\n")
            assert "E101" in terminal.until(blank.question)
        terminal.type(f"{blank.example}\n")
    assert terminal.end() == 0, terminal.read
    assert check(Path("trial.txt").read_text("utf-8")).ok


@pytest.mark.parametrize("key", ["\x03", "\x04"], ids=["ctrl-c", "end of input"])
def test_whoever_leaves_a_question_leaves_quietly(keyboard: Keyboard, key: str) -> None:
    terminal = Terminal(keyboard, "licence", "new", "evaluation", "--out", "trial.txt")
    terminal.until("For example Pump Guard Edge")
    assert terminal.end(pressing=key) == 130
    assert "Traceback" not in terminal.read
    assert not Path("trial.txt").exists()


def test_without_a_terminal_missing_answers_are_named(keyboard: Keyboard) -> None:
    for extra in ([], ["--json"]):
        said = keyboard("licence", "new", "evaluation", "--set", "model name=x", *extra)
        assert said.code == 2
        told = said.out + said.err
        assert all(name in told for name in EXAMPLES if name != "model name")


def test_answers_from_the_command_line_make_a_licence(keyboard: Keyboard) -> None:
    made = keyboard.json("licence", "new", "evaluation", *filling())
    assert check(str(made["text"])).ok
    said = keyboard("licence", "new", "evaluation", *filling())
    assert said.out == made["text"]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (filling(**{"fixed length": "2 months"}), 3, "E207"),
        (filling(**{"licensee address": EXAMPLES["licensor address"]}), 3, "E208"),
        (["--set", "colour=blue"], 2, "names no blank of this kind"),
        (["--set", "licence title"], 2, "names no blank of this kind"),
    ],
)
def test_wrong_answers_are_refused_at_once(
    keyboard: Keyboard, words: list[str], code: int, told: str
) -> None:
    said = keyboard("licence", "new", "evaluation", *words, "--out", "trial.txt")
    assert (said.code, said.out) == (code, "")
    assert told in said.err
    assert not Path("trial.txt").exists()


def test_a_file_is_never_replaced(keyboard: Keyboard) -> None:
    Path("trial.txt").write_text("mine")
    assert keyboard("licence", "new", "evaluation", *filling(), "--out", "trial.txt").code == 2
    assert Path("trial.txt").read_text() == "mine"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"\x00" * 100,
        b'"' * 10_000,
        b"x" * 3_000_000,
        b"The licence is free of charge.\n" * 9,
    ],
    ids=["nothing", "not utf-8", "zeros", "quotes", "too long", "one sentence"],
)
@pytest.mark.parametrize(
    "words",
    [["check"], ["say"], ["explain"], ["prove"], ["odrl"], ["import"], ["build", "-o", "out"], ["deploy"]],
    ids=lambda words: words[0],
)
def test_whatever_a_file_holds_the_answer_is_about_it(
    keyboard: Keyboard, words: list[str], content: bytes
) -> None:
    Path("any.txt").write_bytes(content)
    said = keyboard("licence", words[0], "any.txt", *words[1:])
    assert said.code == 3
    assert "Traceback" not in said.out + said.err
    assert re.search(r"^E[1-3]\d\d", said.out + said.err, re.MULTILINE)
    assert len(said.out + said.err) < 9_000
    said = keyboard("licence", words[0], "any.txt", *words[1:], "--json")
    assert said.code == 3
    assert ("errors" in said.json) == (words[0] == "check")
    assert not Path("out").exists()


def test_no_text_moves_the_cursor_of_who_checks_it(keyboard: Keyboard) -> None:
    for odd in ("\x1b[2J", "\u202e", "\x07"):
        for old in ("Nordwerk", "model in", "suspended until"):
            Path("odd.txt").write_text(
                PUMP.replace(old, f"{odd}{old}").replace("until", f"# {odd}\nuntil"), "utf-8"
            )
            for words in (["check"], ["say"], ["explain"]):
                said = keyboard("licence", *words, "odd.txt")
                assert odd not in said.out + said.err, words


@pytest.mark.parametrize("words", [["check"], ["say"], ["odrl"], ["import"], ["picture", "--out", "x.svg"]])
def test_a_file_that_is_not_there_is_a_usage_error(keyboard: Keyboard, words: list[str]) -> None:
    said = keyboard("licence", words[0], "absent.txt", *words[1:], "--json")
    assert (said.code, said.json["error"]["type"]) == (2, "FileNotFoundError")  # type: ignore[index]


def test_a_licence_goes_through_every_command_that_only_reads_it(keyboard: Keyboard) -> None:
    Path("pump.txt").write_text(PUMP, "utf-8")
    said = keyboard.json("licence", "say", "pump.txt")
    assert said["text"] == PUMP
    assert keyboard("licence", "say", "pump.txt").out == PUMP
    assert keyboard.json("licence", "check", "pump.txt")["ok"] is True
    proved = keyboard.json("licence", "prove", "pump.txt")
    assert (len(proved["properties"]), proved["stories"]) == (12, {})  # type: ignore[arg-type]
    Path("pump.json").write_text(keyboard("licence", "odrl", "pump.txt").out, "utf-8")
    assert keyboard.json("licence", "import", "pump.json") == said
    explained = keyboard.json("licence", "explain", "pump.txt")
    assert set(explained) == {"clauses", "because", "remarks"}
    for suffix, start in ((".svg", "<svg"), (".dot", "digraph"), (".pnml", "<?xml")):
        keyboard.json("licence", "picture", "pump.txt", "--out", f"pump{suffix}")
        assert Path(f"pump{suffix}").read_text("utf-8").startswith(start)
    assert keyboard("licence", "picture", "pump.txt", "--out", "pump.gif").code == 2
