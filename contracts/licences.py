# SPDX-License-Identifier: Apache-2.0
"""Frozen mirror of what compiled licences answer (`ICompiledLicence`); a test holds it to the ABI."""

from dataclasses import dataclass
from enum import IntEnum

from contracts.ids import Digest, ModelId

UNLIMITED = 2**64 - 1  # answers left where the text sets no limit
NEVER = 2**40 - 1  # `paid_until` when nothing more is to be paid, and `period` of a fee paid once


class LicenceState(IntEnum):
    """Where a compiled licence is in its life; the last two are for ever (`ICompiledLicence.State`)."""

    GRANTED = 0
    ACTIVE = 1
    SUSPENDED = 2
    REVOKED = 3
    EXPIRED = 4


class LicenceRefusal(IntEnum):
    """Why a compiled licence refuses, in the order it looks (`ICompiledLicence.Refusal`)."""

    NONE = 0
    BUSY = 1
    OTHER_MODEL = 2
    NOT_ACTIVATED = 3
    SUSPENDED = 4
    REVOKED = 5
    NOT_YET = 6
    ENDED = 7
    UNPAID = 8
    NO_RECORD = 9
    STALE = 10
    REMOVED = 11
    HARDWARE = 12
    PLACE = 13


@dataclass(frozen=True, slots=True, kw_only=True)
class LicenceTerms:
    """What a compiled licence's text says, in numbers (`ICompiledLicence.Terms`).

    Instants are unix seconds, prices wei; `length`, `every`, `period` and `notice` are seconds. `places` is a bitmap over
    ISO 3166 numeric codes, the lowest 256 first, all zero for anywhere; `kinds` one over device technologies.
    """

    model_id: ModelId
    lowest_version: int
    start: int
    end: int
    length: int
    seats: int
    every: int
    removes: bool
    kinds: int
    places: tuple[int, int, int, int]
    period: int
    price: int
    notice: int
    pack: int
    pack_price: int
    text: Digest

    @property
    def anywhere(self) -> bool:
        """Whether a node may stand anywhere."""
        return not any(self.places)

    def covers(self, place: int) -> bool:
        """Whether a node may stand at a place, given as its ISO 3166 numeric code."""
        return self.anywhere or (place < 1024 and bool(self.places[place >> 8] >> (place & 255) & 1))

    def codes(self) -> tuple[int, ...]:
        """The ISO 3166 numeric codes of the places where a node may stand; none for anywhere."""
        return tuple(place for place in range(1024) if not self.anywhere and self.covers(place))


@dataclass(frozen=True, slots=True, kw_only=True)
class LicenceStanding:
    """How a compiled licence stands (`ICompiledLicence.Standing`); instants are unix seconds, zero for none."""

    state: LicenceState
    prepaid: bool
    since: int
    end: int
    paid_until: int
    notice_over: int
    turn: int
