# SPDX-License-Identifier: Apache-2.0
"""The broker's eyes on the chain: new requests and records into the journal, and the view a decision rests on."""

from dataclasses import dataclass, replace

from contracts.ids import ZERO_DIGEST, Address, Digest, ModelId, PolicyId, ReleaseId
from contracts.licences import UNLIMITED
from contracts.records import Finality, Reason, Seat, Status, Subject, Verdict, Version
from enclave.broker.decide import Refusal, View
from enclave.broker.journal import Job, Journal, Stage
from enclave.errors import ReleaseRefused
from registry.attestations import Attestations, read_verdict
from registry.chain.chain import Chain
from registry.chain.reads import Words
from registry.chain.view import Block, Event
from registry.errors import Reorganised, Reverted
from registry.licences import Licences
from registry.models import Models
from registry.policies import Policies
from registry.releases import Releases, read_subject

_PAGE = 500  # blocks read at once
_REWIND = 64  # blocks read again after a reorganisation; more where finality is further behind


@dataclass(frozen=True, slots=True, kw_only=True)
class Leased:
    """A lease as its event says; `rests_on` is the challenge block of the record that counted then."""

    mined: int
    rests_on: int
    until: int
    ceiling: int
    envelope: Digest


class Reading:
    """Follows the chain for one broker."""

    def __init__(
        self,
        chain: Chain,
        journal: Journal,
        served: frozenset[tuple[ModelId, int]],
        policies: frozenset[PolicyId],
    ) -> None:
        self._chain = chain
        self._journal = journal
        self._served = served
        self._policies = policies
        self._models = Models(chain)
        self._terms = Policies(chain)
        self._attestations = Attestations(chain)
        self._licences = Licences(chain)
        self.releases = Releases(chain)

    def step(self) -> bool:
        """Read the next page of blocks; False at the head."""
        head = self._chain.head()
        first = self._next()
        if first > head.number:
            return False
        last = self._chain.block(min(head.number, first + _PAGE - 1))
        addresses = (self._chain.book.attestations, self._chain.book.releases)
        events = self._chain.events(first, last.number, addresses=addresses)
        with self._journal.together():
            for event in events:
                self._note(event)
            self._journal.move(last.number, last.hash)
        return True

    def version(self, subject: Subject) -> Version:
        """The model version a release is for."""
        return self._models.version(subject.model_id, subject.version)

    def permits(self, subject: Subject, when: int, at: Block) -> Reason:
        """What the contracts say of a subject at a block."""
        return self.releases.permits_under(
            subject.model_id,
            subject.version,
            subject.policy_id,
            subject.node_id,
            subject.licence,
            when,
            at=at,
        )

    def view(self, job: Job, verdict: Verdict, own: Verdict) -> View:
        """Everything a decision rests on, at the head."""
        subject, head = job.subject, self._chain.head()
        record = self._attestations.record_of(subject.policy_id, subject.node_id, at=head)
        if record is None:
            raise ReleaseRefused([Refusal.SUPERSEDED.name])
        return View(
            chain_id=self._chain.chain_id,
            registry=self._chain.book.models,
            subject=subject,
            lease=job.lease,
            release=job.release,
            version=self._models.version(subject.model_id, subject.version, at=head),
            terms=self._terms.terms(subject.policy_id, at=head),
            record=record,
            verdict=verdict,
            own=own,
            state=self.releases.state(job.release, at=head),
            seats={} if job.lease else self._seats(subject.licence, head),
            permits=self.permits(subject, head.timestamp, head),
            now=head.timestamp,
            finality_wait=self._chain.book.finality_wait,
            credit=self._credit(subject.licence, head),
        )

    def leased(self, job: Job) -> Leased | None:
        """What the chain says of a lease, once it was recorded there."""
        if self.releases.state(job.release).leases <= job.lease:
            return None
        book, head = self._chain.book, self._chain.head()
        for event in self._chain.events(job.rests_on, head.number, addresses=(book.releases,)):
            if event.args.get("release") == job.release and (found := _leased(event, job)):
                return found
        return None

    def pending(self, job: Job) -> bool:
        """Whether a lease may still begin by the newest block, whatever a node says of transactions to come.

        A request that left the chain may come back, and with it what was sent for it.
        """
        state = self.releases.state(job.release)
        before = (Status.LIVE,) if job.lease else (Status.UNKNOWN, Status.REQUESTED)
        return state.status in before and state.leases == job.lease

    def _seats(self, licence: Address, head: Block) -> dict[int, Seat]:
        """The licence's seats up to the first free one."""
        seats: dict[int, Seat] = {}
        for index in range(self.releases.seats(licence, at=head)):
            seats[index] = self.releases.seat(licence, index, at=head)
            if seats[index].until <= head.timestamp:
                break
        return seats

    def _credit(self, licence: Address, head: Block) -> int | None:
        try:
            left = self._licences.remaining(licence, at=head)
        except Reverted:
            return None  # a licence that does not count answers this way
        return None if left == UNLIMITED else left

    def _next(self) -> int:
        cursor = self._journal.cursor()
        if cursor is None:
            return self._chain.book.deployed_at
        number, expected = cursor
        try:
            if self._chain.block(number).hash == expected:
                return number + 1
        except Reorganised:
            pass
        final = self._chain.head(Finality.FINAL).number
        return max(self._chain.book.deployed_at, min(number - _REWIND, final))

    def _note(self, event: Event) -> None:
        words = Words(event.args)
        match event.name:
            case "Recorded":
                self._note_verdict(read_verdict(words.struct("verdict")), event.block.timestamp)
            case "KeyRequested":
                self._note_request(words.id("release", ReleaseId), read_subject(words.struct("subject")))

    def _note_verdict(self, verdict: Verdict, recorded_at: int) -> None:
        if verdict.policy_id not in self._policies:
            return
        self._journal.note_verdict(verdict, recorded_at)
        for last in self._journal.of_node(verdict.policy_id, verdict.node_id):
            if last.rests_on < verdict.block_number:
                self._note_renewal(last, verdict.block_number)

    def _note_renewal(self, last: Job, rests_on: int) -> None:
        """Begin the next lease of a live release, or begin one again that came to nothing on an older record."""
        state = self.releases.state(last.release)
        if state.status is not Status.LIVE:
            return
        if state.leases == last.lease + 1:
            again = Job(
                release=last.release,
                lease=state.leases,
                stage=Stage.SEEN,
                subject=last.subject,
                rests_on=rests_on,
            )
            self._journal.add(again)
        elif state.leases == last.lease and last.stage in (Stage.SEEN, Stage.REFUSED):
            self._journal.update(replace(last, stage=Stage.SEEN, rests_on=rests_on, reasons=""))

    def _note_request(self, release: ReleaseId, subject: Subject) -> None:
        if (subject.model_id, subject.version) not in self._served:
            return
        rests_on = subject.block_number
        self._journal.add(Job(release=release, lease=0, stage=Stage.SEEN, subject=subject, rests_on=rests_on))
        known = self._journal.job(release, 0)
        if known is None or known.stage is not Stage.REFUSED:
            return
        if self.releases.state(release).status is Status.REQUESTED:  # it left the chain, and came back
            self._journal.update(replace(known, stage=Stage.SEEN, reasons=""))


def _leased(event: Event, job: Job) -> Leased | None:
    words = Words(event.args)
    match event.name:
        case "KeyReleased" if job.lease == 0:
            rests_on, envelope = job.subject.block_number, words.id("envelopeDigest", Digest)
        case "LeaseRenewed" if words.int("lease") == job.lease:
            rests_on, envelope = words.int("blockNumber"), ZERO_DIGEST
        case _:
            return None
    return Leased(
        mined=event.block.number,
        rests_on=rests_on,
        until=words.int("until"),
        ceiling=words.int("ceiling"),
        envelope=envelope,
    )
