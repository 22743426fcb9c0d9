# SPDX-License-Identifier: Apache-2.0
"""Gramine's `/dev/attestation`: opening `quote` makes one over what was written last."""

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass


def quote(report_data: bytes, signature: bytes = b"s" * 64) -> bytes:
    """The frame of a quote: header and report body with the report data at their end, then the signature."""
    return bytes(368) + report_data + len(signature).to_bytes(4, "little") + signature


@dataclass
class GramineFiles:
    """The files of one enclave; `absent` ones do not open, and a `lost` write leaves the zeros of the start."""

    make: Callable[[bytes], bytes] = quote
    kind: str = "dcap"
    absent: tuple[str, ...] = ()
    lost: bool = False
    written: bytes = bytes(64)

    def read(self, name: str) -> bytes:
        self._open(name)
        return {"attestation_type": lambda: self.kind.encode(), "quote": lambda: self.make(self.written)}[
            name
        ]()

    def write(self, name: str, value: bytes) -> None:
        self._open(name)
        if name != "user_report_data" or len(value) != 64:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        self.written = self.written if self.lost else value

    def _open(self, name: str) -> None:
        if name in self.absent:
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
