# SPDX-License-Identifier: Apache-2.0
"""web3 over one of our transports: it fills in and submits transactions; reads go straight to the node.

Imported with the first transaction, because web3 takes two seconds to load.
"""

from typing import Any

from web3 import Web3
from web3.providers import BaseProvider
from web3.types import RPCEndpoint, RPCResponse, TxParams

from contracts.ids import Address, Digest
from registry.chain.transport import Transport
from registry.errors import RpcFailed

_TIP = 1_000_000_000


class _Provider(BaseProvider):
    """Lets web3 speak through a transport, with its errors and its lock."""

    def __init__(self, transport: Transport) -> None:
        super().__init__()
        self._transport = transport

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """One JSON-RPC request."""
        return {"jsonrpc": "2.0", "id": 1, "result": self._transport.request(method, *params)}


class Wallet:
    """What sending needs of a node: nonces, fees and the pool."""

    def __init__(self, transport: Transport) -> None:
        self._eth = Web3(_Provider(transport), middleware=[]).eth

    def nonce(self, address: Address) -> int:
        """Transactions of an account that the node knows, its pool included."""
        return self._eth.get_transaction_count(Web3.to_checksum_address(address), "pending")

    def fees(self) -> TxParams:
        """Fees of a dynamic-fee transaction that the next blocks take: twice the base fee, and a tip."""
        base = int(self._eth.get_block("latest").get("baseFeePerGas", 0))
        try:
            tip = int(self._eth.max_priority_fee)
        except RpcFailed:  # optional in JSON-RPC
            tip = _TIP
        return {
            "type": 2,
            "maxFeePerGas": Web3.to_wei(2 * base + tip, "wei"),
            "maxPriorityFeePerGas": Web3.to_wei(tip, "wei"),
        }

    def submit(self, raw: bytes) -> Digest:
        """Put a signed transaction into the pool."""
        return Digest(bytes(self._eth.send_raw_transaction(raw)))
