# SPDX-License-Identifier: Apache-2.0
"""Nodes and brokers under licences compiled from words: what ends a guest, what ends a node for ever, how much credit is left."""

from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest

from contracts.licences import NEVER, UNLIMITED, LicenceRefusal, LicenceState
from contracts.records import Subject
from enclave.broker.journal import Journal
from enclave.broker.reading import Reading
from enclave.node.ending import Ending
from enclave.node.revocations import Revocations
from registry.chain.reverts import reverted_type
from registry.compiled import CompiledLicences
from registry.errors import CodeMismatch, Reverted
from registry.licences import Kind, Licences
from tests.fakes.chains import fresh
from tests.fakes.compiled import PACK, PACK_PRICE, PRICE, granted, rented, sold, tomorrow
from tests.fakes.scenes import Guest, Scene, digest, scene

pytestmark = pytest.mark.forge

DAY, HOUR = 86_400, 3_600
TPM = 2


@pytest.fixture
def bought() -> Iterator[tuple[Scene, Guest]]:
    """A sold licence, paid, active and with two packs, and a node that it lets run."""
    with fresh("embedded") as chain:
        story, guest = scene(chain), Guest()
        story.licence = granted(chain, story.owner, story.licensee, sold(story.model))
        calls = CompiledLicences(chain)
        calls.pay(story.licensee, story.licence, 0, PRICE)
        calls.activate(story.licensee, story.licence, 1)
        calls.buy(story.licensee, story.licence, 2, 2, 2 * PACK_PRICE)
        story.record(guest, kinds=TPM)
        yield story, guest


@pytest.fixture
def removing() -> Iterator[tuple[Scene, Guest]]:
    """A rented licence in its term, and a node that it lets run."""
    with fresh("embedded") as chain:
        story, guest = scene(chain), Guest()
        licence = rented(story.model, tomorrow(story.now))
        story.licence = granted(chain, story.owner, story.licensee, licence)
        calls = CompiledLicences(chain)
        calls.pay(story.owner, story.licence, 0)
        chain.advance(licence.term.starts_at - story.now)
        calls.activate(story.licensee, story.licence, 1)
        story.record(guest)
        yield story, guest


def ending(story: Scene) -> Ending:
    """What a host asks; the assignment's other parts are not looked at."""
    job = SimpleNamespace(model_id=story.model, version=1, policy_id=story.policy, licence=story.licence)
    return Ending(story.chain, job)  # type: ignore[arg-type]


def leased(story: Scene, guest: Guest) -> Subject:
    """A release, for less time than the licence's interval."""
    story.request(guest)
    subject = story.subject(guest)
    story.releases.release(story.broker, subject, 0, HOUR // 2, 100, digest())
    return subject


def test_kinds_are_told_by_what_contracts_answer(bought: tuple[Scene, Guest]) -> None:
    story, _ = bought
    licences = Licences(story.chain)
    assert licences.kind_of(story.licence) is Kind.COMPILED
    assert licences.kind_of(story.owner.address) is Kind.OTHER
    assert licences.kind_of(story.chain.book.models) is Kind.OTHER
    standing = CompiledLicences(story.chain).standing(story.licence)
    assert licences.over(story.licence) == (False, standing.end)
    with pytest.raises((Reverted, CodeMismatch)):
        licences.over(story.chain.book.models)


def test_one_wrapper_suspends_and_resumes_both_kinds(bought: tuple[Scene, Guest]) -> None:
    story, _ = bought
    calls = CompiledLicences(story.chain)
    story.licences.suspend(story.owner, story.licence)
    assert calls.standing(story.licence).state is LicenceState.SUSPENDED
    story.licences.resume(story.owner, story.licence)
    assert calls.standing(story.licence).state is LicenceState.ACTIVE
    story.licences.revoke(story.owner, story.licence)
    assert story.licences.over(story.licence)[0]


def test_money_answers_and_turns_are_exact(bought: tuple[Scene, Guest]) -> None:
    story, _ = bought
    calls, chain, licence = CompiledLicences(story.chain), story.chain, story.licence
    assert calls.standing(licence).turn == 3
    assert calls.remaining(licence) == 2 * PACK
    assert chain.balance(licence) == PRICE + 2 * PACK_PRICE
    with pytest.raises(reverted_type("WrongAmount")):
        calls.buy(story.licensee, licence, 3, 1, PACK_PRICE - 1)
    with pytest.raises(reverted_type("OutOfTurn")):
        calls.buy(story.licensee, licence, 2, 1, PACK_PRICE)
    drawn = calls.draw(story.owner, licence).event("Drawn")
    assert drawn.args == {"to": story.owner.address, "amount": PRICE + 2 * PACK_PRICE}
    assert chain.balance(licence) == 0


def test_a_licence_moves_where_both_parties_want_it(bought: tuple[Scene, Guest]) -> None:
    story, _ = bought
    calls, licence = CompiledLicences(story.chain), story.licence
    other, _ = story.models.register(
        story.owner, "other", seal_id=story.seal, policy=story.policy, uri="", broker=story.broker.address
    )
    releases = story.chain.book.releases
    calls.rebind(story.owner, licence, releases, other)
    assert calls.bound(licence) == (releases, story.model)
    calls.rebind(story.licensee, licence, releases, other)
    assert calls.bound(licence) == (releases, other)


MOVES: dict[str, Callable[[Scene], object]] = {
    "suspend": lambda s: CompiledLicences(s.chain).suspend(s.owner, s.licence),
    "revoke": lambda s: CompiledLicences(s.chain).revoke(s.owner, s.licence),
}


@pytest.mark.parametrize("move", MOVES)
def test_a_host_hears_a_licence_leave_its_active_state(bought: tuple[Scene, Guest], move: str) -> None:
    story, guest = bought
    heard = Revocations(story.chain, leased(story, guest))
    CompiledLicences(story.chain).buy(story.licensee, story.licence, 3, 1, PACK_PRICE)
    assert heard.taken() is None
    MOVES[move](story)
    assert heard.taken() == "not permitted any more: licence"


def test_a_revoked_or_ended_licence_ends_a_node_for_ever_and_a_suspended_one_does_not(
    bought: tuple[Scene, Guest],
) -> None:
    story, guest = bought
    story.releases.authorise(story.licensee, story.licence, guest.node)
    before = story.chain.snapshot()
    assert ending(story).found(guest.node) is None
    MOVES["suspend"](story)
    assert ending(story).found(guest.node) is None
    MOVES["revoke"](story)
    assert "is revoked" in str(ending(story).found(guest.node))
    story.chain.revert(before)
    story.chain.advance(31 * DAY)
    assert "has ended" in str(ending(story).found(guest.node))


def test_a_licence_that_waits_for_its_activation_has_not_ended(bought: tuple[Scene, Guest]) -> None:
    story, guest = bought
    story.licence = granted(story.chain, story.owner, story.licensee, sold(story.model))
    assert Licences(story.chain).over(story.licence) == (False, NEVER)
    assert ending(story).found(guest.node) is None


def test_a_node_that_a_licence_removed_is_removed_for_ever(removing: tuple[Scene, Guest]) -> None:
    story, guest = removing
    story.releases.authorise(story.licensee, story.licence, guest.node)
    assert ending(story).found(guest.node) is None
    story.chain.advance(HOUR)
    assert ending(story).found(guest.node) is None  # it may yet turn out to have been in time
    story.record(guest)
    found = ending(story).found(guest.node)
    assert found is not None
    assert "removed the node" in str(found)
    assert "another node" in found.hint
    args = (story.licence, story.model, 1, guest.node, story.now)
    assert CompiledLicences(story.chain).refusal(*args) is LicenceRefusal.REMOVED


def test_a_broker_counts_bought_answers_and_no_others(bought: tuple[Scene, Guest]) -> None:
    story, guest = bought
    reading = Reading(story.chain, Journal(":memory:"), frozenset(), frozenset())
    head = story.chain.head()
    assert reading._credit(story.licence, head) == 2 * PACK
    leased(story, guest)
    assert reading._credit(story.licence, story.chain.head()) == 2 * PACK - 100
    unlimited = granted(story.chain, story.owner, story.licensee, rented(story.model, tomorrow(story.now)))
    assert CompiledLicences(story.chain).remaining(unlimited) == UNLIMITED
    assert reading._credit(unlimited, story.chain.head()) is None
