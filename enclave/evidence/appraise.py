# SPDX-License-Identifier: Apache-2.0
"""Step 5: is authentic evidence acceptable? The owner's rules, all of them, and the verdict that follows.

Every field of the verdict is a function of policy, salt, bundle and challenge block, so honest verifiers
agree and a replay is exact.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from contracts.ids import PolicyId
from contracts.records import Level, Verdict
from enclave.errors import Refused
from enclave.evidence.binding import Lockdown, device_nonce, report_data
from enclave.evidence.facts import RootStatus
from enclave.evidence.findings import Finding, Reason
from enclave.evidence.kinds import Kind
from enclave.evidence.platform import commitment, opening
from enclave.evidence.policy import DeviceRule, Policy
from enclave.evidence.verify import Verified

__all__ = ["Accepted", "Finding", "Reason", "appraise"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """Evidence that meets a policy, and the only thing a verdict can be taken from; minted by `appraise`."""

    verified: Verified
    opening: bytes = field(repr=False)
    trace: tuple[str, ...]
    result: Verdict

    def verdict(self) -> Verdict:
        """What a verifier signs."""
        return self.result


def appraise(
    verified: Verified, policy: Policy, *, challenge_time: int, salt: bytes, policy_id: PolicyId
) -> Accepted:
    """Accept authentic evidence that meets the policy, or raise `Refused` with every unmet rule.

    `challenge_time` is the challenge block's timestamp and `policy_id` the id whose terms the caller read.
    """
    findings = [finding for rule in _OF_EVIDENCE for finding in rule(verified)]
    findings += [finding for rule in _OF_POLICY for finding in rule(verified, policy)]
    findings += _challenged(verified, policy_id)
    findings += _in_time(verified, challenge_time)
    if findings:
        raise Refused(findings)
    root = verified.root
    salted = opening(salt, root.identity)
    return Accepted(
        verified=verified,
        opening=salted,
        trace=_trace(verified),
        result=_verdict(verified, policy, challenge_time, salted),
    )


def _verdict(verified: Verified, policy: Policy, challenge_time: int, salted: bytes) -> Verdict:
    challenge, root = verified.bundle.challenge, verified.root
    ends = [int(facts.not_after.timestamp()) for facts in verified.devices if facts.not_after is not None]
    return Verdict(
        policy_id=challenge.policy_id,
        node_id=challenge.node_id,
        lease_nonce=challenge.lease_nonce,
        evidence=verified.bundle.digest(),
        workload=root.workload,
        platform=commitment(policy.enforced.burn_domain, salted, root.identity),
        level=root.level,
        kinds=sum(1 << kind.bit for kind in {facts.kind for facts in verified.devices}),
        place=0,
        block_number=challenge.block_number,
        block_hash=challenge.block_hash,
        as_of=challenge_time,
        expiry=min([challenge_time + policy.enforced.maximum_age, *ends]),
    )


def _trace(verified: Verified) -> tuple[str, ...]:
    lines = [line for facts in verified.devices for line in facts.trace]
    for facts in verified.devices:
        if facts.status is RootStatus.TEST_ROOT:
            would = facts.potential.label
            lines.append(f"{facts.kind.label}: test-root, level none; {would} under a vendor root")
    return tuple(lines)


def _binding(verified: Verified) -> Iterator[Finding]:
    bundle = verified.bundle
    nonces: list[bytes] = [report_data(bundle.challenge, bundle.claims, bundle.entries())[:32]]
    nonces += [device_nonce(bundle.challenge, f.index, f.kind.label) for f in verified.devices[1:]]
    for facts, nonce in zip(verified.devices, nonces, strict=True):
        if facts.bound != nonce:
            hint = "the evidence answers another challenge, other keys or other claims"
            yield _finding(Reason.BINDING, nonce.hex(), facts.bound.hex(), hint)


def _node(verified: Verified) -> Iterator[Finding]:
    challenged, shown = verified.bundle.challenge.node_id, verified.bundle.keys.node_id()
    if challenged != shown:
        yield _finding(Reason.NODE, str(challenged), str(shown), "the keys are not those of this node")


def _challenged(verified: Verified, policy_id: PolicyId) -> Iterator[Finding]:
    challenged = verified.bundle.challenge.policy_id
    if challenged != policy_id:
        yield _finding(
            Reason.POLICY, str(policy_id), str(challenged), "attest under the policy that is asked for"
        )


def _in_time(verified: Verified, challenge_time: int) -> Iterator[Finding]:
    for facts in verified.devices:
        if facts.not_before is not None and facts.not_before.timestamp() > challenge_time:
            yield _finding(
                Reason.FUTURE, f"valid at {challenge_time}", f"from {facts.not_before}", "check clocks"
            )
        if facts.not_after is not None and facts.not_after.timestamp() <= challenge_time:
            yield _finding(
                Reason.STALE, f"valid at {challenge_time}", f"until {facts.not_after}", "enrol again"
            )


def _levels(verified: Verified, policy: Policy) -> Iterator[Finding]:
    minimums = {rule.kind: rule.minimum_level for rule in policy.devices}
    for facts in verified.devices:
        wanted = minimums.get(facts.kind, Level.NONE)
        if facts.index == 0:
            wanted = max(wanted, policy.enforced.minimum_level)
        if facts.level < wanted:
            found = f"{facts.level.label} ({facts.status.value})"
            yield _finding(
                Reason.LEVEL, f"{facts.kind.label} at least {wanted.label}", found, "a vendor's device"
            )


def _roots(verified: Verified, policy: Policy) -> Iterator[Finding]:
    for facts in verified.devices:
        if facts.status is RootStatus.TEST_ROOT and not policy.allow_test_root:
            yield _finding(Reason.ROOT, "a vendor root", facts.root, "allow_test_root is for development")


def _workload(verified: Verified, policy: Policy) -> Iterator[Finding]:
    if verified.root.workload not in policy.workloads:
        allowed = ", ".join(map(str, policy.workloads)) or "none"
        hint = "the guest's files or boot changed; add the workload only if you built that guest"
        yield _finding(Reason.WORKLOAD, allowed, str(verified.root.workload), hint)


def _registers(verified: Verified, policy: Policy) -> Iterator[Finding]:
    for rule in policy.registers:
        for facts in (facts for facts in verified.devices if facts.kind is rule.kind):
            value = facts.registers.get(rule.name)
            if value is None or value not in rule.allow:
                found = f"{rule.name} {'missing' if value is None else value.hex()}"
                yield _finding(Reason.PCR, " or ".join(v.hex() for v in rule.allow) or "none", found, "")


def _devices(verified: Verified, policy: Policy) -> Iterator[Finding]:
    rules: dict[Kind, DeviceRule] = {rule.kind: rule for rule in policy.devices}
    present = [facts.kind for facts in verified.devices]
    for kind in (kind for kind in present if kind not in rules):
        yield _finding(
            Reason.KIND, " or ".join(k.label for k in rules), kind.label, "the policy does not name it"
        )
    for rule in (rule for rule in policy.devices if rule.required and rule.kind not in present):
        yield _finding(Reason.DEVICES, rule.kind.label, "no such device", "")
    identities = [(facts.kind, facts.identity) for facts in verified.devices]
    if len(set(identities)) != len(identities):
        yield _finding(Reason.DEVICES, "distinct devices", "one device twice", "")


def _claims(verified: Verified, policy: Policy) -> Iterator[Finding]:
    claims = verified.bundle.claims
    if lacking := policy.lockdown & ~Lockdown(claims.lockdown):
        names = ", ".join(str(step.name).lower() for step in lacking)
        yield _finding(
            Reason.LOCKDOWN, "every step asked for", f"without {names}", "the host's kernel lacks them"
        )
    if policy.clock == "protected" and claims.clock != "protected":
        yield _finding(Reason.CLOCK, policy.clock, claims.clock, "")


def _missed(verified: Verified) -> Iterator[Finding]:
    for facts in verified.devices:
        yield from facts.missed


def _finding(reason: Reason, expected: str, found: str, hint: str) -> Finding:
    return Finding(reason=reason, expected=expected, found=found, hint=hint)


_OF_EVIDENCE: tuple[Callable[[Verified], Iterator[Finding]], ...] = (_binding, _node, _missed)
_OF_POLICY: tuple[Callable[[Verified, Policy], Iterator[Finding]], ...] = (
    _levels,
    _roots,
    _workload,
    _registers,
    _devices,
    _claims,
)
