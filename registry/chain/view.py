# SPDX-License-Identifier: Apache-2.0
"""What the chain says, as plain frozen values: blocks, events, mined transactions."""

from collections.abc import Mapping
from dataclasses import dataclass

from contracts.ids import Address, Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One block; `timestamp` is in unix seconds."""

    number: int
    hash: Digest
    timestamp: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One decoded event, `index` counting within its block.

    `args` holds plain Python by parameter name: int, bool, str, bytes of the declared length, `Address`,
    and a dict for a struct.
    """

    contract: str
    name: str
    address: Address
    args: Mapping[str, object]
    block: Block
    transaction: Digest
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Mined:
    """A transaction in a block, with the gas it used and what it emitted."""

    transaction: Digest
    block: Block
    gas: int
    events: tuple[Event, ...]

    def event(self, name: str) -> Event:
        """The first event called `name`; `KeyError` when the transaction emitted none."""
        for event in self.events:
            if event.name == name:
                return event
        raise KeyError(name)
