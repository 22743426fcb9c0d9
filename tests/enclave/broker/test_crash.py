# SPDX-License-Identifier: Apache-2.0
"""A broker that is killed anywhere goes on where it was: one `KeyReleased` per request, one envelope digest."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.digests import digest
from contracts.ids import ReleaseId
from enclave.broker.journal import Journal, Stage
from enclave.broker.service import Broker
from registry.chain.anvil import anvil
from registry.chain.chain import Chain
from tests.fakes.crashing_broker import Fuse, FusedJournal, FusedTransport, hand_over
from tests.fakes.desk import Deal, Desk, granted

# Every write and sending of one release; what comes after the last is nothing.
POINTS = (
    "before seen",
    "after seen",
    "before decided",
    "after decided",
    "before sending",
    "after sending",
    "once mined",
    "before mined",
    "after mined",
    "before final",
    "after final",
)


class Killed(BaseException):
    """The end of a broker, which nothing may catch."""


def stop() -> None:
    raise Killed


def one_release(desk: Desk, broker: Broker, release: ReleaseId) -> None:
    handover, grant = broker.handover(release, 0), granted(broker, release)
    assert handover is not None
    (event,) = [event for event in desk.events("KeyReleased") if event.args["release"] == release]
    assert event.args["envelopeDigest"] == grant.envelope == digest("envelope", handover.envelope)


@pytest.mark.parametrize("point", range(1, len(POINTS) + 1), ids=POINTS)
def test_an_exception_anywhere_loses_and_doubles_nothing(desk: Desk, tmp_path: Path, point: int) -> None:
    path = tmp_path / "journal.sqlite"
    guest, _, release = desk.asked()
    fuse = Fuse(point, stop, [])
    chain = Chain(FusedTransport(desk.chain.transport, fuse), desk.chain.chain_id, desk.chain.book)
    chain.embedded = True
    journal = FusedJournal(path, fuse)
    with pytest.raises(Killed):
        desk.settle(desk.broker_on(journal, chain))
    journal.close()
    assert fuse.passed == list(POINTS[:point])
    decided = envelopes(path, release)
    again = desk.broker(path)
    desk.settle(again)
    one_release(desk, again, release)
    handover = again.handover(release, 0)
    assert handover is not None
    assert decided <= {handover.envelope}
    assert guest.keys.unwrap(granted(again, release), handover.envelope) == desk.entry.data_key


def envelopes(path: Path, release: ReleaseId) -> set[bytes]:
    """The envelope that was written down before the end, if one was."""
    journal = Journal(path)
    job = journal.job(release, 0)
    journal.close()
    return {job.envelope} if job is not None and job.stage is not Stage.SEEN else set()


def test_a_renewal_killed_anywhere_is_sent_once(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    guest, _, release = desk.asked()
    desk.settle(desk.broker(path))
    for lease, point in enumerate((3, 5, 6, 8), start=1):  # seen, decided, sent, mined
        desk.record(guest)
        fuse = Fuse(point, stop, [])
        chain = Chain(FusedTransport(desk.chain.transport, fuse), desk.chain.chain_id, desk.chain.book)
        chain.embedded = True
        with pytest.raises(Killed):
            desk.settle(desk.broker_on(FusedJournal(path, fuse), chain))
        again = desk.broker(path)
        desk.settle(again)
        assert granted(again, release, lease).lease == lease
    assert [event.args["lease"] for event in desk.events("LeaseRenewed")] == [1, 2, 3, 4]


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with anvil(block_time=0.2) as chain:
        yield Desk.open(chain, tmp_path_factory.mktemp("live"), Deal(seats=20))


@pytest.mark.anvil
@pytest.mark.parametrize(
    "point", ["after seen", "after decided", "after sending", "once mined", "after mined", "after final"]
)
def test_sigkill_anywhere_loses_and_doubles_nothing(live: Desk, tmp_path: Path, point: str) -> None:
    """A real process, ended by SIGKILL at each stage; the next one takes over its journal."""
    path, given = tmp_path / "journal.sqlite", tmp_path / "given.json"
    seen = Journal(path)
    seen.move(live.chain.head().number, live.chain.head().hash)  # only the request that follows
    seen.close()
    _, _, release = live.asked()
    hand_over(live, live.chain.transport.target, given, journal=path, fuse=POINTS.index(point) + 1)
    killed = subprocess.run(
        [sys.executable, "-m", "tests.fakes.crashing_broker", str(given)],
        capture_output=True,
        timeout=60,
        cwd=Path(__file__).parents[3],
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    again, end = live.broker(path), time.monotonic() + 30
    while again.handover(release, 0) is None:
        assert time.monotonic() < end
        if not again.step():
            time.sleep(0.1)
    one_release(live, again, release)
