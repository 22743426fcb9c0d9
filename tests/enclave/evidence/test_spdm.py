# SPDX-License-Identifier: Apache-2.0
"""Conversations with a software device of our own: each thing that may be wrong with one, alone."""

from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from enclave.errors import MalformedEvidence, NotAuthentic
from enclave.evidence.certificates import key_digest
from enclave.evidence.enclosed import Enclosed
from enclave.evidence.facts import Claim, Facts
from enclave.evidence.findings import Finding, Reason
from enclave.evidence.spdm.transcript import encode
from enclave.evidence.spdm.verify import TECHNOLOGY, show, verify
from enclave.evidence.trust import Trust
from tests.fakes.authorities import Authority, kept_key, usage
from tests.fakes.evidence import NOON
from tests.fakes.spdm import (
    SoftDevice,
    block,
    challenge,
    get_certificate,
    get_digests,
    get_measurements,
    modes,
    tcb_info,
    ueid,
)

NONCE = b"\xaa" * 32


def usual(version: int = 0x13) -> list[bytes]:
    """What a careful requester asks for."""
    return [
        get_digests(version),
        get_certificate(version),
        challenge(version),
        get_measurements(version),
    ]


def judged(
    device: SoftDevice,
    requests: Sequence[bytes] | None = None,
    *,
    version: int = 0x13,
    pieces: Sequence[bytes] = (),
    trust: Trust | None = None,
    change: Callable[[list[bytes]], list[bytes]] = lambda said: said,
) -> Facts:
    """The facts of a conversation with a device; the challenger's nonce is `NONCE` unless it says otherwise."""
    said = change(device.talk(usual(version) if requests is None else requests, version))
    body = Enclosed(evidence=encode(said), pieces=tuple(pieces)).encode()
    return verify(body, 1, node=None, trust=trust or device.root.trust, at=NOON)


def refusal(device: SoftDevice, requests: Sequence[bytes] | None = None, **how: object) -> list[Finding]:
    """Why a conversation is not authentic."""
    with pytest.raises(NotAuthentic) as refused:
        judged(device, requests, **how)  # type: ignore[arg-type]
    return list(refused.value.findings)


def reasons(findings: Sequence[Finding]) -> list[Reason]:
    return [finding.reason for finding in findings]


@pytest.mark.parametrize("version", [0x11, 0x12, 0x13])
def test_a_whole_conversation_verifies(version: int) -> None:
    facts = judged(SoftDevice(versions=(version,)), version=version)
    assert facts.missed == ()
    assert facts.bound == NONCE
    assert facts.claims["version"] == version
    assert facts.registers["measurement.16"] == (9).to_bytes(8, "little")
    assert facts.claims["svn"] == 3
    assert {"dice.0.fwid.0", "dice.1.fwid.0"} <= set(facts.registers)
    assert facts.inputs.keys() == set(TECHNOLOGY.inputs)
    assert len(facts.certificates) == 3


@pytest.mark.parametrize(
    ("kind", "hashed", "pss"),
    [
        ("P-256", "sha256", True),
        ("P-521", "sha512", True),
        ("RSA-2048", "sha256", False),
        ("RSA-2048", "sha256", True),
        ("RSA-3072", "sha384", True),
    ],
)
def test_every_negotiated_algorithm_is_checked(kind: str, hashed: str, pss: bool) -> None:
    device = SoftDevice(kind=kind, hashed=hashed, pss=pss)
    assert judged(device).missed == ()

    def spoilt(said: list[bytes]) -> list[bytes]:
        return [*said[:-1], said[-1][:-1] + bytes([said[-1][-1] ^ 1])]

    assert reasons(refusal(SoftDevice(kind=kind, hashed=hashed, pss=pss), change=spoilt)) == [
        Reason.SIGNATURE
    ]


def test_a_chain_may_come_in_portions() -> None:
    device = SoftDevice(portion=500)
    size = len(device.chain())
    asked = [get_certificate(0x13, offset) for offset in range(0, size, 500)]
    assert len(asked) > 2
    facts = judged(device, [get_digests(0x13), *asked, challenge(0x13), get_measurements(0x13)])
    assert facts.missed == ()


def test_a_chain_that_is_read_again_is_the_same() -> None:
    device = SoftDevice(versions=(0x12,))
    again = [get_certificate(), get_digests(), get_certificate(), get_measurements()]
    assert judged(device, again, version=0x12).missed == ()


def test_a_root_that_is_left_out_comes_as_an_endorsement() -> None:
    device = SoftDevice(with_root=False)
    assert judged(device, pieces=[device.root.der]).status.value == "test-root"
    (finding,) = refusal(SoftDevice(with_root=False))
    assert (finding.reason, finding.expected) == (
        Reason.CERTIFICATE,
        "the root whose hash the chain begins with",
    )


def test_a_whole_chain_may_come_as_endorsements() -> None:
    device = SoftDevice()
    pieces = [each.der for each in device.authorities()]
    facts = judged(device, [get_measurements(0x13)], pieces=pieces)
    assert "spdm: the chain came with the evidence and not from the device" in facts.trace
    (finding,) = refusal(SoftDevice(), [get_measurements(0x13)])
    assert (finding.reason, finding.found) == (Reason.CERTIFICATE, "0 leaves")


def test_the_device_s_own_key_is_its_identity() -> None:
    device = SoftDevice()
    assert judged(device).identity == key_digest(device.authorities()[1].certificate)
    updated = SoftDevice(firmware=(b"layer 0", b"new layer 1"))
    assert updated.authorities()[2].digest != device.authorities()[2].digest
    assert judged(updated).identity == judged(device).identity


def test_a_ueid_is_the_identity_and_only_claimed() -> None:
    value = b"\x01" + b"\x42" * 16
    facts = judged(SoftDevice(more=(ueid(value),)))
    assert facts.identity == facts.claims["ueid"] == value
    assert not any(value.hex() in line for line in facts.trace)


def test_what_a_root_says_of_itself_is_nobody_s_word() -> None:
    """Only the root's key is pinned, so anybody who relays evidence could write another certificate for it."""
    forged = Authority.root(
        "Soft vendor", key=kept_key("P-384", 900), extensions=(ueid(bytes(16)), tcb_info(0, 200, b"none"))
    )
    facts = judged(SoftDevice(root=forged))
    assert "ueid" not in facts.claims
    dice = facts.claims["dice"]
    assert isinstance(dice, list)
    assert len(dice) == 2


def test_a_leaf_that_is_trusted_itself_says_nothing_of_its_device() -> None:
    device = SoftDevice()
    leaf = device.authorities()[2]
    facts = judged(device, trust=leaf.trust)
    assert (facts.identity, facts.claims["dice"]) == (leaf.digest, [])


def test_without_challenge_nothing_of_1_1_s_negotiation_is_claimed() -> None:
    device = SoftDevice(versions=(0x11,))
    asked = [get_digests(0x11), get_certificate(0x11), get_measurements(0x11)]
    facts = judged(device, asked, version=0x11)
    assert not {"capabilities", "meas_hash", "versions"} & facts.claims.keys()
    assert any("no signature covers the negotiation" in line for line in facts.trace)
    assert "capabilities" in judged(SoftDevice(versions=(0x11,)), version=0x11).claims


# what counts as measured


def one_by_one(nonces: Sequence[bytes | None]) -> list[bytes]:
    asked = [
        get_measurements(0x13, operation, nonce)
        for operation, nonce in zip((1, 2, 16, 254), nonces, strict=True)
    ]
    return [get_certificate(0x13), *asked]


def test_one_by_one_for_one_nonce_counts_all() -> None:
    facts = judged(SoftDevice(), one_by_one([NONCE] * 4))
    assert {name for name in facts.registers if name[0] == "m"} == {
        f"measurement.{n}" for n in (1, 2, 16, 254)
    }


def test_unsigned_answers_count_when_the_next_signature_says_that_nothing_changed() -> None:
    facts = judged(SoftDevice(), one_by_one([None, None, None, NONCE]))
    assert {f"measurement.{n}" for n in (1, 2, 16, 254)} <= set(facts.registers)
    silent = judged(SoftDevice(change=0), one_by_one([None, None, None, NONCE]))
    assert {name for name in silent.registers if name[0] == "m"} == {"measurement.254"}


def test_answers_before_an_error_or_another_request_do_not_count() -> None:
    lost = get_measurements(0x13, 99, None)
    for between in (lost, get_digests(0x13)):
        asked = [get_certificate(0x13), get_measurements(0x13, 1, None), between, get_measurements(0x13, 2)]
        facts = judged(SoftDevice(), asked)
        assert {name for name in facts.registers if name[0] == "m"} == {"measurement.2"}
        measured = facts.claims["measurements"]
        assert isinstance(measured, list)
        assert len(measured) == 1


def test_answers_to_another_nonce_do_not_count() -> None:
    """Else old answers of a device, with one new one, would pass for what it runs now."""
    facts = judged(SoftDevice(), one_by_one([b"\x01" * 32, NONCE, b"\x01" * 32, NONCE]))
    assert {name for name in facts.registers if name[0] == "m"} == {"measurement.2", "measurement.254"}
    assert any("2 signed measurements for other nonces" in line for line in facts.trace)


def test_nothing_signed_proves_nothing() -> None:
    (finding,) = refusal(SoftDevice(), [get_certificate(0x13), get_measurements(0x13, 1, None)])
    assert finding.reason is Reason.SIGNATURE


def test_a_device_without_security_versions_has_version_0() -> None:
    device = SoftDevice(blocks=[block(1, 0, bytes(48))])
    line = device.authorities()
    line[2] = line[0].issue("bare", key=line[2].key)
    line[1:2] = []
    assert judged(device).claims["svn"] == 0


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


def test_show_believes_nothing() -> None:
    said = SoftDevice().talk([get_certificate(0x13), get_measurements(0x13, 1, None)], 0x13)
    shown = show(Enclosed(evidence=encode(said), pieces=()).encode())
    dice: Claim = shown["dice"]
    assert isinstance(dice, list)
    assert len(dice) == 2
    bare = show(Enclosed(evidence=encode(SoftDevice().talk([], 0x13)), pieces=()).encode())
    assert "certs" not in bare
    with pytest.raises(MalformedEvidence):
        show(b"")


def test_only_conversations_are_recognised() -> None:
    evidence = encode(SoftDevice().talk(usual(), 0x13))
    assert TECHNOLOGY.recognise(evidence)
    assert TECHNOLOGY.recognise(encode(SoftDevice().talk(usual() * 80, 0x13)))
    for other in (b"", b"\x80", b"\x10\x84\0\0", evidence[1:], b"\xd9\x01" + evidence):
        assert not TECHNOLOGY.recognise(other)
