# SPDX-License-Identifier: Apache-2.0
"""Revocation lists (RFC 5280, section 5) that came with evidence: a list that is there must hold, and is obeyed.

No list is fetched and none is demanded here; how old the newest may be is for a policy to say.
"""

import warnings
from collections.abc import Iterator, Sequence
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from enclave.errors import MalformedEvidence
from enclave.evidence.findings import Reason, fault

_HASHES = frozenset({"sha256", "sha384", "sha512"})
_PEM = b"-----BEGIN X509 CRL-----"


def load_crl(raw: bytes) -> x509.CertificateRevocationList:
    """Read a list in DER or PEM, so that nothing later finds it malformed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of long names
            crl = x509.load_pem_x509_crl(raw) if _PEM in raw[:64] else x509.load_der_x509_crl(raw)
            _ = crl.issuer, crl.last_update_utc, crl.next_update_utc, list(crl.extensions), len(crl)
    except (
        ValueError,
        TypeError,
        UnsupportedAlgorithm,
        x509.InvalidVersion,
        x509.DuplicateExtension,
    ) as error:
        raise MalformedEvidence("not a revocation list that we can read", where="revocation list") from error
    except x509.UnsupportedGeneralNameType as error:
        raise MalformedEvidence("a list with a name of an unknown form", where="revocation list") from error
    return crl


def lists_for(
    certificate: x509.Certificate, crls: Sequence[x509.CertificateRevocationList]
) -> Iterator[x509.CertificateRevocationList]:
    """The lists that speak for a certificate's issuer."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of long names, which a list reads anew each time
        issuers = [crl.issuer for crl in crls]
    return (crl for crl, issuer in zip(crls, issuers, strict=True) if issuer == certificate.issuer)


def check_revocation(
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    crls: Sequence[x509.CertificateRevocationList],
    at: datetime,
) -> None:
    """Refuse a certificate that its issuer revoked by `at`, and any list of that issuer that does not hold."""
    for crl in lists_for(certificate, crls):
        if not _signed(crl, issuer):
            raise fault(Reason.CERTIFICATE, "a revocation list signed by the issuer", "another signature")
        if not _whole(crl):
            raise fault(Reason.CERTIFICATE, "a complete revocation list", "one of a part, or of others")
        if crl.next_update_utc is None or not crl.last_update_utc <= at < crl.next_update_utc:
            found = f"from {crl.last_update_utc} until {crl.next_update_utc}"
            raise fault(Reason.CERTIFICATE, "a revocation list in force", found, "fetch the one of that time")
        entry = _entry(crl, certificate.serial_number)
        if entry is not None and entry.revocation_date_utc <= at:
            when = f"revoked on {entry.revocation_date_utc}"
            raise fault(Reason.CERTIFICATE, "certificates that are not revoked", when)


def _signed(crl: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    key, hashed = issuer.public_key(), crl.signature_hash_algorithm
    if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        return False
    try:
        usage = issuer.extensions.get_extension_for_class(x509.KeyUsage).value
        if not usage.crl_sign:
            return False
    except x509.ExtensionNotFound:
        pass
    try:
        return hashed is not None and hashed.name in _HASHES and crl.is_signature_valid(key)
    except (TypeError, ValueError, UnsupportedAlgorithm):
        return False


def _whole(crl: x509.CertificateRevocationList) -> bool:
    """Whether the list is complete for its issuer; an unknown critical extension may say that it is not."""
    for extension in crl.extensions:
        point = extension.value
        if isinstance(point, x509.IssuingDistributionPoint):
            if point.indirect_crl or point.only_some_reasons or point.only_contains_attribute_certs:
                return False
        elif extension.critical:
            return False
    return True


def _entry(crl: x509.CertificateRevocationList, serial: int) -> x509.RevokedCertificate | None:
    try:
        return crl.get_revoked_certificate_by_serial_number(serial)
    except ValueError as error:
        raise MalformedEvidence("an entry that cannot be read", where="revocation list") from error
