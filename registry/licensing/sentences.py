# SPDX-License-Identifier: Apache-2.0
"""What each form of sentence says: the facts of a licence, from the parts of its sentences."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from difflib import get_close_matches
from typing import TypeAlias

from contracts.ids import Address, ModelId
from registry.licensing.grammar import Part
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
)
from registry.licensing.saying import checksummed
from registry.licensing.vocabulary import aliases, fields, hardware, places
from registry.licensing.words import MONTHS, UNITS, VERBS, Word

_MOST_HELPED = 20

Complaint = tuple[str, str, str, Word]
"""A code, a message, a help, and the word it is about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """What one sentence says: under `key` nothing else may; `values` are fields of the licence, `places` where they stand."""

    key: str
    first: Word
    values: Mapping[str, object]
    places: Mapping[str, Word]


@dataclass(slots=True)
class _Saying:
    """A sentence being understood: where its values stand, and what is wrong with them."""

    part: Part
    first: Word
    wrong: list[Complaint] = field(default_factory=list)
    places: dict[str, Word] = field(default_factory=dict)

    def place(self, name: str, word: Word) -> None:
        """Note where a value stands."""
        self.places[name] = word

    def complain(self, code: str, message: str, help_: str, word: Word) -> None:
        """Note that something is wrong with a word."""
        self.wrong.append((code, message, help_, word))

    def number(self, name: str, word: Word) -> int:
        """A whole number."""
        self.place(name, word)
        return _count(word)

    def span(self, name: str, part: Part) -> Span:
        """A length of time."""
        (count,), (unit,) = part.of("INT"), part.of("UNIT")
        months = UNITS[unit.text].seconds is None
        self.place(name, unit if months and not (name == "term" and self.part.name == "term") else count)
        return Span(count=_count(count), unit=UNITS[unit.text])

    def money(self, name: str, part: Part) -> Money:
        """An amount of money."""
        amount = (*part.of("DECIMAL"), *part.of("INT"))[0]
        self.place(name, amount)
        written = amount.text.replace(",", "")
        # Zeros at the end are cut as text: arithmetic on decimals would round long ones.
        short = written.rstrip("0").rstrip(".") if "." in written else written
        return Money(amount=Decimal(short), currency=Currency(part.of("CURRENCY")[0].text))

    def digits(self, word: Word, size: int, what: str) -> bytes:
        """Bytes written as 0x and hex digits; zeros when they are not, which is complained of."""
        try:
            raw = bytes.fromhex(word.text[2:])
        except ValueError:
            raw = b""
        if len(raw) == size and len(word.text) == 2 + 2 * size:
            return raw
        self.complain(
            "E209",
            f"{what} is 0x and {2 * size} digits from 0 to 9 and a to f.",
            "copy it again, whole",
            word,
        )
        return bytes(size)

    def known(
        self, name: str, words: Sequence[Word], table: Mapping[str, object], what: str
    ) -> tuple[str, ...]:
        """Names that a vocabulary holds."""
        names = tuple(word.text.strip('"') if word.kind == "STRING" else word.text for word in words)
        for word, one in zip(words, names, strict=True):
            if one in table:
                self.places.setdefault(name, word)
                continue
            right = aliases().get(one, "")
            if right not in table:
                right = _nearest(one, table) if len(self.wrong) < _MOST_HELPED else ""
            help_ = f"did you mean “{right}”?" if right else "known are, among others, " + _some(table)
            self.complain("E210", f"“{one}” is not {what} that this language knows.", help_, word)
        return names


_Values: TypeAlias = Mapping[str, object]
_Understand: TypeAlias = Callable[[_Saying, Part], _Values]


def facts_of(part: Part, first: Word) -> tuple[Fact, list[Complaint]]:
    """The fact that a sentence states, and what is wrong with it; `first` is its first word."""
    saying = _Saying(part, first)
    key, understand = _FORMS[part.name]
    values = understand(saying, part)
    return Fact(key=key, first=first, values=values, places=saying.places), saying.wrong


def licence_of(facts: Mapping[str, Fact]) -> Licence:
    """The licence that all its facts make up."""
    values = {name: value for fact in facts.values() for name, value in fact.values.items()}
    fee = values.pop("fee")
    return Licence(fee=fee, **values)  # type: ignore[arg-type]  # each form gives its own fields, which the round trip holds


def _title(said: _Saying, part: Part) -> _Values:
    (name,), (number,) = part.of("STRING"), part.of("INT")
    return {"title": name.text[1:-1], "version": said.number("title", number)}


def _model(said: _Saying, part: Part) -> _Values:
    (name,), (digest,), version = part.of("STRING"), part.of("HEX"), part.of("INT")
    raw = said.digits(digest, 32, "a model's digest")
    lowest = said.number("model", version[0]) if version else 1
    return {"model": Licensed(name=name.text[1:-1], model_id=ModelId(raw), lowest_version=lowest)}


def _party(role: str) -> _Understand:
    def understand(said: _Saying, part: Part) -> _Values:
        (name,), (digits,) = part.of("STRING"), part.of("HEX")
        said.place(role, digits)
        address = Address(said.digits(digits, 20, "an account's address"))
        plain = digits.text[2:] in (digits.text[2:].lower(), digits.text[2:].upper())
        if any(address) and not plain and checksummed(address) != digits.text:
            help_ = "copy it again, or write all its letters small"
            said.complain("E209", "the letters of this address do not match its checksum.", help_, digits)
        return {role: Party(name=name.text[1:-1], address=address)}

    return understand


def _term(said: _Saying, part: Part) -> _Values:
    day = part.part("date")
    (month,), (number, year) = day.of("MONTH"), day.of("INT")
    start, length = None, said.span("term", part.part("span"))
    said.place("date", year)
    try:
        start = date(_count(year), MONTHS.index(month.text) + 1, _count(number))
    except (ValueError, OverflowError):
        said.complain(
            "E206", f"{month.text} {year.text} has no day {number.text}.", "write a day that exists", number
        )
    return {"term": Term(start=start, lasts=length)}


def _relative(said: _Saying, part: Part) -> _Values:
    return {"term": Term(start=None, lasts=said.span("term", part.part("span")))}


def _fields(said: _Saying, part: Part) -> _Values:
    names = part.part("strings_and").of("STRING")
    return {"fields": said.known("fields", names, fields(), "a field of use")}


def _in_places(key: str) -> _Understand:
    def understand(said: _Saying, part: Part) -> _Values:
        words = [place.of("PLACE")[0] for place in part.part("places").parts]
        return {key: said.known(key, words, places(), "a place")}

    return understand


def _seats(said: _Saying, part: Part) -> _Values:
    return {"seats": said.number("seats", part.of("INT")[0])}


def _attest(said: _Saying, part: Part) -> _Values:
    names = part.part("strings_or").of("STRING") if part.has("strings_or") else ()
    known = said.known("attest", names, hardware(), "a kind of hardware")
    return {"attestation": Attestation(every=said.span("attest", part.part("span")), hardware=known)}


def _fails(what: OnFailure) -> _Understand:
    return lambda _, __: {"on_failure": what}


def _fee(said: _Saying, part: Part) -> _Values:
    every = said.span("fee.every", part.part("span")) if part.has("span") else None
    return {"fee": Fee(price=said.money("fee.price", part.part("money")), every=every)}


def _packs(said: _Saying, part: Part) -> _Values:
    size = said.number("packs.size", part.of("INT")[0])
    said.place("packs", part.of("INT")[0])
    return {"packs": Packs(size=size, price=said.money("packs.price", part.part("money")))}


def _forbid(_: _Saying, part: Part) -> _Values:
    return {"forbidden": tuple(VERBS[word.text] for word in part.part("verbs").of("VERB"))}


def _every(key: str) -> _Understand:
    return lambda said, part: {key: said.span(key, part.part("span"))}


def _law(said: _Saying, part: Part) -> _Values:
    return {"law": said.known("law", part.part("place").of("PLACE"), places(), "a place")[0]}


_FORMS: Mapping[str, tuple[str, _Understand]] = {
    "title": ("title", _title),
    "model": ("model", _model),
    "licensor": ("licensor", _party("licensor")),
    "licensee": ("licensee", _party("licensee")),
    "term": ("term", _term),
    "term_relative": ("term", _relative),
    "fields": ("fields", _fields),
    "territory": ("territory", _in_places("territory")),
    "seats": ("seats", _seats),
    "resale": ("resale", lambda _, __: {"resale": True}),
    "residency": ("residency", _in_places("residency")),
    "attest": ("attest", _attest),
    "fail_suspend": ("fail", _fails(OnFailure.SUSPEND)),
    "fail_remove": ("fail", _fails(OnFailure.REMOVE)),
    "free": ("price", lambda _, __: {"fee": None}),
    "fee_once": ("price", _fee),
    "fee_periodic": ("price", _fee),
    "packs": ("packs", _packs),
    "forbid": ("forbid", _forbid),
    "audit": ("audit", _every("audit")),
    "revoke_now": ("revoke", lambda _, __: {"notice": None}),
    "revoke_notice": ("revoke", _every("notice")),
    "law": ("law", _law),
}


def _nearest(name: str, table: Mapping[str, object]) -> str:
    known = {one.lower(): one for one in table}
    near = get_close_matches(name.lower(), known, n=1, cutoff=0.6)
    return known[near[0]] if near else ""


def _some(table: Mapping[str, object]) -> str:
    return ", ".join(f"“{name}”" for name in list(table)[:4])


def _count(word: Word) -> int:
    return int(word.text.replace(",", ""))
