# SPDX-License-Identifier: Apache-2.0
"""A real guest process: what it answers, what it refuses, and that refusing changes nothing (S8)."""

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from contracts.ids import Digest
from enclave.errors import (
    ChunkNotAuthentic,
    Disconnected,
    GuestFault,
    LeaseOver,
    MalformedInput,
    MalformedMessage,
    OutOfTurn,
    UnknownMessage,
    WrongKey,
)
from enclave.evidence.binding import Lockdown
from enclave.node.host import Guest
from enclave.sealed.files import SealedFile
from enclave.statements import Receipt, message_digest
from enclave.wire import Tensor, encode_tensors
from tests.fakes.jobs import PLACE, Job, numbers, question


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


def test_every_guest_is_another_node(waiting: Guest, serving: Guest) -> None:
    assert waiting.node_id != serving.node_id
    assert waiting.keys.hpke != serving.keys.hpke
    assert waiting.keys.receipt != serving.keys.receipt
    assert waiting.keys.chain != serving.keys.chain


def test_a_granted_guest_answers_with_receipts(serving: Guest, job: Job) -> None:
    request = question(1, 2, 3, 4)
    replies = [serving.infer(request) for _ in range(2)]
    assert numbers(replies[0].response) == [1.625, 2.625, 3.625, 4.625]
    receipts = [Receipt.read_signed(reply.receipt)[0] for reply in replies]
    assert receipts[1].counter == receipts[0].counter + 1
    assert (receipts[0].seal_id, receipts[0].node_id) == (job.sealed.seal_id, serving.node_id)
    assert receipts[0].request == message_digest(replies[0].request_salt, request)
    assert receipts[0].response == message_digest(replies[0].response_salt, replies[0].response)


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


def test_another_models_key_does_not_open_and_an_orphan_ends(guest: Guest, job: Job) -> None:
    replace(job, data_key=os.urandom(32)).give(guest)
    with pytest.raises(WrongKey):
        guest.open(job.sealed)
    guest._link.close()
    guest._process.wait(timeout=5)
    assert not guest.running


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
