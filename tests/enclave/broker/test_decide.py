# SPDX-License-Identifier: Apache-2.0
"""The broker's decision: from a good view, each flaw alone is refused by its own name."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.digests import TypedDomain
from contracts.ids import Address, Digest, Half, ModelId, NodeId, PolicyId, ReleaseId, SealId
from contracts.records import (
    Finality,
    Level,
    Reason,
    Release,
    Seat,
    Status,
    Subject,
    Terms,
    Verdict,
    Version,
)
from enclave.broker.decide import Decision, Refusal, View, decide, holder
from enclave.errors import ReleaseRefused
from enclave.keystore import Binding, Entry
from registry.attestations import recorded

NOW = 1_000_000
LEASE = 600
QUOTA = 100
REGISTRY, LOG = Address(b"\x01" * 20), Address(b"\x02" * 20)
MODEL, POLICY, NODE, LICENCE = ModelId(b"m" * 32), PolicyId(b"p" * 32), NodeId(b"n" * 32), Address(b"l" * 20)
SEAL = SealId(b"s" * 32)
SUBJECT = Subject(model_id=MODEL, version=3, policy_id=POLICY, node_id=NODE, block_number=50, licence=LICENCE)
ENTRY = Entry(
    seal_id=SEAL,
    bound=Binding(chain_id=7, registry=REGISTRY, model_id=MODEL, version=3),
    policies=(POLICY,),
    data_key=b"d" * 32,
    grant_key=b"g" * 32,
)
VERDICT = Verdict(
    policy_id=POLICY,
    node_id=NODE,
    lease_nonce=Digest(b"x" * 32),
    evidence=Digest(b"e" * 32),
    workload=Digest(b"w" * 32),
    platform=Digest(b"f" * 32),
    level=Level.ROOTED,
    kinds=1,
    place=0,
    block_number=50,
    block_hash=Digest(b"h" * 32),
    as_of=NOW - 20,
    expiry=NOW + 4_000,
)
TERMS = Terms(
    verifiers=3,
    threshold=2,
    minimum_level=Level.NONE,
    maximum_age=4_020,
    challenge_age=600,
    depth=1,
    lease=LEASE,
    quota=QUOTA,
    withdrawn_verifiers=0,
    published=True,
    withdrawn=False,
)
REQUESTED = Release(
    until=0, leases=0, block_number=50, seat=0, last_counter=0, ceiling=0, status=Status.REQUESTED
)
FREE = Seat(release=ReleaseId(bytes(32)), until=0, taken_over=0, holder=Half(bytes(16)))
RECORD = recorded(VERDICT, NOW - 5, 3)
MINE = holder(SUBJECT, RECORD)
TAKEN = replace(FREE, until=NOW + 300, holder=Half(b"somebody else's!"))
OWN_SEAT = replace(TAKEN, holder=MINE)
GOOD = View(
    chain_id=7,
    registry=REGISTRY,
    subject=SUBJECT,
    lease=0,
    version=Version(
        seal_id=SEAL,
        policy=POLICY,
        next=PolicyId(bytes(32)),
        next_start=0,
        finality=Finality.SAFE,
        withdrawn=False,
    ),
    terms=TERMS,
    record=RECORD,
    verdict=VERDICT,
    own=VERDICT,
    state=REQUESTED,
    release=SUBJECT.release(TypedDomain(chain_id=7, contract=LOG)),
    seats={0: FREE},
    permits=Reason.NONE,
    now=NOW,
    finality_wait=60,
    credit=None,
)
LIVE = replace(
    REQUESTED,
    until=NOW + 300,
    leases=1,
    block_number=40,
    seat=2,
    last_counter=30,
    ceiling=100,
    status=Status.LIVE,
)
RENEWAL = replace(GOOD, lease=1, state=LIVE, seats={})
_SHORT = replace(VERDICT, expiry=NOW - 5)

FLAWS: dict[str, tuple[View, Entry, Refusal]] = {
    "unbound entry": (GOOD, replace(ENTRY, bound=None), Refusal.UNBOUND),
    "other chain": (replace(GOOD, chain_id=8), ENTRY, Refusal.UNBOUND),
    "other registry": (replace(GOOD, registry=LOG), ENTRY, Refusal.UNBOUND),
    "other model": (
        replace(GOOD, subject=replace(SUBJECT, model_id=ModelId(b"o" * 32))),
        ENTRY,
        Refusal.UNBOUND,
    ),
    "other version": (replace(GOOD, subject=replace(SUBJECT, version=4)), ENTRY, Refusal.UNBOUND),
    "other seal": (GOOD, replace(ENTRY, seal_id=SealId(b"o" * 32)), Refusal.SEAL),
    "no pins": (GOOD, replace(ENTRY, policies=()), Refusal.UNPINNED),
    "other pin": (GOOD, replace(ENTRY, policies=(PolicyId(b"o" * 32),)), Refusal.UNPINNED),
    "other evidence": (
        replace(GOOD, own=replace(VERDICT, evidence=Digest(b"o" * 32))),
        ENTRY,
        Refusal.VERDICT,
    ),
    "raised level": (replace(GOOD, own=replace(VERDICT, level=Level.NONE)), ENTRY, Refusal.VERDICT),
    "longer life": (replace(GOOD, own=replace(VERDICT, expiry=VERDICT.expiry - 1)), ENTRY, Refusal.VERDICT),
    "other node": (
        replace(GOOD, subject=replace(SUBJECT, node_id=NodeId(b"o" * 32))),
        ENTRY,
        Refusal.VERDICT,
    ),
    "newer record": (replace(GOOD, record=replace(RECORD, block_number=51)), ENTRY, Refusal.SUPERSEDED),
    "renewed on its own record": (
        replace(RENEWAL, state=replace(LIVE, block_number=50)),
        ENTRY,
        Refusal.SUPERSEDED,
    ),
    "slow chain": (replace(GOOD, finality_wait=LEASE // 4 + 1), ENTRY, Refusal.LEASE),
    "late request": (replace(GOOD, record=replace(RECORD, recorded_at=NOW - LEASE)), ENTRY, Refusal.EXPIRY),
    "expired": (
        replace(GOOD, verdict=_SHORT, own=_SHORT, record=recorded(_SHORT, NOW - 10, 3)),
        ENTRY,
        Refusal.EXPIRY,
    ),
    "never requested": (
        replace(GOOD, state=replace(REQUESTED, status=Status.UNKNOWN)),
        ENTRY,
        Refusal.STATUS,
    ),
    "live already": (replace(GOOD, state=replace(LIVE, leases=0, last_counter=0)), ENTRY, Refusal.STATUS),
    "stopped": (
        replace(RENEWAL, state=replace(LIVE, status=Status.STOPPED_BY_BROKER)),
        ENTRY,
        Refusal.STATUS,
    ),
    "a lease skipped": (replace(RENEWAL, lease=2), ENTRY, Refusal.STATUS),
    "no seats": (replace(GOOD, seats={}), ENTRY, Refusal.SEATS),
    "taken seats": (replace(GOOD, seats={0: TAKEN, 1: TAKEN}), ENTRY, Refusal.SEATS),
    "no credit": (replace(GOOD, credit=0), ENTRY, Refusal.CREDIT),
    "used up": (
        replace(RENEWAL, state=replace(LIVE, last_counter=100), credit=0),
        ENTRY,
        Refusal.CREDIT,
    ),
    "not permitted": (replace(GOOD, permits=Reason.LICENCE), ENTRY, Refusal.PERMITS),
}


def names(view: View, entry: Entry = ENTRY) -> tuple[str, ...]:
    with pytest.raises(ReleaseRefused) as refused:
        decide(entry, view)
    return tuple(refused.value.reasons)


def test_a_good_request_gets_what_the_policy_says() -> None:
    assert decide(ENTRY, GOOD) == Decision(seat=0, duration=LEASE, ceiling=QUOTA)


def test_a_good_renewal_keeps_its_seat_and_rises_from_what_was_anchored() -> None:
    assert decide(ENTRY, RENEWAL) == Decision(seat=2, duration=LEASE, ceiling=30 + QUOTA)


@pytest.mark.parametrize(("view", "entry", "refusal"), FLAWS.values(), ids=FLAWS.keys())
def test_each_flaw_alone_is_refused_by_name(view: View, entry: Entry, refusal: Refusal) -> None:
    assert [name for name in names(view, entry) if "_" not in name] == [refusal.name]


def test_every_refusal_is_provoked() -> None:
    assert {refusal for _, _, refusal in FLAWS.values()} == set(Refusal)


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason is not Reason.NONE])
def test_what_the_contracts_say_is_passed_on(reason: Reason) -> None:
    assert names(replace(GOOD, permits=reason)) == ("PERMITS", f"PERMITS_{reason.name}")


def test_every_flaw_is_named_at_once() -> None:
    worst = replace(
        GOOD,
        own=replace(VERDICT, kinds=2),
        record=replace(RECORD, block_number=51, recorded_at=NOW - LEASE),
        state=replace(REQUESTED, status=Status.SETTLED),
        seats={},
        permits=Reason.MODEL,
        finality_wait=LEASE,
        credit=0,
    )
    entry = replace(ENTRY, bound=None, seal_id=SealId(bytes(32)), policies=())
    assert set(names(worst, entry)) == {refusal.name for refusal in Refusal} | {"PERMITS_MODEL"}


def test_the_lease_ends_with_the_verdict() -> None:
    short = replace(VERDICT, expiry=NOW + 100)
    view = replace(GOOD, verdict=short, own=short, record=recorded(short, NOW - 5, 3))
    assert decide(ENTRY, view).duration == 105


def test_a_licence_gives_no_more_than_it_has_left() -> None:
    assert decide(ENTRY, replace(GOOD, credit=7)).ceiling == 7
    assert decide(ENTRY, replace(RENEWAL, credit=7)).ceiling == 107
    assert decide(ENTRY, replace(RENEWAL, credit=0)).ceiling == 100


def test_the_first_free_seat_is_taken() -> None:
    assert decide(ENTRY, replace(GOOD, seats={0: TAKEN, 1: OWN_SEAT, 2: FREE})).seat == 2


def test_a_platform_takes_its_own_seat_over_once_a_lease() -> None:
    again = replace(OWN_SEAT, taken_over=NOW - LEASE)
    assert decide(ENTRY, replace(GOOD, seats={0: TAKEN, 1: OWN_SEAT})).seat == 1
    assert decide(ENTRY, replace(GOOD, seats={0: again})).seat == 0
    assert names(replace(GOOD, seats={0: replace(again, taken_over=NOW - LEASE + 1)})) == ("SEATS",)


def test_evidence_without_a_root_takes_no_seat_over() -> None:
    """At level none anyone can make evidence for a platform, so nobody may push its holder out."""
    plain = replace(VERDICT, level=Level.NONE)
    view = replace(GOOD, verdict=plain, own=plain, record=recorded(plain, NOW - 5, 3), seats={0: OWN_SEAT})
    assert names(view) == ("SEATS",)


def test_a_seat_is_held_by_policy_and_platform() -> None:
    other = replace(SUBJECT, policy_id=PolicyId(b"o" * 32))
    assert len({holder(SUBJECT, RECORD), holder(other, RECORD)}) == 2
    assert holder(SUBJECT, RECORD) == holder(replace(SUBJECT, node_id=NodeId(b"o" * 32)), RECORD)


_HELD = st.builds(
    Seat,
    release=st.just(ReleaseId(bytes(32))),
    until=st.integers(NOW - 2, NOW + 2),
    taken_over=st.sampled_from([0, NOW - LEASE, NOW - 1]),
    holder=st.sampled_from([MINE, Half(b"somebody else's!")]),
)


@given(seats=st.dictionaries(st.integers(0, 4), _HELD), credit=st.none() | st.integers(0, 300))
def test_no_decision_gives_away_what_is_not_its_own(seats: dict[int, Seat], credit: int | None) -> None:
    try:
        decision = decide(ENTRY, replace(GOOD, seats=seats, credit=credit))
    except ReleaseRefused:
        return
    seat = seats[decision.seat]
    assert seat.until <= NOW or seat.holder == MINE
    assert 0 < decision.ceiling <= QUOTA
    assert credit is None or decision.ceiling <= credit
