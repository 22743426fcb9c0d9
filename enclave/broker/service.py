# SPDX-License-Identifier: Apache-2.0
"""The broker: watches requests, judges again, decides, wraps, sends, and hands over only what is final.

Each lease walks seen -> decided -> mined -> final, one journal entry at a time, so that a broker that was killed
anywhere goes on where it was: what was decided is sent again as it was decided, and the contract takes it once.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from contracts.ids import ModelId, PolicyId, ReleaseId
from contracts.records import Reason, Verdict
from enclave.broker.decide import Decision, Refusal, View, decide
from enclave.broker.journal import NO_ENVELOPE, Job, Journal, Stage
from enclave.broker.reading import Reading
from enclave.envelope import ReaderKey, envelope_digest, file_name, open_bundle, wrap
from enclave.errors import EnclaveError, ReleaseRefused
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
        self._reading = Reading(chain, journal, frozenset(self._entries), frozenset(self._assigned))

    def step(self) -> bool:
        """Read what is new on chain and move every open lease one stage on; False when nothing moved."""
        moved = self._reading.step()
        for job in self._journal.open_jobs():
            moved = self._advance(job) or moved
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
        entry = self._entries[(job.subject.model_id, job.subject.version)]
        try:
            view, bundle = self._view(job)
        except (EnclaveError, BlobMissing) as error:
            return self._refuse(job, error.reasons or (type(error).__name__,))
        try:
            decision = decide(entry, view)
        except ReleaseRefused as error:
            if set(error.reasons) <= _TRANSIENT and view.now < view.verdict.expiry:
                return False  # the request stays open, and lapses with its record
            return self._refuse(job, error.reasons)
        self._journal.update(self._drawn_up(job, entry, view, decision, bundle))
        return True

    def _drawn_up(self, job: Job, entry: Entry, view: View, decision: Decision, bundle: Bundle) -> Job:
        """The lease with its grant signed and its envelope sealed, before anything is sent."""
        subject = job.subject
        plain = Grant(
            chain_id=self._chain.chain_id,
            release_log=self._chain.book.releases,
            release=job.release,
            lease=job.lease,
            model_id=subject.model_id,
            version=subject.version,
            seal_id=view.version.seal_id,
            node_id=subject.node_id,
            lease_nonce=view.own.lease_nonce,
            licence=subject.licence,
            duration=decision.duration,
            ceiling=decision.ceiling,
            envelope=NO_ENVELOPE,
        )
        envelope = b"" if job.lease else wrap(plain, bundle.keys.hpke, entry.data_key)
        grant = plain if job.lease else replace(plain, envelope=envelope_digest(envelope))
        signature = Account.from_key(entry.grant_key).sign_typed(grant.digest())
        seat = str(decision.seat)
        return replace(
            job,
            stage=Stage.DECIDED,
            grant=grant.encode(),
            signature=signature,
            envelope=envelope,
            reasons=seat,
        )

    def _send(self, job: Job) -> bool:
        if (mined := self._mined_in(job)) is None:
            try:
                mined = self._transact(job)
            except Reverted as error:
                if (mined := self._mined_in(job)) is None:
                    return self._refuse(job, (error.error,))
        self._journal.update(replace(job, stage=Stage.MINED, mined=mined))
        return True

    def _transact(self, job: Job) -> int:
        grant = Grant.decode(job.grant)
        releases = self._reading.releases
        if job.lease:
            return releases.renew(self._account, job.subject, grant.duration, grant.ceiling).block.number
        seat = int(job.reasons)
        mined = releases.release(
            self._account, job.subject, seat, grant.duration, grant.ceiling, grant.envelope
        )
        return mined.block.number

    def _mined_in(self, job: Job) -> int | None:
        """The block in which this very lease was recorded, if it was: a broker may die between sending and noting."""
        state = self._reading.releases.state(job.release)
        if state.leases <= job.lease:
            return None
        wanted = Grant.decode(job.grant).envelope
        return self._reading.recorded_in(job.release, job.lease, wanted, since=job.rests_on)

    def _finish(self, job: Job) -> bool:
        level = self._reading.version(job.subject).finality
        head = self._chain.head(level)
        if (mined := self._mined_in(job)) is None:
            self._journal.update(replace(job, stage=Stage.DECIDED))  # reorganised away: send it again
            return True
        if head.number < mined:
            return False
        reason = self._reading.permits(job.subject, head.timestamp, head)
        if reason is not Reason.NONE:
            return self._refuse(job, (f"{Refusal.PERMITS.name}_{reason.name}",))
        self._journal.update(replace(job, stage=Stage.FINAL, mined=mined))
        _log.info("lease %d of release %s is final", job.lease, job.release)
        return True

    def _refuse(self, job: Job, reasons: tuple[str, ...]) -> bool:
        _log.warning("lease %d of release %s is refused: %s", job.lease, job.release, ", ".join(reasons))
        self._journal.update(replace(job, stage=Stage.REFUSED, envelope=b"", reasons=", ".join(reasons)))
        return True

    def _view(self, job: Job) -> tuple[View, Bundle]:
        subject = job.subject
        verdict = self._journal.verdict(subject.policy_id, subject.node_id, job.rests_on)
        assigned = self._assigned.get(subject.policy_id)
        if verdict is None or assigned is None:
            raise ReleaseRefused([Refusal.UNPINNED.name if assigned is None else Refusal.SUPERSEDED.name])
        bundle, own = self._judged(verdict, assigned)
        return self._reading.view(job, verdict, own), bundle

    def _judged(self, verdict: Verdict, assigned: Assigned) -> tuple[Bundle, Verdict]:
        raw = self._store.get_named(file_name(verdict.evidence))
        bundle = Bundle.decode(open_bundle(raw, verdict.evidence, self._reader).bundle)
        block = self._chain.block(bundle.challenge.block_number)
        if block.hash != bundle.challenge.block_hash or bundle.digest() != verdict.evidence:
            raise ReleaseRefused([Refusal.VERDICT.name])
        return bundle, judge(bundle, assigned, verdict.policy_id, block_time=block.timestamp).verdict()
