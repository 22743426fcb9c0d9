# SPDX-License-Identifier: Apache-2.0
"""What a file of evidence is: raw from a device, a device's body, a bundle, or another project's container.

Nothing is believed here; a file is known by its content, never by its name.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from enclave.errors import MalformedEvidence
from enclave.evidence.bundle import Bundle
from enclave.evidence.enclosed import Enclosed
from enclave.evidence.foreign import unpack
from enclave.evidence.kinds import Kind
from enclave.evidence.technologies import TECHNOLOGIES, recognised

_LONGEST = 16 << 20
_PAIR = b"\x82"  # how an array of two begins
_BUNDLE = (
    b"\x68__cmwc_t\x78\x19tag:exequatur,2026:bundle"  # anywhere: shorter labels of devices come before it
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Detected:
    """One device's evidence in the form that bundles carry."""

    kind: Kind
    body: bytes = field(repr=False)


def detect(raw: bytes, pieces: Sequence[bytes] = (), *, family: str = "") -> Detected:
    """What one device's evidence is, with further endorsements added; `family` is a kind's name or its beginning.

    Raises `MalformedEvidence` for what no technology recognises, or not the one that was asked for.
    """
    found = _known(raw)
    if family and not found.kind.label.startswith(family):
        what = f"this is {found.kind.label} evidence, not {family}"
        raise MalformedEvidence(what, where="evidence", hint="leave out the kind to have it detected")
    if not pieces:
        return found
    return Detected(kind=found.kind, body=TECHNOLOGIES[found.kind].endorse(found.body, pieces))


def is_bundle(raw: bytes) -> bool:
    """Whether these bytes claim to be a whole node's bundle, which `Bundle.decode` reads."""
    return b"\xa0" <= raw[:1] < b"\xc0" and _BUNDLE in raw


def devices_of(raw: bytes) -> tuple[Detected, ...]:
    """Every device in a bundle; raises `MalformedEvidence`, for unknown technologies too."""
    devices: list[Detected] = []
    for device in Bundle.decode(raw).devices:
        kind = Kind.of(device.kind)
        if kind is None:
            raise MalformedEvidence(f"an unknown technology {device.kind!r}", where=device.label)
        devices.append(Detected(kind=kind, body=device.body))
    return tuple(devices)


def _known(raw: bytes) -> Detected:
    if len(raw) > _LONGEST:
        raise MalformedEvidence(f"longer than {_LONGEST} bytes", where="evidence")
    if (technology := recognised(raw)) is not None:
        return Detected(kind=technology.kind, body=technology.wrap(raw))
    if (unpacked := unpack(raw)) is not None:
        return Detected(kind=unpacked[0], body=unpacked[1])
    if (body := _enclosed(raw)) is not None:
        return body
    known = ", ".join(kind.label for kind in TECHNOLOGIES)
    raise MalformedEvidence("no technology recognises these bytes", where="evidence", hint=f"known: {known}")


def _enclosed(raw: bytes) -> Detected | None:
    """A device's body with its endorsements, as `evidence collect` writes it."""
    if raw[:1] != _PAIR:
        return None
    try:
        enclosed = Enclosed.parse(raw)
    except MalformedEvidence:
        return None
    technology = recognised(enclosed.evidence)
    return None if technology is None else Detected(kind=technology.kind, body=raw)
