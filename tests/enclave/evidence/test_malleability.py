# SPDX-License-Identifier: Apache-2.0
"""S8: changed evidence is refused with an error of ours, or means exactly what it meant before."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import ROOT
from tests.fuzz.targets import Target, targets

SHARED = ROOT.parent / "shared" / "evidence"
TARGETS = targets(SHARED if SHARED.is_dir() else None)
_EXAMPLES = 25


def _bit(raw: bytes, at: int, part: bytes) -> bytes:
    return raw[:at] + bytes([raw[at] ^ 1 << part[0] % 8]) + raw[at + 1 :] if at < len(raw) else raw


CHANGES: dict[str, Callable[[bytes, int, bytes], bytes]] = {
    "bit": _bit,
    "byte": lambda raw, at, part: raw[:at] + part[:1] + raw[at + 1 :],
    "cut": lambda raw, at, part: raw[:at] + raw[at + len(part) :],
    "end": lambda raw, at, part: raw[:at],
    "double": lambda raw, at, part: raw[: at + len(part)] + raw[at:],
    "insert": lambda raw, at, part: raw[:at] + part + raw[at:],
    "over": lambda raw, at, part: raw[:at] + part + raw[at + len(part) :],
}


@st.composite
def changes(draw: st.DrawFn, seeds: list[bytes]) -> bytes:
    """A seed after some changes, by bytes of its own or another's."""
    changed = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(1, 4))):
        other = draw(st.sampled_from(seeds))
        start = draw(st.integers(0, len(other)))
        part = other[start : start + draw(st.sampled_from((1, 1, 2, 4, 32, 256)))] or b"\xff"
        change = CHANGES[draw(st.sampled_from(("bit", *CHANGES)))]
        changed = change(changed, draw(st.integers(0, len(changed))), part)
    return changed


@pytest.mark.parametrize("target", [t for t in TARGETS.values() if t.seeds], ids=lambda target: target.name)
def test_s8_no_change_of_a_good_sample_surprises(target: Target) -> None:
    @settings(max_examples=_EXAMPLES)
    @given(changes(list(target.seeds)))
    def hold(raw: bytes) -> None:
        target.run(raw)

    for seed in target.seeds:
        target.run(seed)
    hold()


@pytest.mark.parametrize("target", TARGETS.values(), ids=lambda target: target.name)
def test_s8_anything_at_all_is_answered(target: Target) -> None:
    @settings(max_examples=_EXAMPLES)
    @given(st.binary(max_size=600))
    def hold(raw: bytes) -> None:
        target.run(raw)

    hold()
