# SPDX-License-Identifier: Apache-2.0
"""A confidential machine of a cloud of our own: a paravisor on our processor, and a virtual TPM that it vouches for.

`Machine()` is good; every field is there to be made wrong. `body()` is what bundles carry.
"""

import base64
import hashlib
import json
from dataclasses import dataclass, field, replace

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from enclave.evidence.azure.evidence import Parts
from enclave.evidence.enclosed import Enclosed
from enclave.evidence.trust import Trust
from tests.fakes.authorities import Authority, kept_key
from tests.fakes.intel import FakeIntel
from tests.fakes.snp import Processor
from tests.fakes.tpm import FakeTpm

NONCE = b"\x17" * 32
CONFIGURATION = {"console-enabled": False, "secure-boot": True, "tpm-enabled": True, "vmUniqueId": "A"}
_HASHES = {1: "sha256", 2: "sha384", 3: "sha512"}


def attestation_key(number: int = 21) -> rsa.RSAPrivateKey:
    """A vTPM's key."""
    key = kept_key("RSA-2048", number)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


def number64(value: int) -> str:
    """A number as JWKs write it."""
    raw = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def jwk(key: rsa.RSAPrivateKey, kid: str = "HCLAkPub") -> dict[str, object]:
    """A public key as the runtime data holds it."""
    numbers = key.public_key().public_numbers()
    return {"kid": kid, "key_ops": ["sign"], "kty": "RSA", "e": number64(numbers.e), "n": number64(numbers.n)}


def u32(*values: int) -> bytes:
    """Little-endian words."""
    return b"".join(value.to_bytes(4, "little") for value in values)


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A machine; with `intel` it is isolated by TDX, otherwise by `processor`."""

    processor: Processor = field(default_factory=Processor)
    intel: FakeIntel | None = None
    key: rsa.RSAPrivateKey = field(default_factory=attestation_key)
    signer: rsa.RSAPrivateKey | None = None
    pcrs: dict[int, bytes] = field(default_factory=lambda: {n: bytes([n]) * 32 for n in range(24)})
    quoted: tuple[int, ...] = tuple(range(24))
    nonce: bytes = NONCE
    hashed: int = 1
    keys: tuple[dict[str, object], ...] | None = None
    document: dict[str, object] = field(default_factory=dict)
    certificate: bytes = b""
    td_report: tuple[tuple[int, bytes], ...] = ()
    bound: bytes | None = None

    @property
    def trust(self) -> Trust:
        """Trust in the hardware's root."""
        return self.processor.trust if self.intel is None else self.intel.root.trust

    def runtime_data(self) -> bytes:
        """The paravisor's JSON."""
        keys = (jwk(self.key),) if self.keys is None else self.keys
        document = {"keys": list(keys), "vm-configuration": CONFIGURATION, "user-data": "00" * 64}
        return json.dumps({**document, **self.document}).encode()

    def report_data(self) -> bytes:
        """What the hardware's report binds."""
        if self.bound is not None:
            return self.bound
        return hashlib.new(_HASHES.get(self.hashed, "sha256"), self.runtime_data()).digest().ljust(64, b"\0")

    def hardware(self) -> bytes:
        """The hardware's report: 1184 bytes."""
        if self.intel is None:
            return self.processor.but(report_data=self.report_data()).report()
        report = bytearray(1184)
        report[128:192] = self.report_data()
        report[512:912] = self.intel.body[120:520]
        for at, part in self.td_report:
            report[at : at + len(part)] = part
        return bytes(report)

    def hcl(self, *, padding: bytes = bytes(100), header: bytes | None = None) -> bytes:
        """The paravisor's report as the NV index holds it."""
        runtime = self.runtime_data()
        kind = 2 if self.intel is None else 4
        size = 32 + 1184 + 20 + len(runtime)
        head = b"HCLA" + u32(2, size, 2, 0) + bytes(12) if header is None else header
        middle = u32(20 + len(runtime), 1, kind, self.hashed, len(runtime))
        return head + self.hardware() + middle + runtime + padding

    def parts(self) -> Parts:
        """What was collected."""
        tpm = FakeTpm(pcrs=self.pcrs, quoted=self.quoted)
        attest = tpm.attest(self.nonce)
        return Parts(
            hcl=self.hcl(),
            attest=attest,
            signature=(self.signer or self.key).sign(attest, padding.PKCS1v15(), SHA256()),
            pcrs=tuple(self.pcrs[number] for number in self.quoted),
            td_quote=self.td_quote(),
            certificate=self.certificate,
        )

    def td_quote(self) -> bytes:
        """The quote of the TD report; nothing on SNP."""
        if self.intel is None:
            return b""
        self.intel.put("report_data", self.report_data())
        return self.intel.quote()

    def pieces(self) -> tuple[bytes, ...]:
        """What endorses the hardware."""
        return self.processor.pieces() if self.intel is None else (self.intel.collateral(),)

    def body(self, *more: bytes, parts: Parts | None = None) -> bytes:
        """Evidence and endorsements as bundles carry them."""
        evidence = (parts or self.parts()).encode()
        return Enclosed(evidence=evidence, pieces=(*self.pieces(), *more)).encode()

    def but(self, **changes: object) -> "Machine":
        """The same machine with something else about it."""
        return replace(self, **changes)  # type: ignore[arg-type]  # tests name the fields


def cloud(key: rsa.RSAPrivateKey) -> tuple[Authority, Authority, Authority]:
    """Certificate of a vTPM's key, its issuer and the cloud's root."""
    root = Authority.root("Cloud root")
    issuer = root.issue("Cloud TPM CA", authority=True)
    return issuer.issue("vTPM", key=key), issuer, root
