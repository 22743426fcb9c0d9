# SPDX-License-Identifier: Apache-2.0
"""Enclaves: what their reports say, and what no policy should accept."""

import pytest

from contracts.digests import digest
from enclave.errors import NotAuthentic
from enclave.evidence.findings import Reason
from enclave.evidence.sgx.verify import TECHNOLOGY
from tests.fakes.intel import FakeIntel, level, svn_level


def test_the_workload_is_the_enclave_as_it_was_loaded() -> None:
    facts = FakeIntel.sgx().facts()
    assert facts.workload == digest("workload", "sgx", [b"E" * 32, bytes(64)])
    assert tuple(facts.registers) == TECHNOLOGY.covers
    assert (facts.claims["mr_signer"], facts.claims["isv_prod_id"], facts.claims["isv_svn"]) == (
        b"S" * 32,
        3,
        4,
    )
    assert set(facts.inputs) == set(TECHNOLOGY.inputs)
    assert all(isinstance(facts.value(path), int) for path in TECHNOLOGY.floors)


@pytest.mark.parametrize("at", [64, 95, 192, 255])
def test_another_enclave_or_configuration_is_another_workload(at: int) -> None:
    other = FakeIntel.sgx()
    other.body[at] ^= 1
    assert other.facts().workload != FakeIntel.sgx().facts().workload


def test_an_enclave_that_can_be_debugged_is_found() -> None:
    intel = FakeIntel.sgx()
    intel.body[48] |= 2
    facts = intel.facts()
    assert ([one.reason for one in facts.missed], facts.claims["debug"]) == ([Reason.DEBUG], True)


@pytest.mark.parametrize(
    ("platform", "enclave", "status"),
    [
        ("UpToDate", "UpToDate", "UpToDate"),
        ("ConfigurationAndSWHardeningNeeded", "UpToDate", "ConfigurationAndSWHardeningNeeded"),
        ("SWHardeningNeeded", "OutOfDate", "OutOfDate"),
        ("OutOfDate", "UpToDate", "OutOfDate"),
        ("UpToDate", "Revoked", "Revoked"),
        ("Revoked", "UpToDate", "Revoked"),
    ],
)
def test_platform_and_quoting_enclave_decide_together(platform: str, enclave: str, status: str) -> None:
    intel = FakeIntel.sgx()
    intel.tcb_info["tcbLevels"] = [level(platform)]
    intel.qe_identity["tcbLevels"] = [svn_level(8, enclave)]
    facts = intel.facts()
    assert facts.claims["tcb_status"] == status
    assert [one.reason for one in facts.missed] == ([Reason.TCB] if status == "Revoked" else [])


def test_a_platform_below_every_level_is_found() -> None:
    intel = FakeIntel.sgx()
    intel.platform(pce_svn=10)
    facts = intel.facts()
    assert [one.reason for one in facts.missed] == [Reason.TCB]
    assert facts.claims["tcb"] == {"result": "reject", "status": "NoMatchingLevel", "advisory_ids": []}


def test_a_quote_says_what_its_signature_covers() -> None:
    for at in range(0, 432, 7):
        intel = FakeIntel.sgx()
        quote = bytearray(intel.quote())
        quote[at] ^= 1
        intel.quote = lambda changed=bytes(quote): changed  # type: ignore[method-assign]
        with pytest.raises((NotAuthentic, Exception)) as caught:
            intel.facts()
        assert type(caught.value).__name__ in ("NotAuthentic", "MalformedEvidence")
