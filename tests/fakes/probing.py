# SPDX-License-Identifier: Apache-2.0
"""What a licence's contract must answer wherever its net stands, asked of it all at once; what differs raises `Disagreed`."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from contracts.ids import Address, ModelId
from contracts.licences import UNLIMITED, LicenceState
from registry.chain.abi import interface
from registry.chain.reads import Words
from registry.compiled import CONTRACT, read_standing
from registry.licensing.net import Move, Role
from tests.fakes.grounds import Question
from tests.fakes.lives import Life

_PARTY = (
    "grant", "accept", "pay", "activate", "suspend", "resume", "notify", "revoke", "buy",
)  # fmt: skip
_COUNTED = ("pay", "activate", "resume", "buy")
_BOUNDS = frozenset({"credit", "owed", "room", "free"})
_NOBODY = Address(b"\x77" * 20)


class Disagreed(AssertionError):
    """A contract and its net, or its numbers, say two things; `by` is the kind of question that showed it."""

    def __init__(self, by: str, what: str) -> None:
        super().__init__(f"{by}: {what}")
        self.by, self.what = by, what


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A question, what it is about, and whether its answer is right."""

    by: str
    what: str
    asked: Question
    right: Callable[[bytes | None], bool]


def probe(life: Life, when: int | None = None) -> int:
    """Ask everything at a time, or now; returns how many questions were asked; raises `Disagreed`."""
    ground = life.ground
    time = ground.now if when is None else when
    probes = [*_moves(life), *_guards(life, time), *_meter(life), *_permits(life, time), *_standing(life)]
    answers = ground.ask([one.asked for one in probes], time)
    for one, answer in zip(probes, answers, strict=True):
        if not one.right(answer):
            raise Disagreed(one.by, f"{one.what} in {marked(life)} at {time}: {_shown(answer)}")
    return len(probes)


def marked(life: Life) -> str:
    """The marked places of a life's net."""
    held = zip(life.net.places, life.marking, strict=True)
    return " ".join(place if count == 1 else f"{count}*{place}" for place, count in held if count)


def enabled(life: Life, name: str, role: Role) -> bool:
    """Whether the net lets a role make a move; the number of packs is a bound of the search and not of the licence."""
    rows = (move for move in life.net.moves if move.name == name and move.role is role)
    return any(_reachable(life, move) for move in rows)


def _reachable(life: Life, move: Move) -> bool:
    return all(life.net.tokens(life.marking, place) for place in move.needs if place not in _BOUNDS)


def _moves(life: Life) -> Iterator[Probe]:
    """Every party move, by every party and by nobody in particular."""
    who = {"licensor": Role.LICENSOR, "licensee": Role.LICENSEE}
    senders = {name: life.account(role) for name, role in who.items()}
    for name in _PARTY:
        to, data, value = life.data(name)
        for sender, address in {
            **senders,
            "stranger": life.ground.stranger.address,
            "nobody": _NOBODY,
        }.items():
            may = sender in who and enabled(life, name, who[sender])
            asked = Question(sender=address, to=to, data=data, value=_affordable(sender, value))
            yield _accepts("walk", f"{name} by {sender}", asked, may)


def _affordable(sender: str, value: int) -> int:
    return 0 if sender in ("stranger", "nobody") else value


def _guards(life: Life, time: int) -> Iterator[Probe]:
    """What is refused whoever asks, and what anyone may."""
    numbers = life.numbers
    for name in _COUNTED:
        for role in (Role.LICENSOR, Role.LICENSEE):
            sender, (to, data, value) = life.account(role), life.data(name)
            _, late, _ = life.data(name, turn=numbers.turn + 1)
            yield _accepts("turn", f"{name} out of turn", _question(sender, to, late, value), False)
            if name in ("pay", "buy"):
                more = _question(sender, to, data, value + 1)
                yield _accepts("amount", f"{name} of a wei more", more, False)
            if value:
                less = _question(sender, to, data, value - 1)
                yield _accepts("amount", f"{name} of a wei less", less, False)
    over = life.state("L") == "Expired" and not numbers.recorded_end
    yield _accepts("walk", "expire", _plain(life, _NOBODY, "expire"), over)
    for role in (Role.LICENSOR, Role.LICENSEE):
        may = role is Role.LICENSOR and numbers.held > 0
        yield _accepts("walk", f"draw by {role}", _plain(life, life.account(role), "draw"), may)


def _meter(life: Life) -> Iterator[Probe]:
    """Answers at their bound, one below and one above, and from whom; without packs any number goes."""
    log, metered = life.ground.chain.book.releases, life.licence.packs is not None
    for name, most in (("use", life.numbers.left), ("credit", life.numbers.spent)):
        for amount in {max(most - 1, 0), most, most + 1}:
            data = interface("ILicence").functions[name].encode((amount,))
            may = amount <= most or not metered
            asked = Question(sender=log, to=life.address, data=data)
            yield _accepts("bound", f"{name} of {amount} of {most}", asked, may)
            for role in (Role.LICENSOR, Role.LICENSEE):
                other = Question(sender=life.account(role), to=life.address, data=data)
                yield _accepts("walk", f"{name} by {role}", other, False)


def _permits(life: Life, time: int) -> Iterator[Probe]:
    """`permits` now as the net says, and on both sides of every boundary as the numbers say."""
    shape = interface("ILicence").functions["permits"]
    model = life.ground.model
    for node, guest in life.guests.items():
        said = life.net.permits(life.marking, node)
        asked = [("walk", model, 1, time, said)]
        # Of a node that is gone only now and later count: before it lapsed it was as good as any.
        first = time if life.state(f"n{node}") == "Gone" else 0
        edges = [when for when in _edges(life, node) if when >= first]
        asked += [("boundary", model, 1, when, life.permits(node, when)) for when in edges]
        asked += [("walk", ModelId(bytes(32)), 1, time, False), ("walk", model, 0, time, False)]
        for by, of, version, when, expected in asked:
            data = shape.encode((of, version, guest.node, when))
            question = Question(sender=_NOBODY, to=life.address, data=data)
            yield _says(by, f"permits({node}) at {when}", question, expected)
        yield _released(life, node, time, said)


def _edges(life: Life, node: int) -> list[int]:
    numbers = life.numbers
    as_of = numbers.as_of.get(node, 0)
    edges = (numbers.since, numbers.end, numbers.paid_until, as_of, as_of + life.every)
    return sorted({edge + by for edge in edges if edge for by in (-1, 0) if edge + by < 2**40})


def _released(life: Life, node: int, time: int, said: bool) -> Probe:
    shape = interface("ReleaseLog").functions["permits"]
    guest, releases = life.guests[node], life.ground.chain.book.releases
    data = shape.encode((life.ground.model, 1, guest.node, life.address, time))
    expected = said and node in life.authorised
    return _says("walk", f"ReleaseLog.permits({node})", _question(_NOBODY, releases, data, 0), expected)


def _standing(life: Life) -> Iterator[Probe]:
    numbers, licence = life.numbers, life.licence
    expected = (
        LicenceState[life.state("L").upper()],
        numbers.prepaid,
        numbers.since,
        numbers.end,
        numbers.paid_until,
        numbers.notice_over,
        numbers.turn,
    )
    yield _reads(life, "standing", lambda found: _stood(found) == expected, str(expected))
    left = numbers.left if licence.packs else UNLIMITED
    yield _reads(life, "remaining", lambda found: found == {"": left}, str(left))
    yield _reads(life, "seats", lambda found: found == {"": licence.seats}, str(licence.seats))


def _stood(found: dict[str, object]) -> tuple[object, ...]:
    held = read_standing(Words(found))
    return (
        held.state,
        held.prepaid,
        held.since,
        held.end,
        held.paid_until,
        held.notice_over,
        held.turn,
    )


def _reads(life: Life, function: str, right: Callable[[dict[str, object]], bool], expected: str) -> Probe:
    shape = interface(CONTRACT if function != "seats" else "ILicence").functions[function]

    def judged(answer: bytes | None) -> bool:
        if answer is None:
            return False
        (found,) = shape.decode(answer)
        return right(found if isinstance(found, dict) else {"": found})

    asked = Question(sender=_NOBODY, to=life.address, data=shape.encode(()))
    return Probe(by="standing", what=f"{function} is not {expected}", asked=asked, right=judged)


def _plain(life: Life, sender: Address, function: str) -> Question:
    return _question(sender, life.address, interface(CONTRACT).functions[function].encode(()), 0)


def _question(sender: Address, to: Address, data: bytes, value: int) -> Question:
    return Question(sender=sender, to=to, data=data, value=value)


def _accepts(by: str, what: str, asked: Question, may: bool) -> Probe:
    said = f"{what} must {'go through' if may else 'be refused'}"
    return Probe(by=by, what=said, asked=asked, right=lambda answer: (answer is not None) == may)


def _says(by: str, what: str, asked: Question, expected: bool) -> Probe:
    def right(answer: bytes | None) -> bool:
        return answer is not None and bool(int.from_bytes(answer[:32], "big")) == expected

    return Probe(by=by, what=f"{what} must be {expected}", asked=asked, right=right)


def _shown(answer: bytes | None) -> str:
    return "refused" if answer is None else f"0x{answer.hex()}"
