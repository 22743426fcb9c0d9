# SPDX-License-Identifier: Apache-2.0
"""Compiled licences from grant to end on a chain with every registry: what they permit, to whom, until which second."""

from collections.abc import Iterator

import pytest

from contracts.licences import LicenceState
from contracts.records import Reason, Subject
from registry.chain.abi import interface
from registry.chain.transport import Json
from registry.errors import Reverted
from registry.licensing.model import Licence
from registry.licensing.net import Role
from registry.licensing.reading import read
from tests.fakes.contract_mutants import bases
from tests.fakes.grounds import Ground, Question, ground
from tests.fakes.licences import SAMPLES
from tests.fakes.lives import LEASE, Life
from tests.fakes.made import creations
from tests.fakes.scenes import Guest
from tests.fakes.walking import Walk, permitted

pytestmark = [pytest.mark.anvil, pytest.mark.forge]
_PACK = 1_000


@pytest.fixture(scope="module")
def field() -> Iterator[Ground]:
    with ground() as made:
        yield made


@pytest.fixture(scope="module")
def made(field: Ground) -> dict[str, tuple[Licence, bytes]]:
    """Pump as it is, and a licence with every optional move; both sell packs of a thousand and have two seats."""
    pump = read(SAMPLES["pump"]).licence
    assert pump is not None
    said = {"pump": field.fitted(pump), "largest": bases(field)[False]}
    assert all(one.packs and one.packs.size == _PACK and one.seats == 2 for one in said.values())
    return dict(zip(said, zip(said.values(), creations(list(said.values())), strict=True), strict=True))


@pytest.fixture
def pump(field: Ground, made: dict[str, tuple[Licence, bytes]]) -> Iterator[Walk]:
    yield from _begun(field, *made["pump"])


@pytest.fixture
def largest(field: Ground, made: dict[str, tuple[Licence, bytes]]) -> Iterator[Walk]:
    yield from _begun(field, *made["largest"])


def test_case_06_full_life(pump: Walk) -> None:
    life = pump.life
    permitted(pump)
    pump.to("buy", "seat", "use")
    assert _asked(life, life.ground.now) is Reason.NONE
    pump.to("unseat", "lapse")
    assert _asked(life, life.ground.now) is Reason.LICENCE
    pump.to("attest")
    assert _asked(life, life.ground.now) is Reason.NONE
    pump.to("suspend")
    assert _asked(life, life.ground.now) is Reason.LICENCE
    pump.to("resume", "seat", "revoke")
    assert _asked(life, life.ground.now) is Reason.LICENCE
    assert life.compiled.standing(life.address).state is LicenceState.REVOKED
    assert not any(
        _accepted(life, move) for move in ("pay", "activate", "suspend", "resume", "revoke", "buy")
    )


def test_case_07_permits_exactly_in_half_open_intervals(largest: Walk) -> None:
    life, ground = largest.life, largest.life.ground
    start, end = life.licence.term.starts_at, life.licence.term.ends_at
    largest.to("grant", "accept", "pay", "attest")
    ground.at(start - 1)
    assert not life.ground.ask([_activation(life)], start - 1)[0]
    assert life.ground.ask([_activation(life)], start)[0] is not None
    assert [_answers(life, when) for when in (start - 1, start, end - 1)] == [False] * 3, "before activation"
    permitted(_from(largest, "clock_start"))
    numbers, since = life.numbers, life.numbers.since
    late = numbers.as_of[1] + life.every
    _authorise(life)
    expected = {since - 1: False, since: False, numbers.as_of[1]: True, late - 1: True, late: False}
    assert {when: _answers(life, when) for when in expected} == expected
    assert [_asked(life, when) for when in (late - 1, late)] == [Reason.NONE, Reason.LICENCE]


def test_case_07_permits_ends_with_the_paid_time_and_with_the_term(largest: Walk) -> None:
    life, ground = largest.life, largest.life.ground
    permitted(largest)
    _authorise(life)
    _attested_before(life, life.numbers.paid_until)
    paid = life.numbers.paid_until
    assert [_asked(life, when) for when in (paid - 1, paid)] == [Reason.NONE, Reason.LICENCE]
    while life.numbers.paid_until < life.numbers.end:
        ground.at(min(life.numbers.paid_until, life.numbers.end) - 60)
        _made(life, "pay")
        life.numbers.paid_until += life.period
    _attested_before(life, life.numbers.end)
    end = life.numbers.end
    assert [_asked(life, when) for when in (end - 1, end)] == [Reason.NONE, Reason.LICENCE]
    ground.at(end)
    assert life.compiled.standing(life.address).state is LicenceState.EXPIRED, "recorded or not"


def test_case_08_as_many_nodes_as_seats(pump: Walk) -> None:
    life, ground = pump.life, pump.life.ground
    permitted(pump)
    pump.to("buy")
    guests = [Guest() for _ in range(3)]
    subjects = [_asking(life, guest) for guest in guests]
    until = ground.now + LEASE
    for seat in (0, 1):
        assert life.may_sit(subjects[seat], seat, until)
        life.release(subjects[seat], seat, until)
    assert not any(life.may_sit(subjects[2], seat, until) for seat in (0, 1, 2)), (
        "none is free, and none is more"
    )
    life.perform(pump.enabled("suspend"))
    ground.at(until - 2)
    assert not life.may_sit(subjects[2], 0, until + LEASE), "suspended, and both still sit"
    life.perform(pump.enabled("resume"))
    ground.at(until)
    renewed = _asking(life, guests[2])
    assert life.may_sit(renewed, 0, ground.now + LEASE), "the leases are over, so the seats are free"
    assert not life.may_sit(renewed, 2, ground.now + LEASE)
    life.release(renewed, 0, ground.now + LEASE)


def test_case_09_as_many_answers_as_were_bought(pump: Walk) -> None:
    life, ground = pump.life, pump.life.ground
    permitted(pump)
    pump.to("buy")
    _authorise(life)
    guest = life.guests[1]
    subject, until = _asking(life, guest), ground.now + LEASE
    with pytest.raises(Reverted, match="UseFailed"):
        life.release(subject, 0, until, ceiling=_PACK + 1)
    life.release(subject, 0, until, ceiling=_PACK)
    assert life.compiled.remaining(life.address) == 0
    assert _asked(life, ground.now) is Reason.NONE, "what was debited ahead may still be given"
    other = _asking(life, Guest())
    with pytest.raises(Reverted, match="UseFailed"):
        life.release(other, 1, until, ceiling=1)
    _made(life, "buy")
    life.release(other, 1, until, ceiling=_PACK)
    assert life.compiled.remaining(life.address) == 0


def test_case_25_revocation_in_the_block_of_moves_that_ran_ahead(pump: Walk) -> None:
    life, ground = pump.life, pump.life.ground
    permitted(pump)
    ground.request("evm_setAutomine", False)
    try:
        ahead = [_sent(life, Role.LICENSEE, "buy", life.numbers.turn + i, 10 - i) for i in range(3)]
        revoked = _sent(life, Role.LICENSOR, "revoke", 0, 1)
        ground.tick()
        ground.request("evm_mine")
    finally:
        ground.request("evm_setAutomine", True)
    receipts = [ground.request("eth_getTransactionReceipt", one) for one in (*ahead, revoked)]
    assert all(isinstance(one, dict) and one["status"] == "0x1" for one in receipts)
    assert len({one["blockNumber"] for one in receipts if isinstance(one, dict)}) == 1
    assert life.compiled.standing(life.address).state is LicenceState.REVOKED


def _begun(field: Ground, licence: Licence, creation: bytes) -> Iterator[Walk]:
    before = field.chain.snapshot()
    yield Walk(Life(field, licence, creation))
    field.chain.revert(before)


def _from(walk: Walk, name: str) -> Walk:
    if any(move.name == name for move in walk.life.net.enabled(walk.life.marking)):
        walk.to(name)
    return walk


def _asked(life: Life, when: int) -> Reason:
    scene = life.ground.scene
    return scene.releases.permits(scene.model, 1, life.guests[1].node, life.address, when)


def _answers(life: Life, when: int) -> bool:
    data = (
        interface("ILicence").functions["permits"].encode((life.ground.model, 1, life.guests[1].node, when))
    )
    (answer,) = life.ground.ask([Question(sender=life.address, to=life.address, data=data)], life.ground.now)
    assert answer is not None
    return bool(int.from_bytes(answer[:32], "big"))


def _authorise(life: Life) -> None:
    life.ground.tick()
    life.ground.scene.releases.authorise(life.ground.licensee, life.address, life.guests[1].node)


def _asking(life: Life, guest: Guest) -> Subject:
    life.attested(guest)
    return life.requested(guest)


def _attested_before(life: Life, instant: int) -> None:
    life.ground.at(instant - 60)
    life.numbers.as_of[1] = life.attested(life.guests[1])


def _made(life: Life, move: str) -> None:
    """A licensee's move, outside the net."""
    to, data, value = life.data(move)
    life.ground.tick()
    life.ground.chain.send(life.ground.licensee, to, data, value=value)
    life.numbers.turn += 1


def _activation(life: Life) -> Question:
    to, data, value = life.data("activate")
    return Question(sender=life.ground.licensee.address, to=to, data=data, value=value)


def _accepted(life: Life, move: str) -> bool:
    to, data, value = life.data(move)
    roles = (Role.LICENSOR, Role.LICENSEE)
    asked = [Question(sender=life.account(role), to=to, data=data, value=value) for role in roles]
    return any(answer is not None for answer in life.ground.ask(asked, life.ground.now))


def _sent(life: Life, role: Role, move: str, turn: int, tip: int) -> Json:
    """Send without waiting; the higher tip goes first in the block."""
    to, data, value = life.data(move, turn)
    ground = life.ground
    sender = life.account(role)
    ground.request("anvil_impersonateAccount", str(sender))
    return ground.request(
        "eth_sendTransaction",
        {
            "from": str(sender),
            "to": str(to),
            "data": "0x" + data.hex(),
            "value": hex(value),
            "gas": hex(300_000),
            "maxPriorityFeePerGas": hex(tip * 10**9),
            "maxFeePerGas": hex(100 * 10**9),
        },
    )
