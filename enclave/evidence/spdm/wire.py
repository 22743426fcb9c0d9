# SPDX-License-Identifier: Apache-2.0
"""SPDM messages as bytes: their codes, and a reader that leaves nothing unread (DSP0274 1.3, section 10.1)."""

from enclave.errors import MalformedEvidence

VERSION_10, VERSION_11, VERSION_12, VERSION_13 = 0x10, 0x11, 0x12, 0x13
VERSIONS = (VERSION_11, VERSION_12, VERSION_13)
GET_DIGESTS, GET_CERTIFICATE, CHALLENGE, GET_VERSION = 0x81, 0x82, 0x83, 0x84
GET_MEASUREMENTS, GET_CAPABILITIES, NEGOTIATE_ALGORITHMS = 0xE0, 0xE1, 0xE3
ERROR = 0x7F
NONCE = 32
CONTEXT = 8
MOST_OPAQUE = 1024


class Reader:
    """Takes little-endian fields of one message from the front; running out, or leaving some, is malformed."""

    def __init__(self, raw: bytes, where: str) -> None:
        self._raw, self._at, self.where = raw, 0, where

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        if size > len(self._raw) - self._at:
            raise self.wrong("cut off")
        self._at += size
        return self._raw[self._at - size : self._at]

    def number(self, size: int) -> int:
        """The next unsigned integer."""
        return int.from_bytes(self.take(size), "little")

    def head(self, version: int, code: int) -> tuple[int, int]:
        """The two parameters behind a version and a code that are as expected."""
        found, named, first, second = self.take(4)
        if named != code:
            raise self.wrong(f"code {named:#04x} where {code:#04x} belongs")
        if found != version:
            raise self.wrong(f"version {found:#04x} in a connection of {version:#04x}")
        return first, second

    def opaque(self) -> bytes:
        """Opaque data behind its length."""
        if (size := self.number(2)) > MOST_OPAQUE:
            raise self.wrong(f"{size} bytes of opaque data, at most {MOST_OPAQUE} may be")
        return self.take(size)

    @property
    def taken(self) -> bytes:
        """Everything up to here."""
        return self._raw[: self._at]

    def done(self) -> None:
        """Refuse trailing bytes."""
        if self._at != len(self._raw):
            raise self.wrong(f"{len(self._raw) - self._at} bytes too many")

    def wrong(self, what: str) -> MalformedEvidence:
        """The error to raise for anything unexpected here."""
        return MalformedEvidence(what, where=f"SPDM {self.where}")
