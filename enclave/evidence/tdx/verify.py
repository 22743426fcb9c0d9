# SPDX-License-Identifier: Apache-2.0
"""Is the quote of a trust domain authentic, and what does it say (SPEC.md)?"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from contracts.digests import digest
from contracts.ids import NodeId
from enclave.errors import MalformedEvidence
from enclave.evidence.enclosed import Enclosed
from enclave.evidence.endorsements import Endorsements
from enclave.evidence.facts import Claims, Facts, RootStatus
from enclave.evidence.findings import Finding, Reason
from enclave.evidence.intel.ccel import CcLog
from enclave.evidence.intel.quote import Quote, recognised
from enclave.evidence.intel.showing import shown
from enclave.evidence.intel.verify import FLOORS, INPUTS, Platform, Reported, verify_platform
from enclave.evidence.kinds import Kind
from enclave.evidence.tdx.report import COVERED, TdReport
from enclave.evidence.technology import Technology
from enclave.evidence.trust import Trust

_TEE = frozenset({0x81})


@dataclass(frozen=True, slots=True, kw_only=True)
class TdxVerified:
    """An authentic quote of a trust domain, for a technology that puts it inside its own evidence."""

    report: TdReport
    platform: Platform
    claims: Claims = field(repr=False)
    missed: tuple[Finding, ...]
    trace: tuple[str, ...]

    @property
    def identity(self) -> bytes:
        """The platform's PPID, or the digest of its PCK."""
        return self.platform.identity

    @property
    def inputs(self) -> Mapping[str, datetime]:
        """When collateral, lists and certificate were made, by the names in `INPUTS`."""
        return self.platform.inputs

    @property
    def status(self) -> RootStatus:
        """What its certificates end at."""
        return self.platform.status

    @property
    def not_before(self) -> datetime:
        """From when all that it rests on is in force."""
        return self.platform.not_before

    @property
    def not_after(self) -> datetime:
        """Until when all that it rests on is in force."""
        return self.platform.not_after


def verify_quote(raw: bytes, endorsements: Endorsements, *, trust: Trust, at: datetime) -> TdxVerified:
    """Check a quote with the collateral, and the event logs, among its endorsements, at a moment.

    Raises `MalformedEvidence` and `NotAuthentic`; what is authentic and must not be accepted is in `missed`.
    """
    quote, report = _parse(raw)
    reported = Reported(
        claims=report.claims(),
        missed=tuple(report.missed()),
        module=report.module,
        now_svn=report.values.get("tee_tcb_svn2"),
    )
    platform = verify_platform(quote, reported, endorsements, trust=trust, at=at)
    logs = [CcLog.parse(log) for log in endorsements.event_logs]
    replayed = ("tdx: the event log replays to the RTMRs",) if logs else ()
    unreplayed = tuple(finding for log in logs for finding in _unreplayed(log, report))
    return TdxVerified(
        report=report,
        platform=platform,
        claims={**quote.claims(), **report.claims(), **platform.claims()},
        missed=(*platform.missed, *unreplayed),
        trace=(*platform.trace, *(() if unreplayed else replayed)),
    )


def verify(body: bytes, index: int, *, node: NodeId | None, trust: Trust, at: datetime) -> Facts:
    """Check a quote and the collateral that came with it, at a moment."""
    del node
    enclosed = Enclosed.parse(body)
    found = verify_quote(enclosed.evidence, enclosed.endorsements, trust=trust, at=at)
    registers = found.report.registers()
    return Facts(
        kind=Kind.TDX,
        index=index,
        bound=found.report.report_data,
        identity=found.identity,
        workload=digest("workload", Kind.TDX.label, [registers[name] for name in COVERED]),
        status=found.status,
        root=found.platform.root,
        registers=registers,
        not_before=found.not_before,
        not_after=found.not_after,
        missed=found.missed,
        trace=found.trace,
        claims=found.claims,
        inputs=found.inputs,
        certificates=found.platform.certificates,
    )


def _parse(raw: bytes) -> tuple[Quote, TdReport]:
    quote = Quote.parse(raw)
    if not quote.tdx:
        raise MalformedEvidence("a quote of an enclave, not of a trust domain", where="quote")
    return quote, TdReport.parse(quote.body)


def _unreplayed(log: CcLog, report: TdReport) -> Iterator[Finding]:
    for number, (replayed, quoted) in enumerate(zip(log.replay(), report.rtmrs, strict=True)):
        if replayed != quoted:
            expected, found = f"RTMR{number} {quoted.hex()}", f"event log gives {replayed.hex()}"
            yield Finding(reason=Reason.LOG, expected=expected, found=found)


def show(body: bytes) -> Claims:
    """What the evidence says, believed by nobody."""
    quote, report = _parse(Enclosed.parse(body).evidence)
    return shown(quote, report.claims())


def recognise(raw: bytes) -> bool:
    """Whether these bytes begin as a quote of a trust domain does."""
    return recognised(raw, _TEE)


TECHNOLOGY = Technology(
    kind=Kind.TDX,
    recognise=recognise,
    show=show,
    verify=verify,
    covers=COVERED,
    inputs=INPUTS,
    floors=FLOORS,
)
