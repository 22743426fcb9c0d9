# SPDX-License-Identifier: Apache-2.0
"""A Nitro hypervisor of our own: a root, certificates of three hours, documents with anything changed, and a NitroTPM."""

import hashlib
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from enclave.evidence.enclosed import Enclosed
from enclave.evidence.facts import Facts
from enclave.evidence.kinds import Kind
from enclave.evidence.trust import Trust
from enclave.evidence.vouching import verify_device
from tests.fakes.arm import sign1
from tests.fakes.authorities import Authority
from tests.fakes.evidence import NOON
from tests.fakes.tpm import selection, sized

ROOT = Authority.root("aws.nitro-enclaves", "P-384")
ZONE = ROOT.issue("us-east-2.aws.nitro-enclaves", "P-384", authority=True)
MODULE = "i-0123456789abcdef0-enc0123456789abcdef"
LEAF = {"since": timedelta(seconds=3), "lasts": timedelta(hours=3)}


@dataclass(frozen=True, kw_only=True)
class FakeEnclave:
    """An enclave or an instance's TPM; `fields` changes the payload, and leaves out what is ... (Ellipsis)."""

    made: datetime = NOON
    tpm: bool = False
    leaf: Authority = field(default_factory=lambda: ZONE.issue(MODULE, "P-384", **LEAF))
    chain: tuple[Authority, ...] = (ROOT, ZONE)
    fields: dict[str, object] = field(default_factory=dict)
    trust: Trust = ROOT.trust

    def but(self, **changes: object) -> "FakeEnclave":
        return replace(self, **changes)  # type: ignore[arg-type]

    def payload(self) -> dict[str, object]:
        bank, count = ("nitrotpm_pcrs", 24) if self.tpm else ("pcrs", 16)
        said: dict[str, object] = {
            "module_id": MODULE,
            "digest": "SHA384",
            "timestamp": int(self.made.timestamp() * 1000),
            bank: {number: bytes([number + 1]) * 48 for number in range(count)},
            "certificate": self.leaf.der,
            "cabundle": [authority.der for authority in self.chain],
            "public_key": None,
            "user_data": bytes(range(32)) + bytes(32),
            "nonce": None,
        }
        return {name: value for name, value in (said | self.fields).items() if value is not ...}

    def document(self) -> bytes:
        return sign1(self.payload(), self.leaf.key, tag=False)

    def facts(self, *pieces: bytes, evidence: bytes | None = None, at: datetime = NOON) -> Facts:
        body = Enclosed(evidence=evidence or self.document(), pieces=pieces).encode()
        kind = Kind.NITRO_TPM if self.tpm else Kind.NITRO
        return verify_device(kind, body, 0, node=None, trust=self.trust, at=at)


@dataclass(frozen=True, kw_only=True)
class FakeNitroTpm:
    """A NitroTPM: the key that its document names quotes the same registers for the same nonce."""

    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    nonce: bytes = b"\x77" * 32
    quoted: bytes | None = None
    bank: int = 0x000C
    values: tuple[bytes, ...] | None = None
    shown: tuple[bytes, ...] | None = None

    def but(self, **changes: object) -> "FakeNitroTpm":
        return replace(self, **changes)  # type: ignore[arg-type]

    @property
    def enclave(self) -> FakeEnclave:
        point = self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return FakeEnclave(tpm=True, fields={"public_key": point, "user_data": None, "nonce": self.nonce})

    def evidence(self, *, signer: ec.EllipticCurvePrivateKey | None = None) -> bytes:
        pcrs = self.enclave.payload()["nitrotpm_pcrs"]
        assert isinstance(pcrs, dict)
        values = self.values or tuple(pcrs.values())
        attest = (
            b"\xffTCG\x80\x18" + sized(bytes(34)) + sized(self.quoted or self.nonce) + bytes(17) + bytes(8)
        )
        attest += selection(range(len(values)), self.bank)
        attest += sized(hashlib.sha256(b"".join(values)).digest())
        r, s = utils.decode_dss_signature((signer or self.key).sign(attest, ec.ECDSA(hashes.SHA256())))
        halves = r.to_bytes(32, "big") + s.to_bytes(32, "big")
        parts = [self.enclave.document(), attest, halves, list(self.shown or values)]
        return cbor2.dumps(parts, canonical=True)

    def facts(self, **options: object) -> Facts:
        return self.enclave.facts(evidence=self.evidence(**options))  # type: ignore[arg-type]
