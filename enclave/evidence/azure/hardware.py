# SPDX-License-Identifier: Apache-2.0
"""The hardware's word inside a paravisor's report: an SNP report, or a trust domain's quote beside its TD report."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from enclave.evidence.azure.evidence import AzureEvidence
from enclave.evidence.azure.hcl import Hardware
from enclave.evidence.endorsements import Endorsements
from enclave.evidence.facts import Claims, RootStatus
from enclave.evidence.findings import Finding, Reason, fault
from enclave.evidence.snp import verify as snp
from enclave.evidence.snp.report import SnpReport
from enclave.evidence.tdx import verify as tdx
from enclave.evidence.technology import alone
from enclave.evidence.trust import Trust

_COMMON = slice(512, 912)
_SAME = (
    *("td_attributes", "xfam", "mr_td", "mr_config_id", "mr_owner", "mr_owner_config"),
    *("rtmr0", "rtmr1", "rtmr2", "rtmr3"),
)
_CONFIGURING = _SAME[3:]
_TD_REPORT_DATA = slice(128, 192)


@dataclass(frozen=True, slots=True, kw_only=True)
class Isolated:
    """What the hardware's vendor vouches for; `launch` measures the paravisor with its firmware, `bound` is report data.

    `configuration` is what the host gave at launch, and on TDX the registers that may be extended since.
    """

    launch: bytes
    configuration: bytes
    bound: bytes
    identity: bytes = field(repr=False)
    status: RootStatus
    root: str
    not_before: datetime
    not_after: datetime
    inputs: Mapping[str, datetime]
    certificates: tuple[bytes, ...] = field(repr=False)
    missed: tuple[Finding, ...]
    trace: tuple[str, ...]
    claims: Claims = field(repr=False)


def isolated(evidence: AzureEvidence, beside: Endorsements, *, trust: Trust, at: datetime) -> Isolated:
    """Believe the hardware's report for its vendor's signature; raises `NotAuthentic` and `MalformedEvidence`."""
    verify = _by_amd if evidence.hcl.hardware is Hardware.SNP else _by_intel
    return verify(evidence, beside, trust, at)


def _by_amd(evidence: AzureEvidence, beside: Endorsements, trust: Trust, at: datetime) -> Isolated:
    report = SnpReport.parse(evidence.hcl.report)
    attested = snp.attest(report, beside, trust, at)
    if report.vmpl != 0:
        raise fault(Reason.BINDING, "a report that the paravisor asked for, at VMPL 0", f"VMPL {report.vmpl}")
    return Isolated(
        launch=report.measurement,
        configuration=report.host_data,
        bound=report.report_data,
        identity=attested.identity,
        status=attested.path.status,
        root=attested.path.vendor,
        not_before=attested.path.not_before,
        not_after=attested.path.not_after,
        inputs=attested.inputs,
        certificates=attested.path.keys,
        missed=tuple(snp.missed(report)),
        trace=tuple(snp.trace(attested)),
        claims={"snp": attested.claims()},
    )


def _by_intel(evidence: AzureEvidence, beside: Endorsements, trust: Trust, at: datetime) -> Isolated:
    logless = replace(beside, event_logs=())  # those that came are of the vTPM's registers
    found = tdx.verify_quote(evidence.td_quote, logless, trust=trust, at=at)
    values, report = found.report.values, evidence.hcl.report
    quoted = b"".join(values[name] for name in _SAME)
    if report[_COMMON] != quoted or report[_TD_REPORT_DATA] != found.report.report_data:
        raise fault(Reason.BINDING, "a quote of the TD report beside it", "one of another report")
    return Isolated(
        launch=values["mr_td"],
        configuration=b"".join(values[name] for name in _CONFIGURING),
        bound=found.report.report_data,
        identity=found.identity,
        status=found.status,
        root=found.platform.root,
        not_before=found.not_before,
        not_after=found.not_after,
        inputs=found.inputs,
        certificates=found.platform.certificates,
        missed=found.missed,
        trace=found.trace,
        claims={"tdx": found.claims},
    )


def shown(evidence: AzureEvidence) -> Claims:
    """What the hardware's report says, believed by nobody."""
    if evidence.hcl.hardware is Hardware.SNP:
        return {"snp": snp.show(alone(evidence.hcl.report))}
    return {"tdx": tdx.show(alone(evidence.td_quote))}
