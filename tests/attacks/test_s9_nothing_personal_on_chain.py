# SPDX-License-Identifier: Apache-2.0
"""S9: what names a machine is on no chain and in no public part of a store; a commitment tells nothing without its salt."""

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from contracts.ids import NodeId
from contracts.records import Verdict
from enclave.envelope import ReaderKey, file_name, open_bundle
from enclave.errors import EnvelopeError
from enclave.evidence.binding import Challenge, DeviceEntry, GuestClaims, report_data
from enclave.evidence.bundle import Bundle, Device
from enclave.evidence.certificates import key_digest, load
from enclave.evidence.enrol import EnrolRequest
from enclave.evidence.kinds import Kind
from enclave.evidence.platform import commitment, opening
from enclave.evidence.tpm.quote import expected_workload
from enclave.evidence.tpm.structures import TpmPublic
from enclave.evidence.trust import Trust
from enclave.guest.keys import Keys
from enclave.verifier import Enroller
from registry.attestations import read_verdict
from registry.chain.reading import rows
from registry.chain.reads import Words
from registry.chain.transport import Json
from registry.models import Models
from registry.policies import Policies, burn_domain
from tests.fakes.desk import FILES, LEASE, SALT, Attested, Desk
from tests.fakes.evidence import development_rules
from tests.fakes.tpm import FakeTpm


@dataclass(slots=True)
class Machine(Attested):
    """A guest on a machine with a TPM, whose endorsement key names the machine for ever."""

    tpm: FakeTpm = field(default_factory=FakeTpm)

    def bundle(self, challenge: Challenge) -> Bundle:
        """Evidence of its TPM."""
        claims = GuestClaims(lockdown=0, clock="host", image="1.0")
        body = self.tpm.collect(report_data(challenge, claims, [DeviceEntry.root("tpm")]))
        device = Device(kind="tpm", index=0, body=body)
        return Bundle(challenge=challenge, keys=self.keys.public, claims=claims, devices=(device,))

    def names(self, at: datetime) -> dict[str, bytes]:
        """Everything by which somebody could know the machine again."""
        endorsement = load(self.tpm.endorsement(at)[0])
        key = endorsement.public_key()
        assert isinstance(key, rsa.RSAPublicKey)
        modulus = key.public_numbers().n
        point = self.tpm.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return {
            "identity": key_digest(endorsement),
            "endorsement key": modulus.to_bytes(256, "big"),
            "attestation key": point[1:33],
            "name": TpmPublic.parse(self.tpm.public()).name,
            "certificate": self.tpm.chain[0],
        }


@pytest.fixture
def machine(desk: Desk) -> Machine:
    """A machine whose whole life under a licence is on chain: enrolled, recorded, released, renewed, anchored."""
    at = datetime.fromtimestamp(desk.chain.head().timestamp, UTC)
    found = Machine()
    root = key_digest(load(found.tpm.endorsement(at)[-1]))
    trust = Trust(enrollers=frozenset(), extra_roots=frozenset({root}))
    enroller = Enroller(key=ec.generate_private_key(ec.SECP256R1()), trust=trust)
    found.tpm.extend(14, FILES)
    found.tpm.chain = (enrol(found.tpm, enroller, at),)
    judge_by_tpm(desk, enroller)
    live(desk, found)
    return found


def enrol(tpm: FakeTpm, enroller: Enroller, at: datetime) -> bytes:
    request = EnrolRequest(chain=tpm.endorsement(at), public=tpm.public())
    credential, cookie = enroller.challenge(request.encode(), at)
    return enroller.certify(cookie, tpm.activate(credential, TpmPublic.parse(tpm.public()).name), at)


def judge_by_tpm(desk: Desk, enroller: Enroller) -> None:
    """Another policy for the model, which takes this enroller's TPMs."""
    desk.policy = replace(
        desk.policy,
        rules=development_rules(Kind.TPM, expected_workload(FILES)),
        enrollers=(enroller.point,),
    )
    policy = desk.policy
    desk.policy_id, _ = Policies(desk.chain).publish(desk.owner, policy.enforced, policy.document_digest)
    Models(desk.chain).name_next(
        desk.owner, desk.model, 1, desk.policy_id, desk.chain.head().timestamp + LEASE
    )
    desk.chain.advance(LEASE)
    desk.chain.mine()
    desk.entry = replace(desk.entry, policies=(desk.policy_id,))


def live(desk: Desk, machine: Machine) -> None:
    broker = desk.broker()
    desk.record(machine)
    subject = desk.request(machine)
    desk.settle(broker)
    desk.record(machine)
    desk.settle(broker)
    assert len(desk.events("LeaseRenewed")) == 1
    desk.anchor(machine, subject, 1, 9)
    desk.stop(machine, subject, 9)


def public(desk: Desk) -> bytes:
    """Every byte the chain keeps of it: raw logs, and the calldata and accounts of their transactions."""
    query: dict[str, Json] = {"fromBlock": hex(0), "toBlock": hex(desk.chain.head().number)}
    logs = rows(desk.chain.transport.request("eth_getLogs", query))
    parts = [json.dumps(log).replace("0x", "") for log in logs if isinstance(log, dict)]
    for transaction in {str(log["transactionHash"]) for log in logs if isinstance(log, dict)}:
        sent = desk.chain.transport.request("eth_getTransactionByHash", transaction)
        parts.append(json.dumps(sent).replace("0x", ""))
    assert len(parts) > len(logs)
    return "|".join(parts).encode()


def stored(desk: Desk) -> bytes:
    """Every name and every byte in the store."""
    files = [path for path in Path(desk.store.url).rglob("*") if path.is_file()]
    assert files
    return b"|".join(path.as_posix().encode() + b"|" + path.read_bytes() for path in files)


def written(name: bytes) -> set[bytes]:
    """A name as bytes, as text, and as the half that slots keep."""
    return {name, name.hex().encode(), name[:16], name[:16].hex().encode()}


def verdicts(desk: Desk, node: NodeId) -> list[Verdict]:
    events = [event for event in desk.events("Recorded") if event.args["nodeId"] == node]
    return [read_verdict(Words(event.args).struct("verdict")) for event in events]


def test_nothing_that_names_the_machine_is_public(desk: Desk, machine: Machine) -> None:
    at = datetime.fromtimestamp(desk.chain.head().timestamp, UTC)
    on_chain, in_store = public(desk), stored(desk)
    evidence = machine.bundle(desk.challenge(machine)).encode()
    for what, name in machine.names(at).items():
        for form in written(name):
            assert form not in on_chain, what
            assert form not in in_store, what
    assert machine.names(at)["attestation key"] in evidence  # readers do find it: the search can fail
    assert machine.node.hex().encode() in on_chain
    assert verdicts(desk, machine.node)[0].platform.hex().encode() in on_chain


def test_the_salt_and_the_opening_are_not_public_either(desk: Desk, machine: Machine) -> None:
    at = datetime.fromtimestamp(desk.chain.head().timestamp, UTC)
    opened = opening(SALT, machine.names(at)["identity"])
    for secret in (SALT, opened, desk.policy.burn_domain_name.encode() + SALT):
        for form in written(secret):
            assert form not in public(desk)
            assert form not in stored(desk)


def test_readers_alone_learn_which_machine_it_is(desk: Desk, machine: Machine) -> None:
    at = datetime.fromtimestamp(desk.chain.head().timestamp, UTC)
    verdict = verdicts(desk, machine.node)[0]
    raw = desk.store.get_named(file_name(verdict.evidence))
    filed = open_bundle(raw, verdict.evidence, desk.reader)
    identity = machine.names(at)["identity"]
    domain = desk.policy.enforced.burn_domain
    assert machine.names(at)["attestation key"] in filed.bundle
    assert commitment(domain, filed.opening, identity) == verdict.platform
    with pytest.raises(EnvelopeError):
        open_bundle(raw, verdict.evidence, ReaderKey.generate())


def test_who_knows_every_machine_still_cannot_test_a_commitment(desk: Desk, machine: Machine) -> None:
    """Domain and identity are guessable; without the salt no guess can be confirmed."""
    at = datetime.fromtimestamp(desk.chain.head().timestamp, UTC)
    identity, platform = machine.names(at)["identity"], verdicts(desk, machine.node)[0].platform
    domain = desk.policy.enforced.burn_domain
    for guess in (b"", bytes(32), identity, domain, SALT[:-1], b"salt of another domain, also long"):
        assert commitment(domain, opening(guess, identity), identity) != platform
    assert commitment(domain, opening(SALT, identity), identity) == platform


def test_one_machine_is_another_in_another_domain_or_under_another_salt(desk: Desk, machine: Machine) -> None:
    at = datetime.fromtimestamp(desk.chain.head().timestamp, UTC)
    identity = machine.names(at)["identity"]
    book, controllers = desk.chain.book, (desk.owner.address, desk.licensee.address)
    domains = [
        burn_domain(desk.chain.chain_id, book.policies, controller, name)
        for controller in controllers
        for name in ("fleet", "other")
    ]
    found = {
        commitment(domain, opening(salt, identity), identity)
        for domain in domains
        for salt in (SALT, SALT[::-1])
    }
    assert len(found) == len(domains) * 2


def test_guests_of_one_machine_share_only_the_commitment(desk: Desk, machine: Machine) -> None:
    """Their owner can burn the machine; nodeIds are fresh keys and tell nothing."""
    again = Machine(keys=Keys(), tpm=machine.tpm)
    desk.record(again)
    first, second = verdicts(desk, machine.node)[0], verdicts(desk, again.node)[0]
    assert first.platform == second.platform
    assert first.node_id != second.node_id
