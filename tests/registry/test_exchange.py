# SPDX-License-Identifier: Apache-2.0
"""Event files: every event survives one, and nothing else is taken for one."""

from collections.abc import Callable

import pytest

from contracts.errors import ExequaturError
from registry.errors import MalformedEvents
from registry.replay import dump_events, load_events
from tests.fakes.chains import fresh
from tests.fakes.scenes import Guest, Scene, scene


@pytest.fixture(scope="module")
def text() -> str:
    """The events of a scene."""
    with fresh("embedded") as chain:
        scene(chain)
        return dump_events(chain.events(0, chain.head().number))


def test_event_files_keep_every_event(embedded_story: Scene) -> None:
    story = embedded_story
    story.release(Guest())
    events = story.chain.events(0, story.chain.head().number)
    assert load_events(dump_events(events)) == events


@pytest.mark.parametrize(
    "flaw",
    [
        lambda lines: ["{"],
        lambda lines: ["[]"],
        lambda lines: [lines[0], lines[0]],
        lambda lines: [lines[1], lines[0]],
        lambda lines: [lines[0].replace('"index"', '"place"')],
        lambda lines: [lines[0].replace("PolicyPublished", "PolicyInvented")],
        lambda lines: [lines[0].replace("PolicyRegistry", "../../registry")],
        lambda lines: [lines[0].replace('"threshold":2', '"threshold":256')],
        lambda lines: [lines[0].replace('"threshold":2', '"threshold":true')],
        lambda lines: [lines[0].replace('"0x', '"0y')],
        lambda lines: ["[" * 100_000],
    ],
)
def test_s8_a_malformed_event_file_is_refused(text: str, flaw: Callable[[list[str]], list[str]]) -> None:
    lines = text.splitlines()
    with pytest.raises(MalformedEvents) as refused:
        load_events("\n".join(flaw(lines)))
    assert isinstance(refused.value, ExequaturError)
    assert refused.value.where.startswith("line")
