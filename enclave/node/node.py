# SPDX-License-Identifier: Apache-2.0
"""The host of one guest: gets it recorded and granted, keeps its lease alive, and stops it when anything is revoked.

It pays gas and moves bytes. Each step either happens whole or is done again: what must not be lost is in the guest or
on chain, and nothing secret is here. A guest that ends is replaced by another, which is another node; one that was
revoked is not.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from contracts.errors import ExequaturError
from contracts.ids import Address, NodeId
from contracts.records import Status, Subject
from enclave.errors import CeilingReached, GrantRefused, GuestError, WireError
from enclave.evidence.bundle import Bundle
from enclave.node.blobs import Blobs
from enclave.node.ending import Ending
from enclave.node.errors import NotServing
from enclave.node.host import Guest, Reply
from enclave.node.life import Life
from enclave.node.life import Phase as Phase
from enclave.node.parts import Assignment, ReleaseDesk
from enclave.node.patience import Patience
from enclave.node.quorum import Appraiser
from enclave.node.recording import Recorder
from enclave.node.revocations import Revocations
from enclave.node.settling import Settling
from enclave.sealed.files import SealedFile
from enclave.statements import Grant, NodeKeys
from registry.attestations import Attestations
from registry.chain.chain import Chain
from registry.models import Models
from registry.releases import Releases
from registry.signing import Account
from registry.store import Store

_LOG = logging.getLogger("exequatur.node")
_RETRIES = 4  # attestations tried in the half of a lease that is left for renewing it


class Node:
    """A host as a state machine: call `step` until it returns False, and again when something may have changed."""

    def __init__(
        self,
        chain: Chain,
        account: Account,
        assignment: Assignment,
        *,
        appraisers: Sequence[Appraiser],
        broker: ReleaseDesk,
        store: Store,
        folder: Path,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._chain = chain
        self._account = account
        self._job = assignment
        self._recorder = Recorder(chain, account, assignment, appraisers)
        self._broker = broker
        self._blobs = Blobs(chain, store, folder)
        self._clock = clock
        self._models = Models(chain)
        self._attestations = Attestations(chain)
        self._releases = Releases(chain)
        self.life: Life | None = None
        self.phase = Phase.BOOT
        self.outvoted: tuple[Address, ...] = ()
        self.ended_because = ""

    @property
    def node_id(self) -> NodeId | None:
        """Identity of the guest that runs now."""
        return self.life.guest.node_id if self.life else None

    @property
    def bundle(self) -> Bundle | None:
        """The evidence that the last record rests on."""
        return self.life.bundle if self.life else None

    @property
    def subject(self) -> Subject | None:
        """What the key was asked for, once it was."""
        return self.life.subject if self.life else None

    @property
    def lease(self) -> int | None:
        """Number of the lease that is held."""
        return self.life.grant.lease if self.life and self.life.grant else None

    def step(self) -> bool:
        """Do the next thing, if there is one; raises what stood in its way, to be tried again."""
        life = self.life
        if self.phase is Phase.ENDED:
            return False
        if life is None:
            self.life = Life(Guest.start(self._job.attester))
            self.phase = Phase.ATTEST
            return True
        if not life.guest.running and self.phase is not Phase.SETTLE:
            return self._replace(life, "the guest process is gone")
        if life.revocations and self.phase is not Phase.SETTLE and (why := life.revocations.taken()):
            return self._stop(life, why, revoked=True)
        try:
            return _STEPS[self.phase](self, life)
        except WireError as error:
            return self._replace(life, str(error))

    def run(self, stopping: threading.Event, pause: float = 1.0) -> None:
        """Step until told to stop, then end the guest in good order; what fails is logged and tried again.

        Raises `RefusedForEver` where trying again is of no use.
        """
        patience = Patience(self, Ending(self._chain, self._job), pause)
        try:
            while not stopping.is_set() and self.phase is not Phase.ENDED:
                if not patience.step():
                    stopping.wait(patience.pause())
        finally:
            self.close()

    def infer(self, request: bytes) -> tuple[NodeKeys, Reply]:
        """Pass a user's request to the guest, from any thread; the keys are those of the guest that answered."""
        life = self.life
        if life is None or self.phase is not Phase.SERVE:
            raise NotServing(self.phase.value, where="node", hint="ask again later, or ask another node")
        try:
            return life.guest.keys, life.guest.infer(request)
        except CeilingReached:
            life.renew_at = 0.0  # the broker raises the ceiling as usage is anchored
            raise

    def close(self) -> None:
        """End the guest, relaying its last word if the chain can be reached."""
        life = self.life
        if life is None:
            return
        try:
            if life.grant is not None and life.guest.running:
                self._stop(life, "the host stops", revoked=True)
                self._settle(life)
        except ExequaturError as error:
            _LOG.warning("the guest's last word was not relayed: %s", error)
        finally:
            life.guest.close()
            self.life = None
            self.phase = Phase.ENDED

    def _attest(self, life: Life) -> bool:
        if not self._record(life):
            return False
        self.phase = Phase.REQUEST
        return True

    def _record(self, life: Life) -> bool:
        recorded = self._recorder.record(life.guest, life.recorded)
        if recorded is None:
            return False
        life.recorded, life.bundle = recorded.verdict.block_number, recorded.bundle
        self.outvoted = recorded.outvoted
        return True

    def _request(self, life: Life) -> bool:
        if self._lapsed(life):
            return True
        job = self._job
        subject = Subject(
            model_id=job.model_id,
            version=job.version,
            policy_id=job.policy_id,
            node_id=life.guest.node_id,
            block_number=life.recorded,
            licence=job.licence,
        )
        if self._releases.state(subject.release(self._releases.domain)).status is Status.UNKNOWN:
            wanted = (job.model_id, job.version, job.policy_id, subject.node_id, job.licence)
            self._releases.request(self._account, *wanted)
        life.subject, life.revocations = subject, Revocations(self._chain, subject)
        self.phase = Phase.AWAIT
        return True

    def _await(self, life: Life) -> bool:
        handover = self._broker.handover(life.asked().release(self._releases.domain), 0)
        if handover is None:
            return self._lapsed(life)
        life.guest.present(self._sealed())
        try:
            self._take(life, Grant.decode(handover.grant), handover.signature, handover.envelope)
        except GuestError as error:
            return self._replace(life, f"the grant was of no use: {error}")
        self.phase = Phase.OPEN
        return True

    def _lapsed(self, life: Life) -> bool:
        record = self._attestations.record_of(self._job.policy_id, life.guest.node_id)
        if record is not None and self._chain.head().timestamp < record.expiry:
            return False
        life.subject = life.revocations = None
        self.phase = Phase.ATTEST
        return True

    def _open(self, life: Life) -> bool:
        if self._clock() >= life.until:
            return self._stop(life, "the lease is over", revoked=False)
        life.guest.open(self._sealed())
        self.phase = Phase.SERVE
        return True

    def _serve(self, life: Life) -> bool:
        now, grant = self._clock(), life.granted()
        if now >= life.until:
            return self._stop(life, "the lease is over", revoked=False)
        if life.awaiting and self._renewed(life, grant):
            return True
        if now < life.renew_at:
            return False
        return self._renew(life, now + grant.duration / (2 * _RETRIES))

    def _renew(self, life: Life, again: float) -> bool:
        """Ask for the next lease; what stands in its way now is tried again while this lease lasts."""
        try:
            self._settling(life).anchor(life.guest)
            if not self._record(life):
                return False
        except WireError:
            raise
        except ExequaturError as error:
            _LOG.warning("the lease could not be renewed yet: %s", error)
            life.renew_at = again
            return False
        life.awaiting, life.renew_at = True, again
        return True

    def _renewed(self, life: Life, held: Grant) -> bool:
        handover = self._broker.handover(held.release, held.lease + 1 + life.passed_over)
        if handover is None:
            return False
        try:
            self._take(life, Grant.decode(handover.grant), handover.signature, None)
        except GrantRefused as error:
            _LOG.warning("a renewal was of no use: %s", error)
            life.passed_over += 1
            life.awaiting = False
        return True

    def _take(self, life: Life, grant: Grant, signature: bytes, envelope: bytes | None) -> None:
        left = life.guest.grant(grant, signature, None, envelope)
        life.grant, life.awaiting, life.passed_over = grant, False, 0
        life.until = self._clock() + left
        life.renew_at = life.until - grant.duration / 2
        _LOG.info("lease %d of release %s: %d seconds", grant.lease, grant.release, left)

    def _stop(self, life: Life, why: str, *, revoked: bool) -> bool:
        _LOG.warning("stopping the guest: %s", why)
        life.why, life.revoked = why, revoked
        if life.grant is None:
            return self._over(life)
        life.last_word = life.guest.notice()
        self.phase = Phase.SETTLE
        return True

    def _settle(self, life: Life) -> bool:
        self._settling(life).close(life.guest, life.said())
        return self._over(life)

    def _replace(self, life: Life, why: str) -> bool:
        """Let go of a guest that can say nothing more; the next one is another node."""
        _LOG.warning("%s; starting another", why)
        life.why = life.why or why
        return self._over(life)

    def _over(self, life: Life) -> bool:
        life.guest.close()
        self.life, self.ended_because = None, life.why
        self.phase = Phase.ENDED if life.revoked else Phase.BOOT
        return True

    def _settling(self, life: Life) -> Settling:
        return Settling(self._releases, self._account, life.asked(), life.guest.keys)

    def _sealed(self) -> SealedFile:
        job = self._job
        version = self._models.version(job.model_id, job.version)
        return self._blobs.sealed(job.model_id, job.version, version.seal_id)


_STEPS: dict[Phase, Callable[[Node, Life], bool]] = {
    Phase.ATTEST: Node._attest,
    Phase.REQUEST: Node._request,
    Phase.AWAIT: Node._await,
    Phase.OPEN: Node._open,
    Phase.SERVE: Node._serve,
    Phase.SETTLE: Node._settle,
}
