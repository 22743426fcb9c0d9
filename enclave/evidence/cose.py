# SPDX-License-Identifier: Apache-2.0
"""COSE_Sign1 (RFC 9052, section 4.2) as tokens of devices use it: ECDSA or RSASSA-PSS, payload inside."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

from enclave.errors import MalformedEvidence
from enclave.evidence.cbor import whole

_LEAST_BITS, _MOST_BITS = 2048, 8192
_ALGORITHM, _CRITICAL = 1, 2  # header parameters; nothing that is critical is understood
_TAGGED, _MAC = b"\xd2", b"\xd1"
_ECDSA: Mapping[int, tuple[str, type[hashes.HashAlgorithm], int]] = {
    -7: ("secp256r1", hashes.SHA256, 32),
    -35: ("secp384r1", hashes.SHA384, 48),
    -36: ("secp521r1", hashes.SHA512, 66),
}
_PSS: Mapping[int, type[hashes.HashAlgorithm]] = {
    -37: hashes.SHA256,
    -38: hashes.SHA384,
    -39: hashes.SHA512,
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
    def parse(cls, raw: bytes, where: str) -> Self:
        """Read a COSE_Sign1, tagged or not; raises `MalformedEvidence`."""
        if raw.startswith(_MAC):
            hint = "whoever checks a MAC can make one; ask for a token that is signed"
            raise MalformedEvidence(
                "a COSE_Mac0, which proves nothing to a third party", where=where, hint=hint
            )
        try:
            parts: Any = whole(raw.removeprefix(_TAGGED))
            protected, unprotected, payload, signature = parts
            header: Any = whole(protected)
            if not isinstance(header, dict):
                raise TypeError("a header that is no map")
            algorithm = header[_ALGORITHM]
        except (ValueError, TypeError, LookupError) as error:
            raise MalformedEvidence("not a COSE_Sign1", where=where) from error
        if {type(protected), type(payload), type(signature)} != {bytes} or type(unprotected) is not dict:
            raise MalformedEvidence("a COSE_Sign1 with a part of the wrong type", where=where)
        if type(algorithm) is not int or _CRITICAL in header or not _fits(algorithm, signature):
            raise MalformedEvidence("neither ES256 to ES512 nor PS256 to PS512", where=where)
        return cls(
            protected=protected,
            algorithm=algorithm,
            unprotected=unprotected,
            payload=payload,
            signature=signature,
        )

    def signed_by(self, key: object, aad: bytes = b"") -> bool:
        """Whether `key` signed payload and protected header, by the header's algorithm."""
        signed = cbor2.dumps(["Signature1", self.protected, aad, self.payload])
        try:
            if isinstance(key, ec.EllipticCurvePublicKey) and self.algorithm in _ECDSA:
                return self._ecdsa(key, signed)
            if isinstance(key, rsa.RSAPublicKey) and self.algorithm in _PSS and key.key_size >= _LEAST_BITS:
                hashed = _PSS[self.algorithm]()
                scheme = padding.PSS(padding.MGF1(hashed), padding.PSS.DIGEST_LENGTH)
                key.verify(self.signature, signed, scheme, hashed)
                return True
        except (InvalidSignature, ValueError):
            return False
        return False

    def _ecdsa(self, key: ec.EllipticCurvePublicKey, signed: bytes) -> bool:
        curve, hashed, size = _ECDSA[self.algorithm]
        if key.curve.name != curve:
            return False
        r, s = (int.from_bytes(self.signature[i : i + size], "big") for i in (0, size))
        key.verify(utils.encode_dss_signature(r, s), signed, ec.ECDSA(hashed()))
        return True


def _fits(algorithm: int, signature: bytes) -> bool:
    if algorithm in _ECDSA:
        return len(signature) == 2 * _ECDSA[algorithm][2]
    return algorithm in _PSS and _LEAST_BITS <= 8 * len(signature) <= _MOST_BITS
