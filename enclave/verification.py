# SPDX-License-Identifier: Apache-2.0
"""What the chain's events say of one node, read for a user who trusts nobody in between.

Only events of the contracts in the address book count. Every question either has an answer in an event or raises
`NotVerified`; nothing is assumed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from contracts.digests import TypedDomain
from contracts.ids import Address, BurnDomain, Digest, Half, ModelId, NodeId, PolicyId, ReleaseId, SealId
from contracts.records import Enforced, Level, Subject, Verdict
from enclave.errors import NotVerified
from registry.attestations import read_verdict
from registry.chain.book import AddressBook
from registry.chain.reads import Words
from registry.chain.view import Event
from registry.policies import read_enforced
from registry.releases import read_subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a verification: what was found, and what that rests on."""

    name: str
    found: str
    rests_on: str

    def __str__(self) -> str:
        return f"{self.name}: {self.found} (rests on {self.rests_on})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leased:
    """One lease as it was recorded: the record it rests on, and the highest counter it allows."""

    rests_on: int
    ceiling: int
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A verdict on record and whose signatures on it still count."""

    verdict: Verdict
    signers: tuple[Address, ...]
    threshold: int
    where: str


class History:
    """Everything that happened, up to the last event given."""

    def __init__(self, events: Sequence[Event], book: AddressBook) -> None:
        ours = book.addresses()
        self._events = [event for event in events if ours.get(event.contract) == event.address]
        self.domain = TypedDomain(chain_id=book.chain_id, contract=book.releases)

    def subject(self, release: ReleaseId) -> tuple[Subject, str]:
        """What a release is for; its id is the digest of that."""
        for event in self._named("KeyRequested"):
            subject = read_subject(Words(event.args).struct("subject"))
            if event.args["release"] == release == subject.release(self.domain):
                return subject, _where(event)
        raise NotVerified(f"nobody asked for release {release}", where="release", hint=_HINT)

    def lease(self, release: ReleaseId, lease: int, subject: Subject) -> Leased:
        """The terms of a lease; the first rests on the record its request named."""
        name = "LeaseRenewed" if lease else "KeyReleased"
        for event in self._named(name):
            words = Words(event.args)
            if event.args["release"] != release or (lease and words.int("lease") != lease):
                continue
            number = words.int("blockNumber") if lease else subject.block_number
            return Leased(rests_on=number, ceiling=words.int("ceiling"), where=_where(event))
        raise NotVerified(f"lease {lease} of {release} was never recorded", where="lease", hint=_HINT)

    def seal_id(self, model: ModelId, version: int) -> tuple[SealId, str]:
        """The sealed model that a version is."""
        for event in self._named("VersionAdded"):
            if (event.args["modelId"], event.args["version"]) == (model, version):
                return Words(event.args).id("sealId", SealId), _where(event)
        raise NotVerified(f"version {version} of {model} is not registered", where="model", hint=_HINT)

    def policy(self, policy: PolicyId) -> tuple[Enforced, Digest, str]:
        """What a policy enforces, and the digest of its document."""
        for event in self._named("PolicyPublished"):
            if event.args["policyId"] == policy:
                words = Words(event.args)
                enforced = read_enforced(words.struct("enforced"))
                return enforced, words.id("documentDigest", Digest), _where(event)
        raise NotVerified(f"policy {policy} was never published", where="policy", hint=_HINT)

    def last_record(self, policy: PolicyId, node: NodeId) -> int:
        """The challenge block of the newest record of a node."""
        numbers = [verdict.block_number for verdict, _, _ in self._records(policy, node)]
        if not numbers:
            raise NotVerified(f"{node} is not on record under {policy}", where="record", hint=_HINT)
        return max(numbers)

    def standing(self, policy: PolicyId, node: NodeId, number: int) -> Standing:
        """The record with a challenge block, if enough verifiers still stand by it and nothing was taken back."""
        enforced, _, _ = self.policy(policy)
        found = [record for record in self._records(policy, node) if record[0].block_number == number]
        if not found:
            raise NotVerified(f"no record of {node} with block {number}", where="record", hint=_HINT)
        verdict, bitmap, where = found[0]
        gone = {event.args["verifier"] for event in self._about("VerifierWithdrawn", "policyId", policy)}
        signers = tuple(
            verifier
            for index, verifier in enumerate(enforced.verifiers)
            if bitmap >> index & 1 and verifier not in gone
        )
        if len(signers) < enforced.threshold:
            what = f"{len(signers)} verifiers stand by the verdict, {enforced.threshold} are needed"
            raise NotVerified(what, where="record")
        self._require_kept(enforced.burn_domain, verdict)
        return Standing(verdict=verdict, signers=signers, threshold=enforced.threshold, where=where)

    def _require_kept(self, domain: BurnDomain, verdict: Verdict) -> None:
        halves = {
            "WorkloadRecalled": ("workload", verdict.workload),
            "PlatformBurnt": ("platform", verdict.platform),
        }
        for name, (field, value) in halves.items():
            for event in self._about(name, "burnDomain", domain):
                if event.args[field] == bytes(Half(value[: Half.SIZE])):
                    raise NotVerified(f"its {field} was taken back at {_where(event)}", where="record")
        for event in self._about("NodeWithdrawn", "policyId", verdict.policy_id):
            if event.args["nodeId"] == verdict.node_id:
                raise NotVerified(f"the node was withdrawn at {_where(event)}", where="record")

    def _records(self, policy: PolicyId, node: NodeId) -> Iterator[tuple[Verdict, int, str]]:
        for event in self._about("Recorded", "policyId", policy):
            words = Words(event.args)
            verdict = read_verdict(words.struct("verdict"))
            if event.args["nodeId"] == node == verdict.node_id:
                yield verdict, words.int("signers"), _where(event)

    def _named(self, name: str) -> Iterator[Event]:
        return (event for event in self._events if event.name == name)

    def _about(self, name: str, field: str, value: bytes) -> Iterator[Event]:
        return (event for event in self._named(name) if event.args[field] == value)


_HINT = "the events may end too early, or be another chain's"


def _where(event: Event) -> str:
    return f"{event.contract}.{event.name} in block {event.block.number}"


def level_note(level: Level) -> str:
    """What a level is worth to a user, in a few words."""
    if level >= Level.ISOLATED:
        return "memory isolated by hardware"
    if level is Level.NONE:
        return "no protection from the machine's owner: software or a test root, for development"
    return "holds against everybody but the machine's root"
