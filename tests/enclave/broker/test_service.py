# SPDX-License-Identifier: Apache-2.0
"""The broker against real contracts: from a request to a handover, and every way that comes to nothing."""

import secrets
from dataclasses import replace
from pathlib import Path

import pytest

from contracts.digests import digest
from contracts.ids import ZERO_DIGEST, PolicyId, SealId
from contracts.records import Status
from enclave.broker.journal import Journal, Stage
from enclave.broker.service import Broker
from enclave.envelope import ReaderKey, file_name
from enclave.errors import EntryRefused, JournalError
from enclave.judging import Assigned
from registry.licences import Licences
from registry.policies import Policies
from registry.signing import recover
from tests.fakes.desk import LEASE, QUOTA, SALT, Attested, Deal, Desk, granted, license_to


def refused(broker: Broker) -> list[str]:
    return [job.reasons for job in broker.status() if job.stage is Stage.REFUSED]


def test_a_request_becomes_a_grant_that_opens_for_its_guest_alone(desk: Desk) -> None:
    broker, (guest, _, release) = desk.broker(), desk.asked()
    assert broker.handover(release, 0) is None
    desk.settle(broker)
    handover, grant = broker.handover(release, 0), granted(broker, release)
    assert handover is not None
    assert guest.keys.unwrap(grant, handover.envelope) == desk.entry.data_key
    assert recover(grant.digest(), handover.signature) == desk.entry.grant_address
    assert (grant.lease, grant.duration, grant.ceiling) == (0, LEASE, QUOTA)
    (event,) = desk.events("KeyReleased")
    assert event.args["envelopeDigest"] == digest("envelope", handover.envelope) == grant.envelope
    assert broker.handover(release, 1) is None
    assert not broker.step()


def test_a_newer_record_renews_without_an_envelope(desk: Desk) -> None:
    broker, (guest, _, release) = desk.broker(), desk.asked()
    desk.settle(broker)
    verdict = desk.record(guest)
    desk.settle(broker)
    handover, grant = broker.handover(release, 1), granted(broker, release, 1)
    assert handover is not None
    assert (handover.envelope, grant.envelope) == (b"", ZERO_DIGEST)
    assert (grant.lease, grant.lease_nonce) == (1, verdict.lease_nonce)
    assert desk.releases.state(release).leases == 2


def test_quota_follows_what_was_anchored(desk: Desk) -> None:
    broker, (guest, subject, release) = desk.broker(), desk.asked()
    desk.settle(broker)
    desk.anchor(guest, subject, 1, 40)
    desk.record(guest)
    desk.settle(broker)
    assert granted(broker, release, 1).ceiling == 40 + QUOTA


def test_a_licence_with_little_credit_gives_that_little(desk: Desk) -> None:
    desk.licence = license_to(desk.chain, desk.owner, desk.licensee, desk.model, Deal(answers=7))
    broker, (_, _, release) = desk.broker(), desk.asked()
    desk.settle(broker)
    assert granted(broker, release).ceiling == 7
    desk.asked()
    desk.settle(broker)
    assert refused(broker) == ["CREDIT"]


def test_two_guests_at_once_get_two_seats(desk: Desk) -> None:
    broker = desk.broker()
    _, _, first = desk.asked()
    _, _, second = desk.asked()
    desk.settle(broker)
    assert {granted(broker, release).release for release in (first, second)} == {first, second}
    assert {desk.releases.state(release).seat for release in (first, second)} == {0, 1}


def test_a_guest_without_a_seat_waits_until_one_is_free(desk: Desk) -> None:
    desk.licence = license_to(desk.chain, desk.owner, desk.licensee, desk.model, Deal(seats=1))
    broker, (guest, subject, release) = desk.broker(), desk.asked()
    desk.settle(broker)
    _, _, second = desk.asked()
    desk.settle(broker)
    assert broker.handover(second, 0) is None
    assert [job.reasons for job in broker.status() if job.release == second] == ["SEATS"]
    desk.stop(guest, subject)
    desk.settle(broker)
    assert granted(broker, second).release == second
    assert desk.releases.state(release).status is Status.STOPPED_BY_GUEST


def test_a_request_that_waits_too_long_lapses_with_its_record(desk: Desk) -> None:
    broker, guest = desk.broker(), Attested()
    verdict = desk.record(guest)
    (Path(desk.store.url) / file_name(verdict.evidence)).unlink()
    desk.request(guest)
    desk.settle(broker)
    assert refused(broker) == []
    desk.chain.advance(verdict.expiry - desk.chain.head().timestamp)
    desk.settle(broker)
    assert refused(broker) == ["EVIDENCE_MISSING"]


def test_two_brokers_with_one_account_release_a_key_once(desk: Desk) -> None:
    slow, quick = desk.broker(), desk.broker()
    _, _, release = desk.asked()
    slow.step()  # decided, with an envelope of its own
    desk.settle(quick)
    desk.settle(slow)
    assert refused(slow) == ["WrongStatus"]
    assert slow.handover(release, 0) is None
    (event,) = desk.events("KeyReleased")
    assert event.args["envelopeDigest"] == granted(quick, release).envelope


def test_a_missing_bundle_is_waited_for(desk: Desk) -> None:
    broker, guest = desk.broker(), Attested()
    verdict = desk.record(guest)
    name = file_name(verdict.evidence)
    blob = desk.store.get_named(name)
    path = Path(desk.store.url) / name
    path.unlink()
    release = desk.request(guest).release(desk.releases.domain)
    desk.settle(broker)
    assert [job.reasons for job in broker.status()] == ["EVIDENCE_MISSING"]
    desk.store.put_as(name, blob)
    desk.settle(broker)
    assert granted(broker, release).release == release


@pytest.mark.parametrize(
    ("blob", "reason"), [(b"", "MalformedEvidence"), (b"\x83\x81\x40\x40\x40", "EnvelopeError")]
)
def test_a_store_that_lies_gets_one_release_refused_and_no_more(desk: Desk, blob: bytes, reason: str) -> None:
    broker, guest = desk.broker(), Attested()
    verdict = desk.record(guest)
    desk.store.put_as(file_name(verdict.evidence), blob)
    desk.request(guest)
    _, _, honest = desk.asked()
    desk.settle(broker)
    assert refused(broker) == [reason]
    assert granted(broker, honest).release == honest


def test_a_revoked_licence_is_named(desk: Desk) -> None:
    broker, _ = desk.broker(), desk.asked()
    Licences(desk.chain).revoke(desk.owner, desk.licence)
    desk.settle(broker)
    assert refused(broker) == ["PERMITS, PERMITS_LICENCE"]


def test_a_licence_that_ends_within_the_lease_is_named(desk: Desk) -> None:
    desk.licence = license_to(desk.chain, desk.owner, desk.licensee, desk.model, Deal(term=LEASE // 2))
    broker, _ = desk.broker(), desk.asked()
    desk.settle(broker)
    assert refused(broker) == ["PERMITS_LICENCE"]
    assert not desk.events("KeyReleased")


def test_a_renewal_that_was_refused_is_tried_again_on_the_next_record(desk: Desk) -> None:
    broker, (guest, _, release) = desk.broker(), desk.asked()
    desk.settle(broker)
    licences = Licences(desk.chain)
    licences.suspend(desk.owner, desk.licence)
    desk.record(guest)
    desk.settle(broker)
    assert refused(broker) == ["PERMITS, PERMITS_LICENCE"]
    licences.resume(desk.owner, desk.licence)
    desk.record(guest)
    desk.settle(broker)
    assert granted(broker, release, 1).lease == 1
    assert refused(broker) == []


def test_a_renewal_rests_on_the_newest_record(desk: Desk) -> None:
    broker, (guest, _, release) = desk.broker(), desk.asked()
    desk.settle(broker)
    desk.record(guest)
    broker.step()  # decided for the older one
    newer = desk.record(guest)
    desk.settle(broker)
    assert granted(broker, release, 1).lease_nonce == newer.lease_nonce
    assert len(desk.events("LeaseRenewed")) == 1


def test_a_renewal_that_came_to_rest_on_a_newer_record_gets_the_grant_for_that(desk: Desk) -> None:
    """The contract takes the newest record, which may be newer than the one the broker judged before sending."""
    broker, (guest, subject, release) = desk.broker(), desk.asked()
    desk.settle(broker)
    desk.record(guest)
    broker.step()
    newer = desk.record(guest)
    desk.releases.renew(desk.clerk, subject, LEASE, QUOTA)  # as sent before the broker saw the newer record
    desk.settle(broker)
    assert granted(broker, release, 1).lease_nonce == newer.lease_nonce
    assert len(desk.events("LeaseRenewed")) == 1


def test_a_stopped_release_is_not_renewed(desk: Desk) -> None:
    broker, (guest, subject, release) = desk.broker(), desk.asked()
    desk.settle(broker)
    desk.releases.stop(desk.clerk, subject)
    desk.record(guest)
    desk.settle(broker)
    assert broker.handover(release, 1) is None
    assert len(broker.status()) == 1


def test_a_policy_under_another_name_is_refused_at_the_start(desk: Desk) -> None:
    assigned = {
        PolicyId(secrets.token_bytes(32)): Assigned(
            policy=desk.policy, controller=desk.owner.address, salt=SALT
        )
    }
    served = {(desk.model, 1): desk.entry}
    with pytest.raises(EntryRefused):
        Broker(desk.chain, desk.clerk, served, assigned, desk.store, desk.reader, Journal(":memory:"))


def test_a_broker_that_is_no_reader_names_that(desk: Desk) -> None:
    desk = replace(desk, reader=ReaderKey.generate())
    broker, _ = desk.broker(), desk.asked()
    desk.settle(broker)
    assert refused(broker) == ["EnvelopeError"]


def test_a_journal_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "journal").write_bytes(b"something else, longer than a header" * 10)
    with pytest.raises(JournalError):
        Journal(tmp_path / "journal")


def test_keys_for_another_sealed_model_are_not_released(desk: Desk) -> None:
    broker, _ = desk.broker(seal_id=SealId(bytes(32))), desk.asked()
    desk.settle(broker)
    assert refused(broker) == ["SEAL"]


def test_a_withdrawn_policy_is_named(desk: Desk) -> None:
    broker, _ = desk.broker(), desk.asked()
    Policies(desk.chain).withdraw(desk.owner, desk.policy_id)
    desk.settle(broker)
    assert refused(broker) == ["PERMITS, PERMITS_POLICY"]
