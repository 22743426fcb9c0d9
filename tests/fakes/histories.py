# SPDX-License-Identifier: Apache-2.0
"""Everything that can happen on the chain, happening once or more: what audits are tried on."""

import secrets
from dataclasses import replace

from contracts.ids import Half, NodeId, SealId
from contracts.records import Finality, Level, Verdict
from registry.attestations import Attestations
from registry.chain.view import Event
from registry.licences import Licences
from registry.models import Models
from registry.policies import Policies
from tests.fakes.chains import funded
from tests.fakes.desk import DOMAIN, LEASE, QUOTA, Attested, Deal, Desk, license_to, policy_of
from tests.fakes.scenes import digest


def everything(desk: Desk) -> list[Event]:
    """A desk's whole life, with every event but takeovers and failed credits."""
    broker = desk.broker()
    guest, subject, _ = desk.asked()
    desk.settle(broker)
    desk.anchor(guest, subject, 1, 10)
    desk.record(guest)
    desk.settle(broker)
    licences = Licences(desk.chain)
    licences.suspend(desk.owner, desk.licence)
    licences.resume(desk.owner, desk.licence)
    desk.stop(guest, subject, 15)
    desk.anchor(guest, subject, 11, 15, final=True)
    other, second, _ = desk.asked()
    desk.settle(broker)
    desk.releases.stop(desk.clerk, second)
    desk.anchor(other, second, 1, 3, final=True)
    _, third, _ = desk.asked()
    desk.releases.revoke_node(desk.licensee, desk.licence, third.node_id)
    _roles(desk)
    _policies(desk)
    _models(desk)
    licences.revoke(desk.owner, desk.licence)
    return desk.events()


def takeover(desk: Desk) -> list[Event]:
    """Two nodes on one platform, the second on the first one's seat; its verdicts are forged, as no device is here."""
    desk.licence = license_to(desk.chain, desk.owner, desk.licensee, desk.model, Deal(seats=1))
    for guest in (Attested(), Attested()):
        verdict = forged(desk, guest)
        subject = desk.request(guest)
        desk.releases.release(desk.clerk, subject, 0, LEASE, QUOTA, digest())
        assert subject.block_number == verdict.block_number
    return desk.events()


def forged(desk: Desk, guest: Attested) -> Verdict:
    """A record of isolated hardware that is always the same platform."""
    challenge = desk.challenge(guest)
    honest = desk.verifier().appraise(guest.bundle(challenge).encode()).verdict
    verdict = replace(honest, level=Level.ISOLATED, platform=type(honest.platform)(b"\x07" * 32))
    log = Attestations(desk.chain)
    signatures = [account.sign_typed(verdict.digest(log.domain)) for account in desk.verifiers[:2]]
    log.record(desk.licensee, verdict, signatures)
    return verdict


def _roles(desk: Desk) -> None:
    licences = Licences(desk.chain)
    licences.set_operator(desk.licensee, desk.licence, desk.clerk.address)
    licences.offer(desk.licensee, desk.licence, desk.clerk.address)
    licences.accept(desk.clerk, desk.licence)


def _policies(desk: Desk) -> None:
    policies = Policies(desk.chain)
    deal = Deal(lease=LEASE + 1)
    policy = policy_of(desk.chain, desk.owner.address, desk.verifiers, desk.reader, deal)
    policy_id, _ = policies.publish(desk.owner, policy.enforced, policy.document_digest)
    Models(desk.chain).name_next(
        desk.owner, desk.model, 1, policy_id, desk.chain.head().timestamp + 10 * LEASE
    )
    policies.withdraw_verifier(desk.owner, policy_id, desk.verifiers[1].address)
    policies.withdraw(desk.owner, policy_id)
    policies.burn(desk.owner, DOMAIN, Half(secrets.token_bytes(16)))
    policies.recall(desk.owner, DOMAIN, Half(secrets.token_bytes(16)))
    Attestations(desk.chain).withdraw(desk.owner, desk.policy_id, NodeId(secrets.token_bytes(32)))


def _models(desk: Desk) -> None:
    models, (heir,) = Models(desk.chain), funded(desk.chain, 1)
    seal, policy = SealId(secrets.token_bytes(32)), desk.policy_id
    model, _ = models.register(
        desk.owner, "other", seal_id=seal, policy=policy, uri="", broker=desk.clerk.address
    )
    models.add_version(
        desk.owner, model, seal_id=seal, policy=policy, finality=Finality.SEEN, uri="sha256/00"
    )
    models.withdraw_version(desk.owner, model, 1)
    models.raise_lowest(desk.owner, model, 2)
    models.offer(desk.owner, model, heir.address)
    models.accept(heir, model)
    models.retire(heir, model, desk.model)
