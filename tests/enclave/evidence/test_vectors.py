# SPDX-License-Identifier: Apache-2.0
"""The vectors in tests/vectors/evidence, which were made without this code, are what this code computes."""

import dataclasses
import json
from pathlib import Path

import pytest

from contracts.digests import TypedDomain
from contracts.ids import Address, BurnDomain, Digest, FixedBytes
from contracts.records import Level, Subject, Verdict
from enclave.evidence.appraise import Reason
from enclave.evidence.binding import (
    Challenge,
    DeviceEntry,
    GuestClaims,
    device_nonce,
    evidence_digest,
    report_data,
)
from enclave.evidence.bundle import Bundle, Device
from enclave.evidence.platform import commitment, opening
from enclave.evidence.policy import Policy, burn_domain
from enclave.evidence.software import verify as software
from enclave.evidence.tpm.certificate import ENROLMENT
from enclave.evidence.tpm.quote import expected_workload
from enclave.statements import (
    BrokerKey,
    Grant,
    NodeGrant,
    NodeKeys,
    Receipt,
    Statement,
    Stopped,
    Usage,
    message_digest,
)

FOLDER = Path(__file__).parents[2] / "vectors" / "evidence"
BINDING, PLATFORM, POLICY, STATEMENTS = (
    json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    for name in ("binding", "platform", "policy", "statements")
)


def raw(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def made(kind: type, fields: dict[str, object]) -> object:
    """A value from a vector's fields, by the types of the dataclass."""
    types = {field.name: field.type for field in dataclasses.fields(kind)}
    return kind(
        **{
            name: value
            if types[name] in (int, bool, str)
            else types[name](raw(value) if str(value)[:2] == "0x" else value)
            for name, value in fields.items()
            if name in types
        }
    )


def keys() -> NodeKeys:
    parts = BINDING["keys"]
    return NodeKeys(
        hpke=raw(parts["hpke"]), receipt=raw(parts["receipt"]), chain=Address.parse(parts["chain"])
    )


def asked() -> Challenge:
    challenge = made(Challenge, BINDING["challenge"])
    assert isinstance(challenge, Challenge)
    return challenge


def claims() -> GuestClaims:
    value = made(GuestClaims, BINDING["claims"])
    assert isinstance(value, GuestClaims)
    return value


def test_node_id() -> None:
    parts = BINDING["keys"]
    assert str(keys().hpke_digest) == parts["hpke_digest"]
    assert str(keys().receipt_digest) == parts["receipt_digest"]
    assert str(keys().node_id()) == parts["node_id"]


@pytest.mark.parametrize("name", ["challenge", "claims"])
def test_challenge_and_claims(name: str) -> None:
    value = {"challenge": asked, "claims": claims}[name]()
    assert value.encode() == raw(BINDING[name]["encoded"])
    assert str(value.digest()) == BINDING[name]["digest"]
    assert type(value).decode(value.encode()) == value


def test_report_data_and_device_nonces() -> None:
    peripheral = BINDING["peripheral"]
    evidence = evidence_digest(raw(peripheral["body"]))
    entry = DeviceEntry(index=1, kind="software", evidence=evidence)
    root, expected = DeviceEntry.root("tpm"), BINDING["report_data"]
    assert str(evidence) == peripheral["evidence"]
    assert str(device_nonce(asked(), 1, "software")) == peripheral["nonce"]
    assert report_data(asked(), claims(), [root]) == raw(expected["tpm alone"])
    assert report_data(asked(), claims(), [root, entry]) == raw(expected["tpm with the peripheral"])


def test_bundle() -> None:
    expected = BINDING["bundle"]
    devices = tuple(Device(kind=k, index=n, body=raw(b)) for n, (k, b) in enumerate(expected["devices"]))
    bundle = Bundle(challenge=asked(), keys=keys(), claims=claims(), devices=devices)
    assert bundle.encode() == raw(expected["encoded"])
    assert str(bundle.digest()) == expected["digest"]
    assert Bundle.decode(raw(expected["encoded"])) == bundle


def test_platform_and_workloads() -> None:
    identity, salt, domain = (raw(PLATFORM[name]) for name in ("identity", "salt", "domain"))
    opened = opening(salt, identity)
    assert opened == raw(PLATFORM["opening"])
    assert str(commitment(BurnDomain(domain), opened, identity)) == PLATFORM["commitment"]
    files = Digest.parse(PLATFORM["guest_files"])
    assert str(software.workload_of(files)) == PLATFORM["workload"]["software"]
    assert str(expected_workload(files)) == PLATFORM["workload"]["tpm"]


def test_policy() -> None:
    policy = Policy.from_toml(POLICY["toml"])
    place = POLICY["chain_id"], Address.parse(POLICY["registry"]), Address.parse(POLICY["controller"])
    assert policy.canonical().decode() == POLICY["document"]
    assert Policy.from_json(POLICY["document"].encode()) == policy
    assert str(policy.document_digest) == POLICY["document_digest"]
    assert str(policy.policy_id(*place)) == POLICY["policy_id"]
    assert str(burn_domain(*place, POLICY["burn_domain"]["name"])) == POLICY["burn_domain"]["id"]


@pytest.mark.parametrize("kind", [BrokerKey, Stopped, Usage, NodeGrant])
def test_statements(kind: type[BrokerKey | Stopped | Usage | NodeGrant]) -> None:
    vector = STATEMENTS["statements"][kind.__name__]
    value = made(kind, vector["fields"])
    assert isinstance(value, kind)
    domain = TypedDomain(chain_id=STATEMENTS["chain_id"], contract=Address.parse(vector["contract"]))
    assert str(value.digest(domain)) == vector["digest"]
    assert isinstance(value, Statement)
    assert kind.decode(value.encode()) == value


def test_grant() -> None:
    vector = STATEMENTS["statements"]["Grant"]
    place = {"chain_id": STATEMENTS["chain_id"], "release_log": vector["contract"]}
    grant = made(Grant, place | vector["fields"])
    assert isinstance(grant, Grant)
    assert str(grant.digest()) == vector["digest"]
    assert grant.info() == raw(vector["info"])
    assert grant.encode() == raw(vector["encoded"])
    assert Grant.decode(raw(vector["encoded"])) == grant


def test_verdict() -> None:
    vector = STATEMENTS["statements"]["Verdict"]
    verdict = made(Verdict, vector["fields"])
    assert isinstance(verdict, Verdict)
    assert verdict.level is Level.ROOTED
    domain = TypedDomain(chain_id=STATEMENTS["chain_id"], contract=Address.parse(vector["contract"]))
    assert str(verdict.digest(domain)) == vector["digest"]


def test_receipt() -> None:
    vector = STATEMENTS["receipt"]
    receipt, salt = made(Receipt, vector["fields"]), raw(vector["salt"])
    assert isinstance(receipt, Receipt)
    assert receipt.request == message_digest(salt, raw(vector["request_body"]))
    assert receipt.response == message_digest(salt, raw(vector["response_body"]))
    assert receipt.encode() == raw(vector["encoded"])
    assert str(receipt.digest()) == vector["digest"]
    assert receipt.to_be_signed() == raw(vector["to_be_signed"])
    assert receipt.signed(raw(vector["signature"])) == raw(vector["cose"])
    assert Receipt.read_signed(raw(vector["cose"])) == (receipt, raw(vector["signature"]))


def test_release_id() -> None:
    vector = STATEMENTS["release"]
    subject = made(Subject, vector["fields"])
    assert isinstance(subject, Subject)
    domain = TypedDomain(chain_id=STATEMENTS["chain_id"], contract=Address.parse(vector["contract"]))
    assert str(subject.release(domain)) == vector["id"]
    assert issubclass(type(subject.release(domain)), FixedBytes)


def test_the_specification_s_worked_values_are_the_vectors() -> None:
    spec = (Path(__file__).parents[3] / "enclave" / "evidence" / "SPEC.md").read_text("utf-8")
    grant = STATEMENTS["statements"]["Grant"]
    for value in (
        BINDING["challenge"]["digest"],
        BINDING["report_data"]["tpm alone"][:66],
        PLATFORM["commitment"],
        PLATFORM["workload"]["tpm"],
        POLICY["policy_id"],
        grant["digest"],
        grant["info"],
        STATEMENTS["receipt"]["digest"],
        ENROLMENT.dotted_string,
    ):
        assert value in spec
    assert all(reason.name in spec for reason in Reason)
