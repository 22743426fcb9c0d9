# SPDX-License-Identifier: Apache-2.0
"""S6, the guest's part: no grant counts on another node, model, licence, chain or lease, whoever relays it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.ids import Address, ModelId, ReleaseId
from enclave.errors import GrantFlaw, GrantRefused
from enclave.node.host import Guest
from tests.fakes.jobs import ATTESTER, PLACE, Job


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Job, Job]:
    return Job.make(tmp_path_factory.mktemp("one")), Job.make(tmp_path_factory.mktemp("other"))


@pytest.fixture(scope="module")
def guests(jobs: tuple[Job, Job]) -> Iterator[tuple[Guest, Guest]]:
    """Two guests that hold a grant for the first job."""
    both = Guest.start(ATTESTER), Guest.start(ATTESTER)
    for guest in both:
        jobs[0].give(guest)
    yield both
    for guest in both:
        guest.close()


def refused(guest: Guest, job: Job, target: Guest | None = None, **changes: object) -> frozenset[GrantFlaw]:
    """The flaws of a renewal that answers to this very guest's own fresh attestation."""
    nonce = guest.attest(PLACE).challenge.lease_nonce
    with pytest.raises(GrantRefused) as failed:
        guest.grant(*job.renewal((target or guest).keys, nonce, **changes))
    return failed.value.flaws


def test_a_grant_for_one_node_is_nothing_to_another(
    guests: tuple[Guest, Guest], jobs: tuple[Job, Job]
) -> None:
    first, second = guests
    nonce = second.attest(PLACE).challenge.lease_nonce
    with pytest.raises(GrantRefused) as failed:
        first.grant(*jobs[0].renewal(second.keys, nonce))
    assert failed.value.flaws == {GrantFlaw.NODE, GrantFlaw.NONCE}
    assert refused(first, jobs[0], second) == {GrantFlaw.NODE}


def test_a_grant_for_another_model_is_nothing_to_this_one(
    guests: tuple[Guest, Guest], jobs: tuple[Job, Job]
) -> None:
    assert refused(guests[0], jobs[1]) == {GrantFlaw.FORGED, GrantFlaw.SEAL, GrantFlaw.JOB}


@pytest.mark.parametrize(
    "change",
    [
        {"licence": Address(b"x" * 20)},
        {"version": 2},
        {"model_id": ModelId(b"x" * 32)},
        {"release": ReleaseId(b"x" * 32)},
        {"chain_id": 2},
        {"release_log": Address(b"x" * 20)},
    ],
    ids=["licence", "version", "model", "release", "chain", "log"],
)
def test_a_guest_keeps_its_one_job(
    guests: tuple[Guest, Guest], jobs: tuple[Job, Job], change: dict[str, object]
) -> None:
    assert refused(guests[0], jobs[0], None, **change) == {GrantFlaw.JOB}


def test_an_envelope_opens_for_no_other_guest_or_grant(jobs: tuple[Job, Job], tmp_path: Path) -> None:
    """The envelope of one guest, in a grant made for another: the signature is right, the key does not come."""
    victim, thief = Guest.start(ATTESTER), Guest.start(ATTESTER)
    job = jobs[0]
    for guest in (victim, thief):
        guest.present(job.sealed)
    grant, _, envelope = job.grant(victim.keys, victim.attest(PLACE).challenge.lease_nonce)
    stolen, signature, _ = job.grant(thief.keys, thief.attest(PLACE).challenge.lease_nonce)
    with pytest.raises(GrantRefused) as failed:
        thief.grant(stolen, signature, None, envelope)
    assert failed.value.flaws == {GrantFlaw.ENVELOPE}
    rebound = type(stolen).decode(stolen.encode())
    assert rebound.envelope != grant.envelope
    victim.close()
    thief.close()
