# SPDX-License-Identifier: Apache-2.0
"""Conversations with a software device of our own: each thing that may be wrong with one, alone."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from enclave.evidence.findings import Reason
from enclave.evidence.trust import Trust
from tests.fakes.authorities import usage
from tests.fakes.spdm import (
    SoftDevice,
    block,
    challenge,
    get_certificate,
    get_digests,
    get_measurements,
    judged,
    modes,
    reasons,
    refusal,
)

# authentic, and not acceptable


def missed(device: SoftDevice, requests: Sequence[bytes] | None = None, version: int = 0x13) -> list[Reason]:
    return reasons(judged(device, requests, version=version).missed)


def test_content_that_changed_is_refused() -> None:
    assert missed(SoftDevice(change=1)) == [Reason.REFERENCE]


def test_one_measurement_with_two_values_is_refused() -> None:
    device = SoftDevice()

    def moving(request: bytes, answer: bytes) -> bytes:
        device.blocks[0] = block(1, 0, b"\x99" * 48)
        return answer

    device.faults[0xE0] = moving
    asked = [get_certificate(0x13), get_measurements(0x13, 1), get_measurements(0x13, 1)]
    assert missed(device, asked) == [Reason.REFERENCE]


def test_an_older_version_than_both_speak_is_refused() -> None:
    (finding,) = judged(SoftDevice(), version=0x12).missed
    assert (finding.reason, finding.expected, finding.found) == (Reason.TCB, "SPDM 1.3", "SPDM 1.2")
    assert missed(SoftDevice(versions=(0x12, 0x14)), version=0x12) == []
    assert reasons(refusal(SoftDevice(), version=0x11)) == [Reason.SIGNATURE]


@pytest.mark.parametrize(
    ("mode", "found"),
    [
        (modes(device=0b00010), [Reason.DEBUG]),
        (modes(device=0b01000), [Reason.DEBUG]),
        (modes(device=0b10101), []),
        (modes(operational=2), [Reason.DEBUG]),
        (modes(operational=0), [Reason.DEBUG]),
        (modes(operational=8, device=2), [Reason.DEBUG, Reason.DEBUG]),
    ],
)
def test_a_device_in_debug_is_refused(mode: bytes, found: list[Reason]) -> None:
    device = SoftDevice()
    device.blocks[-1] = mode
    assert missed(device) == found


def test_debug_that_only_watches_is_said_aloud() -> None:
    device = SoftDevice()
    device.blocks[-1] = modes(device=0b00001)
    assert "spdm: the device says of itself: non-invasive debug" in judged(device).trace


@pytest.mark.parametrize(
    ("flags", "found"),
    [
        (b"\x00\x10", [Reason.DEBUG]),
        (b"\x00\x40", [Reason.TCB]),
        (b"\x00\x20", [Reason.TCB]),
        (b"\x00\x80", []),
        (b"\x00\x70", [Reason.DEBUG, Reason.TCB, Reason.TCB]),
    ],
)
def test_a_layer_in_a_bad_state_is_refused(flags: bytes, found: list[Reason]) -> None:
    assert missed(SoftDevice(flags=flags)) == found


# not authentic


def test_unknown_roots_do_not_count() -> None:
    nobody = Trust(enrollers=frozenset(), extra_roots=frozenset())
    (finding,) = refusal(SoftDevice(), trust=nobody)
    assert finding.reason is Reason.ROOT
    assert "--trust" in finding.hint


@pytest.mark.parametrize(
    "changes",
    [
        {"since": timedelta(days=400)},
        {"since": timedelta(days=-1)},
        {"key_usage": None},
        {"key_usage": usage("key_agreement")},
        {"extensions": ((x509.ExtendedKeyUsage([x509.ObjectIdentifier("1.3.6.1.4.1.412.274.4")]), False),)},
        {"authority": True, "key_usage": usage("digital_signature", "key_cert_sign")},
    ],
    ids=["expired", "not yet", "no usage", "another usage", "requester", "authority"],
)
def test_a_leaf_that_does_not_count(changes: dict[str, object]) -> None:
    assert reasons(refusal(SoftDevice(leaf=changes))) == [Reason.CERTIFICATE]


@pytest.mark.parametrize("purposes", [("3",), ("3", "4"), ()])
def test_a_leaf_for_responders_counts(purposes: Sequence[str]) -> None:
    named = [x509.ObjectIdentifier(f"1.3.6.1.4.1.412.274.{purpose}") for purpose in purposes]
    named.append(x509.ExtendedKeyUsageOID.CLIENT_AUTH)
    assert judged(SoftDevice(leaf={"extensions": ((x509.ExtendedKeyUsage(named), False),)})).missed == ()


def test_a_revoked_layer_does_not_count() -> None:
    device = SoftDevice()
    crl = device.root.crl(device.authorities()[1]).public_bytes(Encoding.PEM)
    (finding,) = refusal(device, pieces=[crl])
    assert "revoked" in str(finding).lower()


def test_a_key_of_another_kind_than_was_negotiated() -> None:
    device = SoftDevice()
    line = device.authorities()
    line[2] = line[1].issue("another", "P-256")
    device.faults[0xE0] = lambda request, answer: answer + bytes(32)
    (finding,) = refusal(device, [get_certificate(0x13), get_measurements(0x13)])
    assert finding.reason is Reason.KEY


def test_digests_of_another_chain() -> None:
    device = SoftDevice()
    device.faults[0x81] = lambda request, answer: answer[:-1] + bytes([answer[-1] ^ 1])
    asked = [get_digests(0x13), get_certificate(0x13), get_measurements(0x13)]
    assert reasons(refusal(device, asked)) == [Reason.CERTIFICATE]
    device.faults[0x81] = lambda request, answer: answer[:3] + b"\0"
    assert reasons(refusal(device, asked)) == [Reason.CERTIFICATE]


def test_two_chains_in_one_slot() -> None:
    device = SoftDevice()
    device.faults[0x82] = lambda request, answer: answer[:-1] + bytes([len(device.asked)])
    asked = [get_certificate(0x13), get_certificate(0x13), get_measurements(0x13)]
    assert reasons(refusal(device, asked)) == [Reason.CERTIFICATE]


def test_certificates_in_another_order() -> None:
    device = SoftDevice()
    line = device.authorities()
    extra = line[0].issue("Another device", authority=True)
    device._line = [line[0], line[1], extra, line[2]]
    (finding,) = refusal(device)
    assert (finding.reason, finding.found) == (Reason.CERTIFICATE, "another order")


@pytest.mark.parametrize("code", [0x83, 0xE0])
def test_another_slot_than_was_asked(code: int) -> None:
    device = SoftDevice()
    at = {0x83: 2, 0xE0: 3}[code]
    device.faults[code] = lambda request, answer: answer[:at] + bytes([answer[at] | 3]) + answer[at + 1 :]
    findings = refusal(device, pieces=[each.der for each in device.authorities()])
    assert Reason.CERTIFICATE in reasons(findings)
    assert Reason.SIGNATURE in reasons(findings)


def test_everything_signed_is_of_one_slot() -> None:
    device = SoftDevice()
    asked = [
        get_certificate(0x13),
        get_certificate(0x13, slot=1),
        challenge(0x13, slot=1),
        get_measurements(0x13),
    ]
    (finding,) = refusal(device, asked)
    assert (finding.reason, finding.expected) == (Reason.CERTIFICATE, "slot 0 in all that is signed")


def test_a_challenge_signed_over_something_else() -> None:
    def spoilt(said: list[bytes]) -> list[bytes]:
        return [*said[:10], said[10][:-9] + b"\xff" + said[10][-8:], *said[11:]]

    found = refusal(SoftDevice(), change=spoilt)
    assert reasons(found) == [Reason.SIGNATURE]
    assert found[0].expected.startswith("signature 2 of 2")


def test_a_signature_does_not_serve_in_another_place() -> None:
    """The negotiation is signed too: answers of one connection are nothing in another."""

    def offered_more(said: list[bytes]) -> list[bytes]:
        return [said[0], said[1][:5] + b"\x04\0\x10" + said[1][6:], *said[2:]]

    assert set(reasons(refusal(SoftDevice(), change=offered_more))) == {Reason.SIGNATURE}
