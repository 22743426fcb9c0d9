# SPDX-License-Identifier: Apache-2.0
"""Replay answers `permits` as the contracts do, whatever happened before."""

import random
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from contracts.errors import ExequaturError
from contracts.ids import Address, NodeId, PolicyId
from contracts.records import Enforced, Reason, Status
from registry.errors import MalformedEvents, NotReplayable, Reverted
from registry.replay import State, dump_events, fold, load_events
from registry.state import Stage
from tests.fakes.chains import fresh
from tests.fakes.scenes import DOMAIN, LEASE, Guest, Scene, digest, half, licensed, scene

STEPS = 80
SEED = 20_261_123


class Hand:
    """Does something random to a scene, as whoever may; what the contracts refuse changes nothing."""

    def __init__(self, story: Scene, dice: random.Random) -> None:
        self.story, self.dice = story, dice
        self.guests = [Guest(workload=story.document, platform=digest()) for _ in range(3)]
        self.licences = [story.licence]
        self.policies = [story.policy]
        self.licensees = {story.licence: story.licensee}
        self.moves: list[Callable[[], object]] = [
            self.record, self.record, self.record, self.request, self.request, self.request, self.authorise,
            self.next_policy, self.publish, self.advance, self.add_version,
        ]  # fmt: skip
        self.taking: list[Callable[[], object]] = [
            self.revoke_node, self.stop, self.withdraw_verifier, self.burn, self.recall, self.withdraw_node,
            self.withdraw_policy, self.suspend, self.hand_over, self.raise_lowest, self.license_again,
            self.revoke, self.withdraw_version, self.retire,
        ]  # fmt: skip

    def act(self) -> None:
        """One random move; taking away is rarer, or nothing would be left."""
        moves = self.taking if self.dice.random() < 0.2 else self.moves
        try:
            self.dice.choice(moves)()
        except Reverted:
            pass

    def pick(self) -> tuple[Guest, Address, PolicyId]:
        """A guest, a licence and a policy."""
        return self.dice.choice(self.guests), self.dice.choice(self.licences), self.dice.choice(self.policies)

    def record(self) -> None:
        guest, _, policy = self.pick()
        expiry = self.story.chain.head().timestamp + self.dice.choice((600, LEASE, 2 * LEASE - 60))
        self.story.record(guest, policy=policy, expiry=expiry)

    def request(self) -> None:
        guest, licence, policy = self.pick()
        account = self.licensees[licence]
        version = self.dice.choice((1, 1, 2))
        self.story.releases.request(account, self.story.model, version, policy, guest.node, licence)

    def authorise(self) -> None:
        guest, licence, _ = self.pick()
        self.story.releases.authorise(self.licensees[licence], licence, guest.node)

    def next_policy(self) -> None:
        start = self.story.now + self.dice.choice((30, 600, 5_000))
        self.story.models.name_next(
            self.story.owner, self.story.model, 1, self.dice.choice(self.policies), start
        )

    def publish(self) -> None:
        enforced: Enforced = replace(self.story.enforced, threshold=self.dice.choice((1, 2)))
        self.policies.append(self.story.policies.publish(self.story.owner, enforced, digest())[0])

    def advance(self) -> None:
        self.story.chain.advance(self.dice.choice((10, 300, 1_500)))

    def add_version(self) -> None:
        policy = self.dice.choice(self.policies)
        self.story.models.add_version(
            self.story.owner, self.story.model, seal_id=self.story.seal, policy=policy, uri=""
        )

    def revoke_node(self) -> None:
        guest, licence, _ = self.pick()
        self.story.releases.revoke_node(self.licensees[licence], licence, guest.node)

    def stop(self) -> None:
        self.story.releases.stop(self.story.broker, self.story.subject(self.dice.choice(self.guests)))

    def withdraw_verifier(self) -> None:
        verifier = self.dice.choice(self.story.verifiers).address
        self.story.policies.withdraw_verifier(self.story.owner, self.dice.choice(self.policies), verifier)

    def burn(self) -> None:
        self.story.policies.burn(self.story.owner, DOMAIN, half(self.guests[0].platform))

    def recall(self) -> None:
        guest = self.dice.choice(self.guests)
        self.story.policies.recall(self.story.owner, DOMAIN, half(guest.workload))
        self.guests.append(Guest(platform=guest.platform))

    def withdraw_node(self) -> None:
        guest, _, policy = self.pick()
        self.story.attestations.withdraw(self.story.owner, policy, guest.node)
        self.guests.append(Guest(platform=guest.platform))

    def withdraw_policy(self) -> None:
        self.story.policies.withdraw(self.story.owner, self.dice.choice(self.policies))

    def suspend(self) -> None:
        licence = self.dice.choice(self.licences)
        self.dice.choice((self.story.licences.suspend, self.story.licences.resume))(self.story.owner, licence)

    def hand_over(self) -> None:
        licence = self.dice.choice(self.licences)
        old, new = self.licensees[licence], self.dice.choice((self.story.licensee, self.story.stranger))
        self.story.licences.offer(old, licence, new.address)
        self.story.licences.accept(new, licence)
        self.licensees[licence] = new

    def raise_lowest(self) -> None:
        if self.dice.random() < 0.3:
            self.story.models.raise_lowest(self.story.owner, self.story.model, 2)

    def license_again(self) -> None:
        end = self.story.now + self.dice.choice((500, 10 * LEASE))
        licence = licensed(self.story.chain, self.story.owner, self.story.licensee, self.story.model, end=end)
        self.licences.append(licence)
        self.licensees[licence] = self.story.licensee

    def revoke(self) -> None:
        if len(self.licences) > 1:
            self.story.licences.revoke(self.story.owner, self.licences[0])

    def withdraw_version(self) -> None:
        if self.dice.random() < 0.3:
            self.story.models.withdraw_version(self.story.owner, self.story.model, 2)

    def retire(self) -> None:
        if self.dice.random() < 0.1:
            self.story.models.retire(self.story.owner, self.story.model)


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


def test_event_files_keep_every_event(embedded_story: Scene) -> None:
    story = embedded_story
    story.release(Guest())
    events = story.chain.events(0, story.chain.head().number)
    assert load_events(dump_events(events)) == events


@pytest.mark.parametrize(
    "flaw",
    [
        lambda lines: ["{"],
        lambda lines: ["[]"],
        lambda lines: [lines[0], lines[0]],
        lambda lines: [lines[1], lines[0]],
        lambda lines: [lines[0].replace('"index"', '"place"')],
        lambda lines: [lines[0].replace("PolicyPublished", "PolicyInvented")],
        lambda lines: [lines[0].replace("PolicyRegistry", "../../registry")],
        lambda lines: [lines[0].replace('"threshold":2', '"threshold":256')],
        lambda lines: [lines[0].replace('"threshold":2', '"threshold":true')],
        lambda lines: [lines[0].replace('"0x', '"0y')],
        lambda lines: ["[" * 100_000],
    ],
)
def test_s8_a_malformed_event_file_is_refused(
    permitted: tuple[Scene, Guest], flaw: Callable[[list[str]], list[str]]
) -> None:
    chain = permitted[0].chain
    lines = dump_events(chain.events(0, chain.head().number)).splitlines()
    with pytest.raises(MalformedEvents) as refused:
        load_events("\n".join(flaw(lines)))
    assert isinstance(refused.value, ExequaturError)
    assert refused.value.where.startswith("line")
