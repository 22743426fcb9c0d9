# SPDX-License-Identifier: Apache-2.0
"""Reading policy tables strictly: every key is asked for once, and none is left over."""

import re
import tomllib
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from typing import TypeAlias

from contracts.records import Level
from enclave.errors import MalformedPolicy
from enclave.evidence.binding import Lockdown
from enclave.evidence.kinds import Kind

Json: TypeAlias = "str | int | bool | list[Json] | dict[str, Json]"

LARGEST = 2**53 - 1  # RFC 8785 numbers
_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", re.ASCII)


def toml(text: str | bytes) -> dict[str, object]:
    """What a person wrote, or what a file holds; raises `MalformedPolicy`."""
    try:
        return tomllib.loads(text if isinstance(text, str) else text.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise MalformedPolicy(f"not TOML: {error}", where="policy") from error


class Table:
    """One table of a policy; `done` refuses keys that nobody asked for."""

    def __init__(self, raw: object, where: str) -> None:
        if not isinstance(raw, dict):
            raise MalformedPolicy("not a table", where=where)
        self._left: dict[object, object] = dict(raw)
        self._where = where

    def integer(self, key: str, largest: int) -> int:
        """An integer from 0 to `largest`."""
        value = self._take(key)
        if type(value) is not int or not 0 <= value <= largest:
            raise self._wrong(key, f"an integer from 0 to {largest}")
        return value

    def boolean(self, key: str) -> bool:
        """True or false."""
        value = self._take(key)
        if type(value) is not bool:
            raise self._wrong(key, "true or false")
        return value

    def text(self, key: str) -> str:
        """A string."""
        value = self._take(key)
        if not isinstance(value, str):
            raise self._wrong(key, "a string")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of distinct strings."""
        values = self._list(key)
        texts = tuple(value for value in values if isinstance(value, str))
        if len(set(texts)) != len(values):
            raise self._wrong(key, "a list of distinct strings")
        return texts

    def choice(self, key: str, choices: Sequence[str]) -> str:
        """One of some words."""
        value = self.text(key)
        if value not in choices:
            raise self._wrong(key, " or ".join(choices))
        return value

    def level(self, key: str) -> Level:
        """An assurance level by name."""
        label = self.choice(key, tuple(level.label for level in Level))
        return next(level for level in Level if level.label == label)

    def hexadecimal(self, key: str, size: int) -> bytes:
        """`0x` and hex digits for `size` bytes."""
        return self._bytes(key, self.text(key), size)

    def hexes(self, key: str, size: int) -> tuple[bytes, ...]:
        """A list of distinct `hexadecimal` strings."""
        values = tuple(self._bytes(key, text, size) for text in self.texts(key))
        if len(set(values)) != len(values):
            raise self._wrong(key, "distinct values")
        return values

    def registers(self, key: str) -> tuple[bytes, ...]:
        """A list of distinct `hexadecimal` strings of any length."""
        values = tuple(self._bytes(key, text, len(text) // 2 - 1) for text in self.texts(key))
        if len(set(values)) != len(values):
            raise self._wrong(key, "distinct values")
        return values

    def integers(self, key: str, largest: int) -> tuple[int, ...]:
        """A list of distinct integers from 0 to `largest`."""
        values = self._list(key)
        whole = tuple(value for value in values if type(value) is int and 0 <= value <= largest)
        if len(set(whole)) != len(values):
            raise self._wrong(key, f"a list of distinct integers from 0 to {largest}")
        return whole

    def values(self, key: str) -> tuple[int | bool | str | bytes, ...]:
        """A list of distinct integers, booleans and strings; a string that begins with `0x` stands for bytes."""
        values = tuple(self._value(key, value) for value in self._list(key))
        if len({(type(value), value) for value in values}) != len(values):
            raise self._wrong(key, "distinct values")
        return values

    def instant(self, key: str) -> datetime:
        """An RFC 3339 instant in UTC, whole seconds, such as `2026-06-01T00:00:00Z`."""
        text = self.text(key)
        try:
            if not _INSTANT.fullmatch(text):
                raise ValueError(text)
            return datetime.fromisoformat(text).astimezone(UTC)
        except ValueError as error:
            raise self._wrong(key, "an instant like 2026-06-01T00:00:00Z") from error

    def table(self, key: str) -> "Table":
        """A table within."""
        return Table(self._take(key), f"{self._where}.{key}")

    def tables(self, key: str) -> list["Table"]:
        """A list of tables."""
        return [Table(raw, f"{self._where}.{key}[{n}]") for n, raw in enumerate(self._list(key))]

    def done(self) -> None:
        """Refuse whatever nobody asked for."""
        if self._left:
            raise MalformedPolicy(f"unknown keys {sorted(map(str, self._left))}", where=self._where)

    def _list(self, key: str) -> list[object]:
        value = self._take(key)
        if not isinstance(value, list):
            raise self._wrong(key, "a list")
        return value

    def _value(self, key: str, value: object) -> int | bool | str | bytes:
        if isinstance(value, str):
            return self._bytes(key, value, len(value) // 2 - 1) if value.startswith("0x") else value
        if isinstance(value, bool) or (isinstance(value, int) and 0 <= value <= LARGEST):
            return value
        raise self._wrong(key, f"a list of integers from 0 to {LARGEST}, booleans and strings")

    def _take(self, key: str) -> object:
        if key not in self._left:
            raise MalformedPolicy(f"missing key {key!r}", where=self._where, hint="nothing has a default")
        return self._left.pop(key)

    def _bytes(self, key: str, text: str, size: int) -> bytes:
        digits = text.removeprefix("0x")
        if digits == text or len(digits) != 2 * size or not set(digits) <= set("0123456789abcdefABCDEF"):
            raise self._wrong(key, f"0x and {2 * size} hex digits")
        return bytes.fromhex(digits)

    def _wrong(self, key: str, wanted: str) -> MalformedPolicy:
        return MalformedPolicy(f"{key} is {wanted}", where=self._where)


def plain(value: object) -> Json:
    """The JSON of a policy's value: bytes as hex, choices by name, dataclasses as objects."""
    match value:
        case Kind() | Level():
            return value.label
        case Lockdown():
            return [str(step.name).lower() for step in value]
        case bytes():
            return "0x" + value.hex()
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case tuple():
            return [plain(part) for part in value]
        case str() | int():
            return value
    if is_dataclass(value):
        named = ((field.metadata.get("key", field.name), field.name) for field in fields(value))
        return {key: plain(getattr(value, name)) for key, name in named}
    raise TypeError(f"no JSON for {type(value).__name__}")
