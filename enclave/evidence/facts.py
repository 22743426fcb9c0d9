# SPDX-License-Identifier: Apache-2.0
"""What every technology reports about one device once its evidence is proven authentic."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from contracts.ids import Digest
from contracts.records import Level
from enclave.evidence.findings import Finding
from enclave.evidence.kinds import Kind


class RootStatus(Enum):
    """What a device's certificates end at."""

    VENDOR = "vendor"
    TEST_ROOT = "test-root"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One device: authentic, and not yet acceptable.

    `bound` is the 32 bytes it signed over; `level` is what counts and `potential` what it would be under a
    vendor root. `missed` holds rules of the technology itself that the evidence does not meet.
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

    @property
    def potential(self) -> Level:
        """The level this evidence has under a vendor root."""
        return self.kind.level

    @property
    def level(self) -> Level:
        """The level this evidence has."""
        return self.kind.level if self.status is RootStatus.VENDOR else Level.NONE
