# SPDX-License-Identifier: Apache-2.0
"""What licence contracts say, as plain values: term licences and those compiled from words, and what each permits.

Pure, and rule for rule as in `TermLicence.sol`, `Lifecycle.sol`, `Seats.sol` and what is generated over them; differential
tests hold both equal.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

from contracts.ids import Address, Digest, ModelId
from contracts.licences import (
    NEVER,
    UNLIMITED,
    LicenceRefusal,
    LicenceStanding,
    LicenceState,
    LicenceTerms,
)
from contracts.records import Record

_MINUTE = 60
_OPEN = (LicenceState.GRANTED, LicenceState.ACTIVE, LicenceState.SUSPENDED)
_RUNNING = (LicenceState.ACTIVE, LicenceState.SUSPENDED)
_BY_STATE = {
    LicenceState.GRANTED: LicenceRefusal.NOT_ACTIVATED,
    LicenceState.SUSPENDED: LicenceRefusal.SUSPENDED,
    LicenceState.REVOKED: LicenceRefusal.REVOKED,
}


class Stage(IntEnum):
    """Where a term licence is in its life (`TermLicence.State`)."""

    ACTIVE = 0
    SUSPENDED = 1
    REVOKED = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """A term licence: its text of law in numbers, where it is in its life, and the answers left."""

    model_id: ModelId
    lowest_version: int
    start: int
    end: int
    seats: int
    remaining: int
    text: Digest
    stage: Stage = Stage.ACTIVE

    @property
    def counts(self) -> bool:
        """Whether answers are debited and credited."""
        return True

    def allows(self, model: ModelId, version: int, when: int) -> bool:
        """What `TermLicence.permits` says."""
        covers = model == self.model_id and version >= self.lowest_version
        return covers and self.stage is Stage.ACTIVE and self.start <= when < self.end


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """A licence compiled from words: its terms, how it stands, the answers left, and what it is bound to.

    `model_id` is the model's id in the release log it answers to; `releases` is that log once the parties moved it there,
    None for the one it was made for. The standing is as the last move left it: an end that passed is not in it.
    """

    terms: LicenceTerms
    standing: LicenceStanding
    model_id: ModelId
    remaining: int
    releases: Address | None = None

    @classmethod
    def made(cls, terms: LicenceTerms) -> "Compiled":
        """As its constructor leaves it."""
        standing = LicenceStanding(
            state=LicenceState.GRANTED,
            prepaid=False,
            since=0,
            end=terms.end,
            paid_until=0 if terms.period else NEVER,
            notice_over=0,
            turn=0,
        )
        left = 0 if terms.pack else UNLIMITED
        return cls(terms=terms, standing=standing, model_id=terms.model_id, remaining=left)

    @property
    def seats(self) -> int:
        """How many nodes may run at once."""
        return self.terms.seats

    @property
    def text(self) -> Digest:
        """Digest of the canonical text."""
        return self.terms.text

    @property
    def counts(self) -> bool:
        """Whether answers are debited and credited."""
        return self.terms.pack != 0

    def at(self, now: int) -> LicenceStanding:
        """What `standing()` answers at a block's time."""
        return replace(self.standing, state=self.state_at(now))

    def state_at(self, now: int) -> LicenceState:
        """The state at a time: an open licence is expired from its end on, recorded or not."""
        held = self.standing
        over = bool(held.end) and now >= held.end and held.state in _OPEN
        return LicenceState.EXPIRED if over else held.state

    def refusal(
        self, model: ModelId, version: int, when: int, records: Sequence[Record | None]
    ) -> LicenceRefusal:
        """What `permits` says of a node.

        `records` are those of the policies that count at `when`, the one in force first; None for one that does not stand.
        """
        if model != self.model_id or version < self.terms.lowest_version:
            return LicenceRefusal.OTHER_MODEL
        if unlived := self._unlived(when):
            return unlived
        found = [self._unfit(record, when) for record in records]
        if LicenceRefusal.NONE in found:
            return LicenceRefusal.NONE
        return found[0] if found else LicenceRefusal.NO_RECORD

    def after(self, move: str, now: int) -> LicenceStanding | None:
        """How it stands once a move was made at a block's time; None for a move that cannot be made then."""
        made = _MOVES[move](self, now) if move in _MOVES else None
        return None if made is None else replace(made, turn=self.standing.turn + 1)

    def _unlived(self, when: int) -> LicenceRefusal:
        held = self.standing
        if held.state in _BY_STATE:
            return _BY_STATE[held.state]
        if when < held.since:
            return LicenceRefusal.NOT_YET
        if held.state is LicenceState.EXPIRED or when >= held.end:
            return LicenceRefusal.ENDED
        return LicenceRefusal.NONE if when < held.paid_until else LicenceRefusal.UNPAID

    def _unfit(self, record: Record | None, when: int) -> LicenceRefusal:
        if record is None or record.recorded_at == 0 or record.as_of > when:
            return LicenceRefusal.NO_RECORD
        terms = self.terms
        taken = (
            (LicenceRefusal.STALE, when - record.as_of >= terms.every),
            (LicenceRefusal.REMOVED, terms.removes and record.gap * _MINUTE >= terms.every),
            (LicenceRefusal.HARDWARE, bool(terms.kinds) and not record.kinds & terms.kinds),
            (LicenceRefusal.PLACE, not terms.covers(record.place)),
        )
        return next((refusal for refusal, holds in taken if holds), LicenceRefusal.NONE)

    def _paid(self, now: int) -> LicenceStanding | None:
        held, period = self.standing, self.terms.period
        if period == 0:
            return None
        if self.state_at(now) is LicenceState.GRANTED:
            return None if held.prepaid or held.notice_over else replace(held, prepaid=True)
        due = period != NEVER and held.paid_until <= now + period
        if not due or self.state_at(now) not in _RUNNING:
            return None
        return replace(held, paid_until=max(held.paid_until, now) + period)

    def _activated(self, now: int) -> LicenceStanding | None:
        held, terms = self.standing, self.terms
        unpaid = terms.period != 0 and not held.prepaid
        if self.state_at(now) is not LicenceState.GRANTED or now < terms.start or unpaid:
            return None
        return replace(
            held,
            state=LicenceState.ACTIVE,
            since=now,
            end=now + terms.length if terms.length else held.end,
            paid_until=NEVER if terms.period in (0, NEVER) else now + terms.period,
        )

    def _suspended(self, now: int) -> LicenceStanding | None:
        active = self.state_at(now) is LicenceState.ACTIVE
        return replace(self.standing, state=LicenceState.SUSPENDED) if active else None

    def _resumed(self, now: int) -> LicenceStanding | None:
        suspended = self.state_at(now) is LicenceState.SUSPENDED
        return replace(self.standing, state=LicenceState.ACTIVE, since=now) if suspended else None

    def _notified(self, now: int) -> LicenceStanding | None:
        held, terms = self.standing, self.terms
        if terms.notice == 0 or held.notice_over or self.state_at(now) not in _OPEN:
            return None
        return replace(held, notice_over=max(now, terms.start) + terms.notice)

    def _revoked(self, now: int) -> LicenceStanding | None:
        held = self.standing
        served = self.terms.notice == 0 or 0 < held.notice_over <= now
        open_ = self.state_at(now) in _OPEN
        return replace(held, state=LicenceState.REVOKED) if open_ and served else None

    def _expired(self, now: int) -> LicenceStanding | None:
        held = self.standing
        over = held.state in _OPEN and self.state_at(now) is LicenceState.EXPIRED
        return replace(held, state=LicenceState.EXPIRED) if over else None

    def _bought(self, now: int) -> LicenceStanding | None:
        return self.standing if self.counts and self.state_at(now) is LicenceState.ACTIVE else None


_MOVES = {
    "pay": Compiled._paid,
    "activate": Compiled._activated,
    "suspend": Compiled._suspended,
    "resume": Compiled._resumed,
    "notify": Compiled._notified,
    "revoke": Compiled._revoked,
    "expire": Compiled._expired,
    "buy": Compiled._bought,
}
