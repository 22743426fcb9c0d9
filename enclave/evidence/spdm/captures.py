# SPDX-License-Identifier: Apache-2.0
"""Conversations with SPDM devices as other programs write them down: messages in JSON, and packets of MCTP."""

from collections.abc import Iterator

from contracts.documents import parse_json
from contracts.errors import ExequaturError
from enclave.errors import MalformedEvidence
from enclave.evidence.enclosed import Enclosed
from enclave.evidence.kinds import Kind
from enclave.evidence.spdm.transcript import encode

_SIDES = ("requester", "responder")
_ORDERS = {b"\xd4\xc3\xb2\xa1": "little", b"\x4d\x3c\xb2\xa1": "little", b"\xa1\xb2\xc3\xd4": "big"}
_MCTP_LINK = 291
_FILE_HEADER, _RECORD_HEADER, _MCTP_HEADER = 24, 16, 4
_START, _END = 0x80, 0x40
_SPDM_TYPE = 0x05


def from_messages(raw: bytes) -> tuple[Kind, bytes] | None:
    """Read `[{"from": "requester" or "responder", "hex": ...}, ...]`; None for anything else."""
    if raw.lstrip()[:1] != b"[" or b'"requester"' not in raw[:4096]:
        return None
    try:
        document = parse_json(raw)
        assert isinstance(document, list)
        messages = [bytes.fromhex(entry["hex"]) for entry in document]
        sides = [entry["from"] for entry in document]
    except (ValueError, TypeError, KeyError, RecursionError, ExequaturError) as error:
        raise MalformedEvidence("not messages with a side and hexadecimal", where="SPDM messages") from error
    if sides != [_SIDES[number % 2] for number in range(len(sides))]:
        raise MalformedEvidence("requester and responder do not take turns", where="SPDM messages")
    return Kind.SPDM, _body(messages)


def from_packets(raw: bytes) -> tuple[Kind, bytes] | None:
    """Read a pcap file whose link type is MCTP; None for anything else."""
    order = _ORDERS.get(raw[:4])
    if order is None or len(raw) < _FILE_HEADER:
        return None
    link = _number(raw[20:24], order) & 0xFFFFFFF
    return (Kind.SPDM, _body(list(_reassembled(raw, order)))) if link == _MCTP_LINK else None


def _body(messages: list[bytes]) -> bytes:
    return Enclosed(evidence=encode(messages), pieces=()).encode()


def _number(raw: bytes, order: str) -> int:
    return int.from_bytes(raw, "little" if order == "little" else "big")


def _packets(raw: bytes, order: str) -> Iterator[bytes]:
    at = _FILE_HEADER
    while at < len(raw):
        header = raw[at : at + _RECORD_HEADER]
        kept, sent = _number(header[8:12], order), _number(header[12:16], order)
        at += _RECORD_HEADER + kept
        if len(header) < _RECORD_HEADER or kept != sent or at > len(raw) or kept <= _MCTP_HEADER:
            raise MalformedEvidence("a packet that is cut off", where="MCTP capture")
        yield raw[at - kept : at]


def _reassembled(raw: bytes, order: str) -> Iterator[bytes]:
    """Messages of SPDM's type; packets of one message follow each other (DSP0236, section 8)."""
    message = bytearray()
    open_ = False
    for packet in _packets(raw, order):
        flags = packet[3]
        if bool(flags & _START) == open_:
            raise MalformedEvidence("packets of two messages mixed", where="MCTP capture")
        message += packet[_MCTP_HEADER:]
        open_ = not flags & _END
        if not open_:
            if message[0] & 0x7F == _SPDM_TYPE:
                yield bytes(message[1:])
            message = bytearray()
    if open_:
        raise MalformedEvidence("a message that does not end", where="MCTP capture")
