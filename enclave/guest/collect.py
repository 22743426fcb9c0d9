# SPDX-License-Identifier: Apache-2.0
"""One device's evidence, collected in a process of its own: `python -m enclave.guest.collect TASK KIND [ARGUMENT ...]`.

The quoter starts it for every peripheral, so that no vendor's library runs where the CPU's evidence device is open;
whoever wants to look at a machine's evidence starts it too. `count` tells how many devices of a kind there are,
`collect` takes report data or a peripheral's nonce from standard input. Standard output gets CBOR `["ok", result]`
or `["error", [type, what, where, hint, [reason, ...]]]`.
"""

import os
import sys

import cbor2

from contracts.errors import ExequaturError
from enclave.faults import MalformedMessage, UnknownMessage
from enclave.guest.collectors.enclosure import enclosed
from enclave.guest.collectors.nvml import Nvidia
from enclave.guest.collectors.spdm import Mctp, Spdm
from enclave.guest.devices import collector

_LONGEST_DATA = 64


def result(task: str, kind: str, arguments: tuple[str, ...], given: bytes) -> int | bytes:
    """The number of devices, or one's evidence as bundles carry it; raises `DeviceError`, `UnknownMessage`."""
    match task, kind, arguments:
        case "count", "nvidia-gpu", ():
            return Nvidia().count()
        case "collect", "nvidia-gpu", (index,):
            return Nvidia().collect(given[:32], _number(index))
        case "collect", "spdm", (endpoint,) | (endpoint, _):
            device = Mctp(_number(endpoint), *(_number(network) for network in arguments[1:]))
            try:
                return enclosed(Spdm(device).collect(given))
            finally:
                device.close()
        case "collect", _, _:
            return collector(kind, *arguments).collect(given)
    raise UnknownMessage("no such task", where=task[:80])


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 5):
        raise MalformedMessage("a device's number is decimal digits", where=text[:80])
    return int(text)


def main(arguments: list[str]) -> None:
    """Do the one task; standard output is the answer's alone, whatever a library prints."""
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    try:
        task, kind, *others = arguments
        given = sys.stdin.buffer.read(_LONGEST_DATA) if task == "collect" else b""
        told: list[object] = ["ok", result(task, kind, tuple(others), given)]
    except ExequaturError as error:
        told = ["error", [type(error).__name__, error.what, error.where, error.hint, list(error.reasons)]]
    with answer:
        answer.write(cbor2.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1:])
