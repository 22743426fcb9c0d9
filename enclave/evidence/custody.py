# SPDX-License-Identifier: Apache-2.0
"""Who vouches for the place of a platform: the only source of *place*, and what lifts level 3 to 4 (SPEC.md, section 6).

An endorser that a policy names signs which platform stands where, and until when; whoever opened the machine
since then is the endorser's word against theirs.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Self

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec

from contracts.digests import digest
from contracts.ids import Digest
from enclave.errors import MalformedEvidence
from enclave.evidence.cose import Sign1
from enclave.evidence.kinds import Kind

CUSTODY = b"\xd2\x84\x43\xa1\x01\x26\xa0"  # how a statement begins, and nothing else that travels with evidence does
_AAD = b"exequatur/v1/custody"
_ES256 = -7
_WHERE = "custody statement"


@dataclass(frozen=True, slots=True, kw_only=True)
class Custody:
    """A statement that is well formed, and not yet believed; `place` is a number that the policy's owner assigned."""

    endorser: bytes
    platform: Digest
    place: int
    not_before: datetime
    not_after: datetime
    signed: Sign1 = field(repr=False)

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read a COSE_Sign1 over `[endorser, platform, place, not before, not after]`."""
        signed = Sign1.parse(raw, _WHERE)
        try:
            endorser, platform, place, first, last = cbor2.loads(signed.payload)
            again = cbor2.dumps([endorser, platform, place, first, last], canonical=True)
            kinds = [type(part) for part in (endorser, platform, place, first, last)]
            right = kinds == [bytes, bytes, int, int, int] and again == signed.payload
            right = right and len(endorser) == 65 and 1 <= place < 1 << 16 and 0 <= first < last < 1 << 40
            valid = [datetime.fromtimestamp(second, UTC) for second in (first, last)]
            value = Digest(platform)
        except Exception as error:  # cbor2, datetime and unpacking raise many kinds on hostile input
            raise MalformedEvidence("not the five parts of a statement", where=_WHERE) from error
        if not right or signed.algorithm != _ES256:
            raise MalformedEvidence("a part of the wrong type or size", where=_WHERE)
        return cls(
            endorser=endorser,
            platform=value,
            place=place,
            not_before=valid[0],
            not_after=valid[1],
            signed=signed,
        )

    def holds(self) -> bool:
        """Whether the endorser that it names signed it."""
        try:
            key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), self.endorser)
        except ValueError:
            return False
        return self.signed.signed_by(key, _AAD)


def platform_named(kind: Kind, identity: bytes) -> Digest:
    """How a statement names a platform without showing its identifier."""
    return digest("custody-platform", kind.label, identity)
