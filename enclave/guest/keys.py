# SPDX-License-Identifier: Apache-2.0
"""Key pairs born in memory at boot and never written: whoever restarts the guest has another node."""

import coincurve
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric import ec, mlkem, utils, x25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from contracts.digests import digest, keccak
from contracts.ids import Address, Digest
from enclave.faults import GrantFlaw, GrantRefused, LeaseOver
from enclave.statements import Grant, NodeKeys

_SUITE = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
_HALF_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141 // 2


class Keys:
    """The guest's three private keys; only their public halves leave."""

    def __init__(self) -> None:
        lattice, curve = (mlkem.MLKEM768PrivateKey.generate(), x25519.X25519PrivateKey.generate())
        self._hpke: hpke.MLKEM768X25519PrivateKey | None = hpke.MLKEM768X25519PrivateKey(lattice, curve)
        self._receipt = ec.generate_private_key(ec.SECP256R1())
        self._chain = coincurve.PrivateKey()
        point = self._receipt.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        hybrid = lattice.public_key().public_bytes_raw() + curve.public_key().public_bytes_raw()
        self.public = NodeKeys(hpke=hybrid, receipt=point, chain=_address(self._chain.public_key))
        self.node_id = self.public.node_id()

    def unwrap(self, grant: Grant, envelope: bytes) -> bytes:
        """The data key in the envelope that a grant names."""
        if self._hpke is None:
            raise LeaseOver("the HPKE key is gone", where="envelope")
        if digest("envelope", envelope) != grant.envelope:
            raise GrantRefused([GrantFlaw.ENVELOPE])
        try:
            return _SUITE.decrypt(envelope, self._hpke, grant.info())
        except (InvalidTag, ValueError) as error:
            raise GrantRefused([GrantFlaw.ENVELOPE]) from error

    def sign_receipt(self, message: bytes) -> bytes:
        """ES256: r and s, 32 bytes each."""
        r, s = utils.decode_dss_signature(self._receipt.sign(message, ec.ECDSA(SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def sign_for_chain(self, hashed: Digest) -> bytes:
        """An Ethereum signature over a digest: r, s (low), v."""
        raw = self._chain.sign_recoverable(hashed, hasher=None)
        return raw[:64] + bytes([raw[64] + 27])

    def forget_hpke(self) -> None:
        """Drop the HPKE key, which OpenSSL wipes as it frees it; receipts and stops can still be signed."""
        self._hpke = None


def recover(hashed: Digest, signature: bytes) -> Address | None:
    """Who made an Ethereum signature (65 bytes, low s, v 27 or 28) over a digest; None if nobody can have."""
    if len(signature) != 65 or signature[64] not in (27, 28):
        return None
    if int.from_bytes(signature[32:64], "big") > _HALF_ORDER:
        return None
    try:
        recoverable = signature[:64] + bytes([signature[64] - 27])
        return _address(coincurve.PublicKey.from_signature_and_message(recoverable, hashed, hasher=None))
    except Exception:  # noqa: BLE001 - libsecp256k1's wrapper raises nothing narrower
        return None


def _address(key: coincurve.PublicKey) -> Address:
    return Address(keccak(key.format(compressed=False)[1:])[12:])
