# SPDX-License-Identifier: Apache-2.0
"""An audit follows compiled licences: an honest life has no findings; one with a field changed has, or the page says why not."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from contracts.ids import Digest
from contracts.licences import LicenceState
from enclave.evidence.kinds import Kind
from registry.chain.view import Event
from registry.compiled import CompiledLicences
from registry.licensing.model import Attestation, Licence
from registry.replay import dump_events, load_events
from tests.enclave.test_audit import COMPILED, audit, documented, missed
from tests.fakes.chains import fresh
from tests.fakes.compiled import PACK_PRICE, PRICE, granted, hours, rented, sold, tomorrow
from tests.fakes.desk import Desk
from tests.fakes.strangers import emitting, saying

pytestmark = pytest.mark.forge

DAY = 86_400


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with fresh("embedded") as chain:
        yield Desk.open(chain, tmp_path_factory.mktemp("desk"))


def _software(licence: Licence) -> Licence:
    """For any hardware anywhere, as a desk's guests have none."""
    return replace(licence, attestation=Attestation(every=hours(1)), territory=())


def _bought(desk: Desk) -> None:
    """A licence's life with packs: nodes debit them, what is unused is given back, the owner draws, both move it."""
    calls, broker = CompiledLicences(desk.chain), desk.broker()
    desk.licence = granted(desk.chain, desk.owner, desk.licensee, _software(sold(desk.model)))
    calls.pay(desk.licensee, desk.licence, 0, PRICE)
    calls.activate(desk.licensee, desk.licence, 1)
    calls.buy(desk.licensee, desk.licence, 2, 3, 3 * PACK_PRICE)
    guest, subject, _ = desk.asked()
    desk.settle(broker)
    desk.stop(guest, subject, 15)
    desk.anchor(guest, subject, 1, 15, final=True)
    calls.draw(desk.owner, desk.licence)
    calls.suspend(desk.owner, desk.licence)
    calls.resume(desk.owner, desk.licence, 4)
    for party in (desk.owner, desk.licensee):
        calls.rebind(party, desk.licence, desk.chain.book.releases, desk.model)
    calls.buy(desk.licensee, desk.licence, 5, 1, PACK_PRICE)
    calls.draw(desk.owner, desk.licence)
    calls.revoke(desk.owner, desk.licence)


def _rented(desk: Desk) -> None:
    """A licence's life with periods and notice, to the end of its term; nothing is metered."""
    calls, broker, chain = CompiledLicences(desk.chain), desk.broker(), desk.chain
    licence = _software(rented(desk.model, tomorrow(chain.head().timestamp)))
    desk.licence = granted(chain, desk.owner, desk.licensee, licence)
    calls.pay(desk.owner, desk.licence, 0)
    chain.advance(licence.term.starts_at - chain.head().timestamp)
    calls.activate(desk.licensee, desk.licence, 1)
    calls.pay(desk.owner, desk.licence, 2)
    guest, subject, _ = desk.asked()
    desk.settle(broker)
    desk.stop(guest, subject, 1)
    desk.anchor(guest, subject, 1, 1, final=True)
    calls.notify(desk.owner, desk.licence)
    chain.advance(6 * DAY)
    calls.expire(desk.clerk, desk.licence)


@pytest.fixture(scope="module")
def events(desk: Desk) -> list[Event]:
    """Both lives, one after the other."""
    lived, before = replace(desk), desk.chain.snapshot()
    _bought(lived)
    _rented(lived)
    happened = load_events(dump_events(lived.events()))
    desk.chain.revert(before)
    return happened


def _named(events: Sequence[Event], name: str) -> list[int]:
    return [index for index, event in enumerate(events) if event.name == name]


def test_an_honest_life_has_no_findings(desk: Desk, events: list[Event]) -> None:
    assert {finding.what: finding for finding in audit(desk, events)} == {}
    assert {event.name for event in events} >= COMPILED
    assert Kind.SOFTWARE.bit == 0


@pytest.mark.parametrize("name", sorted(COMPILED))
def test_every_field_is_held_to_something_or_documented(desk: Desk, events: list[Event], name: str) -> None:
    known = {(event, field) for event, field in documented() if event == name}
    unnoticed = missed(desk, events, name)
    assert sorted(unnoticed - known) == []
    assert sorted(known - unnoticed) == []


@pytest.mark.parametrize("name", ["Compiled", "Moved", "Metered", "Rebound"])
def test_an_event_left_out_is_found(desk: Desk, events: list[Event], name: str) -> None:
    for index in _named(events, name):
        last = events[index].args.get("move") in (b"revoke".ljust(32, b"\0"), b"expire".ljust(32, b"\0"))
        shorter = [*events[:index], *events[index + 1 :]]
        assert audit(desk, shorter) or last, events[index]


def test_a_move_by_another_or_from_another_state_is_found(desk: Desk, events: list[Event]) -> None:
    for index in _named(events, "Moved"):
        event = events[index]
        for changes in (
            {"by": desk.clerk.address if event.args["by"] != desk.clerk.address else desk.owner.address},
            {"move": Digest(b"activate".ljust(32, b"\0"))},
            {"standing": {**event.args["standing"], "state": 99}},  # type: ignore[dict-item]
        ):
            if changes.get("move") == event.args["move"] or ("by" in changes and _anyones(event)):
                continue
            copy = [*events[:index], replace(event, args={**event.args, **changes}), *events[index + 1 :]]
            assert audit(desk, copy), (event.args, changes)


def _anyones(event: Event) -> bool:
    return bytes(event.args["move"]).startswith(b"expire")  # type: ignore[call-overload]


def test_a_stranger_who_says_it_was_compiled_changes_nobody_elses_audit(
    desk: Desk, events: list[Event]
) -> None:
    compiled = events[_named(events, "Compiled")[0]]
    before = desk.chain.snapshot()
    said = saying("ICompiledLicence", "Compiled", compiled.args)
    stranger, mined = desk.chain.create(desk.clerk, emitting(said), "ILicence")
    assert [event.address for event in mined.events] == [stranger]
    assert audit(desk, desk.events()) == []
    standing = {
        **dict.fromkeys(("since", "end", "paidUntil", "noticeOver", "turn"), 0),
        "state": int(LicenceState.ACTIVE),
        "prepaid": True,
    }
    words = {
        "modelId": desk.model,
        "move": b"activate".ljust(32, b"\0"),
        "by": stranger,
        "standing": standing,
    }
    _, mined = desk.chain.create(desk.clerk, emitting(saying("ICompiledLicence", "Moved", words)), "ILicence")
    found = audit(desk, desk.events())
    assert {finding.block for finding in found} == {mined.block.number}
    desk.chain.revert(before)
