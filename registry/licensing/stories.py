# SPDX-License-Identifier: Apache-2.0
"""What goes wrong in a net, told as what people and machines do one after another, never as a net."""

from dataclasses import dataclass

from registry.licensing.net import Move, Role

_WHO = {
    Role.LICENSOR: "the licensor",
    Role.LICENSEE: "the licensee",
    Role.LOG: "the registry",
    Role.TIME: "the clock",
}
_TOLD = {
    "grant": "{who} offers the licence",
    "accept": "{who} accepts it",
    "pay": "{who} {pays} the fee",
    "activate": "{who} activates the licence",
    "suspend": "{who} suspends the licence",
    "resume": "{who} takes the suspension back",
    "notify": "{who} gives notice",
    "revoke": "{who} revokes the licence",
    "expire": "the term ends",
    "clock_start": "the term begins",
    "clock_notice": "the notice runs out",
    "buy": "{who} {buys} a pack of answers",
    "attest": "{node} passes attestation",
    "withdraw": "the attestation of {node} is withdrawn",
    "replace": "a new machine takes the place of {node}",
    "seat": "{node} takes a seat",
    "unseat": "{node} leaves its seat",
    "use": "{node} answers with the model",
    "back": "an answer that was not given is credited back",
    "settle": "an answer is counted as given",
}
_WHILE = {
    "R.Draft": "the licence is not offered",
    "R.Offered": "the licence is not accepted",
    "R.Accepted": "the licence is accepted",
    "L.Granted": "the licence waits for activation",
    "L.Active": "the licence is active",
    "L.Suspended": "the licence is suspended",
    "L.Revoked": "the licence is revoked",
    "L.Expired": "the licence is expired",
    "T.before": "the term has not begun",
    "T.term": "the term runs",
    "T.after": "the term is over",
    "F.due": "the fee is due",
    "F.paid": "the fee is paid",
    "F.ahead": "the fee is paid ahead",
    "W.none": "no notice is given",
    "W.given": "notice runs",
    "W.over": "the notice is over",
    "Absent": "{node} has not passed attestation",
    "Live": "{node} is freshly attested",
    "Stale": "{node} is late with its attestation",
    "Gone": "{node} is removed",
    "Out": "{node} has no seat",
    "Seated": "{node} has a seat",
    "free": "a seat is free",
    "credit": "answers are left",
    "owed": "answers are debited",
    "room": "more answers may be bought",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """How a promise of the licence can be broken: steps that lead there, each a few words, and what is true then."""

    steps: tuple[str, ...]
    ending: str

    def told(self) -> str:
        """The story in one sentence."""
        if not self.steps:
            return f"{self.ending}."
        return f"{', '.join(self.steps)}; then {self.ending}."


def story(moves: tuple[Move, ...], ending: str) -> Story:
    """The story of these moves."""
    return Story(steps=tuple(step(move) for move in moves), ending=ending)


def step(move: Move) -> str:
    """One move in words."""
    told = _special(move) or _TOLD.get(move.name, "{who} does “{name}”")
    sends = move.role is Role.LICENSEE
    return told.format(
        who=_WHO[move.role],
        name=move.name,
        node=_node(move),
        pays="pays" if sends else "confirms the payment of",
        buys="buys" if sends else "confirms the payment of",
    )


def circumstances(move: Move) -> str:
    """What must be so for a move, in words."""
    words = (_WHILE.get(place) or _WHILE[place.split(".")[-1]] for place in move.needs)
    return " and ".join(words).format(node=_node(move))


def _node(move: Move) -> str:
    return f"node {move.node}" if move.node else "a node"


def _special(move: Move) -> str:
    match move.name, move.give:
        case "pay", ("F.ahead",):
            return "{who} {pays} the fee one period ahead"
        case "clock_due", ("F.paid",):
            return "the period that was paid ahead begins"
        case "clock_due", _:
            return "the paid period ends"
        case "lapse", (gone,) if gone.endswith(".Gone"):
            return "{node} misses an attestation and is removed"
        case "lapse", _:
            return "{node} misses an attestation"
    return ""
