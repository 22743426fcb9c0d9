# SPDX-License-Identifier: Apache-2.0
"""Step 5: is authentic evidence acceptable? The owner's rules, all of them, and the verdict that follows.

Every field of the verdict is a function of policy, salt, bundle and challenge block, so honest verifiers
agree and a replay is exact.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from contracts.ids import Digest, PolicyId
from contracts.records import Verdict
from enclave.errors import Refused
from enclave.evidence.binding import Lockdown, device_nonce, report_data
from enclave.evidence.facts import Facts, RootStatus
from enclave.evidence.findings import Finding, Reason
from enclave.evidence.platform import commitment, opening
from enclave.evidence.policy import Policy
from enclave.evidence.rules import Rules
from enclave.evidence.verify import Verified

__all__ = ["Accepted", "Finding", "Reason", "appraise", "refused_from", "unmet"]


_BOUND = 64


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
    at = datetime.fromtimestamp(challenge_time, UTC)
    openings = [opening(salt, facts.identity) for facts in verified.devices]
    findings = [*unmet(verified, policy, at), *_challenged(verified, policy_id)]
    findings += _burnt(verified, policy, openings)
    if findings:
        raise Refused(findings)
    return Accepted(
        verified=verified,
        opening=openings[0],
        trace=_trace(verified),
        result=_verdict(verified, policy, at, openings[0]),
    )


def unmet(verified: Verified, policy: Policy, at: datetime) -> Iterator[Finding]:
    """Every rule of the policy that the evidence does not meet at a moment, whatever was asked and burnt."""
    for rule in _OF_EVIDENCE:
        yield from rule(verified)
    yield from _root_level(verified, policy)
    yield from _claims(verified, policy)
    yield from policy.rules.composition(verified.devices)
    for facts in verified.devices:
        yield from policy.rules.unmet(facts, at)


def refused_from(devices: Sequence[Facts], rules: Rules, at: datetime) -> datetime | None:
    """The first moment after `at` at which the rules refuse these devices, or None if they never do."""
    moments = {moment for facts in devices for moment in rules.moments(facts) if moment > at}
    return next((m for m in sorted(moments) if any(any(rules.unmet(f, m)) for f in devices)), None)


def _verdict(verified: Verified, policy: Policy, at: datetime, salted: bytes) -> Verdict:
    challenge, root, as_of = verified.bundle.challenge, verified.root, int(at.timestamp())
    end = refused_from(verified.devices, policy.rules, at)
    longest = as_of + policy.enforced.maximum_age
    return Verdict(
        policy_id=challenge.policy_id,
        node_id=challenge.node_id,
        lease_nonce=challenge.lease_nonce,
        evidence=verified.bundle.digest(),
        workload=root.workload,
        platform=commitment(policy.enforced.burn_domain, salted, root.identity),
        level=root.level,
        kinds=sum(1 << kind.bit for kind in {facts.kind for facts in verified.devices}),
        place=root.place,
        block_number=challenge.block_number,
        block_hash=challenge.block_hash,
        as_of=as_of,
        expiry=longest if end is None else min(longest, int(end.timestamp())),
    )


def _trace(verified: Verified) -> tuple[str, ...]:
    lines = [line for facts in verified.devices for line in facts.trace]
    for facts in verified.devices:
        name = f"{facts.kind.label}.{facts.index}"
        if facts.status is RootStatus.TEST_ROOT:
            would = facts.potential.label
            lines.append(f"{name}: test-root, level none; {would} under a vendor root")
        if facts.unlinked:
            lines.append(
                f"{name}: unlinked, level {facts.level.label}; what the guest sends it may be read by the host"
            )
    lines.append(f"level {verified.root.level.label}, that of the root device {verified.root.kind.label}")
    return tuple(lines)


def _binding(verified: Verified) -> Iterator[Finding]:
    bundle = verified.bundle
    nonces: list[bytes] = [report_data(bundle.challenge, bundle.claims, bundle.entries())]
    nonces += [device_nonce(bundle.challenge, f.index, f.kind.label) for f in verified.devices[1:]]
    for facts, nonce in zip(verified.devices, nonces, strict=True):
        if facts.bound.ljust(_BOUND, b"\0") != nonce.ljust(_BOUND, b"\0"):
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


def _burnt(verified: Verified, policy: Policy, openings: Sequence[bytes]) -> Iterator[Finding]:
    for facts, salted in zip(verified.devices, openings, strict=True):
        found: Digest = commitment(policy.enforced.burn_domain, salted, facts.identity)
        if found in policy.burnt:
            hint = "the policy's owner burnt it for good; use another machine"
            yield _finding(Reason.BURNT, "a platform that is not burnt", str(found), hint)


def _root_level(verified: Verified, policy: Policy) -> Iterator[Finding]:
    root, wanted = verified.root, policy.enforced.minimum_level
    if root.level < wanted:
        expected, found = (
            f"a root device at least {wanted.label}",
            f"{root.level.label} ({root.status.value})",
        )
        yield _finding(Reason.LEVEL, expected, found, "a machine whose root device reaches that level")


def _claims(verified: Verified, policy: Policy) -> Iterator[Finding]:
    claims = verified.bundle.claims
    if lacking := policy.lockdown & ~Lockdown(claims.lockdown):
        names = ", ".join(str(step.name).lower() for step in lacking)
        yield _finding(
            Reason.LOCKDOWN, "every step asked for", f"without {names}", "the host's kernel lacks them"
        )
    if policy.clock == "protected" and claims.clock != "protected":
        hint = "a technology whose guests have a clock that the host cannot set"
        yield _finding(Reason.CLOCK, policy.clock, claims.clock, hint)
    if claims.clock == "protected" and verified.root.clock != "protected":
        found = f"{verified.root.kind.label} leaves the clock to the host"
        yield _finding(
            Reason.CLOCK, "a protected clock, as the guest claims", found, "claim the host's clock"
        )


def _missed(verified: Verified) -> Iterator[Finding]:
    for facts in verified.devices:
        yield from facts.missed


def _finding(reason: Reason, expected: str, found: str, hint: str) -> Finding:
    return Finding(reason=reason, expected=expected, found=found, hint=hint)


_OF_EVIDENCE: tuple[Callable[[Verified], Iterator[Finding]], ...] = (_binding, _node, _missed)
