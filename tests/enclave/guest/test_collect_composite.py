# SPDX-License-Identifier: Apache-2.0
"""A guest with peripherals: the quoter binds them to the root device, and verifiers find every other arrangement."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import cbor2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from contracts.digests import Cbor
from contracts.ids import Digest
from enclave.errors import DeviceError, DeviceUnavailable, NotAuthentic, UnknownMessage
from enclave.evidence.appraise import unmet
from enclave.evidence.binding import Challenge
from enclave.evidence.bundle import Bundle, Device
from enclave.evidence.facts import RootStatus
from enclave.evidence.findings import Reason
from enclave.evidence.trust import Trust
from enclave.evidence.verify import Verified, verify
from enclave.guest.collect import result
from enclave.guest.collectors.enclosure import enclosed
from enclave.guest.collectors.spdm import Spdm
from enclave.guest.collectors.tsm import Tsm
from enclave.guest.devices import MOST, Processes, apart
from enclave.guest.quoter import Quoter
from enclave.node.host import Guest, Place
from tests.fakes.evidence import CLAIMS, FILES, KEYS, LOG, NOON, Case, challenge
from tests.fakes.snp import Processor, table
from tests.fakes.spdm import SoftDevice
from tests.fakes.tsm import ConfigfsTsm

GUIDS = (
    "63da758de6644564adc5f4b93be8accd",
    "4ab7b379bbac4fe4a02f05aef327c782",
    "c0b406a4a803495297433fb6014cd0ae",
)


@dataclass
class Beside:
    """Peripherals of this process: SPDM devices by name, any number of them for a bare kind."""

    devices: dict[str, SoftDevice] = field(default_factory=lambda: {"9": SoftDevice()})
    fails: str = ""

    def expand(self, named: Sequence[str]) -> list[tuple[str, ...]]:
        return [tuple(named)] if named[1:] else [("spdm", name) for name in self.devices]

    def collect(self, named: Sequence[str], nonce: bytes) -> bytes:
        kind, name = named
        if name == self.fails:
            raise DeviceUnavailable("unplugged", where=kind)
        return enclosed(Spdm(self.devices[name]).collect(nonce))


@dataclass
class Machine:
    """A processor, its kernel and peripherals, and the verifier's view of them."""

    beside: Beside = field(default_factory=Beside)
    words: tuple[str, ...] = ("sev-snp", "+", "spdm", "9")
    processor: Processor = field(default_factory=Processor)

    def __post_init__(self) -> None:
        self.kernel = ConfigfsTsm(
            "sev_guest", lambda data: replace(self.processor, report_data=data).report()
        )
        vcek, issuer, root = (
            self.processor.endorsement.der,
            *(_der(pem) for pem in self.processor.pieces()[1:]),
        )
        guids = [bytes.fromhex(guid) for guid in GUIDS]
        self.kernel.auxblob = table(list(zip(guids, (vcek, issuer, root), strict=True)))

    @property
    def trust(self) -> Trust:
        roots = [self.processor.trust, *(device.root.trust for device in self.beside.devices.values())]
        return Trust(
            enrollers=frozenset(), extra_roots=frozenset().union(*(trust.extra_roots for trust in roots))
        )

    def bundle(self, asked: Challenge) -> Bundle:
        """What the node sends, through the quoter's own messages."""
        quoter = Quoter(*self.words, peripherals=self.beside, opened=lambda kind: Tsm(kind, self.kernel))
        quoter.answer("node", bytes(KEYS.node_id()))
        body, stream = quoter.answer("quote", quote(asked))
        assert isinstance(body, list)
        assert isinstance(stream, bytes)
        listed, total = body
        assert isinstance(listed, list)
        assert total == len(stream)
        devices, at = [], 0
        for index, (kind, length) in enumerate(listed):
            devices.append(Device(kind=kind, index=index, body=stream[at : at + length]))
            at += length
        return Bundle(challenge=asked, keys=KEYS, claims=CLAIMS, devices=tuple(devices))

    def verified(self, bundle: Bundle) -> Verified:
        return verify(Bundle.decode(bundle.encode()), trust=self.trust, at=NOON)


def _der(pem: bytes) -> bytes:
    return x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)


def quote(asked: Challenge) -> list[Cbor]:
    place: list[Cbor] = [asked.chain_id, bytes(asked.log), bytes(asked.policy_id), bytes(asked.lease_nonce)]
    return [*place, asked.block_number, bytes(asked.block_hash), CLAIMS.encode()]


@pytest.fixture
def asked() -> Challenge:
    return challenge(Case.software().policy_id)


@pytest.fixture
def machine() -> Machine:
    return Machine()


def bound(verified: Verified) -> bool:
    """Whether verifiers find that all of it answers to the challenge, and to nothing else."""
    findings = unmet(verified, Case.software().policy, NOON)
    return Reason.BINDING not in {finding.reason for finding in findings}


def test_root_and_peripheral_are_authentic_and_bound(machine: Machine, asked: Challenge) -> None:
    bundle = machine.bundle(asked)
    verified = machine.verified(bundle)
    assert [facts.kind.label for facts in verified.devices] == ["sev-snp", "spdm"]
    assert {facts.status for facts in verified.devices} == {RootStatus.TEST_ROOT}
    assert bound(verified)
    assert machine.kernel.requests == {}


def test_a_kind_without_a_number_stands_for_every_device(asked: Challenge) -> None:
    devices = {name: SoftDevice(uds=bytes([at]) * 48) for at, name in enumerate(("9", "10", "11"))}
    machine = Machine(beside=Beside(devices=devices), words=("sev-snp", "+", "spdm"))
    bundle = machine.bundle(asked)
    assert [device.label for device in bundle.devices] == ["sev-snp.0", "spdm.1", "spdm.2", "spdm.3"]
    verified = machine.verified(bundle)
    assert bound(verified)
    assert len({facts.identity for facts in verified.devices}) == 4


def test_a_peripheral_left_out_or_put_in_is_found(machine: Machine, asked: Challenge) -> None:
    bundle = machine.bundle(asked)
    less = replace(bundle, devices=bundle.devices[:1])
    assert not bound(machine.verified(less))
    twice = replace(bundle, devices=(*bundle.devices, replace(bundle.devices[1], index=2)))
    assert not bound(machine.verified(twice))


def test_peripherals_that_change_places_are_found(asked: Challenge) -> None:
    devices = {name: SoftDevice(uds=bytes([at]) * 48) for at, name in enumerate(("9", "10"))}
    machine = Machine(beside=Beside(devices=devices), words=("sev-snp", "+", "spdm"))
    bundle = machine.bundle(asked)
    root, first, second = bundle.devices
    swapped = replace(bundle, devices=(root, replace(second, index=1), replace(first, index=2)))
    assert not bound(machine.verified(swapped))


def test_evidence_of_another_challenge_is_found(machine: Machine, asked: Challenge) -> None:
    old = machine.bundle(replace(asked, lease_nonce=Digest(b"\x77" * 32)))
    new = machine.bundle(asked)
    stale = replace(new, devices=(new.devices[0], old.devices[1]))
    assert not bound(machine.verified(stale))
    replayed = replace(old, challenge=asked)
    assert not bound(machine.verified(replayed))


def test_a_peripheral_of_another_machine_is_found(machine: Machine, asked: Challenge) -> None:
    other = Machine(beside=Beside(devices={"9": SoftDevice(uds=b"\xee" * 48)}))
    elsewhere = other.bundle(asked)
    relayed = replace(machine.bundle(asked), devices=(machine.bundle(asked).devices[0], elsewhere.devices[1]))
    assert not bound(machine.verified(relayed))


def test_a_changed_report_is_not_authentic(machine: Machine, asked: Challenge) -> None:
    bundle = machine.bundle(asked)
    root, device = bundle.devices
    evidence, pieces = cbor2.loads(root.body)
    forged = bytearray(evidence)
    forged[0x90] ^= 1
    changed = replace(root, body=enclosed(bytes(forged), pieces))
    with pytest.raises(NotAuthentic):
        machine.verified(replace(bundle, devices=(changed, device)))


def test_a_device_that_fails_fails_the_whole_attestation(machine: Machine, asked: Challenge) -> None:
    machine.beside.fails = "9"
    with pytest.raises(DeviceUnavailable, match="unplugged"):
        machine.bundle(asked)
    assert machine.kernel.made == []
    machine.beside.fails = ""
    machine.kernel.faults["too big"] = 1
    with pytest.raises(DeviceError):
        machine.bundle(asked)
    assert bound(machine.verified(machine.bundle(asked)))


def test_too_many_devices_are_refused(asked: Challenge) -> None:
    beside = Beside(devices={str(at): SoftDevice() for at in range(MOST)})
    with pytest.raises(DeviceError, match="32 peripherals"):
        Machine(beside=beside, words=("sev-snp", "+", "spdm")).bundle(asked)


@pytest.mark.parametrize(
    "words", [(), ("+",), ("tdx", "+"), ("+", "spdm"), ("tdx", "+", "+", "spdm"), ("x", "+") * 40]
)
def test_words_that_name_no_devices_are_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(UnknownMessage):
        apart(words)


def test_words_name_the_root_and_then_peripherals() -> None:
    words = ("software", str(FILES), "+", "nvidia-gpu", "+", "spdm", "9", "1")
    assert apart(words) == [("software", str(FILES)), ("nvidia-gpu",), ("spdm", "9", "1")]


def test_a_process_collects_and_says_what_it_could_not(monkeypatch: pytest.MonkeyPatch) -> None:
    processes = Processes()
    assert processes.expand(("spdm", "9")) == [("spdm", "9")]
    body = processes.collect(("software", str(FILES)), bytes(64))
    assert cbor2.loads(body).tag == 18
    with pytest.raises(DeviceUnavailable, match="NVML"):
        processes.expand(("nvidia-gpu",))
    with pytest.raises(UnknownMessage, match="no such peripheral"):
        processes.expand(("sev-snp",))
    with pytest.raises(UnknownMessage):
        processes.collect(("abacus",), bytes(32))
    monkeypatch.setattr("enclave.guest.devices._COMMAND", ("/bin/echo",))
    with pytest.raises(DeviceError, match="without an answer"):
        processes.collect(("spdm", "9"), bytes(32))
    monkeypatch.setattr("enclave.guest.devices._COMMAND", ("/bin/sh", "-c", "sleep 9"))
    monkeypatch.setattr("enclave.guest.devices._PATIENCE", 0.2)
    with pytest.raises(DeviceError, match="no answer within"):
        processes.collect(("spdm", "9"), bytes(32))


@pytest.mark.parametrize("words", [("spdm", "-1"), ("spdm", "nine"), ("nvidia-gpu", "²"), ("spdm", "123456")])
def test_a_device_number_is_digits(words: tuple[str, str]) -> None:
    with pytest.raises(Exception, match="decimal digits"):
        result("collect", words[0], words[1:], bytes(32))


def test_a_guest_says_which_of_its_devices_is_not_there() -> None:
    guest = Guest.start(("software", str(FILES), "+", "nvidia-gpu"))
    try:
        place = Place(
            chain_id=1, log=LOG, policy_id=Case.software().policy_id, block_number=1, block_hash=FILES
        )
        for _ in range(2):
            with pytest.raises(DeviceUnavailable, match="NVML"):
                guest.attest(place)
    finally:
        guest.close()
