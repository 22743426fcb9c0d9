# SPDX-License-Identifier: Apache-2.0
"""What cannot be as an event says, and everything that was before it: what rules over events are written with."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

from registry.chain.book import AddressBook
from registry.chain.reads import Words
from registry.chain.view import Event
from registry.folding import Folding


@dataclass(frozen=True, slots=True, kw_only=True)
class Clash:
    """Something that cannot be as an event says."""

    what: str
    expected: str
    found: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """An event, and everything that was before it."""

    event: Event
    words: Words
    facts: Folding
    book: AddressBook


def differ(what: str, expected: object, found: object) -> Iterator[Clash]:
    """A clash unless both are equal."""
    if expected != found:
        yield Clash(what=what, expected=_shown(expected), found=_shown(found))


def demand(what: str, holds: bool) -> Iterator[Clash]:
    """A clash unless something holds."""
    if not holds:
        yield Clash(what=what, expected="yes", found="no")


def _shown(value: object) -> str:
    return str(value.name if isinstance(value, Enum) else value)


Rule = Callable[[Before], Iterator[Clash]]
