# SPDX-License-Identifier: Apache-2.0
"""What a licence means beyond its words: the countries of its regions, what follows from it, what in it does not fit.

The rules read tables derived from the SKOS files and no RDF, so asking costs nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from registry.licensing.model import Licence, Verb
from registry.licensing.problems import Problem
from registry.licensing.vocabulary import Place, fields, hardware, places

_MOST_NAMED = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What follows from a licence.

    `places`: ISO 3166-1 numbers of the countries a node may stand in, empty for anywhere; `kinds`: bitmap of the
    technologies a node may run on, 0 for any; `because`: what was derived, a sentence each; `words`: for each problem the
    word of the licence it is about, or nothing.
    """

    problems: tuple[Problem, ...]
    words: tuple[str, ...]
    because: tuple[str, ...]
    places: frozenset[int]
    kinds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Finding:
    problem: Problem
    word: str = ""


def meaning(licence: Licence) -> Meaning:
    """Apply the semantic rules; every name in the licence must be one of the vocabularies."""
    found = [*_outside(licence), *_unendorsed(licence), *_uncared(licence)]
    kinds = 0
    for name in licence.attestation.hardware:
        kinds |= hardware()[name].kinds
    return Meaning(
        problems=tuple(one.problem for one in found),
        words=tuple(one.word for one in found),
        because=(*_regions(licence), *_hardware(licence), *_derived(licence)),
        places=_allowed(licence),
        kinds=kinds,
    )


def countries(names: Sequence[str]) -> frozenset[int]:
    """The numbers of all countries that the named places are or hold."""
    return frozenset[int]().union(*(places()[name].codes for name in names))


def _allowed(licence: Licence) -> frozenset[int]:
    said = [countries(names) for names in (licence.territory, licence.residency) if names]
    return frozenset.intersection(*said) if said else frozenset()


def _outside(licence: Licence) -> Iterator[_Finding]:
    if not (licence.territory and licence.residency):
        return
    kept = countries(licence.residency)
    where = " and ".join(_the(places()[name]) for name in licence.residency)
    for name in licence.territory:
        place = places()[name]
        if outside := place.codes - kept:
            # Of a region only the countries at fault are named; of a country nothing more is to be said.
            which = f" ({_named(outside)})" if len(place.codes) > 1 else ""
            yield _Finding(
                problem=Problem(
                    code="E204",
                    message=f"{_the(place)}{which} lies outside {where}, where personal data must stay",
                    help="leave it out of where the model may be used, or say that the data may stay there too",
                    length=len(name),
                ),
                word=name,
            )


def _unendorsed(licence: Licence) -> Iterator[_Finding]:
    if names := licence.territory or licence.residency:
        yield _Finding(
            problem=Problem(
                code="W604",
                message="no node can satisfy this until somebody endorses where it stands (custody endorsement)",
                help="agree with the licensee on who endorses that, before anyone signs",
                length=len(names[0]),
            ),
            word=names[0],
        )


def _uncared(licence: Licence) -> Iterator[_Finding]:
    for name in licence.fields:
        field = fields()[name]
        if (field.health or field.biometric) and not licence.residency:
            kind = "health" if field.health else "biometric"
            yield _Finding(
                problem=Problem(
                    code="W611",
                    message=f"“{name}” works with {kind} data, and the licence does not say where personal data must stay",
                    help="add a sentence such as: Personal data must stay in the European Economic Area.",
                    length=len(name) + 2,
                ),
                word=f'"{name}"',
            )
        if field.high_risk and not licence.audit:
            yield _Finding(
                problem=Problem(
                    code="W613",
                    message=f"“{name}” is high-risk under the EU AI Act, and the licence does not provide for an audit",
                    help="add a sentence such as: The licensor may audit the licensee every 52 weeks.",
                    length=len(name) + 2,
                ),
                word=f'"{name}"',
            )


def _regions(licence: Licence) -> Iterator[str]:
    for name in dict.fromkeys((*licence.territory, *licence.residency)):
        place = places()[name]
        if len(place.codes) > 1:
            yield f"{_the(place)} is {len(place.codes)} countries: {_named(place.codes, most=len(place.codes))}"
    if licence.residency:
        kept = f"personal data must stay in {' and '.join(_the(places()[one]) for one in licence.residency)}"
        yield (
            f"{kept}, so a node may stand only where both that and the territory allow"
            if licence.territory
            else f"{kept}, so a node may stand nowhere else, although no territory is said"
        )


def _hardware(licence: Licence) -> Iterator[str]:
    for name in licence.attestation.hardware:
        if broader := hardware()[name].broader:
            yield f"any {broader} counts as “{name}”: evidence tells the technology, not the model of it"


def _derived(licence: Licence) -> Iterator[str]:
    if Verb.EXTRACT in licence.forbidden and Verb.DISTIL not in licence.forbidden:
        yield (
            "the licensee must not extract the model, so it must not distil it either: distilling extracts a model by "
            "asking it questions"
        )
    if not licence.resale:
        return
    if Verb.REDISTRIBUTE in licence.forbidden:
        yield (
            "the licensee may offer the model to its customers and must not redistribute it: customers get answers, and "
            "the model stays on the licensed nodes"
        )
    if Verb.SUBLICENSE in licence.forbidden:
        yield (
            "the licensee may offer the model to its customers and must not sublicense it: customers get answers from the "
            "licensee, and no rights of their own to the model"
        )


def _the(place: Place) -> str:
    return f"the {place.name}" if place.article else place.name


def _named(codes: frozenset[int], *, most: int = _MOST_NAMED) -> str:
    alone = {next(iter(place.codes)): place.name for place in places().values() if len(place.codes) == 1}
    names = sorted(alone[code] for code in codes)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
