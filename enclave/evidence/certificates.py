# SPDX-License-Identifier: Apache-2.0
"""Certificate paths of every technology: from a device's certificate up to a root that counts (SPEC.md, section 5).

Paths are built here and not taken as sent, end at the first key that counts and never use a root's own signature.
Signatures are remembered, because they do not change; validity and revocation are looked at every time.
"""

import hashlib
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from enclave.errors import MalformedEvidence, NotAuthentic
from enclave.evidence.constraints import permits_names
from enclave.evidence.facts import RootStatus
from enclave.evidence.findings import Finding, Reason
from enclave.evidence.trust import Trust

LONGEST_PATH = 8
_MOST_LINKS = 64
_HASHES = frozenset({"sha256", "sha384", "sha512"})
_PEM = b"-----BEGIN CERTIFICATE-----"
_UNDERSTOOD = frozenset(
    {
        x509.BasicConstraints.oid,
        x509.KeyUsage.oid,
        x509.ExtendedKeyUsage.oid,
        x509.NameConstraints.oid,
        x509.SubjectAlternativeName.oid,
        x509.CertificatePolicies.oid,
        x509.CRLDistributionPoints.oid,
        x509.ObjectIdentifier("2.23.133.5.4.1"),  # TCG DICE TcbInfo
        x509.ObjectIdentifier("2.23.133.5.4.4"),  # TCG DICE Ueid
        x509.ObjectIdentifier("2.23.133.5.4.5"),  # TCG DICE MultiTcbInfo
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """Certificates from a leaf to a key that counts, all of them in force at a moment."""

    certificates: tuple[x509.Certificate, ...]
    root: bytes
    status: RootStatus
    vendor: str

    @property
    def not_before(self) -> datetime:
        """From when on all of them are valid."""
        return max(certificate.not_valid_before_utc for certificate in self.certificates)

    @property
    def not_after(self) -> datetime:
        """Until when all of them are valid."""
        return min(certificate.not_valid_after_utc for certificate in self.certificates)

    @property
    def keys(self) -> tuple[bytes, ...]:
        """SHA-256 of each certificate's SubjectPublicKeyInfo, leaf first."""
        return tuple(map(key_digest, self.certificates))


def load(der: bytes) -> x509.Certificate:
    """Read a certificate, its key and its extensions, so that nothing later finds them malformed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of serial numbers below one; here they are refused
            certificate = x509.load_der_x509_certificate(der)
            if certificate.serial_number < 1:
                raise ValueError("serial number below one")
        certificate.public_key()
        list(certificate.extensions)
    except (
        ValueError,
        TypeError,
        UnsupportedAlgorithm,
        x509.InvalidVersion,
        x509.DuplicateExtension,
        x509.UnsupportedGeneralNameType,
    ) as error:
        raise MalformedEvidence("not a certificate that we can read", where="certificate") from error
    return certificate


def load_all(blob: bytes) -> tuple[x509.Certificate, ...]:
    """Read one certificate in DER, or any number in PEM; bytes behind a certificate inside its PEM block are padding."""
    if _PEM not in blob:
        return (load(blob),)
    try:
        return tuple(load(_unpadded(block)) for block in _pem_blocks(blob))
    except ValueError as error:
        raise MalformedEvidence("a PEM block that is none", where="certificate") from error


def path(
    leaf: x509.Certificate,
    pool: Sequence[x509.Certificate],
    *,
    roots: Mapping[str, str],
    trust: Trust,
    at: datetime,
    crls: Sequence[x509.CertificateRevocationList] = (),
) -> Path:
    """The path from `leaf` through `pool` up to a key in `roots` (digest in hex: vendor) or among trust's extra roots.

    Raises `NotAuthentic` with what stands in the way of the path that came furthest.
    """
    search = _Search(pool=tuple(pool), roots=roots, trust=trust)
    found = search.up((leaf,))
    if found is None:
        raise search.dead_end()
    for depth, certificate in enumerate(found):
        check_time(certificate, at)
        if depth + 1 < len(found):
            _check_revocation(certificate, found[depth + 1], crls, at)
    _check_names(found)
    root = key_digest(found[-1])
    vendor = roots.get(root.hex())
    status = RootStatus.TEST_ROOT if vendor is None else RootStatus.VENDOR
    return Path(
        certificates=found, root=root, status=status, vendor=vendor or f"a root added by trust, {root.hex()}"
    )


def check_time(certificate: x509.Certificate, at: datetime) -> None:
    """Refuse a certificate outside its validity, which is half-open."""
    first, last = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if not first <= at < last:
        raise fault(Reason.CERTIFICATE, f"valid at {at:%Y-%m-%dT%H:%M:%SZ}", f"from {first} until {last}")


def spki(certificate: x509.Certificate) -> bytes:
    """The certificate's SubjectPublicKeyInfo."""
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def key_digest(certificate: x509.Certificate) -> bytes:
    """SHA-256 of the certificate's SubjectPublicKeyInfo."""
    return hashlib.sha256(spki(certificate)).digest()


def spki_digest(key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey) -> bytes:
    """SHA-256 of a key's SubjectPublicKeyInfo."""
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()


def fault(reason: Reason, expected: str, found: str, hint: str = "") -> NotAuthentic:
    """One finding, ready to raise."""
    return NotAuthentic([Finding(reason=reason, expected=expected, found=found, hint=hint)])


def issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether `issuer` signed `certificate`, by an algorithm that still counts."""
    return _issued(certificate.public_bytes(Encoding.DER), issuer.public_bytes(Encoding.DER))


@lru_cache(maxsize=4096)
def _issued(certificate: bytes, issuer: bytes) -> bool:
    child, parent = load(certificate), load(issuer)
    hashed, key = child.signature_hash_algorithm, parent.public_key()
    if hashed is None or hashed.name not in _HASHES:
        return False
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < 2048:
        return False
    if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        return False
    try:
        child.verify_directly_issued_by(parent)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


class _Search:
    """Looks for a path depth first, and remembers why the best attempt ended."""

    def __init__(self, *, pool: tuple[x509.Certificate, ...], roots: Mapping[str, str], trust: Trust) -> None:
        self._pool, self._roots, self._trust = pool, roots, trust
        self._links = 0
        self._best: tuple[x509.Certificate, ...] = ()

    def up(self, walked: tuple[x509.Certificate, ...]) -> tuple[x509.Certificate, ...] | None:
        """The whole path that begins with `walked`, or None."""
        digest = key_digest(walked[-1])
        if digest.hex() in self._roots or digest in self._trust.extra_roots:
            return walked
        if len(walked) > len(self._best):
            self._best = walked
        if len(walked) < LONGEST_PATH:
            for issuer in self._issuers(walked):
                if (found := self.up((*walked, issuer))) is not None:
                    return found
        return None

    def _issuers(self, walked: tuple[x509.Certificate, ...]) -> Iterator[x509.Certificate]:
        top = walked[-1]
        for candidate in self._pool:
            if candidate.subject != top.issuer or candidate in walked:
                continue
            self._links += 1
            if self._links > _MOST_LINKS:
                raise fault(Reason.CERTIFICATE, f"a path within {_MOST_LINKS} attempts", "more of them")
            if _may_issue(candidate, len(walked) - 1) and issued(top, candidate):
                yield candidate

    def dead_end(self) -> NotAuthentic:
        """Why there is no path."""
        top = self._best[-1]
        if top.issuer == top.subject:
            hint = "a root of your own lowers the level to none; add it with --trust, or to extra_roots"
            return fault(Reason.ROOT, "a vendor's root", f"unknown root {key_digest(top).hex()}", hint)
        found = f"nothing that issued certificate {len(self._best) - 1}"  # its subject may name a machine
        hint = "the issuer is missing, is no authority, or did not sign it; vendors publish theirs"
        return fault(Reason.CERTIFICATE, "each certificate issued by the next, up to a root", found, hint)


def _may_issue(certificate: x509.Certificate, below: int) -> bool:
    """Whether a certificate is an authority over `below` further authorities."""
    extensions = {extension.oid: extension.value for extension in certificate.extensions}
    basic = extensions.get(x509.BasicConstraints.oid)
    usage = extensions.get(x509.KeyUsage.oid)
    if not isinstance(basic, x509.BasicConstraints) or not basic.ca:
        return False
    if isinstance(usage, x509.KeyUsage) and not usage.key_cert_sign:
        return False
    return basic.path_length is None or basic.path_length >= below


def _check_revocation(
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    crls: Sequence[x509.CertificateRevocationList],
    at: datetime,
) -> None:
    for crl in (crl for crl in crls if crl.issuer == certificate.issuer):
        key = issuer.public_key()
        if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey) or not _crl_holds(crl, key):
            raise fault(Reason.CERTIFICATE, "a revocation list signed by the issuer", "another signature")
        if crl.next_update_utc is None or not crl.last_update_utc <= at < crl.next_update_utc:
            found = f"from {crl.last_update_utc} until {crl.next_update_utc}"
            raise fault(Reason.CERTIFICATE, "a revocation list in force", found, "fetch a newer one")
        entry = crl.get_revoked_certificate_by_serial_number(certificate.serial_number)
        if entry is not None and entry.revocation_date_utc <= at:
            when = f"revoked on {entry.revocation_date_utc}"
            raise fault(Reason.CERTIFICATE, "certificates that are not revoked", when)


def _crl_holds(
    crl: x509.CertificateRevocationList, key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey
) -> bool:
    try:
        return crl.is_signature_valid(key)
    except (TypeError, ValueError, UnsupportedAlgorithm):
        return False


def _check_names(found: Sequence[x509.Certificate]) -> None:
    for depth, certificate in enumerate(found):
        unknown = [e.oid for e in certificate.extensions if e.critical and e.oid not in _UNDERSTOOD]
        if unknown:
            found_oids = ", ".join(oid.dotted_string for oid in unknown)
            raise fault(Reason.CERTIFICATE, "critical extensions that we understand", found_oids)
        if not all(permits_names(certificate, below) for below in found[:depth]):
            raise fault(Reason.CERTIFICATE, "names within the issuers' constraints", "a name outside them")


def _pem_blocks(blob: bytes) -> Iterator[bytes]:
    import base64

    for block in blob.split(_PEM)[1:]:
        body, end, _ = block.partition(b"-----END CERTIFICATE-----")
        if not end:
            raise ValueError("no end")
        yield base64.b64decode(b"".join(body.split()), validate=True)


def _unpadded(der: bytes) -> bytes:
    if len(der) < 4 or der[0] != 0x30 or der[1] != 0x82:
        return der
    size = 4 + int.from_bytes(der[2:4], "big")
    return der if any(der[size:]) else der[:size]
