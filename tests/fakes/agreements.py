# SPDX-License-Identifier: Apache-2.0
"""Licences as values, for tests of what is exchanged."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

from hypothesis import strategies as st

from contracts.ids import Address, ModelId
from registry.licensing.model import (
    Attestation,
    Currency,
    Fee,
    Licence,
    Licensed,
    Money,
    OnFailure,
    Packs,
    Party,
    Span,
    Term,
    Unit,
    Verb,
)
from registry.licensing.vocabulary import fields, hardware, places


def span(count: int, unit: Unit) -> Span:
    return Span(count=count, unit=unit)


PUMP = Licence(
    title="Pump Guard Edge",
    version=1,
    model=Licensed(name="pump-guard-3", model_id=ModelId(b"\x9f" * 32)),
    licensor=Party(name="Hydro Analytics GmbH", address=Address(b"\x01" * 20)),
    licensee=Party(name="Nordwerk AG", address=Address(b"\x02" * 20)),
    term=Term(start=date(2027, 1, 1), lasts=span(24, Unit.MONTHS)),
    seats=2,
    attestation=Attestation(every=span(24, Unit.HOURS), hardware=("Intel TDX", "TPM 2.0")),
    on_failure=OnFailure.SUSPEND,
    fee=Fee(price=Money(amount=Decimal("2.5"), currency=Currency.ETH)),
    notice=None,
    fields=("predictive maintenance",),
    territory=("Germany", "Austria", "Switzerland"),
    packs=Packs(size=1_000, price=Money(amount=Decimal("0.1"), currency=Currency.ETH)),
    forbidden=(Verb.EXTRACT, Verb.DISTIL, Verb.REDISTRIBUTE),
    audit=span(26, Unit.WEEKS),
    law="Germany",
)
HOSPITAL = replace(
    PUMP,
    title="Lung CT Triage",
    term=Term(start=date(2027, 3, 1), lasts=span(3, Unit.YEARS)),
    fields=("diagnostic imaging", "clinical research"),
    territory=("France", "Belgium"),
    residency=("European Economic Area",),
    fee=Fee(price=Money(amount=Decimal(48_000), currency=Currency.EUR), every=span(52, Unit.WEEKS)),
    packs=None,
    notice=span(30, Unit.DAYS),
)
RESELLER = replace(
    PUMP,
    title="Lexi Chat API",
    term=Term(start=None, lasts=span(365, Unit.DAYS)),
    fields=("customer support",),
    territory=("United Kingdom", "Ireland", "India"),
    resale=True,
    attestation=Attestation(every=span(6, Unit.HOURS), hardware=("NVIDIA H100 CC",)),
    on_failure=OnFailure.REMOVE,
    fee=None,
    audit=None,
    law="",
)
ALL = {"pump": PUMP, "hospital": HOSPITAL, "reseller": RESELLER}

_names = st.text(
    st.characters(categories=["L", "N", "P", "S", "Zs"], exclude_characters='"'), min_size=1, max_size=80
)
_fixed = st.builds(span, st.integers(1, 999), st.sampled_from([Unit.HOURS, Unit.DAYS, Unit.WEEKS]))
_amounts = st.decimals(min_value="0.000000000000000001", max_value=10**9, places=18, allow_nan=False)
_money = st.builds(Money, amount=_amounts, currency=st.sampled_from(Currency))


def _some(known: object) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(sorted(known)), unique=True, max_size=4).map(tuple)


@st.composite
def licences(draw: st.DrawFn) -> Licence:
    whom = draw(st.lists(st.binary(min_size=20, max_size=20), min_size=2, max_size=2, unique=True))
    return Licence(
        title=draw(_names),
        version=draw(st.integers(1, 10**6)),
        model=Licensed(
            name=draw(_names),
            model_id=ModelId(draw(st.binary(min_size=32, max_size=32))),
            lowest_version=draw(st.integers(1, 99)),
        ),
        licensor=Party(name=draw(_names), address=Address(whom[0])),
        licensee=Party(name=draw(_names), address=Address(whom[1])),
        term=Term(
            start=draw(st.none() | st.dates(date(1970, 1, 1), date(9000, 1, 1))),
            lasts=draw(st.builds(span, st.integers(1, 999), st.sampled_from(Unit))),
        ),
        seats=draw(st.integers(1, 10**6)),
        attestation=Attestation(every=draw(_fixed), hardware=draw(_some(hardware()))),
        on_failure=draw(st.sampled_from(OnFailure)),
        fee=draw(st.none() | st.builds(Fee, price=_money, every=st.none() | _fixed)),
        notice=draw(st.none() | _fixed),
        fields=draw(_some(fields())),
        territory=draw(_some(places())),
        residency=draw(_some(places())),
        resale=draw(st.booleans()),
        packs=draw(st.none() | st.builds(Packs, size=st.integers(1, 10**9), price=_money)),
        forbidden=tuple(draw(st.lists(st.sampled_from(Verb), unique=True))),
        audit=draw(st.none() | _fixed),
        law=draw(st.just("") | st.sampled_from(sorted(places()))),
    )
