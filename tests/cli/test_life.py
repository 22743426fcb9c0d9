# SPDX-License-Identifier: Apache-2.0
"""One model's whole life by commands, every party a process of its own, over a chain that finalises."""

import json
import socket
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

pytestmark = [pytest.mark.anvil, pytest.mark.slow]

VERIFIERS = ("v1", "v2", "v3")


@dataclass(frozen=True)
class Life:
    """What one command says and the next one needs."""

    policy: str
    model: str
    licence: str
    ports: dict[str, int]

    @property
    def infer(self) -> list[str]:
        """How a user asks."""
        return ["infer", f"http://127.0.0.1:{self.ports['node']}", "input.npy", "--input-name", "x"]


def free_ports(*names: str) -> dict[str, int]:
    """Ports nobody listens at now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in names]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return dict(zip(names, ports, strict=True))


def test_a_models_whole_life_in_commands(keyboard, wait_until, small_model: Path) -> None:
    start_chain(keyboard)
    life = license_model(keyboard, small_model)
    for name in VERIFIERS:
        listen = f"127.0.0.1:{life.ports[name]}"
        keyboard.start("verifier", "run", "--policy", life.policy, "--listen", listen, account=name)
    keyboard.start("broker", "run", "--listen", f"127.0.0.1:{life.ports['broker']}", account="broker")
    listen = f"127.0.0.1:{life.ports['node']}"
    keyboard.start("node", "run", life.model, life.licence, "--listen", listen, account="host")
    node = use_model(keyboard, wait_until, life)
    audit(keyboard, wait_until)
    revoke(keyboard, wait_until, life, node)
    assert set(keyboard.end()) <= {0}


def start_chain(keyboard) -> None:
    for name in ("owner", *VERIFIERS, "broker", "host"):
        keyboard.account(name)
    keyboard.start("chain", "up", "--port", 0)
    for name in ("owner", "broker", "host"):
        assert keyboard.json("chain", "fund", name)["ether"] == 100
    deployed = keyboard.json("chain", "deploy", account="owner")
    assert keyboard.json("chain", "deploy", account="owner")["contracts"] == deployed["contracts"]


def license_model(keyboard, source: Path) -> Life:
    ports = free_ports(*VERIFIERS, "broker", "node")
    keyboard.json("broker", "reader-key", "--out", "reader.pub")
    draft = ["policy", "draft", "small", "--threshold", 2, "--reader", "reader.pub", "--lease", 300]
    for name in VERIFIERS:
        draft += ["--verifier", keyboard.json("keys", "show", name)["address"]]
        draft += ["--verifier-url", f"http://127.0.0.1:{ports[name]}"]
    keyboard.json(*draft, "--broker-url", f"http://127.0.0.1:{ports['broker']}", account="owner")
    policy = keyboard.json("policy", "publish", "policy.toml", account="owner")["policy"]

    sealed = keyboard.json("model", "seal", source, "--out", "model.sealed")
    broker, licensee = (keyboard.json("keys", "show", name)["address"] for name in ("broker", "host"))
    words = ["model", "register", "small", "model.sealed", "--policy", policy, "--broker", broker]
    registered = keyboard.json(*words, account="owner")
    assert (registered["version"], registered["seal_id"]) == (1, sealed["seal_id"])
    granted = keyboard.json("licence", "grant", "small", "--licensee", licensee, account="owner")
    keyboard.json("licence", "accept", granted["licence"], account="host")
    return Life(policy=policy, model=registered["model"], licence=granted["licence"], ports=ports)


def use_model(keyboard, wait_until, life: Life) -> str:
    np.save("input.npy", np.ones((1, 4), np.float32))
    answered = wait_until(lambda: (said := keyboard(*life.infer, "--json")).code == 0 and said.json, 120)
    assert answered["level"] == "none"
    assert answered["outputs"]["y"] == [[4.0, 8.0]]
    verified = keyboard.json("verify", "answer.cbor", "input.npy", "--input-name", "x")
    assert verified["verified"] is True
    assert (verified["model"], verified["level"]) == (life.model, "none")
    words = ["--policy", life.policy, "--licence", life.licence, "--model", life.model]
    status = keyboard.json("node", "status", verified["node"], *words)
    assert (status["permitted"], status["record"]["signers"]) == (True, 3)
    return verified["node"]


def audit(keyboard, wait_until) -> None:
    """Files alone suffice to check the answer and every decision, and one changed record shows."""

    def exported() -> list[dict[str, object]] | None:
        keyboard.json("audit", "export", "--out", "events.jsonl")  # ends at the last final block
        events = [json.loads(line) for line in Path("events.jsonl").read_text().splitlines()]
        return events if any(event["name"] == "KeyReleased" for event in events) else None

    events = wait_until(exported)
    words = ["verify", "answer.cbor", "input.npy", "--input-name", "x", "--events", "events.jsonl", "--json"]
    offline = keyboard.spawn(*words)
    assert json.loads(offline.stdout)["verified"] is True, offline
    replayed = keyboard.json("audit", "replay", "--events", "events.jsonl")
    assert (replayed["agrees"], replayed["findings"]) == (True, [])

    next(event for event in events if event["name"] == "Recorded")["args"]["verdict"]["expiry"] += 1
    Path("forged.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    said = keyboard("audit", "replay", "--events", "forged.jsonl", "--json")
    assert (said.code, said.json["agrees"]) == (5, False)


def revoke(keyboard, wait_until, life: Life, node: str) -> None:
    keyboard.json("licence", "revoke", life.licence, account="owner")
    assert keyboard.json("licence", "revoke", life.licence, account="owner")["already"] is True
    assert keyboard.json("licence", "show", life.licence)["state"] == "revoked"
    refused = wait_until(lambda: (said := keyboard(*life.infer, "--unverified")).code == 7 and said)
    assert "Traceback" not in refused.err
    wait_until(lambda: keyboard.json("node", "status", node, "--licence", life.licence)["stopped"])
    status = keyboard.json("node", "status", node, "--licence", life.licence, "--model", life.model)
    assert (status["permitted"], status["reason"]) == (False, "licence")
    lines = keyboard("watch", "--from", 1, "--once", "--json").out.splitlines()
    heard = {json.loads(line)["name"] for line in lines}
    assert {"Recorded", "KeyRequested", "KeyReleased", "Revoked", "GuestStopped"} <= heard
