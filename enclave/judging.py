# SPDX-License-Identifier: Apache-2.0
"""The one judgement that verifier, broker, auditor and user share: evidence, a policy, and the challenge block."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from contracts.ids import Address, PolicyId
from enclave.evidence.appraise import Accepted, appraise
from enclave.evidence.bundle import Bundle
from enclave.evidence.policy import Policy
from enclave.evidence.verify import verify


@dataclass(frozen=True, slots=True, kw_only=True)
class Assigned:
    """A policy that somebody judges by: the document, who published it, and the salt of its burn domain."""

    policy: Policy
    controller: Address
    salt: bytes = field(repr=False)

    def policy_id(self, chain_id: int, registry: Address) -> PolicyId:
        """The id it is published under."""
        return self.policy.policy_id(chain_id, registry, self.controller)


def judge(bundle: Bundle, assigned: Assigned, policy_id: PolicyId, *, block_time: int) -> Accepted:
    """Verify and appraise as of the challenge block, so that everybody reaches the same verdict at any later time.

    `block_time` is the challenge block's timestamp. Raises `NotAuthentic` or `Refused` with every unmet rule.
    """
    at = datetime.fromtimestamp(block_time, UTC)
    verified = verify(bundle, trust=assigned.policy.trust, at=at)
    return appraise(
        verified, assigned.policy, challenge_time=block_time, salt=assigned.salt, policy_id=policy_id
    )
