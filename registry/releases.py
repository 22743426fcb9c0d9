# SPDX-License-Identifier: Apache-2.0
"""Steps 7, 10 and 11 on chain: key requests, releases, leases, stops and usage."""

from collections.abc import Sequence

from contracts.digests import TypedDomain
from contracts.ids import Address, Digest, Half, ModelId, NodeId, PolicyId, ReleaseId
from contracts.records import Reason, Release, Seat, Status, Subject
from registry.chain.chain import Chain
from registry.chain.reads import Words
from registry.chain.view import Block, Mined
from registry.signing import Account

_CONTRACT = "ReleaseLog"


class Releases:
    """The release log of a chain."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._address = chain.book.releases

    @property
    def domain(self) -> TypedDomain:
        """The EIP-712 domain of grants, node grants, stops and usage."""
        return TypedDomain(chain_id=self._chain.chain_id, contract=self._address)

    def permits(
        self, model: ModelId, version: int, node: NodeId, licence: Address, when: int, at: Block | None = None
    ) -> Reason:
        """Why a node may not run a version under a licence at `when`; `Reason.NONE` when it may."""
        return self._permits("permits", model, version, node, licence, when, at=at)

    def permits_under(
        self,
        model: ModelId,
        version: int,
        policy: PolicyId,
        node: NodeId,
        licence: Address,
        when: int,
        at: Block | None = None,
    ) -> Reason:
        """The same under one policy, which must count at `when`."""
        return self._permits("permitsUnder", model, version, policy, node, licence, when, at=at)

    def authorise(self, account: Account, licence: Address, node: NodeId) -> Mined:
        """Let a node use a licence; licensee or operator."""
        return self._transact(account, "authorise", licence, node)

    def authorise_by_signature(
        self, account: Account, licence: Address, node: NodeId, deadline: int, signature: bytes
    ) -> Mined:
        """The same with the licensee's signature, brought by anyone."""
        return self._transact(account, "authoriseBySignature", (licence, node, deadline), signature)

    def revoke_node(self, account: Account, licence: Address, node: NodeId) -> Mined:
        """Take a node's authorisation back; licensee or operator."""
        return self._transact(account, "revokeNode", licence, node)

    def request(
        self, account: Account, model: ModelId, version: int, policy: PolicyId, node: NodeId, licence: Address
    ) -> tuple[ReleaseId, Mined]:
        """Ask for the key of a model version for a node."""
        return _requested(self._transact(account, "requestKey", model, version, policy, node, licence))

    def request_by_signature(
        self,
        account: Account,
        model: ModelId,
        version: int,
        policy: PolicyId,
        node_grant: tuple[Address, NodeId, int],
        signature: bytes,
    ) -> tuple[ReleaseId, Mined]:
        """Ask with the licensee's `NodeGrant` (licence, node, deadline) in the same transaction."""
        args = (model, version, policy, node_grant, signature)
        return _requested(self._transact(account, "requestKeyBySignature", *args))

    def release(
        self, account: Account, subject: Subject, seat: int, duration: int, ceiling: int, envelope: Digest
    ) -> Mined:
        """Record a release on a seat; the model's broker only."""
        words = subject_words(subject)
        return self._transact(account, "releaseKey", words, seat, duration, ceiling, envelope)

    def renew(self, account: Account, subject: Subject, duration: int, ceiling: int) -> Mined:
        """Record the next lease on a newer record; the model's broker only."""
        return self._transact(account, "renew", subject_words(subject), duration, ceiling)

    def stop(self, account: Account, subject: Subject) -> Mined:
        """End a release; the model's broker only; frees no seat."""
        return self._transact(account, "stop", subject_words(subject))

    def guest_stopped(
        self,
        account: Account,
        subject: Subject,
        statement: Sequence[bytes | int],
        keys: tuple[Digest, Digest],
        signature: bytes,
    ) -> Mined:
        """Relay a guest's own end: (release, sealId, lastCounter, root) and its (HPKE, receipt) key digests."""
        args = (subject_words(subject), tuple(statement), keys, signature)
        return self._transact(account, "guestStopped", *args)

    def anchor_usage(
        self,
        account: Account,
        subject: Subject,
        usage: Sequence[bytes | int],
        keys: tuple[Digest, Digest],
        signature: bytes,
    ) -> Mined:
        """Relay a guest's usage: (release, sealId, firstCounter, lastCounter, root, last) and its key digests."""
        return self._transact(account, "anchorUsage", subject_words(subject), tuple(usage), keys, signature)

    def state(self, release: ReleaseId, at: Block | None = None) -> Release:
        """State of a release; `Status.UNKNOWN` when there is none."""
        (found,) = self._chain.call(self._address, _CONTRACT, "stateOf", release, at=at)
        words = Words.of(found)
        return Release(
            until=words.int("until"),
            leases=words.int("leases"),
            block_number=words.int("blockNumber"),
            seat=words.int("seat"),
            last_counter=words.int("lastCounter"),
            ceiling=words.int("ceiling"),
            status=Status(words.int("status")),
        )

    def seat(self, licence: Address, seat: int, at: Block | None = None) -> Seat:
        """One seat of a licence."""
        (found,) = self._chain.call(self._address, _CONTRACT, "seatOf", licence, seat, at=at)
        words = Words.of(found)
        return Seat(
            release=words.id("release", ReleaseId),
            until=words.int("until"),
            taken_over=words.int("takenOver"),
            holder=words.id("holder", Half),
        )

    def seats(self, licence: Address, at: Block | None = None) -> int:
        """How many seats a licence has."""
        (found,) = self._chain.call(licence, "ILicence", "seats", at=at)
        return Words({"seats": found}).int("seats")

    def node(self, licence: Address, node: NodeId, at: Block | None = None) -> tuple[bool, bool]:
        """Whether the licensee authorised a node in its current epoch, and whether that node was stopped."""
        authorised, stopped = self._chain.call(self._address, _CONTRACT, "nodeOf", licence, node, at=at)
        return authorised is True, stopped is True

    def _permits(self, function: str, *args: object, at: Block | None) -> Reason:
        _, reason = self._chain.call(self._address, _CONTRACT, function, *args, at=at)
        return Reason(Words({"reason": reason}).int("reason"))

    def _transact(self, account: Account, function: str, *args: object) -> Mined:
        return self._chain.transact(account, self._address, _CONTRACT, function, *args)


def subject_words(subject: Subject) -> tuple[bytes | int, ...]:
    """The struct's members in their order."""
    return (
        subject.model_id,
        subject.version,
        subject.policy_id,
        subject.node_id,
        subject.block_number,
        subject.licence,
    )


def read_subject(words: Words) -> Subject:
    """A subject from its struct, as `KeyRequested` carries it: `read_subject(Words(event.args).struct("subject"))`."""
    return Subject(
        model_id=words.id("modelId", ModelId),
        version=words.int("version"),
        policy_id=words.id("policyId", PolicyId),
        node_id=words.id("nodeId", NodeId),
        block_number=words.int("blockNumber"),
        licence=words.address("licence"),
    )


def _requested(mined: Mined) -> tuple[ReleaseId, Mined]:
    return Words(mined.event("KeyRequested").args).id("release", ReleaseId), mined
