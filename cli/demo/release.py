# SPDX-License-Identifier: Apache-2.0
"""Steps 4 to 8 of the demonstration: a guest proves itself, is recorded, gets the key and opens the model."""

import time
from collections.abc import Iterable
from dataclasses import replace

from cli.demo.prepare import Detail
from cli.demo.world import THRESHOLD, VERSION, World, need
from contracts.records import Level, Subject
from enclave.broker.journal import Job, Stage
from enclave.errors import ReleaseRefused
from enclave.evidence.appraise import Accepted
from enclave.judging import judge
from enclave.node.host import Guest, Place
from enclave.node.quorum import gather
from enclave.sealed.files import SealedFile
from enclave.statements import Grant
from enclave.verifier import Appraiser, SignedVerdict, Verifier
from registry.attestations import Attestations
from registry.chain.view import Block
from registry.errors import TimedOut
from registry.releases import Releases

_PATIENCE = 60.0


def attest(world: World) -> Detail:
    """A guest starts, draws its keys, and binds them to a recent block in fresh evidence."""
    guest = world.guest = Guest.start(world.device)
    world.end.callback(guest.close)
    block = _recent(world)
    place = Place(
        chain_id=world.chain.chain_id,
        log=world.chain.book.attestations,
        policy_id=need(world.policy_id),
        block_number=block.number,
        block_hash=block.hash,
    )
    bundle = world.bundle = guest.attest(place)
    return {
        "nodeId": str(guest.node_id),
        "evidence": [device.label for device in bundle.devices],
        "bytes": len(bundle.encode()),
        "block": block.number,
    }


def verify(world: World) -> Detail:
    """Three verifiers judge the evidence; one signs a wrong verdict and is outvoted."""
    honest = [Verifier(world.chain, account, world.assigned(), world.store) for account in world.verifiers]
    appraisers: list[Appraiser] = [*honest[:-1], _Liar(world, honest[-1])]
    quorum = world.quorum = gather(
        appraisers,
        need(world.bundle),
        verifiers=need(world.policy).enforced.verifiers,
        threshold=THRESHOLD,
        domain=Attestations(world.chain).domain,
    )
    trace = _accepted(world).trace
    return {
        "level": quorum.verdict.level.label,
        "agree": len(quorum.signatures),
        "outvoted": [str(address) for address in quorum.outvoted],
        "trace": list(trace),
    }


def record(world: World) -> Detail:
    """The host puts the verdict on chain with two signatures."""
    quorum = need(world.quorum)
    mined = Attestations(world.chain).record(world.host, quorum.verdict, quorum.signatures)
    return {"block": mined.block.number, "expiry": quorum.verdict.expiry, "gas": mined.gas}


def release(world: World) -> Detail:
    """The host asks for the key; the broker judges again, records the release and hands over once it is final."""
    subject = world.subject = Subject(
        model_id=need(world.model_id),
        version=VERSION,
        policy_id=need(world.policy_id),
        node_id=need(world.guest).node_id,
        block_number=need(world.quorum).verdict.block_number,
        licence=need(world.licence),
    )
    wanted = (subject.model_id, subject.version, subject.policy_id, subject.node_id, subject.licence)
    world.release, requested = Releases(world.chain).request(world.host, *wanted)
    broker, end = world.broker(), time.monotonic() + _PATIENCE
    while (handover := broker.handover(world.release, 0)) is None:
        if not broker.step():
            _refused(broker.status())
            if time.monotonic() > end:
                raise TimedOut("safe", world.chain.head(), where=f"release {world.release}")
            time.sleep(0.1)
    world.handover = handover
    grant = Grant.decode(handover.grant)
    return {
        "release": str(world.release),
        "leaseSeconds": grant.duration,
        "ceiling": grant.ceiling,
        "envelopeBytes": len(handover.envelope),
        "gas": requested.gas,
    }


def open_(world: World) -> Detail:
    """The guest checks the grant, unwraps the key and decrypts the model into its own memory."""
    guest, handover = need(world.guest), need(world.handover)
    fetched = world.folder / "host" / "bearing.sealed"
    fetched.parent.mkdir(exist_ok=True)
    world.store.fetch_file(world.store.put_file(world.sealed), fetched)
    sealed = SealedFile.inspect(fetched)
    guest.present(sealed)
    left = guest.grant(Grant.decode(handover.grant), handover.signature, None, handover.envelope)
    guest.open(sealed)
    return {"secondsLeft": left, "plaintextOnDisk": False}


class _Liar:
    """A verifier whose key was stolen: it signs a level that the evidence does not have."""

    def __init__(self, world: World, honest: Verifier) -> None:
        self._world = world
        self._honest = honest

    def appraise(self, bundle: bytes) -> SignedVerdict:
        """The honest verdict with a higher level, signed."""
        signed = self._honest.appraise(bundle)
        verdict = replace(signed.verdict, level=Level.ISOLATED)
        digest = verdict.digest(Attestations(self._world.chain).domain)
        return replace(signed, verdict=verdict, signature=self._world.verifiers[-1].sign_typed(digest))


def _accepted(world: World) -> Accepted:
    bundle, policy_id = need(world.bundle), need(world.policy_id)
    block = world.chain.block(bundle.challenge.block_number)
    return judge(bundle, world.assigned()[policy_id], policy_id, block_time=block.timestamp)


def _recent(world: World) -> Block:
    return world.chain.block(world.chain.head().number - 1)


def _refused(jobs: Iterable[Job]) -> None:
    for job in jobs:
        if job.stage is Stage.REFUSED:
            raise ReleaseRefused(job.reasons.split(", "), where="broker")
