# SPDX-License-Identifier: Apache-2.0
"""What of a refusal no waiting changes: the contracts say so by states that nothing leads out of.

A host that fails asks here before it tries again. Nothing is trusted by the guest.
"""

from contracts.ids import NodeId
from contracts.licences import LicenceRefusal
from contracts.records import Reason
from enclave.node.errors import RefusedForEver
from enclave.node.parts import Assignment
from registry.attestations import Attestations
from registry.chain.chain import Chain
from registry.chain.view import Block
from registry.compiled import CompiledLicences
from registry.errors import CodeMismatch, Reverted
from registry.licences import Kind, Licences
from registry.models import Models
from registry.policies import Policies
from registry.releases import Releases

_AGAIN = "start the node again to attest under the version's next policy"
_WITHDRAWN = "ask the policy's controller why; a node that is started again is another one"
_REMOVED = (
    "the licence removed the node, which went too long without attestation",
    "start it again: it is another node then, which the licensee has yet to let in",
)
_TAKEN = {
    Reason.WITHDRAWN: ("the node is withdrawn", _WITHDRAWN),
    Reason.WORKLOAD: ("its workload is recalled", "install the guest that the policy's controller allows"),
    Reason.PLATFORM: ("its platform is burnt", "run it on another machine"),
}


class Ending:
    """Asks the contracts whether an assignment has ended, whatever its node does."""

    def __init__(self, chain: Chain, assignment: Assignment) -> None:
        self._chain = chain
        self._job = assignment

    def found(self, node: NodeId | None) -> RefusedForEver | None:
        """Why the assignment, or this node of it, has ended; None while that may change."""
        head = self._chain.head()
        for ask in (self._model, self._version, self._policy, self._licence):
            if refused := ask(head):
                return refused
        return self._node(node, head) if node else None

    def _model(self, head: Block) -> RefusedForEver | None:
        model = Models(self._chain).model(self._job.model_id, at=head)
        if not model.retired:
            return None
        hint = "ask its owner what follows it"
        if any(model.successor):
            hint = f"run its successor with `exequatur node run {model.successor}` and a licence for it"
        return RefusedForEver("the model is retired", where=str(self._job.model_id), hint=hint)

    def _version(self, head: Block) -> RefusedForEver | None:
        job, models = self._job, Models(self._chain)
        lowest = models.model(job.model_id, at=head).lowest_served
        where = f"version {job.version}"
        if job.version < lowest:
            hint = f"run version {lowest} or later: --version {lowest}"
            return RefusedForEver("the version is not served any more", where=where, hint=hint)
        if models.version(job.model_id, job.version, at=head).withdrawn:
            hint = "choose another that `exequatur model show` lists, with --version"
            return RefusedForEver("the version is withdrawn", where=where, hint=hint)
        return None

    def _policy(self, head: Block) -> RefusedForEver | None:
        job = self._job
        version = Models(self._chain).version(job.model_id, job.version, at=head)
        if job.policy_id not in (version.policy_at(head.timestamp), version.next):
            return RefusedForEver("another policy took its place", where=str(job.policy_id), hint=_AGAIN)
        if Policies(self._chain).terms(job.policy_id, at=head).withdrawn:
            hint = f"once its owner named one with `exequatur model next-policy`, {_AGAIN}"
            return RefusedForEver("the policy is withdrawn", where=str(job.policy_id), hint=hint)
        return None

    def _licence(self, head: Block) -> RefusedForEver | None:
        licence, licences = self._job.licence, Licences(self._chain)
        hint = "ask the model's owner for another licence"
        try:
            revoked, end = licences.over(licence, at=head)
        except (Reverted, CodeMismatch):
            return None  # a licence of another make says nothing of for ever
        if revoked:
            return RefusedForEver("the licence is revoked", where=str(licence), hint=hint)
        if end <= head.timestamp:
            return RefusedForEver("the licence has ended", where=str(licence), hint=hint)
        return None

    def _node(self, node: NodeId, head: Block) -> RefusedForEver | None:
        job = self._job
        asked = (job.model_id, job.version, job.policy_id, node, job.licence, head.timestamp)
        reason = Releases(self._chain).permits_under(*asked, at=head)
        taken = _TAKEN.get(reason)
        if reason is Reason.LICENCE and self._removed(node, head):
            taken = _REMOVED
        record = Attestations(self._chain).record_of(job.policy_id, node, at=head)
        if record is not None and record.flags & 1:
            taken = _TAKEN[Reason.WITHDRAWN]  # also where the licensee has yet to let it in
        return RefusedForEver(taken[0], where=str(node), hint=taken[1]) if taken else None

    def _removed(self, node: NodeId, head: Block) -> bool:
        job = self._job
        if Licences(self._chain).kind_of(job.licence, head) is not Kind.COMPILED:
            return False
        asked = (job.licence, job.model_id, job.version, node, head.timestamp)
        try:
            return CompiledLicences(self._chain).refusal(*asked, at=head) is LicenceRefusal.REMOVED
        except (Reverted, CodeMismatch):
            return False  # it asks contracts that its parties chose
