# SPDX-License-Identifier: Apache-2.0
"""Steps 1 to 3 of the demonstration: the owner seals, registers and licenses a model."""

from collections import Counter
from datetime import UTC, datetime
from importlib.resources import as_file, files

from cli.demo.device import measure
from cli.demo.world import THRESHOLD, VERSION, World, need
from contracts.ids import Digest
from contracts.records import Enforced, Finality, Level
from enclave.evidence.binding import Lockdown
from enclave.evidence.drafting import outline
from enclave.evidence.kinds import Kind
from enclave.evidence.policy import Policy, burn_domain
from enclave.keystore import Binding, SealKeys
from enclave.sealed.seal import seal as seal_model
from registry.compiled import CompiledLicences
from registry.licences import Licences
from registry.licensing.building import build
from registry.licensing.report import require
from registry.models import Models
from registry.policies import Policies

Detail = dict[str, object]
_LEASE, _DOMAIN = 3_600, "demonstration"


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
    """A licence in words is proved, compiled and granted; the licensee accepts, pays and lets the host act for it."""
    licence, report = require(_words(world), where="licence.txt")
    built = build(licence, prove=False)
    chain, owner, licensee = world.chain, world.owner, world.licensee
    licences, compiled = Licences(chain), CompiledLicences(chain)
    address, deployed = compiled.deploy(owner, built.creation)
    world.licence = address
    world.store.put(built.text.encode())
    licences.grant(owner, address, need(world.model_id), VERSION, licensee.address)
    licences.accept(licensee, address)
    terms = compiled.terms(address)
    compiled.pay(licensee, address, 0, terms.price)
    compiled.activate(licensee, address, 1)
    compiled.buy(licensee, address, 2, 1, terms.pack_price)
    licences.set_operator(licensee, address, world.host.address)
    return {
        "licence": str(address),
        "clauses": dict(Counter(str(clause.kind) for clause in report.clauses)),
        "properties": f"{sum(report.properties.values())} of {len(report.properties)} hold in {report.states} states",
        "seats": terms.seats,
        "answers": terms.pack,
        "text": str(terms.text),
        "gas": deployed.gas,
    }


def _words(world: World) -> str:
    """The demonstration's licence with its blanks filled in."""
    blanks = {
        "model": str(need(world.model_id)),
        "licensor": str(world.owner.address),
        "licensee": str(world.licensee.address),
    }
    text = (files("cli.bearing") / "licence.txt").read_text("utf-8")
    for name, value in blanks.items():
        text = text.replace("{{" + name + "}}", value)
    return text


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
