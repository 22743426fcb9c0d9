# SPDX-License-Identifier: Apache-2.0
"""Step 2: attestation policies on chain, and what their controllers took back."""

from contracts.digests import evm_digest, keccak
from contracts.ids import Address, BurnDomain, Digest, Half, PolicyId
from contracts.records import Enforced, Level, Terms
from registry.chain.abi import Parameter, encode, interface
from registry.chain.chain import Chain
from registry.chain.reads import Words
from registry.chain.view import Block, Mined
from registry.signing import Account

_CONTRACT = "PolicyRegistry"


class Policies:
    """The policy registry of a chain."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._address = chain.book.policies

    def policy_id(self, controller: Address, enforced: Enforced, document_digest: Digest) -> PolicyId:
        """Id of a policy, published or not."""
        return policy_id(self._chain.chain_id, self._address, controller, enforced, document_digest)

    def publish(
        self, account: Account, enforced: Enforced, document_digest: Digest
    ) -> tuple[PolicyId, Mined]:
        """Publish a policy, controlled by `account`."""
        mined = self._transact(account, "publish", enforced_words(enforced), document_digest)
        return Words(mined.event("PolicyPublished").args).id("policyId", PolicyId), mined

    def withdraw(self, account: Account, policy: PolicyId) -> Mined:
        """Withdraw a policy, for ever."""
        return self._transact(account, "withdraw", policy)

    def withdraw_verifier(self, account: Account, policy: PolicyId, verifier: Address) -> Mined:
        """Withdraw one verifier of a policy, for ever."""
        return self._transact(account, "withdrawVerifier", policy, verifier)

    def burn(self, account: Account, name: str, platform: Half) -> Mined:
        """Burn a platform in the account's domain called `name`, for ever."""
        return self._transact(account, "burn", domain_name(name), platform)

    def recall(self, account: Account, name: str, workload: Half) -> Mined:
        """Recall a workload in the account's domain called `name`, for ever."""
        return self._transact(account, "recall", domain_name(name), workload)

    def terms(self, policy: PolicyId, at: Block | None = None) -> Terms:
        """What contracts read of a policy; all zero when it was never published."""
        (found,) = self._chain.call(self._address, _CONTRACT, "termsOf", policy, at=at)
        words = Words.of(found)
        return Terms(
            verifiers=words.int("verifiers"),
            threshold=words.int("threshold"),
            minimum_level=Level(words.int("minimumLevel")),
            maximum_age=words.int("maximumAge"),
            challenge_age=words.int("challengeAge"),
            depth=words.int("depth"),
            lease=words.int("lease"),
            quota=words.int("quota"),
            withdrawn_verifiers=words.int("withdrawnVerifiers"),
            published=words.flag("published"),
            withdrawn=words.flag("withdrawn"),
        )

    def controller(self, policy: PolicyId, at: Block | None = None) -> Address:
        """Who may withdraw the policy; zero when it was never published."""
        (found,) = self._chain.call(self._address, _CONTRACT, "controllerOf", policy, at=at)
        return Words({"controller": found}).address("controller")

    def _transact(self, account: Account, function: str, *args: object) -> Mined:
        return self._chain.transact(account, self._address, _CONTRACT, function, *args)


def enforced_words(enforced: Enforced) -> tuple[object, ...]:
    """The struct's members in their order."""
    return (
        enforced.verifiers,
        enforced.threshold,
        enforced.minimum_level,
        enforced.maximum_age,
        enforced.challenge_age,
        enforced.depth,
        enforced.lease,
        enforced.quota,
        enforced.burn_domain,
    )


def read_enforced(words: Words) -> Enforced:
    """The enforced part of a policy from its struct."""
    return Enforced(
        verifiers=words.addresses("verifiers"),
        threshold=words.int("threshold"),
        minimum_level=Level(words.int("minimumLevel")),
        maximum_age=words.int("maximumAge"),
        challenge_age=words.int("challengeAge"),
        depth=words.int("depth"),
        lease=words.int("lease"),
        quota=words.int("quota"),
        burn_domain=words.id("burnDomain", BurnDomain),
    )


def policy_id(
    chain_id: int, registry: Address, controller: Address, enforced: Enforced, document_digest: Digest
) -> PolicyId:
    """`keccak256(abi.encode("exequatur/v1/policy", chainId, registry, controller, enforced, documentDigest))`."""
    struct = interface(_CONTRACT).functions["publish"].inputs[0]
    plain = [Parameter(name="", kind=kind) for kind in ("string", "uint256", "address", "address")]
    kinds = (*plain, struct, Parameter(name="", kind="bytes32"))
    values = (
        "exequatur/v1/policy",
        chain_id,
        registry,
        controller,
        enforced_words(enforced),
        document_digest,
    )
    return PolicyId(keccak(encode(kinds, values)))


def domain_name(name: str) -> Digest:
    """The name of a burn domain as the contract takes it: up to 32 bytes of UTF-8, padded with zeros."""
    return Digest(name.encode().ljust(32, b"\0"))


def burn_domain(chain_id: int, registry: Address, controller: Address, name: str) -> BurnDomain:
    """Id of a controller's list of burnt platforms and recalled workloads."""
    return BurnDomain(evm_digest("burn-domain", chain_id, registry, controller, domain_name(name)))
