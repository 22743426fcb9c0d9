# SPDX-License-Identifier: Apache-2.0
"""NVIDIA's reference integrity manifests: SWID tags (ISO/IEC 19770-2) with the values that measurements may have."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509
from lxml import etree

from enclave.errors import MalformedEvidence
from enclave.evidence.certificates import Path
from enclave.evidence.facts import Claim, Claims
from enclave.evidence.nvidia.signed import SignedXml, read
from enclave.evidence.trust import Trust

_SWID = "{http://standards.iso.org/iso/19770/-2/2015/schema.xsd}"
_HASH = "{http://www.w3.org/2001/04/xmlenc#sha384}Hash"
_DIGEST, _INDICES, _MOST = 48, 256, 64
_ACTIVE = {"True": True, "False": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Reference values of one version of one firmware; `active` has every value allowed for an index that counts."""

    product: str
    version: str
    active: dict[int, frozenset[bytes]] = field(repr=False)
    path: Path = field(repr=False)

    @property
    def made(self) -> datetime:
        """When its signer was certified: manifests state no date of their own."""
        return self.path.certificates[0].not_valid_before_utc


def manifest(
    raw: bytes,
    *,
    roots: Mapping[str, str],
    trust: Trust,
    at: datetime,
    crls: Sequence[x509.CertificateRevocationList] = (),
) -> Manifest:
    """A manifest that is signed and in force at `at`, under one of `roots`; raises `MalformedEvidence` or `NotAuthentic`."""
    signed = SignedXml.parse(raw)
    path = signed.verified(roots=roots, trust=trust, at=at, crls=crls)
    root = read(signed.content)
    meta, payload = _one(root, "Meta"), _one(root, "Payload")
    if root.tag != f"{_SWID}SoftwareIdentity":
        raise _wrong("no SWID tag")
    return Manifest(
        product=meta.get("product") or "",
        version=meta.get("colloquialVersion") or "",
        active=_active(payload),
        path=path,
    )


def shown(raw: bytes) -> Claims:
    """What a manifest says, named as in its elements and attributes, believed by nobody; raises `MalformedEvidence`."""
    signed = SignedXml.parse(raw)
    root = read(signed.content)
    parts: Claims = {"SoftwareIdentity": _attributes(root)}
    parts |= {name: _attributes(_one(root, name)) for name in ("Entity", "Meta")}
    signers: list[Claim] = [signer.subject.rfc4514_string() for signer in signed.signers]
    resources: list[Claim] = [_attributes(resource) for resource in _one(root, "Payload")]
    return parts | {"Payload": resources, "X509Data": signers}


def _attributes(element: etree._Element) -> Claim:
    return {str(name).rpartition("}")[2]: str(value) for name, value in element.attrib.items()}


def _one(root: etree._Element, name: str) -> etree._Element:
    found = root.findall(f"{_SWID}{name}")
    if len(found) != 1:
        raise _wrong(f"not exactly one {name}")
    return found[0]


def _active(payload: etree._Element) -> dict[int, frozenset[bytes]]:
    seen, active = set[int](), dict[int, frozenset[bytes]]()
    for resource in payload:
        if resource.tag != f"{_SWID}Resource" or resource.get("type") != "Measurement":
            raise _wrong("something else than a measurement")
        index, flag = _number(resource, "index"), _ACTIVE.get(resource.get("active") or "")
        if flag is None or index >= _INDICES or index in seen:
            raise _wrong(f"measurement {index}: no flag, out of range or there twice")
        seen.add(index)
        values = frozenset(_values(resource))
        if flag:
            active[index] = values
    if not active:
        raise _wrong("no measurement that counts")
    return active


def _values(resource: etree._Element) -> Iterator[bytes]:
    count = _number(resource, "alternatives")
    present = sum(str(name).startswith(_HASH) for name in resource.attrib)
    if not 1 <= count <= _MOST or present != count or _number(resource, "size") != _DIGEST:
        raise _wrong("other alternatives than it states, or digests of another size")
    for number in range(count):
        try:
            value = bytes.fromhex(resource.get(f"{_HASH}{number}") or "")
        except ValueError as error:
            raise _wrong("a digest that is not hexadecimal") from error
        if len(value) != _DIGEST:
            raise _wrong("a digest of another size")
        yield value


def _number(resource: etree._Element, name: str) -> int:
    text = resource.get(name) or ""
    if not (text.isascii() and text.isdigit() and len(text) <= 4):
        raise _wrong(f"no number in {name}")
    return int(text)


def _wrong(what: str) -> MalformedEvidence:
    return MalformedEvidence(what, where="reference manifest")
