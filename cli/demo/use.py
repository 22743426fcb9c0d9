# SPDX-License-Identifier: Apache-2.0
"""Steps 9 to 12 of the demonstration: an answer, its receipt, a revocation that bites, and the auditor's replay."""

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from importlib.resources import files

import numpy as np

from cli.bearing.signals import LABELS
from cli.demo.prepare import Detail
from cli.demo.world import World, need
from cli.tensors import read_request
from contracts.records import Level
from enclave.audit import Finding, replay
from enclave.client import Answer
from enclave.errors import LeaseOver, NotVerified
from enclave.node.revocations import Revocations
from enclave.node.settling import Settling
from enclave.wire import decode_tensors
from registry.chain.view import Event
from registry.licences import Licences
from registry.releases import Releases
from registry.replay import dump_events

_PATIENCE, _INPUT = 60.0, "vibration"


def infer(world: World) -> Detail:
    """A user sends four windows of vibration and gets four answers."""
    samples = json.loads((files("cli.bearing") / "samples.json").read_text("utf-8"))
    windows = np.array([sample["vibration"] for sample in samples], np.float32)
    user = world.folder / "user"
    user.mkdir()
    np.save(user / "input.npy", windows)
    request = read_request(user / "input.npy", _INPUT)
    reply = world.reply = need(world.guest).infer(request)
    answer = Answer(
        keys=need(world.guest).keys.encode(),
        receipt=reply.receipt,
        request_salt=reply.request_salt,
        response_salt=reply.response_salt,
        response=reply.response,
    )
    (user / "answer.cbor").write_bytes(answer.encode())
    (fault,) = decode_tensors(reply.response)
    scores = np.frombuffer(fault.data, fault.dtype).reshape(fault.shape)
    told = [LABELS[index] for index in scores.argmax(axis=1)]
    right = sum(label == sample["label"] for label, sample in zip(told, samples, strict=True))
    return {"answers": told, "right": f"{right} of {len(samples)}"}


def receipt(world: World) -> Detail:
    """Another process, with no keys of ours, checks the receipt against files and exported events."""
    user = world.folder / "user"
    (user / "book.json").write_text(world.chain.book.encode(), "utf-8")
    (user / "events.jsonl").write_text(dump_events(_events(world)), "utf-8")
    command = [sys.executable, "-m", "cli.main", "verify", "answer.cbor", "input.npy", "--input-name", _INPUT]
    command += ["--events", "events.jsonl", "--book", "book.json", "--json"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    ran = subprocess.run(command, cwd=user, env=environment, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise NotVerified(ran.stdout.strip() or ran.stderr.strip(), where="receipt")
    found = json.loads(ran.stdout)
    checked = [f"{step['step']}: {step['found']}" for step in found["steps"]]
    return {"verified": found["verified"], "checked": checked}


def stop(world: World) -> Detail:
    """The owner revokes the licence in the middle of a lease; the host hears it and the guest forgets the model."""
    guest, subject, releases = need(world.guest), need(world.subject), Releases(world.chain)
    heard = Revocations(world.chain, subject)
    if (early := heard.taken()) is not None:
        raise NotVerified(f"stopped before anything was revoked: {early}", where="guest")
    Licences(world.chain).revoke(world.owner, need(world.licence))
    began = time.monotonic()
    while (why := heard.taken()) is None:
        if time.monotonic() - began > _PATIENCE:
            raise NotVerified("no revocation was heard", where="chain")
        time.sleep(0.02)
    last_word = guest.notice()
    seconds = time.monotonic() - began
    if _answers(world):
        raise NotVerified("the guest still answers", where="guest")
    Settling(releases, world.host, subject, guest.keys).close(guest, last_word)
    state = releases.state(need(world.release))
    return {
        "why": why,
        "revocationSeconds": round(seconds, 4),
        "leaseSecondsLeft": state.until - world.chain.head().timestamp,
        "settledAt": state.last_counter,
        "status": state.status.name.lower(),
    }


def audit(world: World) -> Detail:
    """An auditor replays every decision; then on a copy in which one record was changed."""
    events = _events(world)
    findings = _replay(world, events)
    tampered = _replay(world, [_raised(event) for event in events])
    return {
        "events": len(events),
        "findings": len(findings),
        "tamperFindings": len(tampered),
        "found": [str(finding) for finding in (*findings, *tampered)],
    }


def _answers(world: World) -> bool:
    try:
        need(world.guest).infer(read_request(world.folder / "user" / "input.npy", _INPUT))
    except LeaseOver:
        return False
    return True


def _events(world: World) -> list[Event]:
    return world.chain.events(world.chain.book.deployed_at, world.chain.head().number)


def _replay(world: World, events: list[Event]) -> list[Finding]:
    return replay(
        events,
        book=world.chain.book,
        assigned=world.assigned(),
        store=world.store,
        reader=world.reader,
    )


def _raised(event: Event) -> Event:
    """The event with a higher level, if it is a record: what somebody would change to look better."""
    if event.name != "Recorded":
        return event
    verdict = event.args["verdict"]
    assert isinstance(verdict, dict)
    changed = {**verdict, "level": int(Level.ISOLATED)}
    return replace(event, args={**event.args, "verdict": changed})
