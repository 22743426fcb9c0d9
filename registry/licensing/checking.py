# SPDX-License-Identifier: Apache-2.0
"""Whether the values of a licence are ones that a contract can hold, wherever the licence came from: words or ODRL."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from registry.licensing.model import Currency, Licence, Money, OnFailure, Span, Unit
from registry.licensing.problems import Problem
from registry.licensing.words import unfit_name

_LONGEST_TERM = 100 * 366 * 86_400
_LONGEST_ATTESTATION = 6 * 7 * 86_400
_YEARS = range(2000, 2200)
_MOST_VERSION, _MOST_SEATS, _MOST_PACK = 2**32 - 1, 2**16 - 1, 2**32
_MOST_MONEY = 10**12


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A value that cannot be; `part` names it, as "term" or "packs.size", so that its place in a text can be found."""

    code: str
    part: str
    message: str
    help: str

    def problem(self) -> Problem:
        """The fault as a problem of no one place."""
        return Problem(code=self.code, message=self.message, help=self.help)


def faults(licence: Licence) -> tuple[Fault, ...]:
    """Everything that is wrong with the values of a licence."""
    return (
        *_numbers(licence),
        *_names(licence),
        *_parties(licence),
        *_spans(licence),
        *_prices(licence),
        *_lists(licence),
    )


def warnings(licence: Licence) -> tuple[Fault, ...]:
    """What is worth knowing about its values before signing."""
    return (*_surprises(licence), *_limits(licence))


def _numbers(licence: Licence) -> Iterator[Fault]:
    for part, value, most, what in (
        ("title", licence.version, _MOST_VERSION, "a version"),
        ("model", licence.model.lowest_version, _MOST_VERSION, "a version"),
        ("seats", licence.seats, _MOST_SEATS, "the number of nodes"),
        ("packs.size", licence.packs.size if licence.packs else 1, _MOST_PACK, "a pack of inferences"),
    ):
        if not 1 <= value <= most:
            yield Fault(
                code="E205",
                part=part,
                message=f"{what} cannot be {value:,}.",
                help=f"write a number from 1 to {most:,}",
            )


def _names(licence: Licence) -> Iterator[Fault]:
    for part, name in (
        ("title", licence.title),
        ("model", licence.model.name),
        ("licensor", licence.licensor.name),
        ("licensee", licence.licensee.name),
    ):
        if why := unfit_name(name):
            yield Fault(
                code="E105", part=part, message=f"{why}.", help="write a name of visible characters in quotes"
            )


def _parties(licence: Licence) -> Iterator[Fault]:
    licensor, licensee = licence.licensor.address, licence.licensee.address
    if licensor == licensee:
        yield Fault(
            code="E208",
            part="licensee",
            message="the licensor and the licensee are the same account.",
            help="give each party an account of its own",
        )
    for part, address in (("licensor", licensor), ("licensee", licensee)):
        if not any(address):
            yield Fault(
                code="E208",
                part=part,
                message="this account is zero, which nobody holds.",
                help="write the party's own account",
            )


def _spans(licence: Licence) -> Iterator[Fault]:
    term, fee = licence.term, licence.fee
    exact = [
        ("attest", licence.attestation.every, _LONGEST_ATTESTATION, "6 weeks"),
        ("notice", licence.notice, _LONGEST_TERM, "100 years"),
        ("fee.every", fee.every if fee else None, _LONGEST_TERM, "100 years"),
        ("audit", licence.audit, _LONGEST_TERM, "100 years"),
    ]
    if term.start is None:
        exact.append(("term", term.lasts, _LONGEST_TERM, "100 years"))
    for part, span, most, said in exact:
        if span is not None:
            yield from _exact(part, span, most, said)
    if term.start is not None:
        yield from _dated(licence)


def _exact(part: str, span: Span, most: int, said: str) -> Iterator[Fault]:
    if span.unit in (Unit.MONTHS, Unit.YEARS):
        yield Fault(
            code="E207",
            part=part,
            message=f"{span.unit} are not all of one length, and here an exact one is needed.",
            help="write it in hours, days or weeks",
        )
    elif not 0 < span.seconds <= most:
        yield Fault(
            code="E205",
            part=part,
            message=f"{span.count:,} {span.unit} is out of range.",
            help=f"write at least 1 and at most {said}",
        )


def _dated(licence: Licence) -> Iterator[Fault]:
    term, start = licence.term, licence.term.start
    years = {Unit.YEARS: 100, Unit.MONTHS: 1_200}.get(term.lasts.unit)
    most = years if years is not None else _LONGEST_TERM // (term.lasts.unit.seconds or 1)
    if not 1 <= term.lasts.count <= most:
        yield Fault(
            code="E205",
            part="term",
            message=f"{term.lasts.count:,} {term.lasts.unit} is out of range.",
            help="write at least 1 and at most 100 years",
        )
    if start is not None and start.year not in _YEARS:
        yield Fault(
            code="E206",
            part="date",
            message=f"the year {start.year} is out of range.",
            help=f"write a year from {_YEARS[0]} to {_YEARS[-1]}",
        )


def _prices(licence: Licence) -> Iterator[Fault]:
    if licence.fee:
        yield from _price("fee.price", licence.fee.price)
    if licence.packs:
        yield from _price("packs.price", licence.packs.price)


def _price(part: str, price: Money) -> Iterator[Fault]:
    places = 18 if price.currency is Currency.ETH else 2
    exponent = price.amount.as_tuple().exponent
    decimals = -exponent if isinstance(exponent, int) and exponent < 0 else 0
    if not 0 < price.amount <= _MOST_MONEY:
        yield Fault(
            code="E205",
            part=part,
            message="a price is more than nothing, and at most 1,000,000,000,000.",
            help="write an amount, or “The licence is free of charge.”",
        )
    elif decimals > places:
        yield Fault(
            code="E205",
            part=part,
            message=f"{price.currency} has at most {places} decimals.",
            help=f"write at most {places} digits after the point",
        )


def _lists(licence: Licence) -> Iterator[Fault]:
    said: tuple[tuple[str, Sequence[str]], ...] = (
        ("fields", licence.fields),
        ("territory", licence.territory),
        ("residency", licence.residency),
        ("attest", licence.attestation.hardware),
        ("forbid", licence.forbidden),
    )
    for part, names in said:
        for name in dict.fromkeys(name for name in names if names.count(name) > 1):
            yield Fault(
                code="E202", part=part, message=f"this sentence says “{name}” twice.", help="say it once"
            )


def _surprises(licence: Licence) -> Iterator[Fault]:
    if licence.packs and licence.notice is None:
        yield Fault(
            code="W602",
            part="packs",
            message="inferences that were bought are lost when the licensor revokes.",
            help="a revocation with notice leaves time to use them",
        )
    length = _length(licence)
    if licence.fee and licence.fee.every and licence.fee.every.seconds > length:
        yield Fault(
            code="W603",
            part="fee.every",
            message="one payment is for longer than the whole licence.",
            help="a shorter period, or one payment before activation, says the same more plainly",
        )
    if licence.attestation.every.seconds > length:
        yield Fault(
            code="W603",
            part="attest",
            message="nodes need to pass attestation less often than the licence lasts.",
            help="a shorter interval finds a machine that was changed",
        )
    if licence.notice and licence.notice.seconds >= length:
        yield Fault(
            code="W603",
            part="notice",
            message="the notice lasts as long as the licence, so that notice given while it is active is never over in time.",
            help="a shorter notice, or “at any time”",
        )


def _limits(licence: Licence) -> Iterator[Fault]:
    """What a clause does not do, though a reader may think so."""
    if licence.notice and (licence.fee or licence.packs):
        yield Fault(
            code="W606",
            part="notice",
            message="the licensor may suspend at any time, also while notice runs; what was paid is not given back.",
            help="notice protects from revocation only; agree elsewhere what a suspension may be for",
        )
    if licence.on_failure is OnFailure.REMOVE:
        yield Fault(
            code="W605",
            part="fail",
            message="a machine that is removed may come back as a new node after a restart, or under the model's next policy.",
            help="the licensee must let each new node in",
        )


def _length(licence: Licence) -> int:
    term = licence.term
    return term.lasts.seconds if term.start is None else term.ends_at - term.starts_at
