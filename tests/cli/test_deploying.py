# SPDX-License-Identifier: Apache-2.0
"""What `licence deploy` takes for its own earlier work."""

import pytest

from cli.deploying import differing, open_grant
from contracts.records import Finality
from registry.compiled import CompiledLicences
from registry.licences import Licences
from registry.licensing.building import build
from registry.models import Models
from tests.fakes.chains import fresh
from tests.fakes.compiled import creation, sold
from tests.fakes.scenes import scene

pytestmark = pytest.mark.forge


def test_s6_a_contract_granted_under_a_strangers_model_is_not_taken_for_ours() -> None:
    with fresh("embedded") as chain:
        story = scene(chain)
        compiled, licences, code = CompiledLicences(chain), Licences(chain), creation(sold(story.model))
        ours, taken = (compiled.deploy(story.owner, code)[0] for _ in range(2))
        assert open_grant(chain, [ours, taken]) is None
        terms = {"seal_id": story.seal, "policy": story.policy, "finality": Finality.SAFE, "uri": ""}
        other, _ = Models(chain).register(story.stranger, "other", broker=story.stranger.address, **terms)
        licences.grant(story.stranger, taken, other, 1, story.licensee.address)
        assert open_grant(chain, [taken]) is None
        licences.grant(story.owner, ours, story.model, 1, story.licensee.address)
        assert open_grant(chain, [taken, ours]) == ours
        compiled.revoke(story.owner, ours)
        assert open_grant(chain, [taken, ours]) is None


def test_s6_the_same_code_that_answers_to_another_release_log_is_told_apart() -> None:
    with fresh("embedded") as chain:
        story = scene(chain)
        built = build(sold(story.model), prove=False)
        ours, _ = CompiledLicences(chain).deploy(story.owner, built.creation)
        assert differing(chain, ours, built) == []
        elsewhere = built.creation + bytes(story.stranger.address).rjust(32, b"\0")
        theirs, _ = chain.create(story.stranger, elsewhere, "ICompiledLicence")
        (told,) = differing(chain, theirs, built)
        assert f"another release log: {story.stranger.address}" in told
