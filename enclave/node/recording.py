# SPDX-License-Identifier: Apache-2.0
"""Fresh evidence of a guest, judged by the policy's verifiers and put on record."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from contracts.ids import Address
from contracts.records import Verdict
from enclave.evidence.bundle import Bundle
from enclave.node.endorsing import endorsed
from enclave.node.host import Guest, Place
from enclave.node.parts import Assignment
from enclave.node.quorum import Appraiser, gather
from registry.attestations import Attestations
from registry.chain.chain import Chain
from registry.errors import Reverted
from registry.signing import Account

_OUTRUN = ("BlockHashMismatch", "BlockNotHigher", "ChallengeTooOld")
_LOG = logging.getLogger("exequatur.node")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A verdict on record, the evidence it rests on, and the verifiers who signed another one."""

    verdict: Verdict
    bundle: Bundle
    outvoted: tuple[Address, ...]


class Recorder:
    """Gets one assignment's guests on record."""

    def __init__(
        self, chain: Chain, account: Account, assignment: Assignment, appraisers: Sequence[Appraiser]
    ) -> None:
        self._chain = chain
        self._account = account
        self._job = assignment
        self._appraisers = tuple(appraisers)
        self._attestations = Attestations(chain)

    def record(self, guest: Guest, newer_than: int) -> Recorded | None:
        """Attest to a recent block and record the verdict; None when that must be tried on a newer block."""
        enforced, log = self._job.policy.enforced, self._attestations.domain
        number = self._chain.head().number - max(1, enforced.depth)
        if number <= newer_than:
            return None
        block = self._chain.block(number)
        place = Place(
            chain_id=log.chain_id,
            log=log.contract,
            policy_id=self._job.policy_id,
            block_number=block.number,
            block_hash=block.hash,
        )
        bundle = endorsed(guest.attest(place), self._job.endorsements)
        quorum = gather(
            self._appraisers,
            bundle,
            verifiers=enforced.verifiers,
            threshold=enforced.threshold,
            domain=log,
        )
        for verifier in quorum.outvoted:
            _LOG.warning("verifier %s signed another verdict and was outvoted", verifier)
        try:
            self._attestations.record(self._account, quorum.verdict, quorum.signatures)
        except Reverted as error:
            if error.error not in _OUTRUN:
                raise
            _LOG.info("the chain moved on before the verdict was recorded: %s", error.error)
            return None
        return Recorded(verdict=quorum.verdict, bundle=bundle, outvoted=quorum.outvoted)
