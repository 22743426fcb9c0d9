# SPDX-License-Identifier: Apache-2.0
"""Whatever bytes arrive, a real guest answers with an error and serves on as if nothing had been said (S8)."""

import socket
from collections.abc import Iterator

import cbor2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.ids import ZERO_DIGEST
from enclave.node.host import Guest
from enclave.statements import Receipt
from tests.fakes.jobs import Job, question

STREAMED = ("present", "open", "infer")
KINDS = (
    "keys",
    "attest",
    "present",
    "grant",
    "open",
    "infer",
    "usage",
    "stopp",
    "",
    "error",
    "quote",
    "node",
)
ENOUGH = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

scalars = st.none() | st.booleans() | st.integers(0, 2**64 - 1) | st.text(max_size=9) | st.binary(max_size=99)
bodies = scalars | st.lists(scalars | st.lists(scalars, max_size=3), max_size=5)
anything = (
    bodies | st.floats() | st.dictionaries(st.text(max_size=3), scalars, max_size=2) | st.integers(-9, -1)
)


def framed(raw: bytes) -> bytes:
    return len(raw).to_bytes(4, "big") + raw


def speak(guest: Guest, raw: bytes) -> None:
    """Send bytes, then ask for the keys until they come: whatever came before was answered by errors."""
    channel, link = guest._channel, guest._link
    link.sendall(raw + framed(cbor2.dumps(["keys", 2**40, None], canonical=True)))
    while (message := channel.receive()).id != 2**40:
        assert message.kind == "error", message
    assert message.body == guest.keys.encode()


@pytest.fixture(scope="module")
def unharmed(serving: Guest) -> Iterator[Guest]:
    """A guest that must still answer, with the next counter, when every test has spoken to it."""
    before = Receipt.read_signed(serving.infer(question(1, 2, 3, 4)).receipt)[0]
    yield serving
    after = Receipt.read_signed(serving.infer(question(1, 2, 3, 4)).receipt)[0]
    assert (after.counter, after.lease) == (before.counter + 1, before.lease)


@ENOUGH
@given(raw=st.binary(min_size=1, max_size=200))
def test_random_frames(unharmed: Guest, raw: bytes) -> None:
    speak(unharmed, framed(raw))


@ENOUGH
@given(kind=st.sampled_from(KINDS), number=st.integers(0, 2**32), body=anything)
def test_messages_with_random_bodies(unharmed: Guest, kind: str, number: int, body: object) -> None:
    if kind in ("keys", "usage") and (body is None or isinstance(body, int)):
        return
    stream = bytes(4) if kind in STREAMED else b""
    speak(unharmed, framed(cbor2.dumps([kind, number, body], canonical=True)) + stream)


@ENOUGH
@given(
    kind=st.sampled_from(STREAMED),
    length=st.integers(0, 2**64 - 1),
    frames=st.lists(st.binary(min_size=1, max_size=99), max_size=4),
)
def test_streams_that_are_not_what_they_declare(
    unharmed: Guest, kind: str, length: int, frames: list[bytes]
) -> None:
    body: list[object] = [bytes(32), length] if kind == "present" else [length]
    stream = b"".join(map(framed, frames)) + bytes(4)
    speak(unharmed, framed(cbor2.dumps([kind, 1, body], canonical=True)) + stream)


@ENOUGH
@given(place=st.integers(0, 400), bit=st.integers(0, 7))
def test_a_grant_with_one_bit_changed(unharmed: Guest, job: Job, place: int, bit: int) -> None:
    grant, signature = job.renewal(unharmed.keys, ZERO_DIGEST)
    raw = bytearray(cbor2.dumps(["grant", 1, [grant.encode(), signature, None, None]], canonical=True))
    raw[place % len(raw)] ^= 1 << bit
    speak(unharmed, framed(bytes(raw)))


def test_an_overlong_frame_is_read_past(unharmed: Guest) -> None:
    speak(unharmed, framed(bytes((1 << 20) + 1)))


def test_many_at_once_do_not_confuse_it(unharmed: Guest) -> None:
    unharmed._link.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    speak(unharmed, framed(b"\xff") * 500)
