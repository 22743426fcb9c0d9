# SPDX-License-Identifier: Apache-2.0
"""Is the quote of an enclave authentic, and what does it say (SPEC.md)?"""

from collections.abc import Iterator
from datetime import datetime

from contracts.digests import digest
from contracts.ids import NodeId
from enclave.errors import MalformedEvidence
from enclave.evidence.enclosed import Enclosed
from enclave.evidence.facts import Claims, Facts
from enclave.evidence.findings import Finding, Reason
from enclave.evidence.intel.enclave import EnclaveReport
from enclave.evidence.intel.quote import Quote, recognised
from enclave.evidence.intel.showing import shown
from enclave.evidence.intel.verify import FLOORS, INPUTS, Reported, verify_platform
from enclave.evidence.kinds import Kind
from enclave.evidence.technology import Technology
from enclave.evidence.trust import Trust

COVERED = ("mr_enclave", "config_id")
_TEE = frozenset({0x00})


def verify(body: bytes, index: int, *, node: NodeId | None, trust: Trust, at: datetime) -> Facts:
    """Check a quote and the collateral that came with it, at a moment."""
    del node
    enclosed = Enclosed.parse(body)
    quote, report = _parse(enclosed.evidence)
    reported = Reported(claims=report.claims(), missed=tuple(_missed(report)))
    platform = verify_platform(quote, reported, enclosed.endorsements, trust=trust, at=at)
    registers = {"mr_enclave": report.mr_enclave, "config_id": report.config_id}
    return Facts(
        kind=Kind.SGX,
        index=index,
        bound=report.report_data,
        identity=platform.identity,
        workload=digest("workload", Kind.SGX.label, [registers[name] for name in COVERED]),
        status=platform.status,
        root=platform.root,
        registers=registers,
        not_before=platform.not_before,
        not_after=platform.not_after,
        missed=platform.missed,
        trace=platform.trace,
        claims={**quote.claims(), **report.claims(), **platform.claims()},
        inputs=platform.inputs,
        certificates=platform.certificates,
    )


def _parse(raw: bytes) -> tuple[Quote, EnclaveReport]:
    quote = Quote.parse(raw)
    if quote.tdx:
        raise MalformedEvidence("a quote of a trust domain, not of an enclave", where="quote")
    return quote, EnclaveReport.parse(quote.body)


def _missed(report: EnclaveReport) -> Iterator[Finding]:
    if report.debug:
        expected, found = "an enclave that nobody outside can see into", "ATTRIBUTES.DEBUG"
        yield Finding(reason=Reason.DEBUG, expected=expected, found=found, hint="launch it without debugging")


def show(body: bytes) -> Claims:
    """What the evidence says, believed by nobody."""
    quote, report = _parse(Enclosed.parse(body).evidence)
    return shown(quote, report.claims())


def recognise(raw: bytes) -> bool:
    """Whether these bytes begin as a quote of an enclave does."""
    return recognised(raw, _TEE)


TECHNOLOGY = Technology(
    kind=Kind.SGX,
    recognise=recognise,
    show=show,
    verify=verify,
    covers=COVERED,
    inputs=INPUTS,
    floors=FLOORS,
)
