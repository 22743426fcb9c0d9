# SPDX-License-Identifier: Apache-2.0
"""Evidence of an SGX enclave that Gramine runs: the pseudo-files under `/dev/attestation`.

Gramine's Documentation/attestation.rst: the 64 bytes are written to `user_report_data`, and the next opening of
`quote` makes a quote over them. The files are the process's own, so that nobody else can come in between.
"""

from pathlib import Path

from enclave.faults import DeviceError, DeviceUnavailable
from enclave.guest.collectors.enclosure import answered, enclosed, unavailable

KIND = "sgx"
FOLDER = "/dev/attestation"
_BODY = 432  # header and report of a quote; u32 length of the signature follows
_HINT = "run under gramine-sgx, with sgx.remote_attestation = 'dcap' in the manifest"


class Gramine:
    """Collects evidence of the enclave that this process is in."""

    kind = KIND

    def __init__(self, folder: str = FOLDER) -> None:
        self._folder = Path(folder)

    def collect(self, report_data: bytes) -> bytes:
        """A quote over the 64 bytes."""
        try:
            kind = (self._folder / "attestation_type").read_bytes().strip()
            if kind != b"dcap":
                found = kind[:20].decode("ascii", "replace") or "nothing"
                what = f"the enclave is set up for attestation of type {found}, not dcap"
                raise DeviceUnavailable(what, where=FOLDER, hint=_HINT)
            (self._folder / "user_report_data").write_bytes(report_data)
            quote = (self._folder / "quote").read_bytes()
        except OSError as error:
            raise unavailable(error, FOLDER, _HINT) from error
        if len(quote) < _BODY + 4 or len(quote) < _BODY + 4 + int.from_bytes(
            quote[_BODY : _BODY + 4], "little"
        ):
            raise DeviceError("a quote that is cut off", where=FOLDER, hint="collect again")
        return enclosed(answered(quote, report_data, FOLDER))
