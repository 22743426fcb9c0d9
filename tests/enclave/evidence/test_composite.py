# SPDX-License-Identifier: Apache-2.0
"""Several devices in one bundle: missing, extra, swapped, relayed, stale and doubled ones refuse, and burnt platforms."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from contracts.ids import Digest
from contracts.records import Level
from enclave.errors import NotAuthentic, Refused
from enclave.evidence.appraise import Reason, appraise
from enclave.evidence.binding import DeviceEntry, device_nonce, evidence_digest, report_data
from enclave.evidence.bundle import Bundle, Device
from enclave.evidence.examine import Expected, examine_file
from enclave.evidence.facts import RootStatus
from enclave.evidence.kinds import Kind
from enclave.evidence.platform import commitment, opening
from enclave.evidence.policy import Policy
from enclave.evidence.rules import DeviceRule, Rules, together
from enclave.evidence.software.verify import workload_of
from enclave.evidence.verify import Verified, verify
from enclave.guest.collectors.software import Software
from tests.fakes.evidence import FILES, KEYS, NOON, SALT, Case, challenge
from tests.fakes.facts import CUSTODY, FACTS, RULES

OTHER_NONCE = Digest(b"\x57" * 32)


@pytest.fixture
def case(tpm_case: Case, tpm_text: str) -> Case:
    """A TPM as root device, and exactly one software device beside it."""
    text = tpm_text + '[[devices]]\nkind = "software"\nminimum_level = "none"\nleast = 1\nmost = 1\n'
    text = text.replace("workloads = [", f'workloads = ["{workload_of(FILES)}", ')
    return tpm_case.but(policy=Policy.from_toml(text))


def beside(case: Case, bodies: Sequence[bytes]) -> Bundle:
    """A bundle whose root device binds these bodies of software devices."""
    asked = challenge(case.policy_id)
    others = [
        DeviceEntry(index=n, kind="software", evidence=evidence_digest(body))
        for n, body in enumerate(bodies, 1)
    ]
    root = case.collect(report_data(asked, case.claims, [DeviceEntry.root("tpm"), *others]))
    devices = [Device(kind="software", index=n, body=body) for n, body in enumerate(bodies, 1)]
    whole = (Device(kind="tpm", index=0, body=root), *devices)
    return Bundle(challenge=asked, keys=KEYS, claims=case.claims, devices=whole)


def answering(case: Case, index: int = 1, nonce: Digest | None = None) -> bytes:
    """What software device `index` gives to this challenge, or to one with another nonce."""
    asked = challenge(case.policy_id)
    asked = asked if nonce is None else replace(asked, lease_nonce=nonce)
    return Software(FILES).collect(device_nonce(asked, index, "software") + bytes(32))


def reasons(case: Case, bundle: Bundle) -> set[str]:
    with pytest.raises((Refused, NotAuthentic)) as caught:
        case.judge(bundle)
    return set(caught.value.reasons)


def test_the_root_device_decides_and_the_trace_says_who_is_unlinked(case: Case) -> None:
    accepted = case.judge(beside(case, [answering(case)]))
    assert accepted.verdict().kinds == 0b11
    assert accepted.verdict().level is Level.NONE
    assert any(line.startswith("software.1: unlinked") for line in accepted.trace)
    assert any("that of the root device tpm" in line for line in accepted.trace)


def test_a_missing_device_refuses(case: Case) -> None:
    assert reasons(case, case.bundle()) == {Reason.DEVICES.name}


def test_an_extra_device_refuses(case: Case) -> None:
    bundle = beside(case, [answering(case), answering(case, 2)])
    assert reasons(case, bundle) == {Reason.DEVICES.name}


def test_a_device_beyond_the_bound_list_refuses(case: Case) -> None:
    bundle = beside(case, [answering(case)])
    added = replace(
        bundle, devices=(*bundle.devices, Device(kind="software", index=2, body=answering(case, 2)))
    )
    removed = replace(bundle, devices=bundle.devices[:1])
    assert Reason.BINDING.name in reasons(case, added)
    assert Reason.BINDING.name in reasons(case, removed)


def test_a_swapped_device_refuses(case: Case) -> None:
    bundle = beside(case, [answering(case)])
    swapped = replace(
        bundle.devices[1], body=answering(case)
    )  # as good as the first, but not the one that was bound
    assert reasons(case, replace(bundle, devices=(bundle.devices[0], swapped))) == {Reason.BINDING.name}


def test_devices_that_changed_places_refuse(case: Case) -> None:
    two = case.policy.rules.devices[1]
    wide = replace(case.policy.rules, devices=(case.policy.rules.devices[0], replace(two, most=2)))
    roomy = case.but(policy=replace(case.policy, rules=wide))
    assert Reason.BINDING.name in reasons(roomy, beside(roomy, [answering(roomy, 2), answering(roomy, 1)]))


def test_a_relayed_or_stale_device_refuses(case: Case) -> None:
    assert reasons(case, beside(case, [answering(case, nonce=OTHER_NONCE)])) == {Reason.BINDING.name}
    assert reasons(case, beside(case, [answering(case, index=2)])) == {Reason.BINDING.name}


def test_one_identity_refuses_across_kinds(case: Case) -> None:
    verified = verify(beside(case, [answering(case)]), trust=case.policy.trust, at=NOON)
    root, other = verified.devices
    twin = replace(other, identity=root.identity)
    rules = case.policy.rules
    assert not list(rules.composition([root, other]))
    assert [f.reason for f in rules.composition([root, twin])] == [Reason.DEVICES]


def test_a_peripheral_is_no_root_device(case: Case) -> None:
    root = verify(case.bundle(), trust=case.policy.trust, at=NOON).root
    gpu = replace(root, kind=Kind.NVIDIA_GPU)
    rule = DeviceRule(kind=Kind.NVIDIA_GPU, minimum_level=Level.NONE, least=1, most=1)
    rules = replace(case.policy.rules, devices=(rule,))
    assert [f.reason for f in rules.composition([gpu])] == [Reason.KIND]


@pytest.mark.parametrize("device", [0, 1])
def test_a_burnt_platform_refuses(case: Case, device: int) -> None:
    bundle = beside(case, [answering(case)])
    verified = verify(bundle, trust=case.policy.trust, at=NOON)
    identity, domain = verified.devices[device].identity, case.policy.enforced.burn_domain
    burnt = commitment(domain, opening(SALT, identity), identity)
    policy = replace(case.policy, burnt=(burnt,))
    with pytest.raises(Refused) as caught:
        appraise(
            verified,
            policy,
            challenge_time=int(NOON.timestamp()),
            salt=SALT,
            policy_id=case.policy_id,
        )
    assert caught.value.reasons == (Reason.BURNT.name,)
    assert identity.hex() not in str(caught.value)


@pytest.mark.parametrize(("clock", "accepted"), [("host", False), ("protected", True)])
def test_a_protected_clock_counts_where_the_technology_has_one(
    software: Case, clock: str, accepted: bool
) -> None:
    case = software.but(claims=replace(software.claims, clock="protected"))
    verified = verify(case.bundle(), trust=case.policy.trust, at=NOON)
    told = replace(verified, devices=(replace(verified.root, clock=clock),))
    given = {"challenge_time": int(NOON.timestamp()), "salt": SALT, "policy_id": case.policy_id}
    if accepted:
        appraise(told, case.policy, **given)
        return
    with pytest.raises(Refused) as caught:
        appraise(told, case.policy, **given)
    assert caught.value.reasons == (Reason.CLOCK.name,)


@pytest.mark.parametrize(
    ("tail", "accepted"), [(b"", True), (bytes(32), True), (b"\x01" + bytes(31), False), (bytes(33), False)]
)
def test_report_data_of_64_bytes_ends_in_zeros(software: Case, tail: bytes, accepted: bool) -> None:
    verified = verify(software.bundle(), trust=software.policy.trust, at=NOON)
    longer = replace(verified.root, bound=verified.root.bound + tail)
    given = {"challenge_time": int(NOON.timestamp()), "salt": SALT, "policy_id": software.policy_id}
    told: Verified = replace(verified, devices=(longer,))
    if accepted:
        appraise(told, software.policy, **given)
        return
    with pytest.raises(Refused) as caught:
        appraise(told, software.policy, **given)
    assert caught.value.reasons == (Reason.BINDING.name,)


def test_a_vendor_s_peripheral_raises_nothing(case: Case) -> None:
    verified = verify(beside(case, [answering(case)]), trust=case.policy.trust, at=NOON)
    root, other = verified.devices
    strong = replace(other, kind=Kind.TDX, status=RootStatus.VENDOR)
    assert (root.level, strong.level) == (Level.NONE, Level.ROOTED)


def test_custody_lifts_the_level_gives_the_place_and_ends_the_verdict(software: Case) -> None:
    verified = verify(software.bundle(), trust=software.policy.trust, at=NOON)
    isolated = replace(verified, devices=(replace(FACTS, bound=verified.root.bound),))
    terms = replace(software.policy.enforced, maximum_age=90 * 86_400, minimum_level=Level.ISOLATED_CUSTODY)
    policy = replace(software.policy, rules=RULES, enforced=terms)
    given = {"challenge_time": int(NOON.timestamp()), "salt": SALT, "policy_id": software.policy_id}
    verdict = appraise(isolated, policy, **given).verdict()
    assert (verdict.level, verdict.place) == (Level.ISOLATED_CUSTODY, CUSTODY.place)
    assert verdict.expiry == int(CUSTODY.not_after.timestamp())
    assert verdict.kinds == 1 << Kind.TDX.bit
    bare = replace(isolated.root, custody=None)
    with pytest.raises(Refused) as caught:
        appraise(replace(isolated, devices=(bare,)), policy, **given)
    assert caught.value.reasons == (Reason.LEVEL.name,)


def test_the_level_of_the_root_device_is_held_to_what_the_contracts_enforce(software: Case) -> None:
    verified = verify(software.bundle(), trust=software.policy.trust, at=NOON)
    terms = replace(software.policy.enforced, minimum_level=Level.MEASURED)
    policy = replace(software.policy, enforced=terms)
    with pytest.raises(Refused) as caught:
        appraise(
            verified,
            policy,
            challenge_time=int(NOON.timestamp()),
            salt=SALT,
            policy_id=software.policy_id,
        )
    assert caught.value.reasons == (Reason.LEVEL.name,)


def test_a_bundle_on_its_own_is_held_to_composition(case: Case) -> None:
    policy, whole = case.policy, beside(case, [answering(case)])
    twice = beside(case, [answering(case), answering(case, 2)])
    given: dict[str, object] = {"trust": policy.trust, "at": NOON, "expected": Expected()}

    def found(bundle: Bundle, rules: Rules | None) -> set[Reason]:
        examined = examine_file(bundle.encode(), rules=rules, **given)  # type: ignore[arg-type]
        assert examined.authentic
        return {finding.reason for finding in examined.reasons}

    assert found(whole, policy.rules) == set()
    assert found(case.bundle(), policy.rules) == {Reason.DEVICES}
    assert found(twice, policy.rules) == {Reason.DEVICES}
    assert Reason.DEVICES not in found(whole, None)


def test_devices_that_cannot_be_of_one_node_are_refused_under_any_policy(software: Case) -> None:
    root = verify(software.bundle(), trust=software.policy.trust, at=NOON).root
    assert not list(together([root]))
    assert [f.reason for f in together([root, replace(root, index=1)])] == [Reason.DEVICES]
    assert [f.reason for f in together([replace(root, kind=Kind.SPDM)])] == [Reason.KIND]
