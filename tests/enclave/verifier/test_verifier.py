# SPDX-License-Identifier: Apache-2.0
"""A verifier against a real chain: a good bundle gets a signed verdict, and each flaw alone a refusal."""

import secrets
from dataclasses import replace

import pytest

from contracts.ids import ZERO_DIGEST, Address, Digest, PolicyId
from contracts.records import Level
from enclave.envelope import file_name, open_bundle
from enclave.errors import ChallengeRefused, MalformedEvidence, Refused
from enclave.evidence.platform import commitment, opening
from enclave.judging import Assigned
from enclave.verifier import Verifier
from registry.attestations import Attestations
from registry.chain.chain import Chain
from registry.errors import BlobMissing
from registry.policies import Policies
from registry.signing import Account, recover
from tests.fakes.desk import SALT, Attested, Deal, Desk, policy_of


def refuses(desk: Desk, verifier: Verifier, match: str, **changes: object) -> None:
    guest = Attested()
    bundle = guest.bundle(desk.challenge(guest, **changes))
    with pytest.raises(ChallengeRefused, match=match):
        verifier.appraise(bundle.encode())
    with pytest.raises(BlobMissing):
        desk.store.get_named(file_name(bundle.digest()))  # nothing that was refused is kept


def test_a_good_bundle_gets_a_verdict_that_the_contract_takes(desk: Desk) -> None:
    guest = Attested()
    bundle = guest.bundle(desk.challenge(guest))
    signed = desk.verifier().appraise(bundle.encode())
    verdict = signed.verdict
    assert (
        recover(verdict.digest(Attestations(desk.chain).domain), signed.signature)
        == desk.verifiers[0].address
    )
    assert (verdict.evidence, verdict.level) == (bundle.digest(), Level.NONE)
    assert verdict.as_of == desk.chain.block(verdict.block_number).timestamp
    domain = desk.policy.enforced.burn_domain
    assert signed.opening == opening(SALT, guest.node)
    assert verdict.platform == commitment(domain, signed.opening, guest.node)
    assert desk.record(guest, bundle) == verdict


def test_honest_verifiers_agree_at_any_later_block(desk: Desk) -> None:
    guest = Attested()
    bundle = guest.bundle(desk.challenge(guest)).encode()
    first = desk.verifier(0).appraise(bundle)
    desk.chain.advance(120)
    second = desk.verifier(1).appraise(bundle)
    assert (first.verdict, first.opening) == (second.verdict, second.opening)
    assert first.signature != second.signature


def test_the_bundle_is_filed_for_the_readers_of_the_policy(desk: Desk) -> None:
    guest = Attested()
    bundle = guest.bundle(desk.challenge(guest))
    signed = desk.verifier().appraise(bundle.encode())
    raw = desk.store.get_named(file_name(bundle.digest()))
    filed = open_bundle(raw, bundle.digest(), desk.reader)
    assert (filed.bundle, filed.opening) == (bundle.encode(), signed.opening)
    assert bundle.keys.hpke[:64] not in raw


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"chain_id": 1}, "another chain or log"),
        ({"log": Address(b"\x01" * 20)}, "another chain or log"),
        ({"policy_id": PolicyId(bytes(32))}, "does not judge by that policy"),
        ({"block_hash": ZERO_DIGEST}, "no such block"),
        ({"block_number": 10**9}, "blocks old"),
        ({"block_number": 1}, "no such block"),
    ],
)
def test_each_foreign_challenge_is_refused(desk: Desk, change: dict[str, object], match: str) -> None:
    refuses(desk, desk.verifier(), match, **change)


def test_the_head_is_too_young_a_challenge(desk: Desk) -> None:
    head = desk.chain.head()
    refuses(desk, desk.verifier(), "0 blocks old", block_number=head.number, block_hash=head.hash)


def test_a_block_is_refused_before_the_chain_forgets_its_hash(desk: Desk) -> None:
    guest, old = Attested(), desk.chain.block(desk.chain.head().number - 1)
    bundle = guest.bundle(desk.challenge(guest, block_number=old.number, block_hash=old.hash)).encode()
    desk.chain.mine(192 - 1)  # 64 of 256 are left
    assert desk.verifier().appraise(bundle).verdict.block_hash == old.hash
    desk.chain.mine()
    with pytest.raises(ChallengeRefused, match="193 blocks old"):
        desk.verifier().appraise(bundle)


def test_an_old_challenge_is_refused_by_the_chain_s_clock(desk: Desk) -> None:
    guest = Attested()
    bundle = guest.bundle(desk.challenge(guest)).encode()
    desk.chain.advance(desk.policy.enforced.challenge_age + 10)
    with pytest.raises(ChallengeRefused, match="too old"):
        desk.verifier().appraise(bundle)


def test_a_verifier_that_the_policy_does_not_name_refuses(desk: Desk) -> None:
    stranger = Verifier(desk.chain, Account.generate(), desk.assigned, desk.store)
    refuses(desk, stranger, "does not name this verifier")


def test_a_withdrawn_policy_is_not_judged_by(desk: Desk) -> None:
    Policies(desk.chain).withdraw(desk.owner, desk.policy_id)
    refuses(desk, desk.verifier(), "not in force")


def test_a_policy_that_was_never_published_is_not_judged_by(desk: Desk) -> None:
    policy = policy_of(desk.chain, desk.owner.address, desk.verifiers, desk.reader, Deal(lease=700))
    assigned = Assigned(policy=policy, controller=desk.owner.address, salt=SALT)
    policy_id = assigned.policy_id(desk.chain.chain_id, desk.chain.book.policies)
    verifier = Verifier(desk.chain, desk.verifiers[0], {policy_id: assigned}, desk.store)
    refuses(desk, verifier, "not in force", policy_id=policy_id)


def test_a_document_under_another_policy_s_name_is_not_judged_by(desk: Desk) -> None:
    changed = replace(
        desk.policy, rules=replace(desk.policy.rules, workloads=(Digest(secrets.token_bytes(32)),))
    )
    assigned = Assigned(policy=changed, controller=desk.owner.address, salt=SALT)
    verifier = Verifier(desk.chain, desk.verifiers[0], {desk.policy_id: assigned}, desk.store)
    refuses(desk, verifier, "not that policy's")


def test_a_stale_view_of_a_real_chain_makes_it_refuse(desk: Desk) -> None:
    view = Chain(desk.chain.transport, desk.chain.chain_id, desk.chain.book)  # not embedded: has a wall clock
    late = desk.chain.head().timestamp + 301
    verifier = Verifier(view, desk.verifiers[0], desk.assigned, desk.store, clock=lambda: late)
    refuses(desk, verifier, "stale")


def test_what_the_policy_turns_away_is_neither_signed_nor_kept(desk: Desk) -> None:
    guest, other = Attested(), Attested()
    bundle = other.bundle(desk.challenge(guest))  # another node's keys under this node's challenge
    with pytest.raises(Refused) as refused:
        desk.verifier().appraise(bundle.encode())
    assert "NODE" in refused.value.reasons
    with pytest.raises(BlobMissing):
        desk.store.get_named(file_name(bundle.digest()))


@pytest.mark.parametrize("raw", [b"", b"\xa0", b"\x00" * 100, secrets.token_bytes(1_000)])
def test_malformed_bundles_are_named(desk: Desk, raw: bytes) -> None:
    with pytest.raises(MalformedEvidence):
        desk.verifier().appraise(raw)


def test_a_verifier_without_an_enroller_says_so(desk: Desk) -> None:
    with pytest.raises(ChallengeRefused, match="enrols no keys"):
        desk.verifier().challenge(b"")
