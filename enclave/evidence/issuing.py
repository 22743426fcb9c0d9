# SPDX-License-Identifier: Apache-2.0
"""Who issued whom: every way from a certificate up to a key that counts, through whatever certificates came along.

What is found here depends on nothing but its arguments, and on no moment, so it is remembered.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from enclave.errors import NotAuthentic
from enclave.evidence.constraints import check_names
from enclave.evidence.findings import Reason, fault

LONGEST_PATH = 8
_HASHES = frozenset({"sha256", "sha384", "sha512"})
_CURVES = frozenset({"secp256r1", "secp384r1", "secp521r1"})
_MOST_LINKS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """Whole paths, each with what its names and extensions are at fault for; and the longest one that led nowhere."""

    paths: tuple[tuple[tuple[x509.Certificate, ...], NotAuthentic | None], ...]
    longest: tuple[x509.Certificate, ...]

    def dead_end(self) -> NotAuthentic:
        """Why there is no path."""
        top = self.longest[-1]
        if top.issuer == top.subject:
            hint = "a root of your own lowers the level to none; add it with --trust, or to extra_roots"
            return fault(Reason.ROOT, "a vendor's root", f"unknown root {key_digest(top).hex()}", hint)
        found = f"nothing that issued certificate {len(self.longest) - 1}"  # its subject may name a machine
        hint = "the issuer is missing, is no authority, or did not sign it; vendors publish theirs"
        return fault(Reason.CERTIFICATE, "each certificate issued by the next, up to a root", found, hint)


@lru_cache(maxsize=512)
def ways(leaf: x509.Certificate, pool: tuple[x509.Certificate, ...], known: frozenset[bytes]) -> Ways:
    """Every way from `leaf` through `pool` up to a key whose digest is `known`; raises `NotAuthentic` for too many."""
    search = _Search(pool=pool, known=known)
    search.up((leaf,))
    return Ways(paths=tuple((path, _flaw(path)) for path in search.paths), longest=search.longest)


def _flaw(path: tuple[x509.Certificate, ...]) -> NotAuthentic | None:
    try:
        check_names(path)
    except NotAuthentic as flaw:
        return flaw
    return None


@dataclass(slots=True, kw_only=True)
class _Search:
    """Looks for paths depth first, within a number of attempts."""

    pool: tuple[x509.Certificate, ...]
    known: frozenset[bytes]
    paths: list[tuple[x509.Certificate, ...]] = field(default_factory=list)
    longest: tuple[x509.Certificate, ...] = ()
    links: int = 0

    def up(self, walked: tuple[x509.Certificate, ...]) -> None:
        """Find every whole path that begins with `walked`."""
        if key_digest(walked[-1]) in self.known:
            self.paths.append(walked)
            return
        if len(walked) > len(self.longest):
            self.longest = walked
        if len(walked) < LONGEST_PATH:
            for issuer in self._issuers(walked):
                self.up((*walked, issuer))

    def _issuers(self, walked: tuple[x509.Certificate, ...]) -> Iterator[x509.Certificate]:
        top = walked[-1]
        for candidate in self.pool:
            if candidate.subject != top.issuer or candidate in walked:
                continue
            self.links += 1
            if self.links > _MOST_LINKS:
                if self.paths:
                    return
                raise fault(Reason.CERTIFICATE, f"a path within {_MOST_LINKS} attempts", "more of them")
            if _may_issue(candidate, len(walked) - 1) and issued(top, candidate):
                yield candidate


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


def spki(certificate: x509.Certificate) -> bytes:
    """The certificate's SubjectPublicKeyInfo."""
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@lru_cache(maxsize=2048)
def key_digest(certificate: x509.Certificate) -> bytes:
    """SHA-256 of the certificate's SubjectPublicKeyInfo."""
    return hashlib.sha256(spki(certificate)).digest()
