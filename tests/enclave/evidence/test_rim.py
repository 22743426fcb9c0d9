# SPDX-License-Identifier: Apache-2.0
"""Reference manifests: NVIDIA's own, and ours with each rule of their signature broken alone."""

import base64
import hashlib
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from lxml import etree

from enclave.errors import MalformedEvidence, NotAuthentic
from enclave.evidence.findings import Reason
from enclave.evidence.nvidia.rim import Manifest, manifest
from enclave.evidence.trust import Trust
from tests.fakes.authorities import Authority, usage
from tests.fakes.evidence import NOON

ROOTS = {"dec1dc316477aa851eebdf51327ae9f864bc8d89254657ed1e7eb9168af1e1a3": "NVIDIA CoRIM signing Root CA"}
NOBODY = Trust(enrollers=frozenset(), extra_roots=frozenset())
ROOT = Authority.root("RIM root", "P-384")
SIGNER = ROOT.issue("RIM signer", "P-384")
DS, MORE = "http://www.w3.org/2000/09/xmldsig#", "http://www.w3.org/2001/04/xmldsig-more#"
C14N = "http://www.w3.org/2006/12/xml-c14n11"
ONE = f'<r:Resource type="Measurement" index="1" active="True" alternatives="1" size="48" h:Hash0="{"ab" * 48}"/>'
OFF = ONE.replace('index="1"', 'index="2"').replace("True", "False")


def document(resources: str = ONE + OFF, signature: str = "") -> str:
    return (
        '<r:SoftwareIdentity xmlns:r="http://standards.iso.org/iso/19770/-2/2015/schema.xsd" '
        'xmlns:h="http://www.w3.org/2001/04/xmlenc#sha384" name="GH100">'
        '<r:Meta product="GH100" colloquialVersion="1.2.3"/>'
        f"<r:Payload>{resources}</r:Payload>{signature}</r:SoftwareIdentity>"
    )


def canonical(text: str) -> bytes:
    return bytes(etree.tostring(etree.fromstring(text), method="c14n"))


def signed(resources: str = ONE + OFF, by: Authority = SIGNER, uri: str = "", extra: str = "") -> str:
    """A manifest whose signature holds, over whatever its reference names."""
    digest = base64.b64encode(hashlib.sha384(canonical(document(resources))).digest()).decode()
    reference = (
        f'<s:Reference URI="{uri}"><s:Transforms><s:Transform Algorithm="{DS}enveloped-signature"/>'
        f'<s:Transform Algorithm="{C14N}"/></s:Transforms><s:DigestMethod Algorithm="{MORE}sha384"/>'
        f"<s:DigestValue>{digest}</s:DigestValue></s:Reference>"
    )
    information = (
        f'<s:SignedInfo><s:CanonicalizationMethod Algorithm="{C14N}"/>'
        f'<s:SignatureMethod Algorithm="{MORE}ecdsa-sha384"/>{reference}{extra and reference}</s:SignedInfo>'
    )
    sent = (base64.b64encode(one.der).decode() for one in (by, ROOT))
    key = "".join(f"<s:X509Certificate>{one}</s:X509Certificate>" for one in sent)
    form = f'<s:Signature xmlns:s="{DS}">{information}<s:SignatureValue>@</s:SignatureValue><s:KeyInfo><s:X509Data>{key}</s:X509Data></s:KeyInfo></s:Signature>'
    whole = etree.fromstring(document(resources, form))
    said = etree.tostring(whole.find(f"{{{DS}}}Signature")[0], method="c14n", with_tail=False)
    assert isinstance(by.key, ec.EllipticCurvePrivateKey)
    r, s = utils.decode_dss_signature(by.key.sign(said, ec.ECDSA(hashes.SHA384())))
    value = base64.b64encode(r.to_bytes(48, "big") + s.to_bytes(48, "big")).decode()
    return document(resources, form.replace("@", value))


def read(text: str, at: datetime = NOON, roots: dict[str, str] | None = None) -> Manifest:
    vendor = ROOT.vendor if roots is None else roots
    return manifest(text.encode(), roots=vendor, trust=NOBODY, at=at)


def test_a_manifest_gives_the_values_of_the_measurements_that_count() -> None:
    found = read(signed())
    assert (found.product, found.version) == ("GH100", "1.2.3")
    assert found.active == {1: frozenset({b"\xab" * 48})}


def _signature(text: str) -> str:
    return text[text.index("<s:Signature ") : text.index("</s:Signature>") + len("</s:Signature>")]


def _wrapped(text: str) -> str:
    """The document that was signed put inside another, which says something else."""
    return document(ONE.replace("ab", "cd"), text)


FORMS: dict[str, Callable[[str], str]] = {
    "a second signature": lambda text: text.replace(
        "</r:SoftwareIdentity>", _signature(text) + "</r:SoftwareIdentity>"
    ),
    "no signature": lambda text: text.replace(_signature(text), ""),
    "a signature moved inside": lambda text: text.replace(_signature(text), "").replace(
        "</r:Payload>", _signature(text) + "</r:Payload>"
    ),
    "a document wrapped in another": _wrapped,
    "an external entity": lambda text: '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + text,
    "entities that grow": lambda text: '<!DOCTYPE a [<!ENTITY x "y"><!ENTITY z "&x;&x;">]>' + text,
    "an entity nobody declared": lambda text: text.replace("<r:Payload>", "<r:Payload>&x;"),
    "a comment": lambda text: text.replace("<r:Payload>", "<r:Payload><!-- a -->"),
    "another transform": lambda text: text.replace(
        f'Transform Algorithm="{C14N}"', 'Transform Algorithm="x"'
    ),
    "another digest": lambda text: text.replace(f"{MORE}sha384", f"{DS}sha1"),
    "UTF-16": lambda text: text.encode("utf-16").decode("latin-1"),
    "cut off": lambda text: text[:-9],
}


@pytest.mark.parametrize("change", FORMS)
def test_any_other_form_is_malformed(change: str) -> None:
    with pytest.raises(MalformedEvidence):
        read(FORMS[change](signed()))


@pytest.mark.parametrize(("uri", "extra"), [("#part", ""), ("", "twice")])
def test_a_signature_covers_the_whole_document_by_one_reference(uri: str, extra: str) -> None:
    with pytest.raises(MalformedEvidence):
        read(signed(uri=uri, extra=extra))


@pytest.mark.parametrize(
    "resources",
    [ONE + ONE, OFF, "", ONE.replace("True", "true"), ONE.replace('"48"', '"32"'), ONE.replace("ab", "a", 1)]
    + [ONE.replace('alternatives="1"', f'alternatives="{count}"') for count in ("0", "2", "-1", "99999")],
)
def test_measurements_that_are_ambiguous_are_malformed(resources: str) -> None:
    with pytest.raises(MalformedEvidence):
        read(signed(resources))


def _reason(text: str, **others: object) -> set[Reason]:
    with pytest.raises(NotAuthentic) as raised:
        read(text, **others)  # type: ignore[arg-type]  # tests name the arguments
    return {finding.reason for finding in raised.value.findings}


def test_a_manifest_edited_after_signing_is_refused() -> None:
    assert _reason(signed().replace("ab" * 48, "cd" * 48)) == {Reason.SIGNATURE}


def test_a_signature_by_another_key_is_refused() -> None:
    mine, other = signed(), signed(by=ROOT.issue("RIM signer", "P-384"))
    value, theirs = (text.split("SignatureValue>")[1] for text in (mine, other))
    assert _reason(mine.replace(value, theirs)) == {Reason.SIGNATURE}


def test_a_signer_counts_while_it_is_valid_and_below_a_root_that_counts() -> None:
    assert _reason(signed(), at=NOON + timedelta(days=400)) == {Reason.CERTIFICATE}
    assert _reason(signed(), roots=Authority.root("Other").vendor) & {Reason.ROOT, Reason.CERTIFICATE}
    wrong = ROOT.issue("RIM signer", "P-384", key_usage=usage("key_agreement"))
    assert _reason(signed(by=wrong)) == {Reason.CERTIFICATE}


def test_manifests_of_nvidia_get_the_verdicts_that_their_samples_state(shared_evidence: Path) -> None:
    folder = shared_evidence / "nvidia" / "rim-files"
    expected = json.loads((folder / "expected.json").read_text("utf-8"))
    at, seen = datetime.fromisoformat(expected["verification_time"]), 0
    for entry in expected["per_file"]:
        raw = (folder / entry["file"]).read_bytes()
        if entry["expected"]["result"] == "accept":
            assert manifest(raw, roots=ROOTS, trust=NOBODY, at=at).product == "GH100"
        elif entry["file"].endswith(".xml"):
            with pytest.raises(NotAuthentic):
                manifest(raw, roots=ROOTS, trust=NOBODY, at=at)
        seen += 1
    assert seen == 6
    late = datetime.fromisoformat("2025-09-06T00:00:00Z")
    with pytest.raises(NotAuthentic):
        manifest(
            (folder / "vbios_1010_0205_862_96005E0004.xml").read_bytes(), roots=ROOTS, trust=NOBODY, at=late
        )
