# SPDX-License-Identifier: Apache-2.0
"""A whole chain inside this process, on eth-tester and py-evm: for the demo and tests.

It ends with the process, has no finality lag, mines each transaction at once, and its clock runs ahead by at
least a second a block. Reads go to py-evm directly: eth-tester turns revert data into text, and its log search
is quadratic in blocks.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from contracts.ids import Address
from registry.chain.deploy import deploy_all
from registry.chain.dev import DevChain, fund
from registry.chain.gas import least_gas
from registry.chain.reading import octets, quantity, rows, table
from registry.chain.transport import Json
from registry.errors import RpcFailed
from registry.signing import Account, creation_address

if TYPE_CHECKING:
    from eth.abc import BlockAPI, BlockHeaderAPI, ComputationAPI, ReceiptAPI, SignedTransactionAPI

_BLOCK_GAS = 25_000_000
_NOBODY = "0x" + "00" * 20
_REVERTED = 3
_TIP = 1_000_000_000


class EmbeddedTransport:
    """JSON-RPC methods over an `EthereumTester`; one lock, as eth-tester corrupts under threads."""

    target = "embedded"

    def __init__(self) -> None:
        from eth_tester import EthereumTester, PyEVMBackend

        self._tester = EthereumTester(PyEVMBackend())
        self._lock = threading.RLock()
        self._next = 0
        self._methods: Mapping[str, Callable[..., Json]] = {
            "eth_chainId": lambda: hex(self._chain.chain_id),
            "eth_accounts": lambda: list(self._tester.get_accounts()),
            "eth_maxPriorityFeePerGas": lambda: hex(_TIP),
            "eth_gasPrice": lambda: hex(_TIP + (self._chain.get_canonical_head().base_fee_per_gas or 0)),
            "eth_getBlockByNumber": self._block,
            "eth_getCode": lambda address, tag: "0x" + self._state(tag).get_code(octets(address)).hex(),
            "eth_getBalance": lambda address, tag: hex(self._state(tag).get_balance(octets(address))),
            "eth_getTransactionCount": lambda address, tag: hex(self._state(tag).get_nonce(octets(address))),
            "eth_call": self._call,
            "eth_estimateGas": self._estimate,
            "eth_sendRawTransaction": self._tester.send_raw_transaction,
            "eth_sendTransaction": self._send,
            "eth_getTransactionByHash": self._transaction,
            "eth_getTransactionReceipt": self._receipt,
            "eth_getLogs": self._logs,
            "evm_setNextBlockTimestamp": self._set_time,
            "evm_mine": self._mine,
            "evm_snapshot": self._tester.take_snapshot,
            "evm_revert": self._tester.revert_to_snapshot,
        }

    def request(self, method: str, *params: Json) -> Json:
        """Answer as a node would."""
        from eth.exceptions import PyEVMError
        from eth_tester.exceptions import SnapshotNotFound, TransactionFailed, ValidationError
        from eth_utils.exceptions import ValidationError as InvalidTransaction

        if method not in self._methods:
            raise RpcFailed(f"{method}: no such method", where=self.target)
        with self._lock:
            try:
                return self._methods[method](*params)
            except (
                PyEVMError,
                SnapshotNotFound,
                TransactionFailed,
                ValidationError,
                InvalidTransaction,
            ) as error:
                raise RpcFailed(f"{method}: {error}", where=self.target) from error

    def gas_of(self, call: Mapping[str, Json], limit: int) -> int:
        """Gas that the code behind a call uses at the head, without what a transaction pays before."""
        with self._lock:
            ran = self._run(call, None, limit)
            _output(ran)
            return int(ran.get_gas_used())

    def close(self) -> None:
        """Nothing to let go of."""

    @property
    def _chain(self):  # type: ignore[no-untyped-def]  # eth-tester replaces it when it reverts
        return self._tester.backend.chain

    def _state(self, tag: Json):  # type: ignore[no-untyped-def]  # py-evm's state
        return self._chain.get_vm(self._header(tag)).state

    def _header(self, tag: Json) -> "BlockHeaderAPI | None":
        head: BlockHeaderAPI = self._chain.get_canonical_head()
        if tag in ("latest", "safe", "finalized", "pending"):
            return head
        if isinstance(tag, dict):  # EIP-1898: a block by its hash
            return self._chain.get_block_header_by_hash(octets(tag["blockHash"]))  # type: ignore[no-any-return]  # py-evm's
        number = quantity(tag)
        if number > head.block_number:
            return None
        return self._chain.get_canonical_block_header_by_number(number)  # type: ignore[no-any-return]  # py-evm's

    def _block(self, tag: Json, _full: Json) -> Json:
        header = self._header(tag)
        if header is None:
            return None
        return {
            "number": hex(header.block_number),
            "hash": "0x" + header.hash.hex(),
            "parentHash": "0x" + header.parent_hash.hex(),
            "timestamp": hex(header.timestamp),
            "baseFeePerGas": hex(header.base_fee_per_gas or 0),
        }

    def _run(self, call: Mapping[str, Json], header: "BlockHeaderAPI | None", gas: int) -> "ComputationAPI":
        vm = self._chain.get_vm(header)
        to, data = octets(call.get("to", _NOBODY)), octets(call.get("data", "0x"))
        sender = octets(call.get("from", _NOBODY))
        code = vm.state.get_code(to) if "to" in call else data
        return vm.execute_bytecode(  # type: ignore[no-any-return]  # py-evm's
            sender,
            0,
            gas,
            to,
            sender,
            quantity(call.get("value", "0x0")),
            data if "to" in call else b"",
            code,
        )

    def _call(self, call: Json, tag: Json = "latest") -> Json:
        header = self._header(tag)
        if header is None:
            raise RpcFailed("eth_call: no such block", where=self.target)
        return "0x" + _output(self._run(table(call), header, _BLOCK_GAS)).hex()

    def _estimate(self, call: Json) -> Json:
        asked = table(call)
        ran = self._run(asked, None, _BLOCK_GAS)
        made, data = _output(ran), octets(asked.get("data", "0x"))

        def enough(gas: int) -> bool:
            return not self._run(asked, None, gas).is_error

        return hex(least_gas(data, "to" not in asked, ran.get_gas_used(), made, enough))

    def _send(self, call: Json) -> Json:
        asked = table(call)
        given = {"from": asked["from"], "to": asked["to"], "value": quantity(asked["value"]), "gas": 100_000}
        return str(self._tester.send_transaction(given))

    def _set_time(self, timestamp: Json) -> Json:
        self._next = quantity(timestamp)
        return None

    def _mine(self) -> Json:
        if self._next:
            self._tester.backend.time_travel(self._next + 1)  # which steps back a second
            self._next = 0
        else:
            self._tester.mine_block()
        return "0x0"

    def _find(self, transaction: Json) -> "tuple[BlockAPI, int] | None":
        from eth.exceptions import TransactionNotFound

        try:
            number, index = self._chain.get_canonical_transaction_index(octets(transaction))
        except TransactionNotFound:
            return None
        return self._chain.get_canonical_block_by_number(number), index

    def _transaction(self, transaction: Json) -> Json:
        found = self._find(transaction)
        if found is None:
            return None
        sent: SignedTransactionAPI = found[0].transactions[found[1]]
        shown = {"from": "0x" + sent.sender.hex(), "input": "0x" + sent.data.hex(), "value": hex(sent.value)}
        return {**shown, "to": "0x" + sent.to.hex() if sent.to else None, "gas": hex(sent.gas)}

    def _receipt(self, transaction: Json) -> Json:

        found = self._find(transaction)
        if found is None:
            return None
        block, index = found
        receipts = block.get_receipts(self._chain.chaindb)
        sent = block.transactions[index]
        before = receipts[index - 1].gas_used if index else 0
        made = creation_address(Address(sent.sender), sent.nonce)
        return {
            "status": hex(int(receipts[index].state_root == b"\x01")),
            "blockNumber": hex(block.number),
            "blockHash": "0x" + block.hash.hex(),
            "gasUsed": hex(receipts[index].gas_used - before),
            "contractAddress": None if sent.to else str(made),
            "logs": [log for log in _logs(block, receipts) if log["transactionHash"] == transaction],
        }

    def _logs(self, query: Json) -> Json:
        asked = table(query)
        wanted = {octets(address) for address in rows(asked.get("address", []))}
        topics = {octets(topic) for topic in rows(rows(asked.get("topics", [[]]))[0])}
        found: list[Json] = []
        last = self._chain.get_canonical_head().block_number
        for number in range(quantity(asked["fromBlock"]), min(last, quantity(asked["toBlock"])) + 1):
            if self._chain.get_canonical_block_header_by_number(number).bloom:
                block = self._chain.get_canonical_block_by_number(number)
                found += _logs(block, block.get_receipts(self._chain.chaindb), wanted, topics)
        return found


def _logs(
    block: "BlockAPI",
    receipts: "tuple[ReceiptAPI, ...]",
    wanted: set[bytes] = frozenset(),  # type: ignore[assignment]  # empty means any
    topics: set[bytes] = frozenset(),  # type: ignore[assignment]  # as above
) -> Iterator[dict[str, Json]]:
    index = -1
    for sent, receipt in zip(block.transactions, receipts, strict=True):
        for log in receipt.logs:
            index += 1
            named = [topic.to_bytes(32, "big") for topic in log.topics]
            if (wanted and log.address not in wanted) or (topics and not topics & set(named[:1])):
                continue
            yield {
                "address": "0x" + log.address.hex(),
                "topics": ["0x" + topic.hex() for topic in named],
                "data": "0x" + log.data.hex(),
                "blockNumber": hex(block.number),
                "blockHash": "0x" + block.hash.hex(),
                "transactionHash": "0x" + sent.hash.hex(),
                "logIndex": hex(index),
            }


def _output(computation: "ComputationAPI") -> bytes:
    if computation.is_error:
        error = computation.error
        data = error.args[0] if error.args and isinstance(error.args[0], bytes) else b""
        raise RpcFailed(f"execution reverted: {error!r}", number=_REVERTED, data=data, where="embedded")
    return computation.output


class EmbeddedChain(DevChain):
    """A chain that lives in this process."""

    embedded = True


def embedded() -> EmbeddedChain:
    """A fresh embedded chain with the five contracts deployed."""
    transport = EmbeddedTransport()
    chain = EmbeddedChain(transport, quantity(transport.request("eth_chainId")))
    account = Account.generate()
    fund(chain, account.address)
    chain.adopt(deploy_all(chain, account))
    return chain
