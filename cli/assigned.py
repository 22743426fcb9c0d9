# SPDX-License-Identifier: Apache-2.0
"""The policies that a verifier, broker or auditor judges by, from chain, store and salt files."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cli.session import Session
    from contracts.ids import Digest, PolicyId
    from enclave.judging import Assigned
    from registry.chain.chain import Chain


def assigned_policies(
    opened: "Session", live: "Chain", ids: "Iterable[PolicyId]"
) -> "dict[PolicyId, Assigned]":
    """Each policy's document, who published it, and the salt of its burn domain."""
    from cli import salts
    from enclave.evidence.policy import Policy
    from enclave.judging import Assigned
    from registry.errors import BlobMismatch
    from registry.policies import Policies

    store, found = opened.store(), {}
    for policy_id in ids:
        controller = Policies(live).controller(policy_id)
        policy = Policy.from_json(store.get(document_of(live, policy_id)))
        if policy.policy_id(live.chain_id, live.book.policies, controller) != policy_id:
            raise BlobMismatch("the document is not this policy's", where=str(policy_id))
        salt = salts.read(opened.home, policy.enforced.burn_domain)
        found[policy_id] = Assigned(policy=policy, controller=controller, salt=salt)
    return found


def document_of(live: "Chain", policy_id: "PolicyId") -> "Digest":
    """Digest of a policy's document, as its publication recorded it."""
    from contracts.ids import Digest
    from registry.errors import NotConfigured

    book = live.book
    for event in live.events(book.deployed_at, live.head().number, addresses=[book.policies]):
        if event.name == "PolicyPublished" and event.args["policyId"] == policy_id:
            document = event.args["documentDigest"]
            assert isinstance(document, bytes)
            return Digest(document)
    hint = "publish it with `exequatur policy publish`"
    raise NotConfigured("no such policy on this chain", where=str(policy_id), hint=hint)
