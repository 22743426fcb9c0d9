# SPDX-License-Identifier: Apache-2.0
"""Framing between host, vault and quoter; the layout and every message are in guest/SPEC.md.

A frame is a u32 big-endian length and that many bytes. A message is one frame of at most 1 MiB holding the
deterministic CBOR of `[type, id, body]`; bodies hold integers, strings, byte strings, booleans, null and arrays.
Whatever may be longer travels as a stream: its length is declared in a message, then come raw frames of at
most 1 MiB + 64 bytes, then an empty frame. Lengths are always explicit, so what is refused is read past and
the next message is found again.
"""

import math
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import cbor2

from contracts.digests import Cbor
from enclave.faults import Disconnected, MalformedInput, MalformedMessage, WireError, remote_error

LONGEST_MESSAGE = 1 << 20
LONGEST_CHUNK = (1 << 20) + 64
_DEEPEST = 8
_PIECE = 1 << 16
_ELEMENTS = {
    **dict.fromkeys(("bool", "int8", "uint8"), 1),
    **dict.fromkeys(("int16", "uint16", "float16"), 2),
    **dict.fromkeys(("int32", "uint32", "float32"), 4),
    **dict.fromkeys(("int64", "uint64", "float64"), 8),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message: what it asks or answers, which request it belongs to, and its body."""

    kind: str
    id: int
    body: Cbor

    def encode(self) -> bytes:
        """Deterministic CBOR; raises `MalformedMessage` when it is longer than a frame may be."""
        raw = cbor2.dumps([self.kind, self.id, self.body], canonical=True)
        if len(raw) > LONGEST_MESSAGE:
            raise MalformedMessage(f"{len(raw)} bytes, at most {LONGEST_MESSAGE}", where=self.kind)
        return raw

    @classmethod
    def decode(cls, raw: bytes) -> "Message":
        """Read `encode()`; raises `MalformedMessage` for any other bytes."""
        try:
            value = cbor2.loads(raw, max_depth=_DEEPEST, allow_indefinite=False)
        except Exception as error:  # cbor2 raises many kinds on hostile input
            raise MalformedMessage("not CBOR", where="message") from error
        match value:
            case [str(kind), int(number), body] if _plain(value) and type(number) is int:
                if cbor2.dumps(value, canonical=True) == raw:
                    return cls(kind=kind, id=number, body=body)
        raise MalformedMessage("not the deterministic CBOR of [type, id, body]", where="message")


def _plain(value: object) -> bool:
    if isinstance(value, list):
        return all(map(_plain, value))
    return value is None or type(value) in (str, bytes, bool) or (type(value) is int and 0 <= value < 1 << 64)


class Link(Protocol):
    """What carries frames: a socket."""

    def sendall(self, data: bytes, /) -> None:
        """Send all of it."""

    def recv_into(self, buffer: memoryview, nbytes: int = 0, flags: int = 0, /) -> int:
        """Read some bytes; zero at the end."""


class Incoming:
    """A stream being received: read it in order with `read` or `readinto`; `drain` skips what is left."""

    def __init__(self, channel: "Channel", total: int) -> None:
        self._channel = channel
        self._left = total
        self._frame = 0
        self._ended = False

    def readinto(self, view: memoryview) -> None:
        """Fill `view`; raises `MalformedMessage` when the stream holds less."""
        while len(view):
            part = view[: self._available()]
            self._channel.fill(part)
            self._frame -= len(part)
            self._left -= len(part)
            view = view[len(part) :]

    def read(self, size: int) -> bytes:
        """The next `size` bytes."""
        held = bytearray(size)
        self.readinto(memoryview(held))
        return bytes(held)

    def finish(self) -> None:
        """Check that exactly the declared bytes came."""
        if not self._left and not self._frame:
            self._frame = self._header()
        if not self._ended or self._left:
            raise MalformedMessage("a stream of another length than declared", where="stream")

    def drain(self) -> None:
        """Read past whatever is left of the stream, declared or not."""
        while not self._ended:
            self._channel.skip(self._frame)
            self._frame = self._header()

    def _available(self) -> int:
        if not self._frame:
            self._frame = self._header()
        if not 0 < self._frame <= min(LONGEST_CHUNK, self._left):
            raise MalformedMessage("a stream that breaks off, or a chunk too long", where="stream")
        return self._frame

    def _header(self) -> int:
        size = 0 if self._ended else self._channel.length()
        self._ended = size == 0
        return size


class Channel:
    """Messages and streams over one connected socket."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._last = 0

    def send(self, kind: str, number: int, body: Cbor, stream: Iterable[bytes] | None = None) -> None:
        """Send a message, and the stream that it declares."""
        head = _framed(Message(kind=kind, id=number, body=body).encode())
        if stream is None:
            self._write(head)
            return
        for chunk in stream:
            view = memoryview(chunk)
            for start in range(0, len(view), LONGEST_CHUNK):
                self._write(head + _framed(view[start : start + LONGEST_CHUNK]))
                head = b""
        self._write(head + bytes(4))

    def receive(self) -> Message:
        """The next message; raises `MalformedMessage`, having read past it, or `Disconnected`."""
        size = self.length()
        if not 0 < size <= LONGEST_MESSAGE:
            self.skip(size)
            raise MalformedMessage(f"{size} bytes, 1 to {LONGEST_MESSAGE} allowed", where="message")
        raw = bytearray(size)
        self.fill(memoryview(raw))
        return Message.decode(bytes(raw))

    def request(self, kind: str, body: Cbor = None, stream: Iterable[bytes] | None = None) -> Message:
        """Send a request and return its answer; raises the error that the peer names instead."""
        self._last += 1
        self.send(kind, self._last, body, stream)
        answer = self.receive()
        if answer.kind == "error":
            raise remote_error(answer.body)
        if answer.id != self._last:
            raise WireError(f"answer {answer.id} to request {self._last}", where=kind)
        return answer

    def incoming(self, total: int) -> Incoming:
        """The stream that the last message declared."""
        return Incoming(self, total)

    def length(self) -> int:
        """The next frame's length."""
        head = bytearray(4)
        self.fill(memoryview(head))
        return int.from_bytes(head, "big")

    def fill(self, view: memoryview) -> None:
        """Read exactly `len(view)` bytes; raises `Disconnected` at the end."""
        while len(view):
            try:
                got = self._link.recv_into(view, len(view), socket.MSG_WAITALL)
            except OSError as error:
                raise Disconnected("the connection broke", where="wire") from error
            if got == 0:
                raise Disconnected("the other side closed the connection", where="wire")
            view = view[got:]

    def _write(self, raw: bytes) -> None:
        try:
            self._link.sendall(raw)
        except OSError as error:
            raise Disconnected("the connection broke", where="wire") from error

    def skip(self, size: int) -> None:
        """Read past `size` bytes without holding them."""
        held = memoryview(bytearray(min(size, _PIECE)))
        while size:
            self.fill(part := held[:size])
            size -= len(part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """A named tensor of a request or an answer: little-endian, row-major bytes of a NumPy element type."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    data: bytes

    def __post_init__(self) -> None:
        size = _ELEMENTS.get(self.dtype)
        if size is None or len(self.data) != math.prod(self.shape) * size:
            raise MalformedInput(
                "an element type we do not carry, or bytes that do not fill the shape", where=self.name[:80]
            )


def encode_tensors(tensors: Iterable[Tensor]) -> bytes:
    """Deterministic CBOR of a request or an answer."""
    return cbor2.dumps([[t.name, t.dtype, list(t.shape), t.data] for t in tensors], canonical=True)


def decode_tensors(raw: bytes) -> list[Tensor]:
    """Read `encode_tensors`; raises `MalformedInput` for any other bytes."""
    try:
        value = cbor2.loads(raw, max_depth=_DEEPEST, allow_indefinite=False)
        rows = [(name, dtype, shape, data) for name, dtype, shape, data in value]
    except Exception as error:  # cbor2 and unpacking raise many kinds on hostile input
        raise MalformedInput("not an array of tensors", where="tensors") from error
    for row in rows:
        if [type(part) for part in row] != [str, str, list, bytes] or not all(
            type(n) is int and 0 <= n < 1 << 32 for n in row[2]
        ):
            raise MalformedInput("a tensor is [name, element type, shape, bytes]", where="tensors")
    tensors = [Tensor(name=n, dtype=d, shape=tuple(s), data=b) for n, d, s, b in rows]
    if len({t.name for t in tensors}) != len(tensors) or encode_tensors(tensors) != raw:
        raise MalformedInput("a name twice, or not deterministically encoded", where="tensors")
    return tensors


def _framed(raw: bytes | memoryview) -> bytes:
    return len(raw).to_bytes(4, "big") + raw
