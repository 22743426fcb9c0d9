# SPDX-License-Identifier: Apache-2.0
"""Which NVIDIA device signed: its certificates up to NVIDIA, and what they say of chip and firmware (SPEC.md, section 3).

The boot ROM's certificate is the device's own and stays; the key that signs reports belongs to the firmware that booted.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

from enclave.errors import NotAuthentic
from enclave.evidence import certificates
from enclave.evidence.dice import TcbInfo, tcb_infos
from enclave.evidence.endorsements import Endorsements
from enclave.evidence.facts import Claims
from enclave.evidence.findings import Finding, Reason, fault
from enclave.evidence.kinds import Kind
from enclave.evidence.nvidia.report import Report
from enclave.evidence.roots import NVIDIA_DEVICE_ROOTS
from enclave.evidence.trust import Trust

_MOST_KEYS = 8
_SHA384 = "2.16.840.1.101.3.4.2.2"
_LEAF = re.compile(r"((G[A-Z]|LS_?)[0-9]{2,3})( [A-Z][0-9]{2} [A-Z]{2,4}) FMC LF")
_UNSIGNED = Finding(
    reason=Reason.SIGNATURE,
    expected="a report signed by the device's leaf certificate",
    found="another signature, or not a P-384 key",
    hint="the report was changed, or the certificates are another device's",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A device that NVIDIA vouches for, and whose firmware signed a report; `path` has its leaf first."""

    path: certificates.Path = field(repr=False)
    kind: Kind
    chip: str
    tcb: TcbInfo | None

    @property
    def rom(self) -> x509.Certificate:
        """The certificate of the boot ROM: of those so named, the one nearest to the root."""
        named = [c for c in self.path.certificates[:0:-1] if _common_name(c).endswith(" BROM")]
        return (*named, self.path.certificates[1])[0]

    @property
    def identity(self) -> bytes:
        """SHA-256 of the boot ROM's key, which firmware updates do not change."""
        return certificates.key_digest(self.rom)

    @property
    def fwid(self) -> bytes | None:
        """The digest of the firmware that the leaf's key belongs to, which the boot ROM vouches for."""
        return self.tcb.fwids[0][1] if self.tcb is not None and self.tcb.fwids else None

    def claims(self) -> Claims:
        """What the certificates say."""
        return chain_claims(self.path.certificates) | {"hwmodel": _common_name(self.rom)}


def attest(report: Report, beside: Endorsements, trust: Trust, at: datetime) -> Device:
    """Believe a report for its signature and the certificates beside it; raises `NotAuthentic` with all that fails."""
    leaf, signed = _signer(report, leaves(beside.certificates))
    findings = [*([] if signed else [_UNSIGNED]), *_leaf_faults(leaf)]
    try:
        path = certificates.path(
            leaf, beside.certificates, roots=NVIDIA_DEVICE_ROOTS, trust=trust, at=at, crls=beside.crls
        )
    except NotAuthentic as error:
        raise NotAuthentic([*findings, *error.findings]) from error
    if len(path.certificates) < 2:
        hint = "trust a root above it: nobody vouches for what this certificate says"
        raise fault(Reason.ROOT, "a certificate that another key issued", "one that is trusted itself", hint)
    infos = tcb_infos(leaf)
    tcb = infos[0] if len(infos) == 1 else None
    found = _LEAF.fullmatch(_common_name(leaf))
    findings += [*_firmware_faults(report, tcb, path.certificates[1]), *_model_faults(report, leaf, path)]
    if findings or found is None:
        raise NotAuthentic(findings)
    return Device(path=path, kind=_kind(found[2]), chip=found[1].replace("_", ""), tcb=tcb)


def leaves(others: Sequence[x509.Certificate]) -> list[x509.Certificate]:
    """Certificates that may be a device's leaf: they issued none of the others."""
    issuers = {certificate.issuer for certificate in others}
    return list(dict.fromkeys(certificate for certificate in others if certificate.subject not in issuers))


def chain_claims(path: Sequence[x509.Certificate]) -> Claims:
    """What certificates say of their device, leaf first."""
    leaf, infos = path[0], tcb_infos(path[0])
    return {
        "leaf_subject": leaf.subject.rfc4514_string(),
        "leaf_issuer": leaf.issuer.rfc4514_string(),
        "leaf_sha256": leaf.fingerprint(hashes.SHA256()),
        "ueid": str(leaf.serial_number),
        "dice": [info.claims() for info in infos],
    }


def tcb_faults(tcb: TcbInfo | None) -> Iterator[Finding]:
    """Firmware in a state in which it keeps no secrets, by the flags of its certificate."""
    names = set() if tcb is None else set(tcb.flag_names)
    if "debug" in names:
        yield Finding(reason=Reason.DEBUG, expected="no debug", found="firmware in debug mode")
    for flag in sorted(names & {"notSecure", "recovery"}):
        yield Finding(reason=Reason.TCB, expected="firmware in a secure state", found=flag)


def _signer(report: Report, found: Sequence[x509.Certificate]) -> tuple[x509.Certificate, bool]:
    """The leaf whose key signed, or the first where none did, and whether it did."""
    if not 0 < len(found) <= _MOST_KEYS:
        hint = "the device hands out its chain beside the report; add it with --with"
        expected = f"the device's leaf certificate, among at most {_MOST_KEYS}"
        raise fault(Reason.CERTIFICATE, expected, f"{len(found)}", hint)
    signer = next((leaf for leaf in found if report.signed_by(leaf.public_key())), None)
    return (found[0], False) if signer is None else (signer, True)


def _leaf_faults(leaf: x509.Certificate) -> Iterator[Finding]:
    extensions = {extension.oid: extension.value for extension in leaf.extensions}
    usage, basic = extensions.get(x509.KeyUsage.oid), extensions.get(x509.BasicConstraints.oid)
    if not isinstance(usage, x509.KeyUsage) or not usage.digital_signature:
        expected = "a leaf with a key for digital signatures"
        yield Finding(reason=Reason.CERTIFICATE, expected=expected, found="one without that usage")
    if isinstance(basic, x509.BasicConstraints) and basic.ca:
        yield Finding(reason=Reason.CERTIFICATE, expected="a leaf", found="an authority")


def _firmware_faults(report: Report, tcb: TcbInfo | None, issuer: x509.Certificate) -> Iterator[Finding]:
    """Whether the firmware that the report names is the one that the leaf's key belongs to, on this device."""
    wrong = Finding(
        reason=Reason.PLATFORM,
        expected="the firmware (FWID) that the leaf certificate is for",
        found="another",
        hint="report and certificates are of different boots",
    )
    if report.opaque.fwid is not None:
        known = tcb.fwids[:1] if tcb is not None else ()
        if known != ((_SHA384, report.opaque.fwid),):
            yield wrong
    if tcb is not None and tcb.device_key is not None and tcb.device_key != certificates.spki(issuer):
        yield Finding(
            reason=Reason.PLATFORM,
            expected="a leaf for the device that issued it",
            found="a leaf that names another device's key",
        )


def _model_faults(report: Report, leaf: x509.Certificate, path: certificates.Path) -> Iterator[Finding]:
    found = _LEAF.fullmatch(_common_name(leaf))
    if found is None:
        expected = "the firmware certificate of a GPU or switch"
        yield Finding(reason=Reason.PLATFORM, expected=expected, found="a certificate of something else")
        return
    kind = kind_of(report)
    if kind is not _kind(found[2]):
        expected = f"a certificate of a device that is {kind.label if kind else 'known'}"
        yield Finding(reason=Reason.PLATFORM, expected=expected, found=_kind(found[2]).label)
    if _common_name(path.certificates[1]) != f"{found[1]}{found[3]} BROM":
        expected = "a leaf issued by the boot ROM of the same model"
        yield Finding(reason=Reason.PLATFORM, expected=expected, found="another issuer")


def kind_of(report: Report) -> Kind | None:
    """What the report's fields make it: a GPU, a switch, or nothing known."""
    if report.opaque.gpu:
        return Kind.NVIDIA_GPU
    return Kind.NVIDIA_SWITCH if report.opaque.switch else None


def _kind(prefix: str) -> Kind:
    return Kind.NVIDIA_GPU if prefix.startswith("G") else Kind.NVIDIA_SWITCH


def _common_name(certificate: x509.Certificate) -> str:
    found = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if len(found) == 1 else ""
