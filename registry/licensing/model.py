# SPDX-License-Identifier: Apache-2.0
"""A licence as a value: what its sentences say, in the author's own units; seconds and wei are derived.

Everything else in this package reads it: `say` prints it, ODRL exchanges it, the net and the contract are made from it.
"""

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from contracts.ids import Address, ModelId

_WEI = 10**18


class Unit(StrEnum):
    """A unit of time; months and years have no fixed length."""

    HOURS = "hours"
    DAYS = "days"
    WEEKS = "weeks"
    MONTHS = "months"
    YEARS = "years"

    @property
    def seconds(self) -> int | None:
        """Length in seconds; None for months and years."""
        return {"hours": 3_600, "days": 86_400, "weeks": 604_800}.get(self.value)


class Currency(StrEnum):
    """Money: ETH moves through the contract, the others are confirmed there by the licensor."""

    ETH = "ETH"
    EUR = "EUR"
    USD = "USD"
    GBP = "GBP"
    CHF = "CHF"


class Verb(StrEnum):
    """What a licensee may be forbidden to do with the model."""

    EXTRACT = "extract"
    DISTIL = "distil"
    MODIFY = "modify"
    FINE_TUNE = "fine-tune"
    REVERSE_ENGINEER = "reverse-engineer"
    REDISTRIBUTE = "redistribute"
    SUBLICENSE = "sublicense"
    BENCHMARK = "benchmark"


class OnFailure(StrEnum):
    """What becomes of a node that lets its attestation grow too old."""

    SUSPEND = "suspended"
    REMOVE = "removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A length of time as the author said it."""

    count: int
    unit: Unit

    @property
    def seconds(self) -> int:
        """Length in seconds; raises `ValueError` for months and years."""
        each = self.unit.seconds
        if each is None:
            raise ValueError(f"{self.unit} have no fixed length")
        return self.count * each

    def after(self, day: date) -> date:
        """The day this long after `day`, which hours cannot give; months clamp to the last day of the month."""
        if self.unit in (Unit.MONTHS, Unit.YEARS):
            months = self.count * (12 if self.unit is Unit.YEARS else 1) + day.month - 1
            year, month = day.year + months // 12, months % 12 + 1
            return date(year, month, min(day.day, monthrange(year, month)[1]))
        return date.fromordinal(day.toordinal() + self.seconds // 86_400)


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """An amount in a currency; equal amounts are equal however many zeros were written."""

    amount: Decimal
    currency: Currency

    @property
    def in_ether(self) -> bool:
        """Whether the contract itself takes and checks it."""
        return self.currency is Currency.ETH

    @property
    def wei(self) -> int:
        """Amount in wei; raises `ValueError` for what is not ether."""
        if not self.in_ether:
            raise ValueError(f"{self.currency} has no wei")
        return int(Fraction(self.amount) * _WEI)


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """Who a role is first held by; roles are looked up on chain when used, and may move."""

    name: str
    address: Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Licensed:
    """The model: its owner's name for it, its id on chain, the lowest version covered."""

    name: str
    model_id: ModelId
    lowest_version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """From a day, midnight UTC, or (None) from activation, for so long; the end is exclusive."""

    start: date | None
    lasts: Span

    @property
    def starts_at(self) -> int:
        """First second of the term; 0 when it starts on activation."""
        return 0 if self.start is None else _midnight(self.start)

    @property
    def ends_at(self) -> int:
        """First second after the term; 0 when it starts on activation."""
        if self.start is None:
            return 0
        if self.lasts.unit is Unit.HOURS:
            return self.starts_at + self.lasts.seconds
        return _midnight(self.lasts.after(self.start))


@dataclass(frozen=True, slots=True, kw_only=True)
class Attestation:
    """How often every node must pass attestation, and on which hardware (any one of it; empty: any)."""

    every: Span
    hardware: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fee:
    """What the licensee pays: before activation, or (with `every`) for each period in advance."""

    price: Money
    every: Span | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Packs:
    """Inferences bought ahead, so many for a price."""

    size: int
    price: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Licence:
    """A licence whose facts are all said, each once; made by `read` or `from_odrl`, which check it.

    `fee` None: free of charge. `notice` None: revocable at any time. Lists keep the author's order. Empty lists, None and
    False elsewhere: the licence does not say it.
    """

    title: str
    version: int
    model: Licensed
    licensor: Party
    licensee: Party
    term: Term
    seats: int
    attestation: Attestation
    on_failure: OnFailure
    fee: Fee | None
    notice: Span | None
    fields: tuple[str, ...] = ()
    territory: tuple[str, ...] = ()
    residency: tuple[str, ...] = ()
    resale: bool = False
    packs: Packs | None = None
    forbidden: tuple[Verb, ...] = ()
    audit: Span | None = None
    law: str = ""


def _midnight(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
