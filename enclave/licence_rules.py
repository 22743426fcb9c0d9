# SPDX-License-Identifier: Apache-2.0
"""What an event of a licence's contract must say, given those before it; `enclave.coherence` is the way in.

A move of a compiled licence is made again, so that how the licence stands afterwards can be nothing else.
"""

from collections.abc import Collection, Iterator, Mapping

from contracts.ids import Address, Digest, ModelId
from enclave.clash import Before, Clash, Rule, demand, differ
from registry.compiled import read_standing, read_terms
from registry.speaking import move_of
from registry.terms import Compiled, Stage, Term

_MAKING = ("Drafted", "Compiled")
_OF_TERM = ("Suspended", "Resumed", "Revoked")
_OF_ANY = ("Metered",)


def of_a_licence(seen: Before, places: Collection[Address]) -> Iterator[Clash]:
    """What does not speak for a contract of ours must be a licence, of the kind that emits such events."""
    event, held = seen.event, seen.facts.terms.get(seen.event.address)
    if event.name in _MAKING:
        yield from demand("a new licence", held is None and event.address not in places)
        return
    kind = Term if event.name in _OF_TERM else Compiled
    known = held is not None if event.name in _OF_ANY else isinstance(held, kind)
    yield from demand("a licence at this address", known)


def _licence_granted(seen: Before) -> Iterator[Clash]:
    words, licence = seen.words, seen.words.address("licence")
    yield from demand("a new grant", licence not in seen.facts.grants)
    term = seen.facts.terms.get(licence)
    if term is not None:  # another kind of licence says nothing that could be compared
        found = words.id("modelId", ModelId), words.int("seats"), words.id("text", Digest)
        yield from differ("model, seats and text", (term.model_id, term.seats, term.text), found)


def _drafted(seen: Before) -> Iterator[Clash]:
    yield from demand("a model", seen.words.id("modelId", ModelId) in seen.facts.models)
    yield from demand("a term", seen.words.int("start") < seen.words.int("end"))
    yield from demand("seats", seen.words.int("seats") > 0)


def _moves(*stages: Stage) -> Rule:
    def rule(seen: Before) -> Iterator[Clash]:
        term = seen.facts.terms[seen.event.address]
        if not isinstance(term, Term):
            return
        yield from differ("modelId", term.model_id, seen.words.id("modelId", ModelId))
        yield from demand("a licence in a state that allows it", term.stage in stages)

    return rule


def _compiled(seen: Before) -> Iterator[Clash]:
    terms = read_terms(seen.words.struct("terms"))
    yield from differ("modelId", terms.model_id, seen.words.id("modelId", ModelId))
    fixed, lasting = terms.start < terms.end, terms.length > 0 and not terms.start | terms.end
    yield from demand("a term", fixed != lasting)
    yield from demand("seats", terms.seats > 0)
    yield from demand("an interval", terms.every > 0)
    priced = (terms.period or not terms.price) and (terms.pack or not terms.pack_price)
    yield from demand("prices of what is sold", bool(priced))


def _moved(seen: Before) -> Iterator[Clash]:
    held, words = seen.facts.terms[seen.event.address], seen.words
    if not isinstance(held, Compiled):
        return
    move = move_of(words)
    yield from differ("modelId", held.model_id, words.id("modelId", ModelId))
    expected = held.after(move, seen.event.block.timestamp)
    yield from demand("a move that can be made", expected is not None)
    if expected is not None:
        yield from differ("standing", expected, read_standing(words.struct("standing")))
    if move != "expire" and is_here(seen, held):
        licensor, licensee = parties(seen, held)
        yield from differ("by", licensee if _is_licensees(move, held) else licensor, words.address("by"))


def _proposed(seen: Before) -> Iterator[Clash]:
    held = seen.facts.terms[seen.event.address]
    if isinstance(held, Compiled) and is_here(seen, held):
        yield from demand("a party", seen.words.address("by") in parties(seen, held))


def _drawn(seen: Before) -> Iterator[Clash]:
    held = seen.facts.terms[seen.event.address]
    if isinstance(held, Compiled) and is_here(seen, held):
        yield from differ("licensor", parties(seen, held)[0], seen.words.address("to"))


def parties(seen: Before, held: Compiled) -> tuple[Address, Address]:
    """Licensor and licensee of a licence at an event of its contract; `KeyError` for one that nobody granted."""
    return seen.facts.models[held.model_id].owner, seen.facts.grants[seen.event.address].licensee


def is_here(seen: Before, held: Compiled) -> bool:
    """Whether the licence looks its parties up in the contracts whose events these are."""
    return held.releases in (None, seen.book.releases)


def _is_licensees(move: str, held: Compiled) -> bool:
    asked = {"pay": held.terms.price, "buy": held.terms.pack_price, "activate": 1}
    return bool(asked.get(move))


LICENCE_RULES: Mapping[str, Rule] = {
    "LicenceGranted": _licence_granted,
    "Drafted": _drafted,
    "Suspended": _moves(Stage.ACTIVE),
    "Resumed": _moves(Stage.SUSPENDED),
    "Revoked": _moves(Stage.ACTIVE, Stage.SUSPENDED),
    "Compiled": _compiled,
    "Moved": _moved,
    "RebindProposed": _proposed,
    "Drawn": _drawn,
}
