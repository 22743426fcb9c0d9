# SPDX-License-Identifier: Apache-2.0
"""The worked values of contracts/SPEC.md are what the code computes."""

from pathlib import Path

from contracts.digests import TypedDomain, evm_digest
from contracts.ids import Address, Digest, NodeId, SealId
from contracts.records import Enforced, Level, Subject, Verdict
from enclave.statements import NodeGrant, Stopped, Usage
from registry.models import model_id
from registry.policies import burn_domain, policy_id

SPEC = Path(__file__).resolve().parents[2] / "contracts" / "SPEC.md"
CHAIN = 31_337


def b(byte: int) -> Digest:
    return Digest(bytes([byte]) * 32)


def a(byte: int) -> Address:
    return Address(bytes([byte]) * 20)


DOMAIN = burn_domain(CHAIN, a(0xDD), a(1), "plant")
ENFORCED = Enforced(
    verifiers=(a(2), a(3)),
    threshold=2,
    minimum_level=Level.ISOLATED,
    maximum_age=7_200,
    challenge_age=600,
    depth=1,
    lease=3_600,
    quota=1_000,
    burn_domain=DOMAIN,
)
SUBJECT = Subject(
    model_id=model_id(CHAIN, a(0xCC), a(1), "bearing-faults"),
    version=1,
    policy_id=policy_id(CHAIN, a(0xDD), a(1), ENFORCED, b(4)),
    node_id=NodeId(evm_digest("node", b(5), b(6), a(7))),
    block_number=100,
    licence=a(8),
)
VERDICT = Verdict(
    policy_id=SUBJECT.policy_id,
    node_id=SUBJECT.node_id,
    lease_nonce=b(9),
    evidence=b(10),
    workload=b(11),
    platform=b(12),
    level=Level.ISOLATED,
    kinds=2,
    place=756,
    block_number=100,
    block_hash=b(13),
    as_of=1_800_000_000,
    expiry=1_800_007_200,
)


def worked() -> dict[str, Digest]:
    releases = TypedDomain(chain_id=CHAIN, contract=a(0xBB))
    release, node = SUBJECT.release(releases), SUBJECT.node_id
    counters = {"release": release, "seal_id": SealId(b(14)), "root": b(15), "last_counter": 15}
    return {
        "model": Digest(SUBJECT.model_id),
        "burn-domain": Digest(DOMAIN),
        "policy": Digest(SUBJECT.policy_id),
        "node": Digest(node),
        "release": Digest(release),
        "separator": releases.separator(),
        "Verdict(": VERDICT.digest(TypedDomain(chain_id=CHAIN, contract=a(0xAA))),
        "NodeGrant(": NodeGrant(licence=a(8), node_id=node, deadline=1_800_000_600).digest(releases),
        "Stopped(": Stopped(**counters).digest(releases),
        "Usage(": Usage(**counters, first_counter=1, last=True).digest(releases),
    }


def test_every_worked_value_is_computed() -> None:
    lines = SPEC.read_text("utf-8").splitlines()
    for name, value in worked().items():
        assert [line for line in lines if name in line and str(value) in line], name
