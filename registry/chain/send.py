# SPDX-License-Identifier: Apache-2.0
"""Sending transactions: explicit gas and fees, and one queue of nonces per account that never leaves a gap.

A nonce is the higher of what the node counts (pool included) and what this process has in flight. Nothing is
remembered once a transaction is mined, refused or given up, so an interrupted step can simply be repeated.
"""

import threading
import time
from functools import cached_property
from typing import TYPE_CHECKING

from contracts.ids import Address, Digest
from registry.chain.reading import block, digest, octets, quantity, table
from registry.chain.reverts import revert
from registry.chain.transport import Json, Transport, reverted
from registry.chain.view import Block
from registry.errors import ChainUnavailable, RpcFailed, TimedOut
from registry.signing import Account

if TYPE_CHECKING:
    from registry.chain.web import Wallet

MINING_TIMEOUT = 180.0
_MARGIN = 1.25
_FLOOR = 10_000
_STALE = ("nonce too low", "underpriced", "replacement", "invalid nonce", "nonce is")


class Sender:
    """Signs and submits the transactions of this process on one chain."""

    def __init__(self, transport: Transport, chain_id: int) -> None:
        self._transport = transport
        self._chain_id = chain_id
        self._lock = threading.RLock()
        self._flying: dict[Address, dict[int, Digest]] = {}

    def estimate(
        self, sender: Address, to: Address | None, data: bytes, contract: str, value: int = 0
    ) -> int:
        """Gas a transaction needs; raises `Reverted` when it would."""
        try:
            return quantity(self._transport.request("eth_estimateGas", _call(sender, to, data, value)))
        except RpcFailed as error:
            if reverted(error):
                raise revert(contract, error.data) from error
            raise

    def submit(
        self, account: Account, to: Address | None, data: bytes, contract: str, value: int = 0
    ) -> Digest:
        """Estimate, sign and send; the lock covers one account's nonce from reading to sending."""
        with self._lock:
            gas = self.estimate(account.address, to, data, contract, value)
            unsent: dict[str, object] = {
                **self._wallet.fees(),
                "chainId": self._chain_id,
                "nonce": self._nonce(account.address),
                "gas": int(gas * _MARGIN) + _FLOOR,
                "value": value,
                "data": data,
                **({} if to is None else {"to": bytes(to)}),
            }
            try:
                return self._send(account, unsent)
            except RpcFailed as error:
                if not any(word in error.what.lower() for word in _STALE):
                    raise
                # another process used the account, so the node counts again
                return self._send(account, unsent | {"nonce": self._nonce(account.address)})

    def landed(self, transaction: Digest, timeout: float = MINING_TIMEOUT) -> dict[str, Json]:
        """Wait for a transaction's receipt; afterwards it is no longer in flight, whatever happened."""
        pause, deadline = 0.01, time.monotonic() + timeout
        try:
            while (found := self._transport.request("eth_getTransactionReceipt", str(transaction))) is None:
                if time.monotonic() > deadline:
                    head = block(self._transport.request("eth_getBlockByNumber", "latest", False))
                    raise TimedOut("mined", head, where=str(transaction), hint="is the chain making blocks?")
                time.sleep(pause)
                pause = min(pause * 1.5, 0.5)
            return table(found)
        except ChainUnavailable as error:
            error.hint = f"transaction {transaction} was sent and may be mined; look before repeating it"
            raise
        finally:
            self._settle(transaction)

    def explain(self, transaction: Digest, mined_in: Block, contract: str) -> Exception:
        """Why a mined transaction failed, by running it again on the block before."""
        sent = table(self._transport.request("eth_getTransactionByHash", str(transaction)))
        keys = {"from": "from", "to": "to", "input": "data", "value": "value", "gas": "gas"}
        call = {name: sent[key] for key, name in keys.items() if sent.get(key)}
        try:
            self._transport.request("eth_call", call, hex(mined_in.number - 1))
        except RpcFailed as error:
            if reverted(error):
                return revert(contract, error.data)
        return revert(contract, b"")

    def forget(self) -> None:
        """Drop what is in flight, after the chain was put back to an earlier block."""
        with self._lock:
            self._flying.clear()

    @cached_property
    def _wallet(self) -> "Wallet":
        from registry.chain.web import Wallet

        return Wallet(self._transport)

    def _send(self, account: Account, unsent: dict[str, object]) -> Digest:
        raw, transaction = account.sign_transaction(unsent)
        nonce = int(str(unsent["nonce"]))
        try:
            self._wallet.submit(raw)
        except RpcFailed:
            # a request that a transport repeated is refused the second time, although it arrived
            if self._transport.request("eth_getTransactionByHash", str(transaction)) is None:
                raise
        except ChainUnavailable as error:
            error.hint = f"transaction {transaction} may have been sent; look before repeating it"
            raise
        self._flying.setdefault(account.address, {})[nonce] = transaction
        return transaction

    def _nonce(self, address: Address) -> int:
        flying = self._flying.get(address, {})
        return max(self._wallet.nonce(address), *(nonce + 1 for nonce in flying), 0)

    def _settle(self, transaction: Digest) -> None:
        with self._lock:
            for queue in self._flying.values():
                for nonce in [n for n, hash_ in queue.items() if hash_ == transaction]:
                    del queue[nonce]


def _call(sender: Address, to: Address | None, data: bytes, value: int) -> dict[str, Json]:
    call: dict[str, Json] = {"from": str(sender), "data": "0x" + data.hex()}
    if to is not None:
        call["to"] = str(to)
    if value:
        call["value"] = hex(value)
    return call


def gas_used(receipt: dict[str, Json]) -> int:
    """Gas a mined transaction paid for."""
    return quantity(receipt.get("gasUsed"))


def succeeded(receipt: dict[str, Json]) -> bool:
    """Whether a mined transaction kept its effects."""
    return quantity(receipt.get("status")) == 1


def place(receipt: dict[str, Json]) -> tuple[int, Digest]:
    """Number and hash of the block that holds a transaction."""
    return quantity(receipt.get("blockNumber")), digest(receipt.get("blockHash"))


def created(receipt: dict[str, Json]) -> Address:
    """Address of the contract that a transaction created."""
    return Address(octets(receipt.get("contractAddress")))
