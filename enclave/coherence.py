# SPDX-License-Identifier: Apache-2.0
"""What one event must say, given those before it: ids that follow from contents, roles that were held, states left.

Pure, over the facts that `registry.folding` gathers. What an event says freely, nothing here can check; `docs/audit.md`
lists it.
"""

from collections.abc import Iterator, Mapping

from contracts.ids import BurnDomain, Digest, Half, ModelId, NodeId, PolicyId, ReleaseId
from contracts.records import Status
from enclave.clash import Before, Clash, Rule, demand, differ
from enclave.licence_rules import LICENCE_RULES, of_a_licence
from registry.attestations import WITHDRAWN
from registry.models import model_id
from registry.policies import policy_id, read_enforced
from registry.releases import read_subject
from registry.state import Node


def clashes(seen: Before) -> Iterator[Clash]:
    """Everything that an event says against what was before it."""
    yield from _source(seen)
    rule = _RULES.get(seen.event.name)
    if rule is not None:
        yield from rule(seen)


def _source(seen: Before) -> Iterator[Clash]:
    event, places = seen.event, seen.book.addresses()
    if event.contract in places:
        yield from differ("address", places[event.contract], event.address)
    else:
        yield from of_a_licence(seen, places.values())


def _registered(seen: Before) -> Iterator[Clash]:
    words, book = seen.words, seen.book
    name, owner = words.text("name"), words.address("owner")
    expected = model_id(book.chain_id, book.models, owner, name)
    yield from differ("modelId", expected, words.id("modelId", ModelId))
    yield from demand("a new model", expected not in seen.facts.models)


def _version_added(seen: Before) -> Iterator[Clash]:
    model = seen.facts.models[seen.words.id("modelId", ModelId)]
    yield from differ("version", model.versions + 1, seen.words.int("version"))
    yield from _in_force(seen, seen.words.id("policy", PolicyId))


def _next_named(seen: Before) -> Iterator[Clash]:
    key = seen.words.id("modelId", ModelId), seen.words.int("version")
    yield from demand("a version", key in seen.facts.versions)
    yield from _in_force(seen, seen.words.id("policy", PolicyId))
    yield from demand("a start ahead", seen.words.int("start") > seen.event.block.timestamp)


def _version_withdrawn(seen: Before) -> Iterator[Clash]:
    key = seen.words.id("modelId", ModelId), seen.words.int("version")
    yield from differ("withdrawn before", False, seen.facts.versions[key].withdrawn)


def _lowest_raised(seen: Before) -> Iterator[Clash]:
    held = seen.facts.models[seen.words.id("modelId", ModelId)].lowest_served
    yield from demand(f"above {held}", seen.words.int("version") > held)


def _model_known(seen: Before) -> Iterator[Clash]:
    yield from demand("a model", seen.words.id("modelId", ModelId) in seen.facts.models)


def _ownership_offered(seen: Before) -> Iterator[Clash]:
    model = seen.facts.models[seen.words.id("modelId", ModelId)]
    yield from differ("owner", model.owner, seen.words.address("from"))


def _ownership_moved(seen: Before) -> Iterator[Clash]:
    model = seen.facts.models[seen.words.id("modelId", ModelId)]
    yield from differ("owner", model.owner, seen.words.address("from"))
    yield from differ("pending owner", model.pending_owner, seen.words.address("to"))


def _published(seen: Before) -> Iterator[Clash]:
    words, book = seen.words, seen.book
    enforced, document = read_enforced(words.struct("enforced")), words.id("documentDigest", Digest)
    expected = policy_id(book.chain_id, book.policies, words.address("controller"), enforced, document)
    yield from differ("policyId", expected, words.id("policyId", PolicyId))
    yield from demand("a new policy", expected not in seen.facts.policies)


def _policy_withdrawn(seen: Before) -> Iterator[Clash]:
    yield from _in_force(seen, seen.words.id("policyId", PolicyId))


def _verifier_withdrawn(seen: Before) -> Iterator[Clash]:
    policy, index = seen.facts.policies[seen.words.id("policyId", PolicyId)], seen.words.int("index")
    yield from differ("verifier", policy.enforced.verifiers[index], seen.words.address("verifier"))
    yield from demand("not withdrawn before", not policy.withdrawn_verifiers >> index & 1)


def _burnt(seen: Before) -> Iterator[Clash]:
    key = seen.words.id("burnDomain", BurnDomain), seen.words.id("platform", Half)
    yield from demand("not burnt before", key not in seen.facts.burnt)


def _recalled(seen: Before) -> Iterator[Clash]:
    key = seen.words.id("burnDomain", BurnDomain), seen.words.id("workload", Half)
    yield from demand("not recalled before", key not in seen.facts.recalled)


def _recorded(seen: Before) -> Iterator[Clash]:
    yield from _in_force(seen, seen.words.id("policyId", PolicyId))


def _node_withdrawn(seen: Before) -> Iterator[Clash]:
    key = seen.words.id("policyId", PolicyId), seen.words.id("nodeId", NodeId)
    yield from demand("a policy", key[0] in seen.facts.policies)
    held = seen.facts.records.get(key)
    yield from demand("not withdrawn before", held is None or not held.record.flags & WITHDRAWN)


def _licence_accepted(seen: Before) -> Iterator[Clash]:
    held = seen.facts.grants[seen.words.address("licence")]
    yield from differ("licensee", held.pending_licensee, seen.words.address("licensee"))
    yield from differ("accepted before", False, held.accepted)


def _licensee_offered(seen: Before) -> Iterator[Clash]:
    held = seen.facts.grants[seen.words.address("licence")]
    yield from differ("licensee", held.licensee, seen.words.address("from"))


def _licensee_moved(seen: Before) -> Iterator[Clash]:
    held, words = seen.facts.grants[seen.words.address("licence")], seen.words
    expected = held.licensee, held.pending_licensee, held.epoch + 1
    found = words.address("from"), words.address("to"), words.int("epoch")
    yield from differ("from, to and epoch", expected, found)


def _operator_set(seen: Before) -> Iterator[Clash]:
    held = seen.facts.grants[seen.words.address("licence")]
    yield from demand("an accepted licence", held.accepted)


def _node_authorised(seen: Before) -> Iterator[Clash]:
    licence, node = seen.words.address("licence"), seen.words.id("nodeId", NodeId)
    epoch = seen.facts.grants[licence].epoch
    yield from differ("epoch", epoch, seen.words.int("epoch"))
    held = seen.facts.nodes.get((licence, node), Node())
    yield from demand("not authorised before", not (held.authorised and held.epoch == epoch))


def _node_revoked(seen: Before) -> Iterator[Clash]:
    key = seen.words.address("licence"), seen.words.id("nodeId", NodeId)
    yield from demand("an authorised node", seen.facts.nodes.get(key, Node()).authorised)


def _key_requested(seen: Before) -> Iterator[Clash]:
    subject = read_subject(seen.words.struct("subject"))
    yield from _indexed(seen, subject.model_id, subject.node_id)
    yield from demand("a new release", seen.words.id("release", ReleaseId) not in seen.facts.releases)


def _of_release(*stages: Status) -> Rule:
    def rule(seen: Before) -> Iterator[Clash]:
        held = seen.facts.releases[seen.words.id("release", ReleaseId)]
        yield from _indexed(seen, held.subject.model_id, held.subject.node_id)
        yield from demand("a release in a state that allows it", held.release.status in stages)

    return rule


def _indexed(seen: Before, model: ModelId, node: NodeId) -> Iterator[Clash]:
    yield from differ("modelId", model, seen.words.id("modelId", ModelId))
    yield from differ("nodeId", node, seen.words.id("nodeId", NodeId))


def _in_force(seen: Before, policy: PolicyId) -> Iterator[Clash]:
    held = seen.facts.policies.get(policy)
    yield from demand("a policy in force", held is not None and not held.withdrawn)


_RULES: Mapping[str, Rule] = {
    **LICENCE_RULES,
    "ModelRegistered": _registered,
    "VersionAdded": _version_added,
    "NextPolicyNamed": _next_named,
    "VersionWithdrawn": _version_withdrawn,
    "LowestServedRaised": _lowest_raised,
    "ModelRetired": _model_known,
    "BrokerSet": _model_known,
    "OwnershipOffered": _ownership_offered,
    "OwnershipMoved": _ownership_moved,
    "PolicyPublished": _published,
    "PolicyWithdrawn": _policy_withdrawn,
    "VerifierWithdrawn": _verifier_withdrawn,
    "PlatformBurnt": _burnt,
    "WorkloadRecalled": _recalled,
    "Recorded": _recorded,
    "NodeWithdrawn": _node_withdrawn,
    "LicenceAccepted": _licence_accepted,
    "LicenseeOffered": _licensee_offered,
    "LicenseeMoved": _licensee_moved,
    "OperatorSet": _operator_set,
    "NodeAuthorised": _node_authorised,
    "NodeRevoked": _node_revoked,
    "KeyRequested": _key_requested,
    "KeyReleased": _of_release(Status.REQUESTED),
    "LeaseRenewed": _of_release(Status.LIVE),
    "ReleaseStopped": _of_release(Status.REQUESTED, Status.LIVE),
    "GuestStopped": _of_release(Status.REQUESTED, Status.LIVE, Status.STOPPED_BY_BROKER),
    "UsageAnchored": _of_release(Status.LIVE, Status.STOPPED_BY_BROKER, Status.STOPPED_BY_GUEST),
}
