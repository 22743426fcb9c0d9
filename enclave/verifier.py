# SPDX-License-Identifier: Apache-2.0
"""Step 5: a verifier takes a bundle and answers with a signed verdict, or with every reason why not.

Its own clock and its own view of the chain can only make it refuse: every field of the verdict comes from policy,
bundle and challenge block.
"""

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric import ec

from contracts.ids import PolicyId
from contracts.records import Verdict
from enclave.envelope import Filed, file_name, seal_bundle
from enclave.errors import ChallengeRefused
from enclave.evidence.binding import Challenge
from enclave.evidence.bundle import Bundle
from enclave.evidence.enrol import EnrolRequest, challenge_ak, enroller_point, issue
from enclave.evidence.trust import Trust
from enclave.judging import Assigned, judge
from registry.attestations import Attestations
from registry.chain.chain import Chain
from registry.chain.view import Block
from registry.policies import Policies
from registry.signing import Account
from registry.store import Store

_WINDOW = 256  # blocks whose hash every EVM knows
_MARGIN = 64  # of them, those that must be left when a verdict is signed
_OLDEST_HEAD = 300  # seconds by which a head may lag behind the wall clock


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedVerdict:
    """A verdict with one verifier's signature, and the opening of its platform commitment."""

    verdict: Verdict
    signature: bytes
    opening: bytes = field(repr=False)


class Appraiser(Protocol):
    """Whoever judges bundles: a verifier in this process, or one behind HTTP."""

    def appraise(self, bundle: bytes) -> SignedVerdict:
        """The signed verdict; raises what names every reason why not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Enroller:
    """What a verifier needs to certify attestation keys of TPMs."""

    key: ec.EllipticCurvePrivateKey = field(repr=False)
    trust: Trust
    cookie_key: bytes = field(repr=False, default_factory=lambda: secrets.token_bytes(32))

    @property
    def point(self) -> bytes:
        """The public key, as policies name it among their enrollers."""
        return enroller_point(self.key)

    def challenge(self, request: bytes, at: datetime) -> tuple[bytes, bytes]:
        """First message: the credential blob and the cookie."""
        asked = EnrolRequest.decode(request)
        return challenge_ak(
            asked, trust=self.trust, at=at, cookie_key=self.cookie_key, random=secrets.token_bytes
        )

    def certify(self, cookie: bytes, secret: bytes, at: datetime) -> bytes:
        """Second message: the certificate."""
        return issue(cookie, secret, key=self.key, cookie_key=self.cookie_key, at=at)


class Verifier:
    """One of the n verifiers of the policies assigned to it."""

    def __init__(
        self,
        chain: Chain,
        account: Account,
        assigned: Mapping[PolicyId, Assigned],
        store: Store,
        *,
        enroller: Enroller | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._chain = chain
        self._account = account
        self._assigned = dict(assigned)
        self._store = store
        self._clock = clock
        self.enroller = enroller
        self._domain = Attestations(chain).domain

    def appraise(self, bundle: bytes) -> SignedVerdict:
        """Judge a bundle, file it for the policy's readers, and sign the verdict."""
        parsed = Bundle.decode(bundle)
        assigned = self._policy(parsed.challenge.policy_id)
        block = self._challenge_block(parsed.challenge, assigned)
        accepted = judge(parsed, assigned, parsed.challenge.policy_id, block_time=block.timestamp)
        verdict = accepted.verdict()
        filed = seal_bundle(
            Filed(bundle=bundle, opening=accepted.opening), verdict.evidence, assigned.policy.readers
        )
        self._store.put_as(file_name(verdict.evidence), filed)
        signature = self._account.sign_typed(verdict.digest(self._domain))
        return SignedVerdict(verdict=verdict, signature=signature, opening=accepted.opening)

    def challenge(self, request: bytes) -> tuple[bytes, bytes]:
        """First message of an enrolment: the credential blob and the cookie."""
        return self._enroller().challenge(request, self._now())

    def issue(self, cookie: bytes, secret: bytes) -> bytes:
        """Second message: the attestation key's certificate."""
        return self._enroller().certify(cookie, secret, self._now())

    def _enroller(self) -> Enroller:
        if self.enroller is None:
            raise ChallengeRefused(
                "this verifier enrols no keys", where="enrolment", hint="ask another verifier"
            )
        return self.enroller

    def _now(self) -> datetime:
        """The time that enrolments count by: the head's, as everything compared with the chain."""
        return datetime.fromtimestamp(self._chain.head().timestamp, UTC)

    def _policy(self, policy_id: PolicyId) -> Assigned:
        assigned = self._assigned.get(policy_id)
        if assigned is None:
            raise ChallengeRefused("this verifier does not judge by that policy", where=str(policy_id))
        if assigned.policy_id(self._chain.chain_id, self._chain.book.policies) != policy_id:
            raise ChallengeRefused("this verifier's document is not that policy's", where=str(policy_id))
        if self._account.address not in assigned.policy.enforced.verifiers:
            raise ChallengeRefused("the policy does not name this verifier", where=str(self._account.address))
        terms = Policies(self._chain).terms(policy_id)
        if not terms.published or terms.withdrawn:
            raise ChallengeRefused(
                "the policy is not in force", where=str(policy_id), hint="publish it first"
            )
        return assigned

    def _challenge_block(self, challenge: Challenge, assigned: Assigned) -> Block:
        book = self._chain.book
        if (challenge.chain_id, challenge.log) != (self._chain.chain_id, book.attestations):
            raise ChallengeRefused("a challenge for another chain or log", where="challenge")
        head = self._chain.head()
        if not self._chain.embedded and self._clock() - head.timestamp > _OLDEST_HEAD:
            raise ChallengeRefused("this verifier's view of the chain is stale", where=f"block {head.number}")
        age = head.number - challenge.block_number
        if not max(1, assigned.policy.enforced.depth) <= age <= _WINDOW - _MARGIN:
            raise ChallengeRefused(
                f"the challenge block is {age} blocks old", where="challenge", hint="attest to a recent block"
            )
        block = self._chain.block(challenge.block_number)
        if block.hash != challenge.block_hash:
            raise ChallengeRefused("no such block on this chain", where=f"block {challenge.block_number}")
        if head.timestamp - block.timestamp > assigned.policy.enforced.challenge_age:
            raise ChallengeRefused("the challenge is too old", where="challenge", hint="attest again")
        return block
