# SPDX-License-Identifier: Apache-2.0
"""S6, the verdicts' part: none counts on another chain, log, policy or node, nor again, nor from who may not judge."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from contracts.digests import TypedDomain
from contracts.ids import Digest, Half, NodeId
from contracts.records import Level, Verdict
from registry.attestations import Attestations
from registry.errors import Reverted
from registry.policies import Policies
from registry.signing import Account
from tests.fakes.desk import DOMAIN, Attested, Desk
from tests.fakes.scenes import digest


def judged(desk: Desk, guest: Attested | None = None) -> Verdict:
    """An honest verdict that is not recorded yet."""
    guest = guest or Attested()
    desk.chain.mine()
    return desk.verifier().appraise(guest.bundle(desk.challenge(guest)).encode()).verdict


def sign(
    desk: Desk, verdict: Verdict, domain: TypedDomain | None = None, by: list[Account] | None = None
) -> list[bytes]:
    signers = desk.verifiers[:2] if by is None else by
    signing = verdict.digest(domain or Attestations(desk.chain).domain)
    return [account.sign_typed(signing) for account in signers]


def refusal(desk: Desk, verdict: Verdict, signatures: list[bytes]) -> str:
    """The contract's error; and nothing changed."""
    log = Attestations(desk.chain)
    before = log.record_of(verdict.policy_id, verdict.node_id)
    with pytest.raises(Reverted) as refused:
        log.record(desk.licensee, verdict, signatures)
    assert log.record_of(verdict.policy_id, verdict.node_id) == before
    return refused.value.error


@pytest.mark.parametrize("part", ["chain", "log"])
def test_a_verdict_signed_for_another_place_has_strangers_signers(desk: Desk, part: str) -> None:
    domain = Attestations(desk.chain).domain
    elsewhere = (
        replace(domain, chain_id=domain.chain_id + 1)
        if part == "chain"
        else replace(domain, contract=desk.chain.book.releases)
    )
    verdict = judged(desk)
    assert refusal(desk, verdict, sign(desk, verdict, elsewhere)) == "NotVerifier"


_CHANGES: dict[str, Callable[[Verdict], Verdict]] = {
    "node": lambda v: replace(v, node_id=NodeId(digest())),
    "nonce": lambda v: replace(v, lease_nonce=digest()),
    "evidence": lambda v: replace(v, evidence=digest()),
    "workload": lambda v: replace(v, workload=digest()),
    "platform": lambda v: replace(v, platform=digest()),
    "level": lambda v: replace(v, level=Level.ISOLATED_CUSTODY),
    "kinds": lambda v: replace(v, kinds=v.kinds ^ 2),
    "place": lambda v: replace(v, place=756),
    "as of": lambda v: replace(v, as_of=v.as_of - 1),
    "expiry": lambda v: replace(v, expiry=v.expiry - 1),
}


@pytest.mark.parametrize("change", _CHANGES.values(), ids=_CHANGES.keys())
def test_no_field_changes_under_the_signatures(desk: Desk, change: Callable[[Verdict], Verdict]) -> None:
    verdict = judged(desk)
    changed = change(verdict)
    if changed.expiry > changed.as_of + desk.policy.enforced.maximum_age:
        changed = replace(changed, expiry=changed.as_of + desk.policy.enforced.maximum_age)
    assert refusal(desk, changed, sign(desk, verdict)) == "NotVerifier"


def test_a_verdict_under_one_policy_is_none_under_another(desk: Desk) -> None:
    """The same verifiers serve both; what they signed names one."""
    enforced = replace(desk.policy.enforced, quota=desk.policy.enforced.quota + 1)
    other, _ = Policies(desk.chain).publish(desk.owner, enforced, desk.policy.document_digest)
    verdict = judged(desk)
    assert refusal(desk, replace(verdict, policy_id=other), sign(desk, verdict)) == "NotVerifier"


def test_a_verdict_is_recorded_once(desk: Desk) -> None:
    verdict = judged(desk)
    Attestations(desk.chain).record(desk.licensee, verdict, sign(desk, verdict))
    assert refusal(desk, verdict, sign(desk, verdict)) == "BlockNotHigher"


def test_an_older_verdict_never_replaces_a_newer(desk: Desk) -> None:
    guest = Attested()
    older, newer = judged(desk, guest), judged(desk, guest)
    assert older.block_number < newer.block_number
    Attestations(desk.chain).record(desk.licensee, newer, sign(desk, newer))
    assert refusal(desk, older, sign(desk, older)) == "BlockNotHigher"


def test_another_verdict_on_the_same_block_does_not_count(desk: Desk) -> None:
    guest = Attested()
    challenge = desk.challenge(guest)
    first, second = (
        desk.verifier().appraise(guest.bundle(replace(challenge, lease_nonce=digest())).encode()).verdict
        for _ in range(2)
    )
    Attestations(desk.chain).record(desk.licensee, first, sign(desk, first))
    assert refusal(desk, second, sign(desk, second)) == "BlockNotHigher"


def test_a_verdict_on_a_block_of_another_history_does_not_count(desk: Desk) -> None:
    """Honest verifiers on a fork: the contract knows another hash at that height."""
    verdict = replace(judged(desk), block_hash=Digest(b"f" * 32))
    assert refusal(desk, verdict, sign(desk, verdict)) == "BlockHashMismatch"


def test_a_verdict_on_a_block_to_come_does_not_count(desk: Desk) -> None:
    verdict = replace(judged(desk), block_number=desk.chain.head().number + 5)
    assert refusal(desk, verdict, sign(desk, verdict)) == "BlockHashMismatch"


def test_an_old_challenge_does_not_count(desk: Desk) -> None:
    verdict = judged(desk)
    desk.chain.advance(desk.policy.enforced.challenge_age + 1)
    assert refusal(desk, verdict, sign(desk, verdict)) == "ChallengeTooOld"


def test_verifiers_do_not_outrun_the_policy(desk: Desk) -> None:
    """Even k of n of them: no later expiry, no time to come."""
    verdict = judged(desk)
    longer = replace(verdict, expiry=verdict.expiry + 1)
    assert refusal(desk, longer, sign(desk, longer)) == "ExpiryBeyondCap"
    ahead = replace(verdict, as_of=verdict.as_of + 10_000, expiry=verdict.expiry + 10_000)
    assert refusal(desk, ahead, sign(desk, ahead)) == "AsOfAhead"
    over = replace(verdict, expiry=verdict.as_of)
    assert refusal(desk, over, sign(desk, over)) == "AlreadyExpired"


def test_a_stranger_among_the_signers_spoils_the_verdict(desk: Desk) -> None:
    verdict = judged(desk)
    for by in ([Account.generate()] * 2, [desk.verifiers[0], Account.generate()]):
        assert refusal(desk, verdict, sign(desk, verdict, by=by)) == "NotVerifier"


def test_one_verifier_is_not_two(desk: Desk) -> None:
    verdict = judged(desk)
    assert refusal(desk, verdict, sign(desk, verdict, by=[desk.verifiers[0]] * 2)) == "DuplicateSigner"
    assert refusal(desk, verdict, sign(desk, verdict, by=desk.verifiers[:1])) == "BelowThreshold"
    assert refusal(desk, verdict, []) == "BelowThreshold"


def test_a_withdrawn_verifier_judges_no_more(desk: Desk) -> None:
    verdict = judged(desk)
    Policies(desk.chain).withdraw_verifier(desk.owner, desk.policy_id, desk.verifiers[0].address)
    assert refusal(desk, verdict, sign(desk, verdict)) == "VerifierIsWithdrawn"
    Attestations(desk.chain).record(desk.licensee, verdict, sign(desk, verdict, by=desk.verifiers[1:]))


def test_a_withdrawn_node_never_comes_back(desk: Desk) -> None:
    guest = Attested()
    desk.record(guest)
    log = Attestations(desk.chain)
    log.withdraw(desk.owner, desk.policy_id, guest.node)
    again = judged(desk, guest)
    assert refusal(desk, again, sign(desk, again)) == "NodeIsWithdrawn"
    early = Attested()
    verdict = judged(desk, early)
    log.withdraw(desk.owner, desk.policy_id, early.node)  # before it was ever recorded
    assert refusal(desk, verdict, sign(desk, verdict)) == "NodeIsWithdrawn"


def test_what_was_recalled_or_burnt_is_not_recorded(desk: Desk) -> None:
    verdict = judged(desk)
    policies = Policies(desk.chain)
    policies.burn(desk.owner, DOMAIN, Half(verdict.platform[: Half.SIZE]))
    assert refusal(desk, verdict, sign(desk, verdict)) == "IsBurnt"
    policies.recall(desk.owner, DOMAIN, Half(verdict.workload[: Half.SIZE]))
    assert refusal(desk, verdict, sign(desk, verdict)) == "IsRecalled"


def test_a_withdrawn_policy_takes_no_verdict(desk: Desk) -> None:
    verdict = judged(desk)
    Policies(desk.chain).withdraw(desk.owner, desk.policy_id)
    assert refusal(desk, verdict, sign(desk, verdict)) == "PolicyNotInForce"
    stranger = replace(verdict, policy_id=type(verdict.policy_id)(digest()))
    assert refusal(desk, stranger, sign(desk, stranger)) == "PolicyNotInForce"


def test_only_the_controller_withdraws_a_node(desk: Desk) -> None:
    guest = Attested()
    desk.record(guest)
    with pytest.raises(Reverted) as refused:
        Attestations(desk.chain).withdraw(desk.licensee, desk.policy_id, guest.node)
    assert refused.value.error == "NotController"
