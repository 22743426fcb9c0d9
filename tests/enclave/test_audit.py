# SPDX-License-Identifier: Apache-2.0
"""An audit of an honest history finds nothing; of a copy with one field changed, something, or `docs/audit.md` says why not."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from contracts.ids import Address, Digest
from enclave.audit import TOMBSTONE, Finding, replay
from enclave.envelope import ReaderKey, file_name
from registry.chain.abi import REGISTRIES, contracts, interface
from registry.chain.view import Event
from registry.replay import dump_events, load_events
from registry.store import Store
from tests.fakes.chains import fresh
from tests.fakes.desk import Attested, Desk
from tests.fakes.histories import everything, takeover

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "audit.md"
COMPILED = {"Compiled", "Drawn", "Moved", "RebindProposed", "Rebound"}
UNSEEN = {"CreditFailed", "SeatTakenOver"} | COMPILED  # by the first history
NEVER = {"EIP712DomainChanged"}  # a base contract declares it


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with fresh("embedded") as chain:
        yield Desk.open(chain, tmp_path_factory.mktemp("desk"))


@pytest.fixture(scope="module")
def events(desk: Desk) -> list[Event]:
    before = desk.chain.snapshot()
    happened = load_events(dump_events(everything(replace(desk))))
    desk.chain.revert(before)
    return happened


@pytest.fixture(scope="module")
def contested(desk: Desk) -> list[Event]:
    before = desk.chain.snapshot()
    happened = load_events(dump_events(takeover(replace(desk))))
    desk.chain.revert(before)
    return happened


def audit(desk: Desk, events: Sequence[Event], **changes: object) -> list[Finding]:
    given = {"book": desk.chain.book, "assigned": desk.assigned, "store": desk.store, "reader": desk.reader}
    return replay(events, **(given | changes))  # type: ignore[arg-type]  # tests change one of them


def changed(value: object) -> object:
    """Another value of the same type."""
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case str():
            return value + "x"
        case bytes():
            return type(value)(value[:-1] + bytes([value[-1] ^ 1]))
        case tuple():
            return (changed(value[0]), *value[1:])
    raise AssertionError(value)


def fields(args: Mapping[str, object]) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Each field in turn, with the arguments in which it alone is another."""
    for name, value in args.items():
        if isinstance(value, Mapping):
            for inner, whole in fields(value):
                yield f"{name}.{inner}", {**args, name: whole}
        elif name == "signers":
            yield name, {**args, name: 0b101}  # two others of three
        else:
            yield name, {**args, name: changed(value)}


def missed(desk: Desk, events: Sequence[Event], only: str = "") -> set[tuple[str, str]]:
    """Every (event, field) that could be changed somewhere without a finding that was not there before."""
    before, found = set(audit(desk, events)), set()
    for index, event in enumerate(events):
        if only in ("", event.name):
            for name, args in fields(event.args):
                copy = [*events[:index], replace(event, args=args), *events[index + 1 :]]
                if not set(audit(desk, copy)) - before:
                    found.add((event.name, name))
    return found


def documented() -> set[tuple[str, str]]:
    """What the page says can be changed unnoticed."""
    rows = re.findall(r"^\| `(\w+)` \| `([\w.]+)` \|", DOCUMENT.read_text("utf-8"), re.MULTILINE)
    return set(rows)


def test_an_honest_history_has_no_findings(desk: Desk, events: list[Event]) -> None:
    assert audit(desk, events) == []
    named = {event.name for event in events} | UNSEEN | NEVER
    assert named == {shape.name for one in contracts() for shape in interface(one).events.values()}


def test_every_field_is_held_to_something_or_documented(desk: Desk, events: list[Event]) -> None:
    unnoticed = missed(desk, events)
    known = {(event, field) for event, field in documented() if event not in COMPILED}
    assert sorted(unnoticed - known) == []
    assert sorted(known - unnoticed) == []


def test_a_takeover_is_followed_and_each_of_its_fields_checked(desk: Desk, contested: list[Event]) -> None:
    kinds = {finding.what for finding in audit(desk, contested)}
    assert kinds == {"Recorded: verdict"}  # which are forged
    assert missed(desk, contested, "SeatTakenOver") == set()


def test_an_event_from_another_contract_or_place_is_found(desk: Desk, events: list[Event]) -> None:
    for index, event in enumerate(events):
        elsewhere = (
            REGISTRIES[REGISTRIES.index(event.contract) - 1]
            if event.contract in REGISTRIES
            else REGISTRIES[0]
        )
        for other in (replace(event, contract=elsewhere), replace(event, address=Address(b"\x01" * 20))):
            assert audit(desk, [*events[:index], other, *events[index + 1 :]]), (event.name, other)


def test_blocks_are_held_against_each_other(desk: Desk, events: list[Event]) -> None:
    index, event = next((i, e) for i, e in enumerate(events) if e.name == "ModelRegistered")
    for block in (
        replace(event.block, hash=Digest(bytes(32))),  # two hashes for one block
        replace(event.block, timestamp=event.block.timestamp + 1),
        replace(event.block, number=event.block.number + 10_000),
        replace(event.block, number=0),
    ):
        assert audit(desk, [*events[:index], replace(event, block=block), *events[index + 1 :]]), block


# Others rest on every one of these.
NEEDED = {
    "Drafted",
    "KeyReleased",
    "LeaseRenewed",
    "LicenceAccepted",
    "LicenceGranted",
    "LicenseeOffered",
    "Metered",
    "ModelRegistered",
    "OwnershipOffered",
    "Resumed",
    "Suspended",
    "UsageAnchored",
}


def test_an_event_left_out_is_found_where_others_rest_on_it(desk: Desk, events: list[Event]) -> None:
    unnoticed = {
        event.name
        for index, event in enumerate(events)
        if not audit(desk, [*events[:index], *events[index + 1 :]])
    }
    assert not NEEDED & unnoticed


def test_an_event_twice_or_out_of_order_is_found(desk: Desk, events: list[Event]) -> None:
    for index, event in enumerate(events):
        assert audit(desk, [*events[: index + 1], event, *events[index + 1 :]])
    assert audit(desk, list(reversed(events)))


def test_what_is_no_history_at_all_is_findings_and_no_fault(desk: Desk, events: list[Event]) -> None:
    assert audit(desk, []) == []
    assert audit(desk, events[len(events) // 2 :])
    emptied = [replace(event, args={}) for event in events]
    assert len(audit(desk, emptied)) >= len(events) - 1


def test_missing_evidence_is_a_finding_and_erased_evidence_no_alarm(desk: Desk, tmp_path: Path) -> None:
    before = desk.chain.snapshot()
    guest, here = Attested(), replace(desk, store=Store(str(tmp_path)))
    verdict = here.record(guest)
    name = file_name(verdict.evidence)
    happened = here.events()
    assert audit(here, happened) == []
    (tmp_path / name).unlink()
    (finding,) = audit(here, happened)
    assert (finding.erased, finding.found) == (False, "nothing")
    here.store.put_as(f"{name}.{TOMBSTONE}", b"")
    (finding,) = audit(here, happened)
    assert (finding.erased, finding.found) == (True, "erased")
    desk.chain.revert(before)


def test_an_auditor_without_key_or_policy_says_what_he_cannot_see(desk: Desk, events: list[Event]) -> None:
    blind = audit(desk, events, reader=ReaderKey.generate())
    assert {finding.what for finding in blind} == {"Recorded: verdict"}
    lost = audit(desk, events, assigned={})
    assert {"Recorded: policy", "KeyReleased: lease"} <= {finding.what for finding in lost}


def test_a_policy_under_another_name_is_found(desk: Desk, events: list[Event]) -> None:
    one = desk.assigned[desk.policy_id]
    other = replace(one, policy=replace(one.policy, name="other"))
    assert "policy document" in {f.what for f in audit(desk, events, assigned={desk.policy_id: other})}


def test_a_wrong_salt_is_found(desk: Desk, events: list[Event]) -> None:
    one = replace(desk.assigned[desk.policy_id], salt=b"another salt")
    found = audit(desk, events, assigned={desk.policy_id: one})
    assert {"Recorded: opening", "Recorded: verdict"} <= {finding.what for finding in found}
