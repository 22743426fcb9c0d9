# SPDX-License-Identifier: Apache-2.0
"""How a JSON-RPC request reaches a node: over HTTP, WebSocket or an IPC socket, one at a time.

Standard library only, except for WebSocket; so a command that only reads starts quickly.
"""

import http.client
import json
import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias
from urllib.parse import urlsplit

from contracts.documents import parse_json
from registry.errors import ChainUnavailable, NotConfigured, RpcFailed

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

Json: TypeAlias = "bool | int | str | list[Json] | dict[str, Json] | None"

TIMEOUT = 30.0
_REVERTED = 3
_LARGEST = 64 << 20


class Transport(Protocol):
    """One node, asked one request at a time."""

    target: str

    def request(self, method: str, *params: Json) -> Json:
        """The result; raises `RpcFailed` for the node's own error and `ChainUnavailable` for none at all."""

    def close(self) -> None:
        """Let go of the connection; a later request opens another."""


class JsonRpc:
    """JSON-RPC 2.0 over a function that exchanges one text for another; one lock, so threads may share it."""

    def __init__(self, target: str, exchange: Callable[[bytes], bytes], close: Callable[[], None]) -> None:
        self.target = target
        self._exchange = exchange
        self._close = close
        self._lock = threading.Lock()
        self._last = 0

    def request(self, method: str, *params: Json) -> Json:
        """The result; raises `RpcFailed` for the node's own error and `ChainUnavailable` for none at all."""
        with self._lock:
            self._last += 1
            body = {"jsonrpc": "2.0", "id": self._last, "method": method, "params": list(params)}
            try:
                raw = self._exchange(json.dumps(body).encode())
                reply = parse_json(raw)
            except (OSError, EOFError, ValueError, http.client.HTTPException) as error:
                self._close()
                raise self._unavailable(f"no answer: {str(error) or type(error).__name__}") from error
            if not isinstance(reply, dict) or reply.get("id") not in (self._last, None):
                self._close()
                raise self._unavailable("an answer to another question")
        return self._result(method, reply)

    def close(self) -> None:
        """Let go of the connection; a later request opens another."""
        with self._lock:
            self._close()

    def _unavailable(self, what: str) -> ChainUnavailable:
        return ChainUnavailable(
            what, where=self.target, hint="is the node running? start one with `exequatur chain up`"
        )

    def _result(self, method: str, reply: dict[str, Json]) -> Json:
        error = reply.get("error")
        if error is None and "result" in reply:
            return reply["result"]
        if not isinstance(error, dict):
            raise self._unavailable("an answer without result or error")
        number, data = error.get("code"), error.get("data")
        raise RpcFailed(
            f"{method}: {error.get('message')}",
            number=number if isinstance(number, int) else 0,
            data=_revert_data(data),
            where=self.target,
        )


def _revert_data(data: Json) -> bytes:
    if isinstance(data, dict):  # some nodes wrap it once more
        data = data.get("data")
    try:
        return bytes.fromhex(data.removeprefix("0x")) if isinstance(data, str) else b""
    except ValueError:
        return b""


def reverted(error: RpcFailed) -> bool:
    """Whether a node's error means that the call reverted, and not that the node failed."""
    return error.number == _REVERTED or bool(error.data) or "revert" in error.what.lower()


class _Http:
    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(parts.netloc, timeout=TIMEOUT)
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    def exchange(self, body: bytes) -> bytes:
        try:
            return self._once(body)
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            self.close()  # an idle connection the node closed; the request never reached it
            return self._once(body)

    def close(self) -> None:
        self._connection.close()

    def _once(self, body: bytes) -> bytes:
        self._connection.request("POST", self._path, body, {"Content-Type": "application/json"})
        return self._connection.getresponse().read(_LARGEST)


class _Ipc:
    def __init__(self, path: str) -> None:
        self._path = path
        self._socket: socket.socket | None = None

    def exchange(self, body: bytes) -> bytes:
        if self._socket is None:
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.settimeout(TIMEOUT)
            self._socket.connect(self._path)
        self._socket.sendall(body + b"\n")
        return self._read(self._socket)

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _read(self, open_socket: socket.socket) -> bytes:
        received = bytearray()
        while len(received) <= _LARGEST:
            part = open_socket.recv(1 << 16)
            if not part:
                raise EOFError("the node closed the socket")
            received += part
            if part.rstrip().endswith(b"}") and _whole(received):
                return bytes(received)
        raise EOFError("an answer without end")


def _whole(text: bytearray) -> bool:
    try:  # IPC has no framing: an answer ends where its JSON does
        parse_json(bytes(text))
    except ValueError:
        return False
    return True


class _WebSocket:
    def __init__(self, url: str) -> None:
        self._url = url
        self._open: ExitStack | None = None
        self._connection: ClientConnection | None = None

    def exchange(self, body: bytes) -> bytes:
        from websockets.exceptions import WebSocketException
        from websockets.sync.client import connect

        try:
            if self._connection is None:
                self._open = ExitStack()
                opening = connect(self._url, open_timeout=TIMEOUT, max_size=_LARGEST)
                self._connection = self._open.enter_context(opening)
            self._connection.send(body.decode())
            return self._connection.recv(TIMEOUT, decode=False)
        except WebSocketException as error:
            raise EOFError(str(error)) from error

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
        self._open = self._connection = None


def open_transport(target: str) -> JsonRpc:
    """The transport for `http(s)://`, `ws(s)://`, or the path of an IPC socket; connects at the first request."""
    channel: _Http | _WebSocket | _Ipc
    scheme = target.partition("://")[0] if "://" in target else ""
    if scheme in ("http", "https"):
        channel = _Http(target)
    elif scheme in ("ws", "wss"):
        channel = _WebSocket(target)
    elif not scheme and target:
        channel = _Ipc(str(Path(target).expanduser()))
    else:
        raise NotConfigured(
            f"not a node: {target!r}",
            where="chain",
            hint="give http(s)://, ws(s)://, or the path of an IPC socket",
        )
    return JsonRpc(target, channel.exchange, channel.close)
