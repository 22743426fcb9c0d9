# SPDX-License-Identifier: Apache-2.0
"""`exequatur policy from` and `policy what-if`, on evidence made here and on that of a real machine."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from enclave.evidence.policy import rules_from
from tests.cli.conftest import Keyboard
from tests.fakes.evidence import NOON, Case, policy_text

AT = "2026-06-01T12:00:00Z"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A bundle, the evidence in it, and a policy that accepts both."""
    case = Case.software()
    bundle = case.bundle()
    (tmp_path / "node.bundle").write_bytes(bundle.encode())
    (tmp_path / "device").write_bytes(bundle.devices[0].body)
    (tmp_path / "policy.toml").write_text(policy_text())
    return tmp_path


def test_what_a_machine_shows_becomes_rules_that_accept_it(keyboard: Keyboard, folder: Path) -> None:
    said = keyboard("policy", "from", folder / "device", "--at", AT)
    assert said.code == 0, said
    assert "read each" in said.err
    assert "# Exactly these technologies" in said.out
    rules_from(said.out)
    (folder / "rules.toml").write_text(said.out)
    words = ["evidence", "verify", folder / "device", "--policy", folder / "rules.toml", "--at", AT]
    assert keyboard(*words).code == 0
    as_json = keyboard.json("policy", "from", folder / "node.bundle", "--at", AT)
    assert as_json == {"kinds": ["software"], "at": AT, "rules": said.out}


def test_rules_are_written_to_a_new_file_only(keyboard: Keyboard, folder: Path) -> None:
    words = ["policy", "from", folder / "device", "--at", AT, "--out", folder / "new.toml"]
    assert keyboard(*words).code == 0
    rules_from((folder / "new.toml").read_text())
    assert keyboard(*words).code == 2


def test_no_rules_are_drafted_from_what_is_not_authentic(keyboard: Keyboard, folder: Path) -> None:
    body = (folder / "device").read_bytes()
    (folder / "forged").write_bytes(body[:-1] + bytes([body[-1] ^ 1]))
    assert keyboard("policy", "from", folder / "forged", "--at", AT).code == 4
    (folder / "noise").write_bytes(b"noise")
    assert keyboard("policy", "from", folder / "noise", "--at", AT).code == 3


def test_what_still_passes_at_a_moment(keyboard: Keyboard, folder: Path) -> None:
    files = [folder / "node.bundle", folder / "device"]
    said = keyboard("policy", "what-if", folder / "policy.toml", *files, "--at", AT)
    assert said.code == 0, said
    assert said.out.splitlines() == [f"passes   {path}" for path in files]


def test_what_stops_passing_says_by_which_rule(keyboard: Keyboard, folder: Path) -> None:
    floor = '[[floors]]\nkind = "software"\nclaim = "svn"\nat_least = 1\nfrom = "2026-06-01T00:00:00Z"\ngrace = 86400\n'
    (folder / "next.toml").write_text(policy_text().replace("floors = []\n", "") + floor)
    words = ["policy", "what-if", folder / "next.toml", folder / "node.bundle"]
    now = keyboard.json(*words, "--at", AT)
    until = (NOON.replace(hour=0) + timedelta(days=1)).isoformat().replace("+00:00", "Z")
    assert now["evidence"] == [
        {"file": str(folder / "node.bundle"), "passes": True, "until": until, "reasons": []}
    ]
    then = keyboard(*words, "--at", until, "--json")
    assert then.code == 5
    (told,) = json.loads(then.out)["evidence"]
    assert (told["passes"], told["until"]) == (False, None)
    (reason,) = told["reasons"]
    assert (reason["rule"], reason["found"]) == ("minimum", "svn missing")
    assert "svn" in reason["hint"]
    text = keyboard(*words, "--at", until).out
    assert text.startswith(f"refused  {folder / 'node.bundle'}")
    assert "to pass:" in text


def test_a_moment_without_a_zone_is_a_usage_error(keyboard: Keyboard, folder: Path) -> None:
    words = ["policy", "what-if", folder / "policy.toml", folder / "device", "--at", "2026-06-01"]
    assert keyboard(*words).code == 2


def test_what_is_no_policy_is_malformed(keyboard: Keyboard, folder: Path) -> None:
    (folder / "garbage").write_bytes(b"=")
    for wrong in ("device", "garbage"):
        assert keyboard("policy", "what-if", folder / wrong, folder / "device", "--at", AT).code == 3
        assert keyboard("evidence", "verify", folder / "device", "--policy", folder / wrong).code == 3


def test_rules_of_a_real_machine_say_until_when_it_passes(
    keyboard: Keyboard, shared_evidence: Path, tmp_path: Path
) -> None:
    sample = shared_evidence / "sev-snp" / "genoa-v3-vcek"
    beside = ["--with", sample / "endorsement_key.der", "--with", sample / "ask_ark_asvk.pem"]
    at = json.loads((sample / "expected.json").read_text())["verification_time"]
    rules = tmp_path / "rules.toml"
    drafted = keyboard("policy", "from", sample / "report.bin", *beside, "--at", at, "--out", rules)
    assert drafted.code == 0, drafted
    words = ["policy", "what-if", rules, sample / "report.bin", *beside]
    (told,) = keyboard.json(*words, "--at", at)["evidence"]
    assert told["passes"]
    assert told["until"] is not None
    assert keyboard(*words, "--at", told["until"]).code == 5
    changed = rules.read_text().replace(
        'name = "measurement"\nallow = ["0x', 'name = "measurement"\nallow = ["0x00'
    )
    rules.write_text(changed)
    said = keyboard(
        "evidence", "verify", sample / "report.bin", *beside, "--policy", rules, "--at", at, "--json"
    )
    assert (said.code, [reason["rule"] for reason in said.json["reasons"]]) == (5, ["pcr"])


def test_no_rules_are_drafted_from_what_none_could_accept(
    keyboard: Keyboard, shared_evidence: Path, tmp_path: Path
) -> None:
    sample = shared_evidence / "tdx" / "v4-debug-td"
    words = ["--with", sample / "collateral.json", "--out", tmp_path / "rules.toml"]
    at = json.loads((sample / "expected.json").read_text())["verification_time"]
    said = keyboard("policy", "from", sample / "quote.bin", *words, "--at", at, "--json")
    assert (said.code, said.json["error"]["reasons"]) == (5, ["DEBUG"])  # type: ignore[index]
    assert not (tmp_path / "rules.toml").exists()


@pytest.mark.parametrize("words", [["--kind", "abacus"], ["--level", "splendid"]])
def test_a_draft_names_a_technology_and_a_level(connected: Keyboard, words: list[str]) -> None:
    address = connected.json("keys", "show", "owner")["address"]
    said = connected("policy", "draft", "p", "--verifier", address, *words)
    assert said.code == 2
    assert f"{words[0]} is one of" in said.err
    assert not Path("policy.toml").exists()


@pytest.mark.parametrize("kind", ["software", "tpm", "sev-snp"])
def test_a_draft_is_a_policy_with_the_bounds_of_its_technology(connected: Keyboard, kind: str) -> None:
    address = connected.json("keys", "show", "owner")["address"]
    connected.json("policy", "draft", "p", "--verifier", address, "--kind", kind)
    rules = rules_from(Path("policy.toml").read_bytes())
    assert [rule.kind.label for rule in rules.devices] == [kind]
