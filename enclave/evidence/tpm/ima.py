# SPDX-License-Identifier: Apache-2.0
"""The kernel's IMA measurement list, binary form, replayed to PCR 10 (SPEC.md, section 7.6)."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Self

from enclave.errors import MalformedEvidence
from enclave.evidence.tpm.log import LogReader

_TEMPLATES = {
    b"ima-ng": 2,
    b"ima-ngv2": 2,
    b"ima-sig": 3,
    b"ima-sigv2": 3,
    b"ima-buf": 3,
    b"ima-modsig": 5,
}
_LONGEST_NAME = 4096
_VIOLATION = bytes(20)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImaEntry:
    """One file that the kernel measured: its path and digest; a violation has no digest that counts."""

    path: str
    algorithm: str
    digest: bytes
    violation: bool
    template: bytes = field(repr=False)

    @property
    def extended(self) -> bytes:
        """What the kernel extended into the SHA-256 bank."""
        return b"\xff" * 32 if self.violation else hashlib.sha256(self.template).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImaLog:
    """The files a kernel measured, in order."""

    entries: tuple[ImaEntry, ...]

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read `binary_runtime_measurements` with the templates that begin with a digest and a name."""
        reader = LogReader(raw, "IMA log")
        entries: list[ImaEntry] = []
        while reader.left:
            entries.append(_entry(reader))
        return cls(entries=tuple(entries))

    def matching(self, value: bytes, *, start: bytes = bytes(32)) -> int | None:
        """How many entries lead from `start` to `value`; None when no prefix does.

        A list read after a quote may have grown; only the matching entries are vouched for.
        """
        register = start
        if register == value:
            return 0
        for count, entry in enumerate(self.entries, 1):
            register = hashlib.sha256(register + entry.extended).digest()
            if register == value:
                return count
        return None

    def of(self, path: str) -> Iterator[ImaEntry]:
        """The measurements of one file."""
        return (entry for entry in self.entries if entry.path == path)


def _entry(reader: LogReader) -> ImaEntry:
    pcr, legacy = reader.number(4), reader.take(20)
    length = reader.number(4)
    name = reader.take(min(length, 64))
    if pcr != 10 or name not in _TEMPLATES:
        raise MalformedEvidence(f"PCR {pcr} with template {name!r}", where="IMA log")
    template = reader.sized()
    within = LogReader(template, "IMA entry")
    digest, path, *_ = [within.sized() for _ in range(_TEMPLATES[name])]
    algorithm, colon, value = digest.partition(b":\0")
    if legacy not in (_VIOLATION, hashlib.sha1(template, usedforsecurity=False).digest()):
        raise MalformedEvidence("a SHA-1 that is not the template's", where="IMA log")
    if within.left or not colon or not path.endswith(b"\0") or len(path) > _LONGEST_NAME:
        raise MalformedEvidence("fields that do not fit the template", where="IMA log")
    try:
        return ImaEntry(
            path=path[:-1].decode(),
            algorithm=algorithm.decode("ascii"),
            digest=value,
            violation=legacy == _VIOLATION,
            template=template,
        )
    except UnicodeDecodeError as error:
        raise MalformedEvidence("a name that is not text", where="IMA log") from error
