# SPDX-License-Identifier: Apache-2.0
"""Bytes that are no conversation with an SPDM device, and captures that are none of one."""

import json
import struct
from collections.abc import Callable
from functools import cache

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enclave.errors import MalformedEvidence, NotAuthentic
from enclave.evidence.detect import detect
from enclave.evidence.enclosed import Enclosed
from enclave.evidence.kinds import Kind
from enclave.evidence.spdm.captures import from_messages, from_packets
from enclave.evidence.spdm.transcript import MOST_MESSAGES, Transcript, encode
from enclave.evidence.spdm.verify import verify
from tests.fakes.evidence import NOON
from tests.fakes.spdm import (
    SoftDevice,
    block,
    challenge,
    get_certificate,
    get_digests,
    get_measurements,
)

V = 0x13
USUAL = (get_digests(V), get_certificate(V), challenge(V), get_measurements(V))
(VERSION, CAPABILITIES, ALGORITHMS, DIGESTS, CERTIFICATE, CHALLENGE_AUTH, MEASUREMENTS) = range(1, 14, 2)


@cache
def device() -> SoftDevice:
    return SoftDevice()


@cache
def good() -> tuple[bytes, ...]:
    return tuple(device().talk(USUAL, V))


Change = Callable[[list[bytes]], list[bytes]]


def at(number: int, change: Callable[[bytes], bytes]) -> Change:
    """Changes one message."""
    return lambda said: [*said[:number], change(said[number]), *said[number + 1 :]]


def put(number: int, offset: int, value: bytes) -> Change:
    """Overwrites part of one message."""
    return at(number, lambda message: message[:offset] + value + message[offset + len(value) :])


def record(*blocks: bytes, count: int | None = None, operation: int = 0xFF) -> Change:
    """Puts other blocks in the measurements."""

    def change(said: list[bytes]) -> list[bytes]:
        answer, joined = said[MEASUREMENTS], b"".join(blocks)
        size = int.from_bytes(answer[5:8], "little")
        head = answer[:4] + bytes([len(blocks) if count is None else count])
        said[MEASUREMENTS] = head + len(joined).to_bytes(3, "little") + joined + answer[8 + size :]
        said[MEASUREMENTS - 1] = said[MEASUREMENTS - 1][:3] + bytes([operation]) + said[MEASUREMENTS - 1][4:]
        return said

    return change


def chain(change: Callable[[bytes], bytes]) -> Change:
    """Changes the chain in the one portion it comes in."""

    def whole(said: list[bytes]) -> list[bytes]:
        raw = change(said[CERTIFICATE][8:])
        said[CERTIFICATE] = said[CERTIFICATE][:4] + len(raw).to_bytes(2, "little") + b"\0\0" + raw
        return said

    return whole


ONE = block(1, 0, bytes(48))
MALFORMED: dict[str, Change] = {
    "nothing": lambda said: [],
    "a request alone": lambda said: said[:-1],
    "no negotiation": lambda said: said[:4],
    "an empty request": lambda said: [*said, b"", b""],
    "an unknown request": lambda said: [*said, b"\x13\xe4\0\0", b"\x13\x64\0\0"],
    "another beginning": put(0, 0, b"\x11"),
    "a version request that is longer": at(0, lambda m: m + b"\0"),
    "a version answer to something else": put(VERSION, 1, b"\x05"),
    "a count of versions that is too high": put(VERSION, 5, b"\x09"),
    "a version that was not offered": at(VERSION, lambda m: b"\x10\x04\0\0\0\x01\0\x12"),
    "an unknown version": put(2, 0, b"\x14"),
    "an empty capabilities request": at(2, lambda m: b""),
    "capabilities of another version": put(CAPABILITIES, 0, b"\x12"),
    "capabilities that are longer": at(CAPABILITIES, lambda m: m + b"\0"),
    "capabilities that are cut off": at(CAPABILITIES, lambda m: m[:12]),
    "a length of algorithms that is wrong": put(ALGORITHMS, 4, b"\x25"),
    "a length of offers that is wrong": put(4, 4, b"\x21"),
    "two signature algorithms": put(ALGORITHMS, 12, b"\x90"),
    "no signature algorithm": put(ALGORITHMS, 12, b"\0"),
    "an unknown signature algorithm": put(ALGORITHMS, 12, b"\0\x02"),
    "an unknown hash": put(ALGORITHMS, 16, b"\x08"),
    "two digests of measurements": put(ALGORITHMS, 8, b"\x06"),
    "an unknown specification": put(ALGORITHMS, 6, b"\x02"),
    "several keys": put(ALGORITHMS, 7, b"\x10"),
    "a signature that was not offered": put(4, 8, b"\x10"),
    "a hash that was not offered": put(4, 12, b"\x04"),
    "algorithms of other registries that are not there": put(ALGORITHMS, 32, b"\x01"),
    "tables that are not there": put(ALGORITHMS, 2, b"\x01"),
    "digests that are cut off": at(DIGESTS, lambda m: m[:-1]),
    "digests that are longer": at(DIGESTS, lambda m: m + b"\0"),
    "a digests request that is longer": at(DIGESTS - 1, lambda m: m + b"\0"),
    "a portion for another slot": put(CERTIFICATE, 2, b"\x01"),
    "a portion of slot 8": lambda said: put(CERTIFICATE, 2, b"\x08")(put(CERTIFICATE - 1, 2, b"\x08")(said)),
    "a portion longer than asked": put(CERTIFICATE - 1, 6, b"\x10\0"),
    "an empty portion": at(CERTIFICATE, lambda m: m[:4] + bytes(4)),
    "a question for the size of a slot": put(CERTIFICATE - 1, 3, b"\x01"),
    "a portion from the middle": put(CERTIFICATE - 1, 4, b"\x10"),
    "a chain of another length": chain(lambda raw: b"\0\0" + raw[2:]),
    "a chain with reserved bytes": chain(lambda raw: raw[:2] + b"\1\0" + raw[4:]),
    "a chain without certificates": chain(lambda raw: b"\x34\0" + raw[2:52]),
    "a chain cut off in its root hash": chain(lambda raw: b"\x20\0" + raw[2:32]),
    "a chain with something else": chain(lambda raw: _sized(raw + b"\x30\x03\x02\x01\x00")),
    "a chain with a cut certificate": chain(lambda raw: _sized(raw[:-1])),
    "a chain with too many certificates": chain(lambda raw: _sized(raw + b"\x30\x82\0\0" * 20)),
    "a challenge that is longer": at(CHALLENGE_AUTH - 1, lambda m: m + b"\0"),
    "a summary of no kind": put(CHALLENGE_AUTH - 1, 3, b"\x07"),
    "a challenge's answer cut off": at(CHALLENGE_AUTH, lambda m: m[:-1]),
    "a challenge's answer that is longer": at(CHALLENGE_AUTH, lambda m: m + b"\0"),
    "another context in a challenge's answer": put(CHALLENGE_AUTH - 1, 40, b"\x09"),
    "more opaque data than there may be": put(CHALLENGE_AUTH, 4 + 48 + 32 + 48, b"\x01\x04"),
    "measurements that are longer": at(MEASUREMENTS, lambda m: m + b"\0"),
    "measurements that are cut off": at(MEASUREMENTS, lambda m: m[:-1]),
    "another context in the measurements": put(MEASUREMENTS - 1, 40, b"\x09"),
    "attributes that nobody has": put(MEASUREMENTS - 1, 2, b"\x81"),
    "a slot that nobody has": put(MEASUREMENTS - 1, 36, b"\x10"),
    "a change that is reserved": put(MEASUREMENTS, 3, b"\x30"),
    "a length of the record beyond the message": put(MEASUREMENTS, 5, b"\xff\xff\xff"),
    "fewer blocks than counted": record(ONE, count=2),
    "more blocks than counted": record(ONE, ONE, count=1),
    "one block twice": record(ONE, ONE),
    "another block than was asked for": record(ONE, operation=2),
    "blocks where their number was asked for": record(ONE, operation=0),
    "index 0": record(block(0, 0, bytes(48))),
    "index 255": record(block(255, 0, bytes(48))),
    "another specification": record(ONE[:1] + b"\x02" + ONE[2:]),
    "two sizes of one block": record(ONE[:2] + b"\x34" + ONE[3:]),
    "a digest of another hash": record(block(1, 0, bytes(32))),
    "an empty value": record(block(1, 0x80, b"")),
    "a security version of four bytes": record(block(1, 0x87, bytes(4))),
    "a device mode of eight bytes": record(block(1, 0x85, bytes(8))),
    "an error of another version": lambda said: [*said, USUAL[0], b"\x12\x7f\x01\0"],
    "an error that is cut off": lambda said: [*said, USUAL[0], b"\x13\x7f"],
    "an error that says too much": lambda said: [*said, USUAL[0], b"\x13\x7f\x01\0" + bytes(33)],
    "more messages than anybody needs": lambda said: [
        *said,
        *([USUAL[0], b"\x13\x7f\x01\0"] * MOST_MESSAGES),
    ],
}


def _sized(raw: bytes) -> bytes:
    return len(raw).to_bytes(2, "little") + raw[2:]


def judge(raw: bytes) -> object:
    """What is believed of these bytes."""
    body = Enclosed(evidence=raw, pieces=()).encode()
    facts = verify(body, 1, node=None, trust=device().root.trust, at=NOON)
    return facts.claims, facts.missed, facts.registers, facts.bound, facts.identity


def test_the_conversation_that_is_changed_here_is_good() -> None:
    judge(encode(good()))


@pytest.mark.parametrize("flaw", MALFORMED)
def test_anything_else_is_malformed(flaw: str) -> None:
    with pytest.raises(MalformedEvidence):
        judge(cbor2.dumps(MALFORMED[flaw](list(good())), canonical=True))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff",
        cbor2.dumps({"messages": []}),
        cbor2.dumps([*good(), "text", "text"]),
        b"\x9f" + cbor2.dumps(list(good()))[1:] + b"\xff",
        encode(good()) + b"\0",
        b"\x81" * 100_000,
    ],
    ids=["empty", "no CBOR", "a map", "text", "indefinite", "trailing", "deep"],
)
def test_other_encodings_are_malformed(raw: bytes) -> None:
    with pytest.raises(MalformedEvidence):
        Transcript.parse(raw)


def test_more_messages_than_anybody_needs_are_not_encoded() -> None:
    with pytest.raises(MalformedEvidence):
        encode([b""] * (MOST_MESSAGES + 1))


# captures


def packet(message: bytes, flags: int = 0xC8, order: str = "<") -> bytes:
    data = b"\x01\x09\x08" + bytes([flags]) + message
    return struct.pack(f"{order}IIII", 0, 0, len(data), len(data)) + data


def capture(*packets: bytes, magic: int = 0xA1B2C3D4, order: str = "<", link: int = 291) -> bytes:
    return struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, 65535, link) + b"".join(packets)


WHOLE = Enclosed(evidence=encode(good()), pieces=()).encode()


@pytest.mark.parametrize(
    ("magic", "order"),
    [(0xA1B2C3D4, "<"), (0xA1B2C3D4, ">"), (0xA1B23C4D, "<")],
    ids=["little", "big", "nano"],
)
def test_captures_of_packets_are_read(magic: int, order: str) -> None:
    raw = capture(*(packet(b"\x05" + m, order=order) for m in good()), magic=magic, order=order)
    assert from_packets(raw) == (Kind.SPDM, WHOLE)
    assert detect(raw).kind is Kind.SPDM


def test_messages_in_several_packets_are_put_together() -> None:
    packets: list[bytes] = [packet(b"\x00\x01\x02")]  # control messages of MCTP itself
    for message in good():
        parts = [(b"\x05" + message)[start : start + 64] for start in range(0, len(message) + 1, 64)]
        for number, part in enumerate(parts):
            flags = 0x80 * (number == 0) | 0x40 * (number == len(parts) - 1)
            packets.append(packet(part, flags))
    assert from_packets(capture(*packets)) == (Kind.SPDM, WHOLE)


BROKEN = {
    "a header cut off": capture(packet(b"\x05" + good()[0]))[:-9],
    "a packet cut off": capture(packet(b"\x05" + good()[0]))[:-1],
    "a packet that was shortened": capture(struct.pack("<IIII", 0, 0, 8, 9) + bytes(8)),
    "a packet without a message": capture(packet(b"")),
    "an end without a start": capture(packet(b"\x05", 0x40)),
    "a start in a message": capture(packet(b"\x05", 0x80), packet(b"\x05", 0x80)),
    "no end": capture(packet(b"\x05", 0x80)),
}


@pytest.mark.parametrize("flaw", BROKEN)
def test_broken_captures_are_malformed(flaw: str) -> None:
    with pytest.raises(MalformedEvidence):
        from_packets(BROKEN[flaw])


def test_other_captures_are_others() -> None:
    assert from_packets(capture(link=1)) is None
    assert from_packets(b"") is None
    assert from_packets(capture()[:23]) is None


def entries() -> list[dict[str, object]]:
    sides = ("requester", "responder")
    return [{"i": i, "from": sides[i % 2], "hex": m.hex()} for i, m in enumerate(good())]


def test_messages_in_json_are_read() -> None:
    raw = json.dumps(entries(), indent=1).encode()
    assert from_messages(raw) == (Kind.SPDM, WHOLE)
    assert detect(raw).kind is Kind.SPDM


@pytest.mark.parametrize(
    "document",
    [
        entries()[::-1],
        [*entries(), {"from": "requester"}],
        [*entries(), {"from": "requester", "hex": "0"}],
        [*entries(), {"from": "requester", "hex": 5}],
        [*entries(), "requester"],
    ],
    ids=["turns", "no hex", "half a byte", "a number", "text"],
)
def test_broken_messages_in_json_are_malformed(document: list[object]) -> None:
    with pytest.raises(MalformedEvidence):
        from_messages(json.dumps(document).encode())


def test_broken_json_is_malformed_and_other_json_is_other() -> None:
    with pytest.raises(MalformedEvidence):
        from_messages(b'[{"from": "requester"')
    for other in (b"", b"{}", b"[]", b'{"requester": 1}'):
        assert from_messages(other) is None


# properties


@given(st.integers(0, len(good()) - 1), st.integers(0, 2000), st.integers(1, 255))
@settings(max_examples=150, deadline=None)
def test_a_changed_byte_is_refused_or_changes_nothing(number: int, place: int, change: int) -> None:
    message = bytearray(good()[number])
    message[place % len(message)] ^= change
    said = [*good()[:number], bytes(message), *good()[number + 1 :]]
    try:
        found = judge(encode(said))
    except (MalformedEvidence, NotAuthentic):
        return
    assert found == judge(encode(good()))


@given(st.binary(max_size=300))
@settings(max_examples=100)
def test_any_bytes_are_answered(raw: bytes) -> None:
    for start in (b"", capture(), encode(good())[:700]):
        for read in (judge, from_packets, from_messages):
            try:
                read(start + raw)
            except (MalformedEvidence, NotAuthentic):
                continue


@given(st.lists(st.sampled_from(range(6, len(good()), 2)), max_size=8))
@settings(max_examples=60, deadline=None)
def test_exchanges_in_any_order_are_refused_or_prove_no_more(order: list[int]) -> None:
    """What is dropped, repeated or moved never adds a register that the device did not sign for the nonce."""
    said = [*good()[:6], *(message for at in order for message in good()[at : at + 2])]
    try:
        found = judge(encode(said))
    except (MalformedEvidence, NotAuthentic):
        return
    assert isinstance(found, tuple)
    whole = judge(encode(good()))
    assert isinstance(whole, tuple)
    assert found[2:] == whole[2:]
