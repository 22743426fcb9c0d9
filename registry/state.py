# SPDX-License-Identifier: Apache-2.0
"""The contracts' state at a block, as plain values, and `permits` over it, rule for rule as in `Permission.sol`."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from contracts.ids import (
    ZERO_ADDRESS,
    Address,
    BurnDomain,
    Digest,
    Half,
    ModelId,
    NodeId,
    PolicyId,
    ReleaseId,
    SealId,
)
from contracts.licences import LicenceRefusal
from contracts.records import Enforced, Grant, Model, Reason, Record, Release, Subject, Verdict, Version
from registry.attestations import WITHDRAWN
from registry.chain.view import Block
from registry.errors import NotReplayable
from registry.terms import Compiled, Term

_NO_POLICY = PolicyId(bytes(32))


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A published policy and what was taken back; `withdrawn_verifiers` is a bitmap like a record's signers."""

    controller: Address
    enforced: Enforced
    document_digest: Digest
    withdrawn_verifiers: int = 0
    withdrawn: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A record with the verdict behind it; None for a node that was withdrawn before it had any."""

    record: Record
    verdict: Verdict | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node under a licence; an authorisation counts in the epoch that gave it."""

    epoch: int = 0
    authorised: bool = False
    stopped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """A release: what it is for, how it stands, and the digest of its envelope once released."""

    subject: Subject
    release: Release
    envelope: Digest | None = None


@dataclass(frozen=True, kw_only=True)
class State:
    """Everything that events say up to `block`; made by `registry.replay.fold`, never changed."""

    block: Block | None = None
    models: Mapping[ModelId, Model] = field(default_factory=dict)
    names: Mapping[ModelId, str] = field(default_factory=dict)
    versions: Mapping[tuple[ModelId, int], Version] = field(default_factory=dict)
    uris: Mapping[tuple[ModelId, int], str] = field(default_factory=dict)
    policies: Mapping[PolicyId, Policy] = field(default_factory=dict)
    burnt: Mapping[tuple[BurnDomain, Half], int] = field(default_factory=dict)
    recalled: Mapping[tuple[BurnDomain, Half], int] = field(default_factory=dict)
    records: Mapping[tuple[PolicyId, NodeId], Recorded] = field(default_factory=dict)
    grants: Mapping[Address, Grant] = field(default_factory=dict)
    operators: Mapping[tuple[Address, int, Address], bool] = field(default_factory=dict)
    terms: Mapping[Address, Term | Compiled] = field(default_factory=dict)
    nodes: Mapping[tuple[Address, NodeId], Node] = field(default_factory=dict)
    releases: Mapping[ReleaseId, Released] = field(default_factory=dict)
    log: Address = ZERO_ADDRESS  # the release log; zero until its first event

    def permits(self, model: ModelId, version: int, node: NodeId, licence: Address, when: int) -> Reason:
        """Why a node may not run a version under a licence at `when`, under any policy that counts then."""
        first, second = self.policies_at(model, version, when)
        reason = self.permits_under(model, version, first, node, licence, when)
        if reason is not Reason.NONE and second != _NO_POLICY:
            other = self.permits_under(model, version, second, node, licence, when)
            return Reason.NONE if other is Reason.NONE else reason
        return reason

    def permits_under(
        self, model: ModelId, version: int, policy: PolicyId, node: NodeId, licence: Address, when: int
    ) -> Reason:
        """The same under one policy, which must count at `when`."""
        return (
            self._of_model(model, version, policy, when)
            or self._of_licence(model, version, node, licence, when)
            or self._of_record(policy, node, when)
            or Reason.NONE
        )

    def refusal_of(
        self, licence: Address, model: ModelId, version: int, node: NodeId, when: int
    ) -> LicenceRefusal:
        """What the `permits` of a compiled licence says; `NotReplayable` for any other, and for one that was moved elsewhere."""
        held = self.terms.get(licence)
        if not isinstance(held, Compiled):
            raise NotReplayable("a licence of a kind that this version cannot replay", where=str(licence))
        if held.model_id == model and held.releases not in (None, self.log):
            raise NotReplayable("a licence that answers to another release log", where=str(licence))
        policies = [policy for policy in self.policies_at(model, version, when) if policy != _NO_POLICY]
        return held.refusal(model, version, when, [self._standing(policy, node, when) for policy in policies])

    def policies_at(self, model: ModelId, version: int, when: int) -> tuple[PolicyId, PolicyId]:
        """The policy in force at `when`, and the named next one while both count; zero for none."""
        held = self.versions.get((model, version))
        if held is None:
            return _NO_POLICY, _NO_POLICY
        if held.next_start and when >= held.next_start:
            return held.next, _NO_POLICY
        return held.policy, held.next if held.next_start else _NO_POLICY

    def acts_for(self, licence: Address, account: Address) -> bool:
        """Whether an account is a licence's licensee or one of its operators."""
        held = self.grants.get(licence)
        if held is None or not held.accepted:
            return False
        return held.licensee == account or self.operators.get((licence, held.epoch, account), False)

    def seal_of(self, model: ModelId, version: int) -> SealId | None:
        """The sealed file of a version."""
        held = self.versions.get((model, version))
        return None if held is None else held.seal_id

    def _of_model(self, model: ModelId, version: int, policy: PolicyId, when: int) -> Reason | None:
        held, named = self.models.get(model), self.versions.get((model, version))
        if held is None or held.retired:
            return Reason.MODEL
        if named is None or named.withdrawn or version < held.lowest_served:
            return Reason.VERSION
        counts = policy != _NO_POLICY and policy in self.policies_at(model, version, when)
        return None if counts else Reason.POLICY

    def _of_licence(
        self, model: ModelId, version: int, node: NodeId, licence: Address, when: int
    ) -> Reason | None:
        held = self.grants.get(licence)
        if held is None or not held.accepted or held.model_id != model or version < held.lowest_version:
            return Reason.LICENCE
        if not self._allowed(model, version, node, licence, when):
            return Reason.LICENCE
        state = self.nodes.get((licence, node), Node())
        if not state.authorised or state.epoch != held.epoch:
            return Reason.NODE
        return Reason.STOPPED if state.stopped else None

    def _allowed(self, model: ModelId, version: int, node: NodeId, licence: Address, when: int) -> bool:
        held = self.terms.get(licence)
        if isinstance(held, Term):
            return held.allows(model, version, when)
        return self.refusal_of(licence, model, version, node, when) is LicenceRefusal.NONE

    def _standing(self, policy: PolicyId, node: NodeId, when: int) -> Record | None:
        """The record, if nothing was taken back of what it rests on."""
        live = self._of_record(policy, node, when) is None
        return self.records[policy, node].record if live else None

    def _of_record(self, policy: PolicyId, node: NodeId, when: int) -> Reason | None:
        terms, kept = self.policies.get(policy), self.records.get((policy, node))
        if terms is None or terms.withdrawn:
            return Reason.POLICY
        if kept is None or kept.record.recorded_at == 0:
            return Reason.NO_RECORD
        record = kept.record
        counted = (record.signers & ~terms.withdrawn_verifiers).bit_count()
        domain = terms.enforced.burn_domain
        taken = (
            (Reason.WITHDRAWN, bool(record.flags & WITHDRAWN)),
            (Reason.EXPIRED, when >= record.expiry),
            (Reason.VERIFIERS, counted < terms.enforced.threshold),
            (Reason.WORKLOAD, (domain, record.workload) in self.recalled),
            (Reason.PLATFORM, (domain, record.platform) in self.burnt),
        )
        return next((reason for reason, holds in taken if holds), None)
