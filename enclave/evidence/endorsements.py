# SPDX-License-Identifier: Apache-2.0
"""What travels with evidence so that it can be judged without a network, each piece known by its content.

Certificates, revocation lists, Intel's collateral, reference manifests, event logs, keys and custody statements,
in any order. Nothing here is believed for being here.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Self

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_public_key

from contracts.documents import parse_json
from contracts.errors import ExequaturError
from enclave.errors import MalformedEvidence
from enclave.evidence import certificates
from enclave.evidence.custody import CUSTODY, Custody
from enclave.evidence.revocation import load_crl

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey
_LONGEST = 16 << 20
_TCG_LOG = b"Spec ID Event03\0"
_CURVES: dict[str, Callable[[], ec.EllipticCurve]] = {
    "P-256": ec.SECP256R1,
    "P-384": ec.SECP384R1,
    "P-521": ec.SECP521R1,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Endorsements:
    """The pieces by what they are; `event_logs` are TCG logs (CCEL included), `ima_logs` binary IMA lists."""

    certificates: tuple[x509.Certificate, ...] = field(default=(), repr=False)
    crls: tuple[x509.CertificateRevocationList, ...] = field(default=(), repr=False)
    keys: tuple[PublicKey, ...] = field(default=(), repr=False)
    collateral: tuple[bytes, ...] = field(default=(), repr=False)
    manifests: tuple[bytes, ...] = field(default=(), repr=False)
    event_logs: tuple[bytes, ...] = field(default=(), repr=False)
    ima_logs: tuple[bytes, ...] = field(default=(), repr=False)
    custody: tuple[Custody, ...] = field(default=(), repr=False)

    @classmethod
    def sort(cls, blobs: Iterable[bytes]) -> Self:
        """Know each piece by its content; raises `MalformedEvidence` for one that is nothing known."""
        found: dict[str, list[object]] = {}
        for number, blob in enumerate(blobs):
            if len(blob) > _LONGEST:
                raise MalformedEvidence(f"longer than {_LONGEST} bytes", where=f"endorsement {number}")
            name, values = _know(blob, f"endorsement {number}")
            found.setdefault(name, []).extend(values)
        return cls(**{name: tuple(values) for name, values in found.items()})  # type: ignore[arg-type]  # `_know` names fields


def _know(blob: bytes, where: str) -> tuple[str, Iterable[object]]:
    if blob.lstrip()[:11] == b"-----BEGIN ":
        return _pem(blob.lstrip(), where)
    if blob[:1] == b"\x30":
        return _der(blob, where)
    if blob.lstrip()[:1] == b"{":
        return _json(blob, where)
    if blob.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<":
        return "manifests", [blob]
    if _TCG_LOG in blob[:64]:
        return "event_logs", [blob]
    if blob[:4] == b"\x0a\0\0\0":
        return "ima_logs", [blob]
    if blob.startswith(CUSTODY):
        return "custody", [Custody.parse(blob)]
    hint = "a certificate, revocation list, key, collateral, manifest, event log or custody statement"
    raise MalformedEvidence("nothing that endorses evidence", where=where, hint=hint)


def _pem(blob: bytes, where: str) -> tuple[str, Iterable[object]]:
    label = blob[11 : blob.find(b"-----", 11)]
    try:
        if label == b"CERTIFICATE":
            return "certificates", certificates.load_all(blob)
        if label == b"X509 CRL":
            return "crls", [load_crl(blob)]
        if label == b"PUBLIC KEY":
            return "keys", [_usable(load_pem_public_key(blob), where)]
    except (ValueError, UnsupportedAlgorithm) as error:
        raise MalformedEvidence("a PEM block that cannot be read", where=where) from error
    raise MalformedEvidence(f"PEM of an unknown kind {label[:40]!r}", where=where)


def _der(blob: bytes, where: str) -> tuple[str, Iterable[object]]:
    try:
        return "certificates", [certificates.load(blob)]
    except MalformedEvidence:
        pass
    try:
        return "crls", [load_crl(blob)]
    except MalformedEvidence:
        pass
    try:
        return "keys", [_usable(load_der_public_key(blob), where)]
    except (ValueError, UnsupportedAlgorithm) as error:
        raise MalformedEvidence("DER, but no certificate, revocation list or key", where=where) from error


def _json(blob: bytes, where: str) -> tuple[str, Iterable[object]]:
    try:
        document = parse_json(blob)
    except (ValueError, RecursionError, ExequaturError) as error:
        raise MalformedEvidence("not JSON", where=where) from error
    if isinstance(document, dict) and {"tcb_info", "qe_identity"} <= document.keys():
        return "collateral", [blob]
    if isinstance(document, dict) and "kty" in document:
        return "keys", [_jwk(document, where)]
    raise MalformedEvidence("JSON that is neither collateral nor a key", where=where)


def _jwk(document: dict[str, object], where: str) -> ec.EllipticCurvePublicKey:
    """An elliptic-curve key of RFC 7517; a private part is ignored."""
    import base64

    try:
        x, y = (base64.urlsafe_b64decode(str(document[name]) + "==") for name in ("x", "y"))
        curve = _CURVES[str(document["crv"])]()
        return ec.EllipticCurvePublicKey.from_encoded_point(curve, b"\x04" + x + y)
    except (KeyError, ValueError) as error:
        raise MalformedEvidence("not an elliptic-curve JWK", where=where) from error


def _usable(key: object, where: str) -> PublicKey:
    if not isinstance(key, PublicKey):
        raise MalformedEvidence(f"a key of another kind, {type(key).__name__}", where=where)
    return key
