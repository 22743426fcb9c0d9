# SPDX-License-Identifier: Apache-2.0
"""Trust domains: what their reports say, what no policy should accept, and their event logs."""

from dataclasses import replace
from datetime import timedelta

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from contracts.digests import digest
from contracts.ids import Digest
from contracts.records import Level
from enclave.errors import MalformedEvidence, NotAuthentic
from enclave.evidence.custody import platform_named
from enclave.evidence.enclosed import Enclosed
from enclave.evidence.endorsements import Endorsements
from enclave.evidence.findings import Reason
from enclave.evidence.intel.ccel import CcLog
from enclave.evidence.intel.levels import Status
from enclave.evidence.kinds import Kind
from enclave.evidence.sgx.verify import TECHNOLOGY as SGX
from enclave.evidence.tdx.report import COVERED
from enclave.evidence.tdx.verify import TECHNOLOGY, verify_quote
from tests.fakes.evidence import NOON
from tests.fakes.intel import PPID, FakeIntel, level, svn_level
from tests.fakes.intel_log import cc_log, extended

MODULE_OLD, MODULE_NEW = [3, 1, 7], [5, 1, 7]


def missed(intel: FakeIntel) -> list[Reason]:
    return [finding.reason for finding in intel.facts().missed]


def svn(*first: int) -> bytes:
    return bytes(first).ljust(16, b"\0")


def test_the_workload_is_all_that_measures_the_guest() -> None:
    facts = FakeIntel.tdx().facts()
    values = [facts.registers[name] for name in COVERED]
    assert facts.workload == digest("workload", "tdx", values)
    for name in COVERED:
        other = FakeIntel.tdx()
        other.put(name, b"\1" * 48)
        assert other.facts().workload != facts.workload
        assert other.facts().registers[name] == b"\1" * 48
    assert set(TECHNOLOGY.covers) | {"mr_seam"} == set(facts.registers)
    assert set(facts.inputs) == set(TECHNOLOGY.inputs)
    assert all(isinstance(facts.value(path), int) for path in TECHNOLOGY.floors)


@pytest.mark.parametrize("bit", range(64))
def test_only_harmless_attributes_pass(bit: int) -> None:
    intel = FakeIntel.tdx()
    intel.put("td_attributes", (1 << 28 | 1 << bit).to_bytes(8, "little"))
    harmless = bit in (16, 18, 19, 20, 21, 22, 27, 28, 30, 31, 62, 63)
    assert missed(intel) == ([] if harmless else [Reason.DEBUG])
    assert intel.facts().claims["debug"] is (bit == 0)


def test_pages_must_not_vanish_unnoticed() -> None:
    intel = FakeIntel.tdx()
    intel.put("td_attributes", bytes(8))
    assert missed(intel) == [Reason.DEBUG]
    assert intel.facts().claims["sept_ve_disable"] is False


def test_a_service_domain_is_found() -> None:
    intel = FakeIntel.tdx(5)
    intel.put("mr_service_td", b"\1" * 48)
    assert missed(intel) == [Reason.DEBUG]


def test_version_5_may_hold_a_report_of_1_0() -> None:
    intel = FakeIntel.tdx(5)
    intel.body = intel.body[:584]
    facts = intel.facts()
    assert (facts.missed, facts.claims["body_type"]) == ((), 2)
    assert "mr_service_td" not in facts.claims


STATES: dict[str, tuple[dict[str, object], str, int]] = {
    "all of today": ({}, "UpToDate", 8),
    "a platform to harden": ({"platform": "SWHardeningNeeded"}, "SWHardeningNeeded", 7),
    "a platform to configure": ({"platform": "ConfigurationNeeded"}, "ConfigurationNeeded", 6),
    "both": ({"platform": "ConfigurationAndSWHardeningNeeded"}, "ConfigurationAndSWHardeningNeeded", 5),
    "an old platform": ({"platform": "OutOfDate"}, "OutOfDate", 2),
    "an old module": ({"module": "OutOfDate"}, "OutOfDate", 2),
    "an old quoting enclave": ({"enclave": "OutOfDate"}, "OutOfDate", 2),
    "an old module of a platform to configure": (
        {"platform": "ConfigurationNeeded", "module": "OutOfDate"},
        "OutOfDateConfigurationNeeded",
        1,
    ),
    "a revoked platform": ({"platform": "Revoked"}, "Revoked", 0),
    "a revoked module": ({"module": "Revoked"}, "Revoked", 0),
    "a revoked quoting enclave": ({"enclave": "Revoked"}, "Revoked", 0),
}


@pytest.mark.parametrize("state", STATES)
def test_the_worst_part_decides(state: str) -> None:
    parts, label, standing = STATES[state]
    intel = FakeIntel.tdx()
    intel.tcb_info["tcbLevels"] = [level(str(parts.get("platform", "UpToDate")), tdx=7)]
    module, enclave = str(parts.get("module", "UpToDate")), str(parts.get("enclave", "UpToDate"))
    identity = intel.tcb_info["tdxModuleIdentities"][0]
    identity["tcbLevels"] = [svn_level(5, module, "INTEL-SA-00002")]
    intel.qe_identity["tcbLevels"] = [svn_level(8, enclave, "INTEL-SA-00003", "INTEL-SA-00001")]
    facts = intel.facts()
    assert (facts.claims["tcb_status"], facts.claims["tcb_standing"]) == (label, standing)
    assert facts.claims["tcb"] == {
        "result": "reject" if label == "Revoked" else "accept",
        "status": label,
        "advisory_ids": ["INTEL-SA-00001", "INTEL-SA-00002", "INTEL-SA-00003"],
    }
    assert [one.reason for one in facts.missed] == ([Reason.TCB] if label == "Revoked" else [])


def below_platform(intel: FakeIntel) -> None:
    intel.tcb_info["tcbLevels"] = [level("UpToDate", tdx=8), level("OutOfDate", pce=12, tdx=1)]


def below_microcode(intel: FakeIntel) -> None:
    intel.tcb_info["tcbLevels"] = [level("UpToDate", sgx=(8, *([0] * 15)), tdx=7)]


def below_module(intel: FakeIntel) -> None:
    intel.tcb_info["tdxModuleIdentities"][0]["tcbLevels"] = [svn_level(6, "UpToDate")]


def no_module(intel: FakeIntel) -> None:
    intel.tcb_info["tdxModuleIdentities"] = []


def below_enclave(intel: FakeIntel) -> None:
    intel.qe_identity["tcbLevels"] = [svn_level(9, "UpToDate")]


def module_today_unknown(intel: FakeIntel) -> None:
    intel.put("tee_tcb_svn2", svn(5, 2, 7))


@pytest.mark.parametrize(
    "flaw",
    [below_platform, below_microcode, below_module, no_module, below_enclave, module_today_unknown],
)
def test_a_tcb_that_the_table_does_not_know_is_found(flaw: object) -> None:
    intel = FakeIntel.tdx(5)
    flaw(intel)
    facts = intel.facts()
    assert [one.reason for one in facts.missed] == [Reason.TCB]
    assert (facts.claims["tcb_status"], facts.claims["tcb_standing"]) == ("NoMatchingLevel", 0)


def test_module_0_has_the_level_of_the_platform() -> None:
    intel = FakeIntel.tdx()
    intel.put("tee_tcb_svn", svn(5, 0, 7))
    assert missed(intel) == []
    intel.put("tee_tcb_svn", svn(4, 0, 7))
    assert missed(intel) == [Reason.TCB]


@pytest.mark.parametrize(
    ("name", "value"), [("mr_signer_seam", b"\1" * 48), ("seam_attributes", b"\1" + bytes(7))]
)
def test_a_module_that_is_not_intel_s_is_not_believed(name: str, value: bytes) -> None:
    intel = FakeIntel.tdx()
    intel.put(name, value)
    with pytest.raises(NotAuthentic) as caught:
        intel.facts()
    assert caught.value.reasons == ("TCB",)


RELAUNCHES = [
    (svn(3, 1, 7), svn(5, 1, 7), "UpToDate", "TDRelaunchAdvised"),
    (svn(5, 1, 6), svn(5, 1, 7), "UpToDate", "TDRelaunchAdvised"),
    (svn(3, 1, 7), svn(5, 1, 7), "ConfigurationNeeded", "TDRelaunchAdvisedConfigurationNeeded"),
    (svn(3, 1, 7), svn(4, 1, 7), "UpToDate", "OutOfDate"),
    (svn(3, 1, 7), svn(5, 1, 7), "OutOfDate", "OutOfDate"),
    (svn(5, 1, 7), svn(3, 1, 7), "UpToDate", "UpToDate"),
    (svn(3, 1, 6), svn(5, 1, 7), "Revoked", "Revoked"),
]


@pytest.mark.parametrize(("launched", "today", "best", "status"), RELAUNCHES)
def test_a_domain_older_than_its_module_is_told_to_relaunch(
    launched: bytes, today: bytes, best: str, status: str
) -> None:
    intel = FakeIntel.tdx(5)
    intel.put("tee_tcb_svn", launched)
    intel.put("tee_tcb_svn2", today)
    intel.tcb_info["tcbLevels"] = [level(best, tdx=7), level("OutOfDate", tdx=5)]
    module = intel.tcb_info["tdxModuleIdentities"][0]
    module["tcbLevels"] = [svn_level(5, "UpToDate"), svn_level(3, "OutOfDate")]
    assert intel.facts().claims["tcb_status"] == status


def test_standings_are_in_order() -> None:
    ranks = [status.standing for status in Status]
    assert ranks == sorted(ranks, reverse=True)
    assert len(set(ranks)) == len(ranks)
    assert (Status.REVOKED.standing, Status.UP_TO_DATE.standing) == (0, len(ranks) - 1)


EVENTS = [
    (1, 0x80000008, b"firmware"),
    (2, 0x80000003, b"kernel"),
    (2, 4, b"x"),
    (3, 0xD, b"words"),
    (4, 6, b"app"),
]


def logged(**changes: bytes) -> FakeIntel:
    intel = FakeIntel.tdx()
    for number, value in enumerate(extended(EVENTS)):
        intel.put(f"rtmr{number}", value)
    for name, value in changes.items():
        intel.put(name, value)
    intel.pieces = (cc_log(EVENTS),)
    return intel


def test_a_log_replays_to_the_rtmrs_and_can_be_asked() -> None:
    facts = logged().facts()
    assert facts.missed == ()
    assert "tdx: the event log replays to the RTMRs" in facts.trace
    log = CcLog.parse(cc_log(EVENTS))
    assert [event.body for event in log.of(1)] == [b"kernel", b"x"]
    assert [event.body for event in log.of(1, kind=4)] == [b"x"]
    assert [event.pcr for event in log.of_kind(6)] == [4]
    assert CcLog.parse(cc_log(EVENTS) + b"\xff" * 500).replay() == log.replay()


@pytest.mark.parametrize("number", range(4))
def test_a_log_that_does_not_replay_is_found(number: int) -> None:
    intel = logged(**{f"rtmr{number}": b"\1" * 48})
    assert missed(intel) == [Reason.LOG]
    assert "tdx: the event log replays to the RTMRs" not in intel.facts().trace


@pytest.mark.parametrize("pcr", [0, 5])
def test_a_log_of_other_registers_is_malformed(pcr: int) -> None:
    with pytest.raises(MalformedEvidence):
        CcLog.parse(cc_log([*EVENTS, (pcr, 4, b"x")]))


def test_a_log_without_sha_384_is_malformed() -> None:
    with pytest.raises(MalformedEvidence):
        CcLog.parse(cc_log([], bank=0x000B, size=32))


def test_another_technology_may_hold_a_quote() -> None:
    intel = FakeIntel.tdx()
    endorsements = Endorsements.sort([intel.collateral()])
    found = verify_quote(intel.quote(), endorsements, trust=intel.root.trust, at=NOON)
    facts = intel.facts()
    assert found.report.report_data == facts.bound
    assert (found.identity, found.inputs, found.status) == (PPID, facts.inputs, facts.status)
    assert (found.not_before, found.not_after) == (facts.not_before, facts.not_after)
    assert found.claims == facts.claims


def test_quotes_are_recognised_and_shown() -> None:
    tdx, sgx = FakeIntel.tdx(), FakeIntel.sgx()
    assert TECHNOLOGY.recognise(tdx.quote())
    assert TECHNOLOGY.recognise(FakeIntel.tdx(5).quote())
    assert SGX.recognise(sgx.quote())
    assert not TECHNOLOGY.recognise(sgx.quote())
    assert not SGX.recognise(tdx.quote())
    assert not TECHNOLOGY.recognise(b"\4\0\2\0\x81")
    shown = TECHNOLOGY.show(TECHNOLOGY.wrap(tdx.quote()))
    assert (shown["quote_version"], shown["report_data"]) == (4, b"R" * 32 + bytes(32))
    assert shown["pck"] == tdx.facts().claims["pck"]
    assert shown["qe_report"]["mr_enclave"] == b"E" * 32
    assert len(shown["pck_chain"]) == 3
    for technology, other in ((TECHNOLOGY, sgx), (SGX, tdx)):
        body = Enclosed(evidence=other.quote(), pieces=(other.collateral(),)).encode()
        with pytest.raises(MalformedEvidence):
            technology.show(body)
        with pytest.raises(MalformedEvidence):
            technology.verify(body, 0, node=None, trust=other.root.trust, at=NOON)


def custody(key: ec.EllipticCurvePrivateKey, platform: Digest, place: int) -> bytes:
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    first = int(NOON.timestamp()) - 60
    payload = cbor2.dumps([point, bytes(platform), place, first, first + 3600], canonical=True)
    protected = cbor2.dumps({1: -7})
    signed = cbor2.dumps(["Signature1", protected, b"exequatur/v1/custody", payload])
    r, s = utils.decode_dss_signature(key.sign(signed, ec.ECDSA(SHA256())))
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    return cbor2.dumps(cbor2.CBORTag(18, [protected, {}, payload, signature]))


@pytest.mark.parametrize("kind", [Kind.TDX, Kind.SGX])
def test_a_custody_statement_lifts_the_platform_it_names(kind: Kind) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    intel = FakeIntel.tdx() if kind is Kind.TDX else FakeIntel.sgx()
    here = custody(key, platform_named(kind, PPID), 7)
    intel.pieces = (custody(key, platform_named(kind, b"another"), 8), here)
    assert intel.facts().custody is None  # nobody trusts that endorser
    intel.trust = replace(intel.root.trust, endorsers=frozenset({point}))
    assert (intel.facts().place, intel.facts().potential) == (7, Level.ISOLATED_CUSTODY)
    intel.at = NOON + timedelta(hours=1)
    assert intel.facts().custody is None
    intel.at, intel.pieces = NOON, (here[:-1] + bytes([here[-1] ^ 1]),)
    assert intel.facts().custody is None
