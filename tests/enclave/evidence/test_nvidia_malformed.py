# SPDX-License-Identifier: Apache-2.0
"""Reports and manifests as bytes: what does not parse is malformed, and a second reader of signatures agrees with ours."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from signxml import DigestAlgorithm, SignatureConfiguration, SignatureMethod, XMLVerifier
from signxml.exceptions import SignXMLException

from enclave.errors import MalformedEvidence, NotAuthentic
from enclave.evidence.detect import detect
from enclave.evidence.enclosed import Enclosed
from enclave.evidence.kinds import Kind
from enclave.evidence.nvidia.opaque import Opaque
from enclave.evidence.nvidia.report import Report
from enclave.evidence.nvidia.signed import SignedXml, read
from enclave.evidence.nvidia.verify import GPU, SWITCH
from enclave.evidence.showing import shown
from tests.fakes.authorities import new_key
from tests.fakes.nvidia import NONCE, SoftGpu, resource, rim_signer, signed, unsigned_manifest, value

MADE = SoftGpu()
GOOD = MADE.report()
PIECES = tuple(one.pem for one in MADE.chain)
RECORD = 45  # where the first measurement block begins
FIRST_FIELD = 45 + 16 * 55 + 34


def changed(at: int, *values: int) -> Callable[[], bytes]:
    """The report with other bytes from `at` on, signed anew."""
    said = MADE.unsigned()
    return lambda: MADE.sealed(said[:at] + bytes(values) + said[at + len(values) :])


def with_fields(**fields: bytes | None) -> Callable[[], bytes]:
    """A report with these opaque fields, by number behind an underscore."""
    return lambda: SoftGpu(fields={int(name[1:]): raw for name, raw in fields.items()}).report()


BROKEN: dict[str, Callable[[], bytes]] = {
    "another version": changed(0, 0x12),
    "another request": changed(1, 0xE1),
    "a request for no signature": changed(2, 0),
    "a request for one measurement": changed(3, 1),
    "a slot that there is not": changed(36, 8),
    "an answer of another version": changed(37, 0x12),
    "an answer to something else": changed(38, 0x61),
    "an answer by another slot": changed(40, 1),
    "more blocks than it holds": changed(41, 17),
    "fewer blocks than it holds": changed(41, 15),
    "a record that is too long": changed(42, 0xFF, 0xFF, 0xFF),
    "blocks out of order": changed(RECORD, 2),
    "a block that is not DMTF's": changed(RECORD + 1, 2),
    "a block of another size": changed(RECORD + 2, 0x34),
    "a raw value": changed(RECORD + 4, 0x81),
    "a value of another size": changed(RECORD + 5, 49),
    "a field twice": changed(FIRST_FIELD + 12, 6),
    "a field that is cut off": changed(FIRST_FIELD + 2, 0xFF, 3),
    "a version of the VBIOS that is too short": with_fields(_6=b"\0\x9f\0\x96\1\0\0"),
    "a firmware digest that is too short": with_fields(_20=bytes(47)),
    "a decoder's status of two bytes": with_fields(_11=b"\x55\x55"),
    "counts that are cut off": with_fields(_12=b"\1\0\0"),
    "neither a GPU nor a switch": lambda: SoftGpu(fields={3: None, 4: None, 11: None}).report(),
    "a switch's fields": lambda: SoftGpu(driver=None).report(),
    "trailing bytes": lambda: GOOD + b"\0",
    "an end that is missing": lambda: GOOD[:-1],
    "a request without an answer": lambda: GOOD[:37],
    "nothing": lambda: b"",
    "64 KiB": lambda: GOOD + bytes(1 << 16),
}


@pytest.mark.parametrize("change", BROKEN)
def test_what_does_not_parse_is_malformed(change: str) -> None:
    raw = BROKEN[change]()
    body = Enclosed(evidence=raw, pieces=PIECES).encode()
    with pytest.raises(MalformedEvidence):
        GPU.verify(
            body, 1, node=None, trust=MADE.root.trust, at=MADE.chain[0].certificate.not_valid_before_utc
        )
    with pytest.raises(MalformedEvidence):
        GPU.show(body)
    assert not GPU.recognise(raw)


def test_a_report_is_recognised_as_what_it_is_of() -> None:
    assert GPU.recognise(GOOD)
    assert not SWITCH.recognise(GOOD)
    other = SoftGpu(driver=None, vbios="96.10.55.00.01").report()
    assert SWITCH.recognise(other)
    assert not GPU.recognise(other)
    assert (detect(GOOD).kind, detect(other).kind) == (Kind.NVIDIA_GPU, Kind.NVIDIA_SWITCH)


def test_fields_are_named_as_nvidia_names_them() -> None:
    opaque = Opaque.parse(with_fields(_36=b"\2\0", _99=b"new")()[FIRST_FIELD:-96])
    claims = opaque.claims()
    assert claims["DRIVER_VERSION"] == "550.90.07"
    assert claims["NVDEC0_STATUS"] == b"\xaa"
    assert claims["MSRSCNT"] == [1, 1, 1, 1]
    assert claims["99"] == b"new"
    assert opaque.mode == "protected PCIe"
    assert Opaque.parse(b"\x24\0\1\0\x09").mode == "mode 09"


def test_showing_a_report_names_its_leaf_where_one_came() -> None:
    bare = GPU.show(Enclosed(evidence=GOOD, pieces=()).encode())
    assert bare["nonce"] == NONCE
    assert "leaf_subject" not in bare
    full = GPU.show(Enclosed(evidence=GOOD, pieces=PIECES).encode())
    assert full["leaf_sha256"] is not None
    assert MADE.chain[0].certificate.subject.rfc4514_string() == full["leaf_subject"]


def test_showing_a_manifest_names_its_elements() -> None:
    vbios, _ = MADE.manifests()
    said = shown(vbios)
    assert said["kind"] == "manifests"
    first = said["0"]
    assert isinstance(first, dict)
    assert first["Meta"] == {"colloquialVersion": MADE.vbios, "product": "GH100"}
    resources = first["Payload"]
    assert isinstance(resources, list)
    assert isinstance(resources[0], dict)
    assert resources[0]["Hash0"] == value(1, "v").hex()
    with pytest.raises(MalformedEvidence):
        shown(b"<SoftwareIdentity/>")


@given(st.binary(max_size=300), st.integers(0, len(GOOD)))
def test_any_bytes_are_a_report_or_malformed(raw: bytes, kept: int) -> None:
    for candidate in (raw, GOOD[:kept] + raw, GOOD[:kept] + raw + GOOD[kept + len(raw) :]):
        GPU.recognise(candidate)
        with suppress(MalformedEvidence):
            Report.parse(candidate)
        with suppress(MalformedEvidence):
            Opaque.parse(candidate)


MANIFEST = MADE.manifests()[0]


@settings(max_examples=60)
@given(st.integers(0, len(MANIFEST)), st.binary(max_size=4), st.integers(0, 40))
def test_a_manifest_that_was_changed_is_refused_or_says_the_same(at: int, part: bytes, cut: int) -> None:
    good = MADE.judged(MANIFEST)
    try:
        facts = MADE.judged(MANIFEST[:at] + part + MANIFEST[at + cut :])
    except (MalformedEvidence, NotAuthentic):
        return
    assert facts.missed or facts.claims == good.claims


HOSTILE: dict[str, bytes] = {
    "entities that grow": b'<!DOCTYPE a [<!ENTITY a "aaaa">'
    + b"".join(b'<!ENTITY %c "&%c;&%c;&%c;">' % (98 + n, 97 + n, 97 + n, 97 + n) for n in range(20))
    + b"]><a>&u;</a>",
    "an entity from a file": b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><a>&x;</a>',
    "an entity in UTF-7": b'<?xml version="1.0" encoding="UTF-7"?>+ADw-+ACE-DOCTYPE a+AD4-<a/>',
    "a document type in UTF-16": '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>'.encode("utf-16"),
    "a stylesheet": b'<?xml-stylesheet href="x"?><a/>',
    "an inclusion": b'<a xmlns:i="http://www.w3.org/2001/XInclude"><i:include href="/etc/hostname"/></a>',
    "deep nesting": b"<a>" * 5000,
    "a quarter of a mebibyte": b"<a>" + b" " * (1 << 18) + b"</a>",
    "too many attributes": b"<a " + b" ".join(b'a%d=""' % n for n in range(129)) + b"/>",
    "too many namespaces": b"<a " + b" ".join(b'xmlns:a%d="a:%d"' % (n, n) for n in range(65)) + b"/>",
    "inherited attributes": b'<a xml:base="http://example.com/"/>',
    "no UTF-8": b"<a>\xff</a>",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_documents_are_malformed(name: str) -> None:
    with pytest.raises(MalformedEvidence):
        SignedXml.parse(HOSTILE[name])


DS = "{http://www.w3.org/2000/09/xmldsig#}"
SWID_OF = "{http://standards.iso.org/iso/19770/-2/2015/schema.xsd}"


def _unsigned(change: Callable[[etree._Element], object]) -> bytes:
    """A manifest that was changed before it was signed."""
    root = unsigned_manifest("GH100", "1.2", [resource(1, [value(1)])])
    change(root)
    return signed(root, rim_signer())


def _edited(change: Callable[[etree._Element], object]) -> bytes:
    """A manifest that was changed after it was signed."""
    root = etree.fromstring(MANIFEST)
    change(root)
    made: bytes = etree.tostring(root)
    return made


def _many_signers(root: etree._Element) -> None:
    (key,) = root.iter(f"{DS}X509Data")
    certificate = etree.tostring(key[0])
    key.extend(etree.fromstring(certificate) for _ in range(8))


ODD: dict[str, Callable[[], bytes]] = {
    "another root element": lambda: _unsigned(lambda root: setattr(root, "tag", f"{SWID_OF}Other")),
    "no Meta": lambda: _unsigned(lambda root: root.remove(root[1])),
    "two of them": lambda: _unsigned(lambda root: etree.SubElement(root, f"{SWID_OF}Meta")),
    "a file": lambda: _unsigned(lambda root: root[2][0].set("type", "File")),
    "a digest that is too short": lambda: _unsigned(
        lambda root: root[2][0].set("{http://www.w3.org/2001/04/xmlenc#sha384}Hash0", "ab")
    ),
    "a digest that is no hex": lambda: _unsigned(
        lambda root: root[2][0].set("{http://www.w3.org/2001/04/xmlenc#sha384}Hash0", "xy" * 48)
    ),
    "an index out of range": lambda: _unsigned(lambda root: root[2][0].set("index", "256")),
    "an index that is no number": lambda: _unsigned(lambda root: root[2][0].set("index", "-1")),
    "a signature without a value": lambda: _edited(lambda root: root[3].remove(root[3][1])),
    "a value that is not base64": lambda: _edited(lambda root: setattr(root[3][1], "text", "?")),
    "no signer": lambda: _edited(lambda root: root[3][2].clear()),
    "nine signers and more": lambda: _edited(_many_signers),
    "a namespace that is relative": lambda: MANIFEST.replace(
        b'xmlns:ns2="http://', b'xmlns:x="a" xmlns:ns2="http://'
    ),
}


@pytest.mark.parametrize("change", ODD)
def test_manifests_of_another_shape_are_malformed(change: str) -> None:
    raw = ODD[change]()
    with pytest.raises(MalformedEvidence):
        MADE.judged(raw)


def test_a_signer_may_have_no_usage_and_no_other_curve() -> None:
    """Neither makes a manifest malformed: somebody signed it, who does not count."""
    for signer in (rim_signer(key_usage=None), rim_signer(key=new_key("P-256"))):
        made = signed(unsigned_manifest("GH100", MADE.vbios, [resource(1, [value(1, "v")])]), signer)
        assert len(MADE.judged(made).missed) == 1


def test_a_signature_may_stand_anywhere_below_the_root_element() -> None:
    root = unsigned_manifest("GH100", MADE.vbios, [resource(1, [value(1, "v")])])
    root.text = "\n"
    moved = etree.fromstring(signed(root, rim_signer()))
    moved[3].tail = None
    moved.insert(0, moved[3])
    assert MADE.judged(etree.tostring(moved)).missed == ()


def test_as_many_attributes_and_namespaces_as_may_be() -> None:
    most = b"<a " + b" ".join(b'a%d=""' % n for n in range(128)) + b"/>"
    assert len(read(most).attrib) == 128
    most = b"<a " + b" ".join(b'xmlns:a%d="a:%d"' % (n, n) for n in range(64)) + b"/>"
    assert len(read(most).nsmap) == 64


def test_nothing_is_included_from_elsewhere() -> None:
    assert len(read(HOSTILE["an inclusion"])[0]) == 0
    assert read(HOSTILE["an inclusion"])[0].text is None


def test_signxml_agrees_on_every_manifest(shared_evidence: Path) -> None:
    """Signatures alone: chains and dates are ours."""
    files = sorted((shared_evidence / "nvidia").glob("*/*.xml"))
    assert len(files) == 10
    verdicts = {path.name: (_theirs(path.read_bytes()), _ours(path.read_bytes())) for path in files}
    assert [name for name, (theirs, ours) in verdicts.items() if theirs != ours] == []
    assert None in (refused := [theirs for theirs, _ in verdicts.values()])
    assert any(refused)


def _theirs(raw: bytes) -> bytes | None:
    """What signxml says was signed, while the signer was valid; None where it refuses."""
    signer = SignedXml.parse(raw).signers[0]
    form = SignatureConfiguration(
        signature_methods=frozenset({SignatureMethod.ECDSA_SHA384}),
        digest_algorithms=frozenset({DigestAlgorithm.SHA384}),
        verification_time=signer.not_valid_before_utc,
    )
    try:
        found = XMLVerifier().verify(etree.fromstring(raw), x509_cert=signer, expect_config=form)
    except SignXMLException:
        return None
    assert not isinstance(found, list)
    return found.signed_data


def _ours(raw: bytes) -> bytes | None:
    document = SignedXml.parse(raw)
    return document.content if document.unchanged and document.signed else None
