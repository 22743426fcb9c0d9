# SPDX-License-Identifier: Apache-2.0
"""Statuses of a TCB as Intel names them, and the pieces that both of its documents are made of (SPEC.md, section 4)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Self

from contracts.documents import parse_json
from enclave.errors import MalformedEvidence

_MOST = 1024
_LARGEST = 1 << 32


class Status(Enum):
    """How good Intel says a TCB is, and where that stands among the others: 8 is best, 0 revoked.

    Relaunch is advised where a TDX module was updated since a domain was launched on one that is out of date.
    """

    UP_TO_DATE = ("UpToDate", 8)
    SW_HARDENING = ("SWHardeningNeeded", 7)
    CONFIGURATION = ("ConfigurationNeeded", 6)
    CONFIGURATION_AND_SW = ("ConfigurationAndSWHardeningNeeded", 5)
    RELAUNCH = ("TDRelaunchAdvised", 4)
    RELAUNCH_CONFIGURATION = ("TDRelaunchAdvisedConfigurationNeeded", 3)
    OUT_OF_DATE = ("OutOfDate", 2)
    OUT_OF_DATE_CONFIGURATION = ("OutOfDateConfigurationNeeded", 1)
    REVOKED = ("Revoked", 0)

    def __init__(self, label: str, standing: int) -> None:
        self.label = label
        self.standing = standing

    @property
    def configuration(self) -> bool:
        """Whether something about the machine's configuration is to be changed."""
        return self in (
            Status.CONFIGURATION,
            Status.CONFIGURATION_AND_SW,
            Status.OUT_OF_DATE_CONFIGURATION,
        )

    @property
    def out_of_date(self) -> bool:
        """Whether flaws are known that an update removes."""
        return self in (Status.OUT_OF_DATE, Status.OUT_OF_DATE_CONFIGURATION)

    def together(self, part: "Status") -> "Status":
        """The status of a platform with this one, one part of which (TDX module, quoting enclave) has another."""
        if Status.REVOKED in (self, part):
            return Status.REVOKED
        if part.out_of_date and not self.out_of_date:
            return Status.OUT_OF_DATE_CONFIGURATION if self.configuration else Status.OUT_OF_DATE
        return self if part.out_of_date or self.standing <= part.standing else part

    def since(self, current: "Status") -> "Status":
        """The status of a domain launched on a TCB with this one, where `current` is that of today's TDX module."""
        if Status.REVOKED in (self, current):
            return Status.REVOKED
        if not self.out_of_date or current.out_of_date:
            return self
        needed = self.configuration or current.configuration
        return Status.RELAUNCH_CONFIGURATION if needed else Status.RELAUNCH


_PUBLISHED = {
    status.label: status
    for status in Status
    if status not in (Status.RELAUNCH, Status.RELAUNCH_CONFIGURATION)
}


class Node:
    """One object of a document, whose members must be there and of the right type."""

    def __init__(self, members: object, where: str) -> None:
        if not isinstance(members, dict):
            raise MalformedEvidence("not an object", where=where)
        self._members, self._where = members, where

    @classmethod
    def parse(cls, text: str, where: str) -> Self:
        """Read a whole document."""
        try:
            return cls(parse_json(text), where)
        except (ValueError, RecursionError) as error:
            raise MalformedEvidence("not JSON", where=where) from error

    def text(self, name: str) -> str:
        """A string."""
        value = self._members.get(name)
        if not isinstance(value, str):
            raise self._wrong(name, "a string")
        return value

    def number(self, name: str) -> int:
        """An unsigned integer below 2**32."""
        value = self._members.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < _LARGEST:
            raise self._wrong(name, "an unsigned integer")
        return value

    def hex(self, name: str, size: int) -> bytes:
        """Bytes in hex."""
        try:
            value = bytes.fromhex(self.text(name))
        except ValueError as error:
            raise self._wrong(name, "hex") from error
        if len(value) != size:
            raise self._wrong(name, f"{size} bytes")
        return value

    def instant(self, name: str) -> datetime:
        """A moment in UTC to the second."""
        try:
            return datetime.strptime(self.text(name), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        except ValueError as error:
            raise self._wrong(name, "a moment in UTC") from error

    def child(self, name: str) -> "Node":
        """An object."""
        return Node(self._members.get(name), f"{self._where}, {name}")

    def children(self, name: str, *, missing: bool = False) -> list["Node"]:
        """A list of objects, which may be `missing`."""
        value = self._list(name, missing)
        return [Node(one, f"{self._where}, {name}") for one in value]

    def texts(self, name: str) -> list[str]:
        """A list of strings, none where it is missing."""
        value = self._list(name, missing=True)
        if not all(isinstance(one, str) for one in value):
            raise self._wrong(name, "a list of strings")
        return [str(one) for one in value]

    def _list(self, name: str, missing: bool) -> list[object]:
        value = self._members.get(name, [] if missing else None)
        if not isinstance(value, list) or len(value) > _MOST:
            raise self._wrong(name, f"a list of at most {_MOST}")
        return value

    def _wrong(self, name: str, wanted: str) -> MalformedEvidence:
        return MalformedEvidence(f"{name} is {wanted}", where=self._where)


@dataclass(frozen=True, slots=True, kw_only=True)
class Masked:
    """A value of which only the bits in the mask count."""

    value: bytes
    mask: bytes

    def fits(self, found: bytes) -> bool:
        """Whether `found` has this value where the mask says so."""
        masked = [bits & mask for bits, mask in zip(found, self.mask, strict=True)]
        return masked == [bits & mask for bits, mask in zip(self.value, self.mask, strict=True)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Advised:
    """What Intel says of a level: status, since when, and which advisories apply."""

    status: Status
    date: datetime
    advisories: tuple[str, ...]

    @classmethod
    def read(cls, node: Node) -> Self:
        """Read the members that every level has."""
        label = node.text("tcbStatus")
        status = _PUBLISHED.get(label)
        if status is None:
            raise MalformedEvidence(f"unknown TCB status {label[:40]!r}", where="collateral")
        return cls(status=status, date=node.instant("tcbDate"), advisories=tuple(node.texts("advisoryIDs")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A level of an enclave or module: at least this security version has this status."""

    svn: int
    advised: Advised

    @classmethod
    def read(cls, node: Node) -> Self:
        """Read an entry of the `tcbLevels` of a QE identity or a TDX module."""
        return cls(svn=node.child("tcb").number("isvsvn"), advised=Advised.read(node))


def reached(levels: Sequence[Level], svn: int) -> Advised | None:
    """The first level that a security version reaches, in Intel's order; None for one below all of them."""
    return next((level.advised for level in levels if svn >= level.svn), None)
