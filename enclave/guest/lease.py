# SPDX-License-Identifier: Apache-2.0
"""Step 11: how long this guest may serve, by its own clock, and which grant may prolong it.

Rules: a nonce is drawn per attestation and its moment noted before any evidence is asked for; it is good for one
grant, whose time runs from that moment however late it arrives; accepting one voids it and every older one; the
first grant fixes the job for life. Everything is checked before anything changes.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from contracts.ids import Address, Digest, NodeId, SealId
from enclave.faults import GrantFlaw, GrantRefused, LeaseOver
from enclave.guest.keys import recover
from enclave.statements import BrokerKey, Grant

OUTSTANDING = 8
_SECOND = 1_000_000_000
_NO_ENVELOPE = Digest(bytes(32))


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave:
    """A grant as it arrives: with its signature and, from a broker, the grant key's word for that broker."""

    grant: Grant
    signature: bytes
    certificate: BrokerKey | None
    certified: bytes


class Lease:
    """Nonces, the grant held and its end; `clock` is nanoseconds that also count suspended time."""

    def __init__(self, node_id: NodeId, clock: Callable[[], int], draw: Callable[[int], bytes]) -> None:
        self._node_id = node_id
        self._clock = clock
        self._draw = draw
        self._asked: dict[Digest, int] = {}
        self._end = 0
        self.held: Grant | None = None

    def challenge(self) -> Digest:
        """A fresh lease nonce, noting the moment; the ninth outstanding one voids the oldest."""
        nonce = Digest(self._draw(32))
        self._asked[nonce] = self._clock()
        while len(self._asked) > OUTSTANDING:
            del self._asked[next(iter(self._asked))]
        return nonce

    def check(self, leave: Leave, seal_id: SealId, grant_key: Address, used: int) -> None:
        """Raise `GrantRefused` with every flaw; `used` is the highest receipt counter so far."""
        if flaws := frozenset(self._flaws(leave, seal_id, grant_key, used)):
            raise GrantRefused(flaws)

    def accept(self, grant: Grant) -> None:
        """Hold a grant that `check` let pass; its nonce and all older ones are void from now on."""
        self._end = self._asked[grant.lease_nonce] + grant.duration * _SECOND
        order = list(self._asked)
        for nonce in order[: order.index(grant.lease_nonce) + 1]:
            del self._asked[nonce]
        self.held = grant

    def left(self) -> float:
        """Seconds until the lease ends; zero or less when it has, or when there was none."""
        return (self._end - self._clock()) / _SECOND if self.held else 0.0

    def require(self) -> Grant:
        """The grant held, if its time is not over."""
        if self.held is None or self.left() <= 0:
            raise LeaseOver("no lease, or its time is over", where="lease", hint="attest for a new grant")
        return self.held

    def _flaws(self, leave: Leave, seal_id: SealId, grant_key: Address, used: int) -> Iterator[GrantFlaw]:
        grant = leave.grant
        if not _signed(leave, grant_key):
            yield GrantFlaw.FORGED
        if grant.node_id != self._node_id:
            yield GrantFlaw.NODE
        if grant.seal_id != seal_id:
            yield GrantFlaw.SEAL
        asked = self._asked.get(grant.lease_nonce)
        if asked is None:
            yield GrantFlaw.NONCE
        elif asked + grant.duration * _SECOND <= self._clock():
            yield GrantFlaw.LATE
        if grant.ceiling < used:
            yield GrantFlaw.CEILING
        yield from self._continues(grant)

    def _continues(self, grant: Grant) -> Iterator[GrantFlaw]:
        first = self.held is None
        if self.held is not None:
            if _job(grant) != _job(self.held):
                yield GrantFlaw.JOB
            if grant.lease <= self.held.lease:
                yield GrantFlaw.LEASE
        if first == (grant.envelope == _NO_ENVELOPE):
            yield GrantFlaw.ENVELOPE


def _signed(leave: Leave, grant_key: Address) -> bool:
    signer = recover(leave.grant.digest(), leave.signature)
    certificate = leave.certificate
    if certificate is None:
        return signer == grant_key
    return (
        certificate.covers(leave.grant)
        and signer == certificate.broker
        and recover(certificate.digest(leave.grant.domain), leave.certified) == grant_key
    )


def _job(grant: Grant) -> tuple[object, ...]:
    chain = (grant.chain_id, grant.release_log, grant.release)
    return (*chain, grant.model_id, grant.version, grant.seal_id, grant.licence)
