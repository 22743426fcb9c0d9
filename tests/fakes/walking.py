# SPDX-License-Identifier: Apache-2.0
"""A walk over a licence's net on a chain, driven by the rows it has not made yet, that asks everything wherever it comes."""

from collections import Counter, deque
from dataclasses import dataclass

from registry.chain.abi import interface
from registry.errors import Reverted
from registry.licensing.meaning import meaning
from registry.licensing.model import Licence
from registry.licensing.net import Marking, Move
from tests.fakes.grounds import Ground, Question
from tests.fakes.lives import MARGIN, Life, removes
from tests.fakes.probing import Disagreed, marked, probe
from tests.fakes.scenes import Guest

_SEARCHED = 4_000  # markings looked through before a walk begins again
_PATIENCE = 12  # times that time may cross a plan before its row is given up
_PAYMENTS = 20  # periods after which the end of a term is left to other licences
_HURRY = 120  # seconds within which a licence is paid and activated once it may be


@dataclass(frozen=True, slots=True, kw_only=True)
class Walked:
    """What a walk came to: rows made, rows that time never let it make, questions asked, gas by move, gas to deploy."""

    covered: frozenset[Move]
    left_out: frozenset[Move]
    questions: int
    markings: int
    gas: dict[str, int]
    deploy_gas: int


def walk(ground: Ground, licence: Licence, creation: bytes) -> Walked:
    """Walk a licence's net on a ground until every row was made; raises `Disagreed` at the first difference."""
    before = ground.chain.snapshot()
    try:
        return Walk(Life(ground, licence, creation)).run()
    finally:
        ground.chain.revert(before)


class Walk:
    """A life, the rows made so far, and a plan to the nearest row that was not."""

    def __init__(self, life: Life) -> None:
        self.life = life
        self.covered: set[Move] = set()
        self.left_out = {move for move in life.net.moves if out_of_time(life.licence, move)}
        self._barred = frozenset(self.left_out)
        self.seen: set[Marking] = set()
        self.questions = 0
        self._crossed: Counter[Move] = Counter()
        self._after: dict[Marking, tuple[tuple[Move, Marking], ...]] = {}

    def run(self) -> Walked:
        """Walk to the end."""
        life = self.life
        self._ask()
        while life.net.moves and len(self.covered | self.left_out) < len(life.net.moves):
            path = self._path(_SEARCHED)
            if path is not None:
                self._follow(path)
            elif life.marking != life.net.initial:
                life.again()
            elif (path := self._path(None)) is not None:
                self._follow(path)
            else:
                raise Disagreed("net", "a row cannot be reached")
        self._limits()
        return self._walked()

    def to(self, *names: str) -> None:
        """Go on with moves of these names in turn, the first that the net enables; what time does first happens first."""
        for name in names:
            while not self._step(self.enabled(name)):
                pass

    def enabled(self, name: str) -> Move:
        """The first enabled row of a name."""
        return next(move for move in self.life.net.enabled(self.life.marking) if move.name == name)

    def _follow(self, path: list[Move]) -> None:
        target = path[-1]
        for move in path:
            if not self._step(move):
                self._crossed[target] += 1
                if self._crossed[target] >= _PATIENCE:
                    self.left_out.add(target)
                return

    def _step(self, move: Move) -> bool:
        """Make a move, or let happen what comes before it; whether only the move happened."""
        life = self.life
        deadline = life.next_deadline()
        if not move.role.name == "TIME" and (deadline is None or deadline > life.ground.now + MARGIN):
            happened = self._made(move)
        else:
            happened = self._passed()
        self.covered.update(happened)
        self._ask()
        if life.state("L") == "Expired" and not life.numbers.recorded_end:
            self._ended()
        return happened == [move]

    def _made(self, move: Move) -> list[Move]:
        life = self.life
        before = marked(life)
        try:
            life.perform(move)
        except (Reverted, AssertionError) as error:
            raise Disagreed("walk", f"{move.label} in {before}: {error}") from error
        return [move]

    def _ended(self) -> None:
        try:
            self.life.record_end()
        except Reverted as error:
            raise Disagreed("walk", f"expire in {marked(self.life)}: {error}") from error
        self._ask()

    def _passed(self) -> list[Move]:
        deadline = self.life.next_deadline()
        if deadline is not None and deadline - 1 > self.life.ground.now:
            self.questions += probe(self.life, deadline - 1)  # the last second of how things stand
        return self.life.pass_time()

    def _ask(self) -> None:
        self.seen.add(self.life.marking)
        self.questions += probe(self.life)

    def _path(self, most: int | None) -> list[Move] | None:
        """The shortest way to a row that was not made, or None among so many markings."""
        wanted = set(self.life.net.moves) - self.covered - self.left_out
        start = self.life.marking
        came: dict[Marking, tuple[Marking, Move] | None] = {start: None}
        queue = deque([start])
        while queue and (most is None or len(came) < most):
            marking = queue.popleft()
            for move, after in self._next(marking):
                if move in wanted:
                    return [*_back(came, marking), move]
                if after not in came:
                    came[after] = (marking, move)
                    queue.append(after)
        return None

    def _next(self, marking: Marking) -> tuple[tuple[Move, Marking], ...]:
        if marking not in self._after:
            net = self.life.net
            moves = (move for move in net.enabled(marking) if move not in self._barred)
            self._after[marking] = tuple((move, net.fire(marking, move)) for move in moves)
        return self._after[marking]

    def _limits(self) -> None:
        """Notice before payment, and records that the licence does not accept, late ones among them, from the start again."""
        self.life.again()
        if self.life.licence.notice:
            self.to("grant", "accept", "notify")
            self.life.again()
        permitted(self)
        _unfit(self.life)
        _late(self.life)
        _brink(self.life)

    def _walked(self) -> Walked:
        return Walked(
            covered=frozenset(self.covered),
            left_out=frozenset(self.left_out - self.covered),
            questions=self.questions,
            markings=len(self.seen),
            gas=dict(self.life.gas),
            deploy_gas=self.life.deploy_gas,
        )


def permitted(walk: Walk) -> None:
    """Go to where the licence permits its first node."""
    life, net = walk.life, walk.life.net
    for name in ("grant", "accept", "clock_start", "pay", "activate", "attest"):
        if any(move.name == name for move in net.enabled(life.marking)):
            walk.to(name)
    assert net.permits(life.marking, 1), marked(life)


def out_of_time(licence: Licence, move: Move) -> bool:
    """Whether a row needs a period or a notice that is over only after the term is."""
    term, fee = licence.term, licence.fee
    lasts = term.ends_at - term.starts_at if term.start else term.lasts.seconds
    if fee and fee.every and fee.every.seconds + _HURRY >= lasts:
        again = "F.due" in move.take and "L.Granted" not in move.read
        if again or move.name == "clock_due":
            return True
    return bool(licence.notice) and licence.notice.seconds + _HURRY >= lasts and _waits(move, licence)


def _waits(move: Move, licence: Licence) -> bool:
    """Whether notice is over before a row; it runs before activation too, but never before the term."""
    if "W.over" in move.give:
        return licence.term.start is not None
    return "W.over" in move.read and (licence.term.start is not None or "L.Granted" not in move.take)


def _back(came: dict[Marking, tuple[Marking, Move] | None], marking: Marking) -> list[Move]:
    path: list[Move] = []
    while (step := came[marking]) is not None:
        marking, move = step
        path.append(move)
    return path[::-1]


def _unfit(life: Life) -> None:
    """Another place and other hardware than the text says, each alone."""
    meant = meaning(life.licence)
    wrong: list[tuple[str, dict[str, object]]] = []
    if meant.places:
        elsewhere = next(code for code in range(1, 1_024) if code not in meant.places)
        wrong += [("place", {"place": elsewhere}), ("place", {"place": 0}), ("place", {"place": 2_000})]
    if meant.kinds:
        wrong.append(("hardware", {"kinds": ~meant.kinds & 0xFFFFFFFF}))
    for by, changes in wrong:
        point = life.ground.chain.snapshot()
        life.attested(life.guests[2], **changes)
        _expect(life, 2, False, by)
        life.ground.chain.revert(point)


def _late(life: Life) -> None:
    """A second record a second before the first is too old, and one just then."""
    first = life.numbers.as_of[1]
    for gap, permitted_then in ((life.every - 1, True), (life.every, not removes(life.licence))):
        if first + gap + MARGIN >= min(life.numbers.end, life.numbers.paid_until):
            continue
        point = life.ground.chain.snapshot()
        life.ground.at(first + gap)
        assert life.attested(life.guests[1]) == first + gap
        _expect(life, 1, permitted_then, "gap")
        life.ground.chain.revert(point)


def _brink(life: Life) -> None:
    """A node just attested, in the last second that is paid and in the last of the term."""
    numbers = life.numbers
    for _ in range(_PAYMENTS):
        instant = min(numbers.paid_until, numbers.end)
        life.ground.at(instant - MARGIN)
        life.guests[1] = Guest()
        numbers.as_of[1] = life.attested(life.guests[1])
        for when in (instant - 1, instant):
            _expect(life, 1, life.permits(1, when), "boundary", when)
        if instant == numbers.end:
            return
        life.pay_again()


def _expect(life: Life, node: int, expected: bool, by: str, when: int = 0) -> None:
    shape, now = interface("ILicence").functions["permits"], life.ground.now
    data = shape.encode((life.ground.model, 1, life.guests[node].node, when or now))
    (answer,) = life.ground.ask([Question(sender=life.address, to=life.address, data=data)], now)
    assert answer is not None
    if bool(int.from_bytes(answer[:32], "big")) != expected:
        raise Disagreed(by, f"permits({node}) must be {expected} in {marked(life)}")
