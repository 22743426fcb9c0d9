# SPDX-License-Identifier: Apache-2.0
"""Three licences in words, and any licence that the language can say."""

from datetime import date
from decimal import Decimal
from pathlib import Path

from hypothesis import strategies as st

from contracts.ids import Address, ModelId
from registry.licensing.meaning import countries
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
from registry.licensing.words import unfit_name

_FOLDER = Path(__file__).resolve().parents[1] / "vectors" / "licences"
SAMPLES = {name: (_FOLDER / f"{name}.txt").read_text("utf-8") for name in ("pump", "hospital", "reseller")}

_HOSTILE = (
    "*/ } selfdestruct",
    "Müller & Söhne (北京)",
    "{{ 7*7 }}",
    "0x00",
    "The licence is free of charge.",
    "#1",
    "a, b",
)
_EXACT = {Unit.HOURS: 24 * 42, Unit.DAYS: 42, Unit.WEEKS: 6}


def names() -> st.SearchStrategy[str]:
    """Names that the language takes, odd ones among them."""
    letters = st.characters(codec="utf-8", exclude_categories=("C", "Zl", "Zp"), exclude_characters='"')
    drawn = st.text(letters, min_size=1, max_size=80).filter(lambda name: not unfit_name(name))
    return st.one_of(st.sampled_from(_HOSTILE), drawn)


def spans(times: int = 1) -> st.SearchStrategy[Span]:
    """Lengths of time that are exact, up to `times` six weeks."""
    units = st.sampled_from(list(_EXACT))
    return units.flatmap(
        lambda unit: st.integers(1, _EXACT[unit] * times).map(lambda count: Span(count=count, unit=unit))
    )


def money() -> st.SearchStrategy[Money]:
    """Amounts with as many decimals as their currency has."""

    def of(currency: Currency) -> st.SearchStrategy[Money]:
        decimals = 18 if currency is Currency.ETH else 2
        amounts = st.integers(1, 10**8 * 10**decimals).map(
            lambda n: (Decimal(n) / 10**decimals).normalize() + 0
        )
        return amounts.map(lambda amount: Money(amount=amount, currency=currency))

    return st.sampled_from(list(Currency)).flatmap(of)


def terms() -> st.SearchStrategy[Term]:
    """Terms from a day or from activation."""
    calendar = st.builds(
        Span,
        count=st.integers(1, 120),
        unit=st.sampled_from([Unit.HOURS, Unit.DAYS, Unit.WEEKS, Unit.MONTHS, Unit.YEARS]),
    ).filter(lambda span: span.unit is not Unit.YEARS or span.count <= 100)
    dated = st.builds(Term, start=st.dates(date(2000, 1, 1), date(2199, 12, 31)), lasts=calendar)
    return st.one_of(dated, st.builds(Term, start=st.none(), lasts=spans(40)))


def _some(table: object, most: int = 4) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(sorted(table)), max_size=most, unique=True).map(tuple)  # type: ignore[call-overload]


def _addresses() -> st.SearchStrategy[tuple[Address, Address]]:
    account = st.binary(min_size=20, max_size=20).filter(any).map(Address)
    return st.tuples(account, account).filter(lambda pair: pair[0] != pair[1])


@st.composite
def licences(draw: st.DrawFn) -> Licence:
    """Licences whose values and meaning hold: what may be written, exchanged, proved and built."""
    licensor, licensee = draw(_addresses())
    residency = draw(_some(places()))
    territory = draw(_some(places()))
    if residency:
        territory = tuple(name for name in territory if places()[name].codes <= countries(residency))
    version = st.integers(1, 2**32 - 1)
    return Licence(
        title=draw(names()),
        version=draw(version),
        model=Licensed(
            name=draw(names()),
            model_id=ModelId(draw(st.binary(min_size=32, max_size=32))),
            lowest_version=draw(st.one_of(st.just(1), version)),
        ),
        licensor=Party(name=draw(names()), address=licensor),
        licensee=Party(name=draw(names()), address=licensee),
        term=draw(terms()),
        seats=draw(st.integers(1, 65_535)),
        attestation=Attestation(every=draw(spans()), hardware=draw(_some(hardware()))),
        on_failure=draw(st.sampled_from(OnFailure)),
        fee=draw(st.one_of(st.none(), st.builds(Fee, price=money(), every=st.one_of(st.none(), spans(20))))),
        notice=draw(st.one_of(st.none(), spans(3))),
        fields=draw(_some(fields())),
        territory=territory,
        residency=residency,
        resale=draw(st.booleans()),
        packs=draw(st.one_of(st.none(), st.builds(Packs, size=st.integers(1, 2**32), price=money()))),
        forbidden=draw(st.lists(st.sampled_from(Verb), max_size=8, unique=True).map(tuple)),
        audit=draw(st.one_of(st.none(), spans(10))),
        law=draw(st.one_of(st.just(""), st.sampled_from(sorted(places())))),
    )
