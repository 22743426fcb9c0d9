# SPDX-License-Identifier: Apache-2.0
"""The claims of Arm's tokens: a CBOR map by number, each number with its type and sizes (arm/SPEC.md)."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

import cbor2

from contracts.digests import digest
from enclave.errors import MalformedEvidence
from enclave.evidence.cbor import whole
from enclave.evidence.facts import Claim, Claims

Check: TypeAlias = Callable[[object], bool]
_COMPONENT: Mapping[int, Check]
_MOST_COMPONENTS = 64


def octets(*sizes: int) -> Check:
    """A byte string of one of some sizes; of 1 to 128 bytes where none is given."""

    def right(value: object) -> bool:
        return isinstance(value, bytes) and (len(value) in sizes if sizes else 0 < len(value) <= 128)

    return right


def text(value: object) -> bool:
    """A text of up to 256 characters."""
    return isinstance(value, str) and 0 < len(value) <= 256


def number(value: object) -> bool:
    """A number of 32 bits."""
    return type(value) is int and -(1 << 31) <= value < 1 << 32


def client(value: object) -> bool:
    """Who asked for a PSA token: 1 and more on the secure side, -1 and less on the other (RFC 9783, 4.1.2)."""
    return type(value) is int and -(1 << 31) <= value < 1 << 31 and value != 0


def renumbered(payload: bytes, name: int) -> bool:
    """Whether a payload is a map with the claim that only the older numbering has."""
    try:
        found = whole(payload)
    except ValueError:
        return False
    return isinstance(found, dict) and name in found


def one_of(*values: object) -> Check:
    """One of some values."""
    return lambda value: value in values


def ueid(value: object) -> bool:
    """An identifier of one device: 33 bytes of type RAND."""
    return isinstance(value, bytes) and len(value) == 33 and value[0] == 1


def components(value: object) -> bool:
    """A list of software components, each with at least what was measured and who signed it."""
    if not isinstance(value, list) or not 0 < len(value) <= _MOST_COMPONENTS:
        return False
    return all(isinstance(one, dict) and {2, 5} <= one.keys() and _right(one, _COMPONENT) for one in value)


_COMPONENT = {1: text, 2: octets(32, 48, 64), 4: text, 5: octets(32, 48, 64), 6: text}


def _right(found: Mapping[object, object], checks: Mapping[int, Check]) -> bool:
    return all(type(name) is int and name in checks and checks[name](value) for name, value in found.items())


def read(
    payload: bytes, required: Mapping[int, Check], optional: Mapping[int, Check], where: str
) -> dict[int, object]:
    """The claims of a payload: every required one, no unknown one, each of the right form."""
    try:
        found = whole(payload)
    except ValueError as error:
        raise MalformedEvidence("not CBOR", where=where) from error
    if not isinstance(found, dict) or not required.keys() <= found.keys():
        missing = sorted(required.keys() - found.keys()) if isinstance(found, dict) else []
        raise MalformedEvidence(f"without claims {missing}", where=where)
    checks = {**required, **optional}
    wrong = [name for name, value in found.items() if not _right({name: value}, checks)]
    if wrong:
        known = sorted(checks.keys() & set(wrong))  # an unknown name may be too large to be printed
        raise MalformedEvidence(f"unknown claims, or of another form: {known}", where=where)
    return found


def printable(value: object) -> Claim:
    """A claim as it is shown: numbers become names."""
    match value:
        case dict():
            return {str(name): printable(part) for name, part in value.items()}
        case list():
            return [printable(part) for part in value]
        case bytes() | str() | int():
            return value
    return str(value)


def by_number(found: Mapping[int, object]) -> Claims:
    """All claims, by their numbers."""
    return {str(name): printable(value) for name, value in found.items()}


def software(found: object) -> bytes:
    """One digest over a list of components, as registers hold it."""
    return digest("arm-software", cbor2.dumps(found, canonical=True))
