# SPDX-License-Identifier: Apache-2.0
"""The broker: watches requests, judges again, decides, wraps, sends, and hands over only what is final.

Each lease walks seen -> decided -> mined -> final, one journal entry at a time, so that a broker that was killed
anywhere goes on where it was: what was decided is sent again as it was decided, and the contract takes it once.
A renewal counts on chain for the record that is newest then, so its grant is drawn up for the record that its event names.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from contracts.errors import ExequaturError, ExitCode
from contracts.ids import ModelId, PolicyId, ReleaseId
from contracts.records import Finality, Reason, Verdict
from enclave.broker.decide import Decision, Refusal, View, decide, seat_for
from enclave.broker.journal import NO_ENVELOPE, Job, Journal, Stage
from enclave.broker.reading import Leased, Reading
from enclave.envelope import ReaderKey, envelope_digest, file_name, open_bundle, wrap
from enclave.errors import EntryRefused, ReleaseRefused
from enclave.evidence.bundle import Bundle
from enclave.judging import Assigned, judge
from enclave.keystore import Entry
from enclave.statements import Grant, Statement
from registry.chain.chain import Chain
from registry.errors import BlobMissing, Reverted
from registry.signing import Account
from registry.store import Store

_log = logging.getLogger("exequatur.broker")
_TRANSIENT = frozenset({Refusal.SEATS.name})
_NO_EVIDENCE, _SENT = "EVIDENCE_MISSING", "TRANSACTION_PENDING"
_OVERTAKEN = frozenset({"WrongStatus", "NoNewerRecord"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover(Statement):
    """What a node gets for one lease: the grant, its signature, and for the first lease the envelope."""

    grant: bytes
    signature: bytes
    envelope: bytes = field(repr=False)


class ReleaseDesk(Protocol):
    """Whoever hands over grants: a broker in this process, or one behind HTTP."""

    def handover(self, release: ReleaseId, lease: int) -> Handover | None:
        """The lease's handover, or None while it is not final."""


class Broker:
    """Releases the keys of the models whose opened keystore entries it was given."""

    def __init__(
        self,
        chain: Chain,
        account: Account,
        entries: Mapping[tuple[ModelId, int], Entry],
        assigned: Mapping[PolicyId, Assigned],
        store: Store,
        reader: ReaderKey,
        journal: Journal,
    ) -> None:
        self._chain = chain
        self._account = account
        self._entries = dict(entries)
        self._assigned = dict(assigned)
        self._store = store
        self._reader = reader
        self._journal = journal
        for policy_id, one in self._assigned.items():
            if one.policy_id(chain.chain_id, chain.book.policies) != policy_id:
                raise EntryRefused("the document is not this policy's", where=str(policy_id))
        self._reading = Reading(chain, journal, frozenset(self._entries), frozenset(self._assigned))

    def step(self) -> bool:
        """Read what is new on chain and move every open lease one stage on; False when nothing moved."""
        moved = self._reading.step()
        away: ExequaturError | None = None
        for job in self._journal.open_jobs():
            try:
                moved = self._advance(job) or moved
            except ExequaturError as error:  # one lease must not hold up the others
                if error.code is ExitCode.UNAVAILABLE:
                    away = away or error
                else:
                    moved = self._refuse(job, error.reasons or (type(error).__name__,))
        if away is not None:
            raise away
        return moved

    def handover(self, release: ReleaseId, lease: int) -> Handover | None:
        """Grant and envelope of a lease whose transaction is final and still permitted."""
        job = self._journal.job(release, lease)
        if job is None or job.stage is not Stage.FINAL:
            return None
        return Handover(grant=job.grant, signature=job.signature, envelope=job.envelope)

    def status(self) -> list[Job]:
        """Every lease this broker knows, with the reasons of what it refused."""
        return self._journal.jobs()

    def _advance(self, job: Job) -> bool:
        match job.stage:
            case Stage.SEEN:
                return self._decide(job)
            case Stage.DECIDED:
                return self._send(job)
            case Stage.MINED:
                return self._finish(job)
        return False

    def _decide(self, job: Job) -> bool:
        if job.lease and (leased := self._reading.leased(job)):
            return self._redraw(job, leased)  # it was sent, and forgotten in favour of a newer record
        try:
            view, bundle = self._view(job)
            decision = decide(self._entry(job), view)
        except BlobMissing:
            return self._wait(job, _NO_EVIDENCE)
        except ReleaseRefused as error:
            if set(error.reasons) <= _TRANSIENT:
                return self._wait(job, *error.reasons)
            raise
        self._journal.update(self._drawn_up(job, view.own, decision, bundle))
        return True

    def _drawn_up(self, job: Job, verdict: Verdict, decision: Decision, bundle: Bundle) -> Job:
        """The lease with its grant signed and its envelope sealed, before anything is sent."""
        subject, entry = job.subject, self._entry(job)
        plain = Grant(
            chain_id=self._chain.chain_id,
            release_log=self._chain.book.releases,
            release=job.release,
            lease=job.lease,
            model_id=subject.model_id,
            version=subject.version,
            seal_id=entry.seal_id,
            node_id=subject.node_id,
            lease_nonce=verdict.lease_nonce,
            licence=subject.licence,
            duration=decision.duration,
            ceiling=decision.ceiling,
            envelope=NO_ENVELOPE,
        )
        envelope = b"" if job.lease else wrap(plain, bundle.keys.hpke, entry.data_key)
        grant = plain if job.lease else replace(plain, envelope=envelope_digest(envelope))
        return replace(
            job,
            stage=Stage.DECIDED,
            grant=grant.encode(),
            signature=Account.from_key(entry.grant_key).sign_typed(grant.digest()),
            envelope=envelope,
            seat=decision.seat,
            reasons="",
        )

    def _send(self, job: Job) -> bool:
        leased = self._leased(job)
        if leased is None:
            newest = self._journal.newest(job.subject.policy_id, job.subject.node_id)
            if job.lease and newest > job.rests_on:
                self._journal.update(replace(job, stage=Stage.SEEN, rests_on=newest))
                return True
            try:
                self._transact(job)
            except Reverted as error:
                if self._leased(job) is None:
                    return self._reverted(job, error)
            leased = self._leased(job)
        if leased is None:
            return False
        self._journal.update(replace(job, stage=Stage.MINED, mined=leased.mined))
        return True

    def _transact(self, job: Job) -> None:
        grant, subject = Grant.decode(job.grant), job.subject
        releases, limits = self._reading.releases, (grant.duration, grant.ceiling)
        if job.lease:
            releases.renew(self._account, subject, *limits)
        else:
            releases.release(self._account, subject, job.seat, *limits, grant.envelope)

    def _reverted(self, job: Job, error: Reverted) -> bool:
        """Another seat when somebody was faster, patience with our own transaction, else the end of it."""
        if error.error in _OVERTAKEN and self._reading.pending(job):
            return self._wait(job, _SENT)
        if error.error != "SeatTaken":
            return self._refuse(job, (_named(error),))
        view, _ = self._view(job)
        seat = seat_for(view)
        if seat is None or seat == job.seat:
            return self._wait(job, Refusal.SEATS.name)
        self._journal.update(replace(job, seat=seat, reasons=""))
        return True

    def _leased(self, job: Job) -> Leased | None:
        """This lease on chain, if it is there: a broker may die between sending and noting."""
        leased = self._reading.leased(job)
        if leased is None or leased.envelope != Grant.decode(job.grant).envelope:
            return None
        return leased

    def _finish(self, job: Job) -> bool:
        leased = self._leased(job)
        if leased is None:
            self._journal.update(replace(job, stage=Stage.DECIDED))  # reorganised away: send it again
            return True
        if leased.rests_on != job.rests_on:
            return self._redraw(job, leased)
        level = self._reading.version(job.subject).finality
        deep = self._chain.head(level)
        if deep.number < leased.mined:
            return False
        for block in (deep, self._chain.head(Finality.SEEN)):  # what was revoked since counts as well
            reason = self._reading.permits(job.subject, block.timestamp, block)
            if reason is not Reason.NONE:
                return self._refuse(job, (f"{Refusal.PERMITS.name}_{reason.name}",))
        self._journal.update(replace(job, stage=Stage.FINAL, mined=leased.mined))
        _log.info("lease %d of release %s is final", job.lease, job.release)
        return True

    def _redraw(self, job: Job, leased: Leased) -> bool:
        """Judge the record that a renewal came to rest on, and draw up the grant that its event allows."""
        known = self._journal.verdict(job.subject.policy_id, job.subject.node_id, leased.rests_on)
        if known is None:
            return False  # not read yet
        verdict, recorded_at = known
        bundle, own = self._judged(verdict, self._assigned[job.subject.policy_id])
        if own != verdict:
            raise ReleaseRefused([Refusal.VERDICT.name])
        decision = Decision(seat=job.seat, duration=leased.until - recorded_at, ceiling=leased.ceiling)
        drawn = self._drawn_up(job, own, decision, bundle)
        self._journal.update(replace(drawn, stage=Stage.MINED, mined=leased.mined, rests_on=leased.rests_on))
        return True

    def _wait(self, job: Job, *reasons: str) -> bool:
        """Leave a lease as it is: it lapses with its record."""
        known = self._journal.verdict(job.subject.policy_id, job.subject.node_id, job.rests_on)
        if known is None or self._chain.head().timestamp >= known[0].expiry:
            return self._refuse(job, reasons)
        if job.reasons != (waiting := ", ".join(reasons)):
            _log.warning("lease %d of release %s waits: %s", job.lease, job.release, waiting)
            self._journal.update(replace(job, reasons=waiting))
        return False

    def _refuse(self, job: Job, reasons: tuple[str, ...]) -> bool:
        _log.warning("lease %d of release %s is refused: %s", job.lease, job.release, ", ".join(reasons))
        self._journal.update(replace(job, stage=Stage.REFUSED, envelope=b"", reasons=", ".join(reasons)))
        return True

    def _entry(self, job: Job) -> Entry:
        return self._entries[(job.subject.model_id, job.subject.version)]

    def _view(self, job: Job) -> tuple[View, Bundle]:
        subject = job.subject
        known = self._journal.verdict(subject.policy_id, subject.node_id, job.rests_on)
        assigned = self._assigned.get(subject.policy_id)
        if known is None or assigned is None:
            raise ReleaseRefused([Refusal.UNPINNED.name if assigned is None else Refusal.SUPERSEDED.name])
        bundle, own = self._judged(known[0], assigned)
        return self._reading.view(job, known[0], own), bundle

    def _judged(self, verdict: Verdict, assigned: Assigned) -> tuple[Bundle, Verdict]:
        """The evidence behind a recorded verdict, and what this broker finds in it."""
        raw = self._store.get_named(file_name(verdict.evidence))
        bundle = Bundle.decode(open_bundle(raw, verdict.evidence, self._reader).bundle)
        named = bundle.challenge.block_number, bundle.challenge.block_hash
        if bundle.digest() != verdict.evidence or named != (verdict.block_number, verdict.block_hash):
            raise ReleaseRefused([Refusal.VERDICT.name])
        block = self._chain.block(verdict.block_number)
        if block.hash != verdict.block_hash:
            raise ReleaseRefused([Refusal.VERDICT.name])
        return bundle, judge(bundle, assigned, verdict.policy_id, block_time=block.timestamp).verdict()


def _named(error: Reverted) -> str:
    """A contract's refusal in the words of ours."""
    reason = error.values.get("reason")
    if error.error == "Refused" and isinstance(reason, int):
        return f"{Refusal.PERMITS.name}_{Reason(reason).name}"
    return error.error
