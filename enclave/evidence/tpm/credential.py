# SPDX-License-Identifier: Apache-2.0
"""TPM2_MakeCredential without a TPM: a secret that only the TPM with one EK, holding one AK, can read.

TPM 2.0 library specification, part 1, section 24 and annexes B.10.4 and C.6.4.
"""

import hashlib
import hmac
from collections.abc import Callable

from cryptography.hazmat.decrepit.ciphers.modes import CFB  # what TPMs encrypt credentials with
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms

from enclave.errors import EnrolmentRefused

EndorsementKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey
_IDENTITY = b"IDENTITY\0"


def make_credential(key: EndorsementKey, name: bytes, secret: bytes, random: Callable[[int], bytes]) -> bytes:
    """TPM2B_ID_OBJECT and TPM2B_ENCRYPTED_SECRET for `secret`, for an AK of that Name."""
    algorithm, bits = _profile(key)
    seed, sealed = _seed(key, algorithm, random)
    protect = kdf_a(algorithm, seed, b"STORAGE", name, bits)
    encryptor = Cipher(algorithms.AES(protect), CFB(bytes(16))).encryptor()
    identity = encryptor.update(_sized(secret)) + encryptor.finalize()
    size = hashlib.new(algorithm).digest_size
    integrity = kdf_a(algorithm, seed, b"INTEGRITY", b"", 8 * size)
    tag = hmac.new(integrity, identity + name, algorithm).digest()
    return _sized(_sized(tag) + identity) + _sized(sealed)


def kdf_a(algorithm: str, key: bytes, label: bytes, context: bytes, bits: int) -> bytes:
    """KDFa of part 1, section 11.4.10.2, with an empty second party."""
    blocks = b"".join(
        hmac.new(
            key, n.to_bytes(4, "big") + label + b"\0" + context + bits.to_bytes(4, "big"), algorithm
        ).digest()
        for n in range(1, 2 + bits // 8 // hashlib.new(algorithm).digest_size)
    )
    return blocks[: bits // 8]


def _profile(key: EndorsementKey) -> tuple[str, int]:
    """Name algorithm and AES key size of the EK templates L-1, L-2, H-1 and H-3 (TCG EK Credential Profile)."""
    if isinstance(key, rsa.RSAPublicKey) and key.key_size in (2048, 3072):
        return ("sha256", 128) if key.key_size == 2048 else ("sha384", 256)
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1 | ec.SECP384R1):
        return ("sha256", 128) if isinstance(key.curve, ec.SECP256R1) else ("sha384", 256)
    raise EnrolmentRefused("an endorsement key of a kind without template", hint="RSA 2048, P-256 or P-384")


def _seed(key: EndorsementKey, algorithm: str, random: Callable[[int], bytes]) -> tuple[bytes, bytes]:
    size = hashlib.new(algorithm).digest_size
    digest = hashes.SHA256() if algorithm == "sha256" else hashes.SHA384()
    if isinstance(key, rsa.RSAPublicKey):
        seed = random(size)
        return seed, key.encrypt(seed, padding.OAEP(padding.MGF1(digest), digest, _IDENTITY))
    ephemeral = ec.generate_private_key(key.curve)
    width = (key.key_size + 7) // 8
    mine, theirs = ephemeral.public_key().public_numbers(), key.public_numbers()
    shared = ephemeral.exchange(ec.ECDH(), key)
    party = mine.x.to_bytes(width, "big") + theirs.x.to_bytes(width, "big")
    seed = hashlib.new(algorithm, (1).to_bytes(4, "big") + shared + _IDENTITY + party).digest()
    point = _sized(mine.x.to_bytes(width, "big")) + _sized(mine.y.to_bytes(width, "big"))
    return seed, point


def _sized(part: bytes) -> bytes:
    return len(part).to_bytes(2, "big") + part
