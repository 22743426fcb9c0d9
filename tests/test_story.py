# SPDX-License-Identifier: Apache-2.0
"""The whole story, in order: each step is what the demonstration runs, and what must be true once it has run.

Runs on the chain in this process and on anvil, with software evidence and with a real TPM protocol.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.demo import prepare, release, use
from cli.demo.world import World, need, world
from contracts.ids import ZERO_DIGEST
from contracts.licences import LicenceState
from contracts.records import Level, Reason, Status
from enclave.errors import GrantRefused, LeaseOver, WrongKey
from enclave.node.host import Guest
from enclave.sealed.files import SealedFile
from enclave.statements import Grant, Receipt
from registry.attestations import Attestations
from registry.chain.anvil import anvil
from registry.chain.embedded import embedded
from registry.compiled import CompiledLicences
from registry.licences import Licences
from registry.licensing.building import build
from registry.licensing.report import require
from registry.licensing.verifying import differences
from registry.models import Models
from registry.policies import Policies
from registry.releases import Releases

pytestmark = pytest.mark.compiler


@pytest.fixture(
    scope="module",
    params=[
        "embedded-software",
        pytest.param("embedded-tpm", marks=pytest.mark.swtpm),
        pytest.param("anvil-software", marks=pytest.mark.anvil),
    ],
)
def story(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    where, attester = request.param.split("-")
    folder = tmp_path_factory.mktemp("story")
    if where == "embedded":
        with world(embedded(), folder, attester) as parties:
            yield parties
    else:
        with anvil() as chain, world(chain, folder, attester) as parties:
            yield parties


def permitted(story: World) -> Reason:
    subject = need(story.subject)
    asked = (subject.model_id, subject.version, subject.node_id, subject.licence)
    return Releases(story.chain).permits(*asked, story.chain.head().timestamp)


def test_1_the_owner_seals_and_only_the_data_key_opens(story: World) -> None:
    prepare.seal(story)
    sealed = SealedFile.inspect(story.sealed)
    assert sealed.seal_id == story.seal_id
    entry = story.keystore.open(need(story.seal_id), story.passphrase)
    assert (
        bytes(sealed.open(entry.data_key, seal_id=sealed.seal_id).files["bearing.onnx"])[:2] == b"\x08\x09"
    )  # ONNX, IR version 9
    with pytest.raises(WrongKey):
        sealed.open(bytes(32), seal_id=sealed.seal_id)


def test_2_the_model_is_registered_and_its_keys_are_pinned_to_one_policy(story: World) -> None:
    prepare.register(story)
    version = Models(story.chain).version(need(story.model_id), 1)
    assert (version.seal_id, version.policy) == (story.seal_id, story.policy_id)
    assert Policies(story.chain).terms(need(story.policy_id)).published
    entry = story.keystore.open(need(story.seal_id), story.passphrase)
    assert entry.policies == (story.policy_id,)


def test_3_the_licensee_accepted_and_paid_for_a_licence_made_of_words(story: World) -> None:
    detail = prepare.license_(story)
    licence, licences = need(story.licence), Licences(story.chain)
    assert licences.licensee(licence) == story.licensee.address
    assert (licences.seats(licence), licences.remaining(licence)) == (1, 10_000)
    assert detail["clauses"] == {"chain": 10, "record": 2}
    text = story.store.get(licences.text(licence)).decode()
    assert "The licensee must pay 0.5 ETH before activation." in text
    built = build(require(text)[0], prove=False)
    assert not differences(story.chain.code(licence), built)
    assert CompiledLicences(story.chain).standing(licence).state is LicenceState.ACTIVE
    assert story.chain.balance(licence) == 6 * 10**17


def test_4_the_guest_binds_its_own_keys_to_a_recent_block(story: World) -> None:
    release.attest(story)
    bundle = need(story.bundle)
    assert bundle.keys.node_id() == need(story.guest).node_id == bundle.challenge.node_id
    assert bundle.challenge.lease_nonce != ZERO_DIGEST
    assert bundle.challenge.block_hash == story.chain.block(bundle.challenge.block_number).hash


def test_5_two_verifiers_agree_and_the_third_is_outvoted(story: World) -> None:
    release.verify(story)
    quorum = need(story.quorum)
    assert quorum.outvoted == (story.verifiers[-1].address,)
    assert quorum.verdict.level is Level.NONE  # no vendor vouches for a software TPM or plain software
    assert len(quorum.signatures) == 2


def test_6_the_chain_records_the_verdict_of_the_two(story: World) -> None:
    release.record(story)
    record = Attestations(story.chain).record_of(need(story.policy_id), need(story.guest).node_id)
    assert need(record).signers == 0b011


def test_7_the_key_is_released_on_chain_before_it_is_handed_over(story: World) -> None:
    release.release(story)
    state = Releases(story.chain).state(need(story.release))
    assert state.status is Status.LIVE
    assert permitted(story) is Reason.NONE
    grant = Grant.decode(need(story.handover).grant)
    assert (grant.lease, grant.ceiling) == (0, state.ceiling)


def test_8_only_this_guest_opens_the_model(story: World) -> None:
    handover, sealed = need(story.handover), SealedFile.inspect(story.sealed)
    other = Guest.start(story.device)
    try:
        other.present(sealed)
        with pytest.raises(GrantRefused, match="for another node"):
            other.grant(Grant.decode(handover.grant), handover.signature, None, handover.envelope)
    finally:
        other.close()
    release.open_(story)


def test_9_the_model_answers(story: World) -> None:
    detail = use.infer(story)
    assert detail["answers"] == ["healthy", "inner race", "outer race", "ball"]


def test_10_a_stranger_checks_the_receipt(story: World) -> None:
    detail = use.receipt(story)
    assert detail["verified"] is True
    receipt, _ = Receipt.read_signed(need(story.reply).receipt)
    assert (receipt.seal_id, receipt.release, receipt.counter) == (story.seal_id, story.release, 1)


def test_11_a_revocation_stops_the_guest_within_its_lease(story: World) -> None:
    detail = use.stop(story)
    assert isinstance(detail["leaseSecondsLeft"], int)
    assert detail["leaseSecondsLeft"] > 600  # so it was no expiry
    assert permitted(story) is Reason.LICENCE
    with pytest.raises(LeaseOver):
        need(story.guest).infer(b"")
    assert Releases(story.chain).state(need(story.release)).status is Status.SETTLED


def test_12_the_auditor_agrees_and_finds_a_changed_record(story: World) -> None:
    detail = use.audit(story)
    assert (detail["findings"], detail["tamperFindings"]) == (0, 1)


def test_nothing_of_the_model_lies_in_the_clear(story: World) -> None:
    kept = Path(prepare.__file__).parents[1] / "bearing" / "bearing.onnx"
    middle = kept.read_bytes()[400_000:400_064]
    assert not [path for path in story.folder.rglob("*") if path.is_file() and middle in path.read_bytes()]
