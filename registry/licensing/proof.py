# SPDX-License-Identifier: Apache-2.0
"""Whether a licence keeps its twelve promises: every state it can reach is looked at, and a broken promise is told as a story."""

from collections.abc import Mapping
from dataclasses import dataclass

from registry.licensing.graph import Graph, explore
from registry.licensing.net import Net
from registry.licensing.problems import Problem
from registry.licensing.properties import PROPERTIES, Fault, promise
from registry.licensing.stories import Story, story

_TERM = "The licence starts on 1 January 2027 and lasts 24 months."
_REVOKE = "The licensor may revoke the licence at any time."
_SENTENCES: Mapping[str, str] = {
    "P3": _REVOKE,
    "P4": "The licensee must pay 2.5 ETH before activation.",
    "P6": "The licensee may use the model on at most 2 nodes.",
    "P7": "Every node must pass attestation every 24 hours.",
    "P8": "The licensee buys inferences in packs of 1,000 for 0.1 ETH.",
    "P10": _REVOKE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What was found: which of P1 to P12 hold, a story for each that does not, how many states and steps were looked at."""

    holds: Mapping[str, bool]
    stories: Mapping[str, Story]
    states: int
    edges: int

    @property
    def held(self) -> bool:
        """Whether every property holds."""
        return all(self.holds.values())

    @property
    def problems(self) -> tuple[Problem, ...]:
        """E401 to E412, one for each property that fails, with its story."""
        return tuple(_problem(name, told) for name, told in self.stories.items())


def prove(net: Net) -> Proof:
    """Look at every state of a net and check the twelve properties."""
    graph = explore(net)
    faults = {name: check(graph) for name, check in PROPERTIES.items()}
    return Proof(
        holds={name: fault is None for name, fault in faults.items()},
        stories={name: _story(graph, fault) for name, fault in faults.items() if fault is not None},
        states=len(graph.states),
        edges=graph.edges,
    )


def _story(graph: Graph, fault: Fault) -> Story:
    moves = () if fault.state is None else graph.way(fault.state, fault.row)
    return story(moves, fault.ending)


def _problem(name: str, told: Story) -> Problem:
    return Problem(
        code=f"E4{int(name[1:]):02}",
        message=f"“{promise(name).split(':')[0]}” does not hold: {told.told()}",
        help=f"look at the sentence like this one: {_SENTENCES.get(name, _TERM)}",
    )
