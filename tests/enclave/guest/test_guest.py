# SPDX-License-Identifier: Apache-2.0
"""A real guest process: what it takes, what it refuses, and that refusing changes nothing (S3, S6, S8)."""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from contracts.ids import Address, Digest, NodeId, SealId
from enclave.errors import (
    CeilingReached,
    ChunkNotAuthentic,
    Disconnected,
    GrantFlaw,
    GrantRefused,
    GuestFault,
    LeaseOver,
    MalformedInput,
    MalformedMessage,
    OutOfTurn,
    UnknownMessage,
    WrongKey,
)
from enclave.evidence.binding import Lockdown
from enclave.guest.keys import recover
from enclave.node.host import Guest
from enclave.sealed.files import SealedFile
from enclave.statements import BrokerKey, Grant, Receipt, message_digest
from enclave.wire import Tensor, encode_tensors
from registry.signing import Account
from tests.fakes.jobs import ATTESTER, PLACE, Job, numbers, question


def nonce_of(guest: Guest) -> Digest:
    return guest.attest(PLACE).challenge.lease_nonce


def test_evidence_is_bound_to_this_guest_and_block(waiting: Guest) -> None:
    bundle, again = waiting.attest(PLACE), waiting.attest(PLACE)
    assert bundle.keys == waiting.keys
    assert bundle.challenge.node_id == waiting.node_id
    assert (bundle.challenge.block_number, bundle.challenge.block_hash) == (7, Digest(b"b" * 32))
    assert bundle.challenge.lease_nonce != again.challenge.lease_nonce
    assert [device.kind for device in bundle.devices] == ["software"]


def test_claims_say_what_the_kernel_gave(waiting: Guest) -> None:
    reached = Lockdown(waiting.attest(PLACE).claims.lockdown)
    assert reached >= Lockdown.NOT_DUMPABLE | Lockdown.NO_NEW_PRIVILEGES | Lockdown.NO_CORE


def test_every_guest_is_another_node(guest: Guest) -> None:
    other = Guest.start(ATTESTER)
    other.close()
    assert len({guest.node_id, other.node_id}) == 2
    assert len({guest.keys.hpke, other.keys.hpke}) == len({guest.keys.chain, other.keys.chain}) == 2


def test_a_granted_guest_answers_with_receipts(guest: Guest, job: Job) -> None:
    grant = job.serve(guest)
    request = question(1, 2, 3, 4)
    replies = [guest.infer(request) for _ in range(2)]
    assert numbers(replies[0].response) == [1.625, 2.625, 3.625, 4.625]
    receipts = [Receipt.read_signed(reply.receipt)[0] for reply in replies]
    assert [receipt.counter for receipt in receipts] == [1, 2]
    assert receipts[0].seal_id == job.sealed.seal_id
    assert (receipts[0].node_id, receipts[0].release) == (guest.node_id, grant.release)
    assert receipts[0].request == message_digest(replies[0].request_salt, request)
    assert receipts[0].response == message_digest(replies[0].response_salt, replies[0].response)


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


def test_a_first_grant_needs_its_envelope_and_a_renewal_has_none(guest: Guest, job: Job) -> None:
    guest.present(job.sealed)
    grant, signature, envelope = job.grant(guest.keys, nonce_of(guest))
    with pytest.raises(GrantRefused):
        guest.grant(grant, signature, None, None)
    guest.grant(grant, signature, None, envelope)
    renewal, signature = job.renewal(guest.keys, nonce_of(guest))
    with pytest.raises(GrantRefused):
        guest.grant(renewal, signature, None, envelope)
    assert guest.grant(renewal, signature) <= 600


def test_a_replayed_grant_and_a_second_licence_are_refused(guest: Guest, job: Job) -> None:
    nonce = nonce_of(guest)
    guest.present(job.sealed)
    grant, signature, envelope = job.grant(guest.keys, nonce)
    guest.grant(grant, signature, None, envelope)
    with pytest.raises(GrantRefused) as replayed:
        guest.grant(grant, signature, None, envelope)
    assert {GrantFlaw.NONCE, GrantFlaw.LEASE} <= replayed.value.flaws
    with pytest.raises(GrantRefused) as second:
        guest.grant(*job.renewal(guest.keys, nonce_of(guest), licence=Address(b"x" * 20)))
    assert second.value.flaws == {GrantFlaw.JOB}


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


def test_requests_out_of_turn_are_refused(guest: Guest, job: Job) -> None:
    for early in (guest.notice, lambda: guest.usage(0)):
        with pytest.raises(OutOfTurn):
            early()
    with pytest.raises(LeaseOver):
        guest.open(job.sealed)
    with pytest.raises(LeaseOver):
        guest.infer(question(1, 2, 3, 4))
    with pytest.raises(OutOfTurn):
        guest.grant(*job.renewal(guest.keys, Digest(bytes(32))))
    job.give(guest)
    with pytest.raises(OutOfTurn):
        guest.infer(question(1, 2, 3, 4))
    with pytest.raises(OutOfTurn):
        guest.present(job.sealed)
    guest.open(job.sealed)
    with pytest.raises(OutOfTurn):
        guest.open(job.sealed)
    with pytest.raises(OutOfTurn):
        guest.usage(1)


@pytest.fixture
def damaged(job: Job, tmp_path: Path) -> SealedFile:
    raw = bytearray(job.sealed.path.read_bytes())
    raw[job.sealed.body_offset] ^= 1
    path = tmp_path / "damaged.sealed"
    path.write_bytes(raw)
    return replace(job.sealed, path=path)


def test_a_damaged_model_does_not_open_and_a_whole_one_still_does(
    guest: Guest, job: Job, damaged: SealedFile
) -> None:
    job.give(guest)
    with pytest.raises(ChunkNotAuthentic):
        guest.open(damaged)
    with pytest.raises(MalformedMessage):
        guest.open(replace(damaged, body_offset=damaged.body_offset + 40))
    guest.open(job.sealed)
    assert guest.infer(question(1, 2, 3, 4)).receipt


def test_another_models_key_does_not_open(guest: Guest, job: Job) -> None:
    replace(job, data_key=os.urandom(32)).give(guest)
    with pytest.raises(WrongKey):
        guest.open(job.sealed)


@pytest.mark.parametrize(
    "request_",
    [
        b"",
        b"\0",
        encode_tensors([]),
        encode_tensors([Tensor(name="x", dtype="float32", shape=(3,), data=bytes(12))]),
        encode_tensors([Tensor(name="z", dtype="float32", shape=(4,), data=bytes(16))]),
        encode_tensors([Tensor(name="x", dtype="int32", shape=(4,), data=bytes(16))]),
    ],
    ids=["empty", "not an array", "no inputs", "another shape", "another name", "another type"],
)
def test_an_input_the_model_does_not_take_costs_no_receipt(serving: Guest, request_: bytes) -> None:
    before = Receipt.read_signed(serving.infer(question(1, 2, 3, 4)).receipt)[0].counter
    with pytest.raises(MalformedInput):
        serving.infer(request_)
    after = Receipt.read_signed(serving.infer(question(1, 2, 3, 4)).receipt)[0].counter
    assert after == before + 1


def test_a_killed_guest_is_gone_for_good(guest: Guest, job: Job) -> None:
    job.serve(guest)
    os.kill(guest.process_id, signal.SIGKILL)
    with pytest.raises(Disconnected):
        guest.infer(question(1, 2, 3, 4))
    guest._process.wait(timeout=5)
    assert not guest.running


def test_a_guest_ends_when_its_host_does(guest: Guest) -> None:
    guest._link.close()
    guest._process.wait(timeout=5)
    assert not guest.running


def test_a_guest_without_its_device_says_so_when_asked() -> None:
    guest = Guest.start(("nothing",))
    with pytest.raises(UnknownMessage):
        guest.attest(PLACE)
    guest.close()


def test_a_guest_that_does_not_start_is_reported() -> None:
    with pytest.raises(GuestFault):
        Guest.start(())


def test_an_unknown_request_is_refused(waiting: Guest) -> None:
    with pytest.raises(UnknownMessage):
        waiting._channel.request("key")
    with pytest.raises(UnknownMessage):
        waiting._channel.request("grant", [b"", b""])
