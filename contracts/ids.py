# SPDX-License-Identifier: Apache-2.0
"""Identifiers: fixed-length byte strings, checked once, distinct to the type checker."""

from typing import ClassVar, Self

from contracts.errors import MalformedId


class FixedBytes(bytes):
    """A byte string of one length, printed as `0x` and lower-case hex."""

    SIZE: ClassVar[int] = 32

    def __new__(cls, raw: bytes) -> Self:
        if len(raw) != cls.SIZE:
            raise MalformedId(f"{cls.__name__} needs {cls.SIZE} bytes, got {len(raw)}")
        return super().__new__(cls, raw)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `0x` and hex digits; raises `MalformedId` for anything else."""
        digits = text.removeprefix("0x")
        if text == digits or len(digits) != 2 * cls.SIZE:
            raise MalformedId(f"{cls.__name__} is 0x and {2 * cls.SIZE} hex digits, got {text[:80]!r}")
        try:
            return cls(bytes.fromhex(digits))
        except ValueError as error:
            raise MalformedId(f"{cls.__name__} has a character that is not hex: {text[:80]!r}") from error

    def __str__(self) -> str:
        return "0x" + self.hex()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self})"


class Digest(FixedBytes):
    """Any 32-byte digest that has no name of its own."""


class SealId(FixedBytes):
    """Digest of a sealed model: preamble and ciphertext root."""


class ModelId(FixedBytes):
    """A registered model."""


class PolicyId(FixedBytes):
    """A published attestation policy."""


class NodeId(FixedBytes):
    """One boot of one guest: its HPKE key, receipt key and chain address."""


class ReleaseId(FixedBytes):
    """One release of one model version to one node."""


class BurnDomain(FixedBytes):
    """A named list of burnt platforms and recalled workloads, held by one controller."""


class Half(FixedBytes):
    """The first 16 bytes of a digest, as the attestation log stores workload and platform."""

    SIZE = 16


class Address(FixedBytes):
    """An account or contract on the chain."""

    SIZE = 20


ZERO_DIGEST = Digest(bytes(32))
ZERO_ADDRESS = Address(bytes(20))
