# SPDX-License-Identifier: Apache-2.0
"""Development chains: time travel, snapshots, money from nowhere. Nothing here works on a real chain."""

from contracts.ids import Address, Digest
from registry.chain.chain import Chain
from registry.chain.reading import octets, rows
from registry.chain.transport import Json
from registry.chain.view import Block
from registry.errors import NotConfigured, RpcFailed

ETHER = 10**18


class DevChain(Chain):
    """A chain that can be told what time it is."""

    def advance(self, seconds: int) -> Block:
        """Mine a block `seconds` after the head."""
        self.transport.request("evm_setNextBlockTimestamp", hex(self.head().timestamp + max(1, seconds)))
        return self.mine()

    def mine(self, blocks: int = 1) -> Block:
        """Mine empty blocks."""
        for _ in range(blocks):
            self.transport.request("evm_mine")
        return self.head()

    def snapshot(self) -> Json:
        """A point that `revert` goes back to."""
        return self.transport.request("evm_snapshot")

    def revert(self, snapshot: Json) -> None:
        """Go back to a snapshot; it is used up."""
        if self.transport.request("evm_revert", snapshot) is False:
            raise NotConfigured("no such snapshot", where=str(snapshot))
        self._sender.forget()


def fund(chain: Chain, address: Address, wei: int = 100 * ETHER) -> None:
    """Send ether from the first unlocked account of a development chain."""
    try:
        accounts = rows(chain.transport.request("eth_accounts"))
    except RpcFailed:
        accounts = []
    if not accounts:
        raise NotConfigured(
            "this node has no unlocked account",
            where=f"chain {chain.chain_id}",
            hint=f"send ether to {address}",
        )
    call: dict[str, Json] = {"from": accounts[0], "to": str(address), "value": hex(wei)}
    chain.mined(Digest(octets(chain.transport.request("eth_sendTransaction", call))))
