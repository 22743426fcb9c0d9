# SPDX-License-Identifier: Apache-2.0
"""GPUs and switches of a vendor of our own: what is believed of a good one, and each check failing alone."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from contracts.records import Level
from enclave.errors import MalformedEvidence
from enclave.evidence.drafting import learned
from enclave.evidence.facts import RootStatus
from enclave.evidence.findings import Reason
from enclave.evidence.kinds import Kind
from enclave.evidence.nvidia import comparison, device
from enclave.evidence.trust import Trust
from tests.fakes.authorities import Authority, new_key, usage
from tests.fakes.evidence import NOON
from tests.fakes.nvidia import (
    DEVICE_ROOT,
    NEW,
    NONCE,
    RIM_ROOT,
    SoftGpu,
    extension,
    manifest,
    resource,
    rim_signer,
    signed,
    unsigned_manifest,
    value,
)

NOBODY = Trust(enrollers=frozenset(), extra_roots=frozenset())


def soft_switch() -> SoftGpu:
    """A switch that is as it should be."""
    return SoftGpu(
        chip="LS_10", engine="A01 FSP", driver=None, vbios="96.10.55.00.01", measurements={1: value(1)}
    )


def manifest_of(gpu: SoftGpu, **changes: object) -> bytes:
    """A manifest of a GPU's VBIOS."""
    active = {1: [gpu.measurements[1]]}
    return manifest(gpu.chip, gpu.vbios, active, **changes)  # type: ignore[arg-type]  # tests name the arguments


@pytest.fixture(scope="module")
def gpu() -> SoftGpu:
    return SoftGpu()


@pytest.fixture
def vendor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes our own roots those of the vendor."""
    monkeypatch.setattr(device, "NVIDIA_DEVICE_ROOTS", DEVICE_ROOT.vendor)
    monkeypatch.setattr(comparison, "NVIDIA_RIM_ROOTS", RIM_ROOT.vendor)


@pytest.mark.usefixtures("vendor")
def test_manifests_that_the_vendor_signed_vouch_for_a_gpu(gpu: SoftGpu) -> None:
    facts = gpu.judged(*gpu.manifests(), trust=NOBODY)
    assert (facts.kind, facts.status, facts.level, facts.missed) == (
        Kind.NVIDIA_GPU,
        RootStatus.VENDOR,
        Level.ROOTED,
        (),
    )
    assert facts.bound == NONCE
    assert facts.identity == gpu.chain[1].digest
    assert facts.registers == {
        "measurement.1": value(1, "v"),
        "measurement.7": value(7, "d"),
        "fwid": gpu.fwid,
    }
    assert facts.inputs == {name: NOON - timedelta(days=1) for name in ("certificate", "rim")}
    assert facts.value("reference_values.driver") == facts.value("reference_values.vbios") == "matched"
    assert {one.digest for one in gpu.chain} | {RIM_ROOT.digest} < set(facts.certificates)


@pytest.mark.usefixtures("vendor")
def test_a_switch_has_one_manifest() -> None:
    switch = soft_switch()
    facts = switch.judged(manifest("LS10", switch.vbios, {1: [value(1)]}), trust=NOBODY)
    assert (facts.kind, facts.missed, facts.status) == (Kind.NVIDIA_SWITCH, (), RootStatus.VENDOR)
    assert set(facts.inputs) == {"certificate", "rim"}
    assert any("does not name its firmware" in line for line in facts.trace)


def test_a_manifest_by_a_root_that_was_added_lowers_the_level(
    gpu: SoftGpu, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "NVIDIA_DEVICE_ROOTS", DEVICE_ROOT.vendor)
    assert gpu.judged().level is Level.ROOTED
    assert gpu.judged(*gpu.manifests()).status is RootStatus.TEST_ROOT


def test_without_manifests_a_policy_names_every_measurement(gpu: SoftGpu) -> None:
    facts = gpu.judged()
    rules = replace(learned([facts], NOON), ages=())
    assert list(rules.unmet(facts, NOON)) == []
    other = SoftGpu(measurements={**gpu.measurements, 9: value(9)}).judged()
    assert [finding.found for finding in rules.unmet(other, NOON)] == ["measurement.9 as well"]
    assert sum("nothing compares" in line for line in facts.trace) == 2


def test_with_manifests_a_policy_may_leave_measurements_to_the_vendor(gpu: SoftGpu) -> None:
    facts = gpu.judged(*gpu.manifests())
    rules = replace(learned([facts], NOON), registers=())
    assert [age.input for age in rules.ages if age.required] == ["certificate", "rim"]
    updated = SoftGpu(driver="560.1", measurements={1: value(1), 7: value(2)})
    relaxed = replace(rules, references=())
    assert list(relaxed.unmet(updated.judged(*updated.manifests()), NOON)) == []
    bare = [finding.reason for finding in relaxed.unmet(updated.judged(), NOON)]
    assert bare == [Reason.AGE]


def test_a_gpu_says_how_it_is_passed_on() -> None:
    facts = SoftGpu(fields={36: b"\0\0"}).judged()
    assert facts.claims["mode"] == "single GPU passthrough"
    assert any("configured for single GPU" in line for line in facts.trace)


def test_versions_are_numbers_too_so_that_a_policy_sets_floors(gpu: SoftGpu) -> None:
    claims = gpu.judged().claims
    assert claims["driver_version_number"] == 550_090_007
    assert claims["vbios_version_number"] == 0x96009F0001
    short = SoftGpu(driver="590.12", vbios="97.00.88.00.0F").judged().claims
    assert short["driver_version_number"] == 590_012_000
    assert short["vbios_version"] == "97.00.88.00.0F"
    assert SoftGpu(driver="r590").judged().claims["driver_version_number"] is None


FLAWS: dict[str, tuple[Callable[[], SoftGpu], set[Reason]]] = {
    "the firmware of another boot": (
        lambda: SoftGpu(fields={20: bytes(48)}),
        {Reason.PLATFORM},
    ),
    "a firmware, and a certificate that names none": (lambda: SoftGpu(tcb=()), {Reason.PLATFORM}),
    "a leaf that names another device's key": (
        lambda: SoftGpu(tcb=(SoftGpu().composite(SoftGpu().fwid, new_key("P-384")),)),
        {Reason.PLATFORM},
    ),
    "a leaf of another model than its issuer": (
        lambda: SoftGpu(rom_name="GB100 A01 GSP BROM"),
        {Reason.PLATFORM},
    ),
    "a leaf of something else": (lambda: SoftGpu(leaf_name="CX7 A01 NIC FW"), {Reason.PLATFORM}),
    "a switch's certificate of a GPU": (
        lambda: SoftGpu(chip="LS_10", engine="A01 FSP"),
        {Reason.PLATFORM},
    ),
    "a leaf that may not sign": (
        lambda: SoftGpu(leaf={"key_usage": usage("key_agreement")}),
        {Reason.CERTIFICATE},
    ),
    "a leaf without a usage": (lambda: SoftGpu(leaf={"key_usage": None}), {Reason.CERTIFICATE}),
    "a leaf that is an authority": (
        lambda: SoftGpu(leaf={"basic": True, "authority": True, "key_usage": usage("digital_signature")}),
        {Reason.CERTIFICATE},
    ),
    "a leaf that has expired": (
        lambda: SoftGpu(leaf={"since": timedelta(days=9), "lasts": timedelta(days=2)}),
        {Reason.CERTIFICATE},
    ),
    "a leaf with a P-256 key": (lambda: SoftGpu(leaf={"key": new_key("P-256")}), {Reason.SIGNATURE}),
    "another vendor's root": (lambda: SoftGpu(root=Authority.root("Other", "P-384")), {Reason.ROOT}),
}


@pytest.mark.parametrize("flaw", FLAWS)
def test_each_flaw_of_a_device_is_refused_alone(flaw: str) -> None:
    make, reasons = FLAWS[flaw]
    assert {finding.reason for finding in make().refusal()} == reasons


def test_a_report_of_another_device_is_refused(gpu: SoftGpu) -> None:
    assert [f.reason for f in gpu.refusal(report=SoftGpu().report())] == [Reason.SIGNATURE]
    both = [one.pem for one in SoftGpu().chain]
    assert gpu.judged(*both).identity == gpu.chain[1].digest  # whoever signed is found among the chains


def test_a_report_without_a_chain_or_with_too_many_is_refused(gpu: SoftGpu) -> None:
    assert [f.reason for f in gpu.refusal(chain=False)] == [Reason.CERTIFICATE]
    others = [SoftGpu().chain[0].pem for _ in range(8)]
    assert [f.reason for f in gpu.refusal(*others)] == [Reason.CERTIFICATE]


def test_a_leaf_that_is_trusted_itself_vouches_for_nothing(gpu: SoftGpu) -> None:
    trust = Trust(enrollers=frozenset(), extra_roots=frozenset({gpu.chain[0].digest}))
    assert [f.reason for f in gpu.refusal(trust=trust)] == [Reason.ROOT]
    rom = Trust(enrollers=frozenset(), extra_roots=frozenset({gpu.chain[1].digest}))
    assert gpu.judged(trust=rom).identity == gpu.chain[1].digest


def test_the_identity_outlives_firmware_updates() -> None:
    before = SoftGpu()
    after = SoftGpu(firmware=b"newer", rom_key=before.rom_key)
    assert before.chain[0].digest != after.chain[0].digest
    assert before.judged().identity == after.judged().identity != SoftGpu().judged().identity


def test_newer_certificates_carry_a_tcb_info() -> None:
    made = SoftGpu(chip="GB100", vbios="97.00.88.00.0F")
    made.tcb = (made.tcb_info(),)  # notConfigured, as devices of this line say
    facts = made.judged(*made.manifests())
    assert facts.missed == ()
    assert facts.registers["fwid"] == made.fwid


@pytest.mark.parametrize(
    ("bits", "reason"), [(b"\0\x10", Reason.DEBUG), (b"\0\x40", Reason.TCB), (b"\0\x20", Reason.TCB)]
)
def test_firmware_that_keeps_no_secrets_is_told(bits: bytes, reason: Reason) -> None:
    made = SoftGpu()
    made.tcb = (made.tcb_info(bits),)
    assert [finding.reason for finding in made.judged().missed] == [reason]


def test_two_tcb_infos_name_no_firmware() -> None:
    made = SoftGpu()
    inner = made.tcb_info()[0]
    made.tcb = (made.composite(), extension(NEW, inner.public_bytes()))
    assert [finding.reason for finding in made.refusal()] == [Reason.PLATFORM]


RIMS: dict[str, tuple[Callable[[SoftGpu], bytes], Reason]] = {
    "edited after signing": (
        lambda gpu: manifest_of(gpu).replace(gpu.measurements[1].hex().encode(), value(3).hex().encode()),
        Reason.REFERENCE,
    ),
    "by a signer that has expired": (
        lambda gpu: manifest_of(gpu, signer=rim_signer(since=timedelta(days=9), lasts=timedelta(days=2))),
        Reason.CERTIFICATE,
    ),
    "by a signer who may not": (
        lambda gpu: manifest_of(gpu, signer=rim_signer(key_usage=usage("key_agreement"))),
        Reason.CERTIFICATE,
    ),
    "of another version": (
        lambda gpu: manifest(gpu.chip, "96.00.9F.00.02", {1: [value(1, "v")]}),
        Reason.REFERENCE,
    ),
    "of another chip": (lambda gpu: manifest("GB100", gpu.vbios, {1: [value(1, "v")]}), Reason.REFERENCE),
    "with another value": (lambda gpu: manifest(gpu.chip, gpu.vbios, {1: [value(2)]}), Reason.REFERENCE),
    "with an index that was not measured": (
        lambda gpu: manifest(gpu.chip, gpu.vbios, {9: [value(2)]}),
        Reason.REFERENCE,
    ),
    "with an index that is not there": (
        lambda gpu: manifest(gpu.chip, gpu.vbios, {gpu.count: [bytes(48)]}),
        Reason.REFERENCE,
    ),
}


@pytest.mark.parametrize("flaw", RIMS)
def test_each_flaw_of_a_manifest_is_told_alone(gpu: SoftGpu, flaw: str) -> None:
    make, reason = RIMS[flaw]
    vbios, driver = gpu.manifests()
    facts = gpu.judged(make(gpu), driver)
    assert [finding.reason for finding in facts.missed] == [reason]
    assert "rim" not in facts.inputs
    assert facts.value("reference_values.vbios") in ("none", "differs")
    assert gpu.judged(vbios, driver).missed == ()


def test_a_manifest_below_a_root_of_devices_does_not_count(
    gpu: SoftGpu, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "NVIDIA_DEVICE_ROOTS", DEVICE_ROOT.vendor)
    signer = DEVICE_ROOT.issue("A device", "P-384")
    facts = gpu.judged(manifest_of(gpu, signer=signer), trust=NOBODY)
    assert [finding.reason for finding in facts.missed] == [Reason.CERTIFICATE]


def test_a_signer_of_manifests_that_was_revoked_does_not_count(gpu: SoftGpu) -> None:
    signer = rim_signer()
    rim, driver = manifest_of(gpu, signer=signer), gpu.manifests()[1]
    lists = [RIM_ROOT.crl(*revoked).public_bytes(Encoding.DER) for revoked in ((), (signer,))]
    assert gpu.judged(rim, driver, lists[0]).missed == ()
    (finding,) = gpu.judged(rim, driver, lists[1]).missed
    assert (finding.reason, "revoked" in finding.found) == (Reason.CERTIFICATE, True)


def test_a_device_that_was_revoked_is_refused(gpu: SoftGpu) -> None:
    _, rom, line, _ = gpu.chain
    assert gpu.judged(line.crl().public_bytes(Encoding.DER)).missed == ()
    (finding,) = gpu.refusal(line.crl(rom).public_bytes(Encoding.DER))
    assert (finding.reason, "revoked" in finding.found) == (Reason.CERTIFICATE, True)


def test_a_manifest_that_is_there_twice_counts_once(gpu: SoftGpu) -> None:
    vbios, driver = gpu.manifests()
    facts = gpu.judged(vbios, driver, vbios)
    assert facts.missed == ()
    assert facts.value("reference_values.vbios_compared") == 1


def test_manifests_that_contradict_each_other_are_told(gpu: SoftGpu) -> None:
    vbios, _ = gpu.manifests()
    driver = manifest(gpu.chip, gpu.driver or "", {1: [value(1, "v"), value(2)], 7: [value(7, "d")]})
    (finding,) = gpu.judged(vbios, driver).missed
    assert finding.reason is Reason.REFERENCE
    assert "contradict" in finding.found


@pytest.mark.parametrize(("status", "matched"), [(b"\x55", True), (b"\xaa", False)])
def test_a_video_decoder_that_is_off_is_not_compared(status: bytes, matched: bool) -> None:
    made = SoftGpu(fields={11: status}, count=40)
    assert made.driver is not None
    driver = manifest(made.chip, made.driver, {7: [value(7, "d")], 35: [value(35)]})
    facts = made.judged(driver)
    assert (facts.missed == ()) is matched
    assert facts.value("reference_values.driver") == ("matched" if matched else "differs")


def test_what_is_no_manifest_is_malformed(gpu: SoftGpu) -> None:
    for raw in (b"<a/>", b"<SoftwareIdentity/>", manifest_of(gpu)[:-9]):
        with pytest.raises(MalformedEvidence):
            gpu.judged(raw)
    twice = [resource(1, [value(1)]), resource(1, [value(2)])]
    with pytest.raises(MalformedEvidence, match="twice"):
        gpu.judged(signed(unsigned_manifest(gpu.chip, gpu.vbios, twice), rim_signer()))
