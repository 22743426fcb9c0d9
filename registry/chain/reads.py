# SPDX-License-Identifier: Apache-2.0
"""Members of decoded structs and events, read with their types."""

from collections.abc import Mapping
from typing import TypeAlias, TypeVar

from contracts.ids import Address, FixedBytes
from registry.errors import ChainUnavailable

_Id = TypeVar("_Id", bound=FixedBytes)
_Whole: TypeAlias = int  # `Words.int` hides the name


class Words:
    """The members of one struct or event by name."""

    __slots__ = ("_members",)

    def __init__(self, members: Mapping[str, object]) -> None:
        self._members = members

    @classmethod
    def of(cls, value: object) -> "Words":
        """A decoded struct."""
        if isinstance(value, Mapping):
            return cls(value)
        raise ChainUnavailable("a value where a struct belongs", where="abi")

    def int(self, name: str) -> "int":
        """A number."""
        value = self._members[name]
        if type(value) is int:
            return value
        raise self._wrong(name)

    def flag(self, name: str) -> bool:
        """A truth value."""
        value = self._members[name]
        if isinstance(value, bool):
            return value
        raise self._wrong(name)

    def text(self, name: str) -> str:
        """A string."""
        value = self._members[name]
        if isinstance(value, str):
            return value
        raise self._wrong(name)

    def address(self, name: str) -> Address:
        """An address."""
        return self.id(name, Address)

    def id(self, name: str, kind: type[_Id]) -> _Id:
        """Bytes as the identifier they are."""
        value = self._members[name]
        if isinstance(value, bytes):
            return kind(value)
        raise self._wrong(name)

    def struct(self, name: str) -> "Words":
        """A struct within."""
        return Words.of(self._members[name])

    def addresses(self, name: str) -> tuple[Address, ...]:
        """An array of addresses."""
        value = self._members[name]
        if isinstance(value, tuple):
            return tuple(Address(item) for item in value)
        raise self._wrong(name)

    def ints(self, name: str) -> tuple[_Whole, ...]:
        """An array of numbers."""
        value = self._members[name]
        if isinstance(value, tuple) and all(type(item) is int for item in value):
            return value
        raise self._wrong(name)

    def _wrong(self, name: str) -> ChainUnavailable:
        return ChainUnavailable("a member of another type than the ABI says", where=name)
