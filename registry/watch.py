# SPDX-License-Identifier: Apache-2.0
"""Watching a chain: every event once and in order, and word of it when some of them left the chain."""

from contracts.records import Finality
from registry.chain.chain import Chain
from registry.chain.view import Block, Event
from registry.errors import Reorganised, Rewound

_WINDOW = 2_000
_REMEMBERED = 256


class Watcher:
    """Events from `start_block` on, up to the head of a finality level, polled."""

    def __init__(self, chain: Chain, start_block: int, level: Finality = Finality.SEEN) -> None:
        self._chain = chain
        self._level = level
        self._start = start_block
        self._seen: list[Block] = []

    @property
    def cursor(self) -> int:
        """The last block whose events `poll` has returned."""
        return self._seen[-1].number if self._seen else self._start - 1

    def poll(self) -> list[Event]:
        """The events since the last poll, maybe none; raises `Rewound` when earlier ones left the chain."""
        self._require_standing()
        head = self._chain.head(self._level)
        if head.number <= self.cursor:
            return []
        last = min(head.number, self.cursor + _WINDOW)
        end = head if last == head.number else self._chain.block(last)
        try:
            events = self._chain.events(self.cursor + 1, last)
            if self._chain.block(last).hash != end.hash:
                return []
        except Reorganised:
            return []  # what was read mixes two histories; the next poll reads one
        self._seen = [*self._seen[-_REMEMBERED:], end]
        return events

    def _require_standing(self) -> None:
        if not self._seen or self._stands(self._seen[-1]):
            return
        while self._seen and not self._stands(self._seen[-1]):
            self._seen.pop()
        raise Rewound(self.cursor)

    def _stands(self, block: Block) -> bool:
        try:
            return self._chain.block(block.number).hash == block.hash
        except Reorganised:
            return False
