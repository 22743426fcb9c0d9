# SPDX-License-Identifier: Apache-2.0
"""Steps 1 to 3 of the demonstration: the owner seals, registers and licenses a model."""

from datetime import UTC, datetime
from importlib.resources import as_file, files

from cli.demo.device import measure
from cli.demo.world import ANSWERS, THRESHOLD, VERSION, World, need
from contracts.digests import digest
from contracts.ids import Digest
from contracts.records import Enforced, Finality, Level
from enclave.evidence.binding import Lockdown
from enclave.evidence.drafting import outline
from enclave.evidence.kinds import Kind
from enclave.evidence.policy import Policy, burn_domain
from enclave.keystore import Binding, SealKeys
from enclave.sealed.seal import seal as seal_model
from registry.licences import Licences, TermDraft
from registry.models import Models
from registry.policies import Policies

Detail = dict[str, object]
_LEASE, _DOMAIN, _TEXT = 3_600, "demonstration", "One gateway may classify bearing vibration for one day."


def seal(world: World) -> Detail:
    """The owner encrypts the model under fresh keys that stay in the keystore."""
    keys = SealKeys.draw()
    world.sealed.parent.mkdir(parents=True, exist_ok=True)
    with as_file(files("cli.bearing") / "bearing.onnx") as source:
        info = seal_model(source, world.sealed, data_key=keys.data_key, grant_address=keys.grant_address)
        size = source.stat().st_size
    world.keystore.create(info.seal_id, keys, world.passphrase)
    world.seal_id = info.seal_id
    return {"sealId": str(info.seal_id), "manifestRoot": str(info.manifest_root), "bytes": size}


def register(world: World) -> Detail:
    """The owner publishes a policy, uploads the sealed model and registers it; the keystore pins that policy."""
    policy = world.policy = _policy(world, measure(world))
    chain, owner = world.chain, world.owner
    world.policy_id, published = Policies(chain).publish(owner, policy.enforced, policy.document_digest)
    world.store.put(policy.canonical())
    blob = world.store.put_file(world.sealed)
    world.model_id, registered = Models(chain).register(
        owner,
        "bearing-faults",
        seal_id=need(world.seal_id),
        policy=world.policy_id,
        finality=Finality.SAFE,
        uri=f"sha256/{blob.hex()}",
        broker=world.broker_account.address,
    )
    _pin(world)
    return {
        "modelId": str(world.model_id),
        "policyId": str(world.policy_id),
        "verifiers": f"{THRESHOLD} of {len(policy.enforced.verifiers)}",
        "gas": published.gas + registered.gas,
    }


def license_(world: World) -> Detail:
    """The owner licenses the model for a day; the licensee accepts and lets the host act for it."""
    licences, start = Licences(world.chain), world.chain.head().timestamp
    draft = TermDraft(
        model_id=need(world.model_id),
        lowest_version=VERSION,
        start=start,
        end=start + 86_400,
        seats=1,
        answers=ANSWERS,
        text=digest("licence-text", _TEXT),
    )
    licence = world.licence = licences.deploy_term(world.owner, draft)
    licences.grant(world.owner, licence, draft.model_id, VERSION, world.licensee.address)
    licences.accept(world.licensee, licence)
    licences.set_operator(world.licensee, licence, world.host.address)
    return {"licence": str(licence), "seats": draft.seats, "answers": draft.answers, "text": _TEXT}


def _pin(world: World) -> None:
    bound = Binding(
        chain_id=world.chain.chain_id,
        registry=world.chain.book.models,
        model_id=need(world.model_id),
        version=VERSION,
    )
    world.keystore.bind(need(world.seal_id), world.passphrase, bound)
    world.keystore.pin(need(world.seal_id), world.passphrase, [need(world.policy_id)])


def _policy(world: World, workload: Digest) -> Policy:
    chain, owner = world.chain, world.owner.address
    enforced = Enforced(
        verifiers=tuple(account.address for account in world.verifiers),
        threshold=THRESHOLD,
        minimum_level=Level.NONE,
        maximum_age=3 * _LEASE,
        challenge_age=600,
        depth=1,
        lease=_LEASE,
        quota=1_000,
        burn_domain=burn_domain(chain.chain_id, chain.book.policies, owner, _DOMAIN),
    )
    kind = Kind.TPM if world.attester == "tpm" else Kind.SOFTWARE
    return Policy(
        name="demonstration",
        enforced=enforced,
        burnt=(),
        burn_domain_name=_DOMAIN,
        readers=(world.reader.public,),
        verifier_urls=(),
        broker_url="",
        enrollers=(world.enroller.point,) if world.enroller else (),
        extra_roots=(),
        clock="host",
        lockdown=Lockdown.NO_NEW_PRIVILEGES | Lockdown.NOT_DUMPABLE | Lockdown.NO_CORE,
        rules=outline(kind, minimum_level=Level.NONE, workloads=(workload,), at=datetime.now(UTC)),
    )
