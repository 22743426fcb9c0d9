# SPDX-License-Identifier: Apache-2.0
"""The collector for TDX, SEV-SNP and Arm CCA, against a kernel in software that loses, races, refuses and cuts off."""

import errno
import os
from functools import lru_cache
from pathlib import Path

import cbor2
import pytest

from enclave.evidence.enclosed import Enclosed
from enclave.evidence.snp.verify import TECHNOLOGY
from enclave.faults import DeviceError, DeviceUnavailable
from enclave.guest.collectors.tsm import Configfs, Tsm
from tests.fakes.evidence import NOON
from tests.fakes.snp import Processor, table
from tests.fakes.tsm import ConfigfsTsm

DATA = bytes(range(64, 128))
VCEK = bytes.fromhex("63da758de6644564adc5f4b93be8accd")


def tdx(report_data: bytes) -> bytes:
    """The frame of a quote of version 4."""
    return b"\x04\0" + bytes(566) + report_data + (8).to_bytes(4, "little") + b"signed.."


def tdx_5(report_data: bytes) -> bytes:
    """The frame of a quote of version 5: type and size of the body, body, signature."""
    return b"\x05\0" + bytes(46) + b"\2\0" + (64).to_bytes(4, "little") + report_data + b"\1\0\0\0s"


@lru_cache  # signatures differ each time
def snp(report_data: bytes) -> bytes:
    return Processor(report_data=report_data).report()


def cca(report_data: bytes) -> bytes:
    return cbor2.dumps(cbor2.CBORTag(399, {44234: b"platform", 44241: report_data}))


MAKERS = {
    "tdx": ("tdx_guest", tdx),
    "sev-snp": ("sev_guest", snp),
    "arm-cca": ("arm_cca_guest", cca),
}


def kernel(kind: str, **faults: int) -> ConfigfsTsm:
    provider, generate = MAKERS[kind]
    return ConfigfsTsm(provider, generate, faults={name.replace("_", " "): n for name, n in faults.items()})


@pytest.mark.parametrize("kind", MAKERS)
def test_the_report_is_what_the_device_gave(kind: str) -> None:
    folder = kernel(kind)
    body = Enclosed.parse(Tsm(kind, folder).collect(DATA))
    assert (body.evidence, body.pieces) == (MAKERS[kind][1](DATA), ())
    assert folder.requests == {}
    assert Tsm(kind, folder).collect(DATA[::-1]) != body.encode()
    assert len(set(folder.made)) == 2


def test_quotes_of_version_5_and_tokens_are_known_by_their_own_length() -> None:
    assert Tsm("tdx", ConfigfsTsm("tdx_guest", tdx_5)).collect(DATA)
    assert Tsm("tdx", ConfigfsTsm("tdx_guest", cca)).collect(DATA)
    with pytest.raises(DeviceError, match="cut off"):
        Tsm("tdx", ConfigfsTsm("tdx_guest", lambda data: tdx_5(data)[:-1])).collect(DATA)


def test_the_hosts_certificates_come_along_and_verify() -> None:
    processor = Processor(report_data=DATA)
    folder = kernel("sev-snp")
    folder.auxblob = table([(VCEK, processor.endorsement.der)]) + bytes(99)
    body = Tsm("sev-snp", folder).collect(DATA)
    assert Enclosed.parse(body).pieces == (folder.auxblob,)
    whole = TECHNOLOGY.endorse(body, processor.pieces()[1:])
    facts = TECHNOLOGY.verify(whole, 0, node=None, trust=processor.trust, at=NOON)
    assert facts.bound == DATA


@pytest.mark.parametrize("auxblob", [None, b"", bytes(4096)])
def test_a_host_without_certificates_is_no_fault(auxblob: bytes | None) -> None:
    folder = kernel("sev-snp")
    folder.auxblob = auxblob
    assert Enclosed.parse(Tsm("sev-snp", folder).collect(DATA)).pieces == ()


@pytest.mark.parametrize("fault", ["lost", "raced", "late", "busy", "taken"])
@pytest.mark.parametrize("kind", MAKERS)
def test_what_passes_is_tried_again_from_the_start(fault: str, kind: str) -> None:
    folder = kernel(kind, **{fault: 4})
    assert Enclosed.parse(Tsm(kind, folder).collect(DATA)).evidence == MAKERS[kind][1](DATA)
    assert folder.requests == {}


@pytest.mark.parametrize("fault", ["lost", "raced", "late", "busy", "taken"])
def test_what_stays_is_given_up(fault: str) -> None:
    folder = kernel("tdx", **{fault: -1})
    with pytest.raises(DeviceError, match="5 times"):
        Tsm("tdx", folder).collect(DATA)
    assert len(folder.made) == (0 if fault == "taken" else 5)
    assert folder.requests == {}


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize(
    ("fault", "kept"),
    [
        ("too_big", "large"),
        ("cut", "cut off"),
        ("stale", "other report data"),
        ("no_number", "no number"),
    ],
)
def test_what_no_further_attempt_mends_is_an_error_at_once(fault: str, kept: str, kind: str) -> None:
    folder = kernel(kind, **{fault: -1})
    with pytest.raises(DeviceError, match=kept) as refused:
        Tsm(kind, folder).collect(DATA)
    assert type(refused.value) is DeviceError
    assert (len(folder.made), folder.requests) == (1, {})


@pytest.mark.parametrize("fault", ["gone", "refused"])
def test_a_device_that_goes_away_or_is_not_ours_is_unavailable(fault: str) -> None:
    folder = kernel("tdx", **{fault: -1})
    with pytest.raises(DeviceUnavailable) as refused:
        Tsm("tdx", folder).collect(DATA)
    assert "modprobe" in refused.value.hint
    assert folder.requests == {}


def test_no_provider_is_unavailable() -> None:
    with pytest.raises(DeviceUnavailable, match=os.strerror(errno.ENXIO)):
        Tsm("tdx", ConfigfsTsm("", tdx)).collect(DATA)


@pytest.mark.parametrize("provider", ["sev_guest", "another", "é"])
def test_evidence_is_of_the_kind_that_was_asked_for(provider: str) -> None:
    with pytest.raises(DeviceError, match="not one of tdx"):
        Tsm("tdx", ConfigfsTsm(provider, tdx)).collect(DATA)


def test_report_data_of_another_size_is_not_taken() -> None:
    with pytest.raises(DeviceError, match="not taken"):
        Tsm("tdx", kernel("tdx")).collect(DATA[:32])
    assert Tsm("arm-cca", kernel("arm-cca")).collect(DATA[:32])


def test_without_configfs_nothing_is_made(tmp_path: Path) -> None:
    with pytest.raises(DeviceUnavailable) as refused:
        Tsm("tdx", Configfs(str(tmp_path / "absent"))).collect(DATA)
    assert "configfs" in refused.value.hint
    assert not list(tmp_path.iterdir())


def test_the_calls_on_the_folder_are_those_of_a_file_system(tmp_path: Path) -> None:
    folder = Configfs(str(tmp_path))
    folder.mkdir("one")
    (tmp_path / "one" / "outblob").write_bytes(bytes(100_000))
    (tmp_path / "one" / "inblob").write_bytes(b"")
    folder.write("one/inblob", DATA)
    assert folder.read("one/inblob") == DATA
    assert folder.read("one/outblob") == bytes(100_000)
    assert sorted(folder.listdir("one")) == ["inblob", "outblob"]
    for name in ("inblob", "outblob"):
        (tmp_path / "one" / name).unlink()
    folder.rmdir("one")
    assert not list(tmp_path.iterdir())
    with pytest.raises(FileNotFoundError):
        folder.write("one/inblob", DATA)
