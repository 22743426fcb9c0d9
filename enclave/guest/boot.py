# SPDX-License-Identifier: Apache-2.0
"""First process of the guest: leaves the network, starts the quoter beside it, and becomes the vault.

`python -E -s -B -m enclave.guest.boot FD KIND [ARGUMENT ...]`: `FD` is the socket to the host, the rest names the
evidence device to the quoter.
"""

import ctypes
import os
import resource
import socket
import subprocess
import sys

_ENVIRONMENT = {
    "PATH": "/nowhere",
    "LANG": "C.UTF-8",
    "ORT_DISABLE_TELEMETRY": "1",
}  # it would report to its maker
_CLONE_NEWUSER, _CLONE_NEWNET = 0x1000_0000, 0x4000_0000
_PYTHON = (sys.executable, "-E", "-s", "-B", "-m")


def leave_network() -> None:
    """Move this process, still single-threaded, into a network namespace of its own where the kernel lets it."""
    libc = ctypes.CDLL(None)
    if libc.unshare(_CLONE_NEWNET):  # without privilege only together with a user namespace
        libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET)


def main(arguments: list[str]) -> None:
    """Start the quoter and turn into the vault; both keep the network namespace entered here."""
    leave_network()
    vault_end, quoter_end = socket.socketpair()
    subprocess.Popen(  # its parent, this process, becomes the vault; it ends when the vault's socket closes
        [*_PYTHON, "enclave.guest.quoter", str(quoter_end.fileno()), *arguments[1:]],
        pass_fds=[quoter_end.fileno()],
        stdin=subprocess.DEVNULL,
    )
    for descriptor in (int(arguments[0]), vault_end.fileno()):
        os.set_inheritable(descriptor, True)
    vault = [*_PYTHON, "enclave.guest.main", arguments[0], str(vault_end.fileno())]
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # the vault writes no file, nor does what it loads
    os.execve(sys.executable, vault, _ENVIRONMENT)  # noqa: S606 - no shell is the point


if __name__ == "__main__":
    main(sys.argv[1:])
