# SPDX-License-Identifier: Apache-2.0
"""`exequatur evidence` on recorded evidence of real machines, and on evidence made here."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from enclave.evidence.token import from_cwt, from_jwt
from tests.cli.conftest import Keyboard
from tests.conftest import ROOT
from tests.fakes.evidence import Case
from tests.fakes.recorded import Recorded, recorded

SAMPLES = list(recorded(ROOT.parent / "shared" / "evidence"))
REFUSED = {
    "aws-nitro/enclave-bad-signature": (4, "signature"),
    "aws-nitro/enclave-debug-2025-12": (5, "debug"),
    "nvidia/hopper-invalid-signature": (4, "signature"),
    "sgx/v3-debug-enclave": (5, "debug"),
    "tdx/v4-debug-td": (5, "debug"),
    "tpm/gcp-cos85-three-banks": (4, "certificate"),  # its key's issuer is not among the samples
    "tdx/v5-90c06f-tcb-below-all-levels": (5, "tcb"),
    "tdx/v5-service-td": (5, "debug"),
}


REMARKS = {"note", "ak_public"}  # words about a sample among its claims
FLAT = {"tpm/keylime-rsa", "tpm/gcp-cos85-three-banks"}  # whose expectations name fields of the quote only


def differences(expected: object, found: object, path: str) -> Iterator[str]:
    """Where what was found lacks something expected, or has another value."""
    if isinstance(expected, dict):
        for name, value in expected.items():
            if name in REMARKS:
                continue
            if not isinstance(found, dict) or name not in found:
                yield f"{path}.{name} is missing"
            else:
                yield from differences(value, found[name], f"{path}.{name}")
    elif expected != found:
        yield f"{path}: expected {expected!r}, found {found!r}"


@pytest.mark.usefixtures("shared_evidence")
def test_there_are_as_many_samples_as_the_folder_lists(shared_evidence: Path) -> None:
    assert (
        len(SAMPLES) == len(list(shared_evidence.glob("*/*/expected.json"))) - 1
    )  # one holds manifests only


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_recorded_evidence_gets_its_verdict(sample: Recorded, keyboard: Keyboard) -> None:
    said = keyboard("evidence", "verify", *sample.words(), "--json")
    code, rule = REFUSED.get(sample.name, (0, ""))
    assert said.code == code, said
    verdict = said.json
    assert verdict["authentic"] is (code != 4)
    assert verdict["accepted"] is (code == 0)
    assert rule in [reason["rule"] for reason in verdict["reasons"]] or not rule
    assert (verdict["level"] == "none") is (verdict["status"] != "vendor")
    assert (verdict["status"] == "test-root") is bool(sample.trusted)
    if code != 4 and sample.name not in FLAT:
        assert not list(differences(sample.expected.get("claims", {}), verdict["claims"], "claims"))


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_recorded_evidence_can_be_read(sample: Recorded, keyboard: Keyboard) -> None:
    said = keyboard("evidence", "show", sample.evidence)
    assert said.code == 0, said
    assert said.out.startswith("kind"), said.out[:80]
    shown = keyboard.json("evidence", "show", sample.evidence)
    told = differences(sample.expected.get("claims", {}), shown, "claims")
    assert not [line for line in told if not line.endswith("is missing")]  # endorsements say the rest
    for piece in sample.pieces:
        assert keyboard("evidence", "show", piece).code == 0, piece.name


@pytest.mark.parametrize("sample", [s for s in SAMPLES if s.trusted], ids=lambda sample: sample.name)
def test_keys_that_nobody_pinned_are_not_believed_unasked(sample: Recorded, keyboard: Keyboard) -> None:
    words = [word for word in sample.words() if word not in {*map(str, sample.trusted), "--trust"}]
    said = keyboard("evidence", "verify", *words, "--json")
    assert said.code == 4, said
    asked = keyboard("evidence", "verify", *sample.words(), "--json").json
    assert asked["trace"][0].startswith("TRUST ADDED BY THE CALLER")


def test_a_kind_that_is_another_is_malformed(keyboard: Keyboard, tmp_path: Path) -> None:
    (tmp_path / "e").write_bytes(Case.software().bundle().devices[0].body)
    said = keyboard("evidence", "verify", tmp_path / "e", "--kind", "tdx", "--json")
    assert said.code == 3
    assert "not tdx" in json.loads(said.out)["error"]["what"]


def test_software_is_authentic_and_vouched_for_by_nobody(keyboard: Keyboard, tmp_path: Path) -> None:
    body = Case.software().bundle().devices[0].body
    (tmp_path / "e").write_bytes(body)
    verdict = keyboard("evidence", "verify", tmp_path / "e", "--report-data", "00ff", "--json")
    assert verdict.code == 5
    assert [reason["rule"] for reason in verdict.json["reasons"]] == ["binding", "root"]
    shown = keyboard("evidence", "verify", tmp_path / "e")
    assert "refused by root" in shown.out
    assert "to pass" in shown.out
    assert keyboard("evidence", "show", tmp_path / "e").out.splitlines()[0] == "kind         software"


def test_a_bundle_is_judged_as_a_whole(keyboard: Keyboard, tmp_path: Path) -> None:
    bundle = Case.software().bundle()
    (tmp_path / "b").write_bytes(bundle.encode())
    verdict = keyboard("evidence", "verify", tmp_path / "b", "--json").json
    assert verdict["kind"] == "bundle"
    assert [reason["rule"] for reason in verdict["reasons"]] == ["root"]
    assert list(verdict["claims"]) == ["software.0"]
    assert "software.0" in keyboard.json("evidence", "show", tmp_path / "b")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"nothing",
        b'{"tcb_info": "{", "qe_identity": ""}',
        b"\x30\x03\x02\x01\x00",
        b"-----BEGIN X-----",
    ],
)
def test_what_is_no_evidence_is_malformed(content: bytes, keyboard: Keyboard, tmp_path: Path) -> None:
    (tmp_path / "e").write_bytes(content)
    for command in ("show", "verify"):
        assert keyboard("evidence", command, tmp_path / "e").code == 3


@pytest.mark.parametrize(
    "option",
    [("--at", "yesterday"), ("--at", "2026-01-01T00:00:00"), ("--nonce", "xyz"), ("--policy", "none")],
)
def test_wrong_options_are_usage(option: tuple[str, str], keyboard: Keyboard, tmp_path: Path) -> None:
    (tmp_path / "e").write_bytes(Case.software().bundle().devices[0].body)
    assert keyboard("evidence", "verify", tmp_path / "e", *option).code == 2


@pytest.mark.parametrize("suffix", ["jwt", "cwt"])
def test_a_result_is_also_written_as_ear(suffix: str, keyboard: Keyboard, tmp_path: Path) -> None:
    (tmp_path / "e").write_bytes(Case.software().bundle().devices[0].body)
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "key.pem").write_bytes(pem)
    target = tmp_path / f"result.{suffix}"
    said = keyboard(
        "evidence", "verify", tmp_path / "e", "--ear", target, "--ear-signer", tmp_path / "key.pem"
    )
    assert said.code == 5
    raw = target.read_bytes()
    read = from_jwt(raw.decode(), key.public_key()) if suffix == "jwt" else from_cwt(raw, key.public_key())
    assert read["submods"]["software.0"]["ear.status"] == "contraindicated"


def test_an_ear_takes_its_key_and_a_name_that_says_its_form(keyboard: Keyboard, tmp_path: Path) -> None:
    (tmp_path / "e").write_bytes(Case.software().bundle().devices[0].body)
    (tmp_path / "no.pem").write_text("no key")
    for words in (
        ("--ear", tmp_path / "r.jwt"),
        ("--ear", tmp_path / "r.jwt", "--ear-signer", tmp_path / "no.pem"),
        ("--ear", tmp_path / "r.txt", "--ear-signer", tmp_path / "no.pem"),
    ):
        assert keyboard("evidence", "verify", tmp_path / "e", *words).code == 2
    assert not (tmp_path / "r.jwt").exists()
