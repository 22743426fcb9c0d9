# SPDX-License-Identifier: Apache-2.0
"""A refusal that nothing changes ends a node, with the next step; one that may change is tried again, less often."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from contracts.errors import ExequaturError
from contracts.ids import ModelId, NodeId
from contracts.records import Finality
from enclave.node.ending import Ending
from enclave.node.errors import NoQuorum, RefusedForEver
from enclave.node.life import Phase
from enclave.node.node import Node
from enclave.node.patience import Patience
from registry.attestations import Attestations
from registry.errors import ChainUnavailable
from registry.licences import Licences
from registry.models import Models
from registry.policies import Policies
from registry.releases import Releases
from tests.fakes.world import World


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


def _attested(world: World) -> Node:
    """A node on record, about to ask for its key."""
    node = world.node()
    while node.phase is not Phase.REQUEST:
        assert node.step()
    return node


def _raised(world: World, _: NodeId) -> None:
    models = Models(world.chain)
    seal_id = models.version(world.model_id, 1).seal_id
    models.add_version(
        world.owner,
        world.model_id,
        seal_id=seal_id,
        policy=world.policy_id,
        finality=Finality.SEEN,
        uri="",
    )
    models.raise_lowest(world.owner, world.model_id, 2)


def _replaced(world: World, _: NodeId) -> None:
    """Twice: the policy that was in force is gone once the one after it has a follower."""
    chain, enforced = world.chain, world.policy.enforced
    for number in (1, 2):
        other, _mined = Policies(chain).publish(
            world.owner, enforced, type(world.policy.document_digest)(bytes([number]) * 32)
        )
        start = chain.head().timestamp + 50
        Models(chain).name_next(world.owner, world.model_id, 1, other, start)
        chain.advance(60)


def _halves(world: World, node: NodeId) -> tuple[object, object]:
    record = Attestations(world.chain).record_of(world.policy_id, node)
    assert record is not None
    return record.workload, record.platform


SUCCESSOR = ModelId(b"s" * 32)
ACTS: dict[str, tuple[Callable[[World, NodeId], object], str, str]] = {
    "retired": (lambda w, _: Models(w.chain).retire(w.owner, w.model_id), "is retired", "owner"),
    "succeeded": (
        lambda w, _: Models(w.chain).retire(w.owner, w.model_id, SUCCESSOR),
        "is retired",
        str(SUCCESSOR),
    ),
    "version": (
        lambda w, _: Models(w.chain).withdraw_version(w.owner, w.model_id, 1),
        "withdrawn",
        "--version",
    ),
    "lowest": (_raised, "not served", "--version 2"),
    "policy": (
        lambda w, _: Policies(w.chain).withdraw(w.owner, w.policy_id),
        "policy is withdrawn",
        "next-policy",
    ),
    "replaced": (_replaced, "another policy", "start the node again"),
    "revoked": (lambda w, _: Licences(w.chain).revoke(w.owner, w.licence), "is revoked", "another licence"),
    "ended": (lambda w, _: w.chain.advance(400 * 86_400), "has ended", "another licence"),
    "node": (
        lambda w, n: Attestations(w.chain).withdraw(w.owner, w.policy_id, n),
        "node is withdrawn",
        "controller",
    ),
    "workload": (
        lambda w, n: Policies(w.chain).recall(w.owner, "fleet", _halves(w, n)[0]),  # type: ignore[arg-type]
        "recalled",
        "guest",
    ),
    "platform": (
        lambda w, n: Policies(w.chain).burn(w.owner, "fleet", _halves(w, n)[1]),  # type: ignore[arg-type]
        "burnt",
        "another machine",
    ),
}


@pytest.fixture(scope="module")
def waiting(world: World) -> Iterator[Node]:
    """A node about to ask for its key, which tests share: they put the chain back."""
    node = _attested(world)
    yield node
    node.close()


@pytest.mark.parametrize("act", ACTS)
def test_what_is_taken_for_ever_is_known_with_the_next_step(world: World, waiting: Node, act: str) -> None:
    does, what, hint = ACTS[act]
    assert waiting.node_id is not None
    snapshot = world.chain.snapshot()
    Releases(world.chain).authorise(world.operator, world.licence, waiting.node_id)
    ending = Ending(world.chain, waiting._job)
    before = ending.found(waiting.node_id)
    does(world, waiting.node_id)
    refused = ending.found(waiting.node_id)
    world.chain.revert(snapshot)
    assert before is None
    assert refused is not None
    assert what in str(refused)
    assert hint in refused.hint


@pytest.mark.parametrize("act", ["revoked", "node"])
def test_a_node_that_is_refused_for_ever_ends_its_guest_and_says_why(kept: World, act: str) -> None:
    node = _attested(kept)
    assert node.node_id is not None
    assert node.life is not None
    guest = node.life.guest
    ACTS[act][0](kept, node.node_id)
    with pytest.raises(RefusedForEver, match=ACTS[act][1]) as refused:
        node.run(threading.Event(), pause=0.01)
    assert refused.value.__cause__ is not None
    assert (node.phase, node.life, guest.running) == (Phase.ENDED, None, False)


def test_a_suspension_is_waited_out(kept: World) -> None:
    """And a record that lapsed meanwhile is made again."""
    attested = _attested(kept)
    Licences(kept.chain).suspend(kept.owner, kept.licence)
    patience = Patience(attested, Ending(kept.chain, attested._job), 1.0)
    assert [(patience.step(), patience.pause()) for _ in range(3)] == [
        (False, 1.0),
        (False, 2.0),
        (False, 4.0),
    ]
    Licences(kept.chain).resume(kept.owner, kept.licence)
    kept.chain.advance(kept.policy.enforced.maximum_age + 1)
    kept.chain.advance(1)
    assert (patience.step(), attested.phase) == (True, Phase.ATTEST)
    while attested.phase is not Phase.AWAIT:
        assert patience.step()
    assert patience.pause() == 1.0


@dataclass
class Failing:
    """A host that fails whatever it does, and a chain that does not say whether that is for ever."""

    phase: Phase
    node_id: NodeId | None = None
    asked: list[NodeId | None] = field(default_factory=list)

    def step(self) -> bool:
        raise NoQuorum(0, 1, ())

    def found(self, node: NodeId | None) -> RefusedForEver | None:
        self.asked.append(node)
        raise ChainUnavailable("no answer", where="chain")


@pytest.mark.parametrize("phase", [Phase.BOOT, Phase.ATTEST, Phase.REQUEST])
def test_without_a_key_the_pauses_grow_up_to_a_minute(phase: Phase) -> None:
    host = Failing(phase)
    patience = Patience(host, host, 1.0)
    pauses = [(patience.step(), patience.pause())[1] for _ in range(20)]
    assert pauses[:7] == [1, 2, 4, 8, 16, 32, 60]
    assert set(pauses[7:]) == {60}
    assert len(host.asked) == 20


@pytest.mark.parametrize("phase", [Phase.AWAIT, Phase.OPEN, Phase.SERVE, Phase.SETTLE])
def test_while_a_lease_may_run_nothing_is_put_off(phase: Phase) -> None:
    host = Failing(phase)
    patience = Patience(host, host, 1.0)
    assert {(patience.step(), patience.pause()) for _ in range(9)} == {(False, 1.0)}
    assert not host.asked


def test_the_failure_that_was_final_is_told_with_its_cause() -> None:
    class Final(Failing):
        def found(self, node: NodeId | None) -> RefusedForEver | None:
            return RefusedForEver("over", hint="go home")

    host = Final(Phase.ATTEST)
    with pytest.raises(RefusedForEver, match="over") as refused:
        Patience(host, host, 1.0).step()
    assert isinstance(refused.value.__cause__, ExequaturError)
