# SPDX-License-Identifier: Apache-2.0
"""What a host hears on chain that may end its guest: heard at the head, acted on at once.

Nothing here is trusted by the guest. A host that hears nothing, or lies, gains the rest of one lease.
"""

from contracts.records import Reason, Status, Subject
from registry.chain.chain import Chain
from registry.releases import Releases

_TAKING = frozenset(
    {
        *("VersionWithdrawn", "LowestServedRaised", "ModelRetired"),
        *("PolicyWithdrawn", "VerifierWithdrawn", "PlatformBurnt", "WorkloadRecalled"),
        *("NodeWithdrawn", "NodeRevoked", "LicenseeMoved"),
        *("Suspended", "Revoked", "Moved", "Rebound"),
        *("ReleaseStopped", "GuestStopped", "SeatTakenOver"),
    }
)


class Revocations:
    """Follows the chain for one release; asks the contracts whenever an event that takes something away went by."""

    def __init__(self, chain: Chain, subject: Subject) -> None:
        self._chain = chain
        self._subject = subject
        self._releases = Releases(chain)
        self._release = subject.release(self._releases.domain)
        self._seen = subject.block_number

    def taken(self) -> str | None:
        """Why the guest must stop now; None while it may go on."""
        head = self._chain.head()
        if head.number <= self._seen:
            return None
        events = self._chain.events(self._seen + 1, head.number)
        why = self._judge() if any(event.name in _TAKING for event in events) else None
        self._seen = head.number
        return why

    def _judge(self) -> str | None:
        subject = self._subject
        head = self._chain.head()
        reason = self._releases.permits_under(
            subject.model_id,
            subject.version,
            subject.policy_id,
            subject.node_id,
            subject.licence,
            head.timestamp,
            at=head,
        )
        if reason is not Reason.NONE:
            return f"not permitted any more: {reason.name.lower()}"
        status = self._releases.state(self._release, at=head).status
        if status not in (Status.REQUESTED, Status.LIVE):
            return f"the release is over: {status.name.lower()}"
        return None
