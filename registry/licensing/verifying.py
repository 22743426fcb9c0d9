# SPDX-License-Identifier: Apache-2.0
"""Whether the code on chain is the contract of a text: made again from the text, and compared byte for byte."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from contracts.ids import Digest
from registry.licensing.building import Built, build
from registry.licensing.model import Licence


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What the comparison found: `differences` in words, none when the code is that of the text; `digest` is the text's."""

    digest: Digest
    differences: tuple[str, ...]

    @property
    def equal(self) -> bool:
        """Whether the code on chain is the contract of the text, to the last byte."""
        return not self.differences


def _quiet(_: str) -> None:
    """Nobody is told."""


def verify(code: bytes, licence: Licence, *, say: Callable[[str], None] = _quiet) -> Verified:
    """Compare the code at an address (empty: none there) with what the licence compiles to.

    Raises `LicenceRefused` and `CompilerError` as `build` does. Who the parties are is looked up on chain and no part of this.
    """
    return compare(code, build(licence, prove=False, say=say))


def compare(code: bytes, built: Built) -> Verified:
    """Compare the code at an address with a contract already built."""
    return Verified(digest=built.digest, differences=tuple(_differences(code, built)))


def _differences(code: bytes, built: Built) -> Iterable[str]:
    if not code:
        return ["there is no contract at this address"]
    ours, theirs = _masked(built.runtime, built), _masked(code, built)
    if ours == theirs:
        return []
    if other := _other_text(theirs, ours, built.digest):
        return [
            f"another text: its digest is {other}, and that of this text is {built.digest}; what the code does is the same"
        ]
    if len(ours) != len(theirs):
        return [f"other code: {len(theirs)} bytes, and this text compiles to {len(ours)}"]
    apart = [at for at, (one, other) in enumerate(zip(ours, theirs, strict=True)) if one != other]
    return [f"other code: {len(apart)} of {len(ours)} bytes differ, the first at byte {apart[0]}"]


def _masked(code: bytes, built: Built) -> bytes:
    """The code with zeros where the constructor writes."""
    for start, length in built.immutables:
        if start + length <= len(code):
            code = code[:start] + bytes(length) + code[start + length :]
    return code


def _other_text(theirs: bytes, ours: bytes, digest: Digest) -> Digest | None:
    """The digest that the code states, when that is all that differs."""
    start = ours.find(digest)
    if start < 0 or len(theirs) != len(ours):
        return None
    stated = theirs[start : start + Digest.SIZE]
    return Digest(stated) if stated != digest and ours.replace(digest, stated) == theirs else None
