# SPDX-License-Identifier: Apache-2.0
"""Every way a grant can be wrong, each alone, on a clock of our own (S3, S6)."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from contracts.ids import ZERO_ADDRESS, ZERO_DIGEST, Address, Digest, ModelId, NodeId, ReleaseId, SealId
from enclave.errors import GrantFlaw, GrantRefused, LeaseOver
from enclave.guest.keys import recover
from enclave.guest.lease import OUTSTANDING, Lease, Leave
from enclave.statements import BrokerKey, Grant
from registry.signing import Account

OWNER, BROKER, STRANGER = (Account.from_key(bytes(31) + bytes([n])) for n in (1, 2, 3))
NODE, SEAL = NodeId(b"n" * 32), SealId(b"s" * 32)
LICENCE = Address(b"l" * 20)
SECOND = 1_000_000_000


@dataclass
class Clock:
    now: int = 1_000 * SECOND

    def __call__(self) -> int:
        return self.now


@dataclass
class Draw:
    drawn: int = field(default=0)

    def __call__(self, size: int) -> bytes:
        self.drawn += 1
        return self.drawn.to_bytes(size, "big")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def lease(clock: Clock) -> Lease:
    return Lease(NODE, clock, Draw())


def a_grant(nonce: Digest) -> Grant:
    return Grant(
        chain_id=1,
        release_log=Address(b"r" * 20),
        release=ReleaseId(b"R" * 32),
        lease=0,
        model_id=ModelId(b"m" * 32),
        version=1,
        seal_id=SEAL,
        node_id=NODE,
        lease_nonce=nonce,
        licence=LICENCE,
        duration=100,
        ceiling=50,
        envelope=Digest(b"e" * 32),
    )


def changed(grant: Grant, change: dict[str, object]) -> Grant:
    return replace(grant, **change)  # type: ignore[arg-type]  # one field of its own type at a time


def signed(grant: Grant, signer: Account = OWNER) -> Leave:
    return Leave(grant=grant, signature=signer.sign_typed(grant.digest()), certificate=None, certified=b"")


def certified(grant: Grant, broker_key: BrokerKey, signer: Account = OWNER) -> Leave:
    return Leave(
        grant=grant,
        signature=BROKER.sign_typed(grant.digest()),
        certificate=broker_key,
        certified=signer.sign_typed(broker_key.digest(grant.domain)),
    )


def check(lease: Lease, leave: Leave, used: int = 0) -> None:
    lease.check(leave, SEAL, OWNER.address, used)


def flaws(lease: Lease, leave: Leave, used: int = 0) -> frozenset[GrantFlaw]:
    with pytest.raises(GrantRefused) as refused:
        check(lease, leave, used)
    return refused.value.flaws


def test_a_grant_is_accepted_and_counts_from_the_attestation(lease: Lease, clock: Clock) -> None:
    grant = a_grant(lease.challenge())
    clock.now += 30 * SECOND
    check(lease, signed(grant))
    lease.accept(grant)
    assert lease.left() == 70
    clock.now += 70 * SECOND - 1
    assert lease.require() == grant
    clock.now += 1
    with pytest.raises(LeaseOver):
        lease.require()


def test_without_a_grant_there_is_no_lease(lease: Lease) -> None:
    lease.challenge()
    with pytest.raises(LeaseOver):
        lease.require()


@pytest.mark.parametrize(
    ("change", "flaw"),
    [
        ({"node_id": NodeId(b"x" * 32)}, GrantFlaw.NODE),
        ({"seal_id": SealId(b"x" * 32)}, GrantFlaw.SEAL),
        ({"lease_nonce": Digest(b"x" * 32)}, GrantFlaw.NONCE),
        ({"envelope": ZERO_DIGEST}, GrantFlaw.ENVELOPE),
        ({"duration": 0}, GrantFlaw.LATE),
    ],
)
def test_a_first_grant_with_one_wrong_field_is_refused(
    lease: Lease, change: dict[str, object], flaw: GrantFlaw
) -> None:
    grant = changed(a_grant(lease.challenge()), change)
    assert flaws(lease, signed(grant)) == {flaw}
    assert lease.held is None


def test_a_banked_grant_is_refused_though_it_arrives_just_now(lease: Lease, clock: Clock) -> None:
    grant = a_grant(lease.challenge())
    clock.now += 100 * SECOND
    assert flaws(lease, signed(grant)) == {GrantFlaw.LATE}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda leave: replace(leave, signature=STRANGER.sign_typed(leave.grant.digest())),
        lambda leave: replace(leave, signature=bytes(65)),
        lambda leave: replace(leave, signature=leave.signature[:64]),
        lambda leave: replace(leave, signature=b""),
        lambda leave: replace(leave, grant=replace(leave.grant, ceiling=51)),
        lambda leave: replace(leave, grant=replace(leave.grant, chain_id=2)),
        lambda leave: replace(leave, grant=replace(leave.grant, release_log=Address(b"x" * 20))),
        lambda leave: replace(leave, grant=replace(leave.grant, duration=200)),
    ],
)
def test_a_forged_grant_is_refused(lease: Lease, spoil: Callable[[Leave], Leave]) -> None:
    assert GrantFlaw.FORGED in flaws(lease, spoil(signed(a_grant(lease.challenge()))))


@pytest.mark.parametrize("licence", [LICENCE, ZERO_ADDRESS])
def test_a_certified_broker_may_grant(lease: Lease, licence: Address) -> None:
    key = BrokerKey(seal_id=SEAL, licence=licence, broker=BROKER.address)
    check(lease, certified(a_grant(lease.challenge()), key))


@pytest.mark.parametrize(
    ("broker_key", "signer"),
    [
        (BrokerKey(seal_id=SealId(b"x" * 32), licence=LICENCE, broker=BROKER.address), OWNER),
        (BrokerKey(seal_id=SEAL, licence=Address(b"x" * 20), broker=BROKER.address), OWNER),
        (BrokerKey(seal_id=SEAL, licence=LICENCE, broker=STRANGER.address), OWNER),
        (BrokerKey(seal_id=SEAL, licence=LICENCE, broker=BROKER.address), BROKER),
    ],
    ids=["other model", "other licence", "other broker", "self-certified"],
)
def test_a_broker_without_the_right_certificate_is_refused(
    lease: Lease, broker_key: BrokerKey, signer: Account
) -> None:
    leave = certified(a_grant(lease.challenge()), broker_key, signer)
    assert flaws(lease, leave) == {GrantFlaw.FORGED}


def test_accepting_a_grant_voids_its_nonce_and_every_older_one(lease: Lease) -> None:
    older, used, newer = lease.challenge(), lease.challenge(), lease.challenge()
    first = a_grant(used)
    check(lease, signed(first))
    lease.accept(first)
    renewal = replace(first, lease=1, envelope=ZERO_DIGEST)
    assert flaws(lease, signed(renewal)) == {GrantFlaw.NONCE}
    assert flaws(lease, signed(replace(renewal, lease_nonce=older))) == {GrantFlaw.NONCE}
    check(lease, signed(replace(renewal, lease_nonce=newer)))


def test_the_ninth_nonce_voids_the_oldest(lease: Lease) -> None:
    nonces = [lease.challenge() for _ in range(OUTSTANDING + 1)]
    assert flaws(lease, signed(a_grant(nonces[0]))) == {GrantFlaw.NONCE}
    for nonce in nonces[1:]:
        check(lease, signed(a_grant(nonce)))


@pytest.mark.parametrize(
    ("change", "flaw"),
    [
        ({"release": ReleaseId(b"x" * 32)}, GrantFlaw.JOB),
        ({"licence": Address(b"x" * 20)}, GrantFlaw.JOB),
        ({"model_id": ModelId(b"x" * 32)}, GrantFlaw.JOB),
        ({"version": 2}, GrantFlaw.JOB),
        ({"chain_id": 2}, GrantFlaw.JOB),
        ({"release_log": Address(b"x" * 20)}, GrantFlaw.JOB),
        ({"lease": 3}, GrantFlaw.LEASE),
        ({"envelope": Digest(b"e" * 32)}, GrantFlaw.ENVELOPE),
        ({"ceiling": 19}, GrantFlaw.CEILING),
    ],
)
def test_a_renewal_with_one_wrong_field_is_refused(
    lease: Lease, change: dict[str, object], flaw: GrantFlaw
) -> None:
    first = replace(a_grant(lease.challenge()), lease=3)
    lease.accept(first)
    renewal = replace(first, lease=4, envelope=ZERO_DIGEST, lease_nonce=lease.challenge())
    check(lease, signed(renewal), used=20)
    assert flaws(lease, signed(changed(renewal, change)), used=20) == {flaw}
    assert lease.held == first


def test_a_renewal_runs_from_its_own_attestation(lease: Lease, clock: Clock) -> None:
    first = a_grant(lease.challenge())
    lease.accept(first)
    clock.now += 60 * SECOND
    renewal = replace(first, lease=1, envelope=ZERO_DIGEST, lease_nonce=lease.challenge())
    clock.now += 20 * SECOND
    lease.accept(renewal)
    assert lease.left() == 80


def test_all_flaws_are_named_at_once(lease: Lease) -> None:
    grant = replace(a_grant(Digest(b"x" * 32)), node_id=NodeId(b"x" * 32))
    assert flaws(lease, signed(grant, STRANGER)) == {GrantFlaw.FORGED, GrantFlaw.NODE, GrantFlaw.NONCE}


def test_a_signature_with_a_high_s_is_nobodys() -> None:
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    low = OWNER.sign_typed(ZERO_DIGEST)
    high = low[:32] + (order - int.from_bytes(low[32:64], "big")).to_bytes(32, "big") + bytes([55 - low[64]])
    assert recover(ZERO_DIGEST, low) == OWNER.address
    assert recover(ZERO_DIGEST, high) is None
