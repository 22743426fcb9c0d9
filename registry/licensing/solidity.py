# SPDX-License-Identifier: Apache-2.0
"""A licence's contract as Solidity source: a template, and numbers and hashes to fill it with.

Nothing the author wrote as text reaches the source: `Constants` holds numbers, hashes and two names of our own.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from contracts.ids import Digest, FixedBytes
from registry.licensing.meaning import meaning
from registry.licensing.model import Fee, Licence, OnFailure

if TYPE_CHECKING:
    from jinja2 import Template

CONTRACT = "Licence"
FOR_EVER = 2**40 - 1
"""`period` of a fee that is paid once."""
_WORD, _WORDS = 256, 4


class Payer(StrEnum):
    """Whose word counts for a payment: the licensee who sends ether, or the licensor who confirms other money."""

    LICENSEE = "onlyLicensee"
    LICENSOR = "onlyLicensor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Constants:
    """What is filled in, as `ICompiledLicence.Terms` describes it; `places` holds four words, or none for anywhere."""

    model: FixedBytes
    lowest_version: int
    start: int
    end: int
    length: int
    seats: int
    every: int
    removes: bool
    kinds: int
    places: tuple[int, ...]
    period: int
    price: int
    payer: Payer
    notice: int
    pack: int
    pack_price: int
    buyer: Payer
    text: FixedBytes


def source(licence: Licence, text: Digest) -> str:
    """The contract's source; `text` is the digest of the licence's canonical text."""
    return _template().render(dict(_printed(constants(licence, text))))


def constants(licence: Licence, text: Digest) -> Constants:
    """What a licence says, in numbers."""
    meant, fee, packs, term = meaning(licence), licence.fee, licence.packs, licence.term
    return Constants(
        model=licence.model.model_id,
        lowest_version=licence.model.lowest_version,
        start=term.starts_at,
        end=term.ends_at,
        length=0 if term.start else term.lasts.seconds,
        seats=licence.seats,
        every=licence.attestation.every.seconds,
        removes=licence.on_failure is OnFailure.REMOVE,
        kinds=meant.kinds,
        places=_bitmap(meant.places),
        period=_period(fee),
        price=fee.price.wei if fee and fee.price.in_ether else 0,
        payer=Payer.LICENSEE if fee and fee.price.in_ether else Payer.LICENSOR,
        notice=licence.notice.seconds if licence.notice else 0,
        pack=packs.size if packs else 0,
        pack_price=packs.price.wei if packs and packs.price.in_ether else 0,
        buyer=Payer.LICENSEE if packs and packs.price.in_ether else Payer.LICENSOR,
        text=text,
    )


def _period(fee: Fee | None) -> int:
    if fee is None:
        return 0
    return FOR_EVER if fee.every is None else fee.every.seconds


def _bitmap(codes: frozenset[int]) -> tuple[int, ...]:
    if not codes:
        return ()
    return tuple(sum(1 << code % _WORD for code in codes if code // _WORD == word) for word in range(_WORDS))


def _printed(filled: Constants) -> Iterator[tuple[str, object]]:
    """Each constant as the template prints it; anything but a number, a hash or a name of ours is a mistake here."""
    for name in (part.name for part in fields(filled)):
        value = getattr(filled, name)
        if isinstance(value, FixedBytes | Payer):
            yield name, str(value)
        elif isinstance(value, bool):
            yield name, "true" if value else "false"
        elif isinstance(value, int):
            yield name, int(value)
        elif isinstance(value, tuple):
            yield name, [f"0x{int(word):064x}" for word in value]
        else:
            raise TypeError(f"{name} is no number")
    yield "packs", filled.pack != 0


@cache
def _template() -> "Template":
    from jinja2 import Environment, StrictUndefined

    engine = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False)  # noqa: S701  # Solidity, no HTML
    return engine.from_string((files("registry.licensing") / "Licence.sol.j2").read_text("utf-8"))
