# SPDX-License-Identifier: Apache-2.0
"""The parties of the demonstration, their keys, and the chain and store they share."""

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from contracts.ids import Address, ModelId, PolicyId, ReleaseId, SealId
from contracts.records import Subject
from enclave.broker.journal import Journal
from enclave.broker.service import Broker, Handover
from enclave.envelope import ReaderKey
from enclave.evidence.bundle import Bundle
from enclave.evidence.policy import Policy
from enclave.judging import Assigned
from enclave.keystore import Keystore
from enclave.node.host import Guest, Reply
from enclave.node.quorum import Quorum
from enclave.verifier import Enroller
from registry.chain.chain import Chain
from registry.signing import Account
from registry.store import Store

T = TypeVar("T")
VERSION = 1
VERIFIERS, THRESHOLD = 3, 2


@dataclass(slots=True)
class World:
    """Who is there, and what the steps so far have left behind for the next ones."""

    chain: Chain
    folder: Path
    attester: str
    end: ExitStack
    store: Store
    owner: Account = field(default_factory=Account.generate)
    licensee: Account = field(default_factory=Account.generate)
    host: Account = field(default_factory=Account.generate)
    broker_account: Account = field(default_factory=Account.generate)
    verifiers: tuple[Account, ...] = field(default_factory=lambda: _ascending(VERIFIERS))
    reader: ReaderKey = field(default_factory=ReaderKey.generate)
    salt: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    passphrase: bytes = field(default_factory=lambda: secrets.token_hex(16).encode(), repr=False)
    enroller: Enroller | None = None
    device: tuple[str, ...] = ()
    seal_id: SealId | None = None
    policy: Policy | None = None
    policy_id: PolicyId | None = None
    model_id: ModelId | None = None
    licence: Address | None = None
    guest: Guest | None = None
    bundle: Bundle | None = None
    quorum: Quorum | None = None
    subject: Subject | None = None
    release: ReleaseId | None = None
    handover: Handover | None = None
    reply: Reply | None = None

    @property
    def keystore(self) -> Keystore:
        """The owner's keys."""
        return Keystore(self.folder / "owner")

    @property
    def sealed(self) -> Path:
        """The sealed model, as the owner wrote it."""
        return self.folder / "owner" / "bearing.sealed"

    def assigned(self) -> dict[PolicyId, Assigned]:
        """The published policy, as verifiers, broker and auditor judge by it."""
        policy, policy_id = need(self.policy), need(self.policy_id)
        return {policy_id: Assigned(policy=policy, controller=self.owner.address, salt=self.salt)}

    def broker(self) -> Broker:
        """The owner's broker, with the keystore entry opened."""
        entry = self.keystore.open(need(self.seal_id), self.passphrase)
        journal = Journal(self.folder / "broker.sqlite")
        self.end.callback(journal.close)
        served = {(need(self.model_id), VERSION): entry}
        return Broker(
            self.chain, self.broker_account, served, self.assigned(), self.store, self.reader, journal
        )

    def parties(self) -> tuple[Account, ...]:
        """Every account that pays for transactions."""
        return self.owner, self.licensee, self.host, self.broker_account


@contextmanager
def world(chain: Chain, folder: Path, attester: str) -> Iterator[World]:
    """Parties with money on a development chain, and an empty store; ends what they started."""
    from registry.chain.dev import fund

    with ExitStack() as end:
        made = World(
            chain=chain,
            folder=folder,
            attester=attester,
            end=end,
            store=Store(str(folder / "store")),
        )
        for account in made.parties():
            fund(chain, account.address)
        yield made


def need(value: T | None) -> T:
    """What an earlier step left behind."""
    if value is None:
        raise LookupError("the steps run in their order")
    return value


def _ascending(count: int) -> tuple[Account, ...]:
    return tuple(sorted((Account.generate() for _ in range(count)), key=lambda account: account.address))
