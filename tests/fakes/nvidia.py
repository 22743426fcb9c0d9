# SPDX-License-Identifier: Apache-2.0
"""A GPU or switch in software, with certificates and manifests of a vendor of our own.

`SoftGpu(...).report(nonce)` is what a device answers, `.chain` its certificates; `manifest(...)` is made and signed
by signxml, which shares no code with the verifier. `judged` and `refusal` verify the device.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from lxml import etree
from signxml import CanonicalizationMethod, DigestAlgorithm, SignatureMethod, XMLSigner, methods

from enclave.errors import NotAuthentic
from enclave.evidence.enclosed import Enclosed
from enclave.evidence.facts import Facts
from enclave.evidence.findings import Finding
from enclave.evidence.nvidia.verify import GPU, SWITCH
from enclave.evidence.trust import Trust
from tests.fakes.authorities import Authority, Extension, Key, kept_key, new_key
from tests.fakes.evidence import NOON
from tests.fakes.spdm import SHA384, block, tlv

NONCE = bytes(range(32))
SWID = "http://standards.iso.org/iso/19770/-2/2015/schema.xsd"
XMLENC = "http://www.w3.org/2001/04/xmlenc#sha384"
DEVICE_ROOT = Authority.root("Soft Device Identity CA", key=kept_key("P-384", 700))
RIM_ROOT = Authority.root("Soft RIM root", key=kept_key("P-384", 701))
TRUST = Trust(enrollers=frozenset(), extra_roots=frozenset({DEVICE_ROOT.digest, RIM_ROOT.digest}))
OLD, NEW = "2.23.133.5.4.1", "2.23.133.5.4.1.1"


def value(number: int, version: str = "") -> bytes:
    """A measurement that depends on its index and on a version."""
    return hashlib.sha384(f"{number} {version}".encode()).digest()


@dataclass(kw_only=True)
class SoftGpu:
    """A GPU; `fields` changes opaque fields by number (None leaves one out), `leaf` and `rom` their certificates."""

    chip: str = "GH100"
    engine: str = "A01 GSP"
    driver: str | None = "550.90.07"
    vbios: str = "96.00.9F.00.01"
    firmware: bytes = b"firmware"
    measurements: dict[int, bytes] = field(default_factory=lambda: {1: value(1, "v"), 7: value(7, "d")})
    count: int = 16
    fields: dict[int, bytes | None] = field(default_factory=dict)
    leaf: dict[str, object] = field(default_factory=dict)
    leaf_name: str = ""
    rom_name: str = ""
    tcb: tuple[Extension, ...] | None = None
    root: Authority = DEVICE_ROOT
    rom_key: Key = field(default_factory=lambda: new_key("P-384"))

    @property
    def switch(self) -> bool:
        """Whether it is a switch, which runs without a driver."""
        return self.driver is None

    @cached_property
    def chain(self) -> tuple[Authority, ...]:
        """Leaf, boot ROM, the line's authority and the root."""
        line = self.root.issue("Soft line of devices", "P-384", authority=True)
        rom = line.issue(self.rom_name or f"{self.chip} {self.engine} BROM", key=self.rom_key, authority=True)
        extensions = (self.composite(),) if self.tcb is None else self.tcb
        name = self.leaf_name or f"{self.chip} {self.engine} FMC LF"
        leaf = rom.issue(name, "P-384", **{"basic": False, "extensions": extensions, **self.leaf})
        return leaf, rom, line, self.root

    def composite(self, firmware: bytes | None = None, key: Key | None = None) -> Extension:
        """The older Composite Device ID: the boot ROM's key, and the firmware's digest."""
        spki = (
            (key or self.rom_key).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        )
        fwid = tlv(0x30, SHA384, tlv(0x04, self.fwid if firmware is None else firmware))
        return extension(OLD, tlv(0x30, tlv(0x02, b"\1"), spki, fwid))

    def tcb_info(self, flags: bytes = b"\0\x80") -> Extension:
        """The TcbInfo of newer devices; `flags` is the content of its bit string."""
        none = tlv(0x30, SHA384, tlv(0x04, bytes(48)))
        fwids = tlv(0x30, SHA384, tlv(0x04, self.fwid)) + none
        parts = [tlv(0x80, b"Soft"), tlv(0x83, b"\1"), tlv(0xA6, fwids), tlv(0x87, flags)]
        return extension(NEW, tlv(0x30, *parts))

    @property
    def fwid(self) -> bytes:
        """The digest of its firmware."""
        return hashlib.sha384(self.firmware).digest()

    def opaque(self) -> dict[int, bytes | None]:
        """What it says of itself, before `fields` changes it."""
        if self.switch:
            return {6: self.vbios.encode(), 22: b"\x20" * 8, 23: b"\xec\0", 24: b"\2\0", 25: b"\1\0"}
        assert self.driver is not None
        parts = bytes.fromhex(self.vbios.replace(".", ""))
        vbios = parts[3::-1] + parts[4:] + bytes(3)
        said = {6: vbios, 14: b"\xb1\3\0\0", 15: b"882\0", 17: b"1010\0", 3: self.driver.encode() + b"\0"}
        return {**said, 4: bytes(8), 12: (1).to_bytes(4, "little") * 4, 11: b"\xaa", 20: self.fwid}

    def unsigned(self, nonce: bytes = NONCE) -> bytes:
        """Request and answer, without a signature."""
        said = {**self.opaque(), **self.fields}
        opaque = b"".join(_field(number, raw) for number, raw in said.items() if raw is not None)
        blocks = b"".join(block(n + 1, 1, self.measurements.get(n, bytes(48))) for n in range(self.count))
        record = bytes([self.count]) + len(blocks).to_bytes(3, "little") + blocks
        head = b"\x11\xe0\x01\xff" + nonce + b"\0" + b"\x11\x60\0\0"
        return head + record + b"\xcd" * 32 + len(opaque).to_bytes(2, "little") + opaque

    def report(self, nonce: bytes = NONCE) -> bytes:
        """What it answers to a nonce."""
        return self.sealed(self.unsigned(nonce))

    def sealed(self, said: bytes) -> bytes:
        """Anything at all, signed by its key."""
        key = self.chain[0].key
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        r, s = utils.decode_dss_signature(key.sign(said, ec.ECDSA(hashes.SHA384())))
        return said + r.to_bytes(48, "big") + s.to_bytes(48, "big")

    def manifests(self) -> tuple[bytes, ...]:
        """Manifests of its driver and its VBIOS that it meets: one measurement each, and one that is inactive."""
        vbios = manifest(self.chip, self.vbios, {1: [self.measurements[1]]}, inactive=(7,))
        if self.driver is None:
            return (vbios,)
        return vbios, manifest(self.chip, self.driver, {7: [value(0), self.measurements[7]]}, inactive=(1,))

    def judged(
        self, *pieces: bytes, report: bytes | None = None, trust: Trust = TRUST, chain: bool = True
    ) -> Facts:
        """What a verifier believes of it at noon."""
        own = [one.pem for one in self.chain] if chain else []
        body = Enclosed(evidence=self.report() if report is None else report, pieces=(*own, *pieces)).encode()
        technology = SWITCH if self.switch else GPU
        return technology.verify(body, 1, node=None, trust=trust, at=NOON)

    def refusal(self, *pieces: bytes, **others: object) -> tuple[Finding, ...]:
        """Why a verifier does not believe it."""
        with pytest.raises(NotAuthentic) as raised:
            self.judged(*pieces, **others)  # type: ignore[arg-type]  # tests name the arguments of `judged`
        return raised.value.findings


def resource(index: int, values: Iterable[bytes], *, active: bool = True) -> dict[str, str]:
    """The attributes of one measurement in a manifest."""
    listed = {f"{{{XMLENC}}}Hash{place}": one.hex() for place, one in enumerate(values)}
    named = {"type": "Measurement", "index": str(index), "active": str(active), "size": "48"}
    return {**named, "alternatives": str(len(listed)), **listed, "name": f"Measurement_{index}"}


def unsigned_manifest(product: str, version: str, resources: Iterable[dict[str, str]]) -> etree._Element:
    """A SWID tag before anybody signs it."""
    root = etree.Element(f"{{{SWID}}}SoftwareIdentity", {"name": product}, nsmap={None: SWID, "ns2": XMLENC})
    etree.SubElement(root, f"{{{SWID}}}Entity", {"name": "Soft vendor", "role": "softwareCreator"})
    etree.SubElement(root, f"{{{SWID}}}Meta", {"colloquialVersion": version, "product": product})
    payload = etree.SubElement(root, f"{{{SWID}}}Payload")
    for attributes in resources:
        etree.SubElement(payload, f"{{{SWID}}}Resource", attributes)
    return root


def manifest(
    product: str,
    version: str,
    active: Mapping[int, Iterable[bytes]],
    *,
    inactive: Iterable[int] = (),
    signer: Authority | None = None,
) -> bytes:
    """A manifest by `signer`, who is below the root of manifests unless told otherwise."""
    resources = [resource(index, values) for index, values in active.items()]
    resources += [resource(index, [bytes(48)], active=False) for index in inactive]
    return signed(unsigned_manifest(product, version, resources), signer or rim_signer())


def rim_signer(**changes: object) -> Authority:
    """Somebody who may sign manifests."""
    return RIM_ROOT.issue("Soft RIM signer", "P-384", **changes)


def signed(root: etree._Element, signer: Authority) -> bytes:
    """A document in which its signer envelopes a signature, in the form that NVIDIA's manifests have."""
    maker = XMLSigner(
        method=methods.enveloped,
        signature_algorithm=SignatureMethod.ECDSA_SHA384,
        digest_algorithm=DigestAlgorithm.SHA384,
        c14n_algorithm=CanonicalizationMethod.CANONICAL_XML_1_1,
    )
    made: bytes = etree.tostring(
        maker.sign(root, key=signer.key, cert=[signer.certificate, RIM_ROOT.certificate])
    )
    return made


def extension(oid: str, der: bytes) -> Extension:
    """An extension of any content."""
    return x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), der), False


def _field(number: int, raw: bytes) -> bytes:
    return number.to_bytes(2, "little") + len(raw).to_bytes(2, "little") + raw
