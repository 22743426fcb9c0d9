# SPDX-License-Identifier: Apache-2.0
"""Certificates of the keys that sign SNP reports, VCEK and VLEK (AMD 57230, chapter 3): what they say, and who issued them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.x509.oid import NameOID

from enclave.errors import MalformedEvidence, NotAuthentic
from enclave.evidence import certificates
from enclave.evidence.endorsements import Endorsements
from enclave.evidence.facts import Claim, Claims, RootStatus
from enclave.evidence.findings import Finding, Reason
from enclave.evidence.roots import SNP_ROOTS
from enclave.evidence.snp.tcb import Product, Tcb
from enclave.evidence.trust import Trust

_ARC = "1.3.6.1.4.1.3704.1."
_STRUCTURE, _NAME, _HWID, _CSP = "1", "2", "4", "5"
_COMPONENTS = tuple(f"3.{arc}" for arc in range(1, 10))
_WHERE = "SNP endorsement key"
_ISSUERS = {"VCEK": "SEV-", "VLEK": "SEV-VLEK-"}


@dataclass(frozen=True, slots=True, kw_only=True)
class EndorsementKey:
    """What a VCEK's or VLEK's certificate says; `hwid` is None and `provider` is not for a VLEK."""

    certificate: x509.Certificate = field(repr=False)
    product_name: str
    components: dict[str, int]
    hwid: bytes | None = field(repr=False)
    provider: str | None
    values: dict[str, bytes] = field(repr=False)

    @classmethod
    def parse(cls, certificate: x509.Certificate) -> Self:
        """Read AMD's extensions; raises `MalformedEvidence`."""
        values = extensions(certificate)
        if _NAME not in values:
            raise MalformedEvidence("no product name", where=_WHERE)
        return cls(
            certificate=certificate,
            product_name=_text(values[_NAME]),
            components={arc: _number(values[arc]) for arc in _COMPONENTS if arc in values},
            hwid=_octets(values[_HWID]) if _HWID in values else None,
            provider=_text(values[_CSP]) if _CSP in values else None,
            values=values,
        )

    @property
    def kind(self) -> str:
        """`VLEK` for a key of a cloud's, `VCEK` for one of a chip's."""
        return "VCEK" if self.provider is None else "VLEK"

    @property
    def product(self) -> Product | None:
        """The line that the certificate names, None for one that this version does not know."""
        return Product.named(self.product_name)

    def covers(self, tcb: Tcb) -> Iterator[str]:
        """Each component in which the certificate differs from `tcb`, in words."""
        for name, arc, value in tcb.components:
            certified = self.components.get(f"3.{arc}")
            if certified != value:
                yield f"{name or f'component {arc}'} {certified} in the certificate, {value} in the report"

    def claims(self) -> Claims:
        """The extensions by the end of their object identifiers."""
        said: dict[str, Claim] = dict(self.components)
        said |= {arc: self.values[arc] for arc in (_NAME, _CSP) if arc in self.values}
        if _STRUCTURE in self.values:
            said[_STRUCTURE] = _number(self.values[_STRUCTURE])
        return said | ({} if self.hwid is None else {_HWID: self.hwid})


@lru_cache(maxsize=256)
def extensions(certificate: x509.Certificate) -> dict[str, bytes]:
    """AMD's extensions of a certificate, by the end of their object identifiers."""
    return {
        extension.oid.dotted_string.removeprefix(_ARC): extension.value.value
        for extension in certificate.extensions
        if extension.oid.dotted_string.startswith(_ARC)
        and isinstance(extension.value, x509.UnrecognizedExtension)
    }


def chain(key: EndorsementKey, beside: Endorsements, trust: Trust, at: datetime) -> certificates.Path:
    """The endorsement key's path over ASK or ASVK to a line's root; raises `NotAuthentic`."""
    pool = [one for one in beside.certificates if one is not key.certificate]
    found = certificates.path(key.certificate, pool, roots=SNP_ROOTS, trust=trust, at=at, crls=beside.crls)
    if faults := list(_chain_faults(key, found)):
        raise NotAuthentic(faults)
    return found


def _chain_faults(key: EndorsementKey, found: certificates.Path) -> Iterator[Finding]:
    """Each line has a root of its own, and below it one issuer for chips and one for clouds."""
    names = [_common(certificate) for certificate in found.certificates]
    line = "" if key.product is None else key.product.label
    root = found.vendor.removeprefix("AMD ") if found.status is RootStatus.VENDOR else names[-1]
    if [*names[1:-1], root] != [_ISSUERS[key.kind] + line, f"ARK-{line}"]:
        yield Finding(
            reason=Reason.CERTIFICATE,
            expected=f"a {key.kind} of {key.product_name}, issued by {_ISSUERS[key.kind]}{line} below ARK-{line}",
            found=", ".join([*names[1:-1], root]) or "no issuer",
        )
    if not all(map(_by_pss, found.certificates[:-1])):
        yield Finding(
            reason=Reason.CERTIFICATE, expected="RSASSA-PSS with SHA-384", found="another signature algorithm"
        )


def _by_pss(certificate: x509.Certificate) -> bool:
    scheme = certificate.signature_algorithm_parameters
    hashed = certificate.signature_hash_algorithm
    return isinstance(scheme, padding.PSS) and isinstance(hashed, hashes.SHA384)


def _common(certificate: x509.Certificate) -> str:
    return ", ".join(
        str(one.value) for one in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    )


def candidates(pool: Sequence[x509.Certificate]) -> list[EndorsementKey]:
    """The endorsement keys among certificates: those that state the security version of a boot loader."""
    return [EndorsementKey.parse(one) for one in pool if _COMPONENTS[0] in extensions(one)]


def _number(der: bytes) -> int:
    """A DER INTEGER from 0 to 255."""
    value = der[-1] if der else 0
    shortest = bytes([2, 1, value]) if value < 128 else bytes([2, 2, 0, value])
    if der != shortest:
        raise MalformedEvidence("a component that is no number up to 255", where=_WHERE)
    return value


def _text(der: bytes) -> str:
    """A DER IA5String or UTF8String of up to 127 bytes."""
    if len(der) < 2 or der[0] not in (0x16, 0x0C) or der[1] != len(der) - 2 or der[1] > 127:
        raise MalformedEvidence("a name of another type", where=_WHERE)
    try:
        return der[2:].decode("ascii")
    except UnicodeDecodeError as error:
        raise MalformedEvidence("a name that is not ASCII", where=_WHERE) from error


def _octets(value: bytes) -> bytes:
    """A hardware id; the newer certificates wrap it into a DER OCTET STRING."""
    wrapped = len(value) in (10, 66) and value[:2] == bytes([4, len(value) - 2])
    octets = value[2:] if wrapped else value
    if len(octets) not in (8, 64):
        raise MalformedEvidence(f"a hardware id of {len(octets)} bytes", where=_WHERE)
    return octets
