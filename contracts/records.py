# SPDX-License-Identifier: Apache-2.0
"""Frozen mirror of the structs on chain (SPEC.md, section 3); a test holds it to the ABI."""

from dataclasses import dataclass
from enum import IntEnum

from contracts.digests import TypedDomain, Word, evm_digest
from contracts.ids import (
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


class Level(IntEnum):
    """Assurance level of evidence: what its root device can vouch for."""

    NONE = 0
    MEASURED = 1
    ROOTED = 2
    ISOLATED = 3
    ISOLATED_CUSTODY = 4

    @property
    def label(self) -> str:
        """The level's name in documents: `none` to `isolated+custody`."""
        return self.name.lower().replace("isolated_custody", "isolated+custody")


class Finality(IntEnum):
    """How deep a block is: seen at the head, safe, or final."""

    SEEN = 0
    SAFE = 1
    FINAL = 2


class Reason(IntEnum):
    """Why `permits` refuses (`IReleaseLog.Reason`)."""

    NONE = 0
    MODEL = 1
    VERSION = 2
    POLICY = 3
    LICENCE = 4
    NODE = 5
    STOPPED = 6
    NO_RECORD = 7
    WITHDRAWN = 8
    EXPIRED = 9
    VERIFIERS = 10
    WORKLOAD = 11
    PLATFORM = 12


class Status(IntEnum):
    """State of a release (`IReleaseLog.Release.status`)."""

    UNKNOWN = 0
    REQUESTED = 1
    LIVE = 2
    STOPPED_BY_BROKER = 3
    STOPPED_BY_GUEST = 4
    SETTLED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A registered model (`IModelRegistry.Model`)."""

    owner: Address
    pending_owner: Address
    broker: Address
    versions: int
    lowest_served: int
    retired: bool
    successor: ModelId


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of a model (`IModelRegistry.Version`); instants are unix seconds."""

    seal_id: SealId
    policy: PolicyId
    next: PolicyId
    next_start: int
    finality: Finality
    withdrawn: bool

    def policy_at(self, when: int) -> PolicyId:
        """The policy in force at an instant: the next one from its start on."""
        return self.next if self.next_start and when >= self.next_start else self.policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Enforced:
    """The part of a policy that contracts enforce (`IPolicyRegistry.Enforced`); ages and lease in seconds."""

    verifiers: tuple[Address, ...]
    threshold: int
    minimum_level: Level
    maximum_age: int
    challenge_age: int
    depth: int
    lease: int
    quota: int
    burn_domain: BurnDomain


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What contracts read of a policy (`IPolicyRegistry.Terms`)."""

    verifiers: int
    threshold: int
    minimum_level: Level
    maximum_age: int
    challenge_age: int
    depth: int
    lease: int
    quota: int
    withdrawn_verifiers: int
    published: bool
    withdrawn: bool


VERDICT_TYPE = (
    "Verdict(bytes32 policyId,bytes32 nodeId,bytes32 leaseNonce,bytes32 evidence,bytes32 workload,"
    "bytes32 platform,uint8 level,uint32 kinds,uint16 place,uint40 blockNumber,bytes32 blockHash,"
    "uint40 asOf,uint40 expiry)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """An attestation result, as k of n verifiers sign it (`IAttestationLog.Verdict`).

    `kinds` is a bitmap of device technologies, `place` an ISO 3166 numeric code or zero.
    """

    policy_id: PolicyId
    node_id: NodeId
    lease_nonce: Digest
    evidence: Digest
    workload: Digest
    platform: Digest
    level: Level
    kinds: int
    place: int
    block_number: int
    block_hash: Digest
    as_of: int
    expiry: int

    def words(self) -> tuple[Word, ...]:
        """The fields in the order of the struct."""
        return (
            self.policy_id,
            self.node_id,
            self.lease_nonce,
            self.evidence,
            self.workload,
            self.platform,
            int(self.level),
            self.kinds,
            self.place,
            self.block_number,
            self.block_hash,
            self.as_of,
            self.expiry,
        )

    def digest(self, domain: TypedDomain) -> Digest:
        """The EIP-712 digest in the attestation log's domain."""
        return domain.digest(VERDICT_TYPE, *self.words())


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What the attestation log stores per policy and node (`IAttestationLog.Record`).

    `gap` is the longest time between the `as_of` of one record and the next, in whole minutes, at most 65535.
    """

    as_of: int
    expiry: int
    recorded_at: int
    block_number: int
    level: Level
    kinds: int
    place: int
    signers: int
    flags: int
    workload: Half
    platform: Half
    gap: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A licence as the registry knows it (`ILicenceRegistry.Grant`)."""

    model_id: ModelId
    licensee: Address
    lowest_version: int
    epoch: int
    accepted: bool
    pending_licensee: Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a release is for (`IReleaseLog.Subject`); its digest is the release id."""

    model_id: ModelId
    version: int
    policy_id: PolicyId
    node_id: NodeId
    block_number: int
    licence: Address

    def release(self, domain: TypedDomain) -> ReleaseId:
        """The release id in the release log's domain."""
        return ReleaseId(
            evm_digest(
                "release",
                domain.chain_id,
                domain.contract,
                self.model_id,
                self.version,
                self.policy_id,
                self.node_id,
                self.block_number,
                self.licence,
            )
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """State of a release (`IReleaseLog.Release`)."""

    until: int
    leases: int
    block_number: int
    seat: int
    last_counter: int
    ceiling: int
    status: Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """One seat of a licence (`IReleaseLog.Seat`)."""

    release: ReleaseId
    until: int
    taken_over: int
    holder: Half
