# SPDX-License-Identifier: Apache-2.0
"""Is a quote authentic: signed by Intel's quoting enclave on a platform that Intel certified (SPEC.md, section 5)?"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from enclave.errors import NotAuthentic
from enclave.evidence.certificates import Path, fault, issued, key_digest, load_all, path, spki
from enclave.evidence.endorsements import Endorsements
from enclave.evidence.facts import Claims, RootStatus
from enclave.evidence.findings import Finding, Reason
from enclave.evidence.intel.collateral import Collateral, Fields, instants
from enclave.evidence.intel.pck import Pck
from enclave.evidence.intel.quote import Quote
from enclave.evidence.intel.second import Ours, agree
from enclave.evidence.intel.tcb import Module, Tcb, assess
from enclave.evidence.roots import INTEL_ROOTS
from enclave.evidence.trust import Trust

INPUTS = ("tcb-info", "qe-identity", "crl", "certificate")
FLOORS = ("tcb_evaluation_data_number", "tcb_standing")
_SIGNER = "Intel SGX TCB Signing"
_FETCH = "collateral comes from Intel's PCS or a PCCS, for the FMSPC in the quote's PCK certificate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """What the body of a quote says, as far as Intel's rules for every TEE need it."""

    claims: Claims = field(repr=False)
    missed: tuple[Finding, ...]
    module: Module | None = None
    now_svn: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """The platform that an authentic quote comes from, and all that its word rests on."""

    pck: Pck
    tcb: Tcb
    identity: bytes = field(repr=False)
    status: RootStatus
    root: str
    not_before: datetime
    not_after: datetime
    inputs: Mapping[str, datetime]
    certificates: tuple[bytes, ...] = field(repr=False)
    missed: tuple[Finding, ...]
    trace: tuple[str, ...]

    def claims(self) -> Claims:
        """What the certificate says of the platform, and how good Intel says its TCB is."""
        return {"fmspc": self.pck.fmspc, "pck": self.pck.claims(), **self.tcb.claims()}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Vouched:
    leaf: x509.Certificate
    path: Path
    signers: tuple[Path, ...]

    @property
    def paths(self) -> tuple[Path, ...]:
        return (self.path, *self.signers)


def verify_platform(
    quote: Quote, reported: Reported, endorsements: Endorsements, *, trust: Trust, at: datetime
) -> Platform:
    """Check signatures, chains, revocation, collateral and TCB at a moment, twice; raises `NotAuthentic`."""
    _check_signatures(quote)
    collateral = _collateral(endorsements)
    vouched = _vouched(quote, collateral, endorsements, trust, at)
    _check_quoting_enclave(quote, vouched.leaf)
    _check_documents(collateral, vouched, at)
    pck = Pck.of(vouched.leaf)
    tcb = assess(
        pck,
        quote.certification.report,
        reported.module,
        now_svn=reported.now_svn,
        tcb_info=collateral.tcb_info,
        qe_identity=collateral.qe_identity,
    )
    missed = (*reported.missed, *tcb.missed())
    ours = Ours(
        quote=quote,
        raw=quote.rebuilt(_pem(vouched.path.certificates).encode()),
        report=reported.claims,
        pck=pck,
        tcb=tcb,
        missed=frozenset(finding.reason for finding in missed),
    )
    agree(ours, _settled(collateral, vouched), root=_root_of_tests(vouched), at=at)
    return _platform(quote, pck, tcb, vouched, collateral, missed)


def _check_signatures(quote: Quote) -> None:
    if not _signed(_point(quote.key), quote.signed, quote.signature):
        raise fault(Reason.SIGNATURE, "the quote signed by its attestation key", "another signature")
    made = hashlib.sha256(quote.key + quote.certification.auth_data).digest() + bytes(32)
    if quote.certification.report.report_data != made:
        raise fault(
            Reason.SIGNATURE, "the attestation key that the quoting enclave made", "a report of another key"
        )


def _check_quoting_enclave(quote: Quote, leaf: x509.Certificate) -> None:
    key, certification = leaf.public_key(), quote.certification
    if not isinstance(key, ec.EllipticCurvePublicKey) or not _signed(
        key, certification.report.raw, certification.signature
    ):
        raise fault(Reason.SIGNATURE, "the quoting enclave's report signed by the PCK", "another signature")


def _collateral(endorsements: Endorsements) -> Collateral:
    if len(endorsements.collateral) != 1:
        found = f"{len(endorsements.collateral) or 'no'} pieces of collateral"
        raise fault(Reason.CERTIFICATE, "Intel's collateral for this quote, once", found, _FETCH)
    return Collateral.parse(endorsements.collateral[0])


def _vouched(
    quote: Quote, collateral: Collateral, endorsements: Endorsements, trust: Trust, at: datetime
) -> _Vouched:
    chain = load_all(quote.certification.chain.rstrip(b"\0"))
    leaves = (chain[0], collateral.tcb_chain[0], collateral.qe_chain[0])
    pool = tuple(dict.fromkeys((*chain[1:], *collateral.pool, *endorsements.certificates)))
    crls = (collateral.pck_crl, collateral.root_crl, *endorsements.crls)
    paths = {
        leaf: path(leaf, pool, roots=INTEL_ROOTS, trust=trust, at=at, crls=crls)
        for leaf in dict.fromkeys(leaves)
    }
    vouched = _Vouched(
        leaf=leaves[0], path=paths[leaves[0]], signers=tuple(paths[leaf] for leaf in leaves[1:])
    )
    tops = {found.certificates[-1] for found in vouched.paths}
    if not all(issued(top, top) for top in tops):
        raise fault(
            Reason.CERTIFICATE, "a root's certificate as the root made it", "another signature", _FETCH
        )
    others = (one for found in vouched.paths for one in found.certificates[:-1] if one != vouched.leaf)
    root, issuer = collateral.issuers
    if any(one.issuer != root for one in others) or vouched.leaf.issuer != issuer:
        expected, found = "the revocation lists of the root and of the PCK's issuer", "those of others"
        raise fault(Reason.CERTIFICATE, expected, found, _FETCH)
    return vouched


def _settled(collateral: Collateral, vouched: _Vouched) -> Fields:
    """The collateral with nothing in it that we did not verify: chains as our paths, lists in DER."""
    return replace(
        collateral.fields,
        pck_crl_issuer_chain=_pem(vouched.path.certificates[1:]),
        root_ca_crl=collateral.root_crl.public_bytes(Encoding.DER),
        pck_crl=collateral.pck_crl.public_bytes(Encoding.DER),
        tcb_info_issuer_chain=_pem(vouched.signers[0].certificates),
        qe_identity_issuer_chain=_pem(vouched.signers[1].certificates),
    )


def _pem(certificates: Sequence[x509.Certificate]) -> str:
    return b"".join(one.public_bytes(Encoding.PEM) for one in certificates).decode()


def _check_documents(collateral: Collateral, vouched: _Vouched, at: datetime) -> None:
    fields = collateral.fields
    texts = (
        ("TCB info", fields.tcb_info, fields.tcb_info_signature, vouched.signers[0]),
        ("QE identity", fields.qe_identity, fields.qe_identity_signature, vouched.signers[1]),
    )
    for what, text, signature, signers in texts:
        leaf = signers.certificates[0]
        names = [name.value for name in leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
        if names != [_SIGNER] or len(signers.certificates) > 2:
            raise fault(Reason.CERTIFICATE, f"{what} signed by {_SIGNER}", "a certificate for something else")
        if not _signed_text(spki(leaf), leaf, text.encode(), signature):
            raise fault(Reason.SIGNATURE, f"{what} signed by Intel", "another signature", _FETCH)
    for name, (since, until) in instants(collateral).items():
        if not since <= at < until:
            expected = f"{name} in force at {at:%Y-%m-%dT%H:%M:%SZ}"
            raise fault(Reason.CERTIFICATE, expected, f"from {since} until {until}", _FETCH)


def _platform(
    quote: Quote, pck: Pck, tcb: Tcb, vouched: _Vouched, collateral: Collateral, missed: tuple[Finding, ...]
) -> Platform:
    windows = [*instants(collateral).values(), *((one.not_before, one.not_after) for one in vouched.paths)]
    crls = [one.oldest_crl for one in vouched.paths if one.oldest_crl is not None]
    inputs = {name: since for name, (since, _) in instants(collateral).items()}
    lists = {"crl": min(crls)} if crls else {}
    technology = "tdx" if quote.tdx else "sgx"
    advisories = ", ".join(tcb.advisories) or "no advisories"
    return Platform(
        pck=pck,
        tcb=tcb,
        identity=pck.ppid if any(pck.ppid) else key_digest(vouched.leaf),
        status=max((one.status for one in vouched.paths), key=lambda one: one is not RootStatus.VENDOR),
        root=next(
            (p.vendor for p in vouched.paths if p.status is not RootStatus.VENDOR), vouched.path.vendor
        ),
        not_before=max(first for first, _ in windows),
        not_after=min(last for _, last in windows),
        inputs={**inputs, **lists, "certificate": vouched.leaf.not_valid_before_utc},
        certificates=tuple(dict.fromkeys(key for one in vouched.paths for key in one.keys)),
        missed=missed,
        trace=(
            f"{technology}: quote version {quote.version} signed by a key that Intel's quoting enclave made",
            f"{technology}: the platform's PCK certificate, FMSPC {pck.fmspc.hex()}, up to {vouched.path.vendor}",
            f"{technology}: TCB status {tcb.label} as of {collateral.tcb_info.issued:%Y-%m-%d}, {advisories}",
            f"{technology}: a second implementation reads every field alike and comes to the same conclusion",
        ),
    )


def _root_of_tests(vouched: _Vouched) -> bytes | None:
    top = vouched.path.certificates[-1]
    return None if vouched.path.status is RootStatus.VENDOR else top.public_bytes(Encoding.DER)


@lru_cache(maxsize=64)
def _signed_text(_key: bytes, leaf: x509.Certificate, text: bytes, signature: bytes) -> bool:
    key = leaf.public_key()
    return isinstance(key, ec.EllipticCurvePublicKey) and _signed(key, text, signature)


def _point(raw: bytes) -> ec.EllipticCurvePublicKey:
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + raw)
    except ValueError as error:
        raise _no_key() from error


def _no_key() -> NotAuthentic:
    return fault(Reason.SIGNATURE, "an attestation key on P-256", "no point of the curve")


def _signed(key: ec.EllipticCurvePublicKey, message: bytes, signature: bytes) -> bool:
    """Whether r and s, 32 bytes each, are a P-256 signature of the message with SHA-256."""
    if len(signature) != 64 or not isinstance(key.curve, ec.SECP256R1):
        return False
    r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
    try:
        key.verify(utils.encode_dss_signature(r, s), message, ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True
