# SPDX-License-Identifier: Apache-2.0
"""One chain, whichever node is behind it: block-consistent reads, typed reverts, transactions, waits, events.

Synchronous. Reads pin a block number and compare its hash before and after; only what the contracts say at one
block is ever combined.
"""

import time
from collections.abc import Sequence

from contracts.ids import Address, Digest
from contracts.records import Finality
from registry.chain.abi import interface
from registry.chain.book import AddressBook
from registry.chain.events import EventReader
from registry.chain.reading import block, octets, quantity, rows
from registry.chain.reverts import revert
from registry.chain.send import Sender, created, gas_used, place, succeeded
from registry.chain.transport import Json, Transport, reverted
from registry.chain.view import Block, Event, Mined
from registry.errors import CodeMismatch, NotConfigured, Reorganised, RpcFailed, TimedOut
from registry.signing import Account

_TAGS = {Finality.SEEN: "latest", Finality.SAFE: "safe", Finality.FINAL: "finalized"}
_WORDS = {Finality.SEEN: "seen", Finality.SAFE: "safe", Finality.FINAL: "final"}
_ATTEMPTS = 3


class Chain:
    """The contracts on one chain, through one node."""

    embedded = False

    def __init__(self, transport: Transport, chain_id: int, book: AddressBook | None = None) -> None:
        self.transport = transport
        self.chain_id = chain_id
        self._book = book
        self._sender = Sender(transport, chain_id)
        self._reader = EventReader(transport, book.names() if book else {}, self.block)

    @property
    def book(self) -> AddressBook:
        """Where the contracts are."""
        if self._book is None:
            raise NotConfigured(
                "no contracts are known on this chain", hint="deploy with `exequatur chain deploy`"
            )
        return self._book

    def adopt(self, book: AddressBook) -> None:
        """Use the contracts of `book` from now on."""
        self._book = book
        self._reader = EventReader(self.transport, book.names(), self.block)

    def head(self, level: Finality = Finality.SEEN) -> Block:
        """The last block of a finality level; an embedded chain has no lag."""
        return block(self.transport.request("eth_getBlockByNumber", _TAGS[level], False))

    def block(self, number: int) -> Block:
        """The block with this number; raises `Reorganised` when the chain has none."""
        found = self.transport.request("eth_getBlockByNumber", hex(number), False)
        if found is None:
            raise Reorganised("no such block", where=f"block {number}")
        return block(found)

    def call(
        self, to: Address, contract: str, function: str, *args: object, at: Block | None = None
    ) -> tuple[object, ...]:
        """What a view function returns at block `at` or the head; structs as dicts, addresses as `Address`."""
        shape = interface(contract).functions[function]
        raw = self._consistent(to, shape.encode(args), contract, at)
        if not raw and shape.outputs:
            raise CodeMismatch("no contract there", where=f"{contract} {to}")
        return shape.decode(raw)

    def code(self, address: Address) -> bytes:
        """Runtime code at an address; empty for none."""
        return octets(self.transport.request("eth_getCode", str(address), "latest"))

    def balance(self, address: Address) -> int:
        """What an account holds, in wei."""
        return quantity(self.transport.request("eth_getBalance", str(address), "latest"))

    def estimate(
        self, sender: Address, to: Address, contract: str, function: str, *args: object, value: int = 0
    ) -> int:
        """Gas a transaction would use; raises `Reverted` when it would."""
        data = interface(contract).functions[function].encode(args)
        return self._sender.estimate(sender, to, data, contract, value)

    def transact(
        self, account: Account, to: Address, contract: str, function: str, *args: object, value: int = 0
    ) -> Mined:
        """Send a transaction with `value` wei and wait until it is mined; raises `Reverted` when a contract refuses."""
        data = interface(contract).functions[function].encode(args)
        return self.send(account, to, data, value=value, contract=contract)

    def deploy(self, account: Account, contract: str, *args: object) -> tuple[Address, Mined]:
        """Create a packaged contract."""
        return self.create(account, interface(contract).creation(args), contract)

    def estimate_creation(self, sender: Address, code: bytes, contract: str) -> int:
        """Gas that creating a contract would use; raises `Reverted` when its constructor would."""
        return self._sender.estimate(sender, None, code, contract)

    def create(self, account: Account, code: bytes, contract: str) -> tuple[Address, Mined]:
        """Create a contract from its creation code with the constructor's arguments; `contract` is its interface."""
        transaction = self._sender.submit(account, None, code, contract)
        receipt = self._sender.landed(transaction)
        return created(receipt), self._mined(transaction, receipt, contract)

    def send(
        self, account: Account, to: Address, data: bytes = b"", *, value: int = 0, contract: str = ""
    ) -> Mined:
        """Send bare calldata or value, and wait until it is mined."""
        transaction = self._sender.submit(account, to, data, contract, value)
        return self.mined(transaction, contract)

    def mined(self, transaction: Digest, contract: str = "") -> Mined:
        """Wait until a transaction somebody sent is mined; raises `Reverted` when it failed."""
        return self._mined(transaction, self._sender.landed(transaction), contract)

    def wait(self, mined: Mined, level: Finality, timeout: float) -> Block:
        """Wait until a mined transaction is at a finality level; returns the block that holds it then.

        Raises `TimedOut` with level and head, and `Reorganised` when the transaction left the chain.
        """
        deadline, pause = time.monotonic() + timeout, 0.05
        while True:
            head = self.head(level)
            held = self._holding(mined.transaction)
            if held.number <= head.number:
                return held
            if time.monotonic() > deadline:
                raise TimedOut(_WORDS[level], head, where=f"block {held.number}")
            time.sleep(pause)
            pause = min(pause * 1.5, 2.0)

    def events(self, first: int, last: int, *, addresses: Sequence[Address] | None = None) -> list[Event]:
        """Events of blocks `first` to `last` in order; without `addresses`, ours and every licence's."""
        return self._reader.between(first, last, addresses)

    def close(self) -> None:
        """Let go of the node."""
        self.transport.close()

    def _consistent(self, to: Address, data: bytes, contract: str, at: Block | None) -> bytes:
        for _ in range(_ATTEMPTS):
            pinned = at or self.head()
            if at is not None and self.block(at.number).hash != at.hash:
                break
            raw = self._view(to, data, contract, pinned)
            if self.block(pinned.number).hash == pinned.hash:
                return raw
        raise Reorganised("the block left the chain while it was read", where=f"block {pinned.number}")

    def _view(self, to: Address, data: bytes, contract: str, at: Block) -> bytes:
        call: dict[str, Json] = {"to": str(to), "data": "0x" + data.hex()}
        try:
            return octets(self.transport.request("eth_call", call, hex(at.number)))
        except RpcFailed as error:
            if reverted(error):
                raise revert(contract, error.data) from error
            raise

    def _holding(self, transaction: Digest) -> Block:
        receipt = self.transport.request("eth_getTransactionReceipt", str(transaction))
        if not isinstance(receipt, dict):
            raise Reorganised("the transaction left the chain", where=str(transaction))
        number, hash_ = place(receipt)
        held = self.block(number)
        if held.hash != hash_:
            raise Reorganised("the transaction's block left the chain", where=str(transaction))
        return held

    def _mined(self, transaction: Digest, receipt: dict[str, Json], contract: str) -> Mined:
        number, hash_ = place(receipt)
        held = self.block(number)
        if held.hash != hash_:
            raise Reorganised("the transaction's block left the chain", where=str(transaction))
        if not succeeded(receipt):
            raise self._sender.explain(transaction, held, contract)
        events = tuple(self._reader.decoded(rows(receipt.get("logs"))))
        return Mined(transaction=transaction, block=held, gas=gas_used(receipt), events=events)
