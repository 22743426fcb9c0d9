# SPDX-License-Identifier: Apache-2.0
"""A user's view of a node over HTTP: who it is, what it answers, and what each check rests on."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

import pytest
from waitress.server import create_server

from contracts.digests import digest
from contracts.records import Level
from enclave.client import Answer, History, NodeClient, verify_node, verify_receipt
from enclave.errors import MalformedEvidence, NotVerified, Refused, RefusedRemotely, ServiceUnavailable
from enclave.node.front import node_application
from enclave.node.node import Node
from tests.fakes.jobs import numbers, question
from tests.fakes.world import DAY, World


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World.make(tmp_path_factory.mktemp("world"))
    yield world
    world.close()


@pytest.fixture(scope="module")
def node(world: World) -> Node:
    node = world.node()
    world.settle(node)
    return node


@contextmanager
def listening(node: Node) -> Iterator[NodeClient]:
    server = create_server(node_application(node), host="127.0.0.1", port=0, threads=2)

    def run() -> None:
        with suppress(OSError):  # the listener is closed under it
            server.run()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    yield NodeClient(f"http://127.0.0.1:{server.effective_port}", timeout=10)
    server.close()
    thread.join(timeout=5)


@pytest.fixture(scope="module")
def client(node: Node) -> Iterator[NodeClient]:
    with listening(node) as client:
        yield client


def history(world: World) -> History:
    return History(
        world.chain.events(world.chain.book.deployed_at, world.chain.head().number), world.chain.book
    )


def test_an_answer_over_http_verifies(world: World, client: NodeClient) -> None:
    request = question(1, 2, 3, 4)
    answer = client.infer(request)
    assert numbers(answer.response) == [1.625, 2.625, 3.625, 4.625]
    assert Answer.decode(answer.encode()) == answer
    assert verify_receipt(answer, request, history(world)).subject is not None


def test_many_users_at_once_get_their_own_answers(world: World, client: NodeClient) -> None:
    got: dict[int, list[float]] = {}

    def ask(n: int) -> None:
        got[n] = numbers(client.infer(question(n, n, n, n)).response)

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == {n: [n + 0.625] * 4 for n in range(6)}


def test_a_node_verifies_under_the_owners_policy_and_the_users(world: World, client: NodeClient) -> None:
    presence = client.presence()
    now = world.chain.head().timestamp
    verification = verify_node(
        presence.bundle, history(world), now=now, policy=world.policy, own=world.policy
    )
    assert verification.node_id == world.nodes[0].node_id
    names = [step.name for step in verification.steps]
    assert names == ["node", "policy", "verdict", "owner's policy", "own policy"]
    assert (presence.model_id, presence.licence, presence.lease) == (world.model_id, world.licence, 0)


def test_a_user_may_ask_for_more_than_the_owner(world: World, client: NodeClient) -> None:
    strict = replace(world.policy, enforced=replace(world.policy.enforced, minimum_level=Level.ISOLATED))
    foreign = replace(
        world.policy,
        rules=replace(world.policy.rules, workloads=(digest("workload", "software", bytes(32)),)),
    )
    presence, now = client.presence(), world.chain.head().timestamp
    for own in (strict, foreign):
        with pytest.raises(Refused):
            verify_node(presence.bundle, history(world), now=now, policy=world.policy, own=own)


def test_a_node_that_is_not_on_record_does_not_verify(world: World, client: NodeClient, node: Node) -> None:
    presence, now = client.presence(), world.chain.head().timestamp
    assert node.life is not None
    with pytest.raises(NotVerified):
        verify_node(presence.bundle, History([], world.chain.book), now=now, policy=world.policy)
    with pytest.raises(NotVerified):
        verify_node(presence.bundle, history(world), now=now + 2 * DAY, policy=world.policy)
    other = replace(world.policy, name="another")
    with pytest.raises(NotVerified):
        verify_node(presence.bundle, history(world), now=now, policy=other)
    assert node.bundle is not None
    unrecorded = replace(node.bundle, claims=replace(node.bundle.claims, image="another"))
    with pytest.raises(NotVerified):
        verify_node(unrecorded.encode(), history(world), now=now, policy=world.policy)
    with pytest.raises(MalformedEvidence):
        verify_node(b"", history(world), now=now, policy=world.policy)


def test_a_wrong_input_is_refused_with_its_reason(client: NodeClient) -> None:
    with pytest.raises(RefusedRemotely) as refused:
        client.infer(b"nonsense")
    assert "tensors" in str(refused.value)


def test_a_node_that_does_not_serve_says_so(world: World, client: NodeClient) -> None:
    idle = world.node()
    with listening(idle) as away:
        for ask in (away.presence, lambda: away.infer(b"")):
            with pytest.raises(ServiceUnavailable):
                ask()
    with pytest.raises(ServiceUnavailable):
        away.presence()
