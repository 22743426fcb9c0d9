# SPDX-License-Identifier: Apache-2.0
"""One compiled licence on a ground: every move of its net made for real, and its own reckoning of every deadline.

Party moves are the parties' transactions, `attest` a signed verdict that is recorded, `seat` a key request and its release,
`unseat` a lease that ends, `replace` a guest with new keys, and time passes on the chain. Only `use` and `back` are sent
from the release log's address instead of through a renewal: their caller is all that counts there.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from contracts.ids import Address
from contracts.licences import NEVER
from contracts.records import Subject
from registry.chain.abi import interface
from registry.chain.view import Mined
from registry.compiled import CONTRACT, CompiledLicences
from registry.licences import Licences
from registry.licensing.meaning import meaning
from registry.licensing.model import Licence, OnFailure
from registry.licensing.net import Marking, Move, Net, Role, net_of
from tests.fakes.grounds import Ground, Question
from tests.fakes.scenes import Guest, digest

LEASE = 600
MARGIN = 30  # seconds that the transactions of one move may take
_UNSAID_PLACE = 756
_ANSWERS = 10  # what one use debits where the text sells no packs


@dataclass(slots=True, kw_only=True)
class Reckoning:
    """What the licence must say of itself, reckoned from its text and from when each move was made."""

    since: int = 0
    end: int = 0
    paid_until: int = 0
    notice_over: int = 0
    turn: int = 0
    prepaid: bool = False
    recorded_end: bool = False
    left: int = 0
    spent: int = 0
    held: int = 0
    as_of: dict[int, int] = field(default_factory=dict)
    until: dict[int, int] = field(default_factory=dict)
    sits: dict[int, int] = field(default_factory=dict)


class Life:
    """A licence from its creation on; `again` goes back there."""

    def __init__(self, ground: Ground, licence: Licence, creation: bytes) -> None:
        self.ground, self.licence = ground, licence
        self.net: Net = net_of(licence, nodes=2, seats=min(2, licence.seats), packs=1)
        self.compiled, self.registry = CompiledLicences(ground.chain), Licences(ground.chain)
        self._moves: dict[str, Callable[[Move], None]] = {
            "grant": lambda _: self._registered("grant"),
            "accept": lambda _: self._registered("accept"),
            "attest": lambda move: self._attest(move.node or 0),
            "withdraw": self._withdraw,
            "replace": self._replace,
            "seat": self._seat,
            "use": lambda _: self._meter("use"),
            "back": lambda _: self._meter("credit"),
            "settle": lambda _: None,
        }
        ground.tick()
        self.address, mined = self.compiled.deploy(ground.owner, creation)
        self.deploy_gas, self.gas = mined.gas, dict[str, int]()
        self._begin()
        self._start = ground.chain.snapshot()

    @property
    def period(self) -> int:
        """Seconds one payment is good for; 0 for a fee paid once or none."""
        fee = self.licence.fee
        return fee.every.seconds if fee and fee.every else 0

    @property
    def pack(self) -> int:
        """Answers that one `use` debits."""
        return self.licence.packs.size if self.licence.packs else _ANSWERS

    @property
    def every(self) -> int:
        """Seconds within which a node must have been attested."""
        return self.licence.attestation.every.seconds

    def again(self) -> None:
        """Back to the moment after its creation."""
        self.ground.chain.revert(self._start)
        self._start = self.ground.chain.snapshot()
        self._begin()

    def state(self, family: str) -> str:
        """Which place of a family is marked."""
        return self.net.state(self.marking, family)

    def account(self, role: Role) -> Address:
        """Who holds a party's role."""
        return (self.ground.owner if role is Role.LICENSOR else self.ground.licensee).address

    def data(self, move: str, turn: int | None = None) -> tuple[Address, bytes, int]:
        """Where a party's move is sent, its calldata and the exact wei."""
        if move in ("grant", "accept"):
            shape = interface("LicenceRegistry").functions[move]
            granted = (self.address, self.ground.model, 1, self.ground.licensee.address)
            encoded = shape.encode(granted if move == "grant" else (self.address,))
            return self.ground.chain.book.licences, encoded, 0
        turns = (self.numbers.turn if turn is None else turn,) if move in _COUNTED else ()
        args = (*turns, 1) if move == "buy" else turns
        return self.address, interface(CONTRACT).functions[move].encode(args), self.price(move)

    def price(self, move: str) -> int:
        """Wei that a move must come with."""
        due = {"pay": self.licence.fee, "buy": self.licence.packs}.get(move)
        return due.price.wei if due and due.price.in_ether else 0

    def deadline(self, move: Move) -> int:
        """When time makes a move that is enabled now."""
        numbers, node = self.numbers, move.node or 0
        match move.name:
            case "clock_start":
                return self.licence.term.starts_at
            case "clock_due":
                return numbers.paid_until - (self.period if "F.ahead" in move.take else 0)
            case "clock_notice":
                return numbers.notice_over
            case "expire":
                return numbers.end
            case "lapse":
                return numbers.as_of[node] + self.every
        return numbers.until[node]

    def next_deadline(self) -> int | None:
        """The earliest time at which anything happens by itself."""
        return min((self.deadline(move) for move in self._timed()), default=None)

    def pass_time(self) -> list[Move]:
        """Let time pass to the next deadline and no further; what happened by itself, in order."""
        deadline = self.next_deadline()
        assert deadline is not None
        if deadline > self.ground.now:
            self.ground.at(deadline)
        return self._due()

    def perform(self, move: Move) -> None:
        """Make a party's or a log's move on chain, then in the net."""
        self._moves.get(move.name, self._by_party)(move)
        self.marking = self.net.fire(self.marking, move)

    def record_end(self) -> None:
        """Have a stranger record that the term is over."""
        self.ground.tick()
        mined = self.compiled.expire(self.ground.stranger, self.address)
        self.gas["expire"] = mined.gas
        self.numbers.turn += 1
        self.numbers.recorded_end = True

    def pay_again(self) -> None:
        """Pay for the next period of an active licence, outside the net."""
        self._by_party(
            next(move for move in self.net.moves if move.name == "pay" and "L.Active" in move.read)
        )

    def permits(self, node: int, when: int) -> bool:
        """What the licence must answer for a node about any time, as things stand."""
        numbers, recorded = self.numbers, self.numbers.as_of.get(node)
        if self.state("L") != "Active" or self.state(f"n{node}") in ("Absent", "Gone") or recorded is None:
            return False
        lived = numbers.since <= when < min(numbers.end, numbers.paid_until)
        return lived and recorded <= when < recorded + self.every

    def attested(self, guest: Guest, **changes: object) -> int:
        """Record a verdict that the licence accepts, but for `changes`; returns its time."""
        meant = meaning(self.licence)
        said: dict[str, object] = {
            "kinds": meant.kinds & -meant.kinds or 1,
            "place": min(meant.places, default=_UNSAID_PLACE),
        }
        scene, ground = self.ground.scene, self.ground
        ground.at(0)
        verdict = replace(scene.verdict(guest), **{**said, **changes})  # type: ignore[arg-type]
        ground.tick()
        scene.attestations.record(ground.stranger, verdict, scene.signatures(verdict))
        return verdict.as_of

    def subject(self, guest: Guest) -> Subject:
        """What a release rests on: the guest's record of now."""
        return replace(self.ground.scene, licence=self.address).subject(guest)

    def requested(self, guest: Guest) -> Subject:
        """Authorise a guest and ask for its key."""
        ground, scene = self.ground, self.ground.scene
        ground.tick()
        scene.releases.authorise(ground.licensee, self.address, guest.node)
        ground.tick()
        asked = (scene.model, 1, scene.policy, guest.node, self.address)
        _, mined = scene.releases.request(ground.licensee, *asked)
        self.gas["request_key"] = mined.gas
        return self.subject(guest)

    def release(self, subject: Subject, seat: int, until: int, ceiling: int = 1) -> Mined:
        """Release the key on a seat until a time, for so many answers more."""
        self.ground.tick()
        duration = until - self.recorded_at(subject)
        return self.ground.scene.releases.release(
            self.ground.broker, subject, seat, duration, ceiling, digest()
        )

    def recorded_at(self, subject: Subject) -> int:
        """When the record that a release rests on was recorded."""
        record = self.ground.scene.attestations.record_of(subject.policy_id, subject.node_id)
        assert record is not None
        return record.recorded_at

    def may_sit(self, subject: Subject, seat: int, until: int) -> bool:
        """Whether the release log would release on a seat now."""
        from registry.releases import subject_words

        duration = until - self.recorded_at(subject)
        shape = interface("ReleaseLog").functions["releaseKey"]
        data = shape.encode((subject_words(subject), seat, duration, 1, digest()))
        asked = Question(sender=self.ground.broker.address, to=self.ground.chain.book.releases, data=data)
        return self.ground.ask([asked], self.ground.now)[0] is not None

    def _begin(self) -> None:
        self.marking: Marking = self.net.initial
        self.guests = {node: _guest() for node in range(1, self.net.nodes + 1)}
        self.authorised: set[int] = set()
        free = self.licence.fee is None
        self.numbers = Reckoning(end=self.licence.term.ends_at, paid_until=NEVER if free else 0)

    def _timed(self) -> list[Move]:
        return [move for move in self.net.enabled(self.marking) if move.role is Role.TIME]

    def _due(self) -> list[Move]:
        happened, now = [], self.ground.now
        while due := [move for move in self._timed() if self.deadline(move) <= now]:
            move = min(due, key=lambda one: (self.deadline(one), one.name == "expire"))
            self.marking = self.net.fire(self.marking, move)
            if move.name == "unseat":
                self.numbers.sits.pop(move.node or 0)
            happened.append(move)
        return happened

    def _by_party(self, move: Move) -> None:
        ground, (to, data, value) = self.ground, self.data(move.name)
        ground.tick()
        sender = ground.owner if move.role is Role.LICENSOR else ground.licensee
        mined = ground.chain.send(sender, to, data, value=value, contract=CONTRACT)
        self.gas[move.name] = mined.gas
        self._reckon(move.name, mined.block.timestamp, value)

    def _reckon(self, move: str, time: int, value: int) -> None:
        numbers, licence = self.numbers, self.licence
        numbers.turn += 1
        numbers.held += value
        if move == "pay" and self.state("L") == "Granted":
            numbers.prepaid = True
        elif move == "pay":
            numbers.paid_until = max(numbers.paid_until, time) + self.period
        elif move == "activate":
            numbers.since = time
            numbers.end = numbers.end or time + licence.term.lasts.seconds
            numbers.paid_until = time + self.period if self.period else NEVER
        elif move == "resume":
            numbers.since = time
        elif move == "notify" and licence.notice:
            numbers.notice_over = max(time, licence.term.starts_at) + licence.notice.seconds
        elif move == "buy":
            numbers.left += self.pack

    def _registered(self, move: str) -> None:
        ground = self.ground
        ground.tick()
        if move == "grant":
            granted = (self.address, ground.model, 1, ground.licensee.address)
            mined = self.registry.grant(ground.owner, *granted)
        else:
            mined = self.registry.accept(ground.licensee, self.address)
        self.gas[move] = mined.gas

    def _attest(self, node: int) -> None:
        self.numbers.as_of[node] = self.attested(self.guests[node])

    def _withdraw(self, move: Move) -> None:
        scene = self.ground.scene
        self.ground.tick()
        scene.attestations.withdraw(self.ground.owner, scene.policy, self.guests[move.node or 0].node)

    def _replace(self, move: Move) -> None:
        node = move.node or 0
        self.guests[node] = _guest()
        self.authorised.discard(node)
        self.numbers.as_of.pop(node, None)

    def _seat(self, move: Move) -> None:
        node = move.node or 0
        self._attest(node)  # a key is released once for a record
        subject = self.requested(self.guests[node])
        self.authorised.add(node)
        numbers = self.numbers
        until = min(
            numbers.as_of[node] + self.every, numbers.end, numbers.paid_until, self.ground.now + LEASE
        )
        free = next(index for index in self._seats() if index not in numbers.sits.values())
        self._stock(subject, free, until)
        refused = [self.licence.seats, *numbers.sits.values()]
        assert not any(self.may_sit(subject, index, until) for index in refused), "a seat too many"
        self.gas["release_key"] = self.release(subject, free, until, ceiling=1).gas
        self._meter("credit", 1, known=False)
        numbers.until[node], numbers.sits[node] = until, free

    def _stock(self, subject: Subject, seat: int, until: int) -> None:
        """A release debits an answer at least, so that with none left there is no seat until a pack is bought."""
        if self.licence.packs and not self.numbers.left:
            assert not self.may_sit(subject, seat, until), "a release of an answer that was not bought"
            self._by_party(next(move for move in self.net.moves if move.name == "buy"))

    def _seats(self) -> range:
        """The last seats of the licence, as many as the net has."""
        return range(self.licence.seats - 1, max(-1, self.licence.seats - 1 - self.net.nodes), -1)

    def _meter(self, function: str, amount: int = 0, *, known: bool = True) -> None:
        amount = amount or self.pack
        data = interface("ILicence").functions[function].encode((amount,))
        self.gas[function] = self.ground.as_releases(self.address, data).gas
        if self.licence.packs and known:
            moved = amount if function == "use" else -amount
            self.numbers.left -= moved
            self.numbers.spent += moved


_COUNTED = frozenset({"pay", "activate", "resume", "buy"})


def removes(licence: Licence) -> bool:
    """Whether a node that once was late is refused for ever."""
    return licence.on_failure is OnFailure.REMOVE


def _guest() -> Guest:
    return Guest()
