# SPDX-License-Identifier: Apache-2.0
"""Is an SNP report authentic: signed by a chip, or for a cloud, that AMD vouches for, at the TCB that it reports?"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from contracts.digests import digest
from contracts.ids import NodeId
from enclave.errors import NotAuthentic
from enclave.evidence import certificates
from enclave.evidence.enclosed import Enclosed
from enclave.evidence.endorsements import Endorsements
from enclave.evidence.facts import Claims, Facts
from enclave.evidence.findings import Finding, Reason, fault
from enclave.evidence.kinds import Kind
from enclave.evidence.snp.endorsement import EndorsementKey, candidates, chain
from enclave.evidence.snp.report import BY_HOST, SIZE, VERSIONS, GuestPolicy, SnpReport
from enclave.evidence.snp.table import opened
from enclave.evidence.snp.tcb import Product, Tcb
from enclave.evidence.technology import Technology, with_pieces
from enclave.evidence.trust import Trust

COVERS = ("measurement", "host_data", "vmpl")
_COMPONENTS = ("bootloader", "tee", "snp", "microcode")
FLOORS = (*(f"reported_tcb_decoded.{name}" for name in _COMPONENTS), "guest_svn")
_MOST_KEYS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Attested:
    """A report that a key signed for which AMD vouches; `identity` is empty where nothing names the chip."""

    report: SnpReport
    key: EndorsementKey
    product: Product
    path: certificates.Path = field(repr=False)

    @property
    def identity(self) -> bytes:
        """What names the chip: its certificate's hardware id, or the chip id that a cloud's key signed."""
        if self.key.hwid is not None:
            return self.key.hwid
        return self.report.chip_id[: self.product.hwid] if any(self.report.chip_id) else b""

    @property
    def reported(self) -> Tcb:
        """The TCB that the endorsement key was derived for."""
        return self.report.tcb("reported", self.product)

    @property
    def registers(self) -> dict[str, bytes]:
        """What measures code and configures it, and the privilege level that asked."""
        report = self.report
        return {
            "measurement": report.measurement,
            "host_data": report.host_data,
            "vmpl": bytes([report.vmpl]),
        }

    @property
    def inputs(self) -> dict[str, datetime]:
        """When the certificate and the oldest revocation list were made."""
        made = {"certificate": self.key.certificate.not_valid_before_utc}
        return made if self.path.oldest_crl is None else made | {"crl": self.path.oldest_crl}

    def claims(self) -> Claims:
        """The report's fields, the TCB by component, and the certificate's extensions."""
        return self.report.claims() | {
            "product": self.product.label,
            "reported_tcb_decoded": self.reported.claims(),
            "vcek_extensions": self.key.claims(),
        }


_UNSIGNED = Finding(
    reason=Reason.SIGNATURE,
    expected="a report signed by its endorsement key",
    found="another signature, or not a P-384 key",
)


def verify(body: bytes, index: int, *, node: NodeId | None, trust: Trust, at: datetime) -> Facts:
    """Check signature, chain, TCB and chip at a moment."""
    del node
    enclosed = Enclosed.parse(body)
    report = SnpReport.parse(enclosed.evidence)
    beside = Endorsements.sort(opened(enclosed.pieces))
    attested = attest(report, beside, trust, at)
    registers = attested.registers
    return Facts(
        kind=Kind.SNP,
        index=index,
        bound=report.report_data,
        identity=attested.identity,
        workload=digest("workload", Kind.SNP.label, [registers[name] for name in COVERS]),
        status=attested.path.status,
        root=attested.path.vendor,
        registers=registers,
        not_before=attested.path.not_before,
        not_after=attested.path.not_after,
        missed=tuple(missed(report)),
        trace=tuple(trace(attested)),
        claims=attested.claims(),
        inputs=attested.inputs,
        certificates=attested.path.keys,
    )


def attest(report: SnpReport, beside: Endorsements, trust: Trust, at: datetime) -> Attested:
    """Believe a report for its signature and the certificates beside it; raises `NotAuthentic` with all that fails."""
    if report.masked_key or report.signing_key == "none":
        hint = "the host set MASK_CHIP_KEY, so that reports are not signed"
        raise fault(Reason.SIGNATURE, "a report signed by VCEK or VLEK", "an unsigned one", hint)
    key, signed = _signer(report, candidates(beside.certificates))
    findings = [*([] if signed else [_UNSIGNED]), *_key_faults(report, key)]
    try:
        path = chain(key, beside, trust, at)
    except NotAuthentic as error:
        raise NotAuthentic([*findings, *error.findings]) from error
    if findings or key.product is None:
        raise NotAuthentic(findings)
    return Attested(report=report, key=key, product=key.product, path=path)


def _signer(report: SnpReport, keys: Sequence[EndorsementKey]) -> tuple[EndorsementKey, bool]:
    """The key that signed, or the first where none did, and whether it did."""
    if not 0 < len(keys) <= _MOST_KEYS:
        hint = (
            "AMD's key distribution service issues a VCEK for chip id and reported TCB, clouds hand out VLEKs"
        )
        raise fault(
            Reason.CERTIFICATE, f"the endorsement key, among at most {_MOST_KEYS}", f"{len(keys)}", hint
        )
    signer = next((key for key in keys if _signed(report, key)), None)
    return (keys[0], False) if signer is None else (signer, True)


def _signed(report: SnpReport, key: EndorsementKey) -> bool:
    public = key.certificate.public_key()
    if not isinstance(public, ec.EllipticCurvePublicKey) or public.curve.name != "secp384r1":
        return False
    try:
        public.verify(utils.encode_dss_signature(*report.signature), report.signed, ec.ECDSA(hashes.SHA384()))
    except InvalidSignature:
        return False
    return True


def _key_faults(report: SnpReport, key: EndorsementKey) -> Iterator[Finding]:
    """Whether the key is the one of this chip, at this TCB, that the report names."""
    if report.vmpl == BY_HOST:
        yield Finding(
            reason=Reason.BINDING, expected="a report that the guest asked for", found="the host did"
        )
    if key.kind != report.signing_key:
        yield Finding(reason=Reason.KEY, expected=f"a {report.signing_key}", found=f"a {key.kind}")
    platform = partial(Finding, reason=Reason.PLATFORM)
    product = key.product
    if product is None:
        yield platform(expected="a line of processors that is known", found=key.product_name)
        return
    if report.cpuid is not None and Product.of_cpuid(*report.cpuid[:2]) is not product:
        family, model, stepping = report.cpuid
        found = f"family {family:#x}, model {model:#x}, stepping {stepping}"
        yield platform(expected=f"a processor of the line {product.label}", found=found)
    for difference in key.covers(report.tcb("reported", product)):
        yield platform(expected="the TCB that the certificate is for", found=difference)
    if not _same_chip(report, key, product):
        yield platform(expected="the chip that the certificate is for", found="another")


def _same_chip(report: SnpReport, key: EndorsementKey, product: Product) -> bool:
    """Whether hardware id and chip id agree; a VLEK has no hardware id, and a host may mask the chip id with zeros."""
    if key.kind == "VLEK":
        return key.hwid is None
    if key.hwid is None or len(key.hwid) != product.hwid:
        return False
    return report.chip_id in (key.hwid.ljust(64, b"\0"), bytes(64))


def missed(report: SnpReport) -> Iterator[Finding]:
    """What no policy should accept of an authentic report."""
    if GuestPolicy.DEBUG in report.policy:
        hint = "launch the guest without bit 19 of its policy"
        yield Finding(
            reason=Reason.DEBUG, expected="no debugging", found="the guest policy allows it", hint=hint
        )
    if GuestPolicy.MIGRATE_MA in report.policy:
        hint = "launch the guest without bit 18 of its policy"
        found = "a migration agent may move the guest's memory elsewhere"
        yield Finding(reason=Reason.DEBUG, expected="no migration agent", found=found, hint=hint)


def trace(attested: Attested) -> Iterator[str]:
    """What is believed of a report and why, without naming the machine."""
    report, key, path = attested.report, attested.key, attested.path
    whose = "of one chip" if key.kind == "VCEK" else f"of the provider {key.provider}"
    yield f"sev-snp: report version {report.version}, signed by the {key.kind} {whose}, on {key.product_name}"
    yield f"sev-snp: the certificate is for the reported TCB in each component: {attested.reported}"
    lists = (
        "no revocation list came along"
        if path.oldest_crl is None
        else "not on the revocation lists that came"
    )
    yield f"sev-snp: {len(path.certificates)} certificates up to {path.vendor}; {lists}"
    if not any(report.chip_id):
        known = (
            "the certificate names the chip" if key.hwid is not None else "the platform's identity is unknown"
        )
        yield f"sev-snp: the host masks the chip id; {known}"
    elif key.kind == "VLEK":
        yield "sev-snp: the report names the chip, and the provider's key vouches for that"
    if report.vmpl:
        yield f"sev-snp: asked for at VMPL {report.vmpl}: software above it is measured, and what asked may not be"
    if report.tcb("current", attested.product) != report.tcb("committed", attested.product):
        yield "sev-snp: the firmware that runs is not committed, so that the host can go back to an older one"


def show(body: bytes) -> Claims:
    """What the report says, and the endorsement key's certificate where one came, believed by nobody."""
    enclosed = Enclosed.parse(body)
    report = SnpReport.parse(enclosed.evidence)
    keys = candidates(Endorsements.sort(opened(enclosed.pieces)).certificates)
    line = Product.of_cpuid(*report.cpuid[:2]) if report.cpuid is not None else None
    if line is None and keys:
        line = keys[0].product
    shown = report.claims()
    if line is not None:
        shown |= {"product": line.label, "reported_tcb_decoded": report.tcb("reported", line).claims()}
    return shown | ({"vcek_extensions": keys[0].claims()} if keys else {})


def recognise(raw: bytes) -> bool:
    """Whether these bytes have the size, a version and the signature algorithm of a report."""
    version, algorithm = raw[:4], raw[0x34:0x38]
    known = [one.to_bytes(4, "little") for one in VERSIONS]
    return len(raw) == SIZE and version in known and algorithm == b"\1\0\0\0"


def endorse(body: bytes, pieces: Sequence[bytes]) -> bytes:
    """The body with further certificates beside it; a host's table of certificates is opened."""
    return with_pieces(body, opened(pieces))


TECHNOLOGY = Technology(
    kind=Kind.SNP,
    recognise=recognise,
    show=show,
    verify=verify,
    endorse=endorse,
    covers=COVERS,
    inputs=("certificate", "crl"),
    floors=FLOORS,
)
