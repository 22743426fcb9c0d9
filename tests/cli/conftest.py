# SPDX-License-Identifier: Apache-2.0
"""A person at a keyboard: a home folder, accounts, and commands typed in this process or another."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from typer.testing import CliRunner

from cli.main import app
from registry.chain.dev import fund
from registry.chain.embedded import EmbeddedChain, embedded
from registry.errors import RpcFailed
from registry.signing import Account
from tests.fakes.models import linear

ROOT = Path(__file__).resolve().parents[2]
PASSPHRASE = b"correct horse"
_PATIENCE = 60.0


@dataclass(frozen=True)
class Said:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, object]:
        return json.loads(self.out)


@dataclass
class Keyboard:
    """Types commands under one home folder."""

    home: Path
    environment: dict[str, str]
    running: list["subprocess.Popen[str]"] = field(default_factory=list)

    def __call__(self, *words: object, account: str = "") -> Said:
        """Type a command, in this process."""
        extra = {"EXEQUATUR_ACCOUNT": account} if account else {}
        result = CliRunner().invoke(app, [str(word) for word in words], env=self.environment | extra)
        return Said(result.exit_code, result.stdout, result.stderr)

    def json(self, *words: object, account: str = "") -> dict[str, object]:
        """Type a command that must work, and read its result."""
        said = self(*words, "--json", account=account)
        assert said.code == 0, (words, said)
        return said.json

    def start(self, *words: object, account: str = "") -> dict[str, object]:
        """Type a command that goes on, in another process; returns what it says when it is ready."""
        process = subprocess.Popen(
            self.line(*words, "--json"),
            env=os.environ | self.environment | {"EXEQUATUR_ACCOUNT": account, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=(self.home / f"{len(self.running)}.log").open("w"),
            text=True,
        )
        self.running.append(process)
        assert process.stdout is not None
        first = process.stdout.readline()
        assert first, (words, (self.home / f"{len(self.running) - 1}.log").read_text())
        return json.loads(first)

    def line(self, *words: object) -> Sequence[str]:
        """A command as another process runs it."""
        return [sys.executable, "-m", "cli.main", *map(str, words)]

    def spawn(self, *words: object, code: str = "") -> "subprocess.CompletedProcess[str]":
        """Type a command in another process, and wait; or run `code` there."""
        line = [sys.executable, "-c", code, *map(str, words)] if code else self.line(*words)
        environment = os.environ | self.environment | {"PYTHONPATH": str(ROOT)}
        return subprocess.run(
            line, env=environment, capture_output=True, text=True, timeout=_PATIENCE, check=False
        )

    def account(self, name: str) -> Account:
        """An account in the home folder, behind a quick passphrase."""
        made = Account.generate()
        made.save(self.home / "accounts" / f"{name}.json", PASSPHRASE, iterations=2)
        return made

    def end(self) -> list[int]:
        """Stop whatever goes on; returns how each ended, in the order of their starting."""
        for process in reversed(self.running):
            process.send_signal(signal.SIGTERM)
            process.wait(_PATIENCE)
        return [process.returncode for process in self.running]


@pytest.fixture
def keyboard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Keyboard]:
    """A fresh home folder."""
    for name in [name for name in os.environ if name.startswith("EXEQUATUR_")]:
        monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    (home / "passphrase").write_bytes(PASSPHRASE + b"\n")
    environment = {"EXEQUATUR_HOME": str(home), "EXEQUATUR_PASSPHRASE_FILE": str(home / "passphrase")}
    monkeypatch.chdir(tmp_path)
    board = Keyboard(home, environment)
    yield board
    board.end()


class _Answer(BaseHTTPRequestHandler):
    """One JSON-RPC request to an embedded chain."""

    chain: ClassVar[EmbeddedChain]

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        reply = {"jsonrpc": "2.0", "id": asked["id"]}
        try:
            reply["result"] = self.chain.transport.request(asked["method"], *asked["params"])
        except RpcFailed as error:
            reply["error"] = {"code": error.number, "message": error.what, "data": "0x" + error.data.hex()}
        body = json.dumps(reply).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="session")
def served_chain() -> Iterator[tuple[EmbeddedChain, str]]:
    """A chain in this process with the contracts deployed, and the URL at which it answers."""
    chain = embedded()
    server = HTTPServer(("127.0.0.1", 0), type("Answer", (_Answer,), {"chain": chain}))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield chain, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def connected(keyboard: Keyboard, served_chain: tuple[EmbeddedChain, str]) -> Keyboard:
    """A keyboard whose commands find a chain, with a funded account called owner."""
    chain, url = served_chain
    chain.book.save(keyboard.home / "deployments" / f"{chain.chain_id}.json")
    keyboard.environment |= {"EXEQUATUR_CHAIN": url, "EXEQUATUR_ACCOUNT": "owner"}
    fund(chain, keyboard.account("owner").address)
    return keyboard


@pytest.fixture
def small_model(tmp_path: Path) -> Path:
    """`y = x @ w`, for four numbers in and two out: a column of ones, and a column of twos."""
    weights = np.repeat(np.array([[1, 2]], np.float32), 4, axis=0)
    path = tmp_path / "small.onnx"
    path.write_bytes(linear(weights).SerializeToString())
    return path


@pytest.fixture
def wait_until() -> object:
    """Ask again and again until a question has an answer."""

    def until(question: object, patience: float = _PATIENCE) -> object:
        deadline = time.monotonic() + patience
        while not (answer := question()):  # type: ignore[operator]
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.25)
        return answer

    return until
