# SPDX-License-Identifier: Apache-2.0
"""The collector for SPDM devices, against a device in software that is busy, slow, odd or cut off."""

import os
import socket
from collections.abc import Callable

import cbor2
import pytest

from enclave.errors import NotAuthentic
from enclave.evidence.enclosed import Enclosed
from enclave.evidence.facts import Facts
from enclave.evidence.findings import Reason
from enclave.evidence.spdm.verify import TECHNOLOGY
from enclave.faults import DeviceError, DeviceUnavailable
from enclave.guest.collectors.spdm import Mctp, Spdm
from tests.fakes.evidence import NOON
from tests.fakes.spdm import SoftDevice

NONCE = bytes(range(32))
BUSY = b"\x7f\x03\0"


def not_ready(version: int, request: int, exponent: int = 10) -> bytes:
    """An ERROR that asks for patience: RDTExponent, RequestCode, Token, RDTM."""
    return bytes([version, 0x7F, 0x42, 0, exponent, request, 0x77, 1])


def judged(device: SoftDevice, evidence: bytes) -> Facts:
    body = Enclosed(evidence=evidence, pieces=()).encode()
    return TECHNOLOGY.verify(body, 1, node=None, trust=device.root.trust, at=NOON)


def collected(device: SoftDevice, pauses: list[float] | None = None, slot: int = 0) -> bytes:
    waited: list[float] = [] if pauses is None else pauses
    return Spdm(device, slot=slot, pause=waited.append).collect(NONCE)


@pytest.mark.parametrize("version", [0x11, 0x12, 0x13])
def test_what_is_collected_verifies(version: int) -> None:
    device = SoftDevice(versions=(version,))
    facts = judged(device, collected(device))
    assert (facts.bound, facts.missed) == (NONCE, ())
    assert {"measurement.1", "measurement.2", "measurement.16", "measurement.254"} <= set(facts.registers)


@pytest.mark.parametrize("versions", [(0x10, 0x11, 0x13, 0x14), (0x13, 0x12, 0x11)])
def test_the_newest_common_version_is_spoken(versions: tuple[int, ...]) -> None:
    device = SoftDevice(versions=versions)
    assert judged(device, collected(device)).claims["version"] == 0x13


@pytest.mark.parametrize("kind", ["P-256", "RSA-3072"])
def test_the_device_chooses_the_algorithms(kind: str) -> None:
    device = SoftDevice(kind=kind, hashed="sha256" if kind == "P-256" else "sha384")
    assert judged(device, collected(device)).missed == ()


def test_long_chains_come_in_portions() -> None:
    device = SoftDevice(portion=300)
    assert judged(device, collected(device)).missed == ()
    assert device.asked.count(0x82) == -(-len(device.chain()) // 300)


def test_the_first_half_of_report_data_is_the_nonce() -> None:
    device = SoftDevice()
    assert judged(device, Spdm(device).collect(NONCE + bytes(32))).bound == NONCE


def test_a_collector_collects_again() -> None:
    device = SoftDevice()
    collector = Spdm(device)
    assert [judged(device, collector.collect(nonce)).bound for nonce in (NONCE, NONCE[::-1])] == [
        NONCE,
        NONCE[::-1],
    ]


@pytest.mark.parametrize("times", [1, 9])
def test_a_busy_device_is_asked_again(times: int) -> None:
    pauses: list[float] = []
    device = SoftDevice(pending=[b"\x10" + BUSY] * times)
    assert judged(device, collected(device, pauses)).missed == ()
    assert len(pauses) == times


def test_a_device_that_stays_busy_is_given_up() -> None:
    device = SoftDevice(pending=[b"\x10" + BUSY] * 99)
    with pytest.raises(DeviceUnavailable, match="busy"):
        collected(device)
    assert len(device.asked) < 20


@pytest.mark.parametrize(("exponent", "pause"), [(10, 0.001024), (255, 5.0)])
def test_a_slow_device_is_asked_for_its_answer_later(exponent: int, pause: float) -> None:
    pauses: list[float] = []
    device = SoftDevice()

    def slow(request: bytes, answer: bytes) -> bytes:
        device.pending.append(not_ready(0x13, 0xE0, exponent))
        return answer

    device.faults[0x82] = slow
    facts = judged(device, collected(device, pauses))
    assert facts.missed == ()
    assert device.asked[-2:] == [0xE0, 0xFF]
    assert pauses == [pause]


def _cut(size: int) -> Callable[[bytes, bytes], bytes]:
    return lambda request, answer: answer[:size]


def _byte(at: int, value: int) -> Callable[[bytes, bytes], bytes]:
    return lambda request, answer: answer[:at] + bytes([value]) + answer[at + 1 :]


FAULTS: dict[str, tuple[int, Callable[[bytes, bytes], bytes]]] = {
    "no answer at all": (0x84, _cut(0)),
    "no version in common": (0x84, lambda request, answer: b"\x10\x04\0\0\0\x01\0\x10"),
    "a count of versions without them": (0x84, lambda request, answer: b"\x10\x04\0\0\0\x09\0"),
    "no capabilities": (0xE1, _byte(8, 0)),
    "measurements without signatures": (0xE1, _byte(8, 0x0E)),
    "capabilities cut off": (0xE1, _cut(11)),
    "algorithms cut off": (0xE3, _cut(35)),
    "no chain in the slot": (0x81, _byte(3, 0b10)),
    "an error": (0x81, lambda request, answer: b"\x13\x7f\x01\0"),
    "an error cut off": (0x81, lambda request, answer: b"\x13\x7f"),
    "not ready, cut off": (0x81, lambda request, answer: b"\x13\x7f\x42\0"),
    "another version": (0x81, _byte(0, 0x12)),
    "another answer": (0x81, _byte(1, 0x02)),
    "a portion of another slot": (0x82, _byte(2, 1)),
    "a portion cut off": (0x82, lambda request, answer: answer[:-1]),
    "an empty portion": (0x82, lambda request, answer: answer[:4] + bytes(5)),
    "a chain without an end": (0x82, lambda request, answer: answer[:6] + b"\xff\xff" + answer[8:]),
    "measurements cut off": (0xE0, _cut(41)),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_anything_unexpected_is_a_fault_of_the_device(fault: str) -> None:
    code, change = FAULTS[fault]
    with pytest.raises(DeviceError):
        collected(SoftDevice(faults={code: change}))


def test_an_answer_of_another_slot_or_moment_is_for_the_verifier() -> None:
    device = SoftDevice(faults={0xE0: _byte(3, 0x21)})
    with pytest.raises(NotAuthentic) as refused:
        judged(device, collected(device))
    assert Reason.CERTIFICATE in {finding.reason for finding in refused.value.findings}
    changed = SoftDevice(change=1)
    assert [f.reason for f in judged(changed, collected(changed)).missed] == [Reason.REFERENCE]


def test_somebody_between_who_takes_versions_away_is_found_out() -> None:
    """The list is signed from SPDM 1.2 on; below, nothing else betrays it."""
    cut: Callable[[bytes, bytes], bytes] = lambda request, answer: b"\x10\x04\0\0\0\x01\0\x12"  # noqa: E731
    device = SoftDevice(faults={0x84: cut})
    with pytest.raises(NotAuthentic) as refused:
        judged(device, collected(device))
    assert [finding.reason for finding in refused.value.findings] == [Reason.SIGNATURE]


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> socket.socket:
    """The far end of what the collector takes for an MCTP socket."""
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    asked: list[tuple[int, int]] = []

    def opened(family: int, kind: int) -> socket.socket:
        asked.append((family, kind))
        assert asked == [(45, socket.SOCK_DGRAM)]
        return near

    monkeypatch.setattr("enclave.guest.collectors.spdm.socket.socket", opened)
    return far


def test_mctp_carries_messages_without_their_type(wire: socket.socket) -> None:
    device = SoftDevice()
    addresses: set[bytes] = set()

    def sendto(descriptor: int, message: bytes, address: bytes) -> int:
        addresses.add(address)
        wire.send(device.exchange(message))
        return len(message)

    transport = Mctp(9, network=3, sendto=sendto)
    assert judged(device, Spdm(transport).collect(NONCE)).missed == ()
    transport.close()
    assert addresses == {b"\x2d\0\0\0\x03\0\0\0\x09\x05\x08\0"}


def test_mctp_that_does_not_send_is_unavailable(wire: socket.socket) -> None:
    transport = Mctp(9, sendto=lambda descriptor, message, address: -1)
    with pytest.raises(DeviceUnavailable):
        transport.exchange(b"\x10\x84\0\0")


def test_mctp_that_does_not_answer_is_unavailable(
    wire: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("enclave.guest.collectors.spdm._PATIENCE", 0.01)
    transport = Mctp(9, sendto=lambda descriptor, message, address: len(message))
    with pytest.raises(DeviceUnavailable, match=r"no answer|timed out"):
        transport.exchange(b"\x10\x84\0\0")


def test_libc_sends_through_the_descriptor() -> None:
    """With an address of a family that the socket is not of, the kernel says so."""
    from enclave.guest.collectors.spdm import _libc_sendto

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        assert _libc_sendto(other.fileno(), b"message", bytes([45]) + bytes(11)) == -1
    receiving, sending = (socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(2))
    with receiving, sending:
        receiving.bind(b"\0exequatur-%d" % os.getpid())
        address = socket.AF_UNIX.to_bytes(2, "little") + b"\0exequatur-%d" % os.getpid()
        assert _libc_sendto(sending.fileno(), b"message", address) == 7
        assert receiving.recv(16) == b"message"


def test_a_kernel_without_mctp_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(family: int, kind: int) -> socket.socket:
        raise OSError(97, "Address family not supported by protocol")

    monkeypatch.setattr("enclave.guest.collectors.spdm.socket.socket", refused)
    with pytest.raises(DeviceUnavailable) as lacking:
        Mctp(9)
    assert "CONFIG_MCTP" in lacking.value.hint


def test_the_evidence_is_the_conversation_alone() -> None:
    messages = cbor2.loads(collected(SoftDevice()))
    assert [message[1] for message in messages[::2]] == [0x84, 0xE1, 0xE3, 0x81, 0x82, 0xE0]
    assert messages[-2][4:36] == NONCE
