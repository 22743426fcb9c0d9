# SPDX-License-Identifier: Apache-2.0
"""One device's evidence, and who vouches for the place of the platform that it names.

Every caller asks here, and not a technology itself, so that a custody statement means the same to all of them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from contracts.ids import NodeId
from contracts.records import Level
from enclave.evidence.custody import CUSTODY, Custody, platform_named
from enclave.evidence.enclosed import Enclosed
from enclave.evidence.facts import Facts
from enclave.evidence.findings import Finding, Reason
from enclave.evidence.kinds import Kind
from enclave.evidence.technologies import TECHNOLOGIES
from enclave.evidence.trust import Trust


def verify_device(
    kind: Kind, body: bytes, index: int, *, node: NodeId | None, trust: Trust, at: datetime
) -> Facts:
    """Believe one device's body at a moment, and place with it; raises `MalformedEvidence` or `NotAuthentic`."""
    facts = TECHNOLOGIES[kind].verify(body, index, node=node, trust=trust, at=at)
    if kind.level is not Level.ISOLATED or CUSTODY not in body:
        return facts
    pieces = Enclosed.parse(body).pieces  # of which a technology may know more than `Endorsements` does
    statements = [Custody.parse(piece) for piece in pieces if piece.startswith(CUSTODY)]
    return vouched(facts, statements, trust=trust, at=at) if statements else facts


def vouched(facts: Facts, statements: Sequence[Custody], *, trust: Trust, at: datetime) -> Facts:
    """The facts with the statement in force that lasts longest; others are traced, forged ones are held against it."""
    flaws = {number: _flaw(facts, statement, trust, at) for number, statement in enumerate(statements)}
    good = [statement for number, statement in enumerate(statements) if flaws[number] is None]
    trace = [f"custody: statement {number} does not count: {flaw}" for number, flaw in flaws.items() if flaw]
    chosen = max(good, key=lambda statement: (statement.not_after, -statement.place), default=None)
    if chosen is None:
        return replace(facts, missed=(*facts.missed, *_forged(statements)), trace=(*facts.trace, *trace))
    who = f"endorser {chosen.endorser[1:9].hex()}"
    trace.append(
        f"custody: {who} vouches for place {chosen.place} until {chosen.not_after:%Y-%m-%dT%H:%M:%SZ}"
    )
    ends = [end for end in (facts.not_after, chosen.not_after) if end is not None]
    return replace(
        facts,
        custody=chosen,
        not_after=min(ends),
        missed=(*facts.missed, *_forged(statements)),
        trace=(*facts.trace, *trace),
    )


def _flaw(facts: Facts, statement: Custody, trust: Trust, at: datetime) -> str | None:
    if not statement.holds():
        return "its signature does not hold"
    if statement.endorser not in trust.endorsers:
        return "nobody named its endorser"
    if not facts.identity or statement.platform != platform_named(facts.kind, facts.identity):
        return "it is about another platform"
    if not statement.not_before <= at < statement.not_after:
        return "it is not in force"
    return None


def _forged(statements: Sequence[Custody]) -> Iterator[Finding]:
    if not all(statement.holds() for statement in statements):
        yield Finding(
            reason=Reason.CUSTODY,
            expected="custody statements signed by the endorser that they name",
            found="another signature",
            hint="ask the endorser for a statement again, or leave it out",
        )
