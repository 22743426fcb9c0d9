# SPDX-License-Identifier: Apache-2.0
"""Intel as a fake: certificates, collateral and quotes of any version under a root of our own.

`FakeIntel.tdx()` and `FakeIntel.sgx()` are good; change one thing and ask for `.facts()`. Everything is in force
for a month around NOON.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from enclave.evidence.enclosed import Enclosed
from enclave.evidence.facts import Facts
from enclave.evidence.intel.quote import INTEL
from enclave.evidence.kinds import Kind
from enclave.evidence.tdx.report import LAYOUT
from enclave.evidence.trust import Trust
from enclave.evidence.vouching import verify_device
from tests.fakes.authorities import Authority, Key
from tests.fakes.evidence import NOON

PPID = bytes(range(1, 17))
FMSPC = bytes.fromhex("50806f000000")
SVNS = (7, 7, 2, 2, 3, 1, 0, 3, *([0] * 8))
_OID = bytes.fromhex("2a864886f84d010d01")
_QE_SIGNER, _QE_ATTRIBUTES = b"Q" * 32, bytes.fromhex("1500000000000000e700000000000000")
NUMBER = (x509.CRLNumber(1), False)
Json = dict[str, object]


def _der(tag: int, content: bytes) -> bytes:
    size = len(content)
    return bytes([tag]) + (bytes([size]) if size < 128 else b"\x82" + size.to_bytes(2, "big")) + content


def _entry(path: tuple[int, ...], value: bytes) -> bytes:
    return _der(0x30, _der(6, _OID + bytes(path)) + value)


def _integer(number: int) -> bytes:
    return _der(2, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def sgx_extension(
    *, ppid: bytes = PPID, svns: tuple[int, ...] = SVNS, pce_svn: int = 11, fmspc: bytes = FMSPC
) -> bytes:
    """The SGX extension of a platform's PCK certificate, in DER."""
    tcb = b"".join(_entry((2, n), _integer(svn)) for n, svn in enumerate(svns, 1))
    tcb += _entry((2, 17), _integer(pce_svn)) + _entry((2, 18), _der(4, bytes(svns)))
    flags = b"".join(_entry((7, n), _der(1, b"\xff")) for n in (1, 2, 3))
    parts = (
        _entry((1,), _der(4, ppid)),
        _entry((2,), _der(0x30, tcb)),
        _entry((3,), _der(4, bytes(2))),
        _entry((4,), _der(4, fmspc)),
        _entry((5,), _der(10, b"\1")),
        _entry((6,), _der(4, b"I" * 16)),
        _entry((7,), _der(0x30, flags)),
    )
    return _der(0x30, b"".join(parts))


def signed(key: Key, message: bytes) -> bytes:
    """An ECDSA P-256 signature as Intel writes it: r and s, 32 bytes each."""
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    r, s = utils.decode_dss_signature(key.sign(message, ec.ECDSA(SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def _components(svns: tuple[int, ...]) -> list[Json]:
    return [{"svn": svn} for svn in svns]


def level(status: str, *, sgx: tuple[int, ...] = SVNS, pce: int = 11, tdx: int | None = None) -> Json:
    """A level of TCB info; `tdx` is the third component of those of TDX."""
    tcb: Json = {"sgxtcbcomponents": _components(sgx), "pcesvn": pce}
    if tdx is not None:
        tcb["tdxtcbcomponents"] = _components((5, 0, tdx, *([0] * 13)))
    return {"tcb": tcb, "tcbDate": "2025-05-14T00:00:00Z", "tcbStatus": status}


def svn_level(svn: int, status: str, *advisories: str) -> Json:
    """A level of a TDX module or the quoting enclave."""
    found: Json = {"tcb": {"isvsvn": svn}, "tcbDate": "2025-05-14T00:00:00Z", "tcbStatus": status}
    return {**found, "advisoryIDs": list(advisories)} if advisories else found


def enclave_report(
    report_data: bytes,
    *,
    attributes: bytes = _QE_ATTRIBUTES,
    signer: bytes = _QE_SIGNER,
    product: int = 1,
    svn: int = 8,
) -> bytearray:
    """An SGX report; good as a quoting enclave's."""
    raw = bytearray(384)
    raw[:16], raw[48:64], raw[64:96], raw[128:160] = bytes(SVNS), attributes, b"E" * 32, signer
    raw[256:260] = product.to_bytes(2, "little") + svn.to_bytes(2, "little")
    raw[320:384] = report_data.ljust(64, b"\0")
    return raw


@dataclass(kw_only=True)
class FakeIntel:
    """A vendor, one of its platforms and what runs there; every part may be replaced before asking for facts."""

    version: int
    root: Authority
    platform_ca: Authority
    pck: Authority
    signer: Authority
    tcb_info: Json
    qe_identity: Json
    body: bytearray
    qe: bytearray
    at: datetime = NOON
    attestation: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    auth_data: bytes = bytes(range(32))
    revoked: tuple[Authority, ...] = ()
    crls: dict[str, object] = field(default_factory=dict)
    edit: Callable[[Json], None] = lambda fields: None
    trust: Trust | None = None
    padding: bytes = b""
    tee: int | None = None
    pieces: tuple[bytes, ...] = ()

    @classmethod
    def tdx(cls, version: int = 4, **changes: object) -> "FakeIntel":
        """A trust domain."""
        sizes = dict(LAYOUT)
        body = bytearray(sum(sizes.values()) - (64 if version == 4 else 0))
        fake = cls._made(version, body, "TDX", "TD_QE", 2, changes)
        fake.put("tee_tcb_svn", bytes([5, 1, 7]) + bytes(13))
        if version == 5:
            fake.put("tee_tcb_svn2", bytes([5, 1, 7]) + bytes(13))
        fake.put("td_attributes", (1 << 28).to_bytes(8, "little"))
        for name in ("mr_td", "rtmr0", "rtmr1", "rtmr2", "rtmr3"):
            fake.put(name, hashlib.sha384(name.encode()).digest())
        fake.put("report_data", b"R" * 32 + bytes(32))
        return fake

    @classmethod
    def sgx(cls, **changes: object) -> "FakeIntel":
        """An enclave."""
        body = enclave_report(b"R" * 32, attributes=b"\5" + bytes(15), signer=b"S" * 32, product=3, svn=4)
        return cls._made(3, body, "SGX", "QE", 1, changes)

    @classmethod
    def _made(
        cls, version: int, body: bytearray, tee: str, qe: str, product: int, changes: dict[str, object]
    ) -> "FakeIntel":
        root = Authority.root("Intel SGX Root CA")
        ca = root.issue("Intel SGX PCK Platform CA", authority=True, path_length=0)
        extension = x509.UnrecognizedExtension(
            x509.ObjectIdentifier("1.2.840.113741.1.13.1"), sgx_extension()
        )
        return cls(
            version=version,
            root=root,
            platform_ca=ca,
            pck=ca.issue("Intel SGX PCK Certificate", extensions=((extension, False),)),
            signer=root.issue("Intel SGX TCB Signing"),
            tcb_info=_tcb_info(tee),
            qe_identity=_qe_identity(qe, product),
            body=body,
            qe=enclave_report(b"", product=product),
            **changes,  # type: ignore[arg-type]  # tests name the fields
        )

    @property
    def is_tdx(self) -> bool:
        return self.version > 3 if self.tee is None else self.tee != 0

    def put(self, name: str, value: bytes) -> None:
        """Set a field of the trust domain's report."""
        at = 0
        for field_name, size in LAYOUT:
            if field_name == name:
                self.body[at : at + size] = value
                return
            at += size
        raise KeyError(name)

    def platform(self, **changes: object) -> None:
        """Certify another platform, as `sgx_extension` describes it."""
        value = sgx_extension(**changes)  # type: ignore[arg-type]
        extension = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.840.113741.1.13.1"), value)
        self.pck = self.platform_ca.issue("Intel SGX PCK Certificate", extensions=((extension, False),))

    def quote(self) -> bytes:
        """The quote, signed."""
        tee = 0x81 if self.is_tdx else 0
        head = self.version.to_bytes(2, "little") + b"\2\0" + tee.to_bytes(4, "little") + bytes(4) + INTEL
        head += bytes(20)
        if self.version == 5:
            head += (2 if len(self.body) == 584 else 3).to_bytes(2, "little") + len(self.body).to_bytes(
                4, "little"
            )
        whole = head + bytes(self.body)
        inner = self._certification()
        if self.version > 3:
            inner = b"\6\0" + len(inner).to_bytes(4, "little") + inner
        section = signed(self.attestation, whole) + self._point() + inner
        return whole + len(section).to_bytes(4, "little") + section + self.padding

    def _point(self) -> bytes:
        return self.attestation.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:]

    def _certification(self) -> bytes:
        if not any(self.qe[320:384]):
            self.qe[320:352] = hashlib.sha256(self._point() + self.auth_data).digest()
        chain = self.pck.pem + self.platform_ca.pem + self.root.pem
        return (
            bytes(self.qe)
            + signed(self.pck.key, bytes(self.qe))
            + len(self.auth_data).to_bytes(2, "little")
            + self.auth_data
            + b"\5\0"
            + len(chain).to_bytes(4, "little")
            + chain
        )

    def collateral(self) -> bytes:
        """The nine fields, after `edit`."""
        root_crl = self.root.crl(*self.revoked, extensions=[NUMBER], **self.crls)  # type: ignore[arg-type]
        pck_crl = self.platform_ca.crl(*self.revoked, extensions=[NUMBER])
        tcb_info, qe_identity = json.dumps(self.tcb_info), json.dumps(self.qe_identity)
        signers = (self.signer.pem + self.root.pem).decode()
        fields: Json = {
            "pck_crl_issuer_chain": (self.platform_ca.pem + self.root.pem).decode(),
            "root_ca_crl": root_crl.public_bytes(Encoding.DER).hex(),
            "pck_crl": pck_crl.public_bytes(Encoding.DER).hex(),
            "tcb_info_issuer_chain": signers,
            "tcb_info": tcb_info,
            "tcb_info_signature": signed(self.signer.key, tcb_info.encode()).hex(),
            "qe_identity_issuer_chain": signers,
            "qe_identity": qe_identity,
            "qe_identity_signature": signed(self.signer.key, qe_identity.encode()).hex(),
        }
        self.edit(fields)
        return json.dumps(fields).encode()

    def facts(self) -> Facts:
        """What our verifier finds, trusting the fake's root unless told otherwise."""
        body = Enclosed(evidence=self.quote(), pieces=(self.collateral(), *self.pieces)).encode()
        kind = Kind.TDX if self.is_tdx else Kind.SGX
        return verify_device(kind, body, 0, node=None, trust=self.trust or self.root.trust, at=self.at)


def _window() -> Json:
    issued, until = NOON - timedelta(days=2), NOON + timedelta(days=20)
    return {"issueDate": f"{issued:%Y-%m-%dT%H:%M:%SZ}", "nextUpdate": f"{until:%Y-%m-%dT%H:%M:%SZ}"}


def _tcb_info(tee: str) -> Json:
    info: Json = {"id": tee, "version": 3, **_window(), "fmspc": FMSPC.hex(), "pceId": "0000", "tcbType": 0}
    tdx = 7 if tee == "TDX" else None
    info |= {"tcbEvaluationDataNumber": 19, "tcbLevels": [level("UpToDate", tdx=tdx)]}
    if tee == "TDX":
        module = {"mrsigner": "00" * 48, "attributes": "00" * 8, "attributesMask": "FF" * 8}
        identity = {"id": "TDX_01", **module, "tcbLevels": [svn_level(5, "UpToDate")]}
        info |= {"tdxModule": module, "tdxModuleIdentities": [identity]}
    return info


def _qe_identity(name: str, product: int) -> Json:
    return {
        "id": name,
        "version": 2,
        **_window(),
        "tcbEvaluationDataNumber": 19,
        "miscselect": "00000000",
        "miscselectMask": "FFFFFFFF",
        "attributes": "11" + "00" * 15,
        "attributesMask": "FBFFFFFFFFFFFFFF0000000000000000",
        "mrsigner": _QE_SIGNER.hex(),
        "isvprodid": product,
        "tcbLevels": [svn_level(8, "UpToDate")],
    }
