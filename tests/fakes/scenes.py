# SPDX-License-Identifier: Apache-2.0
"""A model, a policy, a licence and nodes on a chain, with every party's account: what most registry tests begin from."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache

from contracts.digests import evm_digest
from contracts.ids import Address, BurnDomain, Digest, Half, ModelId, NodeId, PolicyId, ReleaseId, SealId
from contracts.records import Enforced, Finality, Level, Subject, Verdict
from registry.attestations import Attestations
from registry.chain.dev import DevChain
from registry.chain.view import Mined
from registry.licences import Licences, TermDraft
from registry.models import Models
from registry.policies import Policies, burn_domain
from registry.releases import Releases
from registry.signing import Account
from tests.fakes.chains import fresh, funded, kept, untouched

LEASE = 3_600
QUOTA = 1_000
SEATS = 2
DOMAIN = "fleet"
_made: set[str] = set()


def digest() -> Digest:
    """32 random bytes."""
    return Digest(secrets.token_bytes(32))


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """A guest's chain key and the digests of its two other keys."""

    account: Account = field(default_factory=Account.generate)
    hpke: Digest = field(default_factory=digest)
    receipt: Digest = field(default_factory=digest)
    workload: Digest = field(default_factory=digest)
    platform: Digest = field(default_factory=digest)

    @property
    def node(self) -> NodeId:
        """Its id."""
        return NodeId(evm_digest("node", self.hpke, self.receipt, self.account.address))

    @property
    def keys(self) -> tuple[Digest, Digest]:
        """The digests a contract needs to recognise it."""
        return self.hpke, self.receipt


@dataclass(slots=True, kw_only=True)
class Scene:
    """The parties and what they did."""

    chain: DevChain
    owner: Account
    broker: Account
    licensee: Account
    stranger: Account
    verifiers: list[Account]
    enforced: Enforced
    document: Digest
    policy: PolicyId
    seal: SealId
    model: ModelId
    licence: Address

    @property
    def models(self) -> Models:
        """The model registry."""
        return Models(self.chain)

    @property
    def policies(self) -> Policies:
        """The policy registry."""
        return Policies(self.chain)

    @property
    def licences(self) -> Licences:
        """The licence registry."""
        return Licences(self.chain)

    @property
    def attestations(self) -> Attestations:
        """The attestation log."""
        return Attestations(self.chain)

    @property
    def releases(self) -> Releases:
        """The release log."""
        return Releases(self.chain)

    @property
    def now(self) -> int:
        """The head's timestamp."""
        return self.chain.head().timestamp

    def verdict(self, guest: Guest, *, policy: PolicyId | None = None) -> Verdict:
        """An honest verdict on the newest block it may name."""
        block = self.chain.block(self.chain.head().number - 1)
        return Verdict(
            policy_id=policy or self.policy,
            node_id=guest.node,
            lease_nonce=digest(),
            evidence=digest(),
            workload=guest.workload,
            platform=guest.platform,
            level=Level.ROOTED,
            kinds=1,
            place=756,
            block_number=block.number,
            block_hash=block.hash,
            as_of=block.timestamp,
            expiry=block.timestamp + self.enforced.maximum_age,
        )

    def signatures(self, verdict: Verdict, count: int | None = None) -> list[bytes]:
        """The first `count` verifiers' signatures; as many as the policy asks for, unless said."""
        signing = verdict.digest(self.attestations.domain)
        wanted = self.enforced.threshold if count is None else count
        return [verifier.sign_typed(signing) for verifier in self.verifiers[:wanted]]

    def record(self, guest: Guest, *, policy: PolicyId | None = None, **changes: object) -> Mined:
        """Record a verdict; `changes` are fields that differ from an honest one's."""
        self.chain.mine()
        verdict = replace(self.verdict(guest, policy=policy), **changes)  # type: ignore[arg-type]
        return self.attestations.record(self.licensee, verdict, self.signatures(verdict))

    def request(self, guest: Guest) -> ReleaseId:
        """Ask for the key, as the licensee."""
        return self.releases.request(self.licensee, self.model, 1, self.policy, guest.node, self.licence)[0]

    def subject(self, guest: Guest) -> Subject:
        """What a release of this guest is for, resting on its record of now."""
        record = self.attestations.record_of(self.policy, guest.node)
        assert record is not None
        return Subject(
            model_id=self.model,
            version=1,
            policy_id=self.policy,
            node_id=guest.node,
            block_number=record.block_number,
            licence=self.licence,
        )

    def release(self, guest: Guest, *, seat: int = 0, ceiling: int = 100, duration: int = LEASE) -> Subject:
        """Record, request and release; returns the subject."""
        self.record(guest)
        self.request(guest)
        subject = self.subject(guest)
        self.releases.release(self.broker, subject, seat, duration, ceiling, digest())
        return subject


def enforced_by(verifiers: list[Account], threshold: int, domain: BurnDomain) -> Enforced:
    """Terms of a policy that accepts TPM evidence for half an hour and a lease."""
    return Enforced(
        verifiers=tuple(verifier.address for verifier in verifiers),
        threshold=threshold,
        minimum_level=Level.MEASURED,
        maximum_age=2 * LEASE,
        challenge_age=LEASE // 2,
        depth=1,
        lease=LEASE,
        quota=QUOTA,
        burn_domain=domain,
    )


def scene(chain: DevChain, *, verifiers: int = 3, threshold: int = 2) -> Scene:
    """A registered model with one version, a policy, and an accepted licence."""
    owner, broker, licensee, stranger = funded(chain, 4)
    judges = sorted((Account.generate() for _ in range(verifiers)), key=lambda judge: judge.address)
    domain = burn_domain(chain.chain_id, chain.book.policies, owner.address, DOMAIN)
    enforced, document, seal = enforced_by(judges, threshold, domain), digest(), SealId(digest())
    policy, _ = Policies(chain).publish(owner, enforced, document)
    model, _ = Models(chain).register(
        owner,
        "bearing",
        seal_id=seal,
        policy=policy,
        finality=Finality.SAFE,
        uri="sha256/00",
        broker=broker.address,
    )
    licence = licensed(chain, owner, licensee, model)
    return Scene(
        chain=chain,
        owner=owner,
        broker=broker,
        licensee=licensee,
        stranger=stranger,
        verifiers=judges,
        enforced=enforced,
        document=document,
        policy=policy,
        seal=seal,
        model=model,
        licence=licence,
    )


@contextmanager
def prepared(kind: str) -> Iterator[Scene]:
    """A scene on a chain that is put back afterwards; made once for the run where that is possible."""
    story = _prepared(kind) if untouched(kind) or kind in _made else None
    with fresh(kind) as chain:
        yield story or scene(chain)


@cache
def _prepared(kind: str) -> Scene:
    _made.add(kind)
    return scene(kept(kind))


def licensed(chain: DevChain, owner: Account, licensee: Account, model: ModelId, **terms: int) -> Address:
    """A term licence of a model, granted and accepted; `terms` are fields of its draft."""
    start = chain.head().timestamp
    numbers = {
        "lowest_version": 1,
        "start": start,
        "end": start + 100 * LEASE,
        "seats": SEATS,
        "answers": 10_000,
    }
    draft = TermDraft(model_id=model, text=digest(), **{**numbers, **terms})
    licences = Licences(chain)
    licence = licences.deploy_term(owner, draft)
    licences.grant(owner, licence, model, draft.lowest_version, licensee.address)
    licences.accept(licensee, licence)
    return licence


def half(value: Digest) -> Half:
    """The half of a digest that the log stores."""
    return Half(value[: Half.SIZE])
