# SPDX-License-Identifier: Apache-2.0
"""The broker's eyes on the chain: new requests and records into the journal, and the view a decision rests on."""

from contracts.ids import Digest, ModelId, PolicyId, ReleaseId
from contracts.records import Reason, Status, Subject, Verdict, Version
from enclave.broker.decide import Refusal, View
from enclave.broker.journal import Job, Journal, Stage
from enclave.errors import ReleaseRefused
from registry.attestations import Attestations, read_verdict
from registry.chain.chain import Chain
from registry.chain.reads import Words
from registry.chain.view import Block, Event
from registry.errors import Reorganised
from registry.models import Models
from registry.policies import Policies
from registry.releases import Releases, read_subject

_PAGE = 500  # blocks read at once
_REWIND = 64  # blocks read again after a reorganisation


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
        count = self.releases.seats(subject.licence)
        return View(
            chain_id=self._chain.chain_id,
            registry=self._chain.book.models,
            subject=subject,
            lease=job.lease,
            release=job.release,
            version=self.version(subject),
            terms=self._terms.terms(subject.policy_id),
            record=record,
            verdict=verdict,
            own=own,
            state=self.releases.state(job.release, at=head),
            seats={index: self.releases.seat(subject.licence, index) for index in range(count)},
            permits=self.permits(subject, head.timestamp, head),
            now=head.timestamp,
            finality_wait=self._chain.book.finality_wait,
        )

    def recorded_in(self, release: ReleaseId, lease: int, envelope: Digest, *, since: int) -> int | None:
        """The block whose event records this lease, with this envelope when it is the first."""
        book = self._chain.book
        for event in self._chain.events(since, self._chain.head().number, addresses=(book.releases,)):
            if event.args.get("release") != release:
                continue
            if event.name == "KeyReleased" and lease == 0 and event.args["envelopeDigest"] == envelope:
                return event.block.number
            if event.name == "LeaseRenewed" and event.args["lease"] == lease:
                return event.block.number
        return None

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
        return max(self._chain.book.deployed_at, number - _REWIND)

    def _note(self, event: Event) -> None:
        words = Words(event.args)
        match event.name:
            case "Recorded":
                self._note_verdict(read_verdict(words.struct("verdict")))
            case "KeyRequested":
                self._note_request(words.id("release", ReleaseId), read_subject(words.struct("subject")))

    def _note_verdict(self, verdict: Verdict) -> None:
        if verdict.policy_id not in self._policies:
            return
        self._journal.note_verdict(verdict)
        earlier = self._journal.of_node(verdict.policy_id, verdict.node_id)
        if not earlier or earlier[0].stage is not Stage.FINAL or earlier[0].rests_on >= verdict.block_number:
            return
        last = earlier[0]
        state = self.releases.state(last.release)
        if state.status is Status.LIVE and state.leases == last.lease + 1:
            self._journal.add(
                Job(
                    release=last.release,
                    lease=last.lease + 1,
                    stage=Stage.SEEN,
                    subject=last.subject,
                    rests_on=verdict.block_number,
                )
            )

    def _note_request(self, release: ReleaseId, subject: Subject) -> None:
        if (subject.model_id, subject.version) in self._served:
            rests_on = subject.block_number
            self._journal.add(
                Job(release=release, lease=0, stage=Stage.SEEN, subject=subject, rests_on=rests_on)
            )
