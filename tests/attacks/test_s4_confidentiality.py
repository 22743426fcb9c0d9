# SPDX-License-Identifier: Apache-2.0
"""S4: plaintext model, model key and user input exist only in guest memory.

Not on disk, in logs, core dumps, argv, environment, exceptions or on the wire; and a guest has no way out.
"""

import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from enclave.errors import EnclaveError
from enclave.evidence.binding import Lockdown
from enclave.node.host import Guest
from enclave.wire import Tensor, encode_tensors
from tests.fakes.jobs import ATTESTER, PLACE, Job, question

WEIGHTS = (0.123456789, 98765.4321, -3.14159274, 2.71828175e20)
SECRET_INPUT = (1234.5678, -8765.4321, 1.0e-20, 42.424242)
ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Tap:
    """A socket that remembers everything that went over it."""

    link: socket.socket
    seen: bytearray = field(default_factory=bytearray)

    def sendall(self, data: bytes, /) -> None:
        self.seen += data
        self.link.sendall(data)

    def recv_into(self, buffer: memoryview, nbytes: int = 0, flags: int = 0, /) -> int:
        got = self.link.recv_into(buffer, nbytes, flags)
        self.seen += buffer[:got]
        return got


@dataclass
class Run:
    """A guest that served once, and where it could have leaked."""

    guest: Guest
    secrets: dict[str, bytes]
    wire: bytes
    files: set[Path]

    @property
    def processes(self) -> list[int]:
        """The vault and its quoter."""
        vault = self.guest.process_id
        stats = {int(p.name): p / "stat" for p in Path("/proc").iterdir() if p.name.isdecimal()}
        parents = {}
        for process, stat in stats.items():
            try:
                parents[process] = int(stat.read_text().rpartition(")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
        return [vault, *(process for process, parent in parents.items() if parent == vault)]


def scratch() -> set[Path]:
    places = {Path("/dev/shm"), Path(tempfile.gettempdir()), Path("/var/tmp")}
    return {path for place in places if place.is_dir() for path in place.iterdir()}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    job = Job.make(tmp_path_factory.mktemp("secret"), WEIGHTS)
    before = scratch()
    guest = Guest.start(ATTESTER, stderr=subprocess.PIPE)
    tap = Tap(guest._link)
    guest._channel._link = tap
    job.serve(guest)
    wire = bytes(tap.seen)  # users' inputs are encrypted to the guest by sessions, which come on top
    guest.infer(question(*SECRET_INPUT))
    secrets = {
        "weights": np.array(WEIGHTS, "<f4").tobytes(),
        "data key": job.data_key,
        "input": np.array(SECRET_INPUT, "<f4").tobytes(),
    }
    yield Run(guest=guest, secrets=secrets, wire=wire, files=scratch() - before)
    guest.close()


def test_nothing_is_in_argv_or_environment(run: Run) -> None:
    assert len(run.processes) == 2
    for process in run.processes:
        for name in ("cmdline", "environ"):
            held = Path(f"/proc/{process}/{name}").read_bytes()
            for what, secret in run.secrets.items():
                assert secret not in held, what
                assert secret.hex().encode() not in held.lower(), what


def test_the_environment_is_minimal(run: Run) -> None:
    names = {
        part.partition(b"=")[0]
        for part in Path(f"/proc/{run.guest.process_id}/environ").read_bytes().split(b"\0")
    }
    assert names - {b""} <= {b"PATH", b"LANG", b"ORT_DISABLE_TELEMETRY"}


def test_the_key_and_the_weights_never_cross_the_wire(run: Run) -> None:
    assert run.secrets["weights"] not in run.wire
    assert run.secrets["data key"] not in run.wire


def test_no_file_is_open_and_none_was_left(run: Run) -> None:
    for process in run.processes:
        targets = {str(fd.readlink()) for fd in Path(f"/proc/{process}/fd").iterdir()}
        assert all(t == "/dev/null" or t.startswith(("socket:", "pipe:")) for t in targets), targets
    for path in (path for path in run.files if path.is_file()):
        assert not any(secret in path.read_bytes() for secret in run.secrets.values()), path


def test_no_core_is_dumped_and_no_privilege_comes_back(run: Run) -> None:
    process = Path(f"/proc/{run.guest.process_id}")
    limits = (process / "limits").read_text().splitlines()
    (core,) = (line for line in limits if line.startswith("Max core file size"))
    assert core.split()[4:6] == ["0", "0"]
    (written,) = (line for line in limits if line.startswith("Max file size"))
    assert written.split()[3:5] == ["0", "0"]
    assert "NoNewPrivs:\t1" in (process / "status").read_text()


def test_no_plain_weight_file_is_mapped(run: Run) -> None:
    maps = Path(f"/proc/{run.guest.process_id}/maps").read_text()
    backed = {line.split(None, 5)[5] for line in maps.splitlines() if len(line.split(None, 5)) == 6}
    files = [path for path in backed if not path.startswith(sys.prefix)]  # not installed libraries
    assert not [path for path in files if path.startswith(("/dev/shm", "/memfd", "/tmp"))]


def test_errors_say_nothing_of_an_input(run: Run) -> None:
    marked = b"SECRETSECRETSECR"
    wrong = [
        encode_tensors([Tensor(name="x", dtype="float32", shape=(2, 2), data=marked)]),
        encode_tensors([Tensor(name="x", dtype="float32", shape=(4,), data=marked)])[:-1],
        marked,
    ]
    for request in wrong:
        with pytest.raises(EnclaveError) as refused:
            run.guest.infer(request)
        told = repr((refused.value.args, refused.value.what, refused.value.where, refused.value.hint))
        assert "SECRET" not in told


CONNECT = """
import socket, sys
from enclave.guest.boot import leave_network
from enclave.guest.sandbox import lock_down
leave_network()
reached = lock_down()
try:
    socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=2)
except OSError as error:
    print(int(reached), type(error).__name__, error.errno)
else:
    print(int(reached), "connected")
"""


def test_a_guest_reaches_no_listener_outside(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        made = subprocess.run(
            [sys.executable, "-c", CONNECT, port], cwd=ROOT, capture_output=True, text=True, check=True
        )
    claimed, outcome = made.stdout.split(maxsplit=1)
    if Lockdown(int(claimed)) & Lockdown.NETWORK:
        assert "connected" not in outcome
    else:
        assert "connected" in outcome  # a kernel that refuses namespaces: the claim says so


def test_the_claim_of_no_network_is_the_kernels(run: Run) -> None:
    claimed = Lockdown(run.guest.attest(PLACE).claims.lockdown) & Lockdown.NETWORK
    own = Path("/proc/self/ns/net").readlink()
    for process in run.processes:
        assert bool(claimed) == (Path(f"/proc/{process}/ns/net").readlink() != own)


def test_stopping_leaves_nothing_on_the_streams(run: Run) -> None:
    run.guest.notice()
    stderr = run.guest._process.stderr
    run.guest.close()
    assert stderr is not None
    assert stderr.read() == b""
