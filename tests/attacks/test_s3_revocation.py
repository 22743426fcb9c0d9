# SPDX-License-Identifier: Apache-2.0
"""S3, the guest's part: after a stop or the end of its lease no guest answers, whatever its host does."""

import os
import signal
import time

import pytest

from contracts.ids import ZERO_DIGEST
from enclave.errors import Disconnected, GrantRefused, LeaseOver
from enclave.node.host import Guest
from tests.fakes.jobs import ATTESTER, PLACE, Job, question


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    return Job.make(tmp_path_factory.mktemp("job"))


@pytest.fixture
def guest() -> Guest:
    return Guest.start(ATTESTER)


def test_a_host_cannot_bank_leases(guest: Guest, job: Job) -> None:
    """Ten attestations now are not ten leases: each counts from its own moment, and one voids the older."""
    nonces = [guest.attest(PLACE).challenge.lease_nonce for _ in range(8)]
    guest.present(job.sealed)
    grant, signature, envelope = job.grant(guest.keys, nonces[3], duration=2)
    guest.grant(grant, signature, None, envelope)
    for lease, nonce in enumerate(nonces[:4], start=1):
        with pytest.raises(GrantRefused):
            guest.grant(*job.renewal(guest.keys, nonce, lease=lease, duration=2))
    time.sleep(2.1)
    with pytest.raises(LeaseOver):
        guest.grant(*job.renewal(guest.keys, nonces[7], lease=1, duration=2))
    guest.close()


def test_a_suspended_guest_has_lost_the_time(guest: Guest, job: Job) -> None:
    """SIGSTOP does not stop the clock: a guest that wakes after its lease answers nothing."""
    job.serve(guest, duration=2)
    os.kill(guest.process_id, signal.SIGSTOP)
    time.sleep(2.1)
    os.kill(guest.process_id, signal.SIGCONT)
    with pytest.raises(LeaseOver):
        guest.infer(question(1, 2, 3, 4))
    guest.close()


def test_a_host_that_keeps_it_waiting_gains_nothing(guest: Guest, job: Job) -> None:
    """A guest held half-way through a message past its lease ends by itself, and its memory with it."""
    job.serve(guest, duration=1)
    guest._link.sendall(b"\0\0\0\x40half a message")
    guest._process.wait(timeout=10)
    assert not guest.running
    with pytest.raises(Disconnected):
        guest.infer(question(1, 2, 3, 4))
    guest.close()


def test_after_a_notice_nothing_brings_it_back(guest: Guest, job: Job) -> None:
    job.serve(guest)
    nonce = guest.attest(PLACE).challenge.lease_nonce
    stopped, _ = guest.notice()
    with pytest.raises(LeaseOver):
        guest.grant(*job.renewal(guest.keys, nonce))
    with pytest.raises(LeaseOver):
        guest.infer(question(1, 2, 3, 4))
    assert stopped.root == ZERO_DIGEST
    assert guest.running
    guest.close()
