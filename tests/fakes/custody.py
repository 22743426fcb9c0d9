# SPDX-License-Identifier: Apache-2.0
"""An endorser who vouches for the place of platforms."""

from dataclasses import dataclass, field
from datetime import timedelta

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from enclave.evidence.custody import platform_named
from enclave.evidence.kinds import Kind
from tests.fakes.evidence import NOON


@dataclass(frozen=True, kw_only=True)
class Endorser:
    """Signs statements of an hour around noon."""

    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    @property
    def point(self) -> bytes:
        """The endorser as policies name it."""
        return self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def statement(
        self, kind: Kind, identity: bytes, place: int, *, since: timedelta = timedelta(minutes=1)
    ) -> bytes:
        """A statement that a platform stands at a place."""
        first = int((NOON - since).timestamp())
        parts = [self.point, bytes(platform_named(kind, identity)), place, first, first + 3600]
        payload, protected = cbor2.dumps(parts, canonical=True), cbor2.dumps({1: -7})
        signed = cbor2.dumps(["Signature1", protected, b"exequatur/v1/custody", payload])
        halves = utils.decode_dss_signature(self.key.sign(signed, ec.ECDSA(SHA256())))
        signature = b"".join(half.to_bytes(32, "big") for half in halves)
        return cbor2.dumps(cbor2.CBORTag(18, [protected, {}, payload, signature]))
