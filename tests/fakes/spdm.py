# SPDX-License-Identifier: Apache-2.0
"""An SPDM device in software: keys grown from a secret by DICE, certificates for each layer, and a responder.

It keeps its own account of what it signs, apart from the verifier's. `SoftDevice(...).talk(...)` holds a whole
conversation as another requester would; `faults` change single answers; `judged` and `refusal` verify it.
"""

import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from enclave.errors import NotAuthentic
from enclave.evidence.enclosed import Enclosed
from enclave.evidence.facts import Facts
from enclave.evidence.findings import Finding, Reason
from enclave.evidence.spdm.transcript import encode
from enclave.evidence.spdm.verify import verify
from enclave.evidence.trust import Trust
from tests.fakes.authorities import Authority, Extension, Key, kept_key, usage
from tests.fakes.evidence import NOON

SHA384 = bytes.fromhex("0609608648016503040202")
ASYM = {"P-256": 0x10, "P-384": 0x80, "P-521": 0x100}
HASH = {"sha256": 1, "sha384": 2, "sha512": 4}
MEASURED = {"sha256": 2, "sha384": 4, "sha512": 8}
_CURVES = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}
_HARDWARE, _MUTABLE = (bytes.fromhex("300e300c060a2b06010401831c8212") + bytes([arc]) for arc in (2, 5))
_CAPABILITIES = 0x36
Answer = Callable[[bytes, bytes], bytes]


def tlv(tag: int, *parts: bytes) -> bytes:
    """One DER element."""
    value = b"".join(parts)
    size = len(value).to_bytes(2, "big").lstrip(b"\0") or b"\0"
    return bytes([tag]) + (size if len(value) < 0x80 else bytes([0x80 | len(size)]) + size) + value


def tcb_info(layer: int, svn: int, firmware: bytes, *, flags: bytes = b"\0\0") -> Extension:
    """A DICE TcbInfo; `flags` is the content of its bit string."""
    fwid = tlv(0x30, SHA384, tlv(0x04, hashlib.sha384(firmware).digest()))
    parts = [tlv(0x80, b"Exequatur"), tlv(0x81, b"Soft"), tlv(0x83, bytes([svn])), tlv(0x84, bytes([layer]))]
    parts += [tlv(0xA6, fwid), tlv(0x87, flags)]
    return _unknown("2.23.133.5.4.1", tlv(0x30, *parts)), False


def ueid(value: bytes) -> Extension:
    """A device's universal entity id."""
    return _unknown("2.23.133.5.4.4", tlv(0x30, tlv(0x04, value))), False


def mark(*, hardware: bool) -> Extension:
    """DMTF's extension that marks a certificate as that of the hardware, or of what may change."""
    return _unknown("1.3.6.1.4.1.412.274.6", _HARDWARE if hardware else _MUTABLE), False


def block(index: int, kind: int, value: bytes) -> bytes:
    """A measurement in DMTF's form."""
    size = len(value).to_bytes(2, "little")
    return bytes([index, 1]) + (len(value) + 3).to_bytes(2, "little") + bytes([kind]) + size + value


def modes(operational: int = 4, device: int = 0) -> bytes:
    """A device mode: what the device is able to be in, and is in."""
    words = (0x3F, operational, 0x1F, device)
    return block(0xFE, 0x85, b"".join(word.to_bytes(4, "little") for word in words))


def _unknown(oid: str, der: bytes) -> x509.UnrecognizedExtension:
    return x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), der)


def grown(secret: bytes, label: bytes, kind: str) -> Key:
    """A key that only depends on a secret; RSA keys come from a stock, because they cannot be grown quickly."""
    if kind.startswith("RSA"):
        return kept_key(kind)
    curve = _CURVES[kind]
    stream = HKDF(algorithm=hashes.SHA384(), length=72, salt=None, info=label).derive(secret)
    return ec.derive_private_key(int.from_bytes(stream, "big") >> (576 - curve.key_size + 1) | 1, curve)


@dataclass(kw_only=True)
class SoftDevice:
    """A device; every field may be set before `exchange` is first called."""

    versions: tuple[int, ...] = (0x11, 0x12, 0x13)
    kind: str = "P-384"
    hashed: str = "sha384"
    asym: int = 0
    pss: bool = True
    uds: bytes = b"\x5a" * 48
    firmware: tuple[bytes, bytes] = (b"layer 0", b"layer 1")
    svns: tuple[int, int] = (3, 5)
    flags: bytes = b"\0\0"
    root: Authority = field(default_factory=lambda: Authority.root("Soft vendor", key=kept_key("P-384", 900)))
    leaf: dict[str, object] = field(default_factory=dict)
    more: tuple[Extension, ...] = ()
    blocks: list[bytes] = field(default_factory=list)
    opaque: bytes = b""
    change: int = 2
    portion: int = 0xFFFF
    with_root: bool = True
    faults: dict[int, Answer] = field(default_factory=dict)
    pending: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.blocks:
            digests = [hashlib.new(self.hashed, part).digest() for part in self.firmware]
            self.blocks = [block(1, 0x00, digests[0]), block(2, 0x01, digests[1])]
            self.blocks += [block(16, 0x87, (9).to_bytes(8, "little")), modes()]
        self.asym = self.asym or ASYM.get(self.kind, 0) or self._rsa()
        self.version = 0
        self.asked: list[int] = []
        self._vca = self._for_challenge = self._for_measurements = b""
        self._deferred = b""

    def _rsa(self) -> int:
        base = {"RSA-2048": 0x01, "RSA-3072": 0x04, "RSA-4096": 0x20}[self.kind]
        return base << 1 if self.pss else base

    def authorities(self) -> list[Authority]:
        """Root, layer 0 with the hardware's key, and the alias key of layer 1, made once."""
        if not hasattr(self, "_line"):
            first = hmac.digest(self.uds, hashlib.sha384(self.firmware[0]).digest(), "sha384")
            second = hmac.digest(first, hashlib.sha384(self.firmware[1]).digest(), "sha384")
            said = (
                tcb_info(0, self.svns[0], self.firmware[0], flags=self.flags),
                mark(hardware=True),
                *self.more,
            )
            middle = self.root.issue(
                "Soft device", key=grown(first, b"eca", "P-384"), authority=True, extensions=said
            )
            said = (tcb_info(1, self.svns[1], self.firmware[1]), mark(hardware=False))
            changes: dict[str, object] = {
                "key_usage": usage("digital_signature"),
                "extensions": said,
                **self.leaf,
            }
            leaf = middle.issue("Soft alias", key=grown(second, b"alias", self.kind), **changes)
            self._line = [self.root, middle, leaf]
        return self._line

    def chain(self) -> bytes:
        """The chain of its slot."""
        sent = self.authorities() if self.with_root else self.authorities()[1:]
        ders = b"".join(each.der for each in sent)
        digest = self.digest(self.root.der)
        return (4 + len(digest) + len(ders)).to_bytes(2, "little") + b"\0\0" + digest + ders

    def digest(self, raw: bytes) -> bytes:
        """The negotiated hash."""
        return hashlib.new(self.hashed, raw).digest()

    def exchange(self, request: bytes) -> bytes:
        """The answer to one request."""
        self.asked.append(request[1])
        if request[1] != 0xFF and self.pending:
            error = self.pending.pop(0)
            if error[2] == 0x42:
                self._deferred = request
            return error
        if request[1] == 0xFF:
            request = self._deferred
        answer = self._answer(request)
        if (fault := self.faults.get(request[1])) is not None:
            answer = fault(request, answer)
        return answer

    def _answer(self, request: bytes) -> bytes:
        code = request[1]
        if code != 0xE0:
            self._for_measurements = b""
        if code in (0xE0, 0x81):
            self._for_challenge = b""
        if code != 0x84:
            self.version = request[0]
        return {
            0x84: self._version,
            0xE1: self._capabilities,
            0xE3: self._algorithms,
            0x81: self._digests,
            0x82: self._certificate,
            0x83: self._challenge,
            0xE0: self._measurements,
        }[code](request)

    def _version(self, request: bytes) -> bytes:
        entries = b"".join((version << 8).to_bytes(2, "little") for version in self.versions)
        answer = b"\x10\x04\0\0\0" + bytes([len(self.versions)]) + entries
        self._vca = request + answer
        return answer

    def _capabilities(self, request: bytes) -> bytes:
        sizes = b"\0\x12\0\0\0\x12\0\0" if self.version >= 0x12 else b""
        answer = bytes([self.version, 0x61]) + bytes(6) + _CAPABILITIES.to_bytes(4, "little") + sizes
        self._vca += request + answer
        return answer

    def _algorithms(self, request: bytes) -> bytes:
        words = (MEASURED[self.hashed], self.asym, HASH[self.hashed])
        body = b"\x01\0" + b"".join(word.to_bytes(4, "little") for word in words) + bytes(16)
        answer = bytes([self.version, 0x63, 0, 0]) + (6 + len(body)).to_bytes(2, "little") + body
        self._vca += request + answer
        return answer

    def _digests(self, request: bytes) -> bytes:
        answer = bytes([self.version, 0x01, 0, 1]) + self.digest(self.chain())
        self._for_challenge += request + answer
        return answer

    def _certificate(self, request: bytes) -> bytes:
        offset, length = (int.from_bytes(request[at : at + 2], "little") for at in (4, 6))
        chain = self.chain()
        part = chain[offset : offset + min(length, self.portion)]
        left = len(chain) - offset - len(part)
        sizes = b"".join(size.to_bytes(2, "little") for size in (len(part), left))
        answer = bytes([self.version, 0x02, request[2], 0]) + sizes + part
        self._for_challenge += request + answer
        return answer

    def _challenge(self, request: bytes) -> bytes:
        summary = self.digest(b"".join(self.blocks)) if request[3] else b""
        head = bytes([self.version, 0x03, request[2], 1]) + self.digest(self.chain()) + b"\x77" * 32 + summary
        answer = head + len(self.opaque).to_bytes(2, "little") + self.opaque + self._context(request, 36)
        covered = self._vca + self._for_challenge + request + answer
        self._for_challenge = b""
        return answer + self._sign(covered, "responder-challenge_auth signing")

    def _measurements(self, request: bytes) -> bytes:
        signed, operation = request[2] & 1, request[3]
        blocks = [each for each in self.blocks if operation in (each[0], 0xFF)]
        if not blocks and operation:
            self._for_measurements = b""
            return bytes([self.version, 0x7F, 0x01, 0])
        record = b"".join(blocks)
        slot = request[36] if signed else 0
        change = self.change << 4 if signed and self.version >= 0x12 else 0
        total = 0 if operation else len(self.blocks)
        head = bytes([self.version, 0x60, total, slot | change, len(blocks)])
        answer = head + len(record).to_bytes(3, "little") + record + b"\x66" * 32
        answer += len(self.opaque).to_bytes(2, "little") + self.opaque
        answer += self._context(request, 37 if signed else 4)
        self._for_measurements += request + answer
        if not signed:
            return answer
        covered = (b"" if self.version == 0x11 else self._vca) + self._for_measurements
        self._for_measurements = b""
        return answer + self._sign(covered, "responder-measurements signing")

    def _context(self, request: bytes, at: int) -> bytes:
        return request[at : at + 8] if self.version >= 0x13 else b""

    def _sign(self, covered: bytes, context: str) -> bytes:
        key = self.authorities()[-1].key
        hashed = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}[
            self.hashed
        ]
        if self.version >= 0x12:
            name = f"dmtf-spdm-v1.{self.version & 15}.*".encode() * 4
            covered = name + bytes(36 - len(context)) + context.encode() + self.digest(covered)
        if isinstance(key, rsa.RSAPrivateKey):
            pss = padding.PSS(padding.MGF1(hashed), hashed.digest_size)
            return key.sign(covered, pss if self.pss else padding.PKCS1v15(), hashed)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        size = (key.key_size + 7) // 8
        r, s = utils.decode_dss_signature(key.sign(covered, ec.ECDSA(hashed)))
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")

    def talk(self, requests: Sequence[bytes], version: int = 0x12) -> list[bytes]:
        """The messages of a conversation that begins with `requests` behind the negotiation."""
        return [
            message
            for asked in (*opening(version, self.asym, self.hashed), *requests)
            for message in (asked, self.exchange(asked))
        ]


def opening(version: int, asym: int, hashed: str) -> list[bytes]:
    """GET_VERSION to NEGOTIATE_ALGORITHMS."""
    sizes = b"\0\x12\0\0\0\x12\0\0" if version >= 0x12 else b""
    offered = asym.to_bytes(4, "little") + HASH[hashed].to_bytes(4, "little")
    return [
        b"\x10\x84\0\0",
        bytes([version, 0xE1]) + bytes(6) + b"\x06\0\0\0" + sizes,
        bytes([version, 0xE3, 0, 0]) + b"\x20\0\x01\0" + offered + bytes(16),
    ]


def get_digests(version: int = 0x12) -> bytes:
    """GET_DIGESTS."""
    return bytes([version, 0x81, 0, 0])


def get_certificate(version: int = 0x12, offset: int = 0, length: int = 0xFFFF, slot: int = 0) -> bytes:
    """GET_CERTIFICATE."""
    return bytes([version, 0x82, slot, 0]) + offset.to_bytes(2, "little") + length.to_bytes(2, "little")


def challenge(version: int = 0x12, nonce: bytes = b"\xcc" * 32, slot: int = 0, summary: int = 0xFF) -> bytes:
    """CHALLENGE."""
    return bytes([version, 0x83, slot, summary]) + nonce + (b"\x01" * 8 if version >= 0x13 else b"")


def get_measurements(
    version: int = 0x12, operation: int = 0xFF, nonce: bytes | None = b"\xaa" * 32, slot: int = 0
) -> bytes:
    """GET_MEASUREMENTS, signed unless without a nonce."""
    signed = b"" if nonce is None else nonce + bytes([slot])
    context = b"\x02" * 8 if version >= 0x13 else b""
    return bytes([version, 0xE0, int(nonce is not None), operation]) + signed + context


NONCE = b"\xaa" * 32


def usual(version: int = 0x13) -> list[bytes]:
    """What a careful requester asks for."""
    return [
        get_digests(version),
        get_certificate(version),
        challenge(version),
        get_measurements(version),
    ]


def judged(
    device: SoftDevice,
    requests: Sequence[bytes] | None = None,
    *,
    version: int = 0x13,
    pieces: Sequence[bytes] = (),
    trust: Trust | None = None,
    change: Callable[[list[bytes]], list[bytes]] = lambda said: said,
) -> Facts:
    """The facts of a conversation with a device; the challenger's nonce is `NONCE` unless it says otherwise."""
    said = change(device.talk(usual(version) if requests is None else requests, version))
    body = Enclosed(evidence=encode(said), pieces=tuple(pieces)).encode()
    return verify(body, 1, node=None, trust=trust or device.root.trust, at=NOON)


def refusal(device: SoftDevice, requests: Sequence[bytes] | None = None, **how: object) -> list[Finding]:
    """Why a conversation is not authentic."""
    with pytest.raises(NotAuthentic) as refused:
        judged(device, requests, **how)  # type: ignore[arg-type]
    return list(refused.value.findings)


def reasons(findings: Sequence[Finding]) -> list[Reason]:
    return [finding.reason for finding in findings]
