# SPDX-License-Identifier: Apache-2.0
"""`exequatur evidence collect`: a file that can be verified, or what the machine lacks, in words and in JSON."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from cli.collecting import collect
from enclave.errors import DeviceError, DeviceUnavailable
from enclave.evidence.detect import detect
from enclave.evidence.technologies import TECHNOLOGIES
from enclave.evidence.trust import Trust
from enclave.node.collection import collected
from enclave.node.offer import Offer
from tests.fakes.evidence import NOON
from tests.fakes.snp import Processor

app = typer.Typer()
app.command()(collect)


def run(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


@pytest.fixture(autouse=True)
def nothing_but_software(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever this machine has, these tests see one that has nothing."""
    from enclave.node.offer import offers

    monkeypatch.setattr("enclave.node.offer.offers", lambda **named: offers(tmp_path / "no machine", **named))
    monkeypatch.chdir(tmp_path)


def test_what_is_collected_can_be_verified(tmp_path: Path) -> None:
    data = bytes(range(64)).hex()
    ended = run("--report-data", data, "--json")
    assert ended.exit_code == 0, ended.output
    told = json.loads(ended.stdout)
    assert (told["kind"], told["report_data"], told["file"]) == ("software", data, "evidence.bin")
    found = detect(Path("evidence.bin").read_bytes())
    trust = Trust(enrollers=frozenset(), extra_roots=frozenset())
    facts = TECHNOLOGIES[found.kind].verify(found.body, 0, node=None, trust=trust, at=NOON)
    assert facts.bound
    assert data.startswith(facts.bound.hex())


def test_report_data_is_random_unless_given_and_a_nonce_is_padded() -> None:
    told = [json.loads(run("--json", "--out", "x").stdout)["report_data"] for _ in range(2)]
    assert told[0] != told[1]
    told = [json.loads(run("--json", "--nonce", "0xabcd").stdout)["report_data"]]
    assert told == ["abcd" + "0" * 124]


def test_a_dry_run_lists_and_writes_nothing() -> None:
    ended = run("--dry-run")
    assert ended.exit_code == 0
    lines = {line.split()[0]: line for line in ended.stdout.splitlines()}
    assert lines["software"].endswith("available")
    assert "modprobe tdx-guest" in lines["tdx"]
    listed = json.loads(run("--dry-run", "--json").stdout)["offers"]
    assert [offer["kind"] for offer in listed if offer["available"]] == ["software"]
    assert not Path("evidence.bin").exists()


def test_a_device_that_is_missing_is_said_with_what_to_do() -> None:
    ended = run("--kind", "tdx")
    assert (ended.exit_code, Path("evidence.bin").exists()) == (int(DeviceUnavailable.code), False)
    assert "no /dev/tdx_guest" in ended.stderr
    assert "modprobe" in ended.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("--kind", "abacus"),
        ("--report-data", "00"),
        ("--report-data", "zz"),
        ("--nonce", "00" * 33),
        ("--nonce", "00", "--report-data", "00" * 64),
    ],
)
def test_wrong_options_are_usage(words: tuple[str, ...]) -> None:
    assert run(*words).exit_code == 2
    assert not Path("evidence.bin").exists()


def test_a_gpu_is_named_by_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    from enclave.evidence.kinds import Kind

    asked: list[object] = []
    offer = Offer(kind=Kind.NVIDIA_GPU, device=("nvidia-gpu", "0"))
    monkeypatch.setattr("enclave.node.offer.offers", lambda **named: [offer])
    monkeypatch.setattr("enclave.node.collection.collected", lambda *call: asked.append(call) or b"body")
    assert run("--gpu", "3", "--nonce", "ff").exit_code == 0
    assert asked == [(("nvidia-gpu", "3"), b"\xff" + bytes(63))]
    assert Path("evidence.bin").read_bytes() == b"body"


def test_a_body_with_its_endorsements_is_known_by_its_evidence() -> None:
    body = Processor().body()
    assert (found := detect(body)).body == body
    assert found.kind.label == "sev-snp"


def test_a_collector_that_breaks_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DeviceUnavailable, match="No such file"):
        collected(("virtcca",), bytes(64))
    for command, what in [
        (("/bin/echo",), "without an answer"),
        (("/bin/sh", "-c", "printf '\\202\\142ok\\001'"), "does not parse"),
    ]:
        monkeypatch.setattr("enclave.node.collection._COMMAND", command)
        with pytest.raises(DeviceError, match=what):
            collected(("software",), bytes(64))
    monkeypatch.setattr("enclave.node.collection._COMMAND", ("/bin/sh", "-c", "sleep 9"))
    monkeypatch.setattr("enclave.node.collection._PATIENCE", 0.2)
    with pytest.raises(DeviceError, match="no answer within"):
        collected(("software",), bytes(64))
