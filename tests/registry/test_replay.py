# SPDX-License-Identifier: Apache-2.0
"""Replay answers `permits` as the contracts do, whatever happened before."""

import random
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from contracts.ids import NodeId
from contracts.records import Reason, Status
from registry.errors import NotReplayable
from registry.replay import State, fold
from registry.terms import Stage
from tests.fakes.chains import fresh
from tests.fakes.hand import Hand
from tests.fakes.scenes import DOMAIN, LEASE, Guest, Scene, digest, half, licensed, scene

STEPS = 80
SEED = 20_261_123


def asked(hand: Hand, state: State) -> list[tuple[Reason, Reason]]:
    """What the contracts and the replayed state say to the same questions, at the head."""
    story, dice = hand.story, hand.dice
    head = story.chain.head()
    pairs = []
    for guest in dice.sample(hand.guests, 2):
        when = head.timestamp + dice.choice((0, 0, 60, 700, LEASE, 3 * LEASE))
        args = (story.model, dice.choice((1, 1, 1, 2)), guest.node, dice.choice(hand.licences), when)
        pairs.append((story.releases.permits(*args, at=head), state.permits(*args)))
        under = (args[0], args[1], dice.choice(hand.policies), *args[2:])
        pairs.append((story.releases.permits_under(*under, at=head), state.permits_under(*under)))
    return pairs


def test_replay_equals_the_contracts_after_random_histories(embedded_story: Scene) -> None:
    dice = random.Random(SEED)
    hand, seen, state, read = Hand(embedded_story, dice), set(), State(), 0
    for _ in range(STEPS):
        hand.act()
        head = embedded_story.chain.head().number
        state, read = fold(embedded_story.chain.events(read, head), state), head + 1
        if dice.random() < 0.5:
            for on_chain, replayed in asked(hand, state):
                assert on_chain is replayed
                seen.add(on_chain)
    assert Reason.NONE in seen
    assert len(seen) >= 5, seen


def _refusals(story: Scene, guest: Guest) -> dict[Reason, Callable[[], object]]:
    model, owner = story.model, story.owner
    return {
        Reason.NONE: lambda: None,
        Reason.MODEL: lambda: story.models.retire(owner, model),
        Reason.VERSION: lambda: story.models.withdraw_version(owner, model, 1),
        Reason.POLICY: lambda: story.policies.withdraw(owner, story.policy),
        Reason.LICENCE: lambda: story.licences.suspend(owner, story.licence),
        Reason.NODE: lambda: story.releases.revoke_node(story.licensee, story.licence, guest.node),
        Reason.STOPPED: lambda: story.releases.stop(story.broker, story.subject(guest)),
        Reason.WITHDRAWN: lambda: story.attestations.withdraw(owner, story.policy, guest.node),
        Reason.EXPIRED: lambda: story.chain.advance(3 * LEASE),
        Reason.VERIFIERS: lambda: story.policies.withdraw_verifier(
            owner, story.policy, story.verifiers[0].address
        ),
        Reason.WORKLOAD: lambda: story.policies.recall(owner, DOMAIN, half(guest.workload)),
        Reason.PLATFORM: lambda: story.policies.burn(owner, DOMAIN, half(guest.platform)),
    }


@pytest.fixture(scope="module")
def permitted() -> Iterator[tuple[Scene, Guest]]:
    """A node that may run."""
    with fresh("embedded") as chain:
        story, guest = scene(chain), Guest()
        story.record(guest)
        story.request(guest)
        yield story, guest


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason is not Reason.NO_RECORD])
def test_every_reason_alone_is_replayed(permitted: tuple[Scene, Guest], reason: Reason) -> None:
    story, guest = permitted
    before = story.chain.snapshot()
    _refusals(story, guest)[reason]()
    head = story.chain.head()
    state = fold(story.chain.events(0, head.number))
    args = (story.model, 1, guest.node, story.licence, head.timestamp)
    assert story.releases.permits(*args) is state.permits(*args) is reason
    story.chain.revert(before)


def test_a_node_without_a_record_is_replayed(embedded_story: Scene) -> None:
    story, guest = embedded_story, Guest()
    story.releases.authorise(story.licensee, story.licence, guest.node)
    head = story.chain.head()
    state = fold(story.chain.events(0, head.number))
    args = (story.model, 1, guest.node, story.licence, head.timestamp)
    assert story.releases.permits(*args) is state.permits(*args) is Reason.NO_RECORD


def _replayed(story: Scene) -> State:
    return fold(story.chain.events(0, story.chain.head().number))


def test_tables_equal_what_the_contracts_store(embedded_story: Scene) -> None:
    story, guest = embedded_story, Guest()
    subject = story.release(guest)
    story.record(guest)
    story.releases.renew(story.broker, subject, LEASE, 150)
    story.models.offer(story.owner, story.model, story.stranger.address)
    story.models.accept(story.stranger, story.model)
    story.licences.set_operator(story.licensee, story.licence, story.broker.address)
    state, release = _replayed(story), subject.release(story.releases.domain)
    assert state.models[story.model] == story.models.model(story.model)
    assert state.versions[story.model, 1] == story.models.version(story.model, 1)
    assert state.grants[story.licence] == story.licences.grant_of(story.licence)
    assert state.records[story.policy, guest.node].record == story.attestations.record_of(
        story.policy, guest.node
    )
    assert state.releases[release].release == story.releases.state(release)
    assert state.releases[release].subject == subject
    assert state.terms[story.licence].remaining == story.licences.remaining(story.licence)
    assert state.policies[story.policy].enforced == story.enforced
    assert state.names[story.model] == "bearing"
    assert state.acts_for(story.licence, story.broker.address)
    assert not state.acts_for(story.licence, story.stranger.address)
    assert state.seal_of(story.model, 1) == story.seal


def test_gaps_between_records_equal_what_the_contract_stores(embedded_story: Scene) -> None:
    story, guest = embedded_story, Guest()
    gaps = []
    for apart in (0, 299, 3_600, 60, 2**16 * 60, 60):
        story.chain.advance(apart)
        story.record(guest)
        kept = story.attestations.record_of(story.policy, guest.node)
        assert kept is not None
        assert _replayed(story).records[story.policy, guest.node].record == kept
        gaps.append(kept.gap)
    assert gaps[:2] in ([0, 4], [0, 5])  # mining takes a second now and then
    assert gaps[2:] == [60, 60, 2**16 - 1, 2**16 - 1]
    story.attestations.withdraw(story.owner, story.policy, guest.node)
    kept = story.attestations.record_of(story.policy, guest.node)
    assert _replayed(story).records[story.policy, guest.node].record == kept
    story.attestations.withdraw(story.owner, story.policy, other := NodeId(digest()))
    assert _replayed(story).records[story.policy, other].record == story.attestations.record_of(
        story.policy, other
    )


def test_folding_in_two_parts_is_folding_once(embedded_story: Scene) -> None:
    story = embedded_story
    story.release(Guest())
    events = story.chain.events(0, story.chain.head().number)
    first = fold(events[:9])
    assert fold(events[9:], first) == fold(events)
    assert first == fold(events[:9])


def test_a_settled_release_is_replayed(embedded_story: Scene) -> None:
    story, guest = embedded_story, Guest()
    subject = story.release(guest)
    story.releases.stop(story.broker, subject)
    release = subject.release(story.releases.domain)
    state = _replayed(story)
    assert state.releases[release].release.status is Status.STOPPED_BY_BROKER
    story.licences.revoke(story.owner, story.licence)
    assert _replayed(story).terms[story.licence].stage is Stage.REVOKED


def test_a_licence_of_unknown_kind_cannot_be_replayed(embedded_story: Scene) -> None:
    story = embedded_story
    state = replace(_replayed(story), terms={})
    with pytest.raises(NotReplayable):
        state.permits(story.model, 1, NodeId(digest()), story.licence, story.now)


def test_a_strangers_contract_cannot_speak_for_a_licence(embedded_story: Scene) -> None:
    story = embedded_story
    fake = licensed(story.chain, story.owner, story.licensee, story.model)
    story.licences.revoke(story.owner, fake)
    assert _replayed(story).terms[story.licence].stage is Stage.ACTIVE
