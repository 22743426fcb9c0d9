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
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from enclave.errors import MalformedEvidence, NotAuthentic
from enclave.evidence.facts import RootStatus
from enclave.evidence.findings import Reason
from enclave.evidence.findings import fault as fault
from enclave.evidence.issuing import LONGEST_PATH as LONGEST_PATH
from enclave.evidence.issuing import issued as issued
from enclave.evidence.issuing import key_digest as key_digest
from enclave.evidence.issuing import spki as spki
from enclave.evidence.issuing import ways
from enclave.evidence.revocation import check_revocation, lists_for
from enclave.evidence.trust import Trust

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
    known = frozenset(map(bytes.fromhex, roots)) | trust.extra_roots
    found, flaws = ways(leaf, tuple(pool), known), list[NotAuthentic]()
    for one, named in found.paths:
        try:
            _check(one, crls, at)
        except NotAuthentic as flaw:
            flaws.append(flaw)
        else:
            if named is None:
                return _ended(one, roots, crls)
            flaws.append(NotAuthentic(named.findings))
    raise flaws[0] if flaws else found.dead_end()


def _check(
    found: Sequence[x509.Certificate], crls: Sequence[x509.CertificateRevocationList], at: datetime
) -> None:
    for certificate in found:
        check_time(certificate, at)
    for certificate, issuer in pairwise(found) if crls else ():
        check_revocation(certificate, issuer, crls, at)


def _ended(
    found: tuple[x509.Certificate, ...],
    roots: Mapping[str, str],
    crls: Sequence[x509.CertificateRevocationList],
) -> Path:
    root = key_digest(found[-1])
    vendor = roots.get(root.hex())
    consulted = (
        tuple(crl for certificate in found[:-1] for crl in lists_for(certificate, crls)) if crls else ()
    )
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


def spki_digest(key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey) -> bytes:
    """SHA-256 of a key's SubjectPublicKeyInfo."""
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()


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
