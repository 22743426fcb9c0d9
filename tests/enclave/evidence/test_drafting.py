# SPDX-License-Identifier: Apache-2.0
"""Rules drafted from a machine accept that machine, and nothing whose registers, versions or states differ."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from cli.owner.fragment import fragment
from contracts.ids import Digest
from contracts.records import Level
from enclave.evidence.appraise import refused_from
from enclave.evidence.drafting import learned, outline
from enclave.evidence.examine import Expected, examine_file, trusting
from enclave.evidence.facts import Facts
from enclave.evidence.findings import Reason
from enclave.evidence.kinds import Kind
from enclave.evidence.outlook import devices_in, outlook
from enclave.evidence.policy import rules_from, trust_from
from enclave.evidence.rules import Rules
from enclave.evidence.technologies import TECHNOLOGIES
from tests.conftest import ROOT
from tests.fakes.evidence import NOON, Case
from tests.fakes.facts import FACTS
from tests.fakes.recorded import Recorded, recorded

UNPROVEN = {"aws-nitro/enclave-bad-signature", "nvidia/hopper-invalid-signature", "tpm/gcp-cos85-three-banks"}
BOOTLESS = {"tpm/keylime-rsa"}  # quotes too few PCRs to vouch for a workload
MASKED = {"sev-snp/milan-v3-vlek-vmpl1"}  # its host hides which chip it is, so that no policy could burn it
SAMPLES = [
    sample
    for sample in recorded(ROOT.parent / "shared" / "evidence")
    if sample.name not in UNPROVEN | BOOTLESS | MASKED
]
REFUSED = {
    "aws-nitro/enclave-debug-2025-12",
    "sgx/v3-debug-enclave",
    "tdx/v4-debug-td",
    "tdx/v5-90c06f-tcb-below-all-levels",
    "tdx/v5-service-td",
}


def changed(facts: Facts) -> Iterator[Facts]:
    """The same device with one register changed, or gone."""
    for name, value in facts.registers.items():
        others = {other: left for other, left in facts.registers.items() if other != name}
        yield replace(facts, registers=others)
        yield replace(facts, registers={**others, name: bytes([value[0] ^ 1]) + value[1:] if value else b"1"})


def facts_of(sample: Recorded) -> Facts:
    roots = [path.read_bytes() for path in sample.trusted]
    pieces = [*(path.read_bytes() for path in sample.pieces), *roots]
    (facts,) = devices_in(
        sample.evidence.read_bytes(), pieces=pieces, trust=trusting(roots), at=sample.moment
    )
    return facts


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_rules_from_a_real_machine_accept_it_and_no_other_code(sample: Recorded) -> None:
    facts, at = facts_of(sample), sample.moment
    rules = rules_from(fragment(learned([facts], at)))
    assert not list(rules.unmet(facts, at))
    assert bool(list(rules.composition([facts]))) is facts.kind.peripheral  # which is no root device
    assert bool(facts.missed) is (sample.name in REFUSED)
    for other in changed(facts):
        assert Reason.PCR in [finding.reason for finding in rules.unmet(other, at)]
    other = replace(facts, workload=Digest(b"\x01" * 32))
    expected = [] if facts.kind.peripheral else [Reason.WORKLOAD]
    assert [finding.reason for finding in rules.unmet(other, at)] == expected


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_rules_from_a_real_machine_refuse_lower_versions(sample: Recorded) -> None:
    facts, at = facts_of(sample), sample.moment
    rules = learned([facts], at)
    assert {rule.claim for rule in rules.floors} == set(TECHNOLOGIES[facts.kind].floors)
    for rule in rules.floors:
        stricter = replace(rules, floors=(replace(rule, at_least=rule.at_least + 1),))
        assert [finding.reason for finding in stricter.unmet(facts, at)] == [Reason.MINIMUM]


def test_several_devices_of_a_kind_are_allowed_together() -> None:
    root = replace(FACTS, claims={}, inputs={}, custody=None)
    gpus = [
        replace(root, kind=Kind.SPDM, index=n, registers={"measurement.1": bytes([n])}, claims={"svn": n})
        for n in (1, 2)
    ]
    rules = learned(gpus, NOON)
    (device,) = rules.devices
    assert (device.least, device.most, device.minimum_level) == (2, 2, Level.ROOTED)
    assert [rule.allow for rule in rules.registers] == [(b"\x01", b"\x02")]
    assert [rule.at_least for rule in rules.floors] == [1]
    assert [rule.required for rule in rules.ages] == [False]
    assert rules.workloads == ()
    assert all(not list(rules.unmet(facts, NOON)) for facts in gpus)


def test_custody_is_drafted_with_its_endorser_and_place() -> None:
    rules = learned([replace(FACTS, claims={}, inputs={})], NOON)
    assert FACTS.custody is not None
    assert (rules.endorsers, rules.places) == ((FACTS.custody.endorser,), (7,))


def test_inputs_that_are_old_already_are_given_twice_their_age() -> None:
    old = replace(FACTS, kind=Kind.SPDM, index=1, claims={"svn": 0}, custody=None)
    aged = replace(old, inputs={"certificate": NOON - timedelta(days=20_000)})
    rules = learned([aged], NOON)
    assert not list(rules.unmet(aged, NOON))
    end = refused_from([replace(aged, not_after=None)], rules, NOON)
    assert end == NOON + timedelta(days=20_002)


@pytest.mark.parametrize("kind", TECHNOLOGIES, ids=lambda kind: kind.label)
def test_an_outline_accepts_nothing_of_a_technology_that_states_versions(kind: Kind) -> None:
    rules = outline(kind, minimum_level=Level.NONE, workloads=(), at=NOON)
    facts = replace(FACTS, kind=kind, index=int(kind.peripheral), custody=None, inputs={})
    assert list(rules.unmet(facts, NOON))


def test_the_outlook_of_a_bundle_is_what_a_verifier_would_say(tpm_case: Case) -> None:
    raw, policy = tpm_case.bundle().encode(), tpm_case.policy
    now = outlook(raw, policy, at=NOON)
    assert now.passes
    assert now.until is not None
    assert outlook(raw, policy, at=now.until - timedelta(seconds=1)).passes
    later = outlook(raw, policy, at=now.until)
    assert {finding.reason for finding in later.findings} & {Reason.CERTIFICATE, Reason.STALE}
    assert later.until is None


def test_the_outlook_holds_a_bundle_to_all_of_a_policy_and_a_fragment_to_its_rules(software: Case) -> None:
    raw, policy = software.bundle().encode(), software.policy
    strict = replace(policy, clock="protected")
    assert [f.reason for f in outlook(raw, strict, at=NOON).findings] == [Reason.CLOCK]
    assert outlook(raw, strict.rules, at=NOON).passes
    two: Rules = replace(policy.rules, devices=(replace(policy.rules.devices[0], least=2, most=2),))
    assert [f.reason for f in outlook(raw, two, at=NOON).findings] == [Reason.DEVICES]
    alone = software.bundle().devices[0].body
    assert outlook(alone, two, at=NOON).passes  # one device is not held to how many there are
    forged = alone[:-1] + bytes([alone[-1] ^ 1])
    assert [f.reason for f in outlook(forged, policy, at=NOON).findings] == [Reason.SIGNATURE]


def test_evidence_may_rest_on_whom_its_policy_names(tpm_case: Case, tpm_text: str) -> None:
    alone = tpm_case.bundle().devices[0].body
    given: dict[str, object] = {"at": NOON, "expected": Expected(), "rules": rules_from(tpm_text)}
    named = examine_file(alone, trust=trust_from(tpm_text), **given)  # type: ignore[arg-type]
    assert named.accepted, named.reasons
    fragment_only = fragment(rules_from(tpm_text))
    unnamed = examine_file(alone, trust=trust_from(fragment_only), **given)  # type: ignore[arg-type]
    assert not unnamed.authentic
    endorsers = replace(rules_from(tpm_text), endorsers=(b"\x04" + bytes(64),), places=(1,))
    assert trust_from(fragment(endorsers)).endorsers == frozenset(endorsers.endorsers)


@pytest.mark.parametrize("name", sorted(BOOTLESS))
def test_no_rules_accept_evidence_that_vouches_for_no_workload(name: str, shared_evidence: Path) -> None:
    (sample,) = (found for found in recorded(shared_evidence) if found.name == name)
    facts = facts_of(sample)
    rules = learned([facts], sample.moment)
    assert rules.workloads == ()
    assert [finding.reason for finding in rules.unmet(facts, sample.moment)] == [Reason.WORKLOAD]
    listed = replace(rules, workloads=(facts.workload,))
    assert [finding.reason for finding in listed.unmet(facts, sample.moment)] == [Reason.WORKLOAD]
