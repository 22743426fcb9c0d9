# SPDX-License-Identifier: Apache-2.0
"""Certificates of attestation keys that an enroller issued (SPEC.md, section 7.4)."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Self

import cbor2
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec

from enclave.errors import MalformedEvidence
from enclave.evidence.certificates import fault
from enclave.evidence.findings import Reason

ENROLMENT = x509.ObjectIdentifier("2.25.147603311486825058739846564921934298178")
LONGEST = timedelta(days=30)


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
