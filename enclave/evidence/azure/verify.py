# SPDX-License-Identifier: Apache-2.0
"""Is the evidence of an Azure confidential machine authentic: hardware vouches for a paravisor, which vouches for a vTPM?"""

from collections.abc import Iterator, Sequence
from datetime import datetime

from contracts.digests import digest
from contracts.ids import Digest, NodeId
from enclave.errors import MalformedEvidence, NotAuthentic
from enclave.evidence.azure.evidence import AzureEvidence, recognise
from enclave.evidence.azure.hardware import Isolated, isolated, shown
from enclave.evidence.azure.key import vouched
from enclave.evidence.certificates import Path
from enclave.evidence.enclosed import Enclosed
from enclave.evidence.endorsements import Endorsements
from enclave.evidence.facts import Claims, Facts, RootStatus
from enclave.evidence.findings import Finding, Reason
from enclave.evidence.kinds import Kind
from enclave.evidence.snp.table import opened
from enclave.evidence.snp.verify import TECHNOLOGY as SNP
from enclave.evidence.snp.verify import endorse
from enclave.evidence.tdx.verify import TECHNOLOGY as TDX
from enclave.evidence.technology import Technology
from enclave.evidence.tpm.evidence import TpmEvidence
from enclave.evidence.tpm.explained import explain
from enclave.evidence.tpm.quote import NO_WORKLOAD
from enclave.evidence.tpm.structures import signed_by
from enclave.evidence.trust import Trust

_PCRS = (0, 2, 4, 7, *range(8, 15))
COVERS = ("launch", "configuration", *(f"pcr{number}" for number in _PCRS))
FLOORS = (*(f"snp.{name}" for name in SNP.floors), *(f"tdx.{name}" for name in TDX.floors))
INPUTS = ("ak-certificate", "ak-crl", *dict.fromkeys((*SNP.inputs, *TDX.inputs)))


def verify(body: bytes, index: int, *, node: NodeId | None, trust: Trust, at: datetime) -> Facts:
    """Check hardware, binding, quote and key at a moment."""
    del node
    enclosed = Enclosed.parse(body)
    evidence = AzureEvidence.parse(enclosed.evidence)
    beside = Endorsements.sort(opened(enclosed.pieces))
    findings = list(_quote_faults(evidence))
    try:
        hardware = isolated(evidence, beside, trust=trust, at=at)
        findings += _binding_faults(evidence, hardware)
        path = vouched(evidence.hcl.key, evidence.certificate, beside, trust=trust, at=at)
    except NotAuthentic as error:
        raise NotAuthentic([*findings, *error.findings]) from error
    if findings:
        raise NotAuthentic(findings)
    return _facts(evidence, hardware, path, beside, index)


def _facts(
    evidence: AzureEvidence, hardware: Isolated, path: Path | None, beside: Endorsements, index: int
) -> Facts:
    registers = {
        "launch": hardware.launch,
        "configuration": hardware.configuration,
        **evidence.registers(),
    }
    explained = explain(_as_tpm(evidence, beside))
    tested = path is not None and path.status is RootStatus.TEST_ROOT
    return Facts(
        kind=Kind.AZURE,
        index=index,
        bound=evidence.quote.attest.extra_data,
        identity=hardware.identity,
        workload=_workload(registers),
        status=RootStatus.TEST_ROOT if tested else hardware.status,
        root=hardware.root,
        registers=registers,
        not_before=hardware.not_before if path is None else max(hardware.not_before, path.not_before),
        not_after=hardware.not_after if path is None else min(hardware.not_after, path.not_after),
        missed=(*hardware.missed, *explained.missed),
        trace=(*hardware.trace, *_trace(evidence, path), *explained.trace),
        claims=evidence.claims() | hardware.claims | explained.claims,
        inputs={**hardware.inputs, **_made(path)},
        certificates=(*hardware.certificates, *(() if path is None else path.keys)),
    )


def _workload(registers: dict[str, bytes]) -> Digest:
    """Paravisor and guest, where every register that measures them was quoted."""
    if not set(COVERS) <= registers.keys():
        return NO_WORKLOAD
    return digest("workload", Kind.AZURE.label, [registers[name] for name in COVERS])


def _made(path: Path | None) -> dict[str, datetime]:
    if path is None:
        return {}
    made = {"ak-certificate": path.certificates[0].not_valid_before_utc}
    return made if path.oldest_crl is None else made | {"ak-crl": path.oldest_crl}


def _as_tpm(evidence: AzureEvidence, beside: Endorsements) -> TpmEvidence:
    """The vTPM's part, for the code that replays logs."""
    return TpmEvidence(
        quotes=(evidence.quote,),
        key=evidence.hcl.key,
        public=None,
        event_log=_only(beside.event_logs),
        ima_log=_only(beside.ima_logs),
    )


def _only(logs: Sequence[bytes]) -> bytes:
    if len(logs) > 1:
        raise MalformedEvidence(f"{len(logs)} logs of one kind", where="endorsements")
    return logs[0] if logs else b""


def _quote_faults(evidence: AzureEvidence) -> Iterator[Finding]:
    quote = evidence.quote
    if not signed_by(evidence.hcl.key, quote.attest.raw, quote.signature):
        expected = "the quote signed by HCLAkPub of the runtime data"
        yield Finding(reason=Reason.SIGNATURE, expected=expected, found="another signature")
    if not quote.covers_pcrs():
        expected = f"PCR values with digest {quote.attest.pcr_digest.hex()}"
        yield Finding(reason=Reason.PCR, expected=expected, found="other values")


def _binding_faults(evidence: AzureEvidence, hardware: Isolated) -> Iterator[Finding]:
    if evidence.hcl.bound != hardware.bound:
        expected = f"runtime data with {evidence.hcl.hashed_by} {hardware.bound.hex()}"
        yield Finding(reason=Reason.BINDING, expected=expected, found=evidence.hcl.bound.hex())


def _trace(evidence: AzureEvidence, path: Path | None) -> Iterator[str]:
    yield "azure-vtpm: the hardware's report binds the runtime data, and with it the vTPM's attestation key"
    yield "azure-vtpm: what is fresh is the quote; the hardware's report is of when the paravisor last wrote it"
    yield "azure-vtpm: that key signed the quote, and the PCR values are those; its attributes are not visible here"
    if path is not None:
        yield f"azure-vtpm: the key's certificate leads to {path.vendor} over {len(path.certificates)} certificates"
    elif evidence.certificate is not None:
        yield "azure-vtpm: the key's certificate is of this key, but its chain ends early, so that it adds nothing"
    else:
        yield "azure-vtpm: no certificate of the key came along; the key counts by the hardware's report alone"
    if not set(_PCRS) <= evidence.pcrs.keys():
        yield "azure-vtpm: without every PCR that measures the guest it vouches for no workload"


def show(body: bytes) -> Claims:
    """What the evidence says, believed by nobody."""
    enclosed = Enclosed.parse(body)
    evidence = AzureEvidence.parse(enclosed.evidence)
    return evidence.claims() | shown(evidence)


TECHNOLOGY = Technology(
    kind=Kind.AZURE,
    recognise=recognise,
    show=show,
    verify=verify,
    endorse=endorse,
    covers=COVERS,
    inputs=INPUTS,
    floors=FLOORS,
)
