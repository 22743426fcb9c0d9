# SPDX-License-Identifier: Apache-2.0
"""The algorithms that SPDM negotiates, and the signatures made with them (DSP0274 1.3, tables 21 and 22, section 15)."""

import hashlib
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

_HASHES: dict[int, hashes.HashAlgorithm] = {1: hashes.SHA256(), 2: hashes.SHA384(), 4: hashes.SHA512()}
_CURVES: dict[int, ec.EllipticCurve] = {0x10: ec.SECP256R1(), 0x80: ec.SECP384R1(), 0x100: ec.SECP521R1()}
_RSASSA = {0x01: 2048, 0x04: 3072, 0x20: 4096}
_RSAPSS = {0x02: 2048, 0x08: 3072, 0x40: 4096}
_MEASUREMENT_DIGESTS = {0x02: 32, 0x04: 48, 0x08: 64, 0x10: 32, 0x20: 48, 0x40: 64, 0x80: 32}
_SIGNED_BARE = 0x11


@dataclass(frozen=True, slots=True, kw_only=True)
class Algorithms:
    """BaseAsymSel, BaseHashSel and MeasurementHashAlgo of an ALGORITHMS message, each one bit."""

    base_asym: int
    base_hash: int
    measurement_hash: int

    @property
    def known(self) -> bool:
        """Whether we can check what is made with them; an unsigned device without measurements has no last one."""
        return (
            self.base_hash in _HASHES
            and (self.base_asym in _CURVES or self.base_asym in _RSASSA or self.base_asym in _RSAPSS)
            and (self.measurement_hash in (0, 1) or self.measurement_hash in _MEASUREMENT_DIGESTS)
        )

    @property
    def hash_size(self) -> int:
        """Bytes of the negotiated hash."""
        return _HASHES[self.base_hash].digest_size

    @property
    def measurement_size(self) -> int:
        """Bytes of a measurement that is a digest; 0 where the device gives raw measurements only."""
        return _MEASUREMENT_DIGESTS.get(self.measurement_hash, 0)

    @property
    def signature_size(self) -> int:
        """Bytes of a signature."""
        if self.base_asym in _CURVES:
            return 2 * ((_CURVES[self.base_asym].key_size + 7) // 8)
        return (_RSASSA.get(self.base_asym) or _RSAPSS[self.base_asym]) // 8

    @property
    def label(self) -> str:
        """Their names, for people."""
        hashed = _HASHES[self.base_hash].name
        if self.base_asym in _CURVES:
            return f"ECDSA {_CURVES[self.base_asym].name} with {hashed}"
        scheme = "RSASSA" if self.base_asym in _RSASSA else "RSAPSS"
        return f"{scheme} {8 * self.signature_size} with {hashed}"

    def digest(self, message: bytes) -> bytes:
        """The negotiated hash of a message."""
        return hashlib.new(_HASHES[self.base_hash].name, message).digest()

    def suit(self, certificate: x509.Certificate) -> bool:
        """Whether a certificate's key is one of the negotiated algorithm."""
        key = certificate.public_key()
        if self.base_asym in _CURVES:
            return (
                isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == _CURVES[self.base_asym].name
            )
        return isinstance(key, rsa.RSAPublicKey) and key.key_size == 8 * self.signature_size

    def verified(
        self,
        certificate: x509.Certificate,
        signature: bytes,
        transcript: bytes,
        *,
        version: int,
        context: str,
    ) -> bool:
        """Whether a certificate's key, which must `suit`, signed a transcript in a context of DSP0274, section 15."""
        key, hashed = certificate.public_key(), _HASHES[self.base_hash]
        message = self._to_be_signed(transcript, version, context)
        try:
            if isinstance(key, ec.EllipticCurvePublicKey):
                half = len(signature) // 2
                r, s = (int.from_bytes(part, "big") for part in (signature[:half], signature[half:]))
                key.verify(utils.encode_dss_signature(r, s), message, ec.ECDSA(hashed))
            else:
                assert isinstance(key, rsa.RSAPublicKey)  # `suit` said so
                key.verify(signature, message, self._padding(hashed), hashed)
        except InvalidSignature:
            return False
        return True

    def _padding(self, hashed: hashes.HashAlgorithm) -> padding.AsymmetricPadding:
        if self.base_asym in _RSASSA:
            return padding.PKCS1v15()
        return padding.PSS(padding.MGF1(hashed), hashed.digest_size)

    def _to_be_signed(self, transcript: bytes, version: int, context: str) -> bytes:
        """SPDM 1.2 put a prefix before the transcript's hash, so that no signature serves in another place."""
        if version == _SIGNED_BARE:
            return transcript
        prefix = f"dmtf-spdm-v{version >> 4}.{version & 0xF}.*".encode() * 4
        return prefix + context.encode().rjust(36, b"\0") + self.digest(transcript)
