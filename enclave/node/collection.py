# SPDX-License-Identifier: Apache-2.0
"""Evidence of this machine's devices outside of any guest, through the guest's own collectors in a process.

Whoever collects so gets evidence about the machine, and no binding to a node: verifiers refuse it for a release.
"""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import cbor2

from enclave.errors import DeviceError, remote_error

_COMMAND = (sys.executable, "-E", "-s", "-B", "-m", "enclave.guest.collect", "collect")
_PACKAGES = Path(__file__).resolve().parents[2]
_PATIENCE = 120.0


def collected(device: Sequence[str], report_data: bytes) -> bytes:
    """The body of one device's evidence; raises `DeviceError` with what the device or its driver said."""
    try:
        ran = subprocess.run(
            [*_COMMAND, *device],
            input=report_data,
            capture_output=True,
            timeout=_PATIENCE,
            cwd=_PACKAGES,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise DeviceError(f"no answer within {_PATIENCE:.0f} seconds", where=device[0]) from error
    try:
        word, result = cbor2.loads(ran.stdout)
    except Exception as error:  # cbor2 and unpacking raise many kinds
        raise DeviceError("the collector ended without an answer", where=device[0]) from error
    if word != "ok":
        raise remote_error(result)
    if type(result) is not bytes:
        raise DeviceError("an answer that does not parse", where=device[0])
    return result
