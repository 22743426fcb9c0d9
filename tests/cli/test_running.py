# SPDX-License-Identifier: Apache-2.0
"""Roles that run until stopped: patient with a chain that is away, and with nothing else."""

import os
import signal
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import typer

from cli import running, salts
from cli.running import run, serving, stop_on_signals
from contracts.ids import BurnDomain
from registry.errors import ChainUnavailable, MalformedBook, NotConfigured

DOMAIN = BurnDomain(bytes(range(32)))


@pytest.fixture
def signals() -> Iterator[None]:
    """Handlers as they were."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def stepping(stop: threading.Event, *outcomes: bool | Exception) -> Callable[[], bool]:
    """A step with these outcomes, which stops its loop at the last."""
    left = list(outcomes)

    def step() -> bool:
        outcome = left.pop(0)
        if not left:
            stop.set()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return step


def test_a_chain_that_goes_away_is_waited_for() -> None:
    stop = threading.Event()
    run(stepping(stop, True, ChainUnavailable("gone"), ChainUnavailable("gone"), True), stop, pause=0.001)
    assert stop.is_set()


def test_every_other_error_ends_the_role() -> None:
    stop = threading.Event()
    with pytest.raises(MalformedBook):
        run(stepping(stop, MalformedBook("no book"), True), stop, pause=0.001)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_between_two_steps(signals: None, number: signal.Signals) -> None:
    stop = stop_on_signals()
    os.kill(os.getpid(), number)
    assert stop.wait(5)


def test_changes_are_told_once(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "_GLANCE", 0.001)
    stop, states, heard = threading.Event(), iter(["a", "a", "b"]), threading.Event()

    def state() -> str:
        now = next(states, "b")
        if now == "b":
            heard.set()
        return now

    running.tell_changes(state, stop)
    assert heard.wait(5)
    while "b" not in (said := capsys.readouterr().err) and not stop.wait(0.01):
        assert said.count("a") <= 1
    stop.set()


def test_serving_answers_at_a_free_port() -> None:
    def application(environ: object, start: Callable[..., object]) -> list[bytes]:
        start("200 OK", [])
        return [b"here"]

    with serving(application, "127.0.0.1:0") as url, urllib.request.urlopen(url, timeout=5) as answer:
        assert answer.read() == b"here"


def test_an_address_is_host_and_port() -> None:
    with pytest.raises(typer.BadParameter), serving(lambda *_: [], "localhost"):
        pass


def test_a_salt_is_drawn_once_and_read_by_its_owner_alone(tmp_path: Path) -> None:
    path = salts.make(tmp_path, DOMAIN)
    first = salts.read(tmp_path, DOMAIN)
    assert salts.make(tmp_path, DOMAIN) == path
    assert (salts.read(tmp_path, DOMAIN), len(first)) == (first, 32)
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("content", [None, "", "zz", "00" * 31])
def test_a_missing_or_malformed_salt_says_where(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        salts.make(tmp_path, DOMAIN).write_text(content)
    with pytest.raises(NotConfigured) as refused:
        salts.read(tmp_path, DOMAIN)
    assert str(DOMAIN) in refused.value.where
    assert "zz" not in refused.value.what
