# SPDX-License-Identifier: Apache-2.0
"""The owner's appraisal policy: authored in TOML, identified by its RFC 8785 JSON (SPEC.md, section 6).

Every key is required and no other is allowed, so nothing unset can mean "any".
"""

import hashlib
from dataclasses import dataclass, replace
from typing import Self

import rfc8785

from contracts.digests import Word, evm_digest, keccak, word
from contracts.documents import parse_json
from contracts.ids import Address, BurnDomain, Digest, PolicyId
from contracts.records import Enforced, Level
from enclave.errors import MalformedPolicy, Refused
from enclave.evidence.binding import CLOCKS, Lockdown
from enclave.evidence.bounded import read_rules
from enclave.evidence.findings import Finding, Reason
from enclave.evidence.reading import LARGEST, Table, plain, toml
from enclave.evidence.rules import Rules
from enclave.evidence.trust import Trust

APPRAISAL = 2
DEVELOPMENT = "software only, for development"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Which evidence is acceptable, who says so, and for how long.

    `burnt` are commitments to platforms, which only a holder of the burn domain's salt can compare.
    """

    name: str
    enforced: Enforced
    burn_domain_name: str
    burnt: tuple[Digest, ...]
    readers: tuple[bytes, ...]
    verifier_urls: tuple[str, ...]
    broker_url: str
    enrollers: tuple[bytes, ...]
    extra_roots: tuple[bytes, ...]
    clock: str
    lockdown: Lockdown
    rules: Rules

    @property
    def trust(self) -> Trust:
        """Whom this policy's evidence may rest on, as `verify` takes it."""
        named = Trust(enrollers=frozenset(self.enrollers), extra_roots=frozenset(self.extra_roots))
        return named | self.rules.trust

    @classmethod
    def from_toml(cls, text: str | bytes) -> Self:
        """Read what a person wrote."""
        return cls._read(toml(text))

    @classmethod
    def from_json(cls, raw: bytes) -> Self:
        """Read a published document; it must be byte for byte what `canonical` writes."""
        try:
            document = parse_json(raw)
        except (ValueError, RecursionError) as error:
            raise MalformedPolicy("not JSON", where="policy") from error
        policy = cls._read(document)
        if policy.canonical() != raw:
            raise MalformedPolicy("not in the canonical form of RFC 8785", where="policy")
        return policy

    def canonical(self) -> bytes:
        """The document as it is published and stored."""
        document = plain(self)
        assert isinstance(document, dict)
        rules = document.pop("rules")
        assert isinstance(rules, dict)
        document |= rules | {"appraisal": APPRAISAL}
        if self.enforced.minimum_level is Level.NONE:
            document["development"] = DEVELOPMENT
        return rfc8785.dumps(document)

    @property
    def document_digest(self) -> Digest:
        """SHA-256 of the canonical document: its key in the store, and part of the policy id."""
        return Digest(hashlib.sha256(self.canonical()).digest())

    def policy_id(self, chain_id: int, registry: Address, controller: Address) -> PolicyId:
        """The id under which `controller` publishes this policy (`IPolicyRegistry.publish`)."""
        enforced = self.enforced
        tag = b"exequatur/v1/policy"
        head = (6 * 32, chain_id, registry, controller, 8 * 32, self.document_digest)
        terms = (
            9 * 32,
            enforced.threshold,
            int(enforced.minimum_level),
            enforced.maximum_age,
            enforced.challenge_age,
            enforced.depth,
            enforced.lease,
            enforced.quota,
            enforced.burn_domain,
        )
        words: tuple[Word, ...] = (*head, len(tag), tag, *terms, len(enforced.verifiers), *enforced.verifiers)
        return PolicyId(keccak(b"".join([word(value) for value in words])))

    def require(self, enforced: Enforced) -> None:
        """Refuse when the document's copy of the enforced part differs from the chain's."""
        if enforced == self.enforced:
            return
        hint = "the document is not the one that was published under this id"
        raise Refused(
            [Finding(reason=Reason.POLICY, expected=str(self.enforced), found=str(enforced), hint=hint)]
        )

    @classmethod
    def _read(cls, raw: object) -> Self:
        table = Table(raw, "policy")
        if (appraisal := table.integer("appraisal", LARGEST)) != APPRAISAL:
            raise MalformedPolicy(f"this version appraises by {APPRAISAL}, not {appraisal}", where="policy")
        policy = cls(
            name=table.text("name"),
            enforced=_enforced(table.table("enforced")),
            burn_domain_name=table.text("burn_domain_name"),
            burnt=tuple(map(Digest, table.hexes("burnt", 32))),
            readers=table.hexes("readers", 1216),
            verifier_urls=table.texts("verifier_urls"),
            broker_url=table.text("broker_url"),
            enrollers=table.hexes("enrollers", 65),
            extra_roots=table.hexes("extra_roots", 32),
            clock=table.choice("clock", CLOCKS),
            lockdown=_lockdown(table),
            rules=read_rules(table),
        )
        if policy.enforced.minimum_level is Level.NONE:
            table.choice("development", (DEVELOPMENT,))
        table.done()
        if policy.enforced.minimum_level is Level.ISOLATED_CUSTODY and not policy.rules.endorsers:
            raise MalformedPolicy("custody needs endorsers, and their places", where="policy.enforced")
        return policy


def is_whole(text: str | bytes) -> bool:
    """Whether this TOML is meant as a whole policy, and not as a fragment with rules; raises `MalformedPolicy`."""
    return not {"enforced", "appraisal"}.isdisjoint(toml(text))


def rules_from(text: str | bytes) -> Rules:
    """The rules of a policy in TOML, or of a fragment that holds rules and nothing else; raises `MalformedPolicy`.

    Of a whole policy, what can isolate a guest is held to the level that the contracts enforce of the root device.
    """
    if not is_whole(text):
        table = Table(toml(text), "rules")
        rules = read_rules(table)
        table.done()
        return rules
    policy = Policy.from_toml(text)
    lowest = policy.enforced.minimum_level
    raised = (
        rule if rule.kind.peripheral else replace(rule, minimum_level=max(rule.minimum_level, lowest))
        for rule in policy.rules.devices
    )
    return replace(policy.rules, devices=tuple(raised))


def trust_from(text: str | bytes) -> Trust:
    """Whom a policy in TOML, or a fragment, lets evidence rest on; raises `MalformedPolicy`."""
    return Policy.from_toml(text).trust if is_whole(text) else rules_from(text).trust


def burn_domain(chain_id: int, registry: Address, controller: Address, name: str) -> BurnDomain:
    """Id of a controller's list of burnt platforms (`IPolicyRegistry.burnDomainOf`)."""
    words = (chain_id, registry, controller, name.encode().ljust(32, b"\0"))
    return BurnDomain(evm_digest("burn-domain", *words))


def _enforced(table: Table) -> Enforced:
    enforced = Enforced(
        verifiers=tuple(map(Address, table.hexes("verifiers", 20))),
        threshold=table.integer("threshold", 32),
        minimum_level=table.level("minimum_level"),
        maximum_age=table.integer("maximum_age", 2**32 - 1),
        challenge_age=table.integer("challenge_age", 2**32 - 1),
        depth=table.integer("depth", 2**16 - 1),
        lease=table.integer("lease", 2**32 - 1),
        quota=table.integer("quota", LARGEST),
        burn_domain=BurnDomain(table.hexadecimal("burn_domain", 32)),
    )
    table.done()
    if list(enforced.verifiers) != sorted(enforced.verifiers):
        raise MalformedPolicy("verifiers ascend", where="policy.enforced")
    if not 1 <= enforced.threshold <= len(enforced.verifiers) <= 32:
        raise MalformedPolicy("1 <= threshold <= verifiers <= 32", where="policy.enforced")
    if enforced.maximum_age < enforced.lease + enforced.challenge_age:
        raise MalformedPolicy("maximum_age is below lease + challenge_age", where="policy.enforced")
    return enforced


def _lockdown(table: Table) -> Lockdown:
    reached = Lockdown(0)
    for name in table.texts("lockdown"):
        step = Lockdown.__members__.get(name.upper())
        if step is None or name != name.lower():
            raise MalformedPolicy(f"unknown lock-down step {name!r}", where="policy.lockdown")
        reached |= step
    return reached
