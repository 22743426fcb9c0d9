# SPDX-License-Identifier: Apache-2.0
"""TPM 2.0 structures by hand, strictly: big-endian, no unknown algorithm, no trailing byte (SPEC.md, section 7)."""

import hashlib
from dataclasses import dataclass, field
from enum import IntFlag
from typing import Self, TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

from enclave.errors import MalformedEvidence
from enclave.evidence.facts import Claims

SHA256 = 0x000B
HASHES: dict[int, type[hashes.HashAlgorithm]] = {
    0x0004: hashes.SHA1,
    SHA256: hashes.SHA256,
    0x000C: hashes.SHA384,
    0x000D: hashes.SHA512,
}
HASH_NAMES = {0x0004: "sha1", SHA256: "sha256", 0x000C: "sha384", 0x000D: "sha512"}
Key: TypeAlias = rsa.RSAPublicKey | ec.EllipticCurvePublicKey
_CURVES: dict[int, type[ec.EllipticCurve]] = {3: ec.SECP256R1, 4: ec.SECP384R1}
_RSA, _ECC, _NULL = 0x0001, 0x0023, 0x0010
_RSASSA, _RSAPSS, _ECDSA = 0x0014, 0x0016, 0x0018
_SHA1 = 0x0004
_HIERARCHIES = (0x40000001, 0x4000000B, 0x4000000C, 0x40000007)  # owner, endorsement, platform, null
_GENERATED, _QUOTE = 0xFF544347, 0x8018


class Attributes(IntFlag):
    """TPMA_OBJECT bits that an attestation key is judged by."""

    FIXED_TPM = 1 << 1
    FIXED_PARENT = 1 << 4
    SENSITIVE_DATA_ORIGIN = 1 << 5
    RESTRICTED = 1 << 16
    DECRYPT = 1 << 17
    SIGN = 1 << 18


class Reader:
    """Takes bytes from the front; running out, or leaving some, is `MalformedEvidence`."""

    def __init__(self, raw: bytes, where: str) -> None:
        self._raw, self._where = raw, where

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        if len(self._raw) < size:
            raise self.wrong(f"ends {size - len(self._raw)} bytes early")
        part, self._raw = self._raw[:size], self._raw[size:]
        return part

    def number(self, size: int) -> int:
        """The next big-endian unsigned integer."""
        return int.from_bytes(self.take(size), "big")

    def sized(self) -> bytes:
        """A TPM2B: two bytes of length, then that many."""
        return self.take(self.number(2))

    def done(self) -> None:
        """Refuse trailing bytes."""
        if self._raw:
            raise self.wrong(f"{len(self._raw)} bytes too many")

    def wrong(self, what: str) -> MalformedEvidence:
        """The error to raise for anything unexpected here."""
        return MalformedEvidence(what, where=self._where)


@dataclass(frozen=True, slots=True, kw_only=True)
class TpmSignature:
    """A TPMT_SIGNATURE; ECDSA as a pair of numbers, RSA as bytes."""

    scheme: int
    hash: int
    parts: tuple[bytes, ...] = field(repr=False)

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read a signature of a scheme that we can check."""
        reader = Reader(raw, "TPMT_SIGNATURE")
        scheme, digest = reader.number(2), reader.number(2)
        if scheme not in (_RSASSA, _RSAPSS, _ECDSA) or digest not in HASHES or digest == _SHA1:
            raise reader.wrong(f"scheme {scheme:#x} with hash {digest:#x}")
        parts = tuple(reader.sized() for _ in range(2 if scheme == _ECDSA else 1))
        reader.done()
        return cls(scheme=scheme, hash=digest, parts=parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class TpmPublic:
    """A TPMT_PUBLIC of a signing or storage key."""

    raw: bytes = field(repr=False)
    attributes: Attributes
    scheme: int
    key: Key

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read an RSA key, or an ECC key on P-256 or P-384, with SHA-256 as its name algorithm."""
        reader = Reader(raw, "TPMT_PUBLIC")
        kind, name = reader.number(2), reader.number(2)
        attributes = Attributes(reader.number(4))
        reader.sized()
        if kind not in (_RSA, _ECC) or name != SHA256:
            raise reader.wrong(f"type {kind:#x} with name algorithm {name:#x}")
        if reader.number(2) != _NULL:
            reader.take(4)
        if (scheme := reader.number(2)) != _NULL:
            reader.take(2)
        try:
            key = _rsa(reader) if kind == _RSA else _ecc(reader)
        except ValueError as error:
            raise reader.wrong("not a valid public key") from error
        reader.done()
        return cls(raw=raw, attributes=attributes, scheme=scheme, key=key)

    @property
    def name(self) -> bytes:
        """The TPM's Name of the key: name algorithm and digest of the public area."""
        return SHA256.to_bytes(2, "big") + hashlib.sha256(self.raw).digest()

    def primary_named(self, qualified: bytes) -> bool:
        """Whether a qualified name is this key's as a primary of one of the TPM's hierarchies (part 1, section 16)."""
        return any(
            SHA256.to_bytes(2, "big") + hashlib.sha256(handle.to_bytes(4, "big") + self.name).digest()
            == qualified
            for handle in _HIERARCHIES
        )

    def signed(self, message: bytes, signature: TpmSignature) -> bool:
        """Whether `signature` over `message` is by this key."""
        return signed_by(self.key, message, signature)


def signed_by(key: Key, message: bytes, signature: TpmSignature) -> bool:
    """Whether `signature` over `message` is by `key`."""
    digest = HASHES[signature.hash]()
    try:
        if isinstance(key, rsa.RSAPublicKey) and signature.scheme != _ECDSA:
            pss = padding.PSS(padding.MGF1(digest), padding.PSS.AUTO)
            scheme = pss if signature.scheme == _RSAPSS else padding.PKCS1v15()
            key.verify(signature.parts[0], message, scheme, digest)
        elif isinstance(key, ec.EllipticCurvePublicKey) and signature.scheme == _ECDSA:
            r, s = (int.from_bytes(part, "big") for part in signature.parts)
            key.verify(utils.encode_dss_signature(r, s), message, ec.ECDSA(digest))
        else:
            return False
    except InvalidSignature:
        return False
    return True


def _rsa(reader: Reader) -> rsa.RSAPublicKey:
    bits, exponent, modulus = reader.number(2), reader.number(4), reader.sized()
    if len(modulus) * 8 != bits or not 2048 <= bits <= 4096:
        raise reader.wrong(f"modulus of {len(modulus)} bytes for {bits} bits")
    return rsa.RSAPublicNumbers(exponent or 65537, int.from_bytes(modulus, "big")).public_key()


def _ecc(reader: Reader) -> ec.EllipticCurvePublicKey:
    curve = reader.number(2)
    if reader.number(2) != _NULL:
        reader.take(2)
    x, y = reader.sized(), reader.sized()
    if curve not in _CURVES:
        raise reader.wrong(f"curve {curve}")
    numbers = (int.from_bytes(x, "big"), int.from_bytes(y, "big"))
    return ec.EllipticCurvePublicNumbers(*numbers, _CURVES[curve]()).public_key()


@dataclass(frozen=True, slots=True, kw_only=True)
class TpmAttest:
    """A TPMS_ATTEST of type quote: what a TPM says its PCRs are."""

    raw: bytes = field(repr=False)
    qualified_signer: bytes
    extra_data: bytes
    clock: int
    reset_count: int
    restart_count: int
    safe: bool
    firmware: int
    selections: tuple[tuple[int, tuple[int, ...]], ...]
    pcr_digest: bytes

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read a quote; magic and type are checked, so that nothing else the key signs passes for one."""
        reader = Reader(raw, "TPMS_ATTEST")
        magic, kind = reader.number(4), reader.number(2)
        if (magic, kind) != (_GENERATED, _QUOTE):
            raise reader.wrong(f"magic {magic:#x}, type {kind:#x}")
        signer = reader.sized()
        extra, clock, resets, restarts, safe = (
            reader.sized(),
            *(reader.number(size) for size in (8, 4, 4, 1)),
        )
        if safe > 1:
            raise reader.wrong("a flag that is neither yes nor no")
        firmware, count = reader.number(8), reader.number(4)
        if count > len(HASHES):
            raise reader.wrong(f"{count} banks")
        selections = tuple(_selection(reader) for _ in range(count))
        digest = reader.sized()
        reader.done()
        return cls(
            raw=raw,
            qualified_signer=signer,
            extra_data=extra,
            clock=clock,
            reset_count=resets,
            restart_count=restarts,
            safe=bool(safe),
            firmware=firmware,
            selections=selections,
            pcr_digest=digest,
        )

    def claims(self) -> Claims:
        """The fields as the TPM 2.0 Library, part 2, names them."""
        return {
            "type": f"{_QUOTE:#x}",
            "qualified_signer": self.qualified_signer,
            "extra_data": self.extra_data,
            "clock": self.clock,
            "reset": self.reset_count,
            "restart": self.restart_count,
            "safe": int(self.safe),
            "firmware": f"{self.firmware:#x}",
            "sel": [[bank, list(numbers)] for bank, numbers in self.selections],
            "pcr_digest": self.pcr_digest,
        }


def _selection(reader: Reader) -> tuple[int, tuple[int, ...]]:
    bank, bitmap = reader.number(2), reader.take(reader.number(1))
    return bank, tuple(n for n in range(8 * len(bitmap)) if bitmap[n // 8] >> n % 8 & 1)
