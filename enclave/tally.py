# SPDX-License-Identifier: Apache-2.0
"""What only several events together can show: blocks that agree, seats that were free, credit that adds up."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from contracts.digests import keccak, word
from contracts.ids import Address, Digest, Half, ReleaseId
from contracts.records import Level, Status
from enclave.clash import Before, Clash, demand, differ
from enclave.dealings import Dealings
from registry.attestations import read_verdict
from registry.chain.view import Block
from registry.state import Released
from registry.terms import Compiled


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seat:
    release: ReleaseId
    until: int
    taken_over: int
    holder: Half


@dataclass(frozen=True, slots=True, kw_only=True)
class _Metered:
    transaction: Digest
    licence: Address
    change: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Takeover:
    transaction: Digest
    licence: Address
    seat: int
    to: ReleaseId


@dataclass(slots=True)
class Tally:
    """Follows blocks, seats and credit; `metered` and `takeover` wait for the event that explains them."""

    blocks: dict[int, Block] = field(default_factory=dict)
    last: Block | None = None
    seats: dict[tuple[Address, int], _Seat] = field(default_factory=dict)
    stopped_at: dict[ReleaseId, int] = field(default_factory=dict)
    dealings: Dealings = field(default_factory=Dealings)
    metered: _Metered | None = None
    takeover: _Takeover | None = None

    def clashes(self, seen: Before) -> Iterator[Clash]:
        """What an event says against the blocks, seats and credit so far; then counts it."""
        yield from self._in_order(seen.event.block)
        yield from self.left_over(seen.event.transaction)
        match seen.event.name:
            case "Recorded":
                yield from self._challenged(seen)
            case "Metered":
                yield from self._metered(seen)
            case "CreditFailed":
                yield from self._moved(seen.words.address("licence"), seen.words.int("amount"))
            case "SeatTakenOver":
                yield from self._taken_over(seen)
            case "KeyReleased" | "LeaseRenewed":
                yield from self._leased(seen)
            case "GuestStopped":
                yield from self._stopped(seen)
            case "UsageAnchored":
                yield from self._anchored(seen)
            case _:
                yield from self.dealings.clashes(seen)

    def left_over(self, transaction: Digest | None = None) -> Iterator[Clash]:
        """Credit that should have moved, or a seat that moved alone, in an earlier transaction."""
        yield from self.dealings.left_over(transaction)
        for waiting, what in ((self.metered, "credit moved"), (self.takeover, "seat taken over")):
            if waiting is not None and waiting.transaction != transaction:
                yield Clash(what=what, expected="another event in the transaction", found="none")
        if self.metered and self.metered.transaction != transaction:
            self.metered = None
        if self.takeover and self.takeover.transaction != transaction:
            self.takeover = None

    def _in_order(self, block: Block) -> Iterator[Clash]:
        known = self.blocks.setdefault(block.number, block)
        yield from differ("block", known, block)
        last, self.last = self.last, block
        if last is not None and last.number != block.number:
            later = last.number < block.number and last.timestamp < block.timestamp
            yield from demand(f"after block {last.number}", later)

    def _challenged(self, seen: Before) -> Iterator[Clash]:
        verdict = read_verdict(seen.words.struct("verdict"))
        yield from demand("a challenge before its record", verdict.block_number < seen.event.block.number)
        named = Block(number=verdict.block_number, hash=verdict.block_hash, timestamp=verdict.as_of)
        yield from differ("challenge block", self.blocks.get(verdict.block_number, named), named)

    def _taken_over(self, seen: Before) -> Iterator[Clash]:
        words = seen.words
        licence, index = words.address("licence"), words.int("seat")
        held = self.seats[licence, index]
        yield from differ("holder of the seat", held.release, words.id("from", ReleaseId))
        yield from demand("a seat that is taken", held.until > seen.event.block.timestamp)
        self.takeover = _Takeover(
            transaction=seen.event.transaction, licence=licence, seat=index, to=words.id("to", ReleaseId)
        )

    def _leased(self, seen: Before) -> Iterator[Clash]:
        release, words = seen.words.id("release", ReleaseId), seen.words
        held = seen.facts.releases[release]
        self._charge(held.subject.licence, held.release.ceiling - words.int("ceiling"), seen)
        if seen.event.name == "KeyReleased":
            yield from self._seated(seen, release, held)
            return
        key = held.subject.licence, held.release.seat
        seat = self.seats[key]
        yield from differ("holder of the seat", seat.release, release)
        self.seats[key] = _Seat(
            release=seat.release,
            until=words.int("until"),
            taken_over=seat.taken_over,
            holder=seat.holder,
        )

    def _seated(self, seen: Before, release: ReleaseId, held: Released) -> Iterator[Clash]:
        licence, index, now = held.subject.licence, seen.words.int("seat"), seen.event.block.timestamp
        term = seen.facts.terms.get(licence)
        yield from demand("a seat of the licence", term is None or index < term.seats)
        record = seen.facts.records[held.subject.policy_id, held.subject.node_id].record
        holder = Half(keccak(word(held.subject.policy_id) + word(record.platform))[:16])
        before, taken_over = self.seats.get((licence, index)), 0
        if before is not None and before.until > now:
            lease = seen.facts.policies[held.subject.policy_id].enforced.lease
            rests = not before.taken_over or before.taken_over + lease <= now
            same = before.holder == holder and record.level > Level.NONE
            yield from demand("a free seat, or one to take over", same and rests)
            taken_over = now
        waiting, self.takeover = self.takeover, None
        named = (waiting.licence, waiting.seat, waiting.to) if waiting else None
        yield from differ("takeover", (licence, index, release) if taken_over else None, named)
        self.seats[licence, index] = _Seat(
            release=release, until=seen.words.int("until"), taken_over=taken_over, holder=holder
        )

    def _stopped(self, seen: Before) -> Iterator[Clash]:
        release, last = seen.words.id("release", ReleaseId), seen.words.int("lastCounter")
        held = seen.facts.releases[release]
        within = held.release.last_counter <= last <= held.release.ceiling
        yield from demand("a last counter within what was granted", within)
        self.stopped_at[release] = last
        if held.release.status is not Status.REQUESTED:
            self._leave(held, release, seen.event.block.timestamp)

    def _anchored(self, seen: Before) -> Iterator[Clash]:
        release, last = seen.words.id("release", ReleaseId), seen.words.int("lastCounter")
        held = seen.facts.releases[release]
        yield from demand("no usage after the last", last <= self.stopped_at.get(release, last))
        if not seen.words.flag("last"):
            return
        yield from differ("last counter", self.stopped_at.get(release, last), last)
        self._charge(held.subject.licence, held.release.ceiling - last, seen)
        if release not in self.stopped_at:
            self._leave(held, release, seen.event.block.timestamp)

    def _metered(self, seen: Before) -> Iterator[Clash]:
        licence = seen.event.address
        change = seen.words.int("remaining") - seen.facts.terms[licence].remaining
        if self.metered is None and self.dealings.sells(seen, change):
            return
        yield from self._moved(licence, change)

    def _moved(self, licence: Address, change: int) -> Iterator[Clash]:
        """Credit moves last in its transaction, by what the event before it asks for."""
        waiting, self.metered = self.metered, None
        asked = (waiting.licence, waiting.change) if waiting else None
        yield from differ("credit moved", asked, (licence, change))

    def _leave(self, held: Released, release: ReleaseId, now: int) -> None:
        key = held.subject.licence, held.release.seat
        seat = self.seats.get(key)
        if seat is not None and seat.release == release:
            self.seats[key] = _Seat(
                release=release, until=now, taken_over=seat.taken_over, holder=seat.holder
            )

    def _charge(self, licence: Address, change: int, seen: Before) -> None:
        """Expect the licence's credit to move by `change`; one that does not count is not asked."""
        held = seen.facts.terms.get(licence)
        if held is None or not change:
            return
        elsewhere = isinstance(held, Compiled) and held.releases not in (None, seen.book.releases)
        if held.counts or elsewhere:  # which takes nothing back from here
            self.metered = _Metered(transaction=seen.event.transaction, licence=licence, change=change)
