# SPDX-License-Identifier: Apache-2.0
"""Step 7: may this node have this model's key, on which seat, for how long? Pure; every reason why not.

The chain can only take away: a request is refused unless the owner's keystore entry is bound to exactly this version
and pins exactly this policy, whatever the chain says.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from contracts.digests import keccak, word
from contracts.ids import Address, Half, ReleaseId
from contracts.records import Level, Reason, Record, Release, Seat, Status, Subject, Terms, Verdict, Version
from enclave.errors import ReleaseRefused
from enclave.keystore import Binding, Entry

_WAITS = 4  # a lease is at least this many times the chain's wait for finality


class Refusal(Enum):
    """Why a broker does not release."""

    UNBOUND = "the keys are bound to another version, or to none"
    SEAL = "the version names another sealed model than the keys are for"
    UNPINNED = "the owner pinned other policies"
    VERDICT = "the recorded verdict is not what this broker finds in the evidence"
    SUPERSEDED = "the record changed since the request"
    LEASE = "the policy's lease is too short for the chain's finality"
    EXPIRY = "the verdict expires too soon"
    STATUS = "the release is not at the point where this lease can begin"
    SEATS = "every seat is taken"
    CREDIT = "the licence has no answers left to give"
    PERMITS = "the contracts do not permit it"


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Everything a decision rests on, as of one block; `verdict` is the recorded one, `own` this broker's.

    `seats` need not go past the first free one; `credit` is what the licence has left, None where it does not say.
    """

    chain_id: int
    registry: Address
    subject: Subject
    lease: int
    version: Version
    terms: Terms
    record: Record
    verdict: Verdict
    own: Verdict
    state: Release
    release: ReleaseId
    seats: Mapping[int, Seat]
    permits: Reason
    now: int
    finality_wait: int
    credit: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the broker will put on chain and into the grant; duration in seconds from the record."""

    seat: int
    duration: int
    ceiling: int


def decide(entry: Entry, view: View) -> Decision:
    """The seat, duration and ceiling of this lease; raises `ReleaseRefused` with every reason."""
    refusals = [*_of_keys(entry, view), *_of_evidence(view), *_of_chain(view)]
    seat = view.state.seat if view.lease else seat_for(view)
    if seat is None:
        refusals.append(Refusal.SEATS)
    if refusals or seat is None:
        names = [refusal.name for refusal in refusals]
        if view.permits is not Reason.NONE:
            names.append(f"PERMITS_{view.permits.name}")
        raise ReleaseRefused(names, where=str(view.release))
    return Decision(seat=seat, duration=_duration(view), ceiling=_ceiling(view))


def holder(subject: Subject, record: Record) -> Half:
    """What a seat remembers of its holder: first half of the digest of policy and platform."""
    return Half(keccak(word(subject.policy_id) + word(record.platform))[:16])


def seat_for(view: View) -> int | None:
    """A free seat, else one that this platform may take over; None while there is neither."""
    for index, seat in sorted(view.seats.items()):
        if seat.until <= view.now:
            return index
    if view.record.level is Level.NONE:
        return None
    mine = holder(view.subject, view.record)
    for index, seat in sorted(view.seats.items()):
        if seat.holder == mine and (not seat.taken_over or seat.taken_over + view.terms.lease <= view.now):
            return index
    return None


def _of_keys(entry: Entry, view: View) -> Iterator[Refusal]:
    subject = view.subject
    wanted = Binding(
        chain_id=view.chain_id,
        registry=view.registry,
        model_id=subject.model_id,
        version=subject.version,
    )
    if entry.bound != wanted:
        yield Refusal.UNBOUND
    if entry.seal_id != view.version.seal_id:
        yield Refusal.SEAL
    if subject.policy_id not in entry.policies:
        yield Refusal.UNPINNED


def _of_evidence(view: View) -> Iterator[Refusal]:
    subject, verdict = view.subject, view.verdict
    if view.own != verdict or (verdict.policy_id, verdict.node_id) != (subject.policy_id, subject.node_id):
        yield Refusal.VERDICT
    renewed = view.lease > 0 and view.record.block_number <= view.state.block_number
    if renewed or view.record.block_number != verdict.block_number:
        yield Refusal.SUPERSEDED


def _of_chain(view: View) -> Iterator[Refusal]:
    if view.terms.lease < _WAITS * view.finality_wait:
        yield Refusal.LEASE
    if view.record.recorded_at + _duration(view) <= view.now:
        yield Refusal.EXPIRY
    wanted = Status.LIVE if view.lease else Status.REQUESTED
    if view.state.status is not wanted or view.state.leases != view.lease:
        yield Refusal.STATUS
    if _ceiling(view) <= view.state.last_counter:
        yield Refusal.CREDIT
    if view.permits is not Reason.NONE:
        yield Refusal.PERMITS


def _duration(view: View) -> int:
    return min(view.terms.lease, view.record.expiry - view.record.recorded_at)


def _ceiling(view: View) -> int:
    highest = view.state.last_counter + view.terms.quota
    if view.credit is not None:
        highest = min(highest, view.state.ceiling + view.credit)
    return max(view.state.ceiling, highest)
