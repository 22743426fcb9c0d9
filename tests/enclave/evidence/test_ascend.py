# SPDX-License-Identifier: Apache-2.0
"""Ascend hosts: which firmware a quote and a measurement list vouch for, and each way in which they vouch for none."""

import hashlib
from collections.abc import Callable
from contextlib import suppress

import cbor2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.digests import digest
from contracts.records import Level
from enclave.errors import MalformedEvidence, NotAuthentic
from enclave.evidence.ascend.evidence import wrapped
from enclave.evidence.ascend.verify import TECHNOLOGY
from enclave.evidence.detect import Detected, detect
from enclave.evidence.examine import Expected, examine
from enclave.evidence.facts import Facts, RootStatus
from enclave.evidence.kinds import Kind
from enclave.evidence.tpm.verify import TECHNOLOGY as TPM
from enclave.evidence.trust import Trust
from tests.fakes.authorities import Authority
from tests.fakes.evidence import NOON
from tests.fakes.tpm import FakeTpm, ima_entry

NONCE = hashlib.sha256(b"nonce of the device").digest()
DEVICE = "/usr/local/Ascend/driver/device/"
FIRMWARE = {DEVICE + "ascend_910b.image": b"\x01" * 32, DEVICE + "ascend_hbm.bin": b"\x02" * 32}
VENDOR = Authority.root("Vendor of TPMs")
NOBODY = Trust(enrollers=frozenset(), extra_roots=frozenset())
Flaw = Callable[[FakeTpm], None]


def host() -> FakeTpm:
    """A host whose kernel measured what booted, a program and two firmware files."""
    tpm = FakeTpm()
    tpm.measure(ima_entry("boot_aggregate", b"\x0b" * 32), ima_entry("/usr/bin/npu-smi", b"\x0c" * 32))
    tpm.measure(*(ima_entry(path, value) for path, value in FIRMWARE.items()))
    tpm.chain = (VENDOR.issue("AK", key=tpm.key).der, VENDOR.der)
    return tpm


def judged(tpm: FakeTpm, trust: Trust = VENDOR.trust) -> Facts:
    body = wrapped(tpm.collect(NONCE))
    return TECHNOLOGY.verify(body, 1, node=None, trust=trust, at=NOON)


def test_measured_firmware_is_told_with_its_registers() -> None:
    facts = judged(host())
    assert (facts.kind, facts.bound, facts.missed, facts.index) == (Kind.ASCEND, NONCE, (), 1)
    assert facts.registers == {f"firmware.{path}": value for path, value in FIRMWARE.items()}
    assert facts.claims["firmware"] == FIRMWARE
    assert facts.workload == digest(
        "workload", "ascend", [[path, FIRMWARE[path]] for path in sorted(FIRMWARE)]
    )
    assert facts.value(f"firmware.{DEVICE}ascend_hbm.bin") == b"\x02" * 32
    assert TECHNOLOGY.show(wrapped(host().collect(NONCE)))["firmware"] == FIRMWARE
    assert any("signed nothing" in line for line in facts.trace)


def test_a_host_under_a_vendor_s_root_is_measured_and_never_more(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (judged(host()).level, judged(host()).status) == (Level.NONE, RootStatus.TEST_ROOT)
    monkeypatch.setattr("enclave.evidence.tpm.vouched.ATTESTATION_KEY_ROOTS", VENDOR.vendor)
    facts = judged(host(), NOBODY)
    assert (facts.level, facts.status, facts.potential) == (Level.MEASURED, RootStatus.VENDOR, Level.MEASURED)
    assert Kind.ASCEND.peripheral


def test_what_is_listed_after_the_quote_is_not_vouched_for() -> None:
    tpm = host()
    tpm.ima_log += ima_entry(DEVICE + "later.bin", b"\x03" * 32)[0]
    assert judged(tpm).claims["firmware"] == FIRMWARE


def twice(tpm: FakeTpm) -> None:
    tpm.measure(ima_entry(DEVICE + "ascend_hbm.bin", b"\x09" * 32))


def violated(tpm: FakeTpm) -> None:
    tpm.measure(ima_entry(DEVICE + "open.bin", bytes(32), violation=True))


def violated_elsewhere(tpm: FakeTpm) -> None:
    tpm.measure(ima_entry("/var/log/messages", bytes(32), violation=True))


def cut(tpm: FakeTpm) -> None:
    tpm.ima_log = tpm.ima_log[: -len(ima_entry(DEVICE + "ascend_hbm.bin", b"\x02" * 32)[0])]


def absent(tpm: FakeTpm) -> None:
    tpm.ima_log = b""


def changed(tpm: FakeTpm) -> None:
    tpm.ima_log = tpm.ima_log.replace(
        ima_entry(DEVICE + "ascend_hbm.bin", b"\x02" * 32)[0],
        ima_entry(DEVICE + "ascend_hbm.bin", b"\x05" * 32)[0],
    )


def unmeasured(tpm: FakeTpm) -> None:
    tpm.ima_log, tpm.pcrs[10] = b"", bytes(32)
    tpm.measure(ima_entry("/usr/bin/npu-smi", b"\x0c" * 32))


def unquoted(tpm: FakeTpm) -> None:
    tpm.quoted = tuple(range(8))


def weak(tpm: FakeTpm) -> None:
    tpm.measure(ima_entry(DEVICE + "weak.bin", b"\x04" * 20, algorithm="sha1"))


@pytest.mark.parametrize(
    ("flaw", "rules"),
    [
        (twice, {"log"}),
        (violated, {"log"}),
        (violated_elsewhere, {"log"}),
        (cut, {"log", "reference"}),
        (absent, {"log", "reference"}),
        (changed, {"log", "reference"}),
        (unmeasured, {"reference"}),
        (unquoted, {"log", "reference"}),
        (weak, {"reference"}),
    ],
)
def test_each_flaw_of_the_list_is_refused_alone(flaw: Flaw, rules: set[str]) -> None:
    tpm = host()
    flaw(tpm)
    facts = judged(tpm)
    assert {finding.rule for finding in facts.missed} == rules
    if "reference" in rules and flaw is not weak:
        assert facts.registers == {}
    body = wrapped(tpm.collect(NONCE))
    found = examine(Detected(kind=Kind.ASCEND, body=body), trust=VENDOR.trust, at=NOON, expected=Expected())
    assert found.authentic
    assert not found.accepted


def test_a_file_loaded_twice_without_change_is_one_file() -> None:
    tpm = host()
    tpm.measure(ima_entry(DEVICE + "ascend_hbm.bin", b"\x02" * 32))
    assert judged(tpm).missed == ()


def test_a_file_with_two_digests_has_no_register() -> None:
    tpm = host()
    twice(tpm)
    facts = judged(tpm)
    assert f"firmware.{DEVICE}ascend_hbm.bin" not in facts.registers
    assert facts.value("firmware") == FIRMWARE | {DEVICE + "ascend_hbm.bin": [b"\x02" * 32, b"\x09" * 32]}


def test_npus_and_their_host_s_tpm_are_two_devices_of_a_bundle() -> None:
    tpm = host()
    root = TPM.verify(tpm.collect(NONCE), 0, node=None, trust=VENDOR.trust, at=NOON)
    assert judged(tpm).identity != root.identity
    assert judged(tpm).identity == judged(tpm).identity
    assert judged(tpm).identity != judged(host()).identity


def test_the_host_s_tpm_is_held_to_all_its_rules() -> None:
    tpm = host()
    for trust in (NOBODY, Authority.root().trust):
        with pytest.raises(NotAuthentic) as caught:
            judged(tpm, trust)
        assert caught.value.reasons == ("ROOT",)
    tpm.attributes &= ~(1 << 16)
    with pytest.raises(NotAuthentic) as caught:
        judged(tpm)
    assert caught.value.reasons == ("KEY",)


def test_another_nonce_is_another_challenge() -> None:
    detected = detect(wrapped(host().collect(NONCE)))
    assert detected.kind is Kind.ASCEND
    for nonce, accepted in ((NONCE, True), (bytes(32), False)):
        found = examine(detected, trust=VENDOR.trust, at=NOON, expected=Expected(nonce=nonce))
        assert found.accepted is accepted


def test_logs_and_certificates_may_lie_beside_it() -> None:
    tpm = host()
    listed, chain = tpm.ima_log, tpm.chain
    tpm.ima_log, tpm.chain = b"", ()
    detected = detect(wrapped(tpm.collect(NONCE)), [listed, *chain])
    found = examine(detected, trust=VENDOR.trust, at=NOON, expected=Expected())
    assert found.accepted
    assert found.claims["firmware"] == FIRMWARE


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x82\x66ascend",
        wrapped(b""),
        wrapped(b"\x87"),
        wrapped(host().collect(NONCE)) + b"\0",
        cbor2.dumps(["ascend", host().collect(NONCE), b""]),
        cbor2.dumps(["ascenD", host().collect(NONCE)]),
        cbor2.dumps(["ascend", [host().collect(NONCE)]]),
    ],
)
def test_other_bytes_are_malformed(raw: bytes) -> None:
    with pytest.raises(MalformedEvidence):
        TECHNOLOGY.verify(raw, 1, node=None, trust=NOBODY, at=NOON)
    with pytest.raises(MalformedEvidence):
        TECHNOLOGY.show(raw)


GOOD = wrapped(host().collect(NONCE))


@given(st.integers(0, 8 * len(GOOD) - 1))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
def test_a_flipped_bit_is_malformed_refused_or_without_effect(bit: int) -> None:
    raw = bytearray(GOOD)
    raw[bit // 8] ^= 1 << bit % 8
    with suppress(MalformedEvidence, NotAuthentic):
        facts = TECHNOLOGY.verify(bytes(raw), 1, node=None, trust=VENDOR.trust, at=NOON)
        assert facts.missed or (facts.claims["firmware"], facts.bound) == (FIRMWARE, NONCE)
