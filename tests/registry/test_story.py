# SPDX-License-Identifier: Apache-2.0
"""From a registered model to a settled release, on both chains."""

from contracts.digests import keccak
from contracts.ids import ZERO_ADDRESS, Digest
from contracts.records import Finality, Level, Reason, Status
from enclave.statements import NodeGrant, Stopped, Usage
from tests.fakes.scenes import DOMAIN, LEASE, QUOTA, SEATS, Guest, Scene, digest, half


def test_ids_are_what_the_contracts_compute(story: Scene) -> None:
    chain, owner = story.chain, story.owner.address
    assert story.model == story.models.model_id(owner, "bearing")
    assert story.policy == story.policies.policy_id(owner, story.enforced, story.document)
    (told,) = chain.call(
        chain.book.policies, "PolicyRegistry", "burnDomainOf", owner, DOMAIN.encode().ljust(32, b"\0")
    )
    assert told == story.enforced.burn_domain


def test_reads_give_back_what_was_written(story: Scene) -> None:
    model, version = story.models.model(story.model), story.models.version(story.model, 1)
    assert (model.owner, model.broker, model.versions, model.retired) == (
        story.owner.address,
        story.broker.address,
        1,
        False,
    )
    assert (version.seal_id, version.policy, version.finality) == (story.seal, story.policy, Finality.SAFE)
    terms = story.policies.terms(story.policy)
    assert (terms.verifiers, terms.threshold, terms.lease, terms.quota) == (3, 2, LEASE, QUOTA)
    assert story.policies.controller(story.policy) == story.owner.address
    grant = story.licences.grant_of(story.licence)
    assert (grant.model_id, grant.licensee, grant.accepted) == (story.model, story.licensee.address, True)
    assert grant.pending_licensee == ZERO_ADDRESS
    assert story.licences.seats(story.licence) == story.releases.seats(story.licence) == SEATS
    assert story.licences.licensee(story.licence) == story.licensee.address


def test_record_keeps_the_verdict(story: Scene) -> None:
    guest = Guest()
    assert story.attestations.record_of(story.policy, guest.node) is None
    mined = story.record(guest)
    record = story.attestations.record_of(story.policy, guest.node)
    assert record is not None
    assert (record.level, record.signers, record.place) == (Level.ROOTED, 0b011, 756)
    assert (record.workload, record.platform) == (half(guest.workload), half(guest.platform))
    assert record.recorded_at == mined.block.timestamp
    assert mined.event("Recorded").args["nodeId"] == guest.node


def test_digest_of_a_verdict_is_the_contracts(story: Scene) -> None:
    verdict = story.verdict(Guest())
    told = story.chain.call(story.chain.book.attestations, "AttestationLog", "digestOf", verdict.words())
    assert told == (verdict.digest(story.attestations.domain),)


def test_a_release_from_request_to_settlement(story: Scene) -> None:
    guest = Guest()
    story.record(guest)
    permits = story.releases.permits
    assert permits(story.model, 1, guest.node, story.licence, story.now) is Reason.NODE
    release = story.request(guest)
    subject = story.subject(guest)
    assert subject.release(story.releases.domain) == release
    assert permits(story.model, 1, guest.node, story.licence, story.now) is Reason.NONE
    mined = story.releases.release(story.broker, subject, 1, LEASE, 100, digest())
    state = story.releases.state(release)
    assert (state.status, state.seat, state.ceiling, state.leases) == (Status.LIVE, 1, 100, 1)
    assert mined.event("KeyReleased").args["until"] == state.until
    assert story.releases.seat(story.licence, 1).release == release
    assert story.licences.remaining(story.licence) == 9_900

    story.record(guest)
    story.releases.renew(story.broker, subject, LEASE, 150)
    assert story.releases.state(release).leases == 2

    usage = Usage(
        release=release, seal_id=story.seal, first_counter=1, last_counter=7, root=digest(), last=True
    )
    signature = guest.account.sign_typed(usage.digest(story.releases.domain))
    words = (release, story.seal, 1, 7, usage.root, True)
    story.releases.anchor_usage(story.stranger, subject, words, guest.keys, signature)
    assert story.releases.state(release).status is Status.SETTLED
    assert story.licences.remaining(story.licence) == 9_993
    assert story.releases.node(story.licence, guest.node) == (True, True)


def test_a_stopped_guest_frees_its_seat(story: Scene) -> None:
    guest = Guest()
    subject = story.release(guest)
    release = subject.release(story.releases.domain)
    statement = Stopped(release=release, seal_id=story.seal, last_counter=3, root=digest())
    signature = guest.account.sign_typed(statement.digest(story.releases.domain))
    words = (release, story.seal, 3, statement.root)
    story.releases.guest_stopped(story.stranger, subject, words, guest.keys, signature)
    assert story.releases.state(release).status is Status.STOPPED_BY_GUEST
    assert story.releases.seat(story.licence, 0).until <= story.now


def test_the_broker_stops_a_release_and_its_node(story: Scene) -> None:
    guest = Guest()
    subject = story.release(guest)
    story.releases.stop(story.broker, subject)
    reason = story.releases.permits_under(story.model, 1, story.policy, guest.node, story.licence, story.now)
    assert reason is Reason.STOPPED


def test_a_stranger_brings_the_licensees_signature(story: Scene) -> None:
    guest, other = Guest(), Guest()
    story.record(guest)
    deadline = story.now + 600
    grant = NodeGrant(licence=story.licence, node_id=guest.node, deadline=deadline)
    signature = story.licensee.sign_typed(grant.digest(story.releases.domain))
    words = (story.licence, guest.node, deadline)
    release, _ = story.releases.request_by_signature(
        story.stranger, story.model, 1, story.policy, words, signature
    )
    assert story.releases.state(release).status is Status.REQUESTED
    grant = NodeGrant(licence=story.licence, node_id=other.node, deadline=deadline)
    signature = story.licensee.sign_typed(grant.digest(story.releases.domain))
    story.releases.authorise_by_signature(story.stranger, story.licence, other.node, deadline, signature)
    assert story.releases.node(story.licence, other.node) == (True, False)
    story.releases.revoke_node(story.licensee, story.licence, other.node)
    assert story.releases.node(story.licence, other.node) == (False, False)


def test_models_change_hands_and_versions(story: Scene) -> None:
    models, heir = story.models, story.stranger
    number, _ = models.add_version(
        story.owner, story.model, seal_id=story.seal, policy=story.policy, uri="sha256/01"
    )
    assert number == 2
    models.name_next(story.owner, story.model, 2, story.policy, story.now + 1_000)
    assert models.version(story.model, 2).next == story.policy
    models.raise_lowest(story.owner, story.model, 2)
    models.withdraw_version(story.owner, story.model, 1)
    models.set_broker(story.owner, story.model, heir.address)
    models.offer(story.owner, story.model, heir.address)
    models.accept(heir, story.model)
    models.retire(heir, story.model)
    model = models.model(story.model)
    assert (model.owner, model.broker, model.lowest_served, model.retired) == (
        heir.address,
        heir.address,
        2,
        True,
    )


def test_licences_change_hands_and_stop(story: Scene) -> None:
    licences, heir = story.licences, story.stranger
    licences.set_operator(story.licensee, story.licence, story.broker.address)
    assert licences.acts_for(story.licence, story.broker.address)
    licences.offer(story.licensee, story.licence, heir.address)
    licences.accept(heir, story.licence)
    assert licences.licensee(story.licence) == heir.address
    assert not licences.acts_for(story.licence, story.broker.address)
    licences.suspend(story.owner, story.licence)
    licences.resume(story.owner, story.licence)
    licences.revoke(story.owner, story.licence)
    assert isinstance(licences.text(story.licence), Digest)


def test_events_come_in_order_and_decoded(story: Scene) -> None:
    guest = Guest()
    story.release(guest)
    book = story.chain.book
    events = story.chain.events(book.deployed_at, story.chain.head().number)
    names = [event.name for event in events]
    wanted = ["PolicyPublished", "ModelRegistered", "VersionAdded", "BrokerSet", "Drafted", "LicenceGranted"]
    first = next(at for at, event in enumerate(events) if event.args.get("policyId") == story.policy)
    assert [name for name in names[first:] if name in wanted][: len(wanted)] == wanted
    places = [(event.block.number, event.index) for event in events]
    assert places == sorted(places)
    published = events[first].args["enforced"]
    assert published["verifiers"] == story.enforced.verifiers  # type: ignore[index]
    only = story.chain.events(book.deployed_at, story.chain.head().number, addresses=[book.models])
    assert {event.contract for event in only} == {"ModelRegistry"}


def test_code_hashes_in_the_book_are_of_the_code_there(story: Scene) -> None:
    book = story.chain.book
    for name, address in book.addresses().items():
        assert keccak(story.chain.code(address)) == book.code_hashes[name]
