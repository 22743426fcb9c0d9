# SPDX-License-Identifier: Apache-2.0
"""Everybody on one embedded chain: owner, licensee, three verifiers, a broker, a store, and a sealed model."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from contracts.digests import digest
from contracts.ids import Address, Digest, ModelId, PolicyId
from contracts.records import Enforced, Finality, Level, Verdict
from enclave.broker.journal import Journal
from enclave.broker.service import Broker
from enclave.envelope import ReaderKey
from enclave.evidence.binding import Lockdown
from enclave.evidence.kinds import Kind
from enclave.evidence.policy import Policy
from enclave.judging import Assigned
from enclave.keystore import Binding, Entry
from enclave.node.node import Node
from enclave.node.parts import Assignment
from enclave.node.quorum import Appraiser
from enclave.verifier import SignedVerdict, Verifier
from registry.chain.dev import fund
from registry.chain.embedded import EmbeddedChain, embedded
from registry.licences import Licences, TermDraft
from registry.models import Models
from registry.policies import Policies, burn_domain
from registry.signing import Account
from registry.store import Store
from tests.fakes.evidence import development_rules
from tests.fakes.jobs import ATTESTER, Job

SALT = b"s" * 32
DAY = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a world's policy and licence say; seconds and counts."""

    lease: int = 600
    quota: int = 1_000
    seats: int = 2
    answers: int = 10_000
    threshold: int = 2


class Contrary:
    """A verifier that signs another verdict than the evidence gives."""

    def __init__(self, verifier: Verifier, account: Account, chain: EmbeddedChain) -> None:
        self._verifier = verifier
        self._account = account
        self._chain = chain

    def appraise(self, bundle: bytes) -> SignedVerdict:
        """The right verdict with a higher level, signed."""
        from registry.attestations import Attestations

        right = self._verifier.appraise(bundle)
        wrong: Verdict = replace(right.verdict, level=Level.ISOLATED)
        signature = self._account.sign_typed(wrong.digest(Attestations(self._chain).domain))
        return SignedVerdict(verdict=wrong, signature=signature, opening=right.opening)


@dataclass(slots=True, kw_only=True)
class World:
    """One chain with one licensed model; `step` moves broker and node until neither moves."""

    folder: Path
    chain: EmbeddedChain
    owner: Account
    operator: Account
    verifiers: list[Account]
    appraisers: list[Appraiser]
    broker: Broker
    store: Store
    policy: Policy
    policy_id: PolicyId
    model_id: ModelId
    licence: Address
    job: Job
    nodes: list[Node] = field(default_factory=list)

    @classmethod
    def make(cls, folder: Path, terms: Terms = Terms()) -> "World":
        """Seal, register and license a model, and start verifiers and a broker."""
        chain = embedded()
        owner, operator, broker_account = (Account.generate() for _ in range(3))
        verifiers = sorted((Account.generate() for _ in range(3)), key=lambda account: account.address)
        for account in (owner, operator, broker_account):
            fund(chain, account.address)
        store, reader = Store(str(folder / "store")), ReaderKey.generate()
        policy = _policy(chain, owner, verifiers, reader, terms)
        policy_id, _ = Policies(chain).publish(owner, policy.enforced, policy.document_digest)
        (folder / "job").mkdir()
        job = Job.make(folder / "job")
        model_id = _registered(chain, owner, job, store, policy_id, broker_account)
        assigned = {policy_id: Assigned(policy=policy, controller=owner.address, salt=SALT)}
        entries = {(model_id, 1): _entry(chain, job, model_id, policy_id)}
        journal = Journal(folder / "journal.sqlite")
        return cls(
            folder=folder,
            chain=chain,
            owner=owner,
            operator=operator,
            verifiers=verifiers,
            appraisers=[Verifier(chain, account, assigned, store) for account in verifiers],
            broker=Broker(chain, broker_account, entries, assigned, store, reader, journal),
            store=store,
            policy=policy,
            policy_id=policy_id,
            model_id=model_id,
            licence=_licence(chain, owner, operator, model_id, terms),
            job=job,
        )

    def node(self, appraisers: Sequence[Appraiser] | None = None, **options: object) -> Node:
        """A node of the licensee's."""
        node = Node(
            self.chain,
            self.operator,
            Assignment(
                model_id=self.model_id,
                version=1,
                policy=self.policy,
                policy_id=self.policy_id,
                licence=self.licence,
                attester=ATTESTER,
            ),
            appraisers=self.appraisers if appraisers is None else appraisers,
            broker=self.broker,
            store=self.store,
            folder=self.folder / "cache",
            **options,  # type: ignore[arg-type]  # a test's own clock
        )
        self.nodes.append(node)
        return node

    def settle(self, node: Node, steps: int = 60) -> None:
        """Step node and broker in turn until neither moves."""
        for _ in range(steps):
            moved = node.step()
            if not self.broker.step() and not moved:
                return
        raise AssertionError(f"still moving: {node.phase}")

    def close(self) -> None:
        """End every guest that is left."""
        for node in self.nodes:
            if node.life is not None:
                node.life.guest.close()


def _policy(
    chain: EmbeddedChain, owner: Account, verifiers: list[Account], reader: ReaderKey, terms: Terms
) -> Policy:
    enforced = Enforced(
        verifiers=tuple(account.address for account in verifiers),
        threshold=terms.threshold,
        minimum_level=Level.NONE,
        maximum_age=terms.lease + DAY,
        challenge_age=DAY,
        depth=1,
        lease=terms.lease,
        quota=terms.quota,
        burn_domain=burn_domain(chain.chain_id, chain.book.policies, owner.address, "fleet"),
    )
    return Policy(
        name="development",
        enforced=enforced,
        burnt=(),
        burn_domain_name="fleet",
        readers=(reader.public,),
        verifier_urls=(),
        broker_url="http://127.0.0.1",
        enrollers=(),
        extra_roots=(),
        clock="host",
        lockdown=Lockdown(0),
        rules=development_rules(Kind.SOFTWARE, digest("workload", "software", Digest.parse(ATTESTER[1]))),
    )


def _registered(
    chain: EmbeddedChain, owner: Account, job: Job, store: Store, policy: PolicyId, broker: Account
) -> ModelId:
    name = store.put_file(job.sealed.path)
    model, _ = Models(chain).register(
        owner,
        "shift",
        seal_id=job.sealed.seal_id,
        policy=policy,
        finality=Finality.SAFE,
        uri=f"sha256/{name.hex()}",
        broker=broker.address,
    )
    return model


def _entry(chain: EmbeddedChain, job: Job, model: ModelId, policy: PolicyId) -> Entry:
    bound = Binding(chain_id=chain.chain_id, registry=chain.book.models, model_id=model, version=1)
    return Entry(
        seal_id=job.sealed.seal_id,
        bound=bound,
        policies=(policy,),
        data_key=job.data_key,
        grant_key=job.grant_key,
    )


def _licence(
    chain: EmbeddedChain, owner: Account, licensee: Account, model: ModelId, terms: Terms
) -> Address:
    licences, now = Licences(chain), chain.head().timestamp
    draft = TermDraft(
        model_id=model,
        lowest_version=1,
        start=now,
        end=now + 365 * DAY,
        seats=terms.seats,
        answers=terms.answers,
        text=Digest(b"t" * 32),
    )
    licence = licences.deploy_term(owner, draft)
    licences.grant(owner, licence, model, 1, licensee.address)
    licences.accept(licensee, licence)
    return licence
