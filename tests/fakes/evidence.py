# SPDX-License-Identifier: Apache-2.0
"""One good attestation to start from: a node, a policy, a challenge; tests break one thing at a time."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from contracts.ids import Address, Digest, PolicyId
from contracts.records import Level
from enclave.evidence.appraise import Accepted, appraise
from enclave.evidence.binding import Challenge, DeviceEntry, GuestClaims, Lockdown, report_data
from enclave.evidence.bundle import Bundle, Device
from enclave.evidence.drafting import outline
from enclave.evidence.kinds import Kind
from enclave.evidence.policy import Policy
from enclave.evidence.rules import Rules
from enclave.evidence.software.verify import workload_of
from enclave.evidence.verify import verify
from enclave.guest.collectors.software import Software
from enclave.statements import NodeKeys

CHAIN, LOG, REGISTRY, CONTROLLER = 31337, Address(b"\xaa" * 20), Address(b"\xbb" * 20), Address(b"\xcc" * 20)
SALT = b"salt of the domain, 32 bytes long"
FILES = Digest(b"\x0f" * 32)
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
KEYS = NodeKeys(hpke=b"\x11" * 1216, receipt=b"\x04" + b"\x22" * 64, chain=Address(b"\x33" * 20))
CLAIMS = GuestClaims(lockdown=int(Lockdown.NO_NEW_PRIVILEGES | Lockdown.NETWORK), clock="host", image="1.0")

POLICY = """
name = "bearings"
appraisal = 2
development = "software only, for development"
burn_domain_name = "plant"
readers = []
verifier_urls = ["http://127.0.0.1:8801"]
broker_url = "http://127.0.0.1:8800"
burnt = []
enrollers = []
extra_roots = []
clock = "host"
lockdown = ["no_new_privileges", "network"]
workloads = ["WORKLOAD"]
registers = []
references = []
floors = []
ages = [AGES]
revoked = []
endorsers = []
places = []
allow_test_root = true

[enforced]
verifiers = ["0x1111111111111111111111111111111111111111", "0x2222222222222222222222222222222222222222"]
threshold = 1
minimum_level = "none"
maximum_age = 3600
challenge_age = 600
depth = 1
lease = 600
quota = 1000
burn_domain = "0x0000000000000000000000000000000000000000000000000000000000000044"

[[devices]]
kind = "KIND"
minimum_level = "none"
least = 1
most = 1
"""


def policy_text(kind: str = "software", workload: Digest | None = None) -> str:
    """A policy that accepts one workload of one technology."""
    ages = ", ".join(
        f'{{kind = "{rule.kind.label}", input = "{rule.input}", at_most = {rule.at_most}, required = true}}'
        for rule in development_rules(next(known for known in Kind if known.label == kind)).ages
    )
    text = POLICY.replace("WORKLOAD", str(workload or workload_of(FILES)))
    return text.replace("AGES", ages).replace("KIND", kind)


def development_rules(kind: Kind, *workloads: Digest) -> Rules:
    """Rules that accept one device of a technology, whatever its level, with some workloads."""
    return outline(kind, minimum_level=Level.NONE, workloads=workloads, at=NOON)


def challenge(policy_id: PolicyId, keys: NodeKeys = KEYS) -> Challenge:
    """A challenge for a node under a policy."""
    return Challenge(
        chain_id=CHAIN,
        log=LOG,
        policy_id=policy_id,
        node_id=keys.node_id(),
        lease_nonce=Digest(b"\x55" * 32),
        block_number=100,
        block_hash=Digest(b"\x66" * 32),
    )


@dataclass(frozen=True, kw_only=True)
class Case:
    """Everything one judgement takes; `replace` one part and judge again."""

    policy: Policy
    collect: Callable[[bytes], bytes]
    kind: str = "software"
    keys: NodeKeys = KEYS
    claims: GuestClaims = CLAIMS
    at: datetime = NOON

    @classmethod
    def software(cls, text: str = "") -> "Case":
        """Software evidence under a policy that accepts it."""
        return cls(policy=Policy.from_toml(text or policy_text()), collect=Software(FILES).collect)

    @property
    def policy_id(self) -> PolicyId:
        return self.policy.policy_id(CHAIN, REGISTRY, CONTROLLER)

    def bundle(self) -> Bundle:
        """Evidence as an honest guest makes it."""
        asked = challenge(self.policy_id, self.keys)
        body = self.collect(report_data(asked, self.claims, [DeviceEntry.root(self.kind)]))
        device = Device(kind=self.kind, index=0, body=body)
        return Bundle(challenge=asked, keys=self.keys, claims=self.claims, devices=(device,))

    def judge(self, bundle: Bundle | bytes | None = None) -> Accepted:
        """What a verifier does with a bundle."""
        raw = bundle if isinstance(bundle, bytes) else (bundle or self.bundle()).encode()
        verified = verify(Bundle.decode(raw), trust=self.policy.trust, at=self.at)
        return appraise(
            verified,
            self.policy,
            challenge_time=int(self.at.timestamp()),
            salt=SALT,
            policy_id=self.policy_id,
        )

    def but(self, **changes: object) -> "Case":
        """The same with something else."""
        return replace(self, **changes)  # type: ignore[arg-type]  # tests name the fields
