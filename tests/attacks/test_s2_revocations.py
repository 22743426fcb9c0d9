# SPDX-License-Identifier: Apache-2.0
"""S2: everything that can be taken back, taken back before a release is recorded, and between recorded and final."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from contracts.ids import Digest, Half, ReleaseId
from contracts.records import Reason, Subject
from enclave.broker.journal import Journal, Stage
from registry.attestations import Attestations
from registry.chain.reverts import Refused
from registry.licences import Licences
from registry.models import Models
from registry.policies import Policies
from tests.fakes.desk import DOMAIN, LEASE, QUOTA, Desk
from tests.fakes.lagging import lagging

LAG = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """One guest whose key is asked for, and another whose release is mined and not yet final."""

    desk: Desk
    asked: Subject
    mined: ReleaseId
    subject: Subject
    journal: Path


@pytest.fixture(scope="module")
def begun(opened: Desk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Waiting]:
    before, path = opened.chain.snapshot(), tmp_path_factory.mktemp("journal") / "journal.sqlite"
    chain, _ = lagging(opened.chain, lag=LAG)
    _, subject, release = opened.asked()
    journal = Journal(path)
    broker = opened.broker_on(journal, chain)
    while [job.stage for job in broker.status()] != [Stage.MINED]:
        assert broker.step()
    journal.close()
    _, asked, _ = opened.asked()
    yield Waiting(desk=opened, asked=asked, mined=release, subject=subject, journal=path)
    opened.chain.revert(before)


@pytest.fixture
def waiting(begun: Waiting) -> Iterator[Waiting]:
    before = begun.desk.chain.snapshot()
    yield begun
    begun.desk.chain.revert(before)


def withdraw_version(desk: Desk, subject: Subject) -> None:
    Models(desk.chain).withdraw_version(desk.owner, subject.model_id, 1)


def retire_model(desk: Desk, subject: Subject) -> None:
    Models(desk.chain).retire(desk.owner, subject.model_id)


def withdraw_policy(desk: Desk, subject: Subject) -> None:
    Policies(desk.chain).withdraw(desk.owner, subject.policy_id)


def revoke_licence(desk: Desk, subject: Subject) -> None:
    Licences(desk.chain).revoke(desk.owner, subject.licence)


def suspend_licence(desk: Desk, subject: Subject) -> None:
    Licences(desk.chain).suspend(desk.owner, subject.licence)


def revoke_node(desk: Desk, subject: Subject) -> None:
    desk.releases.revoke_node(desk.licensee, subject.licence, subject.node_id)


def withdraw_node(desk: Desk, subject: Subject) -> None:
    Attestations(desk.chain).withdraw(desk.owner, subject.policy_id, subject.node_id)


def withdraw_verifier(desk: Desk, subject: Subject) -> None:
    Policies(desk.chain).withdraw_verifier(desk.owner, subject.policy_id, desk.verifiers[0].address)


def recall_workload(desk: Desk, subject: Subject) -> None:
    Policies(desk.chain).recall(desk.owner, DOMAIN, verdict_halves(desk, subject)[0])


def burn_platform(desk: Desk, subject: Subject) -> None:
    Policies(desk.chain).burn(desk.owner, DOMAIN, verdict_halves(desk, subject)[1])


def verdict_halves(desk: Desk, subject: Subject) -> tuple[Half, Half]:
    record = Attestations(desk.chain).record_of(subject.policy_id, subject.node_id)
    assert record is not None
    return record.workload, record.platform


REVOCATIONS: dict[Reason, Callable[[Desk, Subject], None]] = {
    Reason.MODEL: retire_model,
    Reason.VERSION: withdraw_version,
    Reason.POLICY: withdraw_policy,
    Reason.LICENCE: revoke_licence,
    Reason.NODE: revoke_node,
    Reason.WITHDRAWN: withdraw_node,
    Reason.VERIFIERS: withdraw_verifier,
    Reason.WORKLOAD: recall_workload,
    Reason.PLATFORM: burn_platform,
}
EACH = pytest.mark.parametrize(
    ("reason", "revoke"),
    [*REVOCATIONS.items(), (Reason.LICENCE, suspend_licence)],
    ids=[reason.name for reason in REVOCATIONS] + ["SUSPENDED"],
)


@EACH
def test_the_contract_records_no_release_of_what_is_not_in_force(
    waiting: Waiting, reason: Reason, revoke: Callable[[Desk, Subject], None]
) -> None:
    """Even for a broker that does not look: its account may release, and the contract does not."""
    revoke(waiting.desk, waiting.asked)
    with pytest.raises(Refused) as refused:
        waiting.desk.releases.release(waiting.desk.clerk, waiting.asked, 1, LEASE, QUOTA, Digest(b"e" * 32))
    assert refused.value.reason is reason


@EACH
def test_what_is_revoked_between_mined_and_final_is_not_handed_over(
    waiting: Waiting, reason: Reason, revoke: Callable[[Desk, Subject], None], tmp_path: Path
) -> None:
    shutil.copy(waiting.journal, tmp_path / "journal.sqlite")
    chain, _ = lagging(waiting.desk.chain, lag=LAG)
    broker = waiting.desk.broker_on(Journal(tmp_path / "journal.sqlite"), chain)
    revoke(waiting.desk, waiting.subject)
    waiting.desk.chain.mine(LAG + 1)
    broker.step()
    (job,) = [job for job in broker.status() if job.release == waiting.mined]
    assert (job.stage, job.reasons) == (Stage.REFUSED, f"PERMITS_{reason.name}")
    assert (broker.handover(waiting.mined, 0), job.envelope) == (None, b"")


def test_what_is_in_force_is_handed_over(waiting: Waiting, tmp_path: Path) -> None:
    """The same without a revocation: what the others show is owed to it alone."""
    shutil.copy(waiting.journal, tmp_path / "journal.sqlite")
    chain, _ = lagging(waiting.desk.chain, lag=LAG)
    broker = waiting.desk.broker_on(Journal(tmp_path / "journal.sqlite"), chain)
    waiting.desk.chain.mine(LAG + 1)
    broker.step()
    assert broker.handover(waiting.mined, 0) is not None
