# SPDX-License-Identifier: Apache-2.0
"""Step 6: bring evidence before every verifier and keep the verdict that enough of them sign alike.

Every verifier is asked, so that one that judges otherwise is outvoted and named, not just passed over.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from contracts.digests import TypedDomain
from contracts.errors import ExequaturError
from contracts.ids import Address
from contracts.records import Verdict
from enclave.evidence.bundle import Bundle
from enclave.node.errors import NoQuorum
from registry.signing import recover


class Signed(Protocol):
    """A verdict with a verifier's signature."""

    @property
    def verdict(self) -> Verdict:
        """What the verifier says."""

    @property
    def signature(self) -> bytes:
        """The verifier's signature over it, 65 bytes."""


class Appraiser(Protocol):
    """Whoever judges bundles: a verifier in this process, or one behind HTTP."""

    def appraise(self, bundle: bytes) -> Signed:
        """The signed verdict; raises what names every reason why not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quorum:
    """A verdict with enough signatures; `outvoted` signed something else, `refusals` signed nothing."""

    verdict: Verdict
    signatures: tuple[bytes, ...]
    outvoted: tuple[Address, ...]
    refusals: tuple[ExequaturError, ...]


def gather(
    appraisers: Sequence[Appraiser],
    bundle: Bundle,
    *,
    verifiers: Sequence[Address],
    threshold: int,
    domain: TypedDomain,
) -> Quorum:
    """Ask every appraiser; raises `NoQuorum` unless `threshold` of `verifiers` sign one verdict on this bundle."""
    raw = bundle.encode()
    votes: dict[Verdict, dict[Address, bytes]] = {}
    refusals: list[ExequaturError] = []
    for appraiser in appraisers:
        try:
            signed = appraiser.appraise(raw)
            signer = recover(signed.verdict.digest(domain), signed.signature)
        except ExequaturError as error:
            refusals.append(error)
            continue
        if signer in verifiers:
            votes.setdefault(signed.verdict, {})[signer] = signed.signature
    about = {verdict: signers for verdict, signers in votes.items() if _about(verdict, bundle)}
    verdict = max(about, key=lambda verdict: len(about[verdict]), default=None)
    if verdict is None or len(about[verdict]) < threshold:
        raise NoQuorum(len(about[verdict]) if verdict else 0, threshold, refusals)
    agreed = about[verdict]
    others = {signer for other, signers in votes.items() if other != verdict for signer in signers}
    return Quorum(
        verdict=verdict,
        signatures=tuple(agreed[signer] for signer in sorted(agreed)),
        outvoted=tuple(sorted(others)),
        refusals=tuple(refusals),
    )


def _about(verdict: Verdict, bundle: Bundle) -> bool:
    """Whether a verdict speaks of this bundle at all."""
    challenge = bundle.challenge
    return (
        (verdict.policy_id, verdict.node_id) == (challenge.policy_id, challenge.node_id)
        and (verdict.block_number, verdict.block_hash) == (challenge.block_number, challenge.block_hash)
        and (verdict.lease_nonce, verdict.evidence) == (challenge.lease_nonce, bundle.digest())
    )
