# SPDX-License-Identifier: Apache-2.0
"""What a node is put together from: its assignment, and the broker it waits for."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from contracts.ids import Address, ModelId, PolicyId, ReleaseId
from enclave.evidence.policy import Policy


class Handover(Protocol):
    """What a broker hands over once a lease is final; `envelope` is empty in renewals."""

    @property
    def grant(self) -> bytes:
        """The encoded grant."""

    @property
    def signature(self) -> bytes:
        """The grant key's signature."""

    @property
    def envelope(self) -> bytes:
        """The data key, wrapped to the guest."""


class ReleaseDesk(Protocol):
    """Whoever hands over grants: a broker in this process, or one behind HTTP."""

    def handover(self, release: ReleaseId, lease: int) -> Handover | None:
        """The lease's handover, or None while it is not final."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """What a node is to run: a model version under a policy and a licence, with evidence from `attester`.

    `endorsements` are files that go with the root device's evidence, such as collateral; whoever renews them renews
    the files, which are read for each attestation.
    """

    model_id: ModelId
    version: int
    policy: Policy
    policy_id: PolicyId
    licence: Address
    attester: tuple[str, ...]
    endorsements: tuple[Path, ...] = ()
