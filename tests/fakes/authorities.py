# SPDX-License-Identifier: Apache-2.0
"""A small certificate authority for tests: roots, intermediates, leaves and revocation lists of any shape.

`Authority.root("Vendor")` is a root; `.issue("Device")` is below it, an authority itself with `authority=True`.
Everything is valid from a day before `at` for a year unless told otherwise.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import cycle
from typing import TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from enclave.evidence.trust import Trust
from tests.fakes.evidence import NOON

Key: TypeAlias = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
Extension: TypeAlias = tuple[x509.ExtensionType, bool]
PSS = padding.PSS(padding.MGF1(hashes.SHA384()), hashes.SHA384.digest_size)
_CURVES: dict[str, type[ec.EllipticCurve]] = {
    "P-256": ec.SECP256R1,
    "P-384": ec.SECP384R1,
    "P-521": ec.SECP521R1,
    "P-224": ec.SECP224R1,
    "K-256": ec.SECP256K1,
}
_STOCK = cycle(range(4))


@lru_cache(maxsize=64)
def kept_key(kind: str, number: int = 0) -> Key:
    """A key of a kind such as `P-384`, `RSA-3072` or `Ed25519`; RSA keys are slow to make, so ask for one by number."""
    del number
    if kind in _CURVES:
        return ec.generate_private_key(_CURVES[kind]())
    if kind == "Ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(65537, int(kind.removeprefix("RSA-")))


def new_key(kind: str = "P-256") -> Key:
    """A fresh key; RSA keys come from a small stock."""
    return kept_key(kind, next(_STOCK)) if kind.startswith("RSA") else kept_key.__wrapped__(kind)


def name(common: str, **others: str) -> x509.Name:
    """A distinguished name; others by the names of `NameOID`, put before the common name."""
    attributes = [x509.NameAttribute(getattr(NameOID, key), value) for key, value in others.items()]
    return x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, common)])


def usage(*bits: str) -> x509.KeyUsage:
    """A key usage with these bits, such as `key_cert_sign`, and no other."""
    every = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment")
    every += ("key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
    return x509.KeyUsage(**{bit: bit in bits for bit in every})


def digest_of(key: Key) -> bytes:
    """SHA-256 of the key's SubjectPublicKeyInfo, as root tables and `extra_roots` name it."""
    spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(spki).digest()


@dataclass(frozen=True, kw_only=True)
class Profile:
    """What a certificate says besides whose it is; None leaves an extension out."""

    at: datetime = NOON
    since: timedelta = timedelta(days=1)
    lasts: timedelta = timedelta(days=366)
    authority: bool = False
    path_length: int | None = None
    basic: bool = True
    key_usage: x509.KeyUsage | None = field(default_factory=lambda: usage("digital_signature"))
    extensions: tuple[Extension, ...] = ()
    serial: int | None = None
    hashed: hashes.HashAlgorithm | None = field(default_factory=hashes.SHA256)
    pss: padding.PSS | None = None
    issuer_name: x509.Name | None = None


def _profile(authority: bool, changes: dict[str, object]) -> Profile:
    if authority:
        changes = {"key_usage": usage("key_cert_sign", "crl_sign"), **changes}
    return replace(Profile(authority=authority), **changes)  # type: ignore[arg-type]  # tests name the fields


@dataclass(frozen=True, kw_only=True)
class Authority:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: Key

    @classmethod
    def root(
        cls, common: str = "Root", kind: str = "P-256", *, key: Key | None = None, **changes: object
    ) -> "Authority":
        """A root that signed itself; `changes` as in `Profile`."""
        key, subject = key or new_key(kind), name(common)
        return _made(subject, key, subject, key, _profile(True, changes))

    def issue(
        self,
        common: str | x509.Name = "Leaf",
        kind: str = "P-256",
        *,
        key: Key | None = None,
        authority: bool = False,
        **changes: object,
    ) -> "Authority":
        """A certificate below this one; `changes` as in `Profile`."""
        subject = common if isinstance(common, x509.Name) else name(common)
        key = key or new_key(kind)
        return _made(subject, key, self.certificate.subject, self.key, _profile(authority, changes))

    def crl(
        self,
        *revoked: "Authority",
        at: datetime = NOON,
        when: datetime | None = None,
        since: timedelta = timedelta(days=1),
        lasts: timedelta | None = timedelta(days=30),
        extensions: Iterable[Extension] = (),
        by: "Authority | None" = None,
        hashed: hashes.HashAlgorithm | None = None,
    ) -> x509.CertificateRevocationList:
        """A revocation list in this one's name, signed by this one or `by`; revoked since `when`, or the list's making."""
        made = at - since
        builder = (
            x509.CertificateRevocationListBuilder().issuer_name(self.certificate.subject).last_update(made)
        )
        builder = builder.next_update(made + (lasts or timedelta(days=1)))
        for one in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(one.certificate.serial_number)
            builder = builder.add_revoked_certificate(entry.revocation_date(when or made).build())
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign((by or self).key, hashed or hashes.SHA256())

    @property
    def der(self) -> bytes:
        """The certificate in DER."""
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def pem(self) -> bytes:
        """The certificate in PEM."""
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def digest(self) -> bytes:
        """SHA-256 of its SubjectPublicKeyInfo."""
        return digest_of(self.key)

    @property
    def trust(self) -> Trust:
        """Trust that adds this one."""
        return Trust(enrollers=frozenset(), extra_roots=frozenset({self.digest}))

    @property
    def vendor(self) -> dict[str, str]:
        """A table in which this one is a vendor's root."""
        return {self.digest.hex(): "Test vendor"}


def _made(subject: x509.Name, key: Key, issuer: x509.Name, by: Key, profile: Profile) -> Authority:
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(profile.issuer_name or issuer)
        .public_key(key.public_key())
        .serial_number(profile.serial or x509.random_serial_number())
        .not_valid_before(profile.at - profile.since)
        .not_valid_after(profile.at - profile.since + profile.lasts)
    )
    extensions = list(profile.extensions)
    if profile.basic:
        extensions.append((x509.BasicConstraints(profile.authority, profile.path_length), True))
    if profile.key_usage is not None:
        extensions.append((profile.key_usage, True))
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    hashed = None if isinstance(by, ed25519.Ed25519PrivateKey) else profile.hashed
    return Authority(certificate=builder.sign(by, hashed, rsa_padding=profile.pss), key=key)


def chain(*middles: str, leaf: str = "Leaf", kind: str = "P-256") -> tuple[Authority, ...]:
    """A leaf, the intermediates named from the root down, and the root: leaf first."""
    line = [Authority.root(kind=kind)]
    for middle in middles:
        line.append(line[-1].issue(middle, kind, authority=True))
    return (line[-1].issue(leaf, kind), *reversed(line))
