# SPDX-License-Identifier: Apache-2.0
"""Step 12: replay every recorded decision with the code that took it, and say where the answer differs.

Input is what anybody can export from the chain, and the evidence that the auditor may open. Each verdict is reached
again from its bundle; each request, release and lease is held against what the events before it permit; each amount
against what the broker grants; each event against the others. A different answer is a finding; what an exported file
cannot show is in `docs/audit.md`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields

from contracts.digests import TypedDomain
from contracts.errors import ExequaturError
from contracts.ids import Digest, NodeId, PolicyId, ReleaseId
from contracts.records import Reason, Subject, Verdict
from enclave.clash import Before
from enclave.coherence import clashes
from enclave.envelope import ReaderKey, file_name, open_bundle
from enclave.evidence.bundle import Bundle
from enclave.judging import Assigned, judge
from enclave.tally import Tally
from registry.attestations import read_verdict
from registry.chain.book import AddressBook
from registry.chain.reads import Words
from registry.chain.view import Event
from registry.folding import Folding
from registry.releases import read_subject
from registry.state import State
from registry.store import Store

TOMBSTONE = "erased"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is not as the rules say; `erased` is evidence that was deleted on purpose, and no alarm."""

    block: int
    what: str
    expected: str
    found: str
    erased: bool = False

    def __str__(self) -> str:
        return f"block {self.block}: {self.what}: expected {self.expected}, found {self.found}"


@dataclass(slots=True)
class _Ledger:
    """What the events so far add up to."""

    facts: Folding = field(default_factory=lambda: Folding(State()))
    tally: Tally = field(default_factory=Tally)
    verdicts: dict[tuple[PolicyId, NodeId], tuple[Verdict, int]] = field(default_factory=dict)
    subjects: dict[ReleaseId, Subject] = field(default_factory=dict)
    ceilings: dict[ReleaseId, int] = field(default_factory=dict)
    counters: dict[ReleaseId, int] = field(default_factory=dict)
    leases: dict[ReleaseId, int] = field(default_factory=dict)


def replay(
    events: Sequence[Event],
    *,
    book: AddressBook,
    assigned: Mapping[PolicyId, Assigned],
    store: Store,
    reader: ReaderKey,
) -> list[Finding]:
    """Every finding over `events`, which begin with the deployment and are in order."""
    return list(_Auditor(book, assigned, store, reader).run(events))


class _Auditor:
    def __init__(
        self, book: AddressBook, assigned: Mapping[PolicyId, Assigned], store: Store, reader: ReaderKey
    ) -> None:
        self._book = book
        self._domain = TypedDomain(chain_id=book.chain_id, contract=book.releases)
        self._assigned = assigned
        self._store = store
        self._reader = reader
        self._ledger = _Ledger()

    def run(self, events: Sequence[Event]) -> Iterator[Finding]:
        """Judge each event by those before it, then let it count."""
        yield from self._documents()
        before = (-1, -1)
        for event in events:
            place = (event.block.number, event.index)
            if place <= before:
                yield _finding(event, "order of events", f"after {before}", str(place))
            before = place
            yield from self._taken(event)
        for clash in self._ledger.tally.left_over():
            yield _finding(event, clash.what, clash.expected, clash.found)

    def _documents(self) -> Iterator[Finding]:
        for named, one in self._assigned.items():
            found = one.policy_id(self._book.chain_id, self._book.policies)
            if found != named:
                yield Finding(block=0, what="policy document", expected=str(named), found=str(found))

    def _taken(self, event: Event) -> Iterator[Finding]:
        try:
            seen = Before(event=event, words=Words(event.args), facts=self._ledger.facts, book=self._book)
            for clash in (*clashes(seen), *self._ledger.tally.clashes(seen)):
                yield _finding(event, clash.what, clash.expected, clash.found)
            yield from self._judge(event, seen.words)
            self._ledger.facts.take(event)
        except (KeyError, IndexError, ValueError, ExequaturError) as error:  # about something that never was
            yield _finding(event, "event", "one that follows from those before it", type(error).__name__)

    def _judge(self, event: Event, words: Words) -> Iterator[Finding]:
        match event.name:
            case "Recorded":
                yield from self._recorded(event, words)
            case "KeyRequested":
                yield from self._requested(event, words)
            case "KeyReleased" | "LeaseRenewed":
                yield from self._leased(event, words)
            case "UsageAnchored":
                yield from self._anchored(event, words)

    def _recorded(self, event: Event, words: Words) -> Iterator[Finding]:
        verdict = read_verdict(words.struct("verdict"))
        key = (verdict.policy_id, verdict.node_id)
        named = (words.id("policyId", PolicyId), words.id("nodeId", NodeId), words.id("evidence", Digest))
        yield from _same(event, "indexed fields", (*key, verdict.evidence), named)
        held = self._ledger.verdicts.get(key)
        if held is not None and held[0].block_number >= verdict.block_number:
            yield _finding(
                event, "challenge block", f"above {held[0].block_number}", str(verdict.block_number)
            )
        self._ledger.verdicts[key] = (verdict, event.block.timestamp)
        yield from self._signed(event, verdict, words.int("signers"))
        yield from self._judged(event, verdict)

    def _signed(self, event: Event, verdict: Verdict, signers: int) -> Iterator[Finding]:
        assigned = self._assigned.get(verdict.policy_id)
        if assigned is None:
            yield _finding(event, "policy", "one the auditor was given", str(verdict.policy_id))
            return
        enforced = assigned.policy.enforced
        if signers >> len(enforced.verifiers) or signers.bit_count() < enforced.threshold:
            yield _finding(
                event, "signers", f"{enforced.threshold} of {len(enforced.verifiers)}", bin(signers)
            )
        withdrawn = self._ledger.facts.policies[verdict.policy_id].withdrawn_verifiers
        yield from _same(event, "signers that were withdrawn", 0, signers & withdrawn)
        age = event.block.timestamp - verdict.as_of
        if not 0 <= age <= enforced.challenge_age:
            yield _finding(event, "challenge age", f"at most {enforced.challenge_age} s", f"{age} s")

    def _judged(self, event: Event, verdict: Verdict) -> Iterator[Finding]:
        assigned = self._assigned.get(verdict.policy_id)
        if assigned is None:
            return
        name = file_name(verdict.evidence)
        if not self._store.exists(name):
            erased = self._store.exists(f"{name}.{TOMBSTONE}")
            found = TOMBSTONE if erased else "nothing"
            yield _finding(event, "evidence", "a sealed bundle", found, erased=erased)
            return
        try:
            filed = open_bundle(self._store.get_named(name), verdict.evidence, self._reader)
            bundle = Bundle.decode(filed.bundle)
            accepted = judge(bundle, assigned, verdict.policy_id, block_time=verdict.as_of)
        except ExequaturError as error:
            yield _finding(event, "verdict", "evidence that the policy accepts", str(error))
            return
        yield from _same(event, "opening", accepted.opening, filed.opening)
        own = accepted.verdict()
        differing = [f.name for f in fields(own) if getattr(own, f.name) != getattr(verdict, f.name)]
        if differing:
            expected, found = (", ".join(f"{n}={getattr(v, n)}" for n in differing) for v in (own, verdict))
            yield _finding(event, "verdict", expected, found)

    def _requested(self, event: Event, words: Words) -> Iterator[Finding]:
        subject, release = read_subject(words.struct("subject")), words.id("release", ReleaseId)
        yield from _same(event, "release id", subject.release(self._domain), release)
        self._ledger.subjects[release] = subject
        verdict, _ = self._ledger.verdicts.get((subject.policy_id, subject.node_id), (None, 0))
        if verdict is None or verdict.block_number != subject.block_number:
            found = "no record" if verdict is None else str(verdict.block_number)
            yield _finding(event, "record of the request", str(subject.block_number), found)
        yield from self._permitted(event, subject, event.block.timestamp)

    def _leased(self, event: Event, words: Words) -> Iterator[Finding]:
        release = words.id("release", ReleaseId)
        subject = self._ledger.subjects.get(release)
        held = self._ledger.verdicts.get((subject.policy_id, subject.node_id)) if subject else None
        assigned = self._assigned.get(subject.policy_id) if subject else None
        if subject is None or held is None or assigned is None:
            yield _finding(event, "lease", "a request, a record and its policy", str(release))
            return
        (verdict, recorded_at), until = held, words.int("until")
        yield from self._numbered(event, words, release, verdict)
        enforced = assigned.policy.enforced
        yield from _same(event, "end of the lease", min(recorded_at + enforced.lease, verdict.expiry), until)
        ceiling, counter = words.int("ceiling"), self._ledger.counters.get(release, 0)
        term = self._ledger.facts.terms.get(subject.licence)
        spent = term is not None and not term.remaining  # then the licence had no more than that to give
        highest = min(ceiling, counter + enforced.quota) if spent else counter + enforced.quota
        yield from _same(event, "ceiling", max(self._ledger.ceilings.get(release, 0), highest), ceiling)
        self._ledger.ceilings[release] = ceiling
        for when in (event.block.timestamp, until - 1):
            yield from self._permitted(event, subject, when)

    def _numbered(
        self, event: Event, words: Words, release: ReleaseId, verdict: Verdict
    ) -> Iterator[Finding]:
        expected = self._ledger.leases.get(release, 0)
        self._ledger.leases[release] = expected + 1
        if event.name == "KeyReleased":
            yield from _same(event, "number of the lease", expected, 0)
            return
        yield from _same(event, "number of the lease", expected, words.int("lease"))
        yield from _same(event, "record of the lease", verdict.block_number, words.int("blockNumber"))

    def _anchored(self, event: Event, words: Words) -> Iterator[Finding]:
        release = words.id("release", ReleaseId)
        counter, last = self._ledger.counters.get(release, 0), words.int("lastCounter")
        yield from _same(event, "first counter", counter + 1, words.int("firstCounter"))
        ceiling = self._ledger.ceilings.get(release, 0)
        if not counter <= last <= ceiling:
            yield _finding(event, "last counter", f"{counter} to {ceiling}", str(last))
        self._ledger.counters[release] = last

    def _permitted(self, event: Event, subject: Subject, when: int) -> Iterator[Finding]:
        reason = self._ledger.facts.state().permits_under(
            subject.model_id, subject.version, subject.policy_id, subject.node_id, subject.licence, when
        )
        yield from _same(event, f"permission at {when}", Reason.NONE, reason)


def _same(event: Event, what: str, expected: object, found: object) -> Iterator[Finding]:
    if expected != found:
        yield _finding(event, what, str(expected), str(found))


def _finding(event: Event, what: str, expected: str, found: str, *, erased: bool = False) -> Finding:
    return Finding(
        block=event.block.number, what=f"{event.name}: {what}", expected=expected, found=found, erased=erased
    )
