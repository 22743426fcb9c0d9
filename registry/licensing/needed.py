# SPDX-License-Identifier: Apache-2.0
"""The facts that no licence goes without: none of them has a silent default."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Needed:
    """A fact that no licence goes without: in the author's words, words that tell its sentence, a sentence that says it."""

    what: str
    telling: frozenset[str]
    example: str


FACTS: Mapping[str, Needed] = {
    key: Needed(what=what, telling=frozenset(telling.split()), example=example)
    for key, what, telling, example in (
        ("title", "its name", "version", 'Licence "Name" version 1.'),
        ("model", "which model it is for", "digest", 'The model is "name" with digest 0x….'),
        ("licensor", "who grants it", "licensor", 'The licensor is "name" at 0x….'),
        ("licensee", "who may use the model", "licensee", 'The licensee is "name" at 0x….'),
        ("term", "how long it lasts", "starts lasts", "The licence starts on activation and lasts 52 weeks."),
        (
            "seats",
            "on how many nodes the model may run",
            "most nodes",
            "The licensee may use the model on at most 2 nodes.",
        ),
        (
            "attest",
            "how often nodes must pass attestation",
            "pass",
            "Every node must pass attestation every 24 hours.",
        ),
        (
            "fail",
            "what happens when a node fails attestation",
            "fails",
            "If a node fails attestation, the node is removed.",
        ),
        ("price", "what it costs", "pay free charge", "The licence is free of charge."),
        (
            "revoke",
            "how the licensor may revoke it",
            "revoke",
            "The licensor may revoke the licence at any time.",
        ),
    )
}
