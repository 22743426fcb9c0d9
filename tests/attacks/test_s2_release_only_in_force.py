# SPDX-License-Identifier: Apache-2.0
"""S2: nothing is released, and nothing handed over, unless everything is in force where the chain is final."""

from collections.abc import Iterator

import pytest

from contracts.ids import Digest
from enclave.broker.journal import Journal, Stage
from enclave.broker.service import Broker
from registry.chain.anvil import anvil
from registry.errors import Reverted
from registry.licences import Licences
from registry.models import Models
from tests.fakes.desk import LEASE, QUOTA, Desk, granted
from tests.fakes.lagging import lagging

LAG = 4


def withdraw_version(desk: Desk) -> None:
    Models(desk.chain).withdraw_version(desk.owner, desk.model, 1)


def mined(broker: Broker) -> None:
    """Step until the release is mined and nothing is final."""
    while [job.stage for job in broker.status()] != [Stage.MINED]:
        assert broker.step()


def test_what_the_newest_block_revokes_is_not_handed_over_either(desk: Desk) -> None:
    """The release is final, the revocation is not yet: what was said since counts as well."""
    chain, _ = lagging(desk.chain, lag=LAG)
    broker, (_, _, release) = desk.broker_on(Journal(":memory:"), chain), desk.asked()
    mined(broker)
    desk.chain.mine(LAG)
    withdraw_version(desk)
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
    broker, (_, _, release) = desk.broker_on(Journal(":memory:"), chain), desk.asked()
    broker.step()
    before = desk.chain.snapshot()
    mined(broker)
    desk.chain.revert(before)
    withdraw_version(desk)
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
    with pytest.raises(Reverted) as refused:
        desk.releases.renew(desk.licensee, subject, LEASE, QUOTA)
    assert refused.value.error == "NotBroker"
    with pytest.raises(Reverted) as refused:
        desk.releases.stop(desk.licensee, subject)
    assert refused.value.error == "NotBroker"


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with anvil(block_time=0.4) as chain:
        yield Desk.open(chain, tmp_path_factory.mktemp("live"))


@pytest.mark.anvil
def test_a_real_chain_that_revokes_before_it_is_final_gets_nothing(live: Desk) -> None:
    broker, (_, _, release) = live.broker(), live.asked()
    mined(broker)
    withdraw_version(live)
    while broker.status()[0].stage is Stage.MINED:
        broker.step()
    assert broker.status()[0].reasons == "PERMITS_VERSION"
    assert broker.handover(release, 0) is None
