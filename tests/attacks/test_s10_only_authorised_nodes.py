# SPDX-License-Identifier: Apache-2.0
"""S10: no node holds a seat, a lease or usage under a licence unless its licensee authorised that node."""

from dataclasses import replace

import pytest

from contracts.digests import TypedDomain
from contracts.ids import Address, NodeId
from contracts.records import Reason, Status
from enclave.broker.journal import Stage
from enclave.statements import NodeGrant
from registry.chain.reverts import Refused
from registry.errors import Reverted
from registry.licences import Licences
from registry.signing import Account
from tests.fakes.chains import funded
from tests.fakes.desk import LEASE, QUOTA, Attested, Deal, Desk, license_to
from tests.fakes.scenes import digest

HOUR = 3_600


@pytest.fixture
def stranger(desk: Desk) -> Account:
    return funded(desk.chain, 1)[0]


def ask(desk: Desk, account: Account, node: NodeId) -> None:
    desk.releases.request(account, desk.model, 1, desk.policy_id, node, desk.licence)


def signed(
    desk: Desk, account: Account, grant: NodeGrant, domain: TypedDomain | None = None
) -> tuple[tuple[Address, NodeId, int], bytes]:
    signature = account.sign_typed(grant.digest(domain or desk.releases.domain))
    return (grant.licence, grant.node_id, grant.deadline), signature


def node_grant(desk: Desk, node: NodeId) -> NodeGrant:
    return NodeGrant(licence=desk.licence, node_id=node, deadline=desk.chain.head().timestamp + HOUR)


def hand_on(desk: Desk, heir: Account) -> None:
    Licences(desk.chain).offer(desk.licensee, desk.licence, heir.address)
    Licences(desk.chain).accept(heir, desk.licence)


def permitted(desk: Desk, node: NodeId) -> Reason:
    now = desk.chain.head().timestamp
    return desk.releases.permits_under(desk.model, 1, desk.policy_id, node, desk.licence, now)


def test_a_stranger_asks_under_somebody_s_licence_in_vain(desk: Desk, stranger: Account) -> None:
    guest = Attested()
    desk.record(guest)
    for account in (stranger, desk.owner, desk.clerk):
        with pytest.raises(Reverted) as refused:
            ask(desk, account, guest.node)
        assert refused.value.error == "NodeNotAuthorised"
    assert permitted(desk, guest.node) is Reason.NODE
    assert not desk.events("KeyRequested")


def test_a_stranger_authorises_no_node(desk: Desk, stranger: Account) -> None:
    node = Attested().node
    for account in (stranger, desk.owner):
        with pytest.raises(Reverted) as refused:
            desk.releases.authorise(account, desk.licence, node)
        assert refused.value.error == "NotForLicensee"
    assert desk.releases.node(desk.licence, node) == (False, False)


def test_a_node_that_is_not_authorised_gets_no_seat_from_a_broker_that_does_not_look(desk: Desk) -> None:
    guest, subject, _ = desk.asked()
    desk.releases.revoke_node(desk.licensee, desk.licence, guest.node)
    with pytest.raises(Refused) as refused:
        desk.releases.release(desk.clerk, subject, 0, LEASE, QUOTA, digest())
    assert refused.value.reason is Reason.NODE
    assert desk.releases.seat(desk.licence, 0).until == 0


def test_a_node_that_was_never_asked_for_takes_neither_seat_nor_usage(desk: Desk) -> None:
    guest, subject, _ = desk.asked()
    uninvited = Attested()
    desk.record(uninvited)
    theirs = replace(subject, node_id=uninvited.node)
    with pytest.raises(Reverted) as refused:
        desk.releases.release(desk.clerk, theirs, 0, LEASE, QUOTA, digest())
    assert refused.value.error == "WrongStatus"
    with pytest.raises(Reverted) as refused:
        desk.anchor(uninvited, theirs, 1, 5)
    assert refused.value.error == "WrongStatus"
    desk.settle(desk.broker())
    with pytest.raises(Reverted) as refused:
        desk.anchor(uninvited, subject, 1, 5)
    assert refused.value.error == "WrongSigner"
    with pytest.raises(Reverted) as refused:
        desk.stop(uninvited, subject)
    assert refused.value.error == "WrongSigner"
    desk.anchor(guest, subject, 1, 5)


def test_a_stranger_signs_a_node_grant_in_vain(desk: Desk, stranger: Account) -> None:
    guest = Attested()
    desk.record(guest)
    words, signature = signed(desk, stranger, node_grant(desk, guest.node))
    with pytest.raises(Reverted) as refused:
        desk.releases.request_by_signature(stranger, desk.model, 1, desk.policy_id, words, signature)
    assert refused.value.error == "BadGrantSignature"


@pytest.mark.parametrize("what", ["node", "licence", "deadline", "chain", "contract"])
def test_a_node_grant_counts_for_nothing_but_what_it_names(desk: Desk, stranger: Account, what: str) -> None:
    guest, other = Attested(), Attested()
    desk.record(guest)
    grant = node_grant(desk, guest.node)
    domain = desk.releases.domain
    if what == "node":
        grant = replace(grant, node_id=other.node)
    if what == "licence":
        grant = replace(grant, licence=desk.chain.book.releases)
    if what == "deadline":
        grant = replace(grant, deadline=grant.deadline - 1)
    if what == "chain":
        domain = replace(domain, chain_id=domain.chain_id + 1)
    if what == "contract":
        domain = replace(domain, contract=desk.chain.book.attestations)
    _, signature = signed(desk, desk.licensee, grant, domain)
    words, _ = signed(desk, desk.licensee, node_grant(desk, guest.node))
    with pytest.raises(Reverted) as refused:
        desk.releases.request_by_signature(stranger, desk.model, 1, desk.policy_id, words, signature)
    assert refused.value.error == "BadGrantSignature"


def test_a_node_grant_ends_at_its_deadline(desk: Desk, stranger: Account) -> None:
    guest = Attested()
    words, signature = signed(desk, desk.licensee, node_grant(desk, guest.node))
    desk.chain.advance(HOUR + 1)
    desk.chain.mine()
    desk.record(guest)
    with pytest.raises(Reverted) as refused:
        desk.releases.request_by_signature(stranger, desk.model, 1, desk.policy_id, words, signature)
    assert refused.value.error == "GrantExpired"


def test_what_the_last_licensee_signed_ends_with_its_role(desk: Desk, stranger: Account) -> None:
    guest = Attested()
    desk.record(guest)
    words, signature = signed(desk, desk.licensee, node_grant(desk, guest.node))
    hand_on(desk, stranger)
    with pytest.raises(Reverted) as refused:
        desk.releases.request_by_signature(desk.licensee, desk.model, 1, desk.policy_id, words, signature)
    assert refused.value.error == "BadGrantSignature"


def test_the_last_licensee_asks_and_authorises_in_vain(desk: Desk, stranger: Account) -> None:
    guest = Attested()
    desk.record(guest)
    hand_on(desk, stranger)
    with pytest.raises(Reverted) as refused:
        ask(desk, desk.licensee, guest.node)
    assert refused.value.error == "NodeNotAuthorised"
    with pytest.raises(Reverted) as refused:
        desk.releases.authorise(desk.licensee, desk.licence, guest.node)
    assert refused.value.error == "NotForLicensee"


def test_nodes_of_the_last_licensee_get_no_further_lease(desk: Desk, stranger: Account) -> None:
    broker, (guest, subject, release) = desk.broker(), desk.asked()
    desk.settle(broker)
    hand_on(desk, stranger)
    desk.record(guest)
    assert permitted(desk, guest.node) is Reason.NODE
    with pytest.raises(Refused) as refused:
        desk.releases.renew(desk.clerk, subject, LEASE, QUOTA)
    assert refused.value.reason is Reason.NODE
    desk.settle(broker)
    assert broker.handover(release, 1) is None
    assert [job.stage for job in broker.status()] == [Stage.FINAL, Stage.REFUSED]
    desk.releases.authorise(stranger, desk.licence, guest.node)
    desk.record(guest)
    desk.settle(broker)
    assert broker.handover(release, 1) is not None  # the new licensee may take the node on


def test_a_revoked_node_gets_no_further_lease(desk: Desk) -> None:
    broker, (guest, subject, release) = desk.broker(), desk.asked()
    desk.settle(broker)
    desk.releases.revoke_node(desk.licensee, desk.licence, guest.node)
    desk.record(guest)
    with pytest.raises(Refused) as refused:
        desk.releases.renew(desk.clerk, subject, LEASE, QUOTA)
    assert refused.value.reason is Reason.NODE
    desk.settle(broker)
    assert broker.handover(release, 1) is None
    assert desk.releases.state(release).status is Status.LIVE
    assert desk.releases.state(release).leases == 1


def test_an_operator_asks_only_while_it_is_one(desk: Desk, stranger: Account) -> None:
    first, second = Attested(), Attested()
    desk.record(first)
    desk.record(second)
    licences = Licences(desk.chain)
    licences.set_operator(desk.licensee, desk.licence, stranger.address, True)
    ask(desk, stranger, first.node)
    licences.set_operator(desk.licensee, desk.licence, stranger.address, False)
    with pytest.raises(Reverted) as refused:
        ask(desk, stranger, second.node)
    assert refused.value.error == "NodeNotAuthorised"


def test_leave_under_one_licence_is_none_under_another(desk: Desk, stranger: Account) -> None:
    """A node that one licensee let in takes no seat of another licensee's licence to the same model."""
    guest, _, _ = desk.asked()
    other = license_to(desk.chain, desk.owner, stranger, desk.model, Deal())
    with pytest.raises(Reverted) as refused:
        desk.releases.request(desk.licensee, desk.model, 1, desk.policy_id, guest.node, other)
    assert refused.value.error == "NodeNotAuthorised"
    assert desk.releases.node(other, guest.node) == (False, False)
