# SPDX-License-Identifier: Apache-2.0
"""A licence clause by clause, for who is about to sign it: who keeps the clause, and which moves are there because of it."""

from collections.abc import Mapping
from dataclasses import dataclass

from registry.licensing.net import Net
from registry.licensing.report import Report
from registry.licensing.stories import step

KEPT: Mapping[str, str] = {
    "chain": "enforced by the contract",
    "claim": "checked against claims in the node's evidence",
    "record": "promised and recorded only; no code enforces it",
}
"""Who keeps a clause, by its class."""

MOVES: Mapping[str, tuple[str, ...]] = {
    "model": ("use",),
    "licensor": ("grant", "suspend", "resume"),
    "licensee": ("accept", "activate"),
    "term": ("clock_start", "expire"),
    "term_relative": ("expire",),
    "seats": ("seat", "unseat"),
    "attest": ("attest", "withdraw", "replace"),
    "fail_suspend": ("lapse",),
    "fail_remove": ("lapse",),
    "fee_once": ("pay",),
    "fee_periodic": ("pay", "clock_due"),
    "packs": ("buy", "back", "settle"),
    "revoke_now": ("revoke",),
    "revoke_notice": ("notify", "clock_notice", "revoke"),
}
"""Names of the moves that a sentence form brings into the net."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """One clause: its place and words, its class and what that means, what may happen because of it."""

    line: int
    text: str
    kind: str
    kept: str
    moves: tuple[str, ...]


def explained(report: Report) -> tuple[Explained, ...]:
    """Every clause of a licence that was understood."""
    return tuple(
        Explained(
            line=clause.line,
            text=clause.text,
            kind=str(clause.kind),
            kept=KEPT[str(clause.kind)],
            moves=() if report.net is None else _told(report.net, MOVES.get(clause.form, ())),
        )
        for clause in report.clauses
    )


def _told(net: Net, names: tuple[str, ...]) -> tuple[str, ...]:
    """What these moves are in words, each said once and of no particular node."""
    rows = (move for name in names for move in net.moves if move.name == name and move.node in (None, 1))
    return tuple(dict.fromkeys(step(move).replace("node 1", "a node") for move in rows))
