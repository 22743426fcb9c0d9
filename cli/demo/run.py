# SPDX-License-Identifier: Apache-2.0
"""`exequatur demo`: a real model protected from end to end, in twelve steps with a line each."""

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from cli.demo import prepare, release, use
from cli.demo.device import best
from cli.demo.prepare import Detail
from cli.demo.world import World, world
from contracts.errors import ExitCode
from registry.chain.chain import Chain
from registry.errors import NotConfigured

STEPS: tuple[tuple[str, Callable[[World], Detail]], ...] = (
    ("seal", prepare.seal),
    ("register", prepare.register),
    ("license", prepare.license_),
    ("attest", release.attest),
    ("verify", release.verify),
    ("record", release.record),
    ("release", release.release),
    ("open", release.open_),
    ("infer", use.infer),
    ("receipt", use.receipt),
    ("stop", use.stop),
    ("audit", use.audit),
)
_LEVEL = (
    "level none: this shows the protocol. Whoever is root here can still read the guest's memory, and no policy\n"
    "accepts this evidence unless it names level none. Isolation needs a confidential machine (TDX, SEV-SNP, ...)."
)


def run(*, chain: str | None, attester: str | None, as_json: bool) -> int:
    """Run the twelve steps on a chain in this process, or on `chain`; returns the exit code."""
    kind = attester or best()
    if kind not in ("tpm", "software"):
        raise NotConfigured(f"no attester {kind!r}", where="--attester", hint="tpm or software")
    with tempfile.TemporaryDirectory(prefix="exequatur-") as folder:
        _say(as_json, f"attester: {'software TPM' if kind == 'tpm' else 'software'}")
        with world(_chain(chain), Path(folder), kind) as parties:
            done = _walk(parties, as_json)
    if as_json:
        print(json.dumps(_summary(done, kind)), flush=True)
    else:
        print(_LEVEL)
    return int(ExitCode.YES)


def _walk(parties: World, as_json: bool) -> list[dict[str, object]]:
    done: list[dict[str, object]] = []
    for number, (name, step) in enumerate(STEPS, 1):
        began = time.monotonic()
        detail = step(parties)
        seconds = round(time.monotonic() - began, 3)
        done.append({"n": number, "name": name, "ok": True, "seconds": seconds, "detail": detail})
        first = (step.__doc__ or "").partition("\n")[0]
        _say(as_json, f"{number:>2}/12 ok  {name:<9}{seconds:>7.2f} s  {first}")
        _say(as_json, "\n".join(f"             {line}" for line in _lines(detail)))
    return done


def _chain(target: str | None) -> Chain:
    if target is None:
        from registry.chain.embedded import embedded

        return embedded()
    from registry.chain.connect import connect_bare
    from registry.chain.deploy import deploy_all
    from registry.chain.dev import fund
    from registry.signing import Account

    chain, account = connect_bare(target), Account.generate()
    fund(chain, account.address)
    chain.adopt(deploy_all(chain, account))
    return chain


def _summary(done: list[dict[str, object]], kind: str) -> dict[str, object]:
    details = {str(step["name"]): step["detail"] for step in done}
    verified, received, stopped, audited = (details[name] for name in ("verify", "receipt", "stop", "audit"))
    assert isinstance(verified, dict)
    assert isinstance(received, dict)
    assert isinstance(stopped, dict)
    assert isinstance(audited, dict)
    return {
        "steps": done,
        "attester": kind,
        "level": verified["level"],
        "receipt_verified": received["verified"],
        "revocation_seconds": stopped["revocationSeconds"],
        "audit_findings": audited["findings"],
        "audit_tamper_findings": audited["tamperFindings"],
    }


def _lines(detail: Detail) -> list[str]:
    shown = []
    for key, value in detail.items():
        values = value if isinstance(value, list) else [value]
        shown += [f"{key}: {one}" for one in values]
    return shown


def _say(as_json: bool, text: str) -> None:
    if not as_json and text:
        print(text, file=sys.stdout, flush=True)
