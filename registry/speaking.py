# SPDX-License-Identifier: Apache-2.0
"""What a licence contract's own events make of it.

Anybody's contract may emit the same. It speaks for itself only: what no licence could say makes it none, and stops nobody.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from contracts.ids import Digest, ModelId
from registry.chain.reads import Words
from registry.compiled import read_standing, read_terms
from registry.errors import RegistryError
from registry.terms import Compiled, Stage, Term

Held = Term | Compiled | None


def heard(held: Held, name: str, words: Words) -> Held:
    """A licence after an event of its contract; None for what is none."""
    try:
        return _HANDLERS[name](held, words)
    except RegistryError:  # a state or a struct that no licence has
        return None


def move_of(words: Words) -> str:
    """Name of the move that `Moved` tells of."""
    return words.id("move", Digest).rstrip(b"\0").decode("ascii", "replace")


def _drafted(_: Held, words: Words) -> Held:
    return Term(
        model_id=words.id("modelId", ModelId),
        lowest_version=words.int("lowestVersion"),
        start=words.int("start"),
        end=words.int("end"),
        seats=words.int("seats"),
        remaining=words.int("answers"),
        text=words.id("text", Digest),
    )


def _staged(stage: Stage) -> "_Handler":
    def handler(held: Held, _: Words) -> Held:
        return replace(held, stage=stage) if isinstance(held, Term) else held

    return handler


def _compiled(_: Held, words: Words) -> Held:
    return Compiled.made(read_terms(words.struct("terms")))


def _moved(held: Held, words: Words) -> Held:
    standing = read_standing(words.struct("standing"))
    return replace(held, standing=standing) if isinstance(held, Compiled) else held


def _metered(held: Held, words: Words) -> Held:
    return None if held is None else replace(held, remaining=words.int("remaining"))


def _rebound(held: Held, words: Words) -> Held:
    if not isinstance(held, Compiled):
        return held
    return replace(held, model_id=words.id("modelId", ModelId), releases=words.address("releases"))


_Handler = Callable[[Held, Words], Held]
_HANDLERS: Mapping[str, _Handler] = {
    "Drafted": _drafted,
    "Suspended": _staged(Stage.SUSPENDED),
    "Resumed": _staged(Stage.ACTIVE),
    "Revoked": _staged(Stage.REVOKED),
    "Compiled": _compiled,
    "Moved": _moved,
    "Metered": _metered,
    "Rebound": _rebound,
}
SPOKEN = frozenset(_HANDLERS)
