# SPDX-License-Identifier: Apache-2.0
"""The evidence devices of a guest: the root device, which the quoter opens, and peripherals, which it never does.

A peripheral is collected by `enclave.guest.collect` in a process that has no descriptor of the quoter's and none of
its memory, so that a vendor's library cannot ask the root device for evidence through it.
"""

import subprocess
import sys
from collections.abc import Sequence
from typing import Protocol

import cbor2

from contracts.ids import Digest
from enclave.faults import DeviceError, UnknownMessage, remote_error
from enclave.guest.collectors.gramine import Gramine
from enclave.guest.collectors.nsm import Nsm
from enclave.guest.collectors.software import Software
from enclave.guest.collectors.tpm import Tpm
from enclave.guest.collectors.tsi import Tsi
from enclave.guest.collectors.tsm import Tsm

SEPARATOR = "+"
MOST = 32
PERIPHERALS = ("nvidia-gpu", "spdm")
_COMMAND = (sys.executable, "-E", "-s", "-B", "-m", "enclave.guest.collect")
_PATIENCE = 60.0


class Collector(Protocol):
    """The interface to a root device."""

    kind: str

    def collect(self, report_data: bytes) -> bytes:
        """Evidence over the 64 bytes, as bundles carry it."""


class Peripherals(Protocol):
    """The interface to all other devices, each named by its kind and what tells it from others."""

    def expand(self, named: Sequence[str]) -> list[tuple[str, ...]]:
        """Every device that these words name."""

    def collect(self, named: Sequence[str], nonce: bytes) -> bytes:
        """Evidence of one device over its nonce of 32 bytes, as bundles carry it."""


def collector(kind: str, *arguments: str) -> Collector:
    """The collector of that root device; raises `UnknownMessage` for one that this guest does not have."""
    match kind, arguments:
        case "software", (guest_files,):
            return Software(Digest.parse(guest_files))
        case "tpm", (tcti, certificate, *logs) if len(logs) <= 2:
            return Tpm(tcti, certificate, *logs)
        case (("tdx" | "sev-snp" | "arm-cca"), ()):
            return Tsm(kind)
        case "aws-nitro", ():
            return Nsm()
        case "sgx", ():
            return Gramine()
        case "virtcca", ():
            return Tsi()
    raise UnknownMessage("no such evidence device, or other arguments than it takes", where=kind[:80])


def apart(words: Sequence[str]) -> list[tuple[str, ...]]:
    """The devices of a command line, root device first: each its kind and arguments, with `+` between two."""
    devices: list[list[str]] = [[]]
    for word in words:
        if word == SEPARATOR:
            devices.append([])
        else:
            devices[-1].append(word)
    if not all(devices) or len(devices) > MOST:
        raise UnknownMessage(f"a device without a kind, or more than {MOST} devices", where="devices")
    return [tuple(device) for device in devices]


class Processes:
    """Peripherals as processes collect them; one that is slow or breaks is an error, and nothing else."""

    def expand(self, named: Sequence[str]) -> list[tuple[str, ...]]:
        """A kind without arguments stands for all of its devices, where they are numbered."""
        if named[0] not in PERIPHERALS:
            known = ", ".join(PERIPHERALS)
            raise UnknownMessage(f"no such peripheral; known are {known}", where=named[0][:80])
        if named[1:] or named[0] != "nvidia-gpu":
            return [tuple(named)]
        count = self._run("count", named, b"")
        if type(count) is not int or not 0 < count <= MOST:
            raise DeviceError(f"no number of devices from 1 to {MOST}", where=named[0])
        return [(named[0], str(index)) for index in range(count)]

    def collect(self, named: Sequence[str], nonce: bytes) -> bytes:
        """What the process printed, not believed."""
        body = self._run("collect", named, nonce)
        if type(body) is not bytes:
            raise DeviceError("an answer that does not parse", where=named[0])
        return body

    def _run(self, task: str, named: Sequence[str], given: bytes) -> object:
        try:
            ran = subprocess.run(
                [*_COMMAND, task, *named], input=given, capture_output=True, timeout=_PATIENCE, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise DeviceError(f"no answer within {_PATIENCE:.0f} seconds", where=named[0]) from error
        try:
            word, result = cbor2.loads(ran.stdout)
        except Exception as error:  # cbor2 and unpacking raise many kinds
            raise DeviceError("the collector ended without an answer", where=named[0]) from error
        if word != "ok":
            raise remote_error(result)
        return result
