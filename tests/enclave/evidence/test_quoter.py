# SPDX-License-Identifier: Apache-2.0
"""The quoter answers one vault, for one node, with report data that it computed itself."""

import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from contracts.digests import Cbor
from contracts.ids import NodeId
from enclave.errors import DeviceUnavailable, EnclaveError, MalformedStatement, OutOfTurn, UnknownMessage
from enclave.evidence.bundle import Bundle, Device
from enclave.guest.devices import collector
from enclave.guest.quoter import Quoter, serve
from enclave.wire import Channel
from tests.fakes.evidence import CLAIMS, FILES, KEYS, Case, challenge


@pytest.fixture
def quoter() -> Iterator[Channel]:
    ours, theirs = socket.socketpair()
    with ours:
        command = (sys.executable, "-E", "-s", "-B", "-m", "enclave.guest.quoter")
        process = subprocess.Popen(
            [*command, str(theirs.fileno()), "software", str(FILES)], pass_fds=[theirs.fileno()]
        )
        theirs.close()
        yield Channel(ours)
        ours.close()
        assert process.wait(timeout=10) == 0


def asked(case: Case, **changes: Cbor) -> list[Cbor]:
    wanted = challenge(case.policy_id)
    body: dict[str, Cbor] = {
        "chain": wanted.chain_id,
        "log": bytes(wanted.log),
        "policy": bytes(wanted.policy_id),
        "nonce": bytes(wanted.lease_nonce),
        "number": wanted.block_number,
        "hash": bytes(wanted.block_hash),
        "claims": CLAIMS.encode(),
    }
    return list((body | changes).values())


def test_the_process_makes_evidence_that_is_accepted(quoter: Channel, software: Case) -> None:
    assert quoter.request("node", bytes(KEYS.node_id())).body is None
    for _ in range(2):
        answer = quoter.request("quote", asked(software))
        ((kind, length),), total = answer.body  # type: ignore[misc]  # the message's shape
        stream = quoter.incoming(total)
        body = stream.read(length)
        stream.finish()
        device = Device(kind=kind, index=0, body=body)
        bundle = Bundle(challenge=challenge(software.policy_id), keys=KEYS, claims=CLAIMS, devices=(device,))
        assert software.judge(bundle).verdict().node_id == KEYS.node_id()


def test_what_it_refuses_loses_nothing(quoter: Channel, software: Case) -> None:
    with pytest.raises(OutOfTurn):
        quoter.request("quote", asked(software))
    with pytest.raises(UnknownMessage):
        quoter.request("quote", [1, 2])
    quoter.request("node", bytes(KEYS.node_id()))
    with pytest.raises(OutOfTurn):
        quoter.request("node", bytes(32))
    with pytest.raises(MalformedStatement):
        quoter.request("quote", asked(software, claims=b"\x80"))
    with pytest.raises(EnclaveError):
        quoter.request("node", b"short")
    assert quoter.request("quote", asked(software)).kind == "quote.ok"


def test_a_vault_that_goes_away_mid_answer_ends_it_quietly(software: Case) -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        asking = Channel(ours)
        asking.send("node", 1, bytes(KEYS.node_id()))
        asking.send("quote", 2, asked(software))
        ours.close()
        serve(Channel(theirs), Quoter("software", str(FILES)))


def test_a_message_that_does_not_parse_is_answered_and_read_past(quoter: Channel) -> None:
    quoter._write(b"\0\0\0\1\xff")
    assert (answer := quoter.receive()).kind == "error"
    assert answer.id == 0
    assert quoter.request("node", bytes(KEYS.node_id())).kind == "node.ok"


def test_evidence_is_for_the_first_node_only_s1(software: Case) -> None:
    held = Quoter("software", str(FILES))
    held.answer("node", bytes(NodeId(b"\x01" * 32)))
    _, body = held.answer("quote", asked(software))
    assert body is not None
    device = Device(kind="software", index=0, body=body)
    bundle = Bundle(challenge=challenge(software.policy_id), keys=KEYS, claims=CLAIMS, devices=(device,))
    with pytest.raises(EnclaveError, match="BINDING"):
        software.judge(bundle)


@pytest.mark.parametrize("arguments", [("abacus",), ("software",), ("tpm", "swtpm:"), ("tpm", *"abcde")])
def test_devices_that_it_does_not_have_are_refused(arguments: tuple[str, ...]) -> None:
    with pytest.raises(UnknownMessage):
        collector(*arguments)


def test_a_missing_device_is_an_answer_not_a_crash(software: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    held = Quoter("tpm", "swtpm:path=/nonexistent", "/nonexistent")
    held.answer("node", bytes(32))
    with pytest.raises(DeviceUnavailable, match="tpm2"):
        held.answer("quote", asked(software))
