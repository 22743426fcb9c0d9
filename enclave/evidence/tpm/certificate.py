# SPDX-License-Identifier: Apache-2.0
"""Certificates of attestation keys: issued by an enroller, or by a vendor of virtual TPMs (SPEC.md, section 7.4)."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

import cbor2
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from enclave.errors import MalformedEvidence, NotAuthentic
from enclave.evidence.findings import Finding, Reason
from enclave.evidence.roots import key_digest

ENROLMENT = x509.ObjectIdentifier("2.25.147603311486825058739846564921934298178")
LONGEST = timedelta(days=30)
_LONGEST_CHAIN = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """What an enroller saw: the Name of the AK, and digests of the EK key and of its root's key."""

    name: bytes
    endorsement: bytes
    root: bytes

    def encode(self) -> bytes:
        """Deterministic CBOR, the value of the certificate's extension."""
        return cbor2.dumps([self.name, self.endorsement, self.root], canonical=True)

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        """Read `encode()`; raises `MalformedEvidence` for any other bytes."""
        try:
            name, endorsement, root = cbor2.loads(raw)
            value = cls(name=name, endorsement=endorsement, root=root)
            right = [len(name), len(endorsement), len(root)] == [34, 32, 32] and value.encode() == raw
        except Exception as error:  # cbor2 and unpacking raise many kinds on hostile input
            raise MalformedEvidence("not ours", where="enrolment extension") from error
        if not right:
            raise MalformedEvidence("wrong lengths", where="enrolment extension")
        return value


def load(der: bytes) -> x509.Certificate:
    """Read a certificate, its key and its extensions, so that nothing later finds them malformed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of serial numbers below one; here they are refused
            certificate = x509.load_der_x509_certificate(der)
            if certificate.serial_number < 1:
                raise ValueError("serial number below one")
        certificate.public_key()
        certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    except x509.ExtensionNotFound:
        return certificate
    except (
        ValueError,
        TypeError,
        UnsupportedAlgorithm,
        x509.InvalidVersion,
        x509.DuplicateExtension,
    ) as error:
        raise MalformedEvidence("not a certificate that we can read", where="certificate") from error
    return certificate


def enrolment_of(certificate: x509.Certificate, enrollers: frozenset[bytes]) -> Enrolment | None:
    """What an enroller among `enrollers` certified, or None when none of them issued this certificate."""
    if not any(_issued_by(certificate, key) for key in enrollers):
        return None
    if certificate.not_valid_after_utc - certificate.not_valid_before_utc > LONGEST:
        raise fault(Reason.CERTIFICATE, f"an AK certificate of at most {LONGEST.days} days", "a longer one")
    try:
        extension = certificate.extensions.get_extension_for_oid(ENROLMENT).value
    except x509.ExtensionNotFound as error:
        raise fault(Reason.CERTIFICATE, "an enrolment extension", "none") from error
    if not isinstance(extension, x509.UnrecognizedExtension):
        raise MalformedEvidence("not ours", where="enrolment extension")
    return Enrolment.decode(extension.value)


def _issued_by(certificate: x509.Certificate, enroller: bytes) -> bool:
    try:
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), enroller)
        algorithm = certificate.signature_hash_algorithm
        if algorithm is None or algorithm.name != "sha256":
            return False
        key.verify(certificate.signature, certificate.tbs_certificate_bytes, ec.ECDSA(algorithm))
    except (ValueError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def check_chain(chain: Sequence[x509.Certificate], at: datetime) -> bytes:
    """Check a chain, leaf first and root last, at a moment; returns the digest of the root's key."""
    if not 2 <= len(chain) <= _LONGEST_CHAIN:
        raise fault(Reason.CERTIFICATE, f"a chain of 2 to {_LONGEST_CHAIN}, root last", str(len(chain)))
    for depth, (certificate, issuer) in enumerate(zip(chain, [*chain[1:], chain[-1]], strict=True)):
        check_time(certificate, at)
        if depth > 0 and not _may_issue(certificate, depth - 1):
            raise fault(Reason.CERTIFICATE, "issuers that are authorities", f"certificate {depth} is none")
        try:
            certificate.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm) as error:
            found = f"certificate {depth} is not"  # its subject may name a machine
            raise fault(Reason.CERTIFICATE, "each certificate issued by the next", found) from error
    return key_digest(chain[-1])


def check_time(certificate: x509.Certificate, at: datetime) -> None:
    """Refuse a certificate outside its validity, which is half-open."""
    first, last = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if not first <= at < last:
        raise fault(Reason.CERTIFICATE, f"valid at {at:%Y-%m-%dT%H:%M:%SZ}", f"from {first} until {last}")


def _may_issue(certificate: x509.Certificate, below: int) -> bool:
    try:
        basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return False
    return basic.ca and usage.key_cert_sign and (basic.path_length is None or basic.path_length >= below)


def spki(certificate: x509.Certificate) -> bytes:
    """The certificate's SubjectPublicKeyInfo."""
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def fault(reason: Reason, expected: str, found: str, hint: str = "") -> NotAuthentic:
    """One finding, ready to raise."""
    return NotAuthentic([Finding(reason=reason, expected=expected, found=found, hint=hint)])
