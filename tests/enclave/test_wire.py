# SPDX-License-Identifier: Apache-2.0
"""Framing: what is refused is read past, and the next message is found (S8)."""

import socket
from collections.abc import Iterator

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from enclave.errors import (
    Disconnected,
    GrantFlaw,
    GrantRefused,
    GuestFault,
    LeaseOver,
    MalformedInput,
    MalformedMessage,
    WireError,
)
from enclave.wire import (
    LONGEST_CHUNK,
    LONGEST_MESSAGE,
    Channel,
    Incoming,
    Message,
    Tensor,
    decode_tensors,
    encode_tensors,
)


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.settimeout(5)
    theirs.settimeout(5)
    with ours, theirs:
        yield ours, theirs


Ends = tuple[socket.socket, socket.socket]


def frame(raw: bytes) -> bytes:
    return len(raw).to_bytes(4, "big") + raw


def body(value: object) -> bytes:
    return cbor2.dumps(value, canonical=True)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2**64 - 1) | st.text(max_size=9) | st.binary(max_size=9),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)


@given(st.text(max_size=9), st.integers(0, 2**32), PLAIN)
def test_a_message_reads_back(kind: str, number: int, value: object) -> None:
    raw = body([kind, number, value])
    message = Message.decode(raw)
    assert [message.kind, message.id, message.body] == [kind, number, value]
    assert message.encode() == raw


@given(st.binary(max_size=60))
def test_other_bytes_are_malformed_or_the_one_encoding(raw: bytes) -> None:
    try:
        assert Message.decode(raw).encode() == raw
    except MalformedMessage:
        pass


@pytest.mark.parametrize(
    "raw",
    [
        body(["keys", 1, None]) + b"\0",
        b"\x9f\x64keys\x01\xf6\xff",
        b"\x83\x64keys\x18\x01\xf6",
        body(["keys", 1, 1.5]),
        body(["keys", 1, -1]),
        body(["keys", 1, 2**64]),
        body(["keys", 1, {}]),
        body(["keys", True, None]),
        body(["keys", 1, cbor2.CBORTag(600, 0)]),
        body(["keys", 1, [[[[[[[[[[]]]]]]]]]]]),
        body(["keys", 1]),
    ],
    ids=[
        "trailing",
        "indefinite",
        "long integer",
        "float",
        "negative",
        "big",
        "map",
        "bool id",
        "tag",
        "deep",
        "two",
    ],
)
def test_what_is_not_deterministic_and_plain_is_refused(raw: bytes) -> None:
    with pytest.raises(MalformedMessage):
        Message.decode(raw)


@pytest.mark.parametrize("size", [0, LONGEST_MESSAGE + 1])
def test_a_frame_of_another_size_is_read_past(ends: Ends, size: int) -> None:
    ours, theirs = ends
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
    theirs.sendall(frame(bytes(size)) + frame(body(["keys", 7, None])))
    channel = Channel(ours)
    with pytest.raises(MalformedMessage):
        channel.receive()
    assert channel.receive().id == 7


def test_a_message_longer_than_a_frame_is_not_sent(ends: Ends) -> None:
    with pytest.raises(MalformedMessage):
        Channel(ends[0]).send("keys", 1, bytes(LONGEST_MESSAGE))


@pytest.mark.parametrize("parts", [[], [b""], [b"abc"], [b"a", b"", b"bc"], [bytes(LONGEST_CHUNK + 5)]])
def test_a_stream_arrives_whole(ends: Ends, parts: list[bytes]) -> None:
    whole = b"".join(parts)
    ends[1].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
    Channel(ends[1]).send("open", 1, [len(whole)], parts)
    channel = Channel(ends[0])
    assert channel.receive().body == [len(whole)]
    stream = channel.incoming(len(whole))
    assert stream.read(len(whole)) == whole
    stream.finish()


@pytest.mark.parametrize(
    "sent",
    [
        frame(b"ab") + frame(b""),
        frame(b"abcd") + frame(b""),
        frame(b"ab") + frame(b"cd") + frame(b""),
        frame(b"abc") + frame(b"d") + frame(b""),
        frame(b""),
    ],
    ids=["short", "long", "long second", "one more", "none"],
)
def test_a_stream_of_another_length_is_read_past(ends: Ends, sent: bytes) -> None:
    ends[1].sendall(sent + frame(body(["keys", 7, None])))
    channel = Channel(ends[0])
    stream = channel.incoming(3)
    with pytest.raises(MalformedMessage):
        read_whole(stream)
    stream.drain()
    assert channel.receive().id == 7


def read_whole(stream: Incoming) -> None:
    stream.read(3)
    stream.finish()


def test_the_end_of_the_connection_is_its_own_error(ends: Ends) -> None:
    ends[1].sendall(b"\0\0\0\x09abc")
    ends[1].close()
    with pytest.raises(Disconnected):
        Channel(ends[0]).receive()
    with pytest.raises(Disconnected):
        Channel(ends[0]).send("keys", 1, None)


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        (["GrantRefused", "", "", "", ["LATE", "NODE"]], GrantRefused),
        (["LeaseOver", "over", "lease", "", []], LeaseOver),
        (["KeyError", "x", "y", "", []], GuestFault),
        (["GrantRefused", "", "", "", []], GuestFault),
        (7, GuestFault),
    ],
)
def test_an_error_keeps_its_type(ends: Ends, told: object, kind: type[Exception]) -> None:
    ends[1].sendall(frame(body(["error", 1, told])))
    with pytest.raises(kind) as raised:
        Channel(ends[0]).request("grant")
    if isinstance(raised.value, GrantRefused):
        assert raised.value.flaws == {GrantFlaw.LATE, GrantFlaw.NODE}


def test_an_answer_to_another_request_is_refused(ends: Ends) -> None:
    ends[1].sendall(frame(body(["keys.ok", 2, None])))
    with pytest.raises(WireError):
        Channel(ends[0]).request("keys")


TENSOR = Tensor(name="x", dtype="float32", shape=(1, 2), data=bytes(8))


def test_tensors_read_back() -> None:
    tensors = [TENSOR, Tensor(name="empty", dtype="int64", shape=(0, 4), data=b"")]
    assert decode_tensors(encode_tensors(tensors)) == tensors


@pytest.mark.parametrize(
    "value",
    [
        7,
        [["x", "float32", [1, 2]]],
        [["x", "float32", [1, 2], bytes(9)]],
        [["x", "object", [1], bytes(8)]],
        [["x", "float32", [-1], b""]],
        [["x", "float32", [2**40, 0], b""]],
        [["x", "float32", [1], bytes(4)]] * 2,
        [[1, "float32", [1], bytes(4)]],
    ],
)
def test_what_is_no_tensor_is_refused(value: object) -> None:
    with pytest.raises(MalformedInput):
        decode_tensors(body(value))


@given(st.binary(max_size=60))
def test_other_bytes_are_no_tensors(raw: bytes) -> None:
    try:
        assert encode_tensors(decode_tensors(raw)) == raw
    except MalformedInput:
        pass
