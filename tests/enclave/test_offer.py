# SPDX-License-Identifier: Apache-2.0
"""What a machine offers is told from its files alone, and what it lacks in words that help."""

from pathlib import Path

import pytest

from enclave.node.measure import guest_files_digest
from enclave.node.offer import Offer, best, offers


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The root of a machine without any device, and without programs for a TPM."""
    monkeypatch.setattr("enclave.node.tpm.available", lambda: False)
    return tmp_path


def put(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()


def of(root: Path, kind: str, **named: str) -> Offer:
    return next(offer for offer in offers(root, **named) if offer.kind.label == kind)


def test_a_machine_without_devices_offers_software_and_says_what_it_lacks(machine: Path) -> None:
    found = offers(machine)
    assert [offer.kind.label for offer in found if offer.available] == ["software"]
    assert best(found).device == ("software", str(guest_files_digest()))
    assert all(offer.lacks and offer.hint for offer in found if not offer.available)


@pytest.mark.parametrize(
    ("kind", "trace"),
    [
        ("tdx", "dev/tdx_guest"),
        ("sev-snp", "dev/sev-guest"),
        ("arm-cca", "sys/module/arm_cca_guest"),
    ],
)
def test_a_confidential_vm_needs_configfs_too(kind: str, trace: str, machine: Path) -> None:
    assert "modprobe" in of(machine, kind).hint
    put(machine, trace)
    assert "mount -t configfs" in of(machine, kind).hint
    (machine / "sys/kernel/config/tsm/report").mkdir(parents=True)
    assert of(machine, kind).device == (kind,)
    assert best(offers(machine)).kind.label == kind


@pytest.mark.parametrize(
    ("kind", "path"), [("aws-nitro", "dev/nsm"), ("sgx", "dev/attestation/quote"), ("virtcca", "dev/tsi")]
)
def test_a_device_of_one_file_is_there_with_it(kind: str, path: str, machine: Path) -> None:
    assert of(machine, kind).lacks == f"no /{path}"
    put(machine, path)
    assert of(machine, kind).device == (kind,)


def test_a_tpm_needs_a_program_a_device_and_a_certificate(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "tpm2-tools" in of(machine, "tpm").hint
    monkeypatch.setattr("enclave.node.tpm.available", lambda: True)
    assert of(machine, "tpm").lacks == "no /dev/tpmrm0"
    assert "certificate" in of(machine, "tpm", tcti="swtpm:").lacks
    put(machine, "dev/tpmrm0")
    assert "certificate" in of(machine, "tpm").lacks
    log = "sys/kernel/security/tpm0/binary_bios_measurements"
    put(machine, log)
    device = ("tpm", f"device:{machine}/dev/tpmrm0", "ak.der", str(machine / log), "")
    assert of(machine, "tpm", certificate="ak.der").device == device
    named = of(machine, "tpm", tcti="swtpm:path=x", certificate="ak.der").device
    assert named == ("tpm", "swtpm:path=x", "ak.der", "", "")


def test_a_gpu_needs_driver_and_bindings(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "driver" in of(machine, "nvidia-gpu").lacks
    put(machine, "dev/nvidiactl")
    assert of(machine, "nvidia-gpu").device == ("nvidia-gpu", "0")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert of(machine, "nvidia-gpu").hint == "pip install nvidia-ml-py"
