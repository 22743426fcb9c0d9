# SPDX-License-Identifier: Apache-2.0
"""S2: nothing is released, and nothing handed over, unless everything is in force where the chain is final."""

from collections.abc import Callable, Iterator

import pytest

from contracts.ids import Digest, Half
from contracts.records import Reason, Subject
from enclave.broker.journal import Journal, Stage
from enclave.broker.service import Broker
from registry.attestations import Attestations
from registry.chain.anvil import anvil
from registry.chain.reverts import Refused
from registry.errors import Reverted
from registry.licences import Licences
from registry.models import Models
from registry.policies import Policies
from tests.fakes.desk import DOMAIN, LEASE, QUOTA, Desk, granted
from tests.fakes.lagging import lagging

LAG = 4


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


def mined(broker: Broker) -> None:
    """Step until the release is mined and nothing is final."""
    while [job.stage for job in broker.status()] != [Stage.MINED]:
        assert broker.step()


@EACH
def test_the_contract_records_no_release_of_what_is_not_in_force(
    desk: Desk, reason: Reason, revoke: Callable[[Desk, Subject], None]
) -> None:
    """Even a broker that does not look: the account may release, the contract does not."""
    _, subject, _ = desk.asked()
    revoke(desk, subject)
    with pytest.raises(Refused) as refused:
        desk.releases.release(desk.clerk, subject, 0, LEASE, QUOTA, Digest(b"e" * 32))
    assert refused.value.reason is reason


@EACH
def test_what_is_revoked_between_mined_and_final_is_not_handed_over(
    desk: Desk, reason: Reason, revoke: Callable[[Desk, Subject], None]
) -> None:
    chain, _ = lagging(desk.chain, lag=LAG)
    broker, (_, subject, release) = desk.broker_on(Journal(":memory:"), chain), desk.asked()
    mined(broker)
    revoke(desk, subject)
    desk.chain.mine(LAG + 1)
    desk.settle(broker)
    (job,) = broker.status()
    assert (job.stage, job.reasons) == (Stage.REFUSED, f"PERMITS_{reason.name}")
    assert (broker.handover(release, 0), job.envelope) == (None, b"")


def test_what_the_newest_block_revokes_is_not_handed_over_either(desk: Desk) -> None:
    """The release is final, the revocation is not yet: what was said since counts as well."""
    chain, _ = lagging(desk.chain, lag=LAG)
    broker, (_, subject, release) = desk.broker_on(Journal(":memory:"), chain), desk.asked()
    mined(broker)
    desk.chain.mine(LAG)
    withdraw_version(desk, subject)
    desk.settle(broker)
    assert broker.handover(release, 0) is None
    assert broker.status()[0].reasons == "PERMITS_VERSION"


def test_nothing_is_handed_over_a_block_too_early(desk: Desk) -> None:
    chain, _ = lagging(desk.chain, lag=LAG)
    broker, (_, _, release) = desk.broker_on(Journal(":memory:"), chain), desk.asked()
    mined(broker)
    for _ in range(LAG):
        assert broker.handover(release, 0) is None
        desk.settle(broker)
        desk.chain.mine()
    desk.settle(broker)
    assert granted(broker, release).release == release


def test_a_renewal_that_was_revoked_meanwhile_is_not_handed_over(desk: Desk) -> None:
    chain, _ = lagging(desk.chain, lag=LAG)
    broker, (guest, _, release) = desk.broker_on(Journal(":memory:"), chain), desk.asked()
    mined(broker)
    desk.chain.mine(LAG)
    desk.settle(broker)
    desk.record(guest)
    while not desk.events("LeaseRenewed"):
        broker.step()
    Licences(desk.chain).revoke(desk.owner, desk.licence)
    desk.chain.mine(LAG)
    desk.settle(broker)
    assert broker.handover(release, 0) is not None
    assert broker.handover(release, 1) is None


def test_a_release_that_left_the_chain_is_sent_again_as_it_was_decided(desk: Desk) -> None:
    chain, _ = lagging(desk.chain, lag=LAG)
    broker, (_, _, release) = desk.broker_on(Journal(":memory:"), chain), desk.asked()
    broker.step()
    (decided,) = broker.status()
    assert decided.stage is Stage.DECIDED
    before = desk.chain.snapshot()
    mined(broker)
    desk.chain.revert(before)
    desk.chain.mine()
    assert broker.handover(release, 0) is None
    for _ in range(3 * LAG):
        broker.step()
        desk.chain.mine()
    handover = broker.handover(release, 0)
    assert handover is not None
    assert handover.envelope == decided.envelope
    assert len(desk.events("KeyReleased")) == 1


def test_a_release_that_left_the_chain_for_a_revocation_is_not_sent_again(desk: Desk) -> None:
    chain, _ = lagging(desk.chain, lag=LAG)
    broker, (_, subject, release) = desk.broker_on(Journal(":memory:"), chain), desk.asked()
    broker.step()
    before = desk.chain.snapshot()
    mined(broker)
    desk.chain.revert(before)
    withdraw_version(desk, subject)
    for _ in range(3 * LAG):
        broker.step()
        desk.chain.mine()
    assert broker.handover(release, 0) is None
    assert broker.status()[0].stage is Stage.REFUSED
    assert not desk.events("KeyReleased")


def test_nobody_but_the_broker_releases_renews_or_stops(desk: Desk) -> None:
    _, subject, _ = desk.asked()
    for account in (desk.owner, desk.licensee):
        with pytest.raises(Reverted) as refused:
            desk.releases.release(account, subject, 0, LEASE, QUOTA, Digest(b"e" * 32))
        assert refused.value.error == "NotBroker"
    desk.settle(desk.broker())
    for act in (
        lambda: desk.releases.renew(desk.licensee, subject, LEASE, QUOTA),
        lambda: desk.releases.stop(desk.licensee, subject),
    ):
        with pytest.raises(Reverted) as refused:
            act()
        assert refused.value.error == "NotBroker"


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with anvil(block_time=0.4) as chain:
        yield Desk.open(chain, tmp_path_factory.mktemp("live"))


@pytest.mark.anvil
def test_a_real_chain_that_revokes_before_it_is_final_gets_nothing(live: Desk) -> None:
    broker, (_, subject, release) = live.broker(), live.asked()
    mined(broker)
    withdraw_version(live, subject)
    while broker.status()[0].stage is Stage.MINED:
        broker.step()
    assert broker.status()[0].reasons == "PERMITS_VERSION"
    assert broker.handover(release, 0) is None
