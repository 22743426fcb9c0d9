# SPDX-License-Identifier: Apache-2.0
"""Step 12, the chain's half: events folded into the state at a block, so any decision can be judged again.

Pure: an exported event file is enough. A differential test holds `State.permits` equal to the contracts'.
"""

from collections.abc import Iterable

from registry.chain.view import Event
from registry.exchange import dump_events, load_events
from registry.folding import Folding
from registry.state import State

__all__ = ["State", "dump_events", "fold", "load_events"]


def fold(events: Iterable[Event], state: State | None = None) -> State:
    """The state after `events`, in the order of the chain, on top of an earlier one."""
    folding = Folding(state or State())
    for event in events:
        folding.take(event)
    return folding.state()
