# SPDX-License-Identifier: Apache-2.0
"""Evidence of an SGX enclave that Gramine runs: the pseudo-files under `/dev/attestation`.

Gramine's Documentation/attestation.rst: the 64 bytes are written to `user_report_data`, and the next opening of
`quote` makes a quote over them. The files are the process's own, so that nobody else can come in between.
"""

from pathlib import Path
from typing import Protocol

from enclave.faults import DeviceError, DeviceUnavailable
from enclave.guest.collectors.enclosure import answered, enclosed, unavailable

KIND = "sgx"
FOLDER = "/dev/attestation"
_BODY = 432  # header and report of a quote; u32 length of the signature follows
_HINT = "run under gramine-sgx, with sgx.remote_attestation = 'dcap' in the manifest"


class Files(Protocol):
    """The two calls on the pseudo-files, which raise `OSError`."""

    def read(self, name: str) -> bytes:
        """All of a file, opened for this."""

    def write(self, name: str, value: bytes) -> None:
        """Write a file and close it."""


class PseudoFiles:
    """The files of a running enclave."""

    def __init__(self, folder: str = FOLDER) -> None:
        self._folder = Path(folder)

    def read(self, name: str) -> bytes:
        """All of a file, opened for this."""
        return (self._folder / name).read_bytes()

    def write(self, name: str, value: bytes) -> None:
        """Write a file and close it."""
        (self._folder / name).write_bytes(value)


class Gramine:
    """Collects evidence of the enclave that this process is in."""

    kind = KIND

    def __init__(self, files: Files | None = None) -> None:
        self._files = files or PseudoFiles()

    def collect(self, report_data: bytes) -> bytes:
        """A quote over the 64 bytes."""
        try:
            kind = self._files.read("attestation_type").strip()
            if kind != b"dcap":
                found = kind[:20].decode("ascii", "replace") or "nothing"
                what = f"the enclave is set up for attestation of type {found}, not dcap"
                raise DeviceUnavailable(what, where=FOLDER, hint=_HINT)
            self._files.write("user_report_data", report_data)
            quote = self._files.read("quote")
        except OSError as error:
            raise unavailable(error, FOLDER, _HINT) from error
        size = int.from_bytes(quote[_BODY : _BODY + 4], "little")
        if len(quote) < _BODY + 4 + size:
            raise DeviceError("a quote that is cut off", where=FOLDER, hint="collect again")
        return enclosed(answered(quote, report_data, FOLDER))
