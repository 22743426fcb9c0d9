# SPDX-License-Identifier: Apache-2.0
"""A TPM in Python with a root of its own: what it signs can be made wrong in one place at a time."""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import cbor2
from cryptography import x509
from cryptography.hazmat.decrepit.ciphers.modes import CFB
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from enclave.evidence.tpm.credential import kdf_a

ATTRIBUTES = 0x00050472
EK_USAGE = x509.ObjectIdentifier("2.23.133.8.1")
_EK, _CA = (
    rsa.generate_private_key(65537, 2048) for _ in range(2)
)  # slow to make, and nothing depends on them


def sized(part: bytes) -> bytes:
    """A TPM2B."""
    return len(part).to_bytes(2, "big") + part


def selection(numbers: Sequence[int], bank: int = 0x000B) -> bytes:
    """A TPML_PCR_SELECTION of one bank."""
    bitmap = sum(1 << n for n in numbers).to_bytes(3, "little")
    return (1).to_bytes(4, "big") + bank.to_bytes(2, "big") + b"\x03" + bitmap


def ima_entry(
    path: str,
    digest: bytes,
    *,
    template: str = "ima-ng",
    algorithm: str = "sha256",
    further: Sequence[bytes] = (),
    violation: bool = False,
) -> tuple[bytes, bytes]:
    """An entry of the kernel's binary measurement list, and what extends PCR 10 of the SHA-256 bank."""
    fields = (algorithm.encode() + b":\0" + digest, path.encode() + b"\0", *further)
    body = b"".join(len(part).to_bytes(4, "little") + part for part in fields)
    legacy = bytes(20) if violation else hashlib.sha1(body).digest()
    head = (10).to_bytes(4, "little") + legacy + len(template).to_bytes(4, "little") + template.encode()
    extended = b"\xff" * 32 if violation else hashlib.sha256(body).digest()
    return head + len(body).to_bytes(4, "little") + body, extended


BANKS = {0x0004: "sha1", 0x000B: "sha256", 0x000C: "sha384", 0x000D: "sha512"}


def event_log(*events: tuple[int, int, bytes, bytes], banks: Sequence[int] = (0x000B,)) -> bytes:
    """A TCG log of events (PCR, kind, what was measured, body); of an EV_NO_ACTION nothing was."""
    sizes = b"".join(
        b.to_bytes(2, "little") + hashlib.new(BANKS[b]).digest_size.to_bytes(2, "little") for b in banks
    )
    header = (
        b"Spec ID Event03\0"
        + bytes.fromhex("0000000000020002")
        + len(banks).to_bytes(4, "little")
        + sizes
        + b"\0"
    )
    log = bytes(4) + (3).to_bytes(4, "little") + bytes(20) + len(header).to_bytes(4, "little") + header
    for pcr, kind, measured, body in events:
        log += b"".join(number.to_bytes(4, "little") for number in (pcr, kind, len(banks)))
        for bank in banks:
            digest = hashlib.new(BANKS[bank], measured).digest()
            log += bank.to_bytes(2, "little") + (bytes(len(digest)) if kind == 3 else digest)
        log += len(body).to_bytes(4, "little") + body
    return log


def pcr_file(numbers: Sequence[int], values: Sequence[bytes], bank: int = 0x000B) -> bytes:
    """What tpm2_quote -o writes."""
    one = bank.to_bytes(2, "little") + b"\x03" + sum(1 << n for n in numbers).to_bytes(4, "little") + b"\0"
    eights = [values[at : at + 8] for at in range(0, len(values), 8)]
    file = (1).to_bytes(4, "little") + one + bytes(15 * 8) + len(eights).to_bytes(4, "little")
    for eight in eights:
        entries = b"".join(len(v).to_bytes(2, "little") + v.ljust(64, b"\0") for v in eight)
        file += len(eight).to_bytes(4, "little") + entries.ljust(8 * 66, b"\0")
    return file


@dataclass(kw_only=True)
class FakeTpm:
    """A TPM whose PCRs, attestation key and endorsement are what a test says."""

    attributes: int = ATTRIBUTES
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    pcrs: dict[int, bytes] = field(default_factory=lambda: {n: bytes(32) for n in range(24)})
    quoted: tuple[int, ...] = tuple(range(15))
    bank: int = 0x000B
    chain: tuple[bytes, ...] = ()
    event_log: bytes = b""
    ima_log: bytes = b""
    signer: bytes = b"\0\x0b" + bytes(32)
    others: dict[int, dict[int, bytes]] = field(default_factory=dict)

    def public(self) -> bytes:
        """TPMT_PUBLIC of the attestation key."""
        numbers = self.key.public_key().public_numbers()
        head = bytes.fromhex("0023000b") + self.attributes.to_bytes(4, "big")
        point = sized(numbers.x.to_bytes(32, "big")) + sized(numbers.y.to_bytes(32, "big"))
        return head + bytes.fromhex("000000100018000b00030010") + point

    def attest(self, nonce: bytes) -> bytes:
        """TPMS_ATTEST over the quoted PCRs."""
        values = b"".join(self.pcrs[n] for n in self.quoted)
        clock = bytes.fromhex("0000000000001000" + "00000001" + "00000000" + "01" + "2019102300163636")
        head = bytes.fromhex("ff5443478018") + sized(self.signer) + sized(nonce)
        return head + clock + selection(self.quoted, self.bank) + sized(hashlib.sha256(values).digest())

    def quote(self, nonce: bytes, bank: int) -> list[object]:
        """A quote of one bank, as bodies of several quotes hold it."""
        held = self.pcrs if bank == 0x000B else self.others[bank]
        values = [held[n] for n in self.quoted]
        told = hashlib.sha256(b"".join(values)).digest()
        attest = (
            self.attest(nonce)[: -len(selection(self.quoted)) - 34]
            + selection(self.quoted, bank)
            + sized(told)
        )
        return [attest, self.sign(attest), values]

    def several(self, nonce: bytes, *banks: int) -> bytes:
        """Evidence of several quotes, one for each bank."""
        quotes = [self.quote(nonce, bank) for bank in banks]
        body = [quotes, self.public(), list(self.chain), self.event_log, self.ima_log]
        return cbor2.dumps(body, canonical=True)

    def sign(self, message: bytes) -> bytes:
        """TPMT_SIGNATURE by the attestation key."""
        r, s = utils.decode_dss_signature(self.key.sign(message, ec.ECDSA(SHA256())))
        return bytes.fromhex("0018000b") + sized(r.to_bytes(32, "big")) + sized(s.to_bytes(32, "big"))

    def collect(self, report_data: bytes) -> bytes:
        """Evidence as the collector makes it."""
        attest = self.attest(report_data[:32])
        values = [self.pcrs[n] for n in self.quoted]
        parts = [attest, self.sign(attest), self.public(), values, list(self.chain)]
        return cbor2.dumps([*parts, self.event_log, self.ima_log], canonical=True)

    def pcr(self, number: int) -> bytes:
        return self.pcrs[number]

    def extend(self, number: int, digest: bytes) -> None:
        self.pcrs[number] = hashlib.sha256(self.pcrs[number] + digest).digest()

    def measure(self, *entries: tuple[bytes, bytes]) -> None:
        """What a kernel with an IMA policy does: list each entry and extend PCR 10."""
        for entry, extended in entries:
            self.ima_log += entry
            self.extend(10, extended)

    def endorsement(self, at: datetime, *, usage: x509.ObjectIdentifier = EK_USAGE) -> tuple[bytes, ...]:
        """The EK's certificate and the root above it."""
        root = certificate("Fake TPM root", _CA, "Fake TPM root", _CA, at, authority=True)
        leaf = certificate("EK", _EK, "Fake TPM root", _CA, at, usage=usage)
        return leaf, root

    def activate(self, credential: bytes, name: bytes) -> bytes:
        """TPM2_ActivateCredential, by the RSA endorsement key."""
        size = int.from_bytes(credential[:2], "big")
        identity, sealed = credential[2 : 2 + size], credential[4 + size :]
        tag, encrypted = identity[2:34], identity[34:]
        oaep = padding.OAEP(padding.MGF1(SHA256()), SHA256(), b"IDENTITY\0")
        seed = _EK.decrypt(sealed, oaep)
        wanted = hmac.new(kdf_a("sha256", seed, b"INTEGRITY", b"", 256), encrypted + name, "sha256").digest()
        assert hmac.compare_digest(tag, wanted)
        key = kdf_a("sha256", seed, b"STORAGE", name, 128)
        decryptor = Cipher(algorithms.AES(key), CFB(bytes(16))).decryptor()
        return (decryptor.update(encrypted) + decryptor.finalize())[2:]


def certificate(
    subject: str,
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey,
    issuer: str,
    by: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey,
    at: datetime,
    *,
    authority: bool = False,
    usage: x509.ObjectIdentifier | None = None,
    days: int = 365,
) -> bytes:
    """A certificate (DER) valid around a moment."""
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in (subject, issuer)]
    bits = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "crl_sign"), False
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(names[0])
        .issuer_name(names[1])
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(at - timedelta(days=1))
        .not_valid_after(at + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=not authority,
                key_cert_sign=authority,
                encipher_only=False,
                decipher_only=False,
                **bits,
            ),
            critical=True,
        )
    )
    if usage is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    return builder.sign(by, SHA256()).public_bytes(Encoding.DER)
