# SPDX-License-Identifier: Apache-2.0
"""Owner, licensee, verifiers and broker at one desk, with guests that only hold keys: what broker and audit tests begin from."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from contracts.ids import Address, Digest, ModelId, NodeId, PolicyId, ReleaseId, SealId
from contracts.records import Enforced, Finality, Level, Subject, Verdict
from enclave.broker.journal import Journal
from enclave.broker.service import Broker
from enclave.envelope import ReaderKey
from enclave.evidence.binding import Challenge, DeviceEntry, GuestClaims, Lockdown, report_data
from enclave.evidence.bundle import Bundle, Device
from enclave.evidence.kinds import Kind
from enclave.evidence.policy import Policy
from enclave.evidence.software.verify import workload_of
from enclave.guest.collectors.software import Software
from enclave.guest.keys import Keys
from enclave.judging import Assigned
from enclave.keystore import Binding, Entry, SealKeys
from enclave.node.quorum import gather
from enclave.statements import Grant, Stopped, Usage
from enclave.verifier import Verifier
from registry.attestations import Attestations
from registry.chain.chain import Chain
from registry.chain.dev import DevChain
from registry.chain.view import Event
from registry.licences import Licences, TermDraft
from registry.models import Models
from registry.policies import Policies, burn_domain
from registry.releases import Releases
from registry.signing import Account
from registry.store import Store
from tests.fakes.chains import funded
from tests.fakes.evidence import development_rules
from tests.fakes.scenes import digest

FILES = Digest(b"\x0f" * 32)
SALT = b"salt of the domain, 32 bytes long"
DOMAIN = "fleet"
LEASE = 600
QUOTA = 100
DAY = 86_400


@dataclass(slots=True)
class Attested:
    """A guest's keys and quoter, without the process around them."""

    keys: Keys = field(default_factory=Keys)
    quoter: Software = field(default_factory=lambda: Software(FILES))

    @property
    def node(self) -> NodeId:
        """Its id."""
        return self.keys.node_id

    def bundle(self, challenge: Challenge) -> Bundle:
        """Evidence for a challenge, as an honest guest makes it."""
        claims = GuestClaims(lockdown=0, clock="host", image="1.0")
        body = self.quoter.collect(report_data(challenge, claims, [DeviceEntry.root("software")]))
        device = Device(kind="software", index=0, body=body)
        return Bundle(challenge=challenge, keys=self.keys.public, claims=claims, devices=(device,))


@dataclass(frozen=True, slots=True, kw_only=True)
class Deal:
    """What a desk's policy, licence and version say; seconds and counts."""

    lease: int = LEASE
    quota: int = QUOTA
    seats: int = 3
    answers: int = 10_000
    term: int = 365 * DAY
    finality: Finality = Finality.SAFE


@dataclass(slots=True, kw_only=True)
class Desk:
    """One licensed model on one chain."""

    chain: DevChain
    folder: Path
    owner: Account
    licensee: Account
    clerk: Account
    verifiers: list[Account]
    reader: ReaderKey
    store: Store
    policy: Policy
    policy_id: PolicyId
    model: ModelId
    licence: Address
    entry: Entry
    since: int

    @classmethod
    def open(cls, chain: DevChain, folder: Path, deal: Deal = Deal()) -> "Desk":
        """Publish a policy, register a model and license it; `clerk` is the broker's account."""
        since = chain.head().number + 1
        owner, licensee, clerk = funded(chain, 3)
        verifiers = sorted((Account.generate() for _ in range(3)), key=lambda account: account.address)
        reader, store = ReaderKey.generate(), Store(str(folder / "store"))
        policy = policy_of(chain, owner.address, verifiers, reader, deal)
        policy_id, _ = Policies(chain).publish(owner, policy.enforced, policy.document_digest)
        keys, seal_id = SealKeys.draw(), SealId(secrets.token_bytes(32))
        model, _ = Models(chain).register(
            owner,
            "model",
            seal_id=seal_id,
            policy=policy_id,
            finality=deal.finality,
            uri="",
            broker=clerk.address,
        )
        entry = Entry(
            seal_id=seal_id,
            bound=Binding(chain_id=chain.chain_id, registry=chain.book.models, model_id=model, version=1),
            policies=(policy_id,),
            data_key=keys.data_key,
            grant_key=keys.grant_key,
        )
        return cls(
            chain=chain,
            since=since,
            folder=folder,
            owner=owner,
            licensee=licensee,
            clerk=clerk,
            verifiers=verifiers,
            reader=reader,
            store=store,
            policy=policy,
            policy_id=policy_id,
            model=model,
            licence=license_to(chain, owner, licensee, model, deal),
            entry=entry,
        )

    @property
    def assigned(self) -> dict[PolicyId, Assigned]:
        """The policy as verifiers, broker and auditor judge by it."""
        return {self.policy_id: Assigned(policy=self.policy, controller=self.owner.address, salt=SALT)}

    @property
    def releases(self) -> Releases:
        """The release log."""
        return Releases(self.chain)

    def verifier(self, index: int = 0, **options: object) -> Verifier:
        """One of the three."""
        return Verifier(self.chain, self.verifiers[index], self.assigned, self.store, **options)  # type: ignore[arg-type]

    def broker(self, journal: Path | str = ":memory:", **changes: object) -> Broker:
        """A broker over a journal; `changes` replace the keystore entry's fields."""
        entry = replace(self.entry, **changes)  # type: ignore[arg-type]  # tests name the fields
        return self.broker_on(Journal(journal), self.chain, entry)

    def broker_on(self, journal: Journal, chain: Chain, entry: Entry | None = None) -> Broker:
        """A broker with a journal and chain of the test's own."""
        served = {(self.model, 1): entry or self.entry}
        return Broker(chain, self.clerk, served, self.assigned, self.store, self.reader, journal)

    def challenge(self, guest: Attested, **changes: object) -> Challenge:
        """A fresh nonce and the newest block that counts."""
        block = self.chain.block(self.chain.head().number - 1)
        fresh = Challenge(
            chain_id=self.chain.chain_id,
            log=self.chain.book.attestations,
            policy_id=self.policy_id,
            node_id=guest.node,
            lease_nonce=digest(),
            block_number=block.number,
            block_hash=block.hash,
        )
        return replace(fresh, **changes)  # type: ignore[arg-type]  # tests break one field at a time

    def record(self, guest: Attested, bundle: Bundle | None = None) -> Verdict:
        """Have evidence judged by two verifiers, and record their verdict."""
        domain = Attestations(self.chain).domain
        quorum = gather(
            [self.verifier(0), self.verifier(1)],
            bundle or guest.bundle(self.challenge(guest)),
            verifiers=self.policy.enforced.verifiers,
            threshold=self.policy.enforced.threshold,
            domain=domain,
        )
        Attestations(self.chain).record(self.licensee, quorum.verdict, quorum.signatures)
        return quorum.verdict

    def request(self, guest: Attested) -> Subject:
        """Ask for the key, resting on the last record."""
        self.releases.request(self.licensee, self.model, 1, self.policy_id, guest.node, self.licence)
        record = Attestations(self.chain).record_of(self.policy_id, guest.node)
        assert record is not None
        return Subject(
            model_id=self.model,
            version=1,
            policy_id=self.policy_id,
            node_id=guest.node,
            block_number=record.block_number,
            licence=self.licence,
        )

    def asked(self) -> tuple[Attested, Subject, ReleaseId]:
        """A new guest, recorded, whose key is asked for."""
        guest = Attested()
        self.record(guest)
        subject = self.request(guest)
        return guest, subject, subject.release(self.releases.domain)

    def settle(self, broker: Broker) -> None:
        """Step the broker until nothing moves."""
        while broker.step():
            pass

    def events(self, name: str | None = None) -> list[Event]:
        """What happened since this desk opened, or all of one kind; others may have used the chain before."""
        found = self.chain.events(self.since, self.chain.head().number)
        return [event for event in found if name in (None, event.name)]

    def stop(self, guest: Attested, subject: Subject, last_counter: int = 0) -> None:
        """The guest's own end, relayed."""
        release = subject.release(self.releases.domain)
        said = Stopped(
            release=release, seal_id=self.entry.seal_id, last_counter=last_counter, root=Digest(bytes(32))
        )
        keys, words = guest.keys.public, (said.release, said.seal_id, said.last_counter, said.root)
        signature = guest.keys.sign_for_chain(said.digest(self.releases.domain))
        digests = keys.hpke_digest, keys.receipt_digest
        self.releases.guest_stopped(self.licensee, subject, words, digests, signature)

    def anchor(
        self, guest: Attested, subject: Subject, first: int, last: int, *, final: bool = False
    ) -> None:
        """The guest's usage, relayed."""
        release = subject.release(self.releases.domain)
        usage = Usage(
            release=release,
            seal_id=self.entry.seal_id,
            first_counter=first,
            last_counter=last,
            root=digest(),
            last=final,
        )
        words = (usage.release, usage.seal_id, first, last, usage.root, final)
        keys = guest.keys.public
        signature = guest.keys.sign_for_chain(usage.digest(self.releases.domain))
        digests = keys.hpke_digest, keys.receipt_digest
        self.releases.anchor_usage(self.licensee, subject, words, digests, signature)


def policy_of(
    chain: Chain, controller: Address, verifiers: Sequence[Account], reader: ReaderKey, deal: Deal
) -> Policy:
    """A policy for software evidence."""
    enforced = Enforced(
        verifiers=tuple(account.address for account in verifiers),
        threshold=2,
        minimum_level=Level.NONE,
        maximum_age=deal.lease + 3_600,
        challenge_age=600,
        depth=1,
        lease=deal.lease,
        quota=deal.quota,
        burn_domain=burn_domain(chain.chain_id, chain.book.policies, controller, DOMAIN),
    )
    return Policy(
        name="desk",
        enforced=enforced,
        burnt=(),
        burn_domain_name=DOMAIN,
        readers=(reader.public,),
        verifier_urls=(),
        broker_url="",
        enrollers=(),
        extra_roots=(),
        clock="host",
        lockdown=Lockdown(0),
        rules=development_rules(Kind.SOFTWARE, workload_of(FILES)),
    )


def license_to(chain: Chain, owner: Account, licensee: Account, model: ModelId, deal: Deal) -> Address:
    """A licence, granted and accepted."""
    licences, now = Licences(chain), chain.head().timestamp
    draft = TermDraft(
        model_id=model,
        lowest_version=1,
        start=now,
        end=now + deal.term,
        seats=deal.seats,
        answers=deal.answers,
        text=digest(),
    )
    licence = licences.deploy_term(owner, draft)
    licences.grant(owner, licence, model, 1, licensee.address)
    licences.accept(licensee, licence)
    return licence


def granted(broker: Broker, release: ReleaseId, lease: int = 0) -> Grant:
    """The grant of a lease that is final."""
    handover = broker.handover(release, lease)
    assert handover is not None
    return Grant.decode(handover.grant)
