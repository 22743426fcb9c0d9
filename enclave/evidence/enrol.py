# SPDX-License-Identifier: Apache-2.0
"""Enrolment of a TPM's attestation key, once, in two messages that need no state between them (SPEC.md, section 8).

The first answers a verified EK chain with a secret that only the TPM with that EK and AK can read; the second
answers the secret with a certificate. What is pending travels in a cookie that only the enroller can read.
"""

import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import cbor2
from cryptography import x509
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from enclave.errors import EnrolmentRefused, MalformedEvidence, NotAuthentic
from enclave.evidence.cbor import decode
from enclave.evidence.certificates import LONGEST_PATH, key_digest, load, path
from enclave.evidence.findings import Reason
from enclave.evidence.roots import ENDORSEMENT_KEY_ROOTS
from enclave.evidence.tpm.certificate import ENROLMENT, LONGEST, Enrolment
from enclave.evidence.tpm.credential import make_credential
from enclave.evidence.tpm.structures import TpmPublic
from enclave.evidence.tpm.verify import key_faults
from enclave.evidence.trust import Trust

PENDING = timedelta(minutes=5)
SKEW = timedelta(days=1)  # how far the time of blocks, which enrolments go by, may trail that of certificates
_EK_USAGE = x509.ObjectIdentifier("2.23.133.8.1")
_COOKIE = b"exequatur/v1/enrol-cookie"


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolRequest:
    """What a node sends: the EK's certificate chain, root last, and the AK's TPMT_PUBLIC."""

    chain: tuple[bytes, ...] = field(repr=False)
    public: bytes = field(repr=False)

    def encode(self) -> bytes:
        """Deterministic CBOR."""
        return cbor2.dumps([list(self.chain), self.public], canonical=True)

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        """Read `encode()`; raises `MalformedEvidence` for any other bytes."""
        try:
            parts: Any = decode(raw)
            chain, public = parts
            request = cls(chain=tuple(chain), public=public)
            right = {type(part) for part in (*chain, public)} == {bytes} and request.encode() == raw
        except Exception as error:  # cbor2 and unpacking raise many kinds on hostile input
            raise MalformedEvidence("not CBOR of ours", where="enrolment request") from error
        if not right:
            raise MalformedEvidence("a part of the wrong type", where="enrolment request")
        return request


def enroller_point(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The enroller's public key as policies name it."""
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def challenge_ak(
    request: EnrolRequest, *, trust: Trust, at: datetime, cookie_key: bytes, random: Callable[[int], bytes]
) -> tuple[bytes, bytes]:
    """Check the EK chain and the AK, and return the credential blob and the cookie to send back."""
    chain = [load(der) for der in request.chain]
    root = _root(chain, trust, _caught_up(chain, at))
    endorsement = _endorsement_key(chain[0])
    public = TpmPublic.parse(request.public)
    if findings := list(key_faults(public)):
        raise NotAuthentic(findings)
    secret = random(32)
    enrolment = Enrolment(name=public.name, endorsement=key_digest(chain[0]), root=root)
    nonce = random(12)
    pending = cbor2.dumps([int(at.timestamp()), secret, request.public, enrolment.encode()], canonical=True)
    cookie = nonce + AESGCM(cookie_key).encrypt(nonce, pending, _COOKIE)
    return make_credential(endorsement, public.name, secret, random), cookie


def issue(
    cookie: bytes,
    secret: bytes,
    *,
    key: ec.EllipticCurvePrivateKey,
    cookie_key: bytes,
    at: datetime,
    lifetime: timedelta = LONGEST,
) -> bytes:
    """The AK's certificate (DER), for whoever could read the secret within five minutes."""
    try:
        pending = AESGCM(cookie_key).decrypt(cookie[:12], cookie[12:], _COOKIE)
    except (InvalidTag, ValueError) as error:
        raise EnrolmentRefused("a cookie that is not ours", hint="begin the enrolment again") from error
    asked, expected, public, enrolment = cbor2.loads(pending)
    if not timedelta(0) <= at - datetime.fromtimestamp(asked, UTC) <= PENDING:
        raise EnrolmentRefused("the enrolment took too long", hint=f"answer within {PENDING}")
    if not hmac.compare_digest(secret, expected):
        raise EnrolmentRefused("not the secret", hint="only the TPM with this EK and AK can read it")
    return _certificate(TpmPublic.parse(public), enrolment, cookie, key, at, min(lifetime, LONGEST))


def _root(chain: Sequence[x509.Certificate], trust: Trust, at: datetime) -> bytes:
    """Digest of the key of the root that the EK's certificate ends at."""
    if not 2 <= len(chain) <= LONGEST_PATH:
        hint = f"send the chain, root included, at most {LONGEST_PATH} certificates"
        raise EnrolmentRefused("without its issuers, or with too many", where="EK chain", hint=hint)
    try:
        return path(chain[0], chain[1:], roots=ENDORSEMENT_KEY_ROOTS, trust=trust, at=at).root
    except NotAuthentic as error:
        if error.reasons != (Reason.ROOT.name,):
            raise
        hint = "a verifier may add the root's key digest for development"
        raise EnrolmentRefused(error.findings[0].found, where="EK chain", hint=hint) from error


def _caught_up(chain: Sequence[x509.Certificate], at: datetime) -> datetime:
    """The moment to judge a chain at: a new TPM's certificate may be younger than the newest block."""
    newest = max((certificate.not_valid_before_utc for certificate in chain), default=at)
    return newest if at < newest <= at + SKEW else at


def _endorsement_key(certificate: x509.Certificate) -> rsa.RSAPublicKey | ec.EllipticCurvePublicKey:
    try:
        usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        usages = x509.ExtendedKeyUsage([x509.ObjectIdentifier("0.0")])
    key = certificate.public_key()
    if _EK_USAGE not in usages or not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        raise EnrolmentRefused(f"not an endorsement key, whose usage is {_EK_USAGE.dotted_string}")
    return key


def _certificate(
    public: TpmPublic,
    enrolment: bytes,
    cookie: bytes,
    key: ec.EllipticCurvePrivateKey,
    at: datetime,
    lifetime: timedelta,
) -> bytes:
    first = at.replace(microsecond=0) - SKEW
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"TPM AK {public.name[2:10].hex()}")])
    issuer = hashlib.sha256(enroller_point(key)).hexdigest()[:16]
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Exequatur enroller {issuer}")]))
        .public_key(public.key)
        .serial_number(int.from_bytes(hashlib.sha256(cookie).digest()[:16], "big") | 1)
        .not_valid_before(first)
        .not_valid_after(first + lifetime)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.UnrecognizedExtension(ENROLMENT, enrolment), critical=False)
    )
    return builder.sign(key, SHA256()).public_bytes(Encoding.DER)
