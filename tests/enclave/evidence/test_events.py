# SPDX-License-Identifier: Apache-2.0
"""What an event log says: only what its digests cover, and only where the registers were quoted."""

from collections.abc import Callable
from contextlib import suppress
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enclave.errors import MalformedEvidence
from enclave.evidence.facts import Facts
from enclave.evidence.tpm.events import (
    applications,
    claims_of,
    command_lines,
    lines,
    secure_boot,
    variable_of,
    variables,
)
from enclave.evidence.tpm.log import EventKind, EventLog
from enclave.evidence.tpm.verify import TECHNOLOGY
from tests.fakes.authorities import Authority
from tests.fakes.evidence import NOON
from tests.fakes.tpm import BANKS, FakeTpm, event_log

VENDOR = Authority.root("Vendor of TPMs")
GLOBAL = UUID("8be4df61-93ca-11d2-aa0d-00e098032b8c")
CONFIG, IPL, APPLICATION, SEPARATOR = 0x80000001, 0xD, 0x80000003, 0x4
Entry = tuple[int, int, bytes, bytes]


def variable(name: str, content: bytes, pcr: int = 7) -> Entry:
    named = name.encode("utf-16-le")
    sizes = len(name).to_bytes(8, "little") + len(content).to_bytes(8, "little")
    body = GLOBAL.bytes_le + sizes + named + content
    return pcr, CONFIG, body, body


def grub(text: bytes, label: bytes = b"grub_cmd: ", pcr: int = 8) -> Entry:
    return pcr, IPL, text, label + text + b"\0"


STUB = "root=/dev/dm-0 ro\0".encode("utf-16-le")
BOOT: tuple[Entry, ...] = (
    (0, 0x8, b"v1", b"v1"),
    variable("SecureBoot", b"\x01"),
    variable("PK", b"pk"),
    variable("db", b"db" * 40),
    (7, SEPARATOR, bytes(4), bytes(4)),
    (4, APPLICATION, b"shim", b"somewhere"),
    grub(b"linux /vmlinuz"),
    grub(b"/vmlinuz root=x", b"kernel_cmdline: "),
    (9, IPL, b"the kernel's bytes", b"/vmlinuz\0"),
    (12, IPL, STUB, STUB),
    (12, IPL, b"plain", b"plain\0"),
)


SEPARATED = (7, SEPARATOR, bytes(4), bytes(4))


def parsed(*entries: Entry, banks: tuple[int, ...] = (0xB,)) -> EventLog:
    return EventLog.parse(event_log(*entries, banks=banks))


@pytest.mark.parametrize("banks", [(0xB,), (0x4, 0xB), (0xB, 0xC, 0xD), (0xC,)])
def test_a_boot_is_told_in_any_banks(banks: tuple[int, ...]) -> None:
    log = parsed(*BOOT, banks=banks)
    assert log.banks == banks
    assert secure_boot(log) is True
    assert [(one.name, one.vendor, one.content) for one in variables(log)][1] == ("PK", GLOBAL, b"pk")
    assert list(command_lines(log)) == ["/vmlinuz root=x", "root=/dev/dm-0 ro"]
    assert (8, "grub_cmd: linux /vmlinuz") in lines(log)
    assert (12, "plain") in lines(log)
    assert all(text != "/vmlinuz" for _, text in lines(log))  # a file's name, whose digest is of the file
    assert len(next(applications(log))) == (48 if banks == (0xC,) else 32)
    measurements = claims_of(log)["measurements"]
    assert isinstance(measurements, dict)
    assert {pcr: len(digests) for pcr, digests in measurements.items()} == {
        "0": 1,
        "7": 4,
        "4": 1,
        "8": 2,
        "9": 1,
        "12": 2,
    }  # type: ignore[arg-type]
    for bank in banks:
        assert set(log.replay(bank)) == {0, 4, 7, 8, 9, 12}
        assert {len(value) for value in log.replay(bank).values()} == {len(log.events[0].digests[bank])}
    assert log.replay(0x12) == {}


def test_kinds_have_their_names() -> None:
    log = parsed((7, SEPARATOR, b"", b""), (0, 0x1234, b"", b""))
    assert [event.name for event in log.events] == ["EV_SEPARATOR", "0x1234"]
    assert EventKind.EV_IPL == IPL
    assert [event.pcr for event in log.of(7, kind=SEPARATOR)] == [7]


def test_the_startup_locality_is_where_pcr_0_starts() -> None:
    started, plain = parsed((0, 3, b"", b"StartupLocality\0\x03"), BOOT[0]), parsed(BOOT[0])
    assert started.replay()[0] != plain.replay()[0]
    assert parsed((1, 3, b"", b"StartupLocality\0\x03"), BOOT[0]).replay() == plain.replay()
    assert parsed((0, 3, b"", b"StartupLocality\0\x03\0"), BOOT[0]).replay() == plain.replay()


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ((variable("SecureBoot", b"\0"),), False),
        ((variable("SecureBoot", b"\x01\x01"),), None),
        ((), None),
        ((variable("SecureBoot", b"\x01"), variable("SecureBoot", b"\0")), None),
        ((variable("SecureBoot", b"\x01", 6),), None),
        ((SEPARATED, variable("SecureBoot", b"\x01")), None),
        ((variable("SecureBoot", b"\0"), SEPARATED, variable("SecureBoot", b"\x01")), False),
        (((7, CONFIG, b"another", variable("SecureBoot", b"\x01")[3]),), None),
        (((7, 3, *variable("SecureBoot", b"\x01")[2:]),), None),
        (((7, IPL, variable("SecureBoot", b"\x01")[2], b"another body"),), True),
    ],
)
def test_secure_boot_is_what_the_digests_before_the_hand_over_say(
    entries: tuple[Entry, ...], expected: bool | None
) -> None:
    assert secure_boot(parsed(*entries)) is expected


def test_a_body_that_another_digest_covers_says_nothing() -> None:
    log = parsed(
        (8, IPL, b"measured", b"kernel_cmdline: root=evil\0"),
        (8, IPL, b"", b"\0"),
        (8, IPL, b"\xff", b"\xff"),
    )
    assert list(command_lines(log)) == []
    assert list(lines(log)) == []


@pytest.mark.parametrize("body", [b"", bytes(31), bytes(33), bytes(16) + b"\x01" + bytes(15) + b"\0\xd8"])
def test_other_variables_are_none(body: bytes) -> None:
    assert variable_of(body) is None


def judged(tpm: FakeTpm) -> Facts:
    tpm.chain = (VENDOR.issue("AK", key=tpm.key).der, VENDOR.der)
    return TECHNOLOGY.verify(tpm.collect(bytes(64)), 0, node=None, trust=VENDOR.trust, at=NOON)


def booted(log: bytes) -> FakeTpm:
    tpm = FakeTpm(event_log=log)
    tpm.pcrs |= EventLog.parse(log).replay()
    return tpm


def test_a_log_that_replays_is_claimed_and_one_that_does_not_is_not() -> None:
    log = event_log(*BOOT)
    facts = judged(booted(log))
    assert facts.missed == ()
    assert facts.value("event_log.secure_boot") is True
    assert facts.value("event_log.measurements.4") == [EventLog.parse(log).events[5].digest]
    other = judged(FakeTpm(event_log=log))
    assert {finding.rule for finding in other.missed} == {"log"}
    assert "event_log" not in other.claims
    assert (
        TECHNOLOGY.show(FakeTpm(event_log=log).collect(bytes(64)))["event_log"] == facts.claims["event_log"]
    )


def test_events_of_registers_that_were_not_quoted_are_not_claimed() -> None:
    tpm = booted(event_log(*BOOT))
    tpm.quoted = tuple(range(7))
    facts = judged(tpm)
    assert facts.missed == ()
    assert facts.value("event_log.secure_boot") is None
    assert facts.value("event_log.measurements.8") is None
    assert facts.value("event_log.measurements.4") == [EventLog.parse(tpm.event_log).events[5].digest]


def test_digests_of_banks_that_were_not_quoted_are_not_claimed() -> None:
    log = event_log(*BOOT, banks=(0xB, 0xC))
    tpm = FakeTpm(event_log=log)
    tpm.others = {0xC: {n: bytes(48) for n in range(24)} | EventLog.parse(log).replay(0xC)}
    tpm.chain = (VENDOR.issue("AK", key=tpm.key).der, VENDOR.der)
    facts = TECHNOLOGY.verify(tpm.several(bytes(32), 0xC), 0, node=None, trust=VENDOR.trust, at=NOON)
    assert facts.missed == ()
    (application,) = facts.value("event_log.measurements.4")  # type: ignore[misc]
    assert application == EventLog.parse(log).events[5].digests[0xC]
    sha1 = event_log(*BOOT, banks=(0x4,))
    tpm.event_log = sha1
    missed = TECHNOLOGY.verify(tpm.several(bytes(32), 0xC), 0, node=None, trust=VENDOR.trust, at=NOON).missed
    assert [(finding.rule, finding.found) for finding in missed] == [("log", BANKS[0x4])]


def test_registers_that_are_extended_after_boot_are_not_held_to_the_log() -> None:
    log = event_log(*BOOT, (14, IPL, b"mok", b"mok"), (10, IPL, b"aggregate", b"x"))
    tpm = booted(log)
    tpm.extend(14, b"\x01" * 32)
    tpm.extend(10, b"\x01" * 32)
    facts = judged(tpm)
    assert facts.missed == ()
    measurements = facts.value("event_log.measurements")
    assert isinstance(measurements, dict)
    assert not measurements.keys() & {"10", "14"}


def test_bodies_and_kinds_change_no_claim() -> None:
    log = event_log(*BOOT)
    claims = judged(booted(log)).claims
    other = event_log(*((pcr, IPL, measured, b"kernel_cmdline: " + body) for pcr, _, measured, body in BOOT))
    assert list(command_lines(EventLog.parse(other))) != list(command_lines(EventLog.parse(log)))
    facts = judged(booted(other))
    assert facts.missed == ()
    assert facts.claims["event_log"] == claims["event_log"]


@pytest.mark.parametrize("filling", [b"", b"\xff" * 100, bytes(100)])
def test_a_memory_area_is_read_up_to_its_filling(filling: bytes) -> None:
    log = event_log(*BOOT, (7, SEPARATOR, bytes(4), bytes(4)))
    assert EventLog.parse(log + filling, area=True) == EventLog.parse(log)
    if filling:
        with pytest.raises(MalformedEvidence):
            EventLog.parse(log + filling + b"\x01", area=True)
        with pytest.raises(MalformedEvidence):
            EventLog.parse(log + filling)


def twist(at: int, value: bytes) -> Callable[[bytes], bytes]:
    return lambda log: log[:at] + value + log[at + len(value) :]


@pytest.mark.parametrize(
    "change",
    [
        twist(0, b"\x02"),
        twist(4, b"\x04"),
        twist(8, b"\x01"),
        twist(32, b"X"),
        twist(56, b"\x09\0\0\0"),
        twist(56, b"\0\0\0\0"),
        twist(60, b"\x99\0"),
        twist(62, b"\x21\0"),
        twist(64, b"\x01"),
        twist(65, b"\x18"),
        twist(73, b"\x02"),
        twist(77, b"\x0c"),
        lambda log: log[:-1],
        lambda log: log[:20],
        lambda log: b"",
    ],
)
def test_other_logs_are_malformed(change: Callable[[bytes], bytes]) -> None:
    log = event_log(*BOOT)
    assert EventLog.parse(log)
    for area in (False, True):
        with pytest.raises(MalformedEvidence):
            EventLog.parse(change(log), area=area)


@given(st.binary(max_size=200), st.integers(0, 400), st.booleans())
def test_parsers_raise_malformed_or_nothing(raw: bytes, at: int, area: bool) -> None:
    log = event_log(*BOOT)
    with suppress(MalformedEvidence):
        claims_of(EventLog.parse(log[:at] + raw + log[at + len(raw) :], area=area))
