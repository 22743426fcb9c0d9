# SPDX-License-Identifier: Apache-2.0
"""The table of certificates that a host hands to an SNP guest (GHCB specification 56421, section 4.1.8.1).

Entries of GUID (16 bytes), offset and length (u32 each, from the start of the table) up to one that is all zeros; Linux
shows it as `auxblob`. Certificates are known by their content later, so the GUID only tells which blobs are AMD's.
"""

from collections.abc import Sequence
from uuid import UUID

from enclave.errors import MalformedEvidence

_ENTRY = 24
_MOST = 64
_NAMES = (
    "63da758d-e664-4564-adc5-f4b93be8accd",  # VCEK
    "a8074bc2-a25a-483e-aae6-39c045a0b8a1",  # VLEK
    "4ab7b379-bbac-4fe4-a02f-05aef327c782",  # ASK
    "c0b406a4-a803-4952-9743-3fb6014cd0ae",  # ARK
    "92f81bc3-5811-4d3d-97ff-d19f88dc67ea",  # revocation list
)
# Hosts write them in either byte order.
_OURS = frozenset(form for name in map(UUID, _NAMES) for form in (name.bytes, name.bytes_le))


def certificate_table(raw: bytes) -> tuple[bytes, ...]:
    """AMD's certificates and revocation list in a table; blobs of other GUIDs are the host's own and left out."""
    found: list[bytes] = []
    for at in range(0, _ENTRY * _MOST, _ENTRY):
        entry = raw[at : at + _ENTRY]
        if len(entry) < _ENTRY:
            break
        if not any(entry):
            return tuple(found)
        start, size = (int.from_bytes(entry[place : place + 4], "little") for place in (16, 20))
        if size == 0 or start + size > len(raw):
            raise MalformedEvidence(f"entry {at // _ENTRY} lies outside", where="certificate table")
        if entry[:16] in _OURS:
            found.append(raw[start : start + size])
    raise MalformedEvidence("no end of the table", where="certificate table")


def is_table(raw: bytes) -> bool:
    """Whether these bytes begin as a table does that has a certificate of AMD's."""
    heads = (raw[at : at + 16] for at in range(0, min(len(raw), _ENTRY * _MOST), _ENTRY))
    return raw[:1] not in (b"0", b"-") and any(head in _OURS for head in heads)


def opened(pieces: Sequence[bytes]) -> tuple[bytes, ...]:
    """Endorsements with what is in tables beside them, instead of the tables."""
    return tuple(
        part for piece in pieces for part in (certificate_table(piece) if is_table(piece) else (piece,))
    )
