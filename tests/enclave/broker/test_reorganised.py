# SPDX-License-Identifier: Apache-2.0
"""A request, record or release that leaves the chain and comes back: nothing is lost, nothing wrapped or sent twice."""

import pytest

from contracts.records import Status
from enclave.broker.journal import Journal, Stage
from enclave.broker.service import Broker
from enclave.statements import Grant
from tests.fakes.desk import Attested, Desk, granted
from tests.fakes.lagging import lagging

LAG = 3


def lagged(desk: Desk) -> Broker:
    return desk.broker_on(Journal(":memory:"), lagging(desk.chain, lag=LAG)[0])


def stepped(broker: Broker, stage: Stage) -> None:
    """Step until the broker's one lease is at a stage."""
    while [job.stage for job in broker.status()] != [stage]:
        assert broker.step()


def until_final(desk: Desk, broker: Broker) -> None:
    for _ in range(2 * LAG):
        broker.step()
        desk.chain.mine()


@pytest.mark.parametrize("stage", [Stage.SEEN, Stage.DECIDED, Stage.MINED], ids=lambda stage: stage.value)
def test_a_request_that_left_the_chain_and_came_back_is_served(desk: Desk, stage: Stage) -> None:
    guest, broker = Attested(), lagged(desk)
    desk.record(guest)
    before = desk.chain.snapshot()
    subject = desk.request(guest)
    release = subject.release(desk.releases.domain)
    if stage is Stage.SEEN:
        broker._reading.step()  # read, and not decided yet
    else:
        stepped(broker, stage)
    desk.chain.revert(before)
    desk.chain.mine(2)
    for _ in range(3):
        broker.step()
    assert desk.releases.state(release).status is Status.UNKNOWN
    desk.request(guest)
    until_final(desk, broker)
    assert granted(broker, release).release == release
    (event,) = desk.events("KeyReleased")
    assert event.args["envelopeDigest"] == granted(broker, release).envelope


def test_what_was_sent_before_the_chain_changed_may_come_back_by_itself(desk: Desk) -> None:
    """Request and release return to the pool and are mined again: the envelope that was wrapped then is the one."""
    guest, broker = Attested(), lagged(desk)
    desk.record(guest)
    before = desk.chain.snapshot()
    subject = desk.request(guest)
    release = subject.release(desk.releases.domain)
    stepped(broker, Stage.MINED)
    (job,) = broker.status()
    sent = Grant.decode(job.grant)
    desk.chain.revert(before)
    desk.chain.mine(2)
    for _ in range(3):
        broker.step()
    desk.request(guest)
    desk.releases.release(desk.clerk, subject, job.seat, sent.duration, sent.ceiling, sent.envelope)
    until_final(desk, broker)
    handover = broker.handover(release, 0)
    assert handover is not None
    assert (handover.grant, handover.envelope) == (job.grant, job.envelope)
    assert guest.keys.unwrap(sent, handover.envelope) == desk.entry.data_key


def test_a_request_that_was_refused_is_not_taken_up_again_for_nothing(desk: Desk) -> None:
    """Reading the same blocks again, as after any reorganisation, brings no refused lease back to life on its own."""
    broker = lagged(desk)
    before = desk.chain.snapshot()
    _, subject, release = desk.asked()
    desk.releases.revoke_node(desk.licensee, subject.licence, subject.node_id)
    desk.settle(broker)
    assert [job.stage for job in broker.status()] == [Stage.REFUSED]
    desk.chain.revert(before)
    desk.chain.mine(12)
    desk.settle(broker)
    assert [job.stage for job in broker.status()] == [Stage.REFUSED]
    assert broker.handover(release, 0) is None


def test_a_request_in_blocks_that_replaced_many_is_read(desk: Desk) -> None:
    """However deep a reorganisation goes, it ends at what is final."""
    guest, broker = Attested(), desk.broker_on(Journal(":memory:"), lagging(desk.chain, lag=200)[0])
    desk.record(guest)
    before = desk.chain.snapshot()
    desk.chain.mine(80)
    desk.settle(broker)
    desk.chain.revert(before)
    release = desk.request(guest).release(desk.releases.domain)
    desk.chain.mine(85)
    desk.settle(broker)
    assert [job.release for job in broker.status()] == [release]
