# SPDX-License-Identifier: Apache-2.0
"""Every command keeps the house rules: --json everywhere, a dry run of every transaction, errors in one form."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from typer.core import TyperGroup
from typer.main import get_command

from cli.main import app

SENDING = {
    "policy publish",
    "policy withdraw",
    "policy withdraw-node",
    "policy burn",
    "model register",
    "model withdraw",
    "model retire",
    "model set-broker",
    "model clear-broker",
    "model next-policy",
    "model raise-lowest",
    "model offer",
    "model accept",
    "licence grant",
    "licence accept",
    "licence authorise",
    "licence revoke-node",
    "licence appoint",
    "licence dismiss",
    "licence offer",
    "licence deploy",
    "licence pay",
    "licence buy",
    "licence activate",
    "licence suspend",
    "licence resume",
    "licence notify",
    "licence revoke",
    "licence expire",
    "licence draw",
    "licence rebind",
    "chain deploy",
}
NOBODY = "0x" + "00" * 19 + "01"
UNKNOWN = "0x" + "ab" * 32


def commands() -> Iterator[tuple[str, object]]:
    """Every command by the words that call it."""

    def below(group: TyperGroup, words: tuple[str, ...]) -> Iterator[tuple[str, object]]:
        for name, command in group.commands.items():
            if isinstance(command, TyperGroup):
                yield from below(command, (*words, name))
            else:
                yield " ".join((*words, name)), command

    root = get_command(app)
    assert isinstance(root, TyperGroup)
    yield from below(root, ())


def options(command: object) -> set[str]:
    return {option for parameter in command.params for option in parameter.opts}  # type: ignore[attr-defined]


def test_every_command_speaks_json() -> None:
    assert not [words for words, command in commands() if "--json" not in options(command)]


def test_every_transaction_has_a_dry_run() -> None:
    dry = {words for words, command in commands() if "--dry-run" in options(command)}
    assert dry == SENDING | {"evidence collect"}  # which lists instead of asking a device


def test_every_command_says_what_it_is_for() -> None:
    assert not [words for words, command in commands() if not command.help]  # type: ignore[attr-defined]


def test_no_option_takes_a_secret() -> None:
    named = {option for _, command in commands() for option in options(command)}
    assert not {name for name in named if any(word in name for word in ("pass", "secret", "private", "key"))}


@pytest.mark.parametrize(
    ("words", "code", "kind"),
    [
        (["policy", "show", "0x12"], 3, "MalformedId"),
        (["policy", "show", UNKNOWN], 2, "NotConfigured"),
        (["licence", "show", NOBODY], 6, "UnknownLicence"),
        (["licence", "accept", NOBODY], 6, "UnknownLicence"),
        (["licence", "accept", NOBODY, "--dry-run"], 6, "UnknownLicence"),
        (["licence", "pay", NOBODY], 6, "UnknownLicence"),
        (["licence", "buy", NOBODY, "2", "--dry-run"], 6, "UnknownLicence"),
        (["licence", "revoke", NOBODY], 6, "UnknownLicence"),
        (["licence", "rebind", NOBODY, "--releases", NOBODY, "--model", UNKNOWN], 6, "UnknownLicence"),
        (["licence", "rebind", NOBODY, "--releases", "0x1", "--model", UNKNOWN], 3, "MalformedId"),
        (["licence", "activate", "0x12"], 3, "MalformedId"),
        (["licence", "deploy", "absent.txt"], 2, "FileNotFoundError"),
        (["licence", "build", "absent.txt", "-o", "out"], 2, "FileNotFoundError"),
        (["licence", "say", "garbage"], 3, "LicenceRefused"),
        (["licence", "odrl", "empty"], 3, "LicenceRefused"),
        (["licence", "import", "garbage"], 3, "LicenceRefused"),
        (["licence", "import", "empty"], 3, "LicenceRefused"),
        (["licence", "deploy", "garbage", "--dry-run"], 3, "LicenceRefused"),
        (["licence", "verify", NOBODY, "garbage"], 3, "LicenceRefused"),
        (["licence", "new", "sale"], 2, "NotConfigured"),
        (["model", "show", "nobody"], 6, "UnknownModel"),
        (["model", "withdraw", "nobody", "--version", "1"], 6, "UnknownModel"),
        (["model", "seal", "absent.onnx"], 2, "SealRefused"),
        (["model", "show", UNKNOWN, "--chain", "http://127.0.0.1:1"], 7, "ChainUnavailable"),
        (["model", "show", UNKNOWN, "--chain", "ftp://x"], 2, "NotConfigured"),
        (["infer", "http://127.0.0.1:1", "absent.npy"], 2, "FileNotFoundError"),
        (["infer", "http://127.0.0.1:1", "input.txt"], 3, "MalformedInput"),
        (["verify", "absent.cbor", "absent.npy"], 2, "FileNotFoundError"),
        (["audit", "replay", "--events", "absent.jsonl"], 2, "FileNotFoundError"),
        (["verify", "empty", "input.npy"], 3, "MalformedStatement"),
        (["audit", "replay", "--events", "garbage"], 3, "MalformedEvents"),
        (["policy", "publish", "garbage"], 3, "MalformedPolicy"),
        (["policy", "publish", "empty"], 3, "MalformedPolicy"),
        (["model", "register", "m", "empty", "--policy", UNKNOWN], 3, "MalformedSeal"),
        (["model", "register", "m", "garbage", "--policy", UNKNOWN], 3, "MalformedSeal"),
        (["model", "seal", "garbage.onnx"], 3, "MalformedModel"),
        (["keys", "import", "other", "garbage"], 3, "MalformedAccount"),
        (["keys", "show", "nobody"], 2, "NotConfigured"),
        (["keys", "new", "../x"], 2, "NotConfigured"),
        (["keys", "new", "owner"], 2, "NotConfigured"),
        (["broker", "run"], 2, "NotConfigured"),
        (["verifier", "run", "--policy", UNKNOWN], 2, "NotConfigured"),
        (["verifier", "run", "--policy", UNKNOWN, "--account", "nobody"], 2, "NotConfigured"),
    ],
)
def test_failures_have_a_code_and_a_form(connected, words: list[str], code: int, kind: str) -> None:
    for name, content in {
        "input.txt": "1",
        "empty": "",
        "garbage": "{" * 5_000,
        "garbage.onnx": "?" * 99,
    }.items():
        Path(name).write_text(content)
    np.save("input.npy", np.ones(1, np.float32))
    before = sorted(Path().rglob("*"))
    said = connected(*words)
    assert (said.code, said.out) == (code, ""), said
    assert said.err.splitlines()[0].startswith("error: ")
    assert "Traceback" not in said.err
    said = connected(*words, "--json")
    error = said.json["error"]
    assert isinstance(error, dict)
    assert (said.code, error["code"], error["type"]) == (code, code, kind)
    assert set(error) == {"code", "type", "what", "where", "hint", "reasons"}
    assert sorted(Path().rglob("*")) == before


@pytest.mark.parametrize(
    ("words", "said_so"),
    [
        (["keys", "new"], "Missing argument"),
        (["keys", "list", "--frobnicate"], "No such option"),
        (["frobnicate"], "No such command"),
        (["policy", "burn", "d"], "--platform or --workload"),
        (["licence", "new", "trial"], "no kind 'trial'"),
        (["licence", "new", "sale", "--set", "colour=blue"], "names no blank"),
        (["licence", "buy", NOBODY, "0"], "packs"),
        (["licence", "picture", "pump.txt"], "--out"),
        (["policy", "what-if", "policy.toml"], "Missing argument"),
        (["node", "run", UNKNOWN, NOBODY, "--version", "0"], "version"),
    ],
)
def test_wrong_words_are_usage_errors(keyboard, words: list[str], said_so: str) -> None:
    said = keyboard(*words)
    assert (said.code, said.out) == (2, "")
    assert said_so in said.err
    as_json = keyboard(*words, "--json")
    assert as_json.code == 2
    assert as_json.json["error"]["type"] == "Usage"  # type: ignore[index]


def test_without_a_chain_the_error_says_how_to_get_one(keyboard) -> None:
    said = keyboard("policy", "show", UNKNOWN)
    assert said.code == 2
    assert "exequatur chain up" in said.err


def test_a_wrong_passphrase_is_a_usage_error(connected) -> None:
    (connected.home / "passphrase").write_text("hunter2\n")
    for words in (
        ["licence", "accept", NOBODY],
        ["keys", "import", "again", connected.home / "accounts/owner.json"],
    ):
        said = connected(*words, "--json")
        assert (said.code, said.json["error"]["type"]) == (2, "WrongPassphrase")  # type: ignore[index]
        assert "hunter2" not in said.out + said.err


def test_a_dry_run_needs_no_passphrase_and_changes_nothing(connected) -> None:
    (connected.home / "passphrase").unlink()
    address = connected.json("keys", "show", "owner")["address"]
    connected.json("policy", "draft", "p", "--verifier", address)
    for _ in range(2):
        said = connected.json("policy", "publish", "policy.toml", "--dry-run")
        assert (said["dry_run"], said["would_send"]) == (True, "PolicyRegistry.publish")
        assert said["gas"] > 50_000
    assert not (connected.home / "store").exists()


def test_doing_it_twice_says_so_and_succeeds(connected, small_model: Path) -> None:
    address = connected.json("keys", "show", "owner")["address"]
    connected.json("policy", "draft", "p", "--verifier", address)
    policy = connected.json("policy", "publish", "policy.toml")["policy"]
    connected.json("model", "seal", small_model, "--out", "sealed")
    broker = connected.account("broker").address
    register = ["model", "register", "m", "sealed", "--policy", policy]
    connected.json(*register)
    licence = connected.json("licence", "grant", "m", "--licensee", address)["licence"]
    for words in (
        ["policy", "publish", "policy.toml"],
        register,
        ["model", "set-broker", "m", broker],
        ["licence", "accept", licence],
        ["licence", "authorise", licence, UNKNOWN],
        ["licence", "suspend", licence],
        ["licence", "resume", licence],
        ["licence", "revoke", licence],
        ["policy", "burn", "p", "--platform", UNKNOWN],
        ["policy", "withdraw", policy, "--verifier", address],
        ["policy", "withdraw", policy],
        ["model", "withdraw", "m", "--version", 1],
        ["model", "retire", "m"],
    ):
        connected.json(*words)
        assert connected.json(*words)["already"] is True, words
    shown = connected.json("model", "show", "m")
    assert (shown["broker"], shown["retired"]) == (str(broker), True)


def test_keys_are_bound_to_the_registered_version(connected, small_model: Path) -> None:
    address = connected.json("keys", "show", "owner")["address"]
    connected.json("policy", "draft", "p", "--verifier", address)
    policy = connected.json("policy", "publish", "policy.toml")["policy"]
    sealed = connected.json("model", "seal", small_model, "--out", "sealed")
    model = connected.json("model", "register", "m", "sealed", "--policy", policy)["model"]
    (entry,) = connected.json("keys", "list")["models"]
    assert entry == {"seal_id": sealed["seal_id"], "model": model, "version": 1, "policies": [policy]}
    said = connected("model", "register", "other", "sealed", "--policy", policy, "--json")
    assert (said.code, said.json["error"]["type"]) == (2, "EntryRefused")  # type: ignore[index]
    assert connected("model", "show", "other").code == 6
    (connected.home / "keys" / f"{sealed['seal_id']}.json").unlink()
    said = connected("model", "register", "third", "sealed", "--policy", policy, "--json")
    assert (said.code, said.json["error"]["type"]) == (2, "NoEntry")  # type: ignore[index]


def test_settings_that_do_not_parse_name_their_file(keyboard) -> None:
    (keyboard.home / "config.toml").write_text("chain = ")
    for words in (["policy", "show", UNKNOWN], ["chain", "up"], ["keys", "list"]):
        said = keyboard(*words)
        assert said.code == 2
        assert "config.toml" in said.err


def test_logs_are_asked_for_before_the_command(connected) -> None:
    said = connected.spawn("--log-json", "-v", "model", "show", UNKNOWN)
    assert said.returncode == 6
    assert "Traceback" in said.stderr
    assert said.stderr.splitlines()[-2].startswith("error: ModelRegistry: UnknownModel")
