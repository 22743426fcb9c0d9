# SPDX-License-Identifier: Apache-2.0
"""What logs explain of quoted registers, and where they do not fit them (tpm/SPEC.md, sections 5 and 6)."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from enclave.evidence.facts import Claims
from enclave.evidence.findings import Finding, Reason
from enclave.evidence.tpm.events import claims_of
from enclave.evidence.tpm.evidence import TpmEvidence
from enclave.evidence.tpm.ima import ImaEntry, ImaLog
from enclave.evidence.tpm.log import EventKind, EventLog
from enclave.evidence.tpm.quote import GUEST_PCR
from enclave.evidence.tpm.structures import HASH_NAMES, SHA256

IMA_PCR = 10
_EXTENDED_LATER = {IMA_PCR, GUEST_PCR}


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """Findings where logs do not replay, and what they say where they do; `files` are the entries that count."""

    missed: tuple[Finding, ...] = ()
    claims: Claims
    trace: tuple[str, ...] = ()
    files: tuple[ImaEntry, ...] = ()


def explain(evidence: TpmEvidence, *, believe: bool = False) -> Explained:
    """Replay the logs against the quoted registers; `believe` is for showing what they say without asking."""
    claims: Claims = {}
    trace: list[str] = []
    log = EventLog.parse(evidence.event_log) if evidence.event_log else None
    missed = [] if log is None else list(_unexplained(evidence, log))
    if log is not None and (believe or not missed):
        claims["event_log"] = claims_of(log if believe else _vouched(evidence, log))
        trace.append("tpm: the event log replays to every quoted register that it names")
    files: tuple[ImaEntry, ...] = ()
    if evidence.ima_log:
        files, unmatched = _measured(evidence, log, believe=believe)
        missed += unmatched
        claims["ima_log"] = {"files": len(files), "violations": sum(entry.violation for entry in files)}
        if not unmatched:
            trace.append(f"tpm: the first {len(files)} entries of the IMA list lead to PCR {IMA_PCR}")
    return Explained(missed=tuple(missed), claims=claims, trace=tuple(trace), files=files)


def _unexplained(evidence: TpmEvidence, log: EventLog) -> Iterator[Finding]:
    shared = [bank for bank in evidence.banks if bank in log.banks]
    if not shared:
        found = ", ".join(HASH_NAMES.get(bank, hex(bank)) for bank in log.banks)
        yield Finding(reason=Reason.LOG, expected="an event log of a quoted bank", found=found)
    for bank in shared:
        quoted, name = evidence.registers(bank), HASH_NAMES.get(bank, hex(bank))
        for number, value in log.replay(bank).items():
            if number not in _EXTENDED_LATER and quoted.get(number, value) != value:
                expected = f"{name} PCR {number} {quoted[number].hex()}"
                yield Finding(reason=Reason.LOG, expected=expected, found=f"event log gives {value.hex()}")


def _vouched(evidence: TpmEvidence, log: EventLog) -> EventLog:
    """Of a log that replays, the events and digests that went into quoted registers: nothing else is vouched for."""
    banks = tuple(bank for bank in evidence.banks if bank in log.banks)
    replayed = {bank: log.replay(bank) for bank in banks}
    quoted = {bank: evidence.registers(bank) for bank in banks}
    numbers = {
        n for n in range(24) if all(n in quoted[b] and replayed[b].get(n) == quoted[b][n] for b in banks)
    }
    events = (event for event in log.events if event.pcr in numbers and event.kind != EventKind.EV_NO_ACTION)
    kept = (replace(event, digests={bank: event.digests[bank] for bank in banks}) for event in events)
    return EventLog(banks=banks, events=tuple(kept))


def _measured(
    evidence: TpmEvidence, log: EventLog | None, *, believe: bool
) -> tuple[tuple[ImaEntry, ...], list[Finding]]:
    """The entries that the quoted PCR 10 vouches for, and why there are none."""
    ima, quoted = ImaLog.parse(evidence.ima_log), evidence.registers().get(IMA_PCR)
    start = bytes(32) if log is None else log.replay(SHA256).get(IMA_PCR, bytes(32))
    count = None if quoted is None else ima.matching(quoted, start=start)
    if believe:
        return ima.entries, []
    if count is None:
        expected = f"PCR {IMA_PCR} {quoted.hex() if quoted else 'of the SHA-256 bank'}"
        found = "no prefix of the IMA log gives it" if quoted else "not quoted"
        return (), [Finding(reason=Reason.LOG, expected=expected, found=found)]
    return ima.entries[:count], []
