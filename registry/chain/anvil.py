# SPDX-License-Identifier: Apache-2.0
"""anvil: a development chain for several processes, with finality two blocks behind its head.

Found in `$ANVIL_BIN`, on PATH, or where npm put it. Blocks come every second: an automining anvil never finalises.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from registry.chain.deploy import deploy_all
from registry.chain.dev import DevChain, fund
from registry.chain.reading import quantity
from registry.chain.transport import open_transport
from registry.errors import ChainUnavailable, NotConfigured
from registry.signing import Account

_MODULES = Path(__file__).resolve().parents[2] / "contracts" / "node_modules"
_STARTING = 20.0
_ENDING = 20.0


def find_anvil() -> str:
    """The program's path; raises `NotConfigured` with how to get it."""
    named = os.environ.get("ANVIL_BIN")
    packaged = _MODULES / "@foundry-rs" / "anvil-linux-amd64" / "bin" / "anvil"
    for place in (named, shutil.which("anvil"), str(_MODULES / ".bin" / "anvil"), str(packaged)):
        if place and os.access(place, os.X_OK):
            return place
    raise NotConfigured(
        "anvil is missing",
        where=named or "PATH",
        hint="npm install @foundry-rs/anvil and put it on PATH, or name it in ANVIL_BIN",
    )


def command(
    ipc: Path, *, state: Path | None = None, port: int = 8545, block_time: float = 1, chain_id: int = 31337
) -> list[str]:
    """The command line of a node that makes a block every `block_time` seconds and finalises."""
    parts = [find_anvil(), "--hardfork", "osaka", "--slots-in-an-epoch", "1", "--silent"]
    parts += ["--block-time", f"{block_time:g}", "--port", str(port), "--ipc", str(ipc)]
    parts += ["--chain-id", str(chain_id)]
    return [*parts, "--state", str(state)] if state else parts


def up(ipc: Path, *, state: Path, port: int = 8545, block_time: float = 1) -> "subprocess.Popen[bytes]":
    """Start a node that keeps its state in a file, and wait until it answers; stop it with SIGTERM."""
    state.parent.mkdir(parents=True, exist_ok=True)
    ipc.parent.mkdir(parents=True, exist_ok=True)
    return _start(command(ipc, state=state, port=port, block_time=block_time), ipc)


def down(process: "subprocess.Popen[bytes]") -> None:
    """Stop a node and let it write its state."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(_ENDING)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(_ENDING)


@contextmanager
def anvil(*, block_time: float = 1, deployed: bool = True) -> Iterator[DevChain]:
    """A node of its own on a free port and socket, with the contracts deployed; gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="exequatur-anvil-") as folder:
        ipc = Path(folder) / "anvil.ipc"
        process = _start(command(ipc, port=0, block_time=block_time), ipc)
        try:
            transport = open_transport(str(ipc))
            chain = DevChain(transport, quantity(transport.request("eth_chainId")))
            if deployed:
                account = Account.generate()
                fund(chain, account.address)
                chain.adopt(deploy_all(chain, account))
            yield chain
            chain.close()
        finally:
            down(process)


def _start(line: list[str], ipc: Path) -> "subprocess.Popen[bytes]":
    ipc.unlink(missing_ok=True)
    log = ipc.with_suffix(".log")
    with log.open("wb") as output:
        process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    deadline = time.monotonic() + _STARTING
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(ChainUnavailable):
            open_transport(str(ipc)).request("eth_chainId")
            return process
        time.sleep(0.05)
    process.kill()
    process.wait()
    said = log.read_text("utf-8", "replace").strip()
    raise ChainUnavailable(f"anvil did not start: {said[-500:]}", where=line[0])
