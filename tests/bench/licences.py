# SPDX-License-Identifier: Apache-2.0
"""Gas of licences compiled from words, the samples' own: `python -m tests.bench.licences`."""

import json

from contracts.licences import LicenceState
from registry.chain.abi import interface
from registry.licensing.reading import read
from tests.fakes.grounds import Ground, ground
from tests.fakes.licences import SAMPLES
from tests.fakes.lives import Life
from tests.fakes.made import creations
from tests.fakes.walking import Walk, permitted

_BASE = 21_000


def measure() -> dict[str, dict[str, int]]:
    """Gas by sample and operation; `permits` without the transaction's own cost, everything else with it."""
    with ground() as field:
        said = {name: field.fitted(found) for name, text in SAMPLES.items() if (found := read(text).licence)}
        made = dict(zip(said, creations(list(said.values())), strict=True))
        return {name: _measured(field, Life(field, said[name], made[name])) for name in said}


def _measured(field: Ground, life: Life) -> dict[str, int]:
    before = field.chain.snapshot()
    walk = Walk(life)
    permitted(walk)
    for move in ("notify", "buy", "seat", "use", "back", "suspend", "resume"):
        if any(one.name == move for one in life.net.enabled(life.marking)):
            walk.to(move)
    permits = _permits(field, life)
    assert life.compiled.standing(life.address).state is LicenceState.ACTIVE
    if life.licence.notice is None:
        walk.to("revoke")
    field.chain.revert(before)
    return dict(sorted({**life.gas, "deploy": life.deploy_gas, "permits": permits}.items()))


def _permits(field: Ground, life: Life) -> int:
    """Execution alone: what an estimate says, without the base cost and that of the calldata."""
    args = (field.model, 1, life.guests[1].node, field.now)
    data = interface("ILicence").functions["permits"].encode(args)
    used = field.chain.estimate(field.stranger.address, life.address, "ILicence", "permits", *args)
    return used - _BASE - sum(16 if byte else 4 for byte in data)


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2, sort_keys=True))
