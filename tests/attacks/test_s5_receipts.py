# SPDX-License-Identifier: Apache-2.0
"""S5: a receipt verifies only for the model, node, release, request and answer it names; and S6, on no other chain."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest

from contracts.ids import Address, Digest, NodeId, ReleaseId, SealId
from contracts.records import Level
from enclave.client import Answer, History, verify_receipt
from enclave.errors import MalformedStatement, NotVerified
from enclave.guest.keys import Keys
from enclave.node.front import answer
from enclave.statements import Receipt, message_digest
from registry.attestations import Attestations
from registry.chain.view import Event
from registry.policies import Policies
from registry.replay import dump_events, load_events
from tests.fakes.jobs import question
from tests.fakes.world import World

REQUEST = question(1, 2, 3, 4)


@dataclass(frozen=True, slots=True)
class Case:
    """A good answer, and every event that vouches for it."""

    world: World
    answer: Answer
    events: tuple[Event, ...]

    @property
    def history(self) -> History:
        return History(self.events, self.world.chain.book)

    @property
    def receipt(self) -> Receipt:
        return Receipt.read_signed(self.answer.receipt)[0]


def all_events(world: World) -> tuple[Event, ...]:
    return tuple(world.chain.events(world.chain.book.deployed_at, world.chain.head().number))


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    world = World.make(tmp_path_factory.mktemp("world"))
    node = world.node()
    world.settle(node)
    answered = answer(node, REQUEST)
    yield Case(world, answered, all_events(world))
    world.close()


def test_the_good_answer_verifies_with_every_step(case: Case) -> None:
    verification = verify_receipt(case.answer, REQUEST, case.history)
    names = [step.name for step in verification.steps]
    assert names == ["receipt", "node", "request", "response", "release", "lease", "model", "verdict"]
    assert all(step.rests_on for step in verification.steps)
    assert verification.level is Level.NONE
    assert verification.receipt == case.receipt


def test_an_exported_event_file_is_enough(case: Case) -> None:
    exported = History(load_events(dump_events(case.events)), case.world.chain.book)
    carried = Answer.decode(case.answer.encode())
    assert verify_receipt(carried, REQUEST, exported).node_id == case.receipt.node_id


def resigned(case: Case, receipt: Receipt, keys: Keys) -> Answer:
    """The same answer with another receipt, signed by somebody else's keys."""
    return replace(
        case.answer,
        keys=keys.public.encode(),
        receipt=receipt.signed(keys.sign_receipt(receipt.to_be_signed())),
    )


FIELDS: dict[str, object] = {
    "seal_id": SealId(b"x" * 32),
    "node_id": NodeId(b"x" * 32),
    "release": ReleaseId(b"x" * 32),
    "licence": Address(b"x" * 20),
    "request": Digest(b"x" * 32),
    "response": Digest(b"x" * 32),
    "counter": 2,
    "lease": 1,
}


@pytest.mark.parametrize("name", FIELDS)
def test_no_field_of_a_receipt_can_be_changed(case: Case, name: str) -> None:
    receipt, signature = Receipt.read_signed(case.answer.receipt)
    changed = replace(receipt, **{name: FIELDS[name]})  # type: ignore[arg-type]
    with pytest.raises(NotVerified) as failed:
        verify_receipt(replace(case.answer, receipt=changed.signed(signature)), REQUEST, case.history)
    assert failed.value.where == "receipt"


def test_another_guests_receipt_does_not_pass_for_this_release(case: Case) -> None:
    keys = Keys()
    forged = replace(case.receipt, node_id=keys.node_id)
    with pytest.raises(NotVerified) as failed:
        verify_receipt(resigned(case, forged, keys), REQUEST, case.history)
    assert failed.value.where == "release"
    with pytest.raises(NotVerified) as failed:
        verify_receipt(resigned(case, case.receipt, keys), REQUEST, case.history)
    assert failed.value.where == "node"


def test_another_request_answer_or_salt_does_not_verify(case: Case) -> None:
    short = b"s" * 31
    wrong: list[tuple[Answer, bytes, str]] = [
        (case.answer, question(1, 2, 3, 5), "request"),
        (replace(case.answer, request_salt=bytes(32)), REQUEST, "request"),
        (replace(case.answer, request_salt=short), REQUEST, "request"),
        (replace(case.answer, response=case.answer.response[:-1] + b"\1"), REQUEST, "response"),
        (replace(case.answer, response_salt=case.answer.request_salt), REQUEST, "response"),
    ]
    for answered, request, where in wrong:
        with pytest.raises(NotVerified) as failed:
            verify_receipt(answered, request, case.history)
        assert failed.value.where == where
    assert message_digest(short, REQUEST) != case.receipt.request


def test_a_deleted_salt_erases_the_link(case: Case) -> None:
    with pytest.raises(NotVerified):
        verify_receipt(replace(case.answer, request_salt=b""), REQUEST, case.history)


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("KeyRequested", "release"),
        ("KeyReleased", "lease"),
        ("VersionAdded", "model"),
        ("PolicyPublished", "policy"),
        ("Recorded", "record"),
    ],
)
def test_without_any_one_event_nothing_verifies(case: Case, name: str, where: str) -> None:
    events = [event for event in case.events if event.name != name]
    with pytest.raises(NotVerified) as failed:
        verify_receipt(case.answer, REQUEST, History(events, case.world.chain.book))
    assert failed.value.where == where


def edited(event: Event, **changes: object) -> Event:
    return replace(event, args={**event.args, **changes})


def edited_verdict(event: Event, **changes: object) -> Event:
    verdict = event.args["verdict"]
    assert isinstance(verdict, dict)
    return edited(event, verdict={**verdict, **changes})


EDITS: dict[str, tuple[str, Callable[[Event], Event]]] = {
    "another contract": ("Recorded", lambda e: replace(e, address=Address(b"x" * 20))),
    "one signer": ("Recorded", lambda e: edited(e, signers=1)),
    "another node's record": ("Recorded", lambda e: edited_verdict(e, nodeId=b"x" * 32)),
    "another block": ("Recorded", lambda e: edited_verdict(e, blockNumber=1)),
    "a lower ceiling": ("KeyReleased", lambda e: edited(e, ceiling=0)),
    "another sealed model": ("VersionAdded", lambda e: edited(e, sealId=b"x" * 32)),
    "another subject": ("KeyRequested", lambda e: edited(e, subject={**e.args["subject"], "version": 2})),  # type: ignore[dict-item]
}


@pytest.mark.parametrize("edit", EDITS)
def test_no_event_can_be_bent(case: Case, edit: str) -> None:
    name, bend = EDITS[edit]
    events = [bend(event) if event.name == name else event for event in case.events]
    with pytest.raises(NotVerified):
        verify_receipt(case.answer, REQUEST, History(events, case.world.chain.book))


def test_another_chain_or_contract_does_not_vouch(case: Case) -> None:
    book = case.world.chain.book
    for other in (
        replace(book, chain_id=book.chain_id + 1),
        replace(book, releases=Address(b"x" * 20)),
    ):
        with pytest.raises(NotVerified):
            verify_receipt(case.answer, REQUEST, History(case.events, other))


def _withdraw_two(world: World) -> None:
    for verifier in world.verifiers[:2]:
        Policies(world.chain).withdraw_verifier(world.owner, world.policy_id, verifier.address)


def test_what_was_taken_back_vouches_no_more(case: Case) -> None:
    world, chain = case.world, case.world.chain
    record = Attestations(chain).record_of(world.policy_id, case.receipt.node_id)
    assert record is not None
    acts: list[Callable[[], object]] = [
        lambda: _withdraw_two(world),
        lambda: Policies(chain).burn(world.owner, "fleet", record.platform),
        lambda: Policies(chain).recall(world.owner, "fleet", record.workload),
        lambda: Attestations(chain).withdraw(world.owner, world.policy_id, case.receipt.node_id),
    ]
    for act in acts:
        snapshot = chain.snapshot()
        act()
        after = History(all_events(world), chain.book)
        chain.revert(snapshot)
        with pytest.raises(NotVerified) as failed:
            verify_receipt(case.answer, REQUEST, after)
        assert failed.value.where == "record"


@pytest.mark.parametrize("cut", [0, 1, 40])
def test_a_truncated_receipt_is_malformed(case: Case, cut: int) -> None:
    with pytest.raises(MalformedStatement):
        verify_receipt(replace(case.answer, receipt=case.answer.receipt[:cut]), REQUEST, case.history)
