# SPDX-License-Identifier: Apache-2.0
"""The canonical text of a licence: one sentence a line, always in the same order; its SHA-256 is what the contract carries."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from contracts.digests import keccak
from contracts.ids import Address
from registry.licensing.model import Licence, Money, OnFailure, Span
from registry.licensing.vocabulary import places
from registry.licensing.words import MONTHS


def say(licence: Licence) -> str:
    """The text that reads back as the same licence."""
    return "".join(f"{sentence}.\n" for sentence in _sentences(licence))


def checksummed(address: Address) -> str:
    """An address with the checksum of EIP-55 in the case of its letters."""
    digits = address.hex()
    case = keccak(digits.encode("ascii")).hex()
    return "0x" + "".join(c.upper() if int(case[n], 16) > 7 else c for n, c in enumerate(digits))


def _sentences(licence: Licence) -> Iterator[str]:
    yield from _parties(licence)
    yield from _uses(licence)
    yield from _duties(licence)
    if licence.forbidden:
        yield f"The licensee must not {_listed(licence.forbidden, 'or')} the model"
    if licence.audit:
        yield f"The licensor may audit the licensee every {_span(licence.audit)}"
    how = f"with {_span(licence.notice)} notice" if licence.notice else "at any time"
    yield f"The licensor may revoke the licence {how}"
    if licence.law:
        yield f"The licence is governed by the law of {_place(licence.law)}"


def _parties(licence: Licence) -> Iterator[str]:
    model, term = licence.model, licence.term
    since = f" from version {model.lowest_version}" if model.lowest_version != 1 else ""
    yield f'Licence "{licence.title}" version {licence.version}'
    yield f'The model is "{model.name}" with digest {model.model_id}{since}'
    yield f'The licensor is "{licence.licensor.name}" at {checksummed(licence.licensor.address)}'
    yield f'The licensee is "{licence.licensee.name}" at {checksummed(licence.licensee.address)}'
    day = f"{term.start.day} {MONTHS[term.start.month - 1]} {term.start.year}" if term.start else "activation"
    yield f"The licence starts on {day} and lasts {_span(term.lasts)}"


def _uses(licence: Licence) -> Iterator[str]:
    may = "The licensee may use the model"
    if licence.fields:
        yield f"{may} for {_quoted(licence.fields, 'and')}"
    if licence.territory:
        yield f"{may} in {_listed([_place(name) for name in licence.territory], 'and')}"
    yield f"{may} on at most {licence.seats:,} node{'s' if licence.seats != 1 else ''}"
    if licence.resale:
        yield "The licensee may offer the model to its customers"
    if licence.residency:
        yield f"Personal data must stay in {_listed([_place(name) for name in licence.residency], 'and')}"


def _duties(licence: Licence) -> Iterator[str]:
    attestation, fee, packs = licence.attestation, licence.fee, licence.packs
    on = f" on {_quoted(attestation.hardware, 'or')}" if attestation.hardware else ""
    yield f"Every node must pass attestation every {_span(attestation.every)}{on}"
    until = " until it passes attestation again" if licence.on_failure is OnFailure.SUSPEND else ""
    yield f"If a node fails attestation, the node is {licence.on_failure}{until}"
    if fee is None:
        yield "The licence is free of charge"
    else:
        when = f"every {_span(fee.every)} in advance" if fee.every else "before activation"
        yield f"The licensee must pay {_money(fee.price)} {when}"
    if packs:
        yield f"The licensee buys inferences in packs of {packs.size:,} for {_money(packs.price)}"


def _span(span: Span) -> str:
    return f"{span.count:,} {span.unit if span.count != 1 else span.unit[:-1]}"


def _money(money: Money) -> str:
    return f"{_amount(money.amount)} {money.currency}"


def _amount(amount: Decimal) -> str:
    whole, _, decimals = f"{amount:,f}".partition(".")
    decimals = decimals.rstrip("0")
    if len(decimals) == 3 and whole != "0" and "," not in whole:
        decimals += "0"  # three digits after a point could be read as thousands
    return f"{whole}.{decimals}" if decimals else whole


def _place(name: str) -> str:
    return f"the {name}" if places()[name].article else name


def _quoted(names: Sequence[str], last: str) -> str:
    return _listed([f'"{name}"' for name in names], last)


def _listed(names: Sequence[str], last: str) -> str:
    *before, final = map(str, names)
    return f"{', '.join(before)} {last} {final}" if before else final
