# SPDX-License-Identifier: Apache-2.0
"""Grants and leases against a real guest: what it takes, what it refuses, and when it stops (S3, S6)."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from contracts.ids import Address, Digest, NodeId, SealId
from enclave.errors import (
    CeilingReached,
    GrantFlaw,
    GrantRefused,
    LeaseOver,
)
from enclave.guest.keys import recover
from enclave.node.host import Guest
from enclave.statements import BrokerKey, Grant, Receipt
from registry.signing import Account
from tests.fakes.jobs import PLACE, Job, question


def nonce_of(guest: Guest) -> Digest:
    return guest.attest(PLACE).challenge.lease_nonce


Change = Callable[[Grant], Grant]


@pytest.mark.parametrize(
    ("change", "flaw"),
    [
        (lambda g: replace(g, node_id=NodeId(b"x" * 32)), GrantFlaw.NODE),
        (lambda g: replace(g, seal_id=SealId(b"x" * 32)), GrantFlaw.SEAL),
        (lambda g: replace(g, lease_nonce=Digest(b"x" * 32)), GrantFlaw.NONCE),
        (lambda g: replace(g, envelope=Digest(b"x" * 32)), GrantFlaw.ENVELOPE),
        (lambda g: replace(g, licence=Address(b"x" * 20)), GrantFlaw.ENVELOPE),
    ],
    ids=["foreign node", "wrong seal", "unknown nonce", "other envelope", "envelope of another licence"],
)
def test_a_wrong_first_grant_is_refused(waiting: Guest, job: Job, change: Change, flaw: GrantFlaw) -> None:
    waiting.present(job.sealed)
    grant, _, envelope = job.grant(waiting.keys, nonce_of(waiting))
    wrong = change(grant)
    with pytest.raises(GrantRefused) as refused:
        waiting.grant(wrong, job.owner.sign_typed(wrong.digest()), None, envelope)
    assert refused.value.flaws == {flaw}


def test_a_grant_by_anyone_else_is_forged(guest: Guest, job: Job) -> None:
    guest.present(job.sealed)
    grant, _, envelope = job.grant(guest.keys, nonce_of(guest))
    stranger = Account.generate()
    word = BrokerKey(seal_id=grant.seal_id, licence=grant.licence, broker=stranger.address)
    self_made = word, stranger.sign_typed(word.digest(grant.domain))
    for certificate in (None, self_made):
        with pytest.raises(GrantRefused) as refused:
            guest.grant(grant, stranger.sign_typed(grant.digest()), certificate, envelope)
        assert refused.value.flaws == {GrantFlaw.FORGED}
    certified = word, job.owner.sign_typed(word.digest(grant.domain))
    guest.grant(grant, stranger.sign_typed(grant.digest()), certified, envelope)
    guest.open(job.sealed)
    assert guest.infer(question(0, 0, 0, 0)).receipt


def test_an_owner_cannot_swap_the_model_under_a_grant(waiting: Guest, job: Job, tmp_path: Path) -> None:
    other = Job.make(tmp_path)
    waiting.present(other.sealed)
    grant, signature, envelope = job.grant(waiting.keys, nonce_of(waiting))
    with pytest.raises(GrantRefused) as refused:
        waiting.grant(grant, signature, None, envelope)
    assert refused.value.flaws == {GrantFlaw.SEAL, GrantFlaw.FORGED}


def test_one_guest_takes_one_first_grant_and_then_renewals(guest: Guest, job: Job) -> None:
    """A first grant needs its envelope, a renewal has none; neither counts twice, nor under a second licence."""
    guest.present(job.sealed)
    grant, signature, envelope = job.grant(guest.keys, nonce_of(guest))
    with pytest.raises(GrantRefused):
        guest.grant(grant, signature, None, None)
    guest.grant(grant, signature, None, envelope)
    with pytest.raises(GrantRefused) as replayed:
        guest.grant(grant, signature, None, envelope)
    assert {GrantFlaw.NONCE, GrantFlaw.LEASE} <= replayed.value.flaws
    with pytest.raises(GrantRefused) as second:
        guest.grant(*job.renewal(guest.keys, nonce_of(guest), licence=Address(b"x" * 20)))
    assert second.value.flaws == {GrantFlaw.JOB}
    renewal, signature = job.renewal(guest.keys, nonce_of(guest))
    with pytest.raises(GrantRefused):
        guest.grant(renewal, signature, None, envelope)
    assert guest.grant(renewal, signature) <= 600


def test_a_banked_grant_is_over_when_it_arrives(waiting: Guest, job: Job) -> None:
    nonce = nonce_of(waiting)
    waiting.present(job.sealed)
    grant, signature, envelope = job.grant(waiting.keys, nonce, duration=1)
    time.sleep(1.1)
    with pytest.raises(GrantRefused) as refused:
        waiting.grant(grant, signature, None, envelope)
    assert refused.value.flaws == {GrantFlaw.LATE}


def test_a_lease_ends_by_the_guests_own_clock(guest: Guest, job: Job) -> None:
    job.serve(guest, duration=1)
    guest.infer(question(1, 2, 3, 4))
    time.sleep(1.1)
    with pytest.raises(LeaseOver):
        guest.infer(question(1, 2, 3, 4))
    with pytest.raises(LeaseOver):
        guest.attest(PLACE)
    stopped, _ = guest.notice()
    usage, _ = guest.usage(0)
    assert (stopped.last_counter, usage.last_counter, usage.last) == (1, 1, True)
    assert stopped.root == usage.root


def test_a_renewal_lets_the_guest_go_on(guest: Guest, job: Job) -> None:
    job.serve(guest, duration=2)
    guest.grant(*job.renewal(guest.keys, nonce_of(guest), duration=600))
    time.sleep(2.1)
    assert Receipt.read_signed(guest.infer(question(1, 2, 3, 4)).receipt)[0].lease == 1


def test_a_notice_stops_at_once_and_repeats_its_last_word(guest: Guest, job: Job) -> None:
    grant = job.serve(guest)
    guest.infer(question(1, 2, 3, 4))
    stopped, signature = guest.notice()
    assert recover(stopped.digest(grant.domain), signature) == guest.keys.chain
    assert guest.notice() == (stopped, signature)
    for refused in (
        lambda: guest.infer(question(1, 2, 3, 4)),
        lambda: guest.attest(PLACE),
        lambda: guest.grant(*job.renewal(guest.keys, grant.lease_nonce)),
        lambda: guest.open(job.sealed),
    ):
        with pytest.raises(LeaseOver):
            refused()


def test_the_ceiling_holds_and_a_renewal_raises_it(guest: Guest, job: Job) -> None:
    job.serve(guest, ceiling=1)
    guest.infer(question(1, 2, 3, 4))
    with pytest.raises(CeilingReached):
        guest.infer(question(1, 2, 3, 4))
    guest.grant(*job.renewal(guest.keys, nonce_of(guest), ceiling=2))
    assert Receipt.read_signed(guest.infer(question(1, 2, 3, 4)).receipt)[0].counter == 2
