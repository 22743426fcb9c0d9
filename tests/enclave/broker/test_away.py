# SPDX-License-Identifier: Apache-2.0
"""A broker whose node or store goes away at any request: it says so, loses nothing, and the next step goes on."""

from contextlib import suppress
from pathlib import Path

import pytest

from contracts.digests import digest
from enclave.broker.journal import Journal, Stage
from enclave.broker.service import Broker
from registry.errors import ChainUnavailable, StoreUnavailable
from tests.fakes.desk import Desk, granted
from tests.fakes.lagging import Lagging, lagging

PROBES = 8  # of the requests of one release; `slow` goes through all of them


def requests_of_one_release(desk: Desk) -> int:
    """How often an undisturbed broker asks its node."""
    before = desk.chain.snapshot()
    chain, transport = lagging(desk.chain)
    broker = desk.broker_on(Journal(":memory:"), chain)
    desk.settle(broker)
    (job,) = broker.status()
    assert job.stage is Stage.FINAL
    desk.chain.revert(before)
    return transport.asked


def interrupted(desk: Desk, broker: Broker, transport: Lagging, at: int) -> None:
    """Settle, with the node away at one request, and again afterwards."""
    transport.fails_at = at
    with suppress(ChainUnavailable):  # the sender asks again by itself where nothing can have been sent
        desk.settle(broker)
    desk.settle(broker)
    assert transport.asked >= at


@pytest.mark.parametrize("probes", [PROBES, pytest.param(0, marks=pytest.mark.slow)], ids=["some", "all"])
def test_a_node_that_goes_away_at_any_request_costs_nothing(desk: Desk, tmp_path: Path, probes: int) -> None:
    guest, _, release = desk.asked()
    total = requests_of_one_release(desk)
    assert total > PROBES
    for at in range(1, total + 1, total // probes if probes else 1):
        before = desk.chain.snapshot()
        chain, transport = lagging(desk.chain)
        broker = desk.broker_on(Journal(tmp_path / f"{at}.sqlite"), chain)
        interrupted(desk, broker, transport, at)
        handover, grant = broker.handover(release, 0), granted(broker, release)
        assert handover is not None
        (event,) = desk.events("KeyReleased")
        assert event.args["envelopeDigest"] == grant.envelope == digest("envelope", handover.envelope)
        assert guest.keys.unwrap(grant, handover.envelope) == desk.entry.data_key
        desk.chain.revert(before)


def test_a_broker_says_that_its_node_is_away(desk: Desk) -> None:
    chain, transport = lagging(desk.chain)
    broker, (_, _, release) = desk.broker_on(Journal(":memory:"), chain), desk.asked()
    transport.fails_at = transport.asked + 1
    with pytest.raises(ChainUnavailable):
        broker.step()
    assert broker.status() == []
    desk.settle(broker)
    assert granted(broker, release).release == release


def test_what_was_handed_over_stays_there_while_the_node_is_away(desk: Desk) -> None:
    chain, transport = lagging(desk.chain)
    broker, (guest, _, release) = desk.broker_on(Journal(":memory:"), chain), desk.asked()
    desk.settle(broker)
    handover = broker.handover(release, 0)
    assert handover is not None
    desk.record(guest)
    transport.fails_at = transport.asked + 1
    with pytest.raises(ChainUnavailable):
        broker.step()
    assert broker.handover(release, 0) == handover


def test_a_store_that_is_away_is_named_and_holds_up_nobody_else(desk: Desk) -> None:
    """One lease waits at its transaction, another needs the store: the first goes on, then the error comes."""
    broker, (_, _, first) = desk.broker(), desk.asked()
    broker.step()
    _, _, second = desk.asked()
    folder = Path(desk.store.url) / "sealed"
    folder.rename(folder.with_name("away"))
    folder.write_bytes(b"a file where the folder was")
    with pytest.raises(StoreUnavailable):
        desk.settle(broker)
    with pytest.raises(StoreUnavailable):
        broker.step()
    assert broker.handover(second, 0) is None
    assert [job.stage for job in broker.status() if job.release == second] == [Stage.SEEN]
    assert granted(broker, first).release == first
    folder.unlink()
    folder.with_name("away").rename(folder)
    desk.settle(broker)
    assert granted(broker, second).release == second
