# SPDX-License-Identifier: Apache-2.0
"""Replay answers as compiled licences and the contracts do, through their whole life and whatever happened before."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from contracts.ids import Address, ModelId, PolicyId
from contracts.licences import LicenceRefusal, LicenceStanding, LicenceState
from contracts.records import Reason
from registry.chain.abi import interface
from registry.chain.embedded import EmbeddedTransport
from registry.chain.reads import Words
from registry.chain.transport import Json
from registry.chain.view import Event
from registry.compiled import CompiledLicences, read_standing
from registry.errors import NotReplayable, Reverted
from registry.replay import State, fold
from registry.speaking import move_of
from registry.terms import Compiled
from tests.fakes.chains import fresh
from tests.fakes.compiled import granted, rented, sold, tomorrow
from tests.fakes.scenes import Guest, Scene, digest, scene

pytestmark = pytest.mark.forge

DAY = 86_400
STEPS = 45
SEED = 20_261_123
TPM = 2  # a record's bit for it
MOVES = ("pay", "activate", "buy", "suspend", "resume", "resume", "notify", "revoke", "expire")
STIPEND = 100_000  # `Permission.CALL_GAS`
SURE = 120  # seconds within which a test's own transactions are mined


@pytest.fixture(params=["sold", "rented"])
def story(request: pytest.FixtureRequest) -> Iterator[Scene]:
    """A scene whose licence was compiled."""
    with fresh("embedded") as chain:
        made = scene(chain)
        chain.advance(DAY - made.now % DAY)  # so that every run has the same time of day
        licence = sold(made.model) if request.param == "sold" else rented(made.model, tomorrow(made.now))
        made.licence = granted(chain, made.owner, made.licensee, licence)
        yield made


@dataclass(slots=True)
class Life:
    """Does what the parties may do, in any order, and compares after each step."""

    story: Scene
    dice: random.Random
    state: State = field(default_factory=State)
    read: int = 0
    seen: set[object] = field(default_factory=set)
    guests: list[Guest] = field(default_factory=lambda: [Guest(), Guest()])
    policies: list[PolicyId] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.policies.append(self.story.policy)
        for guest in self.guests:
            self.story.releases.authorise(self.story.licensee, self.story.licence, guest.node)
        self.follow()

    @property
    def calls(self) -> CompiledLicences:
        """The licence on the chain."""
        return CompiledLicences(self.story.chain)

    @property
    def held(self) -> Compiled:
        """The licence as replayed."""
        held = self.state.terms[self.story.licence]
        assert isinstance(held, Compiled)
        return held

    def step(self) -> None:
        """One thing that happens; a move that is refused must be one that cannot be made."""
        acts = [self.move, self.move, self.record, self.record, self.record, self.advance, self.other]
        self.dice.choice(acts)()
        self.follow()

    def move(self) -> None:
        """A move of the licence by whoever may make it."""
        now = self.story.now
        names = [name for name in MOVES if self.held.after(name, now)] if self.dice.random() < 0.7 else MOVES
        name = self.dice.choice(names or MOVES)
        ending = name == "revoke" or (name == "notify" and self.held.standing.state is LicenceState.GRANTED)
        if ending and self.dice.random() < 0.9:
            return
        possible = self.held.after(name, now) and self.held.after(name, now + SURE)
        try:
            self.make(name)
        except Reverted:
            assert not possible, (name, now, self.held)

    def make(self, name: str) -> None:
        """Make a move as the contract asks for it."""
        story, licence, turn, terms = self.story, self.story.licence, self.held.standing.turn, self.held.terms
        payer = story.licensee if terms.price else story.owner
        moves: dict[str, Callable[[], object]] = {
            "pay": lambda: self.calls.pay(payer, licence, turn, terms.price),
            "activate": lambda: self.calls.activate(story.licensee, licence, turn),
            "buy": lambda: self.calls.buy(story.licensee, licence, turn, 2, 2 * terms.pack_price),
            "suspend": lambda: self.calls.suspend(story.owner, licence),
            "resume": lambda: self.calls.resume(story.owner, licence, turn),
            "notify": lambda: self.calls.notify(story.owner, licence),
            "revoke": lambda: self.calls.revoke(story.owner, licence),
            "expire": lambda: self.calls.expire(story.stranger, licence),
        }
        moves[name]()

    def record(self) -> None:
        """A node passes attestation, somewhere, with something."""
        guest, policy = self.dice.choice(self.guests), self.dice.choice(self.policies)
        kinds, place = self.dice.choice((TPM, TPM, TPM, 1 << 30)), self.dice.choice((756, 756, 756, 0, 276))
        self.try_(lambda: self.story.record(guest, policy=policy, kinds=kinds, place=place))

    def advance(self) -> None:
        """Time passes."""
        self.story.chain.advance(self.dice.choice((60, 1_000, 1_700, 1_700, 3_500, 3_600, 7_300, DAY)))

    def other(self) -> None:
        """What others do: policies change, nodes come and go."""
        story, guest = self.story, self.dice.choice(self.guests)
        acts: tuple[Callable[[], object], ...] = (
            lambda: self.policies.append(story.policies.publish(story.owner, story.enforced, digest())[0]),
            lambda: story.models.name_next(
                story.owner, story.model, 1, self.dice.choice(self.policies), story.now + 5_000
            ),
            lambda: story.attestations.withdraw(story.owner, self.policies[-1], guest.node),
            lambda: self.guests.append(Guest()),
            lambda: story.releases.authorise(story.licensee, story.licence, guest.node),
            lambda: story.releases.authorise(story.licensee, story.licence, guest.node),
        )
        self.try_(self.dice.choice(acts))

    def try_(self, act: Callable[[], object]) -> None:
        """Do something that may be refused."""
        try:
            act()
        except Reverted:
            pass

    def follow(self) -> None:
        """Read what happened, hold each move to what replay makes of it, and compare all answers."""
        chain = self.story.chain
        head = chain.head()
        for event in chain.events(self.read, head.number):
            if event.name == "Moved":
                self.moved(event)
            self.state = fold([event], self.state)
        self.read = head.number + 1
        self.compare()

    def moved(self, event: Event) -> None:
        """A move leaves the licence as it would here."""
        words = Words(event.args)
        self.seen.add(move_of(words))
        expected = self.held.after(move_of(words), event.block.timestamp)
        assert expected == read_standing(words.struct("standing"))

    def compare(self) -> None:
        """Standing, terms and answers to many questions, as the contracts give them at the head."""
        story, held, head = self.story, self.held, self.story.chain.head()
        licence = story.licence
        assert self.calls.terms(licence, head) == held.terms
        assert self.calls.standing(licence, head) == held.at(head.timestamp)
        assert self.calls.remaining(licence, head) == held.remaining
        assert self.calls.bound(licence, head) == (story.chain.book.releases, held.model_id)
        for when in self.dice.choices(sorted(self.instants(held.standing, head.timestamp)), k=3):
            guest, version = self.dice.choice(self.guests), self.dice.choice((1, 1, 1, 1, 1, 1, 1, 2))
            args = (story.model, version, guest.node, licence, when)
            asked = story.chain.call(licence, "ICompiledLicence", "permits", *args[:3], when, at=head)
            refusal = self.state.refusal_of(licence, *args[:3], when)
            assert asked == (refusal is LicenceRefusal.NONE, int(refusal)), (when, refusal)
            reason = story.releases.permits(*args, at=head)
            assert reason is self.state.permits(*args)
            self.seen |= {refusal, reason}

    def instants(self, standing: LicenceStanding, now: int) -> set[int]:
        """Where answers may change, and a second before each."""
        records = [one.record for one in self.state.records.values()]
        edges = {now, standing.since, standing.end, standing.paid_until, standing.end - DAY}
        edges |= {record.as_of for record in records} | {record.expiry for record in records}
        edges |= {record.as_of + self.held.terms.every for record in records}
        return {edge - less for edge in edges for less in (0, 1) if 0 < edge - less < 2**40}


LIVES = 2
EVERY = 3_600


def test_replay_equals_a_compiled_licence_through_random_lives(story: Scene) -> None:
    seen: set[object] = set()
    for number in range(LIVES):
        before = story.chain.snapshot()
        life = Life(story, random.Random(SEED + number))
        for _ in range(STEPS):
            life.step()
        seen |= life.seen
        story.chain.revert(before)
    assert {"pay", "activate", "suspend", "resume"} <= seen
    assert Reason.LICENCE in seen
    assert len([one for one in seen if isinstance(one, LicenceRefusal)]) >= 6, seen


def _at(life: Life, when: int, guest: Guest, version: int = 1) -> LicenceRefusal:
    """What contract and replay both say of a node."""
    story = life.story
    args = (story.model, version, guest.node, when)
    asked = story.chain.call(story.licence, "ICompiledLicence", "permits", *args)
    refusal = life.state.refusal_of(story.licence, *args)
    assert asked == (refusal is LicenceRefusal.NONE, int(refusal))
    whole = (story.model, version, guest.node, story.licence, when)
    assert story.releases.permits(*whole) is life.state.permits(*whole)
    return refusal


@pytest.mark.parametrize("story", ["sold"], indirect=True)
def test_every_refusal_of_a_sold_licence_at_its_first_and_last_second(story: Scene) -> None:
    life, (guest, other) = Life(story, random.Random(SEED)), (Guest(), Guest())
    assert _at(life, story.now, guest) is LicenceRefusal.NOT_ACTIVATED
    story.record(guest, kinds=TPM)
    life.make("pay")
    life.follow()
    life.make("activate")
    life.follow()
    since, end = life.held.standing.since, life.held.standing.end
    assert end == since + 30 * DAY
    record = story.attestations.record_of(story.policy, guest.node)
    assert record is not None
    assert _at(life, since - 1, guest) is LicenceRefusal.NOT_YET
    assert _at(life, since, guest) is LicenceRefusal.NONE
    assert _at(life, since, other) is LicenceRefusal.NO_RECORD
    assert _at(life, record.as_of + EVERY - 1, guest) is LicenceRefusal.NONE
    assert _at(life, record.as_of + EVERY, guest) is LicenceRefusal.STALE
    assert _at(life, record.expiry, guest) is LicenceRefusal.NO_RECORD
    assert _at(life, end, guest) is LicenceRefusal.ENDED
    assert _at(life, since, guest, version=0) is LicenceRefusal.OTHER_MODEL


@pytest.mark.parametrize("story", ["sold"], indirect=True)
def test_a_sold_licence_asks_for_hardware_and_place_and_stops_at_its_owners_word(story: Scene) -> None:
    life, (guest, other) = Life(story, random.Random(SEED)), (Guest(), Guest())
    story.record(guest, kinds=TPM)
    for move in ("pay", "activate"):
        life.make(move)
        life.follow()
    story.releases.authorise(story.licensee, story.licence, guest.node)
    life.follow()
    assert _at(life, story.now, guest) is LicenceRefusal.NONE
    assert life.state.permits(story.model, 1, guest.node, story.licence, story.now) is Reason.NONE
    story.record(other, kinds=1)
    life.follow()
    assert _at(life, story.now, other) is LicenceRefusal.HARDWARE
    story.record(other, kinds=TPM, place=276)
    life.follow()
    assert _at(life, story.now, other) is LicenceRefusal.PLACE
    life.make("suspend")
    life.follow()
    assert _at(life, story.now, guest) is LicenceRefusal.SUSPENDED
    life.make("resume")
    life.follow()
    assert _at(life, life.held.standing.since - 1, guest) is LicenceRefusal.NOT_YET
    life.make("revoke")
    life.follow()
    assert _at(life, story.now, guest) is LicenceRefusal.REVOKED


@pytest.mark.parametrize("story", ["rented"], indirect=True)
def test_a_rented_licence_asks_for_each_payment_and_removes_for_ever(story: Scene) -> None:
    life, guest = Life(story, random.Random(SEED)), Guest()
    story.chain.advance(life.held.terms.start - story.now - SURE)
    story.record(guest)
    life.make("pay")
    life.follow()
    assert life.held.after("activate", life.held.terms.start - 1) is None
    story.chain.advance(life.held.terms.start - story.now)
    life.make("activate")
    life.follow()
    paid_until = life.held.standing.paid_until
    assert paid_until == life.held.standing.since + 2 * DAY
    assert _at(life, story.now, guest) is LicenceRefusal.NONE
    story.chain.advance(EVERY)
    story.record(guest)
    life.follow()
    assert _at(life, story.now, guest) is LicenceRefusal.REMOVED
    for when, expected in ((paid_until - 1, LicenceRefusal.NO_RECORD), (paid_until, LicenceRefusal.UNPAID)):
        assert _at(life, when, guest) is expected
    story.chain.advance(paid_until - story.now)
    life.make("pay")
    life.follow()
    assert life.held.standing.paid_until == story.now + 2 * DAY
    life.make("notify")
    life.follow()
    assert life.held.after("revoke", life.held.standing.notice_over - 1) is None
    story.chain.advance(life.held.standing.end - story.now)
    life.follow()
    life.make("expire")
    life.follow()
    assert _at(life, life.held.standing.end - 1, guest) is LicenceRefusal.ENDED


@pytest.mark.parametrize("story", ["rented"], indirect=True)
def test_a_licence_under_notice_is_neither_paid_for_nor_revoked_before_that_is_over(story: Scene) -> None:
    life = Life(story, random.Random(SEED))
    life.make("notify")
    life.follow()
    over = life.held.standing.notice_over
    assert over == life.held.terms.start + life.held.terms.notice
    for move in ("pay", "revoke"):
        assert life.held.after(move, story.now) is None
        with pytest.raises(Reverted):
            life.make(move)
    assert life.held.after("revoke", over - 1) is None
    story.chain.advance(over - story.now)
    life.make("revoke")
    life.follow()
    assert life.held.standing.state is LicenceState.REVOKED


@pytest.mark.parametrize("story", ["sold"], indirect=True)
def test_an_answer_fits_the_gas_it_is_given_while_two_policies_count(story: Scene) -> None:
    life, guest = Life(story, random.Random(SEED)), Guest()
    for move in ("pay", "activate"):
        life.make(move)
        life.follow()
    following, _ = story.policies.publish(story.owner, story.enforced, digest())
    story.models.name_next(story.owner, story.model, 1, following, story.now + EVERY)
    story.record(guest, kinds=1)
    story.record(guest, policy=following, kinds=TPM)
    life.follow()
    assert _at(life, story.now, guest) is LicenceRefusal.NONE
    asked = interface("ICompiledLicence").functions["permits"]
    data = asked.encode((story.model, 1, guest.node, story.now))
    transport = story.chain.transport
    assert isinstance(transport, EmbeddedTransport)
    call: dict[str, Json] = {"to": str(story.licence), "data": "0x" + data.hex()}
    assert transport.gas_of(call, STIPEND) < 0.75 * STIPEND


@pytest.mark.parametrize("story", ["sold"], indirect=True)
def test_a_licence_that_was_moved_elsewhere_is_replayed_once_it_is_back(story: Scene) -> None:
    life, guest, book = Life(story, random.Random(SEED)), Guest(), story.chain.book
    for move in ("pay", "activate"):
        life.make(move)
        life.follow()
    story.record(guest, kinds=TPM)
    wiring = (book.models, book.policies, book.attestations, book.licences)
    other, _ = story.chain.deploy(story.owner, "ReleaseLog", *wiring)

    def rebind(to: Address) -> State:
        for party in (story.owner, story.licensee):
            life.calls.rebind(party, story.licence, to, story.model)
        return fold(story.chain.events(0, story.chain.head().number))

    asked = (story.licence, story.model, 1, guest.node, story.now)
    moved = rebind(other)
    assert life.calls.bound(story.licence) == (other, story.model)
    with pytest.raises(NotReplayable):
        moved.refusal_of(*asked)
    assert moved.refusal_of(story.licence, ModelId(digest()), *asked[2:]) is LicenceRefusal.OTHER_MODEL
    back = rebind(book.releases)
    assert back.refusal_of(*asked) is LicenceRefusal.NONE
    assert back.terms[story.licence].model_id == story.model
