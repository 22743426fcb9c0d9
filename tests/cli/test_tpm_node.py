# SPDX-License-Identifier: Apache-2.0
"""A node with a TPM, by commands: a verifier certifies its key over HTTP, and what it quotes goes on record."""

from pathlib import Path

import pytest
from cryptography.x509 import load_der_x509_certificate

from contracts.ids import ZERO_ADDRESS, PolicyId, SealId
from enclave.evidence.certificates import key_digest, load
from enclave.evidence.tpm.quote import expected_workload
from enclave.node import swtpm
from enclave.node.measure import guest_files_digest
from registry.chain.dev import fund
from registry.models import Models
from registry.signing import Account

pytestmark = [pytest.mark.swtpm, pytest.mark.slow]


def test_a_tpm_is_enrolled_and_its_guest_recorded(
    connected, served_chain, wait_until, tmp_path: Path
) -> None:
    chain, _ = served_chain
    fund(chain, connected.account("host").address)
    with swtpm.running(tmp_path / "tpm") as tpm:
        policy = publish(connected, key_digest(load(tpm.authorities[-1])).hex())
        model, licence = licensed(chain, connected, PolicyId.parse(policy))
        serving = connected.start(
            "verifier", "run", "--policy", policy, "--listen", "127.0.0.1:0", account="owner"
        )
        connected.environment["EXEQUATUR_VERIFIERS"] = serving["listening"]
        words = ["node", "run", model, licence, "--tpm", tpm.tcti, "--listen", "127.0.0.1:0"]
        for number, authority in enumerate(tpm.authorities):
            path = tmp_path / f"{number}.der"
            path.write_bytes(authority)
            words += ["--ek-chain", path]
        connected.start(*words, account="host")
        found = wait_until(lambda: recorded(chain, policy))
        assert set(connected.end()) == {0}
    certificate = load_der_x509_certificate((connected.home / "node" / "attestation-key.der").read_bytes())
    assert certificate.public_key() is not None
    shown = connected.json("node", "status", found, "--policy", policy)
    assert (shown["record"]["level"], shown["record"]["signers"]) == ("none", 1)


def publish(connected, root: str) -> str:
    """A policy for this guest on that root's TPMs, whose keys its one verifier certifies."""
    keys = connected.json("verifier", "keys")
    workload = expected_workload(guest_files_digest())
    draft = ["policy", "draft", "t", "--kind", "tpm", "--verifier", keys["address"]]
    connected.json(*draft, "--enroller", keys["enroller"], "--workload", workload)
    path = Path("policy.toml")
    path.write_text(path.read_text().replace("extra_roots = []", f'extra_roots = ["0x{root}"]'))
    return connected.json("policy", "publish", path)["policy"]


def licensed(chain, connected, policy: PolicyId) -> tuple[str, str]:
    """A model and a licence that host accepted."""
    owner, host = (
        Account.load(connected.home / "accounts" / f"{name}.json", b"correct horse")
        for name in ("owner", "host")
    )
    uri, seal_id = "", SealId(b"t" * 32)
    model, _ = Models(chain).register(
        owner, "t", seal_id=seal_id, policy=policy, uri=uri, broker=ZERO_ADDRESS
    )
    words = ["licence", "grant", "t", "--licensee", host.address]
    licence = connected.json(*words)["licence"]
    connected.json("licence", "accept", licence, account="host")
    return str(model), licence


def recorded(chain, policy: str) -> str:
    """The node on record under a policy, once there is one."""
    events = chain.events(chain.book.deployed_at, chain.head().number, addresses=[chain.book.attestations])
    for event in events:
        if event.name == "Recorded" and event.args["policyId"] == PolicyId.parse(policy):
            return "0x" + event.args["nodeId"].hex()
    return ""
