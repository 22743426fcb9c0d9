# SPDX-License-Identifier: Apache-2.0
"""A processor of our own line of roots: signs SNP reports of any content, with a VCEK or VLEK of any certificate.

`Processor()` is good; every field is there to be made wrong. `body()` is what bundles carry.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from enclave.evidence.enclosed import Enclosed
from enclave.evidence.snp.tcb import Product
from enclave.evidence.trust import Trust
from tests.fakes.authorities import PSS, Authority, kept_key

SHA384 = hashes.SHA384()
CHIP = bytes(range(64))
POLICY = 0x30000
CPUID = {Product.MILAN: (25, 1, 1), Product.GENOA: (25, 17, 1), Product.TURIN: (26, 2, 1)}
REPORTED = bytes([3, 1, 0, 0, 0, 0, 8, 115])
_ARC = "1.3.6.1.4.1.3704.1."


def extension(arc: str, value: bytes) -> tuple[x509.ExtensionType, bool]:
    """One of AMD's extensions."""
    return x509.UnrecognizedExtension(x509.ObjectIdentifier(_ARC + arc), value), False


def number(value: int) -> bytes:
    """A DER INTEGER of one byte."""
    return bytes([2, 1, value]) if value < 128 else bytes([2, 2, 0, value])


@lru_cache(maxsize=16)
def line(name: str) -> tuple[Authority, Authority, Authority]:
    """Root, issuer for chips and issuer for clouds of a line such as `Milan`."""
    signing = {"pss": PSS, "hashed": SHA384}
    root = Authority.root(f"ARK-{name}", "RSA-2048", key=kept_key("RSA-2048", 11), **signing)
    issuers = (
        root.issue(issuer, "RSA-2048", key=kept_key("RSA-2048", at), authority=True, **signing)
        for at, issuer in ((12, f"SEV-{name}"), (13, f"SEV-VLEK-{name}"))
    )
    return (root, *issuers)  # type: ignore[return-value]


@dataclass(frozen=True, kw_only=True)
class Processor:
    """What the report and its endorsement key say; `fields` overwrites bytes of the report before it is signed."""

    product: Product = Product.MILAN
    version: int = 3
    vlek: bool = False
    policy: int = POLICY
    vmpl: int = 0
    flags: int | None = None
    report_data: bytes = bytes(64)
    measurement: bytes = b"\x5a" * 48
    host_data: bytes = bytes(32)
    chip: bytes = CHIP
    chip_id: bytes | None = None
    reported: bytes = REPORTED
    certified: bytes | None = None
    fields: tuple[tuple[int, bytes], ...] = ()
    without: tuple[str, ...] = ()
    extra: tuple[tuple[str, bytes], ...] = ()
    named: str | None = None
    signing: dict[str, object] = field(default_factory=lambda: {"pss": PSS, "hashed": SHA384})
    kind: str = "P-384"
    issuer: Authority | None = None

    @property
    def trust(self) -> Trust:
        """Trust in the line's root."""
        return line(self.product.label)[0].trust

    @property
    def hwid(self) -> bytes:
        """The chip's name in the VCEK."""
        return self.chip[: self.product.hwid]

    @property
    def endorsement(self) -> Authority:
        """The VCEK or VLEK."""
        values = {"1": number(0), "2": b"\x16" + bytes([len(self._name)]) + self._name.encode()}
        tcb = self.reported if self.certified is None else self.certified
        values |= {f"3.{arc}": number(at) for (_, arc), at in zip(self.product.layout, tcb, strict=True)}
        values |= {"5": b"\x16\x08CN=cloud"} if self.vlek else {"4": self.hwid}
        values |= dict(self.extra)
        kept = tuple(extension(arc, value) for arc, value in values.items() if arc not in self.without)
        issuer = self.issuer or line(self.product.label)[2 if self.vlek else 1]
        options = {"extensions": kept, "basic": False, "key_usage": None, **self.signing}
        common = "SEV-VLEK" if self.vlek else "SEV-VCEK"
        return issuer.issue(common, key=kept_key(self.kind, 14), **options)

    @property
    def _name(self) -> str:
        return self.product.label if self.named is None else self.named

    def unsigned(self) -> bytes:
        """The report's first 672 bytes."""
        raw = bytearray(0x2A0)
        chip = self.hwid.ljust(64, b"\0") if self.chip_id is None else self.chip_id
        flags = (int(self.vlek) << 2) if self.flags is None else self.flags
        tcbs = [(at, self.reported) for at in (0x38, 0x180, 0x1E0, 0x1F0)]
        cpuid = bytes(CPUID[self.product]) if self.version >= 3 else b""
        small = ((0, self.version), (0x30, self.vmpl), (0x34, 1), (0x48, flags))
        parts = [(at, value.to_bytes(4, "little")) for at, value in small]
        parts += [(8, self.policy.to_bytes(8, "little")), (0x50, self.report_data), (0x90, self.measurement)]
        parts += [(0xC0, self.host_data), (0x188, cpuid), (0x1A0, chip), *tcbs, *self.fields]
        for at, part in parts:
            raw[at : at + len(part)] = part
        return bytes(raw)

    def report(self) -> bytes:
        """The signed report."""
        signed, key = self.unsigned(), kept_key(self.kind, 14)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        halves = utils.decode_dss_signature(key.sign(signed, ec.ECDSA(SHA384)))
        return (signed + b"".join(half.to_bytes(72, "little") for half in halves)).ljust(1184, b"\0")

    def pieces(self) -> tuple[bytes, ...]:
        """Endorsement key, its issuer, and the root."""
        root, chips, clouds = line(self.product.label)
        issuer = self.issuer or (clouds if self.vlek else chips)
        return self.endorsement.der, issuer.pem, root.pem

    def body(self, *more: bytes) -> bytes:
        """Report and endorsements as bundles carry them."""
        return Enclosed(evidence=self.report(), pieces=(*self.pieces(), *more)).encode()

    def but(self, **changes: object) -> "Processor":
        """The same processor with something else about it."""
        return replace(self, **changes)  # type: ignore[arg-type]  # tests name the fields


def table(blobs: Sequence[tuple[bytes, bytes]]) -> bytes:
    """A host's certificate table of GUIDs and blobs."""
    start, entries, content = 24 * (len(blobs) + 1), b"", b""
    for guid, blob in blobs:
        place = start + len(content)
        entries += guid + place.to_bytes(4, "little") + len(blob).to_bytes(4, "little")
        content += blob
    return entries + bytes(24) + content
