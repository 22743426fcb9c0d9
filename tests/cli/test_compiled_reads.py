# SPDX-License-Identifier: Apache-2.0
"""What `licence show` says of a licence compiled from words, and that quick reads and wrappers say the same."""

from collections.abc import Iterator
from dataclasses import asdict
from enum import IntEnum

import pytest

from cli.output import instant
from cli.reads import licence_state
from contracts.ids import Address
from registry.chain.rpc import Reader
from registry.compiled import CompiledLicences
from tests.fakes.chains import fresh
from tests.fakes.compiled import PACK, PACK_PRICE, PRICE, granted, rented, sold, tomorrow
from tests.fakes.scenes import Scene, scene

pytestmark = pytest.mark.forge

DAY = 86_400


@pytest.fixture
def story() -> Iterator[Scene]:
    """A scene of this test's own."""
    with fresh("embedded") as chain:
        yield scene(chain)


def shown(story: Scene, licence: Address) -> dict[str, object]:
    """What is printed at the head."""
    return licence_state(Reader(story.chain.transport, story.chain.book), licence)


def _snake(name: str) -> str:
    return "".join("_" + c.lower() if c.isupper() else c for c in name)


def test_quick_reads_equal_the_wrappers(story: Scene) -> None:
    licence = granted(story.chain, story.owner, story.licensee, sold(story.model))
    reader, calls = Reader(story.chain.transport, story.chain.book), CompiledLicences(story.chain)
    terms = {name: value for name, value in asdict(calls.terms(licence)).items() if name != "places"}
    places = calls.terms(licence).places
    read = reader.compiled(licence)
    assert read is not None
    assert {_snake(name): value for name, value in read.items() if not name.startswith("places")} == terms
    assert tuple(read[f"places{index}"] for index in range(4)) == places
    standing = {
        n: int(v) if isinstance(v, IntEnum) else v for n, v in asdict(calls.standing(licence)).items()
    }
    assert {_snake(name): value for name, value in reader.standing(licence).items()} == {
        **standing,
        "remaining": 0,
    }
    assert reader.compiled(story.licence) is None
    assert reader.compiled(story.owner.address) is None


def test_a_sold_licence_is_shown_before_and_after_it_was_activated(story: Scene) -> None:
    licence = granted(story.chain, story.owner, story.licensee, sold(story.model))
    calls, says = CompiledLicences(story.chain), shown(story, licence)
    assert (says["state"], says["start"], says["end"], says["turn"]) == ("granted", None, None, 0)
    assert (says["paid"], says["paid_until"], says["answers_left"]) == (False, None, 0)
    assert says["clauses"] == {
        "length": 30 * DAY,
        "attested_every": 3_600,
        "on_failure": "suspended",
        "kinds": 2,
        "places": [756],
        "fee": "once",
        "period": None,
        "price_wei": PRICE,
        "notice": None,
        "pack": PACK,
        "pack_price_wei": PACK_PRICE,
    }
    calls.pay(story.licensee, licence, 0, PRICE)
    assert shown(story, licence)["paid"] is True
    calls.activate(story.licensee, licence, 1)
    calls.buy(story.licensee, licence, 2, 3, 3 * PACK_PRICE)
    says, standing = shown(story, licence), calls.standing(licence)
    assert (says["state"], says["turn"], says["answers_left"]) == ("active", 3, 3 * PACK)
    assert (says["start"], says["end"]) == (instant(standing.since), instant(standing.end))
    calls.suspend(story.owner, licence)
    assert shown(story, licence)["state"] == "suspended"
    calls.revoke(story.owner, licence)
    assert shown(story, licence)["state"] == "revoked"


def test_a_rented_licence_shows_what_is_paid_and_when_notice_is_over(story: Scene) -> None:
    licence = rented(story.model, tomorrow(story.now))
    address, calls = granted(story.chain, story.owner, story.licensee, licence), CompiledLicences(story.chain)
    calls.pay(story.owner, address, 0)
    story.chain.advance(licence.term.starts_at - story.now)
    calls.activate(story.licensee, address, 1)
    calls.notify(story.owner, address)
    says, standing = shown(story, address), calls.standing(address)
    assert says["answers_left"] is None
    assert (says["start"], says["end"]) == (instant(licence.term.starts_at), instant(licence.term.ends_at))
    assert (says["paid_until"], says["notice_over"]) == (
        instant(standing.paid_until),
        instant(standing.notice_over),
    )
    clauses = says["clauses"]
    assert isinstance(clauses, dict)
    assert (clauses["fee"], clauses["period"], clauses["notice"]) == ("periodic", 2 * DAY, DAY)
    assert (clauses["on_failure"], clauses["places"], clauses["price_wei"]) == ("removed", None, None)
    story.chain.advance(6 * DAY)
    assert shown(story, address)["state"] == "expired"
