# SPDX-License-Identifier: Apache-2.0
"""Event and IMA logs count only where they replay to quoted PCRs; vectors in tests/vectors/evidence/logs.json."""

import hashlib
import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enclave.errors import MalformedEvidence, Refused
from enclave.evidence.tpm.ima import ImaLog
from enclave.evidence.tpm.log import EventLog
from tests.fakes.evidence import Case
from tests.fakes.tpm import FakeTpm, ima_entry

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "evidence" / "logs.json").read_text("utf-8"))
EVENTS = bytes.fromhex(VECTORS["event_log"]["raw"])
IMA = bytes.fromhex(VECTORS["ima_log"]["raw"])


def test_the_event_log_vector_replays() -> None:
    log = EventLog.parse(EVENTS)
    expected = {int(n): bytes.fromhex(v) for n, v in VECTORS["event_log"]["pcrs"].items()}
    assert log.replay() == expected
    assert len(log.events) == VECTORS["event_log"]["events"]


def test_the_event_log_is_queryable() -> None:
    log = EventLog.parse(EVENTS)
    assert [event.body for event in log.of(4)] == [b"shim", b"grub"]
    assert [event.pcr for event in log.of(0, kind=8)] == [0]
    assert not list(log.of(5))


def test_the_ima_vector_replays_by_hand() -> None:
    log, register = ImaLog.parse(IMA), bytes(32)
    for entry in log.entries:
        register = hashlib.sha256(register + entry.extended).digest()
    assert register.hex() == VECTORS["ima_log"]["pcr10"]
    assert log.matching(register) == len(log.entries) == 4


def test_a_list_that_grew_counts_up_to_the_quote() -> None:
    log = ImaLog.parse(IMA)
    after_two = bytes(32)
    for entry in log.entries[:2]:
        after_two = hashlib.sha256(after_two + entry.extended).digest()
    assert log.matching(after_two) == 2
    assert log.matching(bytes(32)) == 0
    assert log.matching(b"\x01" * 32) is None


def test_the_ima_list_is_queryable() -> None:
    log = ImaLog.parse(IMA)
    (found,) = log.of("/usr/bin/python3.11")
    assert (found.algorithm, found.digest, found.violation) == ("sha256", b"\x02" * 32, False)
    assert [entry.path for entry in log.entries if entry.violation] == ["/etc/ld.so.cache"]


@pytest.mark.parametrize("raw", [b"", EVENTS[:-1], EVENTS[:40], EVENTS + b"\0", b"\xff" * 64])
def test_other_event_logs_are_malformed(raw: bytes) -> None:
    with pytest.raises(MalformedEvidence):
        EventLog.parse(raw)


@pytest.mark.parametrize("raw", [IMA[:-1], IMA + b"\0", b"\x0b" + IMA[1:], IMA.replace(b"ima-ng", b"ima-xx")])
def test_other_ima_lists_are_malformed(raw: bytes) -> None:
    with pytest.raises(MalformedEvidence):
        ImaLog.parse(raw)


@pytest.mark.parametrize(
    ("template", "algorithm", "further"),
    [
        ("ima-ng", "sha256", ()),
        ("ima-ngv2", "ima:sha256", ()),
        ("ima-sig", "sha512", (b"\x03\x02" + bytes(70),)),
        ("ima-sigv2", "verity:sha256", (b"",)),
        ("ima-buf", "sha256", (b"keyring",)),
        ("ima-modsig", "sha256", (b"", b"sha256:\0" + bytes(32), b"signature")),
    ],
)
def test_each_template_of_the_kernel_is_read(
    template: str, algorithm: str, further: tuple[bytes, ...]
) -> None:
    raw, extended = ima_entry("/a b", b"\x07" * 32, template=template, algorithm=algorithm, further=further)
    (entry,) = ImaLog.parse(raw).entries
    assert (entry.path, entry.algorithm, entry.digest, entry.extended) == (
        "/a b",
        algorithm,
        b"\x07" * 32,
        extended,
    )
    for wrong in ((*further, b""), further[:-1] if further else None):
        if wrong is not None:
            with pytest.raises(MalformedEvidence):
                ImaLog.parse(ima_entry("/a", b"", template=template, further=wrong)[0])


def test_the_sha_1_beside_an_entry_is_its_template_s_or_a_violation_s() -> None:
    raw, _ = ima_entry("/a", b"\x07" * 32)
    violation, extended = ima_entry("/a", bytes(32), violation=True)
    assert ImaLog.parse(violation).entries[0].extended == extended == b"\xff" * 32
    assert ImaLog.parse(violation).entries[0].violation
    with pytest.raises(MalformedEvidence):
        ImaLog.parse(raw[:4] + bytes([raw[4] ^ 1]) + raw[5:])


def put(tpm: FakeTpm) -> None:
    """Make the TPM's PCRs those of the vectors."""
    for number, value in EventLog.parse(EVENTS).replay().items():
        if number < 8:
            tpm.pcrs[number] = value


def test_evidence_with_logs_that_replay_is_accepted(tpm_case: Case, fake_tpm: FakeTpm) -> None:
    put(fake_tpm)
    fake_tpm.event_log = EVENTS
    tpm_case.judge()


def test_an_event_log_of_another_boot_is_refused(tpm_case: Case, fake_tpm: FakeTpm) -> None:
    fake_tpm.event_log = EVENTS
    with pytest.raises(Refused) as caught:
        tpm_case.judge()
    assert caught.value.reasons == ("LOG",)
    assert len(caught.value.findings) == 3


def test_an_ima_list_of_another_boot_is_refused(tpm_case: Case, fake_tpm: FakeTpm) -> None:
    fake_tpm.ima_log = IMA
    fake_tpm.extend(10, b"\x01" * 32)
    with pytest.raises(Refused) as caught:
        tpm_case.judge()
    assert set(caught.value.reasons) == {"LOG", "WORKLOAD"}


def test_an_ima_list_of_this_boot_is_no_finding(tpm_case: Case, fake_tpm: FakeTpm) -> None:
    fake_tpm.ima_log = IMA
    fake_tpm.pcrs[10] = bytes.fromhex(VECTORS["ima_log"]["pcr10"])
    with pytest.raises(Refused) as caught:
        tpm_case.judge()
    assert caught.value.reasons == ("WORKLOAD",)  # the list explains PCR 10; the policy has to expect it


@given(st.binary(max_size=300), st.integers(0, 8 * min(len(EVENTS), len(IMA)) - 1))
def test_log_parsers_raise_malformed_or_nothing(raw: bytes, bit: int) -> None:
    def flipped(good: bytes) -> bytes:
        held = bytearray(good)
        held[bit // 8] ^= 1 << bit % 8
        return bytes(held)

    for candidate in (raw, EVENTS[:80] + raw, flipped(EVENTS)):
        with suppress(MalformedEvidence):
            EventLog.parse(candidate)
    for candidate in (raw, IMA[:60] + raw, flipped(IMA)):
        with suppress(MalformedEvidence):
            ImaLog.parse(candidate)
