# SPDX-License-Identifier: Apache-2.0
"""S1: a model key is wrapped only to a key that a bundle, accepted under a pinned policy at a recent block, binds to a guest."""

from dataclasses import replace

import pytest

from contracts.ids import Address, Digest, PolicyId
from enclave.broker.journal import Stage
from enclave.broker.service import Broker
from enclave.envelope import Filed, file_name, seal_bundle
from enclave.errors import ChallengeRefused, Refused
from enclave.evidence.bundle import Bundle
from enclave.evidence.software.verify import workload_of
from enclave.guest.collectors.software import Software
from enclave.guest.keys import Keys
from enclave.judging import Assigned
from enclave.statements import NodeKeys
from enclave.verifier import Verifier
from registry.attestations import Attestations
from registry.chain.dev import fund
from registry.licences import Licences
from registry.models import Models
from registry.policies import Policies
from registry.signing import Account
from tests.fakes.desk import SALT, Attested, Deal, Desk, license_to

EVIL = Digest(b"\xee" * 32)


def nothing_left(desk: Desk, broker: Broker, *reasons: str) -> None:
    """No release on chain, no envelope in the journal, no handover; and the broker says why."""
    desk.settle(broker)
    assert not desk.events("KeyReleased")
    for job in broker.status():
        assert (job.stage, job.envelope) == (Stage.REFUSED, b"")
        assert broker.handover(job.release, 0) is None
        assert set(reasons) <= set(job.reasons.split(", "))
    assert broker.status()


def lax(desk: Desk) -> tuple[PolicyId, Assigned, list[Account]]:
    """A policy of the thief's own making: his verifiers, his guest, published under the owner's account."""
    thieves = sorted((Account.generate() for _ in range(2)), key=lambda account: account.address)
    enforced = replace(desk.policy.enforced, verifiers=tuple(t.address for t in thieves))
    policy = replace(
        desk.policy, enforced=enforced, rules=replace(desk.policy.rules, workloads=(workload_of(EVIL),))
    )
    policy_id, _ = Policies(desk.chain).publish(desk.owner, policy.enforced, policy.document_digest)
    return policy_id, Assigned(policy=policy, controller=desk.owner.address, salt=SALT), thieves


def admitted(desk: Desk, policy_id: PolicyId, assigned: Assigned, thieves: list[Account]) -> Attested:
    """A hostile guest, on record under the thief's policy, whose key is asked for."""
    guest = Attested(quoter=Software(EVIL))
    bundle = guest.bundle(desk.challenge(guest, policy_id=policy_id)).encode()
    signed = [Verifier(desk.chain, t, {policy_id: assigned}, desk.store).appraise(bundle) for t in thieves]
    Attestations(desk.chain).record(desk.licensee, signed[0].verdict, [one.signature for one in signed])
    desk.releases.request(desk.licensee, desk.model, 1, policy_id, guest.node, desk.licence)
    return guest


def test_a_thief_of_the_owner_s_account_swaps_the_policy_in_vain(desk: Desk) -> None:
    """The chain says that the policy is the model's, and permits; the keystore never pinned it."""
    policy_id, assigned, thieves = lax(desk)
    Models(desk.chain).name_next(desk.owner, desk.model, 1, policy_id, desk.chain.head().timestamp + 60)
    desk.chain.advance(100)
    admitted(desk, policy_id, assigned, thieves)
    nothing_left(desk, desk.broker(), "UNPINNED")


def test_a_broker_that_knows_the_policy_still_asks_the_keystore(desk: Desk) -> None:
    policy_id, assigned, thieves = lax(desk)
    Models(desk.chain).name_next(desk.owner, desk.model, 1, policy_id, desk.chain.head().timestamp + 60)
    desk.chain.advance(100)
    admitted(desk, policy_id, assigned, thieves)
    broker = desk.broker()
    both = desk.assigned | {policy_id: assigned}
    broker = Broker(
        desk.chain, desk.clerk, {(desk.model, 1): desk.entry}, both, desk.store, desk.reader, broker._journal
    )
    nothing_left(desk, broker, "UNPINNED")


def test_a_thief_registers_the_sealed_model_again_in_vain(desk: Desk) -> None:
    """Another model with the same sealId under a lax policy: the keys are bound to one model and version."""
    policy_id, assigned, thieves = lax(desk)
    model, _ = Models(desk.chain).register(
        desk.owner,
        "mine now",
        seal_id=desk.entry.seal_id,
        policy=policy_id,
        uri="",
        broker=desk.clerk.address,
    )
    desk.licence = license_to(desk.chain, desk.owner, desk.licensee, model, Deal())
    stolen = replace(desk, model=model, policy_id=policy_id)
    admitted(stolen, policy_id, assigned, thieves)
    broker = desk.broker()
    desk.settle(broker)
    assert broker.status() == []  # it serves what its keystore is bound to, and hears of nothing else
    assert not desk.events("KeyReleased")


def test_a_new_version_does_not_inherit_the_pins(desk: Desk) -> None:
    policy_id, assigned, thieves = lax(desk)
    Models(desk.chain).add_version(
        desk.owner, desk.model, seal_id=desk.entry.seal_id, policy=policy_id, uri=""
    )
    guest = Attested(quoter=Software(EVIL))
    bundle = guest.bundle(desk.challenge(guest, policy_id=policy_id)).encode()
    signed = [Verifier(desk.chain, t, {policy_id: assigned}, desk.store).appraise(bundle) for t in thieves]
    Attestations(desk.chain).record(desk.licensee, signed[0].verdict, [one.signature for one in signed])
    desk.releases.request(desk.licensee, desk.model, 2, policy_id, guest.node, desk.licence)
    served = {(desk.model, 1): desk.entry, (desk.model, 2): desk.entry}
    broker = Broker(
        desk.chain,
        desk.clerk,
        served,
        desk.assigned | {policy_id: assigned},
        desk.store,
        desk.reader,
        desk.broker()._journal,
    )
    nothing_left(desk, broker, "UNBOUND", "UNPINNED")


def test_k_corrupt_verifiers_do_not_get_a_key(desk: Desk) -> None:
    """Two of three sign for a hostile guest; the broker judges the evidence itself."""
    guest = Attested(quoter=Software(EVIL))
    bundle = guest.bundle(desk.challenge(guest))
    honest = Attested()
    right = desk.verifier().appraise(honest.bundle(desk.challenge(honest)).encode()).verdict
    lie = replace(
        right,
        node_id=guest.node,
        lease_nonce=bundle.challenge.lease_nonce,
        evidence=bundle.digest(),
        block_number=bundle.challenge.block_number,
        block_hash=bundle.challenge.block_hash,
        as_of=desk.chain.block(bundle.challenge.block_number).timestamp,
    )
    log = Attestations(desk.chain)
    signatures = [account.sign_typed(lie.digest(log.domain)) for account in desk.verifiers[:2]]
    filed = Filed(bundle=bundle.encode(), opening=b"")
    desk.store.put_as(file_name(lie.evidence), seal_bundle(filed, lie.evidence, [desk.reader.public]))
    log.record(desk.licensee, lie, signatures)
    desk.request(guest)
    nothing_left(desk, desk.broker(), "WORKLOAD")


def test_another_node_s_keys_in_a_bundle_are_refused(desk: Desk) -> None:
    """The thief keeps the evidence and swaps the HPKE key for his own."""
    guest, thief = Attested(), Keys()
    honest = guest.bundle(desk.challenge(guest))
    keys = NodeKeys(hpke=thief.public.hpke, receipt=guest.keys.public.receipt, chain=guest.keys.public.chain)
    with pytest.raises(Refused) as refused:
        desk.verifier().appraise(replace(honest, keys=keys).encode())
    assert "NODE" in refused.value.reasons


def test_evidence_for_another_node_is_refused(desk: Desk) -> None:
    """The thief swaps keys and nodeId together; what the device signed names the old node."""
    guest, thief = Attested(), Attested()
    honest = guest.bundle(desk.challenge(guest))
    moved = replace(honest, keys=thief.keys.public, challenge=replace(honest.challenge, node_id=thief.node))
    with pytest.raises(Refused) as refused:
        desk.verifier().appraise(moved.encode())
    assert "BINDING" in refused.value.reasons


def test_a_store_that_swaps_the_bundle_gets_no_key_wrapped(desk: Desk) -> None:
    """Anyone can seal to the broker's public key, and the store is not trusted: the digest decides."""
    guest, thief = Attested(), Attested()
    verdict = desk.record(guest)
    desk.request(guest)
    other = thief.bundle(replace(desk.challenge(thief), lease_nonce=verdict.lease_nonce))
    filed = Filed(bundle=other.encode(), opening=b"")
    blob = seal_bundle(filed, verdict.evidence, [desk.reader.public])
    desk.store.put_as(file_name(verdict.evidence), blob)
    nothing_left(desk, desk.broker(), "VERDICT")


def test_an_old_challenge_gets_no_verdict(desk: Desk) -> None:
    guest = Attested()
    bundle = guest.bundle(desk.challenge(guest)).encode()
    desk.chain.advance(desk.policy.enforced.challenge_age + 1)
    with pytest.raises(ChallengeRefused):
        desk.verifier().appraise(bundle)


@pytest.mark.parametrize(
    "change", [{"chain_id": 1}, {"log": Address(b"\x01" * 20)}, {"block_hash": Digest(b"\x01" * 32)}]
)
def test_a_foreign_challenge_gets_no_verdict(desk: Desk, change: dict[str, object]) -> None:
    guest = Attested()
    with pytest.raises(ChallengeRefused):
        desk.verifier().appraise(guest.bundle(desk.challenge(guest, **change)).encode())


def test_a_replayed_bundle_does_not_outlive_its_record(desk: Desk) -> None:
    """Evidence is bound to one block; a later verdict supersedes it, and the older cannot come back."""
    guest = Attested()
    old = guest.bundle(desk.challenge(guest))
    desk.record(guest, old)
    desk.record(guest)
    assert isinstance(old, Bundle)
    signed = [desk.verifier(index).appraise(old.encode()) for index in (0, 1)]
    with pytest.raises(Exception, match="BlockNotHigher"):
        Attestations(desk.chain).record(desk.licensee, signed[0].verdict, [one.signature for one in signed])


def test_a_stolen_broker_account_releases_nothing(desk: Desk) -> None:
    """The role can write `KeyReleased`, but no envelope comes of it: the broker hands over what it drew up itself."""
    _, subject, release = desk.asked()
    desk.releases.release(desk.clerk, subject, 0, 60, 10, Digest(b"\x01" * 32))
    broker = desk.broker()
    desk.settle(broker)
    assert broker.handover(release, 0) is None
    assert {job.stage for job in broker.status()} == {Stage.REFUSED}
    thief = Account.generate()
    fund(desk.chain, thief.address)
    with pytest.raises(Exception, match="NotModelOwner"):
        Licences(desk.chain).grant(thief, desk.licence, desk.model, 1, thief.address)
