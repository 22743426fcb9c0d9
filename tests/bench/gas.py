# SPDX-License-Identifier: Apache-2.0
"""Gas of every operation a party pays for, on the embedded chain: `python -m tests.bench.gas [--write]`.

The committed figures are `gas.json`; a test measures again and compares. Accounts and digests are fixed, because
zero bytes are cheaper; block hashes are not, which moves a figure by some tens of gas.
"""

import hashlib
import json
import sys
from dataclasses import replace
from pathlib import Path

from contracts.ids import Digest
from registry.chain.abi import interface
from registry.chain.dev import DevChain, fund
from registry.chain.embedded import EmbeddedTransport
from registry.chain.transport import Json
from registry.licences import Licences, TermDraft, draft_words
from registry.models import Models
from registry.policies import Policies, burn_domain
from registry.signing import Account
from tests.fakes.chains import fresh
from tests.fakes.scenes import DOMAIN, LEASE, Guest, Scene, enforced_by

FIGURES = Path(__file__).with_name("gas.json")
# Musts per operation, with a verdict of k = 3 where it counts.
MUSTS = {
    "record_first_k1": 98_000,
    "record_renew_k1": 66_000,
    "record_first_k3": 122_000,
    "record_renew_k3": 92_000,
    "request_key": 140_000,
    "release_key": 260_000,
    "renew_lease": 170_000,
    "anchor_usage": 60_000,
    "revoke": 45_000,
    "permits_view": 60_000,
}
_PLENTY = 20_000_000


def measure() -> dict[str, int]:
    """Gas used, by operation; `permits_view` without the transaction's own cost."""
    with fresh("embedded") as chain:
        figures = _records(_scene(chain, 1), "k1")
    with fresh("embedded") as chain:
        story = _scene(chain, 3)
        figures |= _setting_up(story) | _records(story, "k3") | _release(story)
    return dict(sorted(figures.items()))


def _fixed(name: str) -> Digest:
    return Digest(bytes(byte or 1 for byte in hashlib.sha256(name.encode()).digest()))


def _account(chain: DevChain, name: str) -> Account:
    account = Account.from_key(_fixed(name))
    fund(chain, account.address)
    return account


def _guest(name: str) -> Guest:
    digests = {part: _fixed(f"{name} {part}") for part in ("hpke", "receipt", "workload", "platform")}
    return Guest(account=Account.from_key(_fixed(name)), **digests)


def _scene(chain: DevChain, threshold: int) -> Scene:
    owner, broker, licensee, stranger = (
        _account(chain, name) for name in ("owner", "broker", "licensee", "stranger")
    )
    judges = sorted(
        (Account.from_key(_fixed(f"judge {i}")) for i in range(threshold)), key=lambda j: j.address
    )
    domain = burn_domain(chain.chain_id, chain.book.policies, owner.address, DOMAIN)
    enforced, document, seal = enforced_by(judges, threshold, domain), _fixed("document"), _fixed("seal")
    policy, _ = Policies(chain).publish(owner, enforced, document)
    uri = "s3://models.example/sha256/" + "7f" * 32
    model, _ = Models(chain).register(
        owner, "bearing-faults", seal_id=seal, policy=policy, uri=uri, broker=broker.address
    )  # type: ignore[arg-type]
    start = chain.head().timestamp
    draft = TermDraft(
        model_id=model, lowest_version=1, start=start, end=start + 400 * LEASE, seats=4, answers=1_000_000,
        text=_fixed("text"),
    )  # fmt: skip
    licences = Licences(chain)
    licence = licences.deploy_term(owner, draft)
    licences.grant(owner, licence, model, 1, licensee.address)
    licences.accept(licensee, licence)
    return Scene(
        chain=chain, owner=owner, broker=broker, licensee=licensee, stranger=stranger, verifiers=judges,
        enforced=enforced, document=document, policy=policy, seal=seal, model=model, licence=licence,
    )  # type: ignore[arg-type]  # fmt: skip


def _setting_up(story: Scene) -> dict[str, int]:
    chain, owner = story.chain, story.owner
    published = story.policies.publish(owner, story.enforced, _fixed("another"))[1]
    uri = "s3://models.example/sha256/" + "7f" * 32
    registered = story.models.register(
        owner, "another-model", seal_id=story.seal, policy=story.policy, uri=uri, broker=story.broker.address
    )[1]
    start = story.now
    draft = TermDraft(
        model_id=story.model, lowest_version=1, start=start, end=start + 9 * LEASE, seats=4, answers=9_000,
        text=_fixed("text"),
    )  # fmt: skip
    licence, deployed = chain.deploy(owner, "TermLicence", draft_words(chain, draft))
    granted = story.licences.grant(owner, licence, story.model, 1, story.licensee.address)
    revoked = story.licences.revoke(owner, licence)
    return {
        "publish_policy": published.gas,
        "register_model": registered.gas,
        "deploy_licence": deployed.gas,
        "grant_licence": granted.gas,
        "revoke": revoked.gas,
    }


def _record(story: Scene, guest: Guest, name: str) -> int:
    story.chain.mine()
    verdict = replace(
        story.verdict(guest), lease_nonce=_fixed(f"nonce {name}"), evidence=_fixed(f"evidence {name}")
    )
    return story.attestations.record(story.licensee, verdict, story.signatures(verdict)).gas


def _records(story: Scene, suffix: str) -> dict[str, int]:
    guest = _guest("recorded")
    first = _record(story, guest, "first")
    return {f"record_first_{suffix}": first, f"record_renew_{suffix}": _record(story, guest, "renewed")}


def _release(story: Scene) -> dict[str, int]:
    guest, releases = _guest("released"), story.releases
    _record(story, guest, "released")
    release, requested = releases.request(
        story.licensee, story.model, 1, story.policy, guest.node, story.licence
    )
    subject = story.subject(guest)
    released = releases.release(story.broker, subject, 0, LEASE, 100, _fixed("envelope"))
    view = _permits(story, guest)
    _record(story, guest, "renewed")
    renewed = releases.renew(story.broker, subject, LEASE, 200)
    words = (release, story.seal, 1, 60, _fixed("root"), False)
    kind = (
        "Usage(bytes32 release,bytes32 sealId,uint64 firstCounter,uint64 lastCounter,bytes32 root,bool last)"
    )
    signature = guest.account.sign_typed(releases.domain.digest(kind, *words))
    anchored = releases.anchor_usage(story.licensee, subject, words, guest.keys, signature)
    return {
        "request_key": requested.gas,
        "release_key": released.gas,
        "renew_lease": renewed.gas,
        "anchor_usage": anchored.gas,
        "permits_view": view,
    }


def _permits(story: Scene, guest: Guest) -> int:
    transport = story.chain.transport
    assert isinstance(transport, EmbeddedTransport)
    args = (story.model, 1, guest.node, story.licence, story.now)
    data = interface("ReleaseLog").functions["permits"].encode(args)
    call: dict[str, Json] = {"to": str(story.chain.book.releases), "data": "0x" + data.hex()}
    return int(transport.gas_of(call, _PLENTY))


def main() -> None:
    """Print the figures, or write them beside this file."""
    text = json.dumps(measure(), indent=2, sort_keys=True) + "\n"
    if sys.argv[1:] == ["--write"]:
        FIGURES.write_text(text, "utf-8")
    print(text, end="")


if __name__ == "__main__":
    main()
