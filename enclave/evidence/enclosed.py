# SPDX-License-Identifier: Apache-2.0
"""A device's evidence as bundles carry it: what the device said, and what endorses it (SPEC.md, section 4)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Self

import cbor2

from enclave.errors import MalformedEvidence
from enclave.evidence.cbor import decode
from enclave.evidence.endorsements import Endorsements

_LONGEST = 16 << 20
_MOST_PIECES = 64


@dataclass(frozen=True, kw_only=True)
class Enclosed:
    """Deterministic CBOR `[evidence, [endorsement, ...]]`; the evidence is exactly what the device gave."""

    evidence: bytes = field(repr=False)
    pieces: tuple[bytes, ...] = field(repr=False)

    @cached_property
    def endorsements(self) -> Endorsements:
        """The pieces, known by their content; raises `MalformedEvidence`."""
        return Endorsements.sort(self.pieces)

    def encode(self) -> bytes:
        """The body in a bundle."""
        return cbor2.dumps([self.evidence, list(self.pieces)], canonical=True)

    def and_also(self, pieces: Sequence[bytes]) -> "Enclosed":
        """The same evidence with further endorsements."""
        return Enclosed(evidence=self.evidence, pieces=(*self.pieces, *pieces))

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read `encode()`; raises `MalformedEvidence` for any other bytes."""
        if len(raw) > _LONGEST:
            raise MalformedEvidence(f"longer than {_LONGEST} bytes", where="device evidence")
        try:
            parts = decode(raw)
        except ValueError as error:
            raise MalformedEvidence("not evidence and endorsements", where="device evidence") from error
        if not isinstance(parts, list) or tuple(map(type, parts)) != (bytes, list):
            raise MalformedEvidence("not evidence and endorsements", where="device evidence")
        evidence, pieces = parts
        if len(pieces) > _MOST_PIECES or any(type(piece) is not bytes for piece in pieces):
            raise MalformedEvidence("a part of the wrong type, or too many", where="device evidence")
        return cls(evidence=evidence, pieces=tuple(pieces))
