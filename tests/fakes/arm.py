# SPDX-License-Identifier: Apache-2.0
"""Devices with Arm's tokens, PSA and CCA, and Huawei's virtCCA: any claim changed, any key, both profiles."""

import hashlib
from dataclasses import dataclass, field, replace

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from enclave.evidence.enclosed import Enclosed
from enclave.evidence.facts import Facts
from enclave.evidence.kinds import Kind
from enclave.evidence.trust import Trust
from enclave.evidence.vouching import verify_device
from tests.fakes.authorities import digest_of, new_key
from tests.fakes.evidence import NOON

Claims = dict[int, object]
UEID = b"\x01" + b"\x42" * 32
_ECDSA = {"secp256r1": (-7, hashes.SHA256, 32), "secp384r1": (-35, hashes.SHA384, 48)}


def component(kind: str, value: int = 7) -> Claims:
    return {1: kind, 2: bytes([value]) * 32, 4: "1.0", 5: b"\x55" * 32, 6: "sha-256"}


def psa_claims(**changes: object) -> Claims:
    said: Claims = {
        10: b"\x11" * 32,
        256: UEID,
        265: "http://arm.com/psa/2.0.0",
        2394: 1,
        2395: 0x3000,
        2396: b"\x22" * 32,
        2399: [component("BL"), component("PRoT", 8)],
    }
    return changed(said, changes)


def changed(said: Claims, changes: dict[str, object]) -> Claims:
    """Claims with `c<number>` set, or left out where it is None; `c_5` is claim -5."""
    for label, value in changes.items():
        number = int(label[1:].replace("_", "-"))
        said = {name: part for name, part in said.items() if name != number} | (
            {} if value is None else {number: value}
        )
    return said


def sign1(payload: object, key: object, *, tag: bool = True, header: Claims | None = None) -> bytes:
    """A COSE_Sign1 by an EC or RSA key; a payload of bytes is taken as it is."""
    body = payload if isinstance(payload, bytes) else cbor2.dumps(payload)
    if isinstance(key, rsa.RSAPrivateKey):
        protected = cbor2.dumps({1: -37, **(header or {})})
        pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
        signature = key.sign(_structure(protected, body), pss, hashes.SHA256())
    else:
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        algorithm, hashed, size = _ECDSA[key.curve.name]
        protected = cbor2.dumps({1: algorithm, **(header or {})})
        r, s = utils.decode_dss_signature(key.sign(_structure(protected, body), ec.ECDSA(hashed())))
        signature = r.to_bytes(size, "big") + s.to_bytes(size, "big")
    return (b"\xd2" if tag else b"") + cbor2.dumps([protected, {}, body, signature])


def _structure(protected: bytes, payload: bytes) -> bytes:
    return cbor2.dumps(["Signature1", protected, b"", payload])


def spki(key: object) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined]


def judged(kind: Kind, evidence: bytes, *pieces: bytes, trust: Trust, at: object = NOON) -> Facts:
    """What the verifier believes of a token."""
    body = Enclosed(evidence=evidence, pieces=pieces).encode()
    return verify_device(kind, body, 0, node=None, trust=trust, at=at)  # type: ignore[arg-type]


@dataclass(frozen=True, kw_only=True)
class FakeRealm:
    """A CCA platform and a realm on it."""

    cpak: ec.EllipticCurvePrivateKey = field(default_factory=lambda: new_key("P-384"))  # type: ignore[assignment, return-value]
    rak: ec.EllipticCurvePrivateKey = field(default_factory=lambda: new_key("P-384"))  # type: ignore[assignment, return-value]
    platform: dict[str, object] = field(default_factory=dict)
    realm: dict[str, object] = field(default_factory=dict)
    tagged_profile: bool = False

    @property
    def trust(self) -> Trust:
        return Trust(enrollers=frozenset(), extra_roots=frozenset({digest_of(self.cpak)}))

    def but(self, **changes: object) -> "FakeRealm":
        return replace(self, **changes)  # type: ignore[arg-type]

    def key_claim(self) -> bytes:
        numbers = self.rak.public_key().public_numbers()
        x, y = (n.to_bytes(48, "big") for n in (numbers.x, numbers.y))
        return cbor2.dumps({1: 2, -1: 2, -2: x, -3: y}) if self.tagged_profile else b"\x04" + x + y

    def tokens(self) -> tuple[bytes, bytes]:
        realm: Claims = {
            10: b"\x11" * 64,
            44235: bytes(64),
            44236: "sha-256",
            44237: self.key_claim(),
            44238: b"\x01" * 32,
            44239: [bytes([n]) * 32 for n in range(4)],
            44240: "sha-256",
        }
        platform: Claims = {
            265: "tag:arm.com,2023:cca_platform#1.0.0"
            if self.tagged_profile
            else "http://arm.com/CCA-SSD/1.0.0",
            10: hashlib.sha256(self.key_claim()).digest(),
            256: UEID,
            2395: 0x3003,
            2396: b"\x22" * 32,
            2399: [component("RMM")],
            2401: b"\xcf" * 4,
            2402: "sha-256",
        }
        if self.tagged_profile:
            realm[265] = "tag:arm.com,2023:realm#1.0.0"
        return (
            sign1(changed(platform, self.platform), self.cpak),
            sign1(changed(realm, self.realm), self.rak),
        )

    def token(self, entries: dict[int, object] | None = None) -> bytes:
        platform, realm = self.tokens()
        return b"\xd9\x01\x8f" + cbor2.dumps(entries or {44234: platform, 44241: realm})

    def facts(self, *pieces: bytes, trust: Trust | None = None) -> Facts:
        return judged(Kind.CCA, self.token(), *(pieces or (spki(self.cpak),)), trust=trust or self.trust)
