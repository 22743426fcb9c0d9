# SPDX-License-Identifier: Apache-2.0
"""COSE_Sign1 (RFC 9052, section 4.2) as tokens of devices use it: ECDSA, payload inside, no external data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from enclave.errors import MalformedEvidence

_TAG = 18
_ALGORITHMS: Mapping[int, tuple[str, type[hashes.HashAlgorithm], int]] = {
    -7: ("secp256r1", hashes.SHA256, 32),
    -35: ("secp384r1", hashes.SHA384, 48),
    -36: ("secp521r1", hashes.SHA512, 66),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign1:
    """A signed message that is well formed, and not yet believed."""

    protected: bytes = field(repr=False)
    algorithm: int
    unprotected: Mapping[object, object]
    payload: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    @classmethod
    def parse(cls, raw: object, where: str) -> Self:
        """Read a COSE_Sign1, tagged or not, from bytes or from what CBOR decoded to."""
        try:
            decoded: Any = cbor2.loads(raw) if isinstance(raw, bytes) else raw
            if isinstance(decoded, cbor2.CBORTag) and decoded.tag == _TAG:
                decoded = decoded.value
            protected, unprotected, payload, signature = decoded
            header = cbor2.loads(protected)
            algorithm = header[1]
        except Exception as error:  # cbor2 and unpacking raise many kinds on hostile input
            raise MalformedEvidence("not a COSE_Sign1", where=where) from error
        if {type(protected), type(payload), type(signature)} != {bytes} or not isinstance(unprotected, Mapping):
            raise MalformedEvidence("a COSE_Sign1 with a part of the wrong type", where=where)
        if algorithm not in _ALGORITHMS or len(signature) != 2 * _ALGORITHMS[algorithm][2]:
            raise MalformedEvidence(
                "a signature that is none of ES256, ES384, ES512", where=where, hint=str(algorithm)[:40]
            )
        return cls(
            protected=protected,
            algorithm=algorithm,
            unprotected=unprotected,
            payload=payload,
            signature=signature,
        )

    def signed_by(self, key: object, aad: bytes = b"") -> bool:
        """Whether `key` signed payload and protected header, on the algorithm's curve."""
        curve, hashed, size = _ALGORITHMS[self.algorithm]
        if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != curve:
            return False
        r, s = (int.from_bytes(self.signature[i : i + size], "big") for i in (0, size))
        signed = cbor2.dumps(["Signature1", self.protected, aad, self.payload])
        try:
            key.verify(utils.encode_dss_signature(r, s), signed, ec.ECDSA(hashed()))
        except (InvalidSignature, ValueError):
            return False
        return True
