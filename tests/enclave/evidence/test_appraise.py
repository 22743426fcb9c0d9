# SPDX-License-Identifier: Apache-2.0
"""Every rule of appraisal alone: start from evidence that is accepted, break one thing, see one reason."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from contracts.ids import Digest, PolicyId
from contracts.records import Level
from enclave.errors import ExequaturError, NotAuthentic, Refused
from enclave.evidence.appraise import Reason, appraise
from enclave.evidence.binding import DeviceEntry, GuestClaims, device_nonce, evidence_digest, report_data
from enclave.evidence.bundle import Bundle, Device
from enclave.evidence.platform import commitment, opening
from enclave.evidence.policy import Policy
from enclave.evidence.software.verify import workload_of
from enclave.evidence.verify import verify
from enclave.guest.collectors.software import Software
from tests.fakes.evidence import FILES, KEYS, NOON, SALT, Case, challenge, policy_text
from tests.fakes.tpm import FakeTpm

Edit = Callable[[str], str]


def swap(old: str, new: str) -> Edit:
    def edit(text: str) -> str:
        assert old in text
        return text.replace(old, new)

    return edit


def refused(case: Case, bundle: Bundle | None = None) -> set[str]:
    with pytest.raises((Refused, NotAuthentic)) as caught:
        case.judge(bundle)
    assert caught.value.findings
    assert all(finding.expected and finding.found for finding in caught.value.findings)
    assert str(caught.value.reasons[0]) in str(caught.value)
    return set(caught.value.reasons)


def test_accepted_evidence_gives_a_verdict_of_its_inputs_only(software: Case) -> None:
    bundle = software.bundle()
    verdict, again = software.judge(bundle).verdict(), software.judge(bundle).verdict()
    assert verdict == again
    assert verdict.evidence == bundle.digest()
    assert (verdict.level, verdict.kinds, verdict.place) == (Level.NONE, 1, 0)
    assert (verdict.as_of, verdict.expiry) == (NOON.timestamp(), NOON.timestamp() + 3600)
    assert (verdict.policy_id, verdict.node_id) == (software.policy_id, KEYS.node_id())
    assert (verdict.block_number, verdict.block_hash) == (100, Digest(b"\x66" * 32))


def test_the_opening_opens_the_platform_and_needs_the_salt(software: Case) -> None:
    accepted, domain = software.judge(), software.policy.enforced.burn_domain
    assert accepted.opening == opening(SALT, KEYS.node_id())
    assert accepted.verdict().platform == commitment(domain, accepted.opening, KEYS.node_id())
    assert opening(b"another salt", KEYS.node_id()) != accepted.opening
    assert SALT.hex() not in repr(accepted)
    assert accepted.opening.hex() not in repr(accepted)


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (swap('clock = "host"', 'clock = "protected"'), Reason.CLOCK),
        (swap('"network"]', '"network", "syscalls"]'), Reason.LOCKDOWN),
        (lambda text: policy_text(workload=Digest(b"\x01" * 32)), Reason.WORKLOAD),
        (swap('minimum_level = "none"\nleast', 'minimum_level = "rooted"\nleast'), Reason.LEVEL),
        (
            swap("least = 1\nmost = 1", "least = 2\nmost = 2"),
            Reason.DEVICES,
        ),
        (
            lambda text: (
                text.replace("registers = []", "")
                + '[[registers]]\nkind = "software"\nname = "pcr7"\nallow = []\n'
            ),
            Reason.PCR,
        ),
    ],
)
def test_software_evidence_is_refused_for_one_reason(edit: Edit, reason: Reason) -> None:
    assert refused(Case.software(edit(policy_text()))) == {reason.name}


def test_minimum_level_of_the_policy_counts_for_the_root_device() -> None:
    text = policy_text().replace('development = "software only, for development"\n', "")
    text = text.replace('minimum_level = "none"\nmaximum', 'minimum_level = "measured"\nmaximum')
    assert refused(Case.software(text)) == {Reason.LEVEL.name}


def test_every_unmet_rule_is_reported() -> None:
    text = policy_text(workload=Digest(b"\x01" * 32)).replace('clock = "host"', 'clock = "protected"')
    case = Case.software(text)
    assert refused(case) == {Reason.CLOCK.name, Reason.WORKLOAD.name}


def test_evidence_for_another_challenge_is_refused_s6(software: Case) -> None:
    bundle = software.bundle()
    other = replace(bundle.challenge, lease_nonce=Digest(b"\x56" * 32))
    assert refused(software, replace(bundle, challenge=other)) == {Reason.BINDING.name}


def test_evidence_with_other_claims_is_refused(software: Case) -> None:
    bundle = software.bundle()
    better = GuestClaims(lockdown=255, clock="protected", image="1.0")
    assert refused(software, replace(bundle, claims=better)) == {Reason.BINDING.name, Reason.CLOCK.name}


def test_software_evidence_that_was_changed_is_not_authentic(software: Case) -> None:
    bundle = software.bundle()
    body = bytearray(bundle.devices[0].body)
    body[-1] ^= 1
    changed = replace(bundle, devices=(replace(bundle.devices[0], body=bytes(body)),))
    assert refused(software, changed) == {Reason.SIGNATURE.name}


def test_what_fails_in_every_device_is_reported(two_devices: Case) -> None:
    bundle = with_peripheral(two_devices)
    body = bytearray(bundle.devices[1].body)
    body[-1] ^= 1
    broken = replace(bundle.devices[1], body=bytes(body))
    unknown = Device(kind="abacus", index=2, body=b"")
    changed = replace(bundle, devices=(bundle.devices[0], broken, unknown))
    assert refused(two_devices, changed) == {Reason.SIGNATURE.name, Reason.KIND.name}


def test_keys_that_are_not_the_node_s_are_refused_s1(software: Case) -> None:
    bundle = software.bundle()
    stranger = replace(KEYS, hpke=b"\x12" * 1216)
    assert refused(software, replace(bundle, keys=stranger)) == {Reason.NODE.name}


def test_evidence_under_another_policy_is_refused_s6(software: Case) -> None:
    verified = verify(software.bundle(), trust=software.policy.trust, at=NOON)
    with pytest.raises(Refused) as caught:
        appraise(
            verified,
            software.policy,
            challenge_time=int(NOON.timestamp()),
            salt=SALT,
            policy_id=PolicyId(b"\x09" * 32),
        )
    assert caught.value.reasons == (Reason.POLICY.name,)


def test_a_technology_that_the_policy_does_not_name_is_refused(tpm_case: Case, software: Case) -> None:
    foreign = software.but(policy=tpm_case.policy)
    assert Reason.KIND.name in refused(foreign)


def test_a_technology_that_nobody_knows_is_not_authentic(software: Case) -> None:
    bundle = software.bundle()
    unknown = replace(bundle, devices=(Device(kind="abacus", index=0, body=b""),))
    assert refused(software, unknown) == {Reason.KIND.name}


def with_peripheral(case: Case, index_nonce: int = 1) -> Bundle:
    asked = challenge(case.policy_id)
    nonce = device_nonce(asked, index_nonce, "software") + bytes(32)
    body = Software(FILES).collect(nonce)
    entries = [
        DeviceEntry.root("tpm"),
        DeviceEntry(index=1, kind="software", evidence=evidence_digest(body)),
    ]
    root = case.collect(report_data(asked, case.claims, entries))
    devices = (Device(kind="tpm", index=0, body=root), Device(kind="software", index=1, body=body))
    return Bundle(challenge=asked, keys=KEYS, claims=case.claims, devices=devices)


@pytest.fixture
def two_devices(tpm_case: Case, tpm_text: str) -> Case:
    text = tpm_text + '[[devices]]\nkind = "software"\nminimum_level = "none"\nleast = 1\nmost = 1\n'
    text = text.replace("workloads = [", f'workloads = ["{workload_of(FILES)}", ')
    return tpm_case.but(policy=Policy.from_toml(text))


def test_a_peripheral_answers_to_its_own_nonce(two_devices: Case) -> None:
    assert two_devices.judge(with_peripheral(two_devices)).verdict().kinds == 3
    assert refused(two_devices, with_peripheral(two_devices, index_nonce=2)) == {Reason.BINDING.name}


def test_a_peripheral_is_bound_by_the_root_device(two_devices: Case) -> None:
    bundle = with_peripheral(two_devices)
    other = Software(FILES).collect(device_nonce(bundle.challenge, 1, "software") + bytes(32))
    changed = replace(bundle, devices=(bundle.devices[0], replace(bundle.devices[1], body=other)))
    assert refused(two_devices, changed) == {Reason.BINDING.name}


def test_one_device_twice_is_refused(software: Case) -> None:
    asked = challenge(software.policy_id)
    second = Software(FILES).collect(device_nonce(asked, 1, "software") + bytes(32))
    entries = [
        DeviceEntry.root("software"),
        DeviceEntry(index=1, kind="software", evidence=evidence_digest(second)),
    ]
    first = software.collect(report_data(asked, software.claims, entries))
    devices = tuple(Device(kind="software", index=n, body=body) for n, body in enumerate((first, second)))
    bundle = Bundle(challenge=asked, keys=KEYS, claims=software.claims, devices=devices)
    assert refused(software, bundle) == {Reason.DEVICES.name}


def test_a_test_root_counts_only_where_the_policy_says_so(tpm_case: Case, tpm_text: str) -> None:
    accepted = tpm_case.judge()
    assert accepted.verdict().level is Level.NONE
    assert any("test-root" in line and "rooted under a vendor root" in line for line in accepted.trace)
    strict = tpm_case.but(
        policy=Policy.from_toml(tpm_text.replace("allow_test_root = true", "allow_test_root = false"))
    )
    assert refused(strict) == {Reason.ROOT.name}


def test_a_verdict_ends_with_the_certificate(tpm_case: Case, tpm_text: str) -> None:
    month = tpm_text.replace("maximum_age = 3600", "maximum_age = 4000000")
    verdict = tpm_case.but(policy=Policy.from_toml(month)).judge().verdict()
    assert verdict.expiry == int((NOON + timedelta(days=29, seconds=1)).timestamp())


@pytest.mark.parametrize(("days", "reasons"), [(40, {Reason.STALE, Reason.AGE}), (-2, {Reason.FUTURE})])
def test_certificates_are_judged_at_the_challenge_block(
    tpm_case: Case, days: int, reasons: set[Reason]
) -> None:
    verified = verify(tpm_case.bundle(), trust=tpm_case.policy.trust, at=NOON)
    when = int((NOON + timedelta(days=days)).timestamp())
    with pytest.raises(Refused) as caught:
        appraise(verified, tpm_case.policy, challenge_time=when, salt=SALT, policy_id=tpm_case.policy_id)
    assert set(caught.value.reasons) == {reason.name for reason in reasons}


def test_one_changed_guest_byte_is_another_workload(tpm_case: Case, fake_tpm: FakeTpm) -> None:
    fake_tpm.pcrs[14] = bytes(32)
    fake_tpm.extend(14, FILES[:31] + b"\x0e")
    assert refused(tpm_case) == {Reason.WORKLOAD.name}


@pytest.mark.parametrize("number", range(8, 15))
def test_the_workload_covers_pcr(tpm_case: Case, fake_tpm: FakeTpm, number: int) -> None:
    fake_tpm.extend(number, b"\x01" * 32)
    assert refused(tpm_case) == {Reason.WORKLOAD.name}


@pytest.mark.parametrize("number", [0, 7])
def test_other_pcrs_are_judged_by_allow_lists(
    tpm_case: Case, tpm_text: str, fake_tpm: FakeTpm, number: int
) -> None:
    rule = f'[[registers]]\nkind = "tpm"\nname = "pcr{number}"\nallow = ["0x{bytes(32).hex()}"]\n'
    strict = tpm_case.but(policy=Policy.from_toml(tpm_text.replace("registers = []\n", "") + rule))
    strict.judge()
    fake_tpm.extend(number, b"\x01" * 32)
    tpm_case.judge()
    assert refused(strict) == {Reason.PCR.name}


def test_refusals_say_which_exit_code(software: Case) -> None:
    assert (Refused.code, NotAuthentic.code) == (5, 4)
    assert issubclass(Refused, ExequaturError)


@pytest.mark.parametrize("minted", ["Verified", "Accepted"])
def test_each_step_of_trust_is_minted_in_one_place(minted: str) -> None:
    sources = (Path(__file__).parents[3] / "enclave").rglob("*.py")
    made = sum(len(re.findall(rf"(?<!class )\b{minted}\(", path.read_text("utf-8"))) for path in sources)
    assert made == 1


def test_every_reason_is_provoked_by_a_test() -> None:
    tests = "".join(path.read_text("utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    assert not [r.name for r in Reason if f"Reason.{r.name}" not in tests and f'"{r.name}"' not in tests]
