# SPDX-License-Identifier: Apache-2.0
"""What ties evidence to one challenge, one node and its claims (SPEC.md, section 2).

Part of the guest's trusted base: the quoter computes `report_data` here and verifiers compute it again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntFlag

from contracts.digests import digest
from contracts.ids import ZERO_DIGEST, Address, Digest, NodeId, PolicyId
from enclave.faults import MalformedStatement
from enclave.statements import Statement

CLOCKS = ("host", "protected")


class Lockdown(IntFlag):
    """Steps of the guest's lock-down, as its claims state them."""

    NO_NEW_PRIVILEGES = 1
    NOT_DUMPABLE = 2
    NO_CORE = 4
    UNPRIVILEGED = 8
    FILESYSTEM = 16
    SYSCALLS = 32
    NETWORK = 64
    MEMORY_LOCKED = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge(Statement):
    """What evidence answers to: a recent block, and a nonce that the guest drew for this attestation."""

    chain_id: int
    log: Address
    policy_id: PolicyId
    node_id: NodeId
    lease_nonce: Digest
    block_number: int
    block_hash: Digest

    def digest(self) -> Digest:
        """The challenge as devices bind it."""
        return digest("challenge", self.encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestClaims(Statement):
    """What the guest says about itself: lock-down reached (`Lockdown` bits), clock, image version."""

    lockdown: int
    clock: str
    image: str

    def __post_init__(self) -> None:
        if self.clock not in CLOCKS or not 0 <= self.lockdown <= sum(Lockdown):
            raise MalformedStatement("unknown clock or lock-down bit", where="GuestClaims")

    def digest(self) -> Digest:
        """The claims as the root device binds them."""
        return digest("guest-claims", self.encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceEntry(Statement):
    """One device in the list that the root device binds; `evidence` is `evidence_digest` of its body."""

    index: int
    kind: str
    evidence: Digest

    @classmethod
    def root(cls, kind: str) -> "DeviceEntry":
        """The root device's own entry: index 0, and zero because its evidence cannot contain its digest."""
        return cls(index=0, kind=kind, evidence=ZERO_DIGEST)


def evidence_digest(body: bytes) -> Digest:
    """Digest of one device's evidence."""
    return digest("device-evidence", body)


def report_data(challenge: Challenge, claims: GuestClaims, devices: Sequence[DeviceEntry]) -> bytes:
    """The 64 bytes that the root device signs; `devices` is ordered and begins with the root's entry."""
    if [entry.index for entry in devices] != list(range(len(devices))) or not devices:
        raise MalformedStatement("devices are numbered from 0 without gaps", where="report data")
    listed = digest("devices", [entry.encode() for entry in devices])
    return digest("binding", challenge.digest(), claims.digest(), listed) + bytes(32)


def device_nonce(challenge: Challenge, index: int, kind: str) -> Digest:
    """The nonce that peripheral `index` answers to."""
    return digest("device", challenge.digest(), index, kind)
