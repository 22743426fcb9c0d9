# SPDX-License-Identifier: Apache-2.0
"""What the guest gives up before the first plaintext byte; each step that a kernel refuses is missing in its claims."""

import ctypes
import resource
import socket
from contextlib import suppress

from enclave.evidence.binding import Lockdown

_PR_SET_DUMPABLE, _PR_GET_DUMPABLE = 4, 3
_PR_SET_NO_NEW_PRIVS, _PR_GET_NO_NEW_PRIVS = 38, 39
_NOWHERE = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "::1"))


def lock_down() -> Lockdown:
    """Give up privileges, dumps and cores for good; returns what is in force afterwards, by asking the kernel."""
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    reached = Lockdown(0)
    if libc.prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0) == 0:
        reached |= Lockdown.NOT_DUMPABLE
    if libc.prctl(_PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1:
        reached |= Lockdown.NO_NEW_PRIVILEGES
    if resource.getrlimit(resource.RLIMIT_CORE) == (0, 0):
        reached |= Lockdown.NO_CORE
    if _without_network():
        reached |= Lockdown.NETWORK
    return reached


def _without_network() -> bool:
    """Whether the kernel knows no route anywhere, not even to this machine itself."""
    for family, address in _NOWHERE:
        with socket.socket(family, socket.SOCK_DGRAM) as probe, suppress(OSError):
            probe.connect((address, 9))  # sends nothing
            return False
    return True
