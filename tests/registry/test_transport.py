# SPDX-License-Identifier: Apache-2.0
"""Requests over HTTP, WebSocket and IPC; nodes that are absent, slow to answer or wrong."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from contracts.ids import ZERO_ADDRESS, Digest
from registry.chain.anvil import command, down, find_anvil, up
from registry.chain.book import AddressBook, book_path, find_book
from registry.chain.connect import connect, connect_bare
from registry.chain.deploy import DEPLOYER, check_code, create2_address, deploy_all, probe_block_hashes
from registry.chain.dev import DevChain, fund
from registry.chain.embedded import EmbeddedChain, EmbeddedTransport
from registry.chain.transport import Json, Transport, open_transport
from registry.errors import (
    ChainUnavailable,
    CodeMismatch,
    MalformedBook,
    NotConfigured,
    RpcFailed,
    WrongChain,
)
from registry.signing import Account

_OK = b'{"jsonrpc":"2.0","id":1,"result":"0x1"}'


@contextmanager
def _http(answer: bytes) -> Iterator[str]:
    """A server that gives every request the same bytes, once each, and closes."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        stop = threading.Event()

        def serve() -> None:
            while not stop.is_set():
                try:
                    peer, _ = server.accept()
                except OSError:
                    return
                with peer:
                    peer.recv(1 << 16)
                    peer.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        stop.set()
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def _reply(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(body), body)


def test_http_answers() -> None:
    with _http(_reply(_OK)) as url:
        assert open_transport(url).request("eth_chainId") == "0x1"


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'{"id":7,"result":1}', b'{"id":1}', b'{"id":1,"error":"no"}', b"\xff"],
)
def test_s8_http_nonsense_is_unavailable(body: bytes) -> None:
    with _http(_reply(body)) as url, pytest.raises(ChainUnavailable) as gone:
        open_transport(url).request("eth_chainId")
    assert gone.value.where == url


def test_s8_not_http_at_all_is_unavailable() -> None:
    with _http(b"SSH-2.0-OpenSSH\r\n") as url, pytest.raises(ChainUnavailable):
        open_transport(url).request("eth_chainId")


@pytest.mark.parametrize(
    ("data", "read"), [("0x01", b"\1"), ({"data": "0x02"}, b"\2"), ("Reverted 0x", b""), (7, b"")]
)
def test_a_nodes_error_keeps_its_data(data: Json, read: bytes) -> None:
    body = {"id": 1, "error": {"code": 3, "message": "execution reverted", "data": data}}
    with _http(_reply(json.dumps(body).encode())) as url, pytest.raises(RpcFailed) as failed:
        open_transport(url).request("eth_call")
    assert (failed.value.number, failed.value.data) == (3, read)


@pytest.mark.parametrize("target", ["http://127.0.0.1:1", "ws://127.0.0.1:1", "/nonexistent/node.ipc"])
def test_no_node_says_how_to_start_one(target: str) -> None:
    with pytest.raises(ChainUnavailable) as gone:
        connect(target)
    assert "chain up" in gone.value.hint


@pytest.mark.parametrize("target", ["", "ftp://node", "tcp://127.0.0.1:1"])
def test_not_a_node(target: str) -> None:
    with pytest.raises(NotConfigured):
        open_transport(target)


def test_s8_an_ipc_socket_that_talks_nonsense(tmp_path: Path) -> None:
    path = tmp_path / "node.ipc"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()

        def serve() -> None:
            peer, _ = server.accept()
            with peer:
                peer.recv(1 << 16)
                peer.sendall(b"}" * 10)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        with pytest.raises(ChainUnavailable):
            open_transport(str(path)).request("eth_chainId")
        thread.join()


@pytest.mark.anvil
def test_one_node_over_http_websocket_and_ipc_and_over_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXEQUATUR_HOME", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    ipc, state = tmp_path / "anvil.ipc", tmp_path / "state.json"
    node = up(ipc, state=state, port=port, block_time=0.2)
    account = Account.generate()
    try:
        chain = connect_bare(str(ipc))
        fund(chain, account.address)
        book = deploy_all(chain, account)
        book.save(book_path(chain.chain_id))
        for target in (f"http://127.0.0.1:{port}", f"ws://127.0.0.1:{port}", str(ipc)):
            live = connect(target)
            assert live.book == book
            assert live.send(account, account.address).block.number > book.deployed_at
            live.close()
            assert live.head().number > 0
            live.close()
    finally:
        down(node)
    node = up(ipc, state=state, port=port, block_time=0.2)
    try:
        assert connect(str(ipc)).balance(account.address) > 0
    finally:
        down(node)
    assert connect_fails(str(ipc))


def connect_fails(target: str) -> bool:
    with pytest.raises(ChainUnavailable):
        connect(target)
    return True


@pytest.mark.anvil
def test_anvil_that_cannot_start_says_why(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(ChainUnavailable) as failed:
        up(tmp_path / "a.ipc", state=tmp_path / "s.json", port=taken.getsockname()[1])
    assert "did not start" in failed.value.what


@pytest.mark.anvil
def test_anvil_is_told_to_finalise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = command(tmp_path / "a.ipc", state=tmp_path / "s.json")
    for option, value in (("--hardfork", "osaka"), ("--block-time", "1"), ("--slots-in-an-epoch", "1")):
        assert line[line.index(option) + 1] == value
    monkeypatch.setenv("ANVIL_BIN", find_anvil())
    assert command(tmp_path / "a.ipc")[0] == find_anvil()


def test_anvil_that_is_missing_says_where_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("ANVIL_BIN", raising=False)
    monkeypatch.setattr("registry.chain.anvil._MODULES", tmp_path)
    with pytest.raises(NotConfigured) as missing:
        find_anvil()
    assert "npm" in missing.value.hint


def test_deploying_again_finds_what_is_there(chain: DevChain) -> None:
    account = Account.generate()
    fund(chain, account.address)
    before = chain.balance(account.address)
    book = deploy_all(chain, account, finality_wait=chain.book.finality_wait)
    assert book == chain.book
    assert chain.balance(account.address) == before
    check_code(chain, book)


def test_addresses_are_the_same_on_every_chain(chain: DevChain) -> None:
    from registry.chain.abi import interface

    assert chain.book.policies == create2_address(interface("PolicyRegistry").creation(()))
    assert chain.code(DEPLOYER)


def test_other_code_than_the_book_recorded_is_refused(chain: DevChain) -> None:
    hashes = {**chain.book.code_hashes, "ReleaseLog": Digest(bytes(32))}
    with pytest.raises(CodeMismatch) as other:
        check_code(chain, _book(chain.book, code_hashes=hashes))
    assert other.value.where == "ReleaseLog"


def test_a_chain_without_the_contracts_is_refused(chain: DevChain) -> None:
    with pytest.raises(CodeMismatch) as none:
        check_code(chain, _book(chain.book, models=ZERO_ADDRESS))
    assert "no code" in none.value.what


def _book(book: AddressBook, **changes: object) -> AddressBook:
    from dataclasses import replace

    return replace(book, **changes)  # type: ignore[arg-type]


class _Lying:
    """A node whose RPC names other block hashes than its EVM."""

    target = "lying"

    def __init__(self, inner: Transport) -> None:
        self.inner = inner

    def request(self, method: str, *params: Json) -> Json:
        said = self.inner.request(method, *params)
        if method == "eth_getBlockByNumber" and isinstance(said, dict):
            return {**said, "hash": "0x" + "22" * 32}
        return said

    def close(self) -> None:
        pass


def test_a_chain_whose_block_hashes_disagree_is_refused(chain: DevChain) -> None:
    lying = DevChain(_Lying(chain.transport), chain.chain_id)
    with pytest.raises(WrongChain):
        probe_block_hashes(lying, Account.generate())
    probe_block_hashes(chain, Account.generate())


def test_a_block_hash_that_no_code_may_begin_with_is_read(chain: DevChain) -> None:
    while chain.mine().hash[0] != 0xEF:
        pass
    chain.mine()
    probe_block_hashes(chain, Account.generate())


def test_an_embedded_chain_knows_its_methods_only() -> None:
    transport = EmbeddedTransport()
    with pytest.raises(RpcFailed):
        transport.request("eth_mining")
    chain = EmbeddedChain(transport, 1)
    assert chain.head().number == 0
    transport.close()


def test_a_book_survives_its_file(chain: DevChain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXEQUATUR_HOME", str(tmp_path))
    with pytest.raises(NotConfigured) as missing:
        find_book(chain.chain_id)
    assert "chain deploy" in missing.value.hint
    chain.book.save(book_path(chain.chain_id))
    assert find_book(chain.chain_id) == chain.book
    with pytest.raises(NotConfigured):
        AddressBook.load(tmp_path / "none.json")


@pytest.mark.anvil
def test_a_book_for_another_chain_is_refused(
    anvil_chain: DevChain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXEQUATUR_HOME", str(tmp_path))
    target = anvil_chain.transport.target
    with pytest.raises(WrongChain):
        connect(target, book=_book(anvil_chain.book, chain_id=1))
    _book(anvil_chain.book, chain_id=1).save(book_path(anvil_chain.chain_id))
    with pytest.raises(MalformedBook):
        connect(target)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: "",
        lambda text: "[]",
        lambda text: text.replace("chainId", "chain"),
        lambda text: text.replace("ReleaseLog", "Other"),
        lambda text: text.replace('"0x', '"'),
        lambda text: text.replace('"finalityWait": ', '"finalityWait": -'),
    ],
)
def test_s8_a_malformed_book_is_refused(embedded_chain: DevChain, spoil: Callable[[str], str]) -> None:
    text = _book(embedded_chain.book, finality_wait=7).encode()
    assert AddressBook.decode(text).finality_wait == 7
    with pytest.raises(MalformedBook):
        AddressBook.decode(spoil(text))
