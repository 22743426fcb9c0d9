# SPDX-License-Identifier: Apache-2.0
"""Events of strangers: what looks like a licence's and is none stops nobody's reading."""

import pytest

from contracts.ids import NodeId
from contracts.records import Reason
from registry.chain.abi import interface
from registry.chain.dev import DevChain
from registry.chain.events import EventReader
from registry.errors import ChainUnavailable, Reverted
from registry.replay import dump_events, fold, load_events
from tests.fakes.chains import funded
from tests.fakes.scenes import Scene, digest
from tests.fakes.strangers import Said, emitting, saying

_WORD = b"\xff" * 32


def _broken() -> list[Said]:
    """Logs under every topic that licences use, which no licence could emit."""
    return [
        Said(topics=topics, data=data)
        for contract in ("TermLicence", "ICompiledLicence")
        for topic in interface(contract).events
        for topics in ([topic], [topic, _WORD], [topic, _WORD, _WORD, _WORD])
        for data in (b"", b"\xff", _WORD, _WORD * 30)
    ]


def test_what_a_stranger_emits_stops_nobodys_reading(story: Scene) -> None:
    chain = story.chain
    before = chain.events(0, chain.head().number)
    logs = _broken()
    for at in range(0, len(logs), 40):
        chain.create(story.stranger, emitting(*logs[at : at + 40]), "ILicence")
    after = chain.events(0, chain.head().number)
    assert after[: len(before)] == before
    assert fold(load_events(dump_events(after))) == fold(after)
    assert story.licence in fold(after).terms


def test_a_stranger_who_speaks_as_a_licence_is_heard_as_itself(story: Scene) -> None:
    said = saying("TermLicence", "Revoked", {"modelId": story.model})
    stranger, mined = story.chain.create(story.stranger, emitting(said), "ILicence")
    (event,) = mined.events
    assert (event.name, event.address, event.args) == ("Revoked", stranger, {"modelId": story.model})
    state = fold(story.chain.events(0, story.chain.head().number))
    assert stranger not in state.terms
    assert state.terms[story.licence].stage.name == "ACTIVE"


def test_a_registry_that_emits_other_words_is_a_fault_of_the_node(story: Scene) -> None:
    chain = story.chain
    said = Said(topics=[next(iter(interface("ReleaseLog").events))])
    address, mined = chain.create(story.stranger, emitting(said), "ILicence")
    ours = EventReader(chain.transport, {address: "ReleaseLog"}, chain.block)
    with pytest.raises(ChainUnavailable):
        ours.between(mined.block.number, mined.block.number)


def test_creating_from_code_is_estimated_and_refused_as_it_would_be(chain: DevChain) -> None:
    (account,) = funded(chain, 1)
    code = emitting(Said(topics=[_WORD]))
    gas = chain.estimate_creation(account.address, code, "ILicence")
    address, mined = chain.create(account, code, "ILicence")
    assert mined.gas <= gas <= mined.gas * 1.1
    assert mined.events == ()
    assert chain.code(address) == b""
    with pytest.raises(Reverted):
        chain.create(account, bytes.fromhex("60006000fd"), "ILicence")


_TERMS = {
    **dict.fromkeys(("start", "end", "price", "notice", "packPrice", "kinds", "period", "pack"), 0),
    "lowestVersion": 1,
    "length": 60,
    "seats": 1,
    "every": 3_600,
    "removes": False,
    "places": (0, 0, 0, 0),
    "text": bytes(32),
}
_STANDING = {
    **dict.fromkeys(("since", "end", "paidUntil", "noticeOver", "turn"), 2**32 - 1),
    "state": 1,
    "prepaid": True,
}


@pytest.mark.parametrize(("state", "left"), [(1, "Compiled"), (4, "Compiled"), (5, None), (255, None)])
def test_a_stranger_who_says_it_was_compiled_is_a_licence_of_nobody(
    story: Scene, state: int, left: str | None
) -> None:
    model = {"modelId": story.model}
    moved = {"move": _WORD, "by": story.stranger.address, "standing": {**_STANDING, "state": state}}
    said = [
        saying("TermLicence", "Suspended", model),
        saying("ICompiledLicence", "Metered", {"remaining": 5}),
        saying("ICompiledLicence", "Compiled", {**model, "terms": {**_TERMS, **model}}),
        saying("TermLicence", "Revoked", model),
        saying("ICompiledLicence", "Moved", {**model, **moved}),
        saying("ICompiledLicence", "Rebound", {**model, "releases": story.stranger.address}),
    ]
    stranger, mined = story.chain.create(story.stranger, emitting(*said), "ILicence")
    assert [event.name for event in mined.events] == [
        "Suspended",
        "Metered",
        "Compiled",
        "Revoked",
        "Moved",
        "Rebound",
    ]
    state_ = fold(story.chain.events(0, story.chain.head().number))
    held = state_.terms.get(stranger)
    assert (None if held is None else type(held).__name__) == left
    assert stranger not in state_.grants
    asked = (story.model, 1, NodeId(digest()), stranger, story.now)
    assert state_.permits(*asked) is story.releases.permits(*asked) is Reason.LICENCE
