# SPDX-License-Identifier: Apache-2.0
"""Confidential machines of a cloud of our own: each thing that may be wrong with one, alone."""

import base64
import hashlib
import json
from dataclasses import replace
from datetime import timedelta

import cbor2
import pytest
import yaml
from cryptography.hazmat.primitives.serialization import Encoding

from contracts.records import Level
from enclave.errors import MalformedEvidence, NotAuthentic
from enclave.evidence.azure import key as azure_key
from enclave.evidence.azure.containers import attested_tls, confidential_containers
from enclave.evidence.azure.evidence import AzureEvidence, Parts, unpadded
from enclave.evidence.azure.hcl import HclReport
from enclave.evidence.azure.verify import COVERS, TECHNOLOGY
from enclave.evidence.detect import detect
from enclave.evidence.enclosed import Enclosed
from enclave.evidence.facts import Facts, RootStatus
from enclave.evidence.kinds import Kind
from enclave.evidence.tpm.quote import NO_WORKLOAD
from enclave.evidence.trust import Trust
from enclave.evidence.vouching import verify_device
from tests.fakes.authorities import kept_key
from tests.fakes.azure import NONCE, Machine, attestation_key, cloud, jwk, u32
from tests.fakes.custody import Endorser
from tests.fakes.evidence import NOON
from tests.fakes.intel import FakeIntel
from tests.fakes.snp import CHIP, Processor
from tests.fakes.tpm import event_log

GOOD = Machine()
OTHER = attestation_key(22)
DEBUG = 0x30000 | 1 << 19


def on_tdx(**changes: object) -> Machine:
    return Machine(intel=FakeIntel.tdx(), **changes)


def facts(machine: Machine, *more: bytes, parts: Parts | None = None, **options: object) -> Facts:
    options = {"trust": machine.trust, "at": NOON, **options}
    return verify_device(Kind.AZURE, machine.body(*more, parts=parts), 0, node=None, **options)


def refused(machine: Machine, *more: bytes, parts: Parts | None = None, **options: object) -> set[str]:
    with pytest.raises(NotAuthentic) as caught:
        facts(machine, *more, parts=parts, **options)
    return set(caught.value.reasons)


@pytest.mark.parametrize("hashed", [1, 2, 3])
@pytest.mark.parametrize("tdx", [False, True], ids=["SNP", "TDX"])
def test_good_machines_verify(hashed: int, tdx: bool) -> None:
    machine = on_tdx(hashed=hashed) if tdx else Machine(hashed=hashed)
    found = facts(machine)
    assert (found.kind, found.status, found.bound) == (Kind.AZURE, RootStatus.TEST_ROOT, NONCE)
    assert found.missed == ()
    assert found.claims["hcl"]["report_type"] == ("TDX" if tdx else "SNP")
    assert found.claims["hcl"]["vm_configuration"]["secure-boot"] is True
    assert set(found.inputs) <= set(TECHNOLOGY.inputs)
    assert set(COVERS) <= found.registers.keys()
    assert not {"pcr16", "pcr23"} & found.registers.keys()
    assert TECHNOLOGY.recognise(machine.parts().encode())


def test_identity_and_what_is_missed_are_the_hardware_s() -> None:
    assert facts(GOOD).identity == CHIP
    found = facts(GOOD.but(processor=Processor(policy=DEBUG)))
    assert [finding.rule for finding in found.missed] == ["debug"]
    machine = on_tdx()
    machine.intel.put("td_attributes", (1 << 28 | 1).to_bytes(8, "little"))
    assert [finding.rule for finding in facts(machine).missed] == ["debug"]


@pytest.mark.parametrize(
    ("machine", "reasons"),
    [
        (GOOD.but(signer=OTHER), {"SIGNATURE"}),
        (GOOD.but(bound=bytes(64)), {"BINDING"}),
        (GOOD.but(bound=hashlib.sha256(GOOD.runtime_data()).digest() + b"\1" * 32), {"BINDING"}),
        (GOOD.but(processor=Processor(vmpl=1)), {"BINDING"}),
        (GOOD.but(processor=Processor(chip_id=CHIP[::-1])), {"PLATFORM"}),
        (GOOD.but(signer=OTHER, bound=bytes(64)), {"SIGNATURE", "BINDING"}),
        (GOOD.but(signer=OTHER, processor=Processor(chip_id=CHIP[::-1])), {"SIGNATURE", "PLATFORM"}),
    ],
)
def test_each_thing_that_does_not_hold_is_refused(machine: Machine, reasons: set[str]) -> None:
    assert refused(machine) == reasons


def test_a_custody_statement_names_the_hardware() -> None:
    endorser = Endorser()
    trust = replace(GOOD.trust, endorsers=frozenset({endorser.point}))
    here, other = (endorser.statement(kind, CHIP, 7) for kind in (Kind.AZURE, Kind.SNP))
    assert facts(GOOD, here, trust=trust).potential is Level.ISOLATED_CUSTODY
    assert facts(GOOD, other, trust=trust).custody is None


def test_values_of_other_pcrs_are_refused() -> None:
    parts = GOOD.parts()
    assert refused(GOOD, parts=replace(parts, pcrs=parts.pcrs[::-1])) == {"PCR"}
    assert refused(GOOD, parts=replace(parts, pcrs=parts.pcrs[1:])) == {"PCR"}
    assert refused(GOOD, parts=replace(parts, signature=b"")) == {"SIGNATURE"}


@pytest.mark.parametrize("at", [130, 520, 560, 911])
def test_a_quote_of_another_td_report_is_refused(at: int) -> None:
    assert refused(on_tdx(td_report=((at, b"\xee"),))) == {"BINDING"}


def test_a_quote_for_other_runtime_data_is_refused() -> None:
    assert refused(on_tdx(bound=b"\1" * 64)) == {"BINDING"}


def test_the_workload_is_paravisor_and_guest() -> None:
    workload = facts(GOOD).workload
    changed = {number: {**GOOD.pcrs, number: b"\xaa" * 32} for number in range(24)}
    covered = {n for n, pcrs in changed.items() if facts(GOOD.but(pcrs=pcrs)).workload != workload}
    assert covered == {0, 2, 4, 7, *range(8, 15)}
    for change in ({"measurement": b"\1" * 48}, {"host_data": b"\1" * 32}):
        assert facts(GOOD.but(processor=Processor(**change))).workload != workload
    partial = facts(GOOD.but(quoted=(0, 1, 2)))
    assert partial.workload == NO_WORKLOAD
    assert any("no workload" in said for said in partial.trace)


@pytest.mark.parametrize("name", ["mr_td", "mr_config_id", "mr_owner", "mr_owner_config", "rtmr0", "rtmr3"])
def test_the_workload_of_a_trust_domain_is_all_that_is_its_own(name: str) -> None:
    machine, other = on_tdx(), on_tdx()
    other.intel.put(name, b"\x99" * 48)
    assert facts(machine).workload != facts(other).workload
    other.intel.put(name, facts(machine).claims["tdx"][name])
    assert facts(machine).workload == facts(other).workload


def test_event_logs_are_replayed_to_the_vtpm_s_registers() -> None:
    log = event_log((4, 0x80000003, b"boot loader", b"name"))
    value = hashlib.sha256(bytes(32) + hashlib.sha256(b"boot loader").digest()).digest()
    for machine in (GOOD, on_tdx()):
        assert [finding.rule for finding in facts(machine, log).missed] == ["log"]
        assert facts(machine.but(pcrs={**GOOD.pcrs, 4: value}), log).missed == ()
    with pytest.raises(MalformedEvidence):
        facts(GOOD, log, log)


def both(machine: Machine, root: bytes) -> Trust:
    return Trust(enrollers=frozenset(), extra_roots=frozenset({root}) | machine.trust.extra_roots)


@pytest.mark.parametrize("tail", [b"", bytes(3087)])
def test_a_certificate_of_the_key_is_followed_to_the_root(tail: bytes) -> None:
    leaf, issuer, root = cloud(GOOD.key)
    machine = GOOD.but(certificate=leaf.der + tail)
    found = facts(machine, issuer.der, root.der, trust=both(GOOD, root.digest))
    assert any("certificate leads to" in said for said in found.trace)
    assert found.inputs["ak-certificate"] == leaf.certificate.not_valid_before_utc
    assert leaf.digest in found.certificates
    among = facts(GOOD, leaf.der, issuer.der, root.der, trust=both(GOOD, root.digest))
    assert among.trace == found.trace
    crl = issuer.crl().public_bytes(Encoding.DER)
    assert "ak-crl" in facts(machine, issuer.der, root.der, crl, trust=both(GOOD, root.digest)).inputs
    revoked = issuer.crl(leaf).public_bytes(Encoding.DER)
    assert refused(machine, issuer.der, root.der, revoked, trust=both(GOOD, root.digest)) == {"CERTIFICATE"}


def test_a_chain_that_ends_early_adds_nothing() -> None:
    leaf, issuer, _ = cloud(GOOD.key)
    for pieces in ((), (issuer.der,)):
        found = facts(GOOD.but(certificate=leaf.der), *pieces)
        assert any("ends early" in said for said in found.trace)
        assert "ak-certificate" not in found.inputs


def test_a_chain_in_which_something_is_wrong_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    leaf, issuer, root = cloud(GOOD.key)
    machine = GOOD.but(certificate=leaf.der)
    assert refused(machine, issuer.der, root.der) == {"ROOT"}
    _, impostor, _ = cloud(GOOD.key)
    assert refused(machine, impostor.der) == {"CERTIFICATE"}
    assert refused(GOOD.but(certificate=cloud(OTHER)[0].der)) == {"KEY"}
    old = issuer.issue("vTPM", key=GOOD.key, since=timedelta(days=9), lasts=timedelta(days=8))
    assert refused(GOOD.but(certificate=old.der)) == {"CERTIFICATE"}
    assert refused(machine.but(signer=OTHER), impostor.der) == {"SIGNATURE", "CERTIFICATE"}
    alone = root.issue("x", key=GOOD.key, issuer_name=None)
    monkeypatch.setattr(azure_key, "LONGEST_PATH", 0)
    assert refused(GOOD.but(certificate=alone.der)) == {"CERTIFICATE"}


def test_an_expired_issuer_of_a_chain_that_ends_early_is_refused() -> None:
    _, _, root = cloud(GOOD.key)
    old = root.issue("Old CA", authority=True, since=timedelta(days=9), lasts=timedelta(days=8))
    leaf = old.issue("vTPM", key=GOOD.key)
    assert refused(GOOD.but(certificate=leaf.der), old.der) == {"CERTIFICATE"}


HEADERS = (
    b"HCLB" + u32(2, 0, 2, 0) + bytes(12),
    b"HCLA" + u32(3, 0, 2, 0) + bytes(12),
    b"HCLA" + u32(2, 0, 1, 0) + bytes(12),
    b"HCLA" + u32(2, 0, 2, 1) + bytes(12),
    b"HCLA" + u32(2, 0, 2, 0) + b"\1" + bytes(11),
    b"HCLA" + u32(2, 0, 2, 0) + bytes(12),
)


@pytest.mark.parametrize("header", HEADERS)
def test_headers_of_another_form_are_malformed(header: bytes) -> None:
    with pytest.raises(MalformedEvidence):
        HclReport.parse(GOOD.hcl(header=header))


@pytest.mark.parametrize(
    "machine",
    [
        GOOD.but(hashed=4),
        GOOD.but(keys=()),
        GOOD.but(keys=(jwk(OTHER), jwk(GOOD.key))),
        GOOD.but(keys=(jwk(GOOD.key, "HCLEkPub"),)),
        GOOD.but(keys=({**jwk(GOOD.key), "kty": "EC"},)),
        GOOD.but(keys=({**jwk(GOOD.key), "e": "AA"},)),
        GOOD.but(keys=({**jwk(GOOD.key), "n": 5},)),
        GOOD.but(keys=({**jwk(GOOD.key), "n": "A" * 1025},)),
        GOOD.but(keys=(jwk(kept_key("RSA-1024", 3)),)),
        GOOD.but(document={"keys": "none"}),
        GOOD.but(document={"vm-configuration": {"version": 1.5}}),
        GOOD.but(document={"user-data": "xyz"}),
    ],
)
def test_runtime_data_of_another_form_is_malformed(machine: Machine) -> None:
    with pytest.raises(MalformedEvidence):
        facts(machine)


@pytest.mark.parametrize("runtime", [b"[]", b"{", b"\xff", b"[" * 200])
def test_runtime_data_that_is_no_object_is_malformed(runtime: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Machine, "runtime_data", lambda self: runtime)
    with pytest.raises(MalformedEvidence):
        HclReport.parse(GOOD.hcl())


def test_bytes_around_a_report_are_malformed() -> None:
    whole = GOOD.hcl()
    used = len(whole) - 100
    assert HclReport.parse(whole[:used]).runtime_data == GOOD.runtime_data()
    behind = on_tdx().but(td_report=((1100, b"\1"),)).hcl()
    for wrong in (whole[: used - 1], whole[:100], whole[:-1] + b"\1", whole + bytes(1 << 16), behind):
        with pytest.raises(MalformedEvidence):
            HclReport.parse(wrong)
    assert "user_data" not in HclReport.parse(GOOD.but(document={"user-data": None}).hcl()).claims()


def test_the_parts_are_seven_byte_strings() -> None:
    good = GOOD.parts()
    raw = good.encode()
    assert Parts.decode(raw) == good
    parts = cbor2.loads(raw)
    wrong = [raw + b"\0", raw[:-1], b"", b"\xff", cbor2.dumps(parts[:-1]), cbor2.dumps([2, *parts[1:]])]
    wrong += [cbor2.dumps([*parts[:4], parts[4] * 3, *parts[5:]], canonical=True)]
    wrong += [cbor2.dumps([*parts[:4], ["x"], *parts[5:]], canonical=True), bytes(1 << 19)]
    for bad in wrong:
        with pytest.raises(MalformedEvidence):
            Parts.decode(bad)
        assert not TECHNOLOGY.recognise(bad) or bad[:3] == raw[:3]


def test_a_td_quote_is_there_for_tdx_only() -> None:
    with pytest.raises(MalformedEvidence):
        facts(GOOD, parts=replace(GOOD.parts(), td_quote=b"\4\0"))
    machine = on_tdx()
    with pytest.raises(MalformedEvidence):
        facts(machine, parts=replace(machine.parts(), td_quote=b""))
    assert unpadded(b"\x30\x03abc") == b"\x30\x03abc"


def test_evidence_shows_itself() -> None:
    for machine, name in ((GOOD, "snp"), (on_tdx(), "tdx")):
        shown = TECHNOLOGY.show(TECHNOLOGY.wrap(machine.parts().encode()))
        assert shown.keys() == {"tpm", "hcl", name}


def text64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def as_text(machine: Machine) -> dict[str, object]:
    parts = machine.parts()
    quote = {"message": parts.attest.hex(), "signature": parts.signature.hex()}
    document = {"version": 1, "tpm_quote": {**quote, "pcrs": [pcr.hex() for pcr in parts.pcrs]}}
    document |= {"hcl_report": text64(parts.hcl)}
    return document | ({"td_quote": text64(parts.td_quote)} if parts.td_quote else {})


def as_arrays(machine: Machine) -> dict[str, object]:
    parts = machine.parts()
    quote = {"message": list(parts.attest), "signature": list(parts.signature)}
    return {"quote": {**quote, "pcrs": [list(pcr) for pcr in parts.pcrs]}, "report": list(parts.hcl)}


def as_yaml(machine: Machine) -> dict[str, object]:
    parts, arrays = machine.parts(), as_arrays(machine)
    tls = {"quote": arrays["quote"], "event_log": [], "instance_info": None}
    return {
        "tdx_quote_base64": text64(parts.td_quote),
        "hcl_report_base64": text64(parts.hcl),
        "tpm_attestation": tls,
    }


def test_containers_of_others_are_read() -> None:
    machine, key = on_tdx(), GOOD.pieces()[0]
    wrapped = {"platform": "az-tdx", "evidence": as_text(machine)}
    cases = [(as_text(machine), ()), (wrapped, ()), ({**as_text(machine), "vcek": text64(key)}, (key,))]
    pem = GOOD.processor.endorsement.pem
    cases += [({**as_arrays(GOOD), "vcek": pem.decode()}, (pem,))]
    for document, pieces in cases:
        kind, body = confidential_containers(json.dumps(document).encode())
        assert (kind, Enclosed.parse(body).pieces) == (Kind.AZURE, pieces)
        assert AzureEvidence.parse(Enclosed.parse(body).evidence).quote.attest.extra_data == NONCE
    found = detect(yaml.safe_dump(as_yaml(machine)).encode(), machine.pieces())
    facts = TECHNOLOGY.verify(found.body, 0, node=None, trust=machine.trust, at=NOON)
    assert facts.bound == NONCE


BAD_JSON = (
    b'{"hcl_report"',
    json.dumps({**as_text(GOOD), "version": 2}).encode(),
    json.dumps({**as_text(GOOD), "tpm_quote": []}).encode(),
    json.dumps({**as_text(GOOD), "hcl_report": "?"}).encode(),
    json.dumps({**as_arrays(GOOD), "vcek": 5}).encode(),
    json.dumps({**as_arrays(GOOD), "vcek": "", "report": [256]}).encode(),
    json.dumps({**as_arrays(GOOD), "vcek": "", "report": [True]}).encode(),
)
BAD_YAML = (
    b"tpm_attestation: hcl_report_base64: [",
    b"tpm_attestation: &a [hcl_report_base64]\nb: *a\n",
    b"hcl_report_base64: tpm_attestation\n",
    b"tpm_attestation: hcl_report_base64\n---\nb: c\n",
    b"tpm_attestation: " + b"[" * 9 + b"hcl_report_base64" + b"]" * 9,
    b"tpm_attestation: hcl_report_base64\nx: [" + b"1," * (1 << 15) + b"]",
    yaml.safe_dump({**as_yaml(on_tdx()), "tdx_quote_base64": []}).encode(),
)


@pytest.mark.parametrize("raw", BAD_JSON)
def test_json_of_another_form_is_malformed(raw: bytes) -> None:
    with pytest.raises(MalformedEvidence):
        confidential_containers(raw)


@pytest.mark.parametrize("raw", BAD_YAML)
def test_yaml_of_another_form_is_malformed(raw: bytes) -> None:
    with pytest.raises(MalformedEvidence):
        attested_tls(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{}",
        b'["vcek"]',
        b'{"vcek": 1}',
        b'{"platform": "az-snp", "evidence": "vcek"}',
        b'{"platform":"az-snp","evidence":1,"vcek":1}',
    ],
)
def test_what_is_no_container_of_theirs_is_left_to_others(raw: bytes) -> None:
    assert confidential_containers(raw) is None
    assert attested_tls(raw) is None


def test_a_container_with_two_certificates_for_one_is_malformed() -> None:
    leaf, issuer, _ = cloud(GOOD.key)
    document = as_yaml(on_tdx())
    for pem in (leaf.pem + issuer.pem, b"none"):
        document["tpm_attestation"]["ak_certificate_pem"] = pem.decode()
        with pytest.raises(MalformedEvidence):
            attested_tls(yaml.safe_dump(document).encode())
    document["tpm_attestation"]["ak_certificate_pem"] = leaf.pem.decode()
    document["tpm_attestation"]["ak_intermediate_certificates_pem"] = [issuer.pem.decode()]
    _, body = attested_tls(yaml.safe_dump(document).encode())
    assert Enclosed.parse(body).pieces == (issuer.der,)
