# SPDX-License-Identifier: Apache-2.0
"""Running a role until somebody stops it: one loop, one way to end, patience when the chain is away."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from cli.output import note, start_logs

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

_LONGEST_PAUSE, _GLANCE = 30.0, 0.2


def stop_on_signals() -> threading.Event:
    """An event that SIGTERM and SIGINT set, so that a role ends between two steps; from here on it logs."""
    start_logs()
    stop = threading.Event()

    def ask(*_: object) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, ask)
    signal.signal(signal.SIGINT, ask)
    return stop


def run(step: Callable[[], bool], stop: threading.Event, *, pause: float) -> None:
    """Call `step` until `stop`: again at once while it has work, else after `pause` seconds.

    A chain, store or network that is away is waited for, longer each time; every other error ends the role.
    """
    import logging

    from contracts.errors import ExequaturError, ExitCode

    log, wait = logging.getLogger("exequatur"), pause
    while not stop.is_set():
        try:
            if step():
                wait = pause
                continue
        except ExequaturError as error:
            if error.code != ExitCode.UNAVAILABLE:
                raise
            wait = min(2 * wait, _LONGEST_PAUSE)
            log.warning("%s; trying again in %.0f s", error, wait)
        else:
            wait = pause
        stop.wait(wait)


def tell_changes(state: Callable[[], str], stop: threading.Event) -> None:
    """Say what a role is doing whenever that changes, from a thread beside it."""

    def watch() -> None:
        said = ""
        while not stop.wait(_GLANCE):
            if (now := state()) != said:
                said = now
                note(said)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def serving(application: "WSGIApplication", address: str) -> Iterator[str]:
    """Serve a WSGI application at `host:port` in the background; yields the URL it has."""
    from waitress.server import create_server

    host, _, port = address.rpartition(":")
    if not port.isdecimal():
        raise typer.BadParameter(f"{address!r} is not host:port", param_hint="--listen")
    server = create_server(application, host=host or "127.0.0.1", port=int(port), threads=4)
    closing = threading.Event()

    def serve() -> None:
        try:
            server.run()
        except OSError:  # its loop looks at the socket that was closed under it
            if not closing.is_set():
                raise

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://{server.effective_host}:{server.effective_port}"
    finally:
        closing.set()
        server.close()
        thread.join(timeout=1)  # a client that stays connected keeps the loop alive
