# SPDX-License-Identifier: Apache-2.0
"""Whether the code on chain is the contract of a text: made again from the text, and compared byte for byte."""

from collections.abc import Iterable

from contracts.ids import Digest
from registry.licensing.building import Built


def differences(code: bytes, built: Built) -> tuple[str, ...]:
    """In words, how the code at an address (empty: none there) differs from a built contract; none when it is the same.

    Who the parties are, and what the contract is bound to, is asked of the contract and no part of this.
    """
    return tuple(_differences(code, built))


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
