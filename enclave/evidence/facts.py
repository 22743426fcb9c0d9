# SPDX-License-Identifier: Apache-2.0
"""What every technology reports about one device once its evidence is proven authentic."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import TypeAlias

from contracts.ids import Digest
from contracts.records import Level
from enclave.evidence.custody import Custody
from enclave.evidence.findings import Finding
from enclave.evidence.kinds import Kind

Claim: TypeAlias = "bytes | str | int | bool | list[Claim] | dict[str, Claim] | None"
Claims: TypeAlias = dict[str, Claim]


class RootStatus(Enum):
    """What a device's certificates end at."""

    VENDOR = "vendor"
    TEST_ROOT = "test-root"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One device: authentic, and not yet acceptable.

    `bound` is what it signed over: a root device 32 bytes, or 64 of which the last half is zero, a peripheral
    its nonce. `claims` are named as in the vendor's manual; `registers` are those of them that measure code.
    `missed` holds rules of the technology itself that the evidence does not meet. `inputs` says when each
    thing that the verdict rests on was made, `certificates` the SHA-256 of each key that vouched. What is
    authentic at a moment stays so from `not_before` until `not_after`, half-open.
    """

    kind: Kind
    index: int
    bound: bytes
    identity: bytes = field(repr=False)
    workload: Digest
    status: RootStatus
    root: str
    registers: Mapping[str, bytes]
    not_before: datetime | None
    not_after: datetime | None
    missed: tuple[Finding, ...]
    trace: tuple[str, ...]
    claims: Claims = field(default_factory=dict, repr=False)
    inputs: Mapping[str, datetime] = field(default_factory=dict)
    certificates: tuple[bytes, ...] = field(default=(), repr=False)  # one of them may be the identity
    clock: str = "host"
    custody: Custody | None = None

    @property
    def unlinked(self) -> bool:
        """Whether nothing ties the session that this device protects to the guest that the root device isolates."""
        return self.index > 0 or self.kind.peripheral

    @property
    def potential(self) -> Level:
        """The level this evidence has under a vendor root; a device that is unlinked has `rooted` at most."""
        if self.unlinked:
            return min(self.kind.level, Level.ROOTED)
        if self.custody is not None and self.kind.level is Level.ISOLATED:
            return Level.ISOLATED_CUSTODY
        return self.kind.level

    @property
    def level(self) -> Level:
        """The level this evidence has."""
        return self.potential if self.status is RootStatus.VENDOR else Level.NONE

    @property
    def place(self) -> int:
        """Where the platform stands, as the policy's owner numbers places; 0 where nobody vouches for it."""
        return 0 if self.custody is None else self.custody.place

    def value(self, path: str) -> Claim:
        """A register by name, or a claim by dotted path such as `reported_tcb_decoded.microcode`; None if absent."""
        if path in self.registers:
            return self.registers[path]
        found: Claim = self.claims
        for part in path.split("."):
            if isinstance(found, dict):
                found = found.get(part)
            elif isinstance(found, list) and part.isascii() and part.isdigit() and int(part) < len(found):
                found = found[int(part)]
            else:
                return None
        return found
