# SPDX-License-Identifier: Apache-2.0
"""The quick reader says what the contracts' wrappers say, and loads nothing heavy."""

import subprocess
import sys
from dataclasses import asdict
from enum import IntEnum

import pytest

from contracts.ids import ModelId, NodeId
from contracts.records import Status
from registry.chain.reverts import reverted_type
from registry.chain.rpc import Reader
from registry.errors import ChainUnavailable, CodeMismatch, RpcFailed
from tests.fakes.scenes import LEASE, SEATS, Guest, Scene, digest

HEAVY = ("web3", "eth_abi", "eth_utils", "eth_account", "eth_tester", "onnxruntime", "cryptography", "Crypto")


def _snake(name: str) -> str:
    return "".join("_" + c.lower() if c.isupper() else c for c in name)


def _same(read: dict[str, object], record: object) -> None:
    told = {_snake(name): value for name, value in read.items()}
    known = asdict(record)  # type: ignore[call-overload]
    assert told == {n: int(v) if isinstance(v, IntEnum) else v for n, v in known.items()}


def test_reads_equal_the_wrappers(story: Scene) -> None:
    guest = Guest()
    subject = story.release(guest)
    release = subject.release(story.releases.domain)
    reader = Reader(story.chain.transport, story.chain.book)
    assert reader.chain_id == story.chain.chain_id
    _same(reader.model(story.model), story.models.model(story.model))
    _same(reader.version(story.model, 1), story.models.version(story.model, 1))
    _same(reader.terms(story.policy), story.policies.terms(story.policy))
    _same(reader.grant(story.licence), story.licences.grant_of(story.licence))
    _same(reader.record(story.policy, guest.node), story.attestations.record_of(story.policy, guest.node))
    _same(reader.release(release), story.releases.state(release))
    _same(reader.seat(story.licence, 0), story.releases.seat(story.licence, 0))
    assert reader.controller(story.policy) == story.owner.address
    assert reader.seats(story.licence) == SEATS
    assert reader.text(story.licence) == story.licences.text(story.licence)
    assert reader.node(story.licence, guest.node) == {"authorised": True, "stopped": False}
    assert reader.term(story.licence)["remaining"] == 9_900
    when = reader.timestamp
    assert reader.permits(story.model, 1, guest.node, story.licence, when) == 0
    assert reader.permits(story.model, 1, NodeId(digest()), story.licence, when) == 5
    assert reader.balance(story.owner.address) > 0


def test_a_reader_stays_at_its_block_until_refreshed(story: Scene) -> None:
    guest, reader = Guest(), Reader(story.chain.transport, story.chain.book)
    subject = story.release(guest, duration=LEASE)
    release = subject.release(story.releases.domain)
    assert reader.release(release)["status"] == Status.LIVE
    at = reader.block_number
    story.releases.stop(story.broker, subject)
    assert (reader.release(release)["status"], reader.block_number) == (Status.LIVE, at)
    reader.refresh()
    assert reader.release(release)["status"] == Status.STOPPED_BY_BROKER


def test_a_revert_is_typed_here_too(story: Scene) -> None:
    reader = Reader(story.chain.transport, story.chain.book)
    with pytest.raises(reverted_type("UnknownModel")):
        reader.model(ModelId(digest()))


def test_no_contract_there(story: Scene) -> None:
    reader = Reader(story.chain.transport, story.chain.book)
    with pytest.raises(CodeMismatch):
        reader.seats(story.owner.address)


@pytest.mark.anvil
def test_a_block_that_left_is_refused(anvil_chain: object, request: pytest.FixtureRequest) -> None:
    from registry.chain.dev import DevChain

    assert isinstance(anvil_chain, DevChain)
    before = anvil_chain.snapshot()
    anvil_chain.mine()
    reader = Reader(anvil_chain.transport, anvil_chain.book)
    assert reader.block_number
    anvil_chain.revert(before)
    anvil_chain.advance(100)
    with pytest.raises((RpcFailed, ChainUnavailable)):
        reader.terms(digest())  # type: ignore[arg-type]


def test_reading_loads_nothing_heavy() -> None:
    script = "import registry.chain.rpc, registry.settings, sys; print('\\n'.join(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout
    assert {name.partition(".")[0] for name in loaded.split()} & set(HEAVY) == set()
