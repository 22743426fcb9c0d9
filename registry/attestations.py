# SPDX-License-Identifier: Apache-2.0
"""Step 6: verdicts recorded on chain: by whom they were signed, and until when they count."""

from collections.abc import Sequence

from contracts.digests import TypedDomain
from contracts.ids import Digest, Half, NodeId, PolicyId
from contracts.records import Level, Record, Verdict
from registry.chain.chain import Chain
from registry.chain.reads import Words
from registry.chain.view import Block, Mined
from registry.signing import Account

_CONTRACT = "AttestationLog"
WITHDRAWN = 1
_LONGEST_GAP = 2**16 - 1  # minutes


class Attestations:
    """The attestation log of a chain."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._address = chain.book.attestations

    @property
    def domain(self) -> TypedDomain:
        """The EIP-712 domain in which verifiers sign verdicts."""
        return TypedDomain(chain_id=self._chain.chain_id, contract=self._address)

    def record(self, account: Account, verdict: Verdict, signatures: Sequence[bytes]) -> Mined:
        """Record a verdict with its verifiers' signatures; anyone may."""
        return self._transact(account, "record", verdict.words(), list(signatures))

    def withdraw(self, account: Account, policy: PolicyId, node: NodeId) -> Mined:
        """Withdraw a node under a policy, for ever; the policy's controller only."""
        return self._transact(account, "withdraw", policy, node)

    def record_of(self, policy: PolicyId, node: NodeId, at: Block | None = None) -> Record | None:
        """The record, withdrawn ones included (`flags`); None when there is none."""
        (found,) = self._chain.call(self._address, _CONTRACT, "recordOf", policy, node, at=at)
        record = read_record(Words.of(found))
        return record if record.recorded_at or record.flags else None

    def _transact(self, account: Account, function: str, *args: object) -> Mined:
        return self._chain.transact(account, self._address, _CONTRACT, function, *args)


def read_record(words: Words) -> Record:
    """A record from its struct."""
    return Record(
        as_of=words.int("asOf"),
        expiry=words.int("expiry"),
        recorded_at=words.int("recordedAt"),
        block_number=words.int("blockNumber"),
        level=Level(words.int("level")),
        kinds=words.int("kinds"),
        place=words.int("place"),
        signers=words.int("signers"),
        flags=words.int("flags"),
        workload=words.id("workload", Half),
        platform=words.id("platform", Half),
        gap=words.int("gap"),
    )


def read_verdict(words: Words) -> Verdict:
    """A verdict from its struct, as `Recorded` carries it."""
    return Verdict(
        policy_id=words.id("policyId", PolicyId),
        node_id=words.id("nodeId", NodeId),
        lease_nonce=words.id("leaseNonce", Digest),
        evidence=words.id("evidence", Digest),
        workload=words.id("workload", Digest),
        platform=words.id("platform", Digest),
        level=Level(words.int("level")),
        kinds=words.int("kinds"),
        place=words.int("place"),
        block_number=words.int("blockNumber"),
        block_hash=words.id("blockHash", Digest),
        as_of=words.int("asOf"),
        expiry=words.int("expiry"),
    )


def recorded(verdict: Verdict, recorded_at: int, signers: int, before: Record | None = None) -> Record:
    """What the log stores of a verdict recorded at `recorded_at` in place of `before`; `signers` is a bitmap."""
    return Record(
        as_of=verdict.as_of,
        expiry=verdict.expiry,
        recorded_at=recorded_at,
        block_number=verdict.block_number,
        level=verdict.level,
        kinds=verdict.kinds,
        place=verdict.place,
        signers=signers,
        flags=0,
        workload=Half(verdict.workload[: Half.SIZE]),
        platform=Half(verdict.platform[: Half.SIZE]),
        gap=_gap(before or NO_RECORD, verdict.as_of),
    )


def _gap(before: Record, as_of: int) -> int:
    if before.recorded_at == 0:
        return before.gap
    return max(before.gap, min((as_of - before.as_of) // 60, _LONGEST_GAP))


_NOTHING = Half(bytes(Half.SIZE))
NO_RECORD = Record(
    as_of=0,
    expiry=0,
    recorded_at=0,
    block_number=0,
    level=Level.NONE,
    kinds=0,
    place=0,
    signers=0,
    flags=0,
    workload=_NOTHING,
    platform=_NOTHING,
    gap=0,
)
