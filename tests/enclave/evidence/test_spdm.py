# SPDX-License-Identifier: Apache-2.0
"""Conversations with a software device of our own: what verifies, and what is believed of it."""

from collections.abc import Sequence

import pytest
from cryptography import x509

from contracts.records import Level
from enclave.errors import MalformedEvidence
from enclave.evidence.certificates import key_digest
from enclave.evidence.enclosed import Enclosed
from enclave.evidence.facts import Claim, RootStatus
from enclave.evidence.findings import Reason
from enclave.evidence.roots import SPDM_ROOTS
from enclave.evidence.spdm.transcript import encode
from enclave.evidence.spdm.verify import TECHNOLOGY, show
from enclave.evidence.trust import Trust
from tests.fakes.authorities import Authority, kept_key
from tests.fakes.spdm import (
    NONCE,
    SoftDevice,
    block,
    challenge,
    get_certificate,
    get_digests,
    get_measurements,
    judged,
    mark,
    reasons,
    refusal,
    tcb_info,
    ueid,
    usual,
)


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


def test_a_vendor_s_device_is_rooted_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not SPDM_ROOTS, "a vendor's root came; put its chain among the recorded samples"
    device = SoftDevice()
    monkeypatch.setattr("enclave.evidence.spdm.verify.SPDM_ROOTS", device.root.vendor)
    facts = judged(device, trust=Trust(enrollers=frozenset(), extra_roots=frozenset()))
    assert (facts.status, facts.root, facts.level) == (RootStatus.VENDOR, "Test vendor", Level.ROOTED)
    assert judged(device).level is Level.ROOTED
    monkeypatch.undo()
    assert judged(device).level is Level.NONE


def test_no_trace_names_the_device() -> None:
    device = SoftDevice(more=(ueid(b"\x01" + b"\x42" * 16),), change=1, flags=b"\x00\x70", svns=(1, 1))
    facts = judged(device)
    told = " ".join([*facts.trace, *map(str, facts.missed)])
    keys = [each.digest.hex() for each in device.authorities()[1:]]
    assert facts.missed
    assert not any(
        name in told for name in (facts.identity.hex(), device.digest(device.chain()).hex(), *keys)
    )


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


def test_what_is_nearest_to_the_root_says_who_a_device_is() -> None:
    """Firmware that fell can sign certificates below its own, and would rather be another device."""
    value, other = (bytes([first]) + bytes(16) for first in (1, 2))
    facts = judged(SoftDevice(more=(ueid(value),), leaf={"extensions": (ueid(other),)}))
    assert facts.identity == value
    marked = SoftDevice(leaf={"extensions": (mark(hardware=True),)})
    assert judged(marked).identity == key_digest(marked.authorities()[1].certificate)


def test_the_name_of_a_device_is_claimed() -> None:
    name = x509.OtherName(x509.ObjectIdentifier("1.3.6.1.4.1.412.274.1"), b"\x0c\x07a:b:123")
    other = x509.OtherName(x509.ObjectIdentifier("1.3.6.1.4.1.412.274.9"), b"\x0c\x07a:b:123")
    for names, found in (([other, name], "a:b:123"), ([other], None)):
        extension = (x509.SubjectAlternativeName(names), False)
        assert judged(SoftDevice(leaf={"extensions": (extension,)})).claims.get("device_info") == found


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


def test_nothing_of_1_1_s_negotiation_is_claimed() -> None:
    facts = judged(SoftDevice(versions=(0x11,)), version=0x11)
    assert not {"capabilities", "meas_hash", "versions"} & facts.claims.keys()
    assert any("no signature covers the negotiation" in line for line in facts.trace)
    assert "capabilities" in judged(SoftDevice()).claims


def test_the_other_form_of_a_signature_claims_the_same() -> None:
    """Anybody can turn an ECDSA signature (r, s) into (r, -s), which holds as well."""
    order = int(
        "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973", 16
    )
    said = SoftDevice().talk([get_certificate(0x13), get_measurements(0x13)], 0x13)
    turned = (order - int.from_bytes(said[-1][-48:], "big")).to_bytes(48, "big")
    other = [*said[:-1], said[-1][:-48] + turned]
    first, second = (judged(SoftDevice(), change=lambda _, chosen=chosen: chosen) for chosen in (said, other))
    assert first.claims == second.claims


def test_nothing_is_claimed_that_could_be_left_out() -> None:
    whole = judged(
        SoftDevice(), [*usual(), get_measurements(0x13, 2, b"\x01" * 32), get_measurements(0x13, 2)]
    )
    short = judged(SoftDevice(), [get_certificate(0x13), get_measurements(0x13, 2)])
    names = {name for name in whole.claims if name not in ("certs", "measurements", "dice")}
    assert {name: whole.claims[name] for name in names} == {name: short.claims[name] for name in names}


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


def test_show_believes_nothing() -> None:
    said = SoftDevice().talk([get_certificate(0x13), get_measurements(0x13, 1, None)], 0x13)
    shown = show(Enclosed(evidence=encode(said), pieces=()).encode())
    dice: Claim = shown["dice"]
    assert isinstance(dice, list)
    assert len(dice) == 2
    counted = SoftDevice().talk([get_certificate(0x13), get_measurements(0x13, 0, None)], 0x13)
    measured = show(Enclosed(evidence=encode(counted), pieces=()).encode())["measurements"]
    assert isinstance(measured, list)
    assert measured[0]["total"] == 4  # type: ignore[index,call-overload]
    bare = show(Enclosed(evidence=encode(SoftDevice().talk([], 0x13)), pieces=()).encode())
    assert "certs" not in bare
    with pytest.raises(MalformedEvidence):
        show(b"")


def test_tables_of_other_algorithms_are_passed_over() -> None:
    said = SoftDevice().talk(usual(), 0x13)
    for at in (4, 5):
        tables = b"\x02\x20\x10\0\x03\x21\x20\0\1\2\3\4"
        size = (len(said[at]) + len(tables)).to_bytes(2, "little")
        said[at] = said[at][:2] + b"\x02" + said[at][3:4] + size + said[at][6:] + tables
    assert show(Enclosed(evidence=encode(said), pieces=()).encode())["base_asym"] == 0x80


def test_only_conversations_are_recognised() -> None:
    evidence = encode(SoftDevice().talk(usual(), 0x13))
    assert TECHNOLOGY.recognise(evidence)
    assert TECHNOLOGY.recognise(encode(SoftDevice().talk(usual() * 80, 0x13)))
    for other in (b"", b"\x80", b"\x10\x84\0\0", evidence[1:], b"\xd9\x01" + evidence):
        assert not TECHNOLOGY.recognise(other)
