# SPDX-License-Identifier: Apache-2.0
"""Certificate paths of every technology: from a device's certificate up to a root that counts (SPEC.md, section 12).

Paths are built here and not taken as sent, end at the first key that counts and never use a root's own signature.
Signatures are remembered, because they do not change; validity and revocation are looked at every time.
"""

import base64
import hashlib
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from enclave.errors import MalformedEvidence, NotAuthentic
from enclave.evidence.constraints import check_names
from enclave.evidence.facts import RootStatus
from enclave.evidence.findings import Reason
from enclave.evidence.findings import fault as fault
from enclave.evidence.revocation import check_revocation, lists_for
from enclave.evidence.trust import Trust

LONGEST_PATH = 8
_HASHES = frozenset({"sha256", "sha384", "sha512"})
_CURVES = frozenset({"secp256r1", "secp384r1", "secp521r1"})
_MOST_LINKS = 64
_MOST_IN_A_FILE = 64
_LONGEST = 1 << 14
_PEM = b"-----BEGIN CERTIFICATE-----"


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """Certificates from a leaf to a key that counts, all of them in force at a moment."""

    certificates: tuple[x509.Certificate, ...]
    root: bytes
    status: RootStatus
    vendor: str
    crls: tuple[x509.CertificateRevocationList, ...] = ()

    @property
    def not_before(self) -> datetime:
        """From when on all of them are valid, and their revocation lists in force."""
        lists = [crl.last_update_utc for crl in self.crls]
        return max([*lists, *(certificate.not_valid_before_utc for certificate in self.certificates)])

    @property
    def not_after(self) -> datetime:
        """Until when all of them are valid, and their revocation lists in force."""
        lists = [crl.next_update_utc for crl in self.crls if crl.next_update_utc is not None]
        return min([*lists, *(certificate.not_valid_after_utc for certificate in self.certificates)])

    @property
    def oldest_crl(self) -> datetime | None:
        """When the oldest revocation list that was consulted was made; None where none came along."""
        return min((crl.last_update_utc for crl in self.crls), default=None)

    @property
    def keys(self) -> tuple[bytes, ...]:
        """SHA-256 of each certificate's SubjectPublicKeyInfo, leaf first."""
        return tuple(map(key_digest, self.certificates))


@lru_cache(maxsize=2048)
def load(der: bytes) -> x509.Certificate:
    """Read a certificate, its names, key and extensions, so that nothing later finds them malformed."""
    if len(der) > _LONGEST:
        raise MalformedEvidence(f"longer than {_LONGEST} bytes", where="certificate")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of serial numbers below one and of long names
            certificate = x509.load_der_x509_certificate(der)
            if certificate.serial_number < 0:  # AMD gives every endorsement key number zero
                raise ValueError("serial number below zero")
            certificate.public_key()
            _ = list(certificate.extensions), certificate.issuer, certificate.subject
            _ = certificate.not_valid_before_utc, certificate.not_valid_after_utc
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
    """Read one certificate in DER, or up to 64 in PEM; zeros behind a certificate inside its PEM block are padding."""
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
    """The first path from `leaf` through `pool` that holds at `at`, up to a key in `roots` or among trust's extra roots.

    `roots` maps digests in hex to vendors. A leaf whose own key counts is a path by itself, and what its certificate
    says is then nobody's word. Raises `NotAuthentic`: why the first path that ends at a key that counts does not hold,
    or else what stands in the way of the longest one.
    """
    search, flaws = _Search(pool=tuple(pool), roots=roots, trust=trust), list[NotAuthentic]()
    for found in search.up((leaf,)):
        try:
            _check(found, crls, at)
        except NotAuthentic as flaw:
            flaws.append(flaw)
        else:
            return _ended(found, roots, crls)
    raise flaws[0] if flaws else search.dead_end()


def _check(
    found: Sequence[x509.Certificate], crls: Sequence[x509.CertificateRevocationList], at: datetime
) -> None:
    for certificate in found:
        check_time(certificate, at)
    for certificate, issuer in pairwise(found):
        check_revocation(certificate, issuer, crls, at)
    check_names(found)


def _ended(
    found: tuple[x509.Certificate, ...],
    roots: Mapping[str, str],
    crls: Sequence[x509.CertificateRevocationList],
) -> Path:
    root = key_digest(found[-1])
    vendor = roots.get(root.hex())
    consulted = tuple(crl for certificate in found[:-1] for crl in lists_for(certificate, crls))
    return Path(
        certificates=found,
        root=root,
        status=RootStatus.TEST_ROOT if vendor is None else RootStatus.VENDOR,
        vendor=vendor or f"a root added by trust, {root.hex()}",
        crls=consulted,
    )


def check_time(certificate: x509.Certificate, at: datetime) -> None:
    """Refuse a certificate outside its validity, which is half-open."""
    first, last = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if not first <= at < last:
        raise fault(Reason.CERTIFICATE, f"valid at {at:%Y-%m-%dT%H:%M:%SZ}", f"from {first} until {last}")


def spki(certificate: x509.Certificate) -> bytes:
    """The certificate's SubjectPublicKeyInfo."""
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@lru_cache(maxsize=2048)
def key_digest(certificate: x509.Certificate) -> bytes:
    """SHA-256 of the certificate's SubjectPublicKeyInfo."""
    return hashlib.sha256(spki(certificate)).digest()


def spki_digest(key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey) -> bytes:
    """SHA-256 of a key's SubjectPublicKeyInfo."""
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()


@lru_cache(maxsize=2048)
def issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether `issuer` signed `certificate`, by an algorithm that still counts."""
    try:
        hashed = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return False
    if hashed is None or hashed.name not in _HASHES or not _strong(issuer.public_key()):
        return False
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _strong(key: object) -> bool:
    if isinstance(key, rsa.RSAPublicKey):
        return 2048 <= key.key_size <= 8192
    return isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES


class _Search:
    """Looks for paths depth first, and remembers the longest that led nowhere."""

    def __init__(self, *, pool: tuple[x509.Certificate, ...], roots: Mapping[str, str], trust: Trust) -> None:
        self._pool, self._roots, self._trust = pool, roots, trust
        self._links = 0
        self._best: tuple[x509.Certificate, ...] = ()

    def up(self, walked: tuple[x509.Certificate, ...]) -> Iterator[tuple[x509.Certificate, ...]]:
        """Every whole path that begins with `walked`."""
        digest = key_digest(walked[-1])
        if digest.hex() in self._roots or digest in self._trust.extra_roots:
            yield walked
            return
        if len(walked) > len(self._best):
            self._best = walked
        if len(walked) < LONGEST_PATH:
            for issuer in self._issuers(walked):
                yield from self.up((*walked, issuer))

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


def _pem_blocks(blob: bytes) -> Iterator[bytes]:
    blocks = blob.split(_PEM)[1:]
    if len(blocks) > _MOST_IN_A_FILE:
        raise ValueError("too many")
    for block in blocks:
        body, end, _ = block.partition(b"-----END CERTIFICATE-----")
        if not end:
            raise ValueError("no end")
        yield base64.b64decode(b"".join(body.split()), validate=True)


def _unpadded(der: bytes) -> bytes:
    if len(der) < 4 or der[0] != 0x30 or der[1] != 0x82:
        return der
    size = 4 + int.from_bytes(der[2:4], "big")
    return der if any(der[size:]) else der[:size]
