# SPDX-License-Identifier: Apache-2.0
"""What `licence deploy` takes for its own earlier work."""

from types import SimpleNamespace
from typing import Any

import pytest

from cli import deploying
from contracts.ids import Address
from contracts.licences import LicenceState

_AT = Address.parse("0x" + "11" * 20)


@pytest.mark.parametrize(("granted_for", "found"), [("ours", _AT), ("another", None)])
def test_s6_a_contract_granted_under_a_strangers_model_is_not_taken_for_ours(
    monkeypatch: pytest.MonkeyPatch, granted_for: str, found: Address | None
) -> None:
    compiled = SimpleNamespace(
        standing=lambda _: SimpleNamespace(state=LicenceState.GRANTED), bound=lambda _: (_AT, "ours")
    )
    licences = SimpleNamespace(grant_of=lambda _: SimpleNamespace(model_id=granted_for))
    monkeypatch.setattr("registry.compiled.CompiledLicences", lambda _: compiled)
    monkeypatch.setattr("registry.licences.Licences", lambda _: licences)
    chain: Any = None
    assert deploying.open_grant(chain, [_AT]) == found
