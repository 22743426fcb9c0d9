# SPDX-License-Identifier: Apache-2.0
"""Events: which logs are ours, what they say, and how many blocks to ask for at a time.

A log counts by the address it comes from: anyone can emit something that looks like ours. Licences are known
only by the registry naming them, so their events keep the address and the reader asks the registry's events. What
looks like a licence's and cannot be decoded is left out, or any stranger could stop everybody's reading.
"""

from collections.abc import Callable, Mapping, Sequence

from contracts.ids import Address, Digest
from registry.chain.abi import REGISTRIES, Shape, contracts, interface
from registry.chain.reading import digest, octets, quantity, rows, table
from registry.chain.transport import Json, Transport
from registry.chain.view import Block, Event
from registry.errors import ChainUnavailable, Reorganised, RpcFailed

_WINDOW = 2_000


class EventReader:
    """Reads and decodes the events of one deployment."""

    def __init__(
        self, transport: Transport, names: Mapping[Address, str], block: Callable[[int], Block]
    ) -> None:
        self._transport = transport
        self._names = names
        self._block = block
        self._licensed: dict[bytes, Shape] = {}
        for contract in contracts():
            if contract not in REGISTRIES:
                self._licensed |= interface(contract).events

    def between(self, first: int, last: int, addresses: Sequence[Address] | None = None) -> list[Event]:
        """Events of blocks `first` to `last`, in order; without `addresses`, ours and every licence's."""
        found: list[Event] = []
        window = _WINDOW
        while first <= last:
            end = min(last, first + window - 1)
            try:
                logs = self._logs(first, end, addresses)
            except RpcFailed:
                if window == 1:
                    raise
                window = max(1, window // 8)  # the node limits what one answer may hold
                continue
            found += self.decoded(logs)
            first = end + 1
        return found

    def decoded(self, logs: Sequence[Json]) -> list[Event]:
        """Decode logs; what is not ours is left out."""
        blocks: dict[int, Block] = {}
        found = []
        for entry in map(table, logs):
            shape = self._shape(entry)
            if shape is None:
                continue
            args = self._arguments(shape, entry)
            if args is None:
                continue
            number = quantity(entry.get("blockNumber"))
            if number not in blocks:
                blocks[number] = self._block(number)
            if blocks[number].hash != digest(entry.get("blockHash")):
                raise Reorganised(
                    "a block left the chain while its events were read", where=f"block {number}"
                )
            found.append(_event(shape, entry, args, blocks[number]))
        return sorted(found, key=lambda event: (event.block.number, event.index))

    def _logs(self, first: int, last: int, addresses: Sequence[Address] | None) -> list[Json]:
        query: dict[str, Json] = {"fromBlock": hex(first), "toBlock": hex(last)}
        if addresses is None:
            topics = {topic for name in REGISTRIES for topic in interface(name).events} | set(self._licensed)
            query["topics"] = [["0x" + topic.hex() for topic in sorted(topics)]]
        else:
            query["address"] = [str(address) for address in addresses]
        return rows(self._transport.request("eth_getLogs", query))

    def _shape(self, entry: Mapping[str, Json]) -> Shape | None:
        topics = rows(entry.get("topics"))
        if not topics or entry.get("removed"):
            return None
        name = self._names.get(Address(octets(entry.get("address"))))
        known = self._licensed if name is None else interface(name).events
        return known.get(octets(topics[0]))

    def _arguments(self, shape: Shape, entry: Mapping[str, Json]) -> Mapping[str, object] | None:
        topics, words = [octets(topic) for topic in rows(entry.get("topics"))], octets(entry.get("data"))
        try:
            return shape.read_log(topics, words)
        except ChainUnavailable:
            if Address(octets(entry.get("address"))) in self._names:
                raise
            return None


def _event(shape: Shape, entry: Mapping[str, Json], args: Mapping[str, object], block: Block) -> Event:
    return Event(
        contract=shape.contract,
        name=shape.name,
        address=Address(octets(entry.get("address"))),
        args=args,
        block=block,
        transaction=Digest(octets(entry.get("transactionHash"))),
        index=quantity(entry.get("logIndex")),
    )
