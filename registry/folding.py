# SPDX-License-Identifier: Apache-2.0
"""What each event changes in a replayed state; `registry.replay` is the way in."""

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import TypeVar

from contracts.ids import ZERO_ADDRESS, BurnDomain, Digest, Half, ModelId, NodeId, PolicyId, ReleaseId, SealId
from contracts.records import Finality, Grant, Model, Release, Status, Version
from registry.attestations import NO_RECORD, WITHDRAWN, read_verdict, recorded
from registry.chain.reads import Words
from registry.chain.view import Event
from registry.policies import read_enforced
from registry.releases import read_subject
from registry.speaking import SPOKEN, heard
from registry.state import Node, Policy, Recorded, Released, State

_Held = TypeVar("_Held")
_Key = TypeVar("_Key")

_REQUESTED = Release(
    until=0, leases=0, block_number=0, seat=0, last_counter=0, ceiling=0, status=Status.REQUESTED
)


class Folding:
    """Copies of a state's tables, changed event by event."""

    def __init__(self, state: State) -> None:
        self.block = state.block
        self.models = dict(state.models)
        self.names = dict(state.names)
        self.versions = dict(state.versions)
        self.uris = dict(state.uris)
        self.policies = dict(state.policies)
        self.burnt = dict(state.burnt)
        self.recalled = dict(state.recalled)
        self.records = dict(state.records)
        self.grants = dict(state.grants)
        self.operators = dict(state.operators)
        self.terms = dict(state.terms)
        self.nodes = dict(state.nodes)
        self.releases = dict(state.releases)
        self.log = state.log
        self._source = ZERO_ADDRESS
        self._name = ""
        self._now = 0

    def state(self) -> State:
        """The state so far."""
        return State(**{f.name: getattr(self, f.name) for f in fields(State)})

    def take(self, event: Event) -> None:
        """Apply one event; what only concerns seats or credit changes nothing here."""
        self.block, self._source, self._name = event.block, event.address, event.name
        self._now = event.block.timestamp
        if event.contract == "ReleaseLog":
            self.log = event.address
        handler = _HANDLERS.get(event.name)
        if handler is not None:
            handler(self, Words(event.args))

    def _registered(self, words: Words) -> None:
        model = words.id("modelId", ModelId)
        self.names[model] = words.text("name")
        self.models[model] = Model(
            owner=words.address("owner"),
            pending_owner=ZERO_ADDRESS,
            broker=ZERO_ADDRESS,
            versions=0,
            lowest_served=1,
            retired=False,
            successor=ModelId(bytes(32)),
        )

    def _version_added(self, words: Words) -> None:
        model, number = words.id("modelId", ModelId), words.int("version")
        self.models[model] = replace(self.models[model], versions=number)
        self.uris[model, number] = words.text("uri")
        self.versions[model, number] = Version(
            seal_id=words.id("sealId", SealId),
            policy=words.id("policy", PolicyId),
            next=PolicyId(bytes(32)),
            next_start=0,
            finality=Finality(words.int("finality")),
            withdrawn=False,
        )

    def _next_named(self, words: Words) -> None:
        key = words.id("modelId", ModelId), words.int("version")
        held = self.versions[key]
        passed = held.next_start and held.next_start <= self._now
        self.versions[key] = replace(
            held,
            policy=held.next if passed else held.policy,
            next=words.id("policy", PolicyId),
            next_start=words.int("start"),
        )

    def _version_withdrawn(self, words: Words) -> None:
        key = words.id("modelId", ModelId), words.int("version")
        self.versions[key] = replace(self.versions[key], withdrawn=True)

    def _lowest_raised(self, words: Words) -> None:
        _change(self.models, words.id("modelId", ModelId), lowest_served=words.int("version"))

    def _retired(self, words: Words) -> None:
        successor = words.id("successor", ModelId)
        _change(self.models, words.id("modelId", ModelId), retired=True, successor=successor)

    def _broker_set(self, words: Words) -> None:
        _change(self.models, words.id("modelId", ModelId), broker=words.address("broker"))

    def _ownership_offered(self, words: Words) -> None:
        _change(self.models, words.id("modelId", ModelId), pending_owner=words.address("to"))

    def _ownership_moved(self, words: Words) -> None:
        to = words.address("to")
        _change(self.models, words.id("modelId", ModelId), owner=to, pending_owner=ZERO_ADDRESS)

    def _policy_published(self, words: Words) -> None:
        self.policies[words.id("policyId", PolicyId)] = Policy(
            controller=words.address("controller"),
            enforced=read_enforced(words.struct("enforced")),
            document_digest=words.id("documentDigest", Digest),
        )

    def _policy_withdrawn(self, words: Words) -> None:
        _change(self.policies, words.id("policyId", PolicyId), withdrawn=True)

    def _verifier_withdrawn(self, words: Words) -> None:
        policy = words.id("policyId", PolicyId)
        bits = self.policies[policy].withdrawn_verifiers | 1 << words.int("index")
        _change(self.policies, policy, withdrawn_verifiers=bits)

    def _burnt_platform(self, words: Words) -> None:
        self.burnt[words.id("burnDomain", BurnDomain), words.id("platform", Half)] = self._now

    def _recalled_workload(self, words: Words) -> None:
        self.recalled[words.id("burnDomain", BurnDomain), words.id("workload", Half)] = self._now

    def _recorded(self, words: Words) -> None:
        verdict = read_verdict(words.struct("verdict"))
        key = verdict.policy_id, verdict.node_id
        before = self.records[key].record if key in self.records else None
        record = recorded(verdict, self._now, words.int("signers"), before)
        self.records[key] = Recorded(record=record, verdict=verdict)

    def _node_withdrawn(self, words: Words) -> None:
        key = words.id("policyId", PolicyId), words.id("nodeId", NodeId)
        held = self.records.get(key, Recorded(record=NO_RECORD, verdict=None))
        flags = held.record.flags | WITHDRAWN
        self.records[key] = replace(held, record=replace(held.record, flags=flags))

    def _licence_granted(self, words: Words) -> None:
        self.grants[words.address("licence")] = Grant(
            model_id=words.id("modelId", ModelId),
            licensee=ZERO_ADDRESS,
            lowest_version=words.int("lowestVersion"),
            epoch=0,
            accepted=False,
            pending_licensee=words.address("licensee"),
        )

    def _licence_accepted(self, words: Words) -> None:
        licensee = words.address("licensee")
        changes = {"accepted": True, "licensee": licensee, "pending_licensee": ZERO_ADDRESS}
        _change(self.grants, words.address("licence"), **changes)

    def _licensee_offered(self, words: Words) -> None:
        _change(self.grants, words.address("licence"), pending_licensee=words.address("to"))

    def _licensee_moved(self, words: Words) -> None:
        changes = {"licensee": words.address("to"), "epoch": words.int("epoch")}
        _change(self.grants, words.address("licence"), pending_licensee=ZERO_ADDRESS, **changes)

    def _operator_set(self, words: Words) -> None:
        licence = words.address("licence")
        epoch = self.grants[licence].epoch
        self.operators[licence, epoch, words.address("operator")] = words.flag("allowed")

    def _spoken(self, words: Words) -> None:
        licence = heard(self.terms.get(self._source), self._name, words)
        if licence is None:
            self.terms.pop(self._source, None)
        else:
            self.terms[self._source] = licence

    def _node_authorised(self, words: Words) -> None:
        key = words.address("licence"), words.id("nodeId", NodeId)
        self.nodes[key] = replace(self.nodes.get(key, Node()), epoch=words.int("epoch"), authorised=True)

    def _node_revoked(self, words: Words) -> None:
        key = words.address("licence"), words.id("nodeId", NodeId)
        self.nodes[key] = replace(self.nodes.get(key, Node()), authorised=False)

    def _key_requested(self, words: Words) -> None:
        self.releases[words.id("release", ReleaseId)] = Released(
            subject=read_subject(words.struct("subject")), release=_REQUESTED
        )

    def _key_released(self, words: Words) -> None:
        release = words.id("release", ReleaseId)
        held = self.releases[release]
        live = replace(
            held.release,
            until=words.int("until"),
            leases=1,
            block_number=held.subject.block_number,
            seat=words.int("seat"),
            ceiling=words.int("ceiling"),
            status=Status.LIVE,
        )
        envelope = words.id("envelopeDigest", Digest)
        self.releases[release] = replace(held, release=live, envelope=envelope)

    def _lease_renewed(self, words: Words) -> None:
        self._release(
            words,
            until=words.int("until"),
            ceiling=words.int("ceiling"),
            leases=words.int("lease") + 1,
            block_number=words.int("blockNumber"),
        )

    def _release_stopped(self, words: Words) -> None:
        self._release(words, ended=True, status=Status.STOPPED_BY_BROKER)

    def _guest_stopped(self, words: Words) -> None:
        self._release(words, ended=True, status=Status.STOPPED_BY_GUEST)

    def _usage_anchored(self, words: Words) -> None:
        self._release(words, last_counter=words.int("lastCounter"))
        if words.flag("last"):
            self._release(words, ended=True, status=Status.SETTLED)

    def _release(self, words: Words, *, ended: bool = False, **changes: object) -> None:
        release = words.id("release", ReleaseId)
        held = self.releases[release]
        self.releases[release] = replace(held, release=replace(held.release, **changes))  # type: ignore[arg-type]  # its fields
        if ended:
            key = held.subject.licence, held.subject.node_id
            self.nodes[key] = replace(self.nodes.get(key, Node()), stopped=True)


def _change(table: dict[_Key, _Held], key: _Key, **changes: object) -> None:
    table[key] = replace(table[key], **changes)  # type: ignore[type-var]  # every table holds dataclasses


_Handler = Callable[[Folding, Words], None]
_HANDLERS: Mapping[str, _Handler] = {
    "ModelRegistered": Folding._registered,
    "VersionAdded": Folding._version_added,
    "NextPolicyNamed": Folding._next_named,
    "VersionWithdrawn": Folding._version_withdrawn,
    "LowestServedRaised": Folding._lowest_raised,
    "ModelRetired": Folding._retired,
    "BrokerSet": Folding._broker_set,
    "OwnershipOffered": Folding._ownership_offered,
    "OwnershipMoved": Folding._ownership_moved,
    "PolicyPublished": Folding._policy_published,
    "PolicyWithdrawn": Folding._policy_withdrawn,
    "VerifierWithdrawn": Folding._verifier_withdrawn,
    "PlatformBurnt": Folding._burnt_platform,
    "WorkloadRecalled": Folding._recalled_workload,
    "Recorded": Folding._recorded,
    "NodeWithdrawn": Folding._node_withdrawn,
    "LicenceGranted": Folding._licence_granted,
    "LicenceAccepted": Folding._licence_accepted,
    "LicenseeOffered": Folding._licensee_offered,
    "LicenseeMoved": Folding._licensee_moved,
    "OperatorSet": Folding._operator_set,
    "NodeAuthorised": Folding._node_authorised,
    "NodeRevoked": Folding._node_revoked,
    "KeyRequested": Folding._key_requested,
    "KeyReleased": Folding._key_released,
    "LeaseRenewed": Folding._lease_renewed,
    "ReleaseStopped": Folding._release_stopped,
    "GuestStopped": Folding._guest_stopped,
    "UsageAnchored": Folding._usage_anchored,
    **dict.fromkeys(SPOKEN, Folding._spoken),
}
