# SPDX-License-Identifier: Apache-2.0
"""XML that its signer enveloped a signature in, read so that only what was signed can be believed.

One form of XML Signature 1.1 is taken and no other: a single reference to the whole document, the enveloped-signature
transform and Canonical XML 1.1, ECDSA on P-384 with SHA-384. There is no DTD, no entity and no network.
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from lxml import etree

from enclave.errors import MalformedEvidence
from enclave.evidence import certificates
from enclave.evidence.certificates import Path, fault
from enclave.evidence.findings import Reason
from enclave.evidence.trust import Trust

_LONGEST, _MOST_NAMESPACES, _MOST_ATTRIBUTES = 1 << 18, 64, 128  # sorting them takes their square
_MOST_CERTIFICATES, _HALF = 8, 48
_DS = "{http://www.w3.org/2000/09/xmldsig#}"
_XML = "{http://www.w3.org/XML/1998/namespace}"
_C14N11 = "http://www.w3.org/2006/12/xml-c14n11"
_ENVELOPED = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
_ECDSA = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384"
_SHA384 = "http://www.w3.org/2001/04/xmldsig-more#sha384"
_PARTS = ("SignedInfo", "SignatureValue", "KeyInfo")
_SHAPE = (
    ("SignedInfo", ()),
    ("CanonicalizationMethod", (("Algorithm", _C14N11),)),
    ("SignatureMethod", (("Algorithm", _ECDSA),)),
    ("Reference", (("URI", ""),)),
    ("Transforms", ()),
    ("Transform", (("Algorithm", _ENVELOPED),)),
    ("Transform", (("Algorithm", _C14N11),)),
    ("DigestMethod", (("Algorithm", _SHA384),)),
    ("DigestValue", ()),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedXml:
    """A document as sent: `content` is canonical and without the signature, `information` is what the key signed."""

    content: bytes = field(repr=False)
    information: bytes = field(repr=False)
    digest: bytes
    signature: bytes = field(repr=False)
    signers: tuple[x509.Certificate, ...] = field(repr=False)

    @classmethod
    def parse(cls, raw: bytes) -> "SignedXml":
        """Read a document with one enveloped signature; raises `MalformedEvidence` for any other form."""
        root = read(raw)
        signature = _signature(root)
        information, value, key = signature
        return cls(
            information=_canonical(information),
            digest=_decoded(information[2][2].text),
            signature=_decoded(value.text),
            signers=_signers(key),
            content=_canonical(_without(root)),
        )

    def verified(
        self,
        *,
        roots: Mapping[str, str],
        trust: Trust,
        at: datetime,
        crls: Sequence[x509.CertificateRevocationList] = (),
    ) -> Path:
        """Its signer's path to one of `roots`; raises `NotAuthentic` where anything does not hold."""
        if not self.unchanged:
            raise fault(Reason.SIGNATURE, "a manifest as it was signed", "one that was changed")
        if not self.signed:
            raise fault(Reason.SIGNATURE, "a manifest signed by its signer", "another signature")
        signer, *others = self.signers
        path = certificates.path(signer, others, roots=roots, trust=trust, at=at, crls=crls)
        _check_usage(signer)
        return path

    @property
    def unchanged(self) -> bool:
        """Whether the document is the one whose digest its signature states."""
        return hashlib.sha384(self.content).digest() == self.digest

    @property
    def signed(self) -> bool:
        """Whether its first certificate's key made the signature."""
        key = self.signers[0].public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp384r1":
            return False
        r, s = (int.from_bytes(part, "big") for part in (self.signature[:_HALF], self.signature[_HALF:]))
        try:
            key.verify(utils.encode_dss_signature(r, s), self.information, ec.ECDSA(hashes.SHA384()))
        except InvalidSignature:
            return False
        return len(self.signature) == 2 * _HALF


def read(raw: bytes) -> etree._Element:
    """The root of a document of at most 256 KiB in UTF-8 without a DTD; raises `MalformedEvidence`."""
    if len(raw) > _LONGEST or b"\0" in raw or b"<!DOCTYPE" in raw:
        raise _wrong("too long, not in UTF-8, or with a document type")
    if raw.count(b"xmlns") > _MOST_NAMESPACES:
        raise _wrong(f"more than {_MOST_NAMESPACES} namespaces")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, encoding="utf-8"
    )
    try:
        root = etree.fromstring(raw, parser)
    except (etree.LxmlError, ValueError) as error:
        raise _wrong("not well-formed XML") from error
    _check_elements(root)
    return root


def _check_elements(root: etree._Element) -> None:
    """Refuse whatever canonical forms differ on, or sort slowly."""
    if root.getprevious() is not None or root.getnext() is not None:
        raise _wrong("something beside the root element")
    for node in root.iter():
        if not isinstance(node.tag, str):
            raise _wrong("comments, entities or processing instructions")
        if len(node.attrib) > _MOST_ATTRIBUTES:
            raise _wrong(f"more than {_MOST_ATTRIBUTES} attributes of one element")
        if any(str(name).startswith(_XML) for name in node.attrib):
            raise _wrong("attributes that elements inherit")


def _signature(root: etree._Element) -> tuple[etree._Element, etree._Element, etree._Element]:
    every = list(root.iter(f"{_DS}Signature"))
    if len(every) != 1 or every[0].getparent() is not root:
        raise _wrong("not exactly one signature below the root element")
    parts = list(every[0])
    if tuple(part.tag for part in parts) != tuple(f"{_DS}{name}" for name in _PARTS):
        raise _wrong("a signature with other parts")
    shape = tuple((str(node.tag), tuple(map(_pair, node.attrib.items()))) for node in parts[0].iter())
    nested = [len(node) for node in parts[0].iter()]
    if shape != tuple((f"{_DS}{n}", a) for n, a in _SHAPE) or nested != [3, 0, 0, 3, 2, 0, 0, 0, 0]:
        raise _wrong("a signature of another form, over something else than the whole document")
    return parts[0], parts[1], parts[2]


def _pair(pair: tuple[object, object]) -> tuple[str, str]:
    return str(pair[0]), str(pair[1])


def _signers(key: etree._Element) -> tuple[x509.Certificate, ...]:
    found = [_decoded(node.text) for node in key.iter(f"{_DS}X509Certificate")]
    if not 1 <= len(found) <= _MOST_CERTIFICATES:
        raise _wrong(f"{len(found)} certificates of its signer")
    return tuple(map(certificates.load, found))


def _without(root: etree._Element) -> etree._Element:
    """The document without its signature; the text behind the signature stays."""
    copy = deepcopy(root)
    signature = copy.find(f"{_DS}Signature")
    before, tail = signature.getprevious(), signature.tail or ""
    if before is None:
        copy.text = (copy.text or "") + tail
    else:
        before.tail = (before.tail or "") + tail
    signature.tail = None
    copy.remove(signature)
    return copy


def _canonical(element: etree._Element) -> bytes:
    """Canonical XML without comments; 1.0 and 1.1 differ only in attributes that `read` refuses."""
    try:
        return bytes(etree.tostring(element, method="c14n", with_comments=False, with_tail=False))
    except etree.LxmlError as error:
        raise _wrong("XML that has no canonical form") from error


def _decoded(text: str | None) -> bytes:
    try:
        return base64.b64decode("".join((text or "").split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise _wrong("not base64") from error


def _check_usage(signer: x509.Certificate) -> None:
    try:
        signs = signer.extensions.get_extension_for_class(x509.KeyUsage).value.digital_signature
    except x509.ExtensionNotFound:
        signs = False
    if not signs:
        raise fault(Reason.CERTIFICATE, "a certificate for signatures", "one for something else")


def _wrong(what: str) -> MalformedEvidence:
    return MalformedEvidence(what, where="reference manifest")
