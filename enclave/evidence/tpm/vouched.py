# SPDX-License-Identifier: Apache-2.0
"""Who vouches for a TPM's attestation key: an enroller, a vendor of virtual TPMs, or only the caller (tpm/SPEC.md, 4)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from enclave.errors import NotAuthentic
from enclave.evidence.certificates import check_time, fault, key_digest, path, spki, spki_digest
from enclave.evidence.facts import RootStatus
from enclave.evidence.findings import Reason
from enclave.evidence.roots import ATTESTATION_KEY_ROOTS, ENDORSEMENT_KEY_ROOTS
from enclave.evidence.tpm.certificate import Enrolment, enrolment_of
from enclave.evidence.tpm.evidence import TpmEvidence
from enclave.evidence.trust import Trust


@dataclass(frozen=True, slots=True, kw_only=True)
class Vouched:
    """Whose word the key is worth, for how long, and the TPM's identity in that word.

    `named` says that the word is for the key's Name, which holds its attributes, and not for the bare key.
    """

    identity: bytes = field(repr=False)
    keys: tuple[bytes, ...] = field(repr=False)
    status: RootStatus
    vendor: str
    trace: tuple[str, ...]
    named: bool = False
    not_before: datetime | None = None
    not_after: datetime | None = None
    inputs: Mapping[str, datetime] = field(default_factory=dict)


def vouched_for(evidence: TpmEvidence, trust: Trust, at: datetime) -> Vouched:
    """The best word there is for the key; raises `NotAuthentic`.

    A key that trust names itself needs no certificate, and counts as nobody's but the caller's.
    """
    try:
        return _certified(evidence, trust, at)
    except NotAuthentic:
        digest = spki_digest(evidence.key)
        if digest not in trust.extra_roots:
            raise
        return Vouched(
            identity=digest,
            keys=(digest,),
            status=RootStatus.TEST_ROOT,
            vendor="an attestation key added by trust",
            trace=(
                "tpm: no certificate of the key counts; that it is a TPM's, and restricted, is the caller's word",
            ),
        )


def _check_usage(leaf: x509.Certificate) -> None:
    """Refuse certificates of keys that are for something else, such as those of authorities and endorsement keys."""
    for extension in leaf.extensions:
        value = extension.value
        authority = isinstance(value, x509.BasicConstraints) and value.ca
        if authority or (isinstance(value, x509.KeyUsage) and not value.digital_signature):
            raise fault(Reason.CERTIFICATE, "a certificate of a key that signs", "one for another use")


def _certified(evidence: TpmEvidence, trust: Trust, at: datetime) -> Vouched:
    leaf = _leaf(evidence)
    if (enrolment := enrolment_of(leaf, trust.enrollers)) is not None:
        return _enrolled(evidence, leaf, enrolment, at)
    _check_usage(leaf)
    pool = [certificate for certificate in evidence.certificates if certificate is not leaf]
    found = path(leaf, pool, roots=ATTESTATION_KEY_ROOTS, trust=trust, at=at, crls=evidence.crls)
    if found.certificates == (leaf,):
        raise fault(
            Reason.CERTIFICATE,
            "a certificate that somebody else vouches for",
            "a key that trust names itself",
        )
    lists = (
        "no revocation list came along"
        if found.oldest_crl is None
        else "not on the revocation lists that came"
    )
    return Vouched(
        identity=key_digest(leaf),
        status=found.status,
        vendor=found.vendor,
        keys=found.keys,
        trace=(
            f"tpm: the vendor certified the key, {len(found.keys)} certificates up to {found.vendor}; {lists}",
        ),
        not_before=found.not_before,
        not_after=found.not_after,
        inputs={"certificate": leaf.not_valid_before_utc},
    )


def _leaf(evidence: TpmEvidence) -> x509.Certificate:
    """The key's certificate, whatever the order of certificates."""
    if not evidence.certificates:
        hint = "enrol the key, send its vendor's certificates, or trust the key itself at level none"
        raise fault(Reason.CERTIFICATE, "a certificate of the attestation key", "none", hint)
    key = evidence.key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    leaf = next((one for one in evidence.certificates if spki(one) == key), None)
    if leaf is None:
        raise fault(Reason.CERTIFICATE, "a certificate of the key that signed", "one of another key")
    return leaf


def _enrolled(evidence: TpmEvidence, leaf: x509.Certificate, enrolment: Enrolment, at: datetime) -> Vouched:
    check_time(leaf, at)
    if len(evidence.certificates) != 1 or evidence.public is None or enrolment.name != evidence.public.name:
        raise fault(Reason.CERTIFICATE, "the Name that was enrolled", "another, or more certificates")
    vendor = ENDORSEMENT_KEY_ROOTS.get(enrolment.root.hex())
    named = vendor or f"unknown root {enrolment.root.hex()}"
    return Vouched(
        identity=enrolment.endorsement,
        status=RootStatus.TEST_ROOT if vendor is None else RootStatus.VENDOR,
        vendor=named,
        keys=(key_digest(leaf), enrolment.endorsement, enrolment.root),
        named=True,
        trace=(
            f"tpm: an enroller checked that the key and an endorsement key are in one TPM, up to {named}",
        ),
        not_before=leaf.not_valid_before_utc,
        not_after=leaf.not_valid_after_utc,
        inputs={"certificate": leaf.not_valid_before_utc},
    )
