# SPDX-License-Identifier: Apache-2.0
"""What several events of a compiled licence show together: answers that were paid for, money that was drawn, moves both wanted."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from contracts.ids import Address, Digest, ModelId
from enclave.clash import Before, Clash, demand, differ
from enclave.licence_rules import is_here, parties
from registry.speaking import move_of
from registry.terms import Compiled

_Target = tuple[Address, ModelId]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sale:
    transaction: Digest
    licence: Address
    packs: int


@dataclass(slots=True)
class Dealings:
    """Follows what was paid to each licence, and what its parties proposed; a sale waits for the move that explains it."""

    paid: dict[Address, int] = field(default_factory=dict)
    proposed: dict[tuple[Address, Address], _Target] = field(default_factory=dict)
    sale: _Sale | None = None
    agreed: Digest | None = None

    def sells(self, seen: Before, change: int) -> bool:
        """Whether answers that were added are whole packs of a compiled licence, which is then to say who bought them."""
        licence, held = seen.event.address, seen.facts.terms.get(seen.event.address)
        if not isinstance(held, Compiled) or not held.counts or change <= 0 or change % held.terms.pack:
            return False
        packs = change // held.terms.pack
        self.sale = _Sale(transaction=seen.event.transaction, licence=licence, packs=packs)
        return True

    def clashes(self, seen: Before) -> Iterator[Clash]:
        """What an event of a licence says against those before it; then counts it."""
        held = seen.facts.terms.get(seen.event.address)
        if not isinstance(held, Compiled):
            return
        match seen.event.name:
            case "Moved":
                yield from self._moved(seen, held)
            case "Drawn":
                least = self.paid.pop(seen.event.address, 0)
                yield from demand("at least what was paid", seen.words.int("amount") >= max(1, least))
            case "RebindProposed":
                self._proposed(seen, held)
            case "Rebound":
                yield from self._rebound(seen, held)

    def left_over(self, transaction: Digest | None = None) -> Iterator[Clash]:
        """In an earlier transaction, answers that nobody bought, or a move that both parties wanted and was not made."""
        if self.agreed is not None and self.agreed != transaction:
            yield Clash(what="move that both want", expected="another event in the transaction", found="none")
            self.agreed = None
        if self.sale is not None and self.sale.transaction != transaction:
            yield Clash(what="answers bought", expected="another event in the transaction", found="none")
            self.sale = None

    def _moved(self, seen: Before, held: Compiled) -> Iterator[Clash]:
        licence, move = seen.event.address, move_of(seen.words)
        if move == "pay":
            self.paid[licence] = self.paid.get(licence, 0) + held.terms.price
        if move != "buy":
            return
        sale, self.sale = self.sale, None
        yield from differ("licence that sold answers", licence, sale.licence if sale else None)
        if sale is not None:
            self.paid[licence] = self.paid.get(licence, 0) + sale.packs * held.terms.pack_price

    def _proposed(self, seen: Before, held: Compiled) -> None:
        licence, wanted = seen.event.address, _wanted(seen)
        self.proposed[licence, seen.words.address("by")] = wanted
        if is_here(seen, held) and self._wanted_by(seen, held) == {wanted}:
            self.agreed = seen.event.transaction

    def _rebound(self, seen: Before, held: Compiled) -> Iterator[Clash]:
        self.agreed = None
        if is_here(seen, held):
            yield from differ("what both want", {_wanted(seen)}, self._wanted_by(seen, held))
        for key in [key for key in self.proposed if key[0] == seen.event.address]:
            del self.proposed[key]  # no proposal outlives a move

    def _wanted_by(self, seen: Before, held: Compiled) -> set[object]:
        return {self.proposed.get((seen.event.address, party)) for party in parties(seen, held)}


def _wanted(seen: Before) -> _Target:
    return seen.words.address("releases"), seen.words.id("modelId", ModelId)
