# SPDX-License-Identifier: Apache-2.0
"""A host and its guest from boot to settlement, with real contracts, verifiers and broker."""

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from contracts.ids import Half
from contracts.records import Status
from enclave.errors import EvidenceError, SealError
from enclave.node.blobs import Blobs
from enclave.node.errors import BlobUnknown, NoQuorum, NotServing
from enclave.node.front import answer
from enclave.node.node import Node, Phase
from enclave.node.quorum import Signed
from enclave.node.revocations import Revocations
from enclave.statements import Receipt
from enclave.verifier import SignedVerdict, Verifier
from registry.attestations import Attestations
from registry.errors import BlobMissing
from registry.licences import Licences
from registry.models import Models
from registry.policies import Policies
from registry.releases import Releases
from tests.fakes.jobs import question
from tests.fakes.world import Contrary, World


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World.make(tmp_path_factory.mktemp("world"))
    yield world
    world.close()


@pytest.fixture
def kept(world: World) -> Iterator[World]:
    """The world, put back as it was when the test is over."""
    snapshot = world.chain.snapshot()
    yield world
    world.close()
    world.nodes.clear()
    world.chain.revert(snapshot)


def ask(node: Node) -> Receipt:
    return Receipt.read_signed(answer(node, question(1, 2, 3, 4)).receipt)[0]


def test_a_node_gets_its_key_and_serves_and_settles(kept: World) -> None:
    """And the verifier that judges otherwise is outvoted and named."""
    first, second, third = kept.appraisers
    assert isinstance(third, Verifier)
    node = kept.node([first, Contrary(third, kept.verifiers[2], kept.chain), second])
    with pytest.raises(NotServing):
        answer(node, question(1, 2, 3, 4))
    kept.settle(node)
    assert node.phase is Phase.SERVE
    assert node.outvoted == (kept.verifiers[2].address,)
    assert [ask(node).counter, ask(node).counter] == [1, 2]
    subject, releases = node.subject, Releases(kept.chain)
    assert subject is not None
    node.close()
    state = releases.state(subject.release(releases.domain))
    assert (state.status, state.last_counter) == (Status.SETTLED, 2)
    assert node.phase is Phase.ENDED
    assert Licences(kept.chain).remaining(kept.licence) == 10_000 - 2


def test_too_few_verifiers_record_nothing(kept: World) -> None:
    third = kept.appraisers[2]
    assert isinstance(third, Verifier)
    node = kept.node([kept.appraisers[0], Contrary(third, kept.verifiers[2], kept.chain)])
    node.step()
    with pytest.raises(NoQuorum):
        node.step()
    assert node.phase is Phase.ATTEST
    assert node.node_id is not None
    assert Attestations(kept.chain).record_of(kept.policy_id, node.node_id) is None


def test_a_refusing_verifier_says_why(kept: World) -> None:
    class Refusing:
        def appraise(self, bundle: bytes) -> SignedVerdict:
            raise EvidenceError("not today", where="verifier")

    node = kept.node([Refusing(), Refusing()])
    node.step()
    with pytest.raises(NoQuorum) as refused:
        node.step()
    assert "not today" in refused.value.hint


def test_a_lease_is_renewed_from_its_half_on_and_a_lapsed_node_is_replaced(kept: World) -> None:
    clock = Clock()
    node = kept.node(clock=clock)
    kept.settle(node)
    for _ in range(3):
        ask(node)
    clock.now = 200
    assert not node.step()
    clock.now = 310
    kept.settle(node)
    assert node.lease == 1
    assert ask(node).lease == 1
    subject, releases = node.subject, Releases(kept.chain)
    assert subject is not None
    state = releases.state(subject.release(releases.domain))
    assert (state.leases, state.last_counter) == (2, 3)
    before, clock.now = node.node_id, 2_000
    kept.settle(node)
    assert node.phase is Phase.SERVE
    assert node.node_id != before
    assert releases.state(subject.release(releases.domain)).status is Status.SETTLED


def test_a_killed_guest_is_replaced_by_another_node(kept: World) -> None:
    node = kept.node()
    kept.settle(node)
    before, life = node.node_id, node.life
    assert life is not None
    os.kill(life.guest.process_id, signal.SIGKILL)
    life.guest._process.wait()
    kept.settle(node)
    assert node.phase is Phase.SERVE
    assert node.node_id != before
    assert ask(node).counter == 1


@pytest.fixture(scope="module")
def serving(world: World) -> Iterator[Node]:
    """A node that tests of what may end it share: they put the chain back."""
    node = world.node()
    world.settle(node)
    world.nodes.remove(node)
    yield node
    if node.life is not None:
        node.life.guest.close()


Act = Callable[[World, Node], object]


def _verdict_halves(world: World, node: Node) -> tuple[Half, Half]:
    assert node.node_id is not None
    record = Attestations(world.chain).record_of(world.policy_id, node.node_id)
    assert record is not None
    return record.workload, record.platform


def _withdraw_two(world: World, node: Node) -> None:
    for verifier in world.verifiers[:2]:
        Policies(world.chain).withdraw_verifier(world.owner, world.policy_id, verifier.address)


ACTS: dict[str, Act] = {
    "version": lambda w, _: Models(w.chain).withdraw_version(w.owner, w.model_id, 1),
    "model": lambda w, _: Models(w.chain).retire(w.owner, w.model_id),
    "policy": lambda w, _: Policies(w.chain).withdraw(w.owner, w.policy_id),
    "verifiers": _withdraw_two,
    "withdrawn": lambda w, n: Attestations(w.chain).withdraw(w.owner, w.policy_id, n.life.guest.node_id),  # type: ignore[union-attr]
    "platform": lambda w, n: Policies(w.chain).burn(w.owner, "fleet", _verdict_halves(w, n)[1]),
    "workload": lambda w, n: Policies(w.chain).recall(w.owner, "fleet", _verdict_halves(w, n)[0]),
    "suspended": lambda w, _: Licences(w.chain).suspend(w.owner, w.licence),
    "revoked": lambda w, _: Licences(w.chain).revoke(w.owner, w.licence),
    "node": lambda w, n: Releases(w.chain).revoke_node(w.operator, w.licence, n.life.guest.node_id),  # type: ignore[union-attr]
    "stopped": lambda w, n: Releases(w.chain).stop(w.broker._account, n.subject),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("act", ACTS)
def test_every_revocation_is_heard(world: World, serving: Node, act: str) -> None:
    assert serving.subject is not None
    snapshot = world.chain.snapshot()
    ears = Revocations(world.chain, serving.subject)
    assert ears.taken() is None
    ACTS[act](world, serving)
    heard = ears.taken()
    world.chain.revert(snapshot)
    assert heard is not None


def test_one_verifier_less_is_no_reason_to_stop(world: World, serving: Node) -> None:
    assert serving.subject is not None
    snapshot = world.chain.snapshot()
    ears = Revocations(world.chain, serving.subject)
    Policies(world.chain).withdraw_verifier(world.owner, world.policy_id, world.verifiers[0].address)
    assert ears.taken() is None
    world.chain.revert(snapshot)


def test_a_revoked_guest_stops_at_once_and_stays_stopped(kept: World) -> None:
    node = kept.node()
    kept.settle(node)
    assert node.life is not None
    guest = node.life.guest
    Licences(kept.chain).revoke(kept.owner, kept.licence)
    assert node.step()
    with pytest.raises(NotServing):
        answer(node, question(1, 2, 3, 4))
    kept.settle(node)
    assert node.phase is Phase.ENDED
    assert "licence" in node.ended_because
    assert not guest.running
    assert not node.step()


def test_a_damaged_copy_is_fetched_again_and_a_wrong_blob_refused(world: World, tmp_path: Path) -> None:
    blobs = Blobs(world.chain, world.store, tmp_path)
    seal_id = world.job.sealed.seal_id
    path = blobs.sealed(world.model_id, 1, seal_id).path
    path.write_bytes(b"damaged")
    assert blobs.sealed(world.model_id, 1, seal_id).seal_id == seal_id
    other = type(seal_id)(b"x" * 32)
    with pytest.raises(SealError):
        blobs.sealed(world.model_id, 1, other)
    with pytest.raises(BlobUnknown):
        blobs.sealed(world.model_id, 2, other)


def test_a_store_that_lost_the_model_is_an_error_that_can_be_tried_again(kept: World) -> None:
    node = kept.node()
    node._blobs = Blobs(kept.chain, type(kept.store)(str(kept.folder / "empty")), kept.folder / "cache2")
    with pytest.raises(BlobMissing):
        kept.settle(node)
    assert node.phase is Phase.AWAIT
    node._blobs = Blobs(kept.chain, kept.store, kept.folder / "cache2")
    kept.settle(node)
    assert node.phase is Phase.SERVE


def test_a_verdict_about_another_bundle_is_no_vote(kept: World) -> None:
    first = kept.appraisers[0]

    class Replaying:
        """Signs what it signed before, whatever it is shown."""

        said: Signed | None = None

        def appraise(self, bundle: bytes) -> Signed:
            if self.said is None:
                self.said = first.appraise(bundle)
            return self.said

    node = kept.node([Replaying(), kept.appraisers[1]])
    node.step()
    node.step()
    kept.chain.advance(5)
    assert node.life is not None
    with pytest.raises(NoQuorum):
        node._record(node.life)


def test_a_renewal_that_fails_costs_nothing_of_the_lease(kept: World) -> None:
    clock = Clock()
    node = kept.node(clock=clock)
    kept.settle(node)
    quorum, node._recorder._appraisers = node._recorder._appraisers, ()
    clock.now = 310
    assert not node.step()
    assert ask(node).lease == 0
    node._recorder._appraisers = quorum
    assert not node.step()
    clock.now = 400
    kept.settle(node)
    assert node.lease == 1
