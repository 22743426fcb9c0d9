# SPDX-License-Identifier: Apache-2.0
"""The collectors for Nitro, SGX under Gramine, virtCCA and NVIDIA, against devices in software that misbehave."""

import errno
from datetime import UTC, datetime
from pathlib import Path

import cbor2
import pytest

from enclave.evidence.detect import detect
from enclave.evidence.enclosed import Enclosed
from enclave.evidence.kinds import Kind
from enclave.evidence.technologies import TECHNOLOGIES
from enclave.evidence.trust import Trust
from enclave.faults import DeviceError, DeviceUnavailable
from enclave.guest.collectors.gramine import Gramine, PseudoFiles
from enclave.guest.collectors.nsm import Nsm
from enclave.guest.collectors.nvml import Nvidia
from enclave.guest.collectors.tsi import Tsi
from tests.fakes.gramine import GramineFiles, quote
from tests.fakes.nsm import NsmDevice
from tests.fakes.nvml import Nvml
from tests.fakes.tsi import TsiDevice

DATA = bytes(range(64))
BUSY = cbor2.dumps({"Error": "Busy"})


@pytest.fixture
def node(tmp_path: Path) -> str:
    """A device node to open; its ioctls are the fakes'."""
    path = tmp_path / "device"
    path.touch()
    return str(path)


def test_a_nitro_document_has_the_report_data_as_user_data(node: str) -> None:
    device = NsmDevice()
    body = Enclosed.parse(Nsm(node, ioctl=device.ioctl).collect(DATA))
    assert (body.evidence, body.pieces) == (device.document(DATA), ())
    assert device.asked == [{"Attestation": {"user_data": DATA, "nonce": None, "public_key": None}}]


def test_a_busy_module_is_asked_again_and_not_for_ever(node: str) -> None:
    device = NsmDevice(answers=[BUSY, BUSY])
    assert Nsm(node, ioctl=device.ioctl).collect(DATA)
    device = NsmDevice(answers=[BUSY] * 9)
    with pytest.raises(DeviceError, match="error Busy"):
        Nsm(node, ioctl=device.ioctl).collect(DATA)
    assert len(device.asked) == 3


@pytest.mark.parametrize(
    "answer",
    [
        cbor2.dumps({"Error": "InvalidArgument"}),
        cbor2.dumps({"Attestation": {"document": "text"}}),
        cbor2.dumps({"Attestation": {"document": b""}}),
        cbor2.dumps({"Attestation": {"document": b"for another" + DATA[:32]}}),
        cbor2.dumps({"DescribeNSM": {"max_pcrs": 32}}),
        cbor2.dumps("Attestation"),
        cbor2.dumps({"Attestation": {"document": DATA}})[:-1],
        cbor2.dumps({"Attestation": {"document": DATA + bytes(0x3000)}}),
    ],
    ids=["error", "type", "empty", "other data", "other answer", "text", "cut off", "longer than the room"],
)
def test_another_answer_of_the_module_is_an_error_at_once(answer: bytes, node: str) -> None:
    device = NsmDevice(answers=[answer])
    with pytest.raises(DeviceError) as refused:
        Nsm(node, ioctl=device.ioctl).collect(DATA)
    assert type(refused.value) is DeviceError
    assert len(device.asked) == 1


@pytest.mark.parametrize("said", [0, 0x3001, 2**63])
def test_a_length_that_cannot_be_is_not_read(said: int, node: str) -> None:
    with pytest.raises(DeviceError, match="no length"):
        Nsm(node, ioctl=NsmDevice(said=said).ioctl).collect(DATA)


def test_outside_of_an_enclave_there_is_no_module(tmp_path: Path, node: str) -> None:
    with pytest.raises(DeviceUnavailable, match="No such file"):
        Nsm(str(tmp_path / "absent")).collect(DATA)
    device = NsmDevice(answers=[OSError(errno.EIO, "broken")])
    with pytest.raises(DeviceUnavailable, match="broken"):
        Nsm(node, ioctl=device.ioctl).collect(DATA)
    with pytest.raises(DeviceUnavailable, match="ioctl"):
        Nsm(node).collect(DATA)


def test_a_gramine_quote_is_over_what_was_written() -> None:
    body = Enclosed.parse(Gramine(GramineFiles()).collect(DATA))
    assert (body.evidence, body.pieces) == (quote(DATA), ())


@pytest.mark.parametrize(
    ("files", "what"),
    [
        (GramineFiles(make=lambda data: b""), "cut off"),
        (GramineFiles(make=lambda data: quote(data)[:-1]), "cut off"),
        (GramineFiles(lost=True), "other report data"),
    ],
    ids=["empty", "cut off", "lost write"],
)
def test_another_quote_is_an_error(files: GramineFiles, what: str) -> None:
    with pytest.raises(DeviceError, match=what):
        Gramine(files).collect(DATA)


@pytest.mark.parametrize("kind", ["none", "epid"])
def test_an_enclave_without_dcap_is_unavailable(kind: str) -> None:
    with pytest.raises(DeviceUnavailable, match=kind):
        Gramine(GramineFiles(kind=kind)).collect(DATA)


@pytest.mark.parametrize("name", ["attestation_type", "user_report_data", "quote"])
def test_outside_of_gramine_there_are_no_files(name: str, tmp_path: Path) -> None:
    with pytest.raises(DeviceUnavailable, match="No such file") as refused:
        Gramine(GramineFiles(absent=(name,))).collect(DATA)
    assert "gramine-sgx" in refused.value.hint
    files = PseudoFiles(str(tmp_path))
    files.write("user_report_data", DATA)
    assert files.read("user_report_data") == DATA
    with pytest.raises(DeviceUnavailable):
        Gramine(files).collect(DATA)


def test_a_virtcca_token_comes_with_the_certificate(node: str) -> None:
    device = TsiDevice()
    body = Enclosed.parse(Tsi(node, ioctl=device.ioctl).collect(DATA))
    assert (body.evidence, body.pieces) == (device.token(DATA), (device.certificate,))


@pytest.mark.parametrize(
    "device",
    [
        TsiDevice(version=(2, 0)),
        TsiDevice(sizes={1: 0}),
        TsiDevice(sizes={1: 8193}),
        TsiDevice(sizes={2: 0}),
        TsiDevice(sizes={2: 4097}),
        TsiDevice(sizes={1: 10}),
        TsiDevice(token=lambda challenge: b"for another"),
    ],
    ids=["version", "no token", "long token", "no certificate", "long certificate", "cut off", "other data"],
)
def test_another_answer_of_the_interface_is_an_error(device: TsiDevice, node: str) -> None:
    with pytest.raises(DeviceError) as refused:
        Tsi(node, ioctl=device.ioctl).collect(DATA)
    assert type(refused.value) is DeviceError


@pytest.mark.parametrize("number", [0, 1, 2])
def test_an_interface_that_refuses_is_unavailable(number: int, node: str, tmp_path: Path) -> None:
    with pytest.raises(DeviceUnavailable):
        Tsi(node, ioctl=TsiDevice(refuses={number: errno.EIO}).ioctl).collect(DATA)
    with pytest.raises(DeviceUnavailable, match="No such file"):
        Tsi(str(tmp_path / "absent")).collect(DATA)


def test_every_gpu_gives_its_own_report_and_certificates() -> None:
    driver = Nvml(gpus=3)
    gpus = Nvidia(driver)
    assert gpus.count() == 3
    for index in range(3):
        body = Enclosed.parse(gpus.collect(DATA[:32], index))
        assert (body.evidence, body.pieces) == (driver.report(index, DATA[:32]), (driver.chain(index),))
    assert driver.open == 0


@pytest.mark.parametrize(
    ("driver", "what"),
    [
        (Nvml(feature=0), "not on"),
        (Nvml(environment=1), "not on"),
        (Nvml(tools=1), "developer tools"),
        (Nvml(sizes={"report": 0}), "0 bytes"),
        (Nvml(sizes={"report": 8193}), "8193 bytes"),
        (Nvml(sizes={"chain": 5121}), "5121 bytes"),
        (Nvml(report=lambda index, nonce: b"for another nonce"), "other report data"),
    ],
    ids=["off", "simulated", "tools", "none", "long", "long chain", "other nonce"],
)
def test_a_gpu_whose_evidence_is_worth_nothing_is_an_error(driver: Nvml, what: str) -> None:
    with pytest.raises(DeviceError, match=what) as refused:
        Nvidia(driver).collect(DATA[:32], 0)
    assert type(refused.value) is DeviceError
    assert driver.open == 0


@pytest.mark.parametrize(
    "call",
    [
        "nvmlInit",
        "nvmlSystemGetConfComputeState",
        "nvmlDeviceGetConfComputeGpuAttestationReport",
        "nvmlDeviceGetConfComputeGpuCertificate",
    ],
)
def test_a_driver_that_refuses_is_unavailable(call: str) -> None:
    driver = Nvml(refuses=(call,))
    with pytest.raises(DeviceUnavailable, match="Not Supported"):
        Nvidia(driver).collect(DATA[:32], 0)
    assert driver.open == 0


def test_a_gpu_that_is_not_there_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DeviceUnavailable):
        Nvidia(Nvml()).collect(DATA[:32], 1)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(DeviceUnavailable, match="not installed"):
        Nvidia()


def test_what_a_real_gpu_said_is_enclosed_as_it_verifies(shared_evidence: Path) -> None:
    folder = shared_evidence / "nvidia" / "hopper-590.12"
    report, chain = (folder / "report.bin").read_bytes(), (folder / "cert_chain.pem").read_bytes()
    driver = Nvml(report=lambda index, nonce: report, chain=lambda index: chain + b"\0")
    body = Nvidia(driver).collect(report[4:36], 0)
    assert detect(body).kind is Kind.NVIDIA_GPU
    at = datetime(2026, 6, 25, tzinfo=UTC)
    trust = Trust(enrollers=frozenset(), extra_roots=frozenset())
    facts = TECHNOLOGIES[Kind.NVIDIA_GPU].verify(body, 1, node=None, trust=trust, at=at)
    assert facts.bound == report[4:36]
