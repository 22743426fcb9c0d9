# SPDX-License-Identifier: Apache-2.0
"""Licences in words at the keyboard, on a chain: deployed once, paid to the wei, moved, compared with their text."""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest

from contracts.ids import Address
from registry.chain.dev import fund
from registry.chain.embedded import EmbeddedChain
from registry.compiled import CompiledLicences
from registry.licensing.building import build, compiled
from registry.licensing.reading import read
from tests.cli.conftest import Keyboard
from tests.conftest import ROOT

pytestmark = pytest.mark.forge

TEXT = """
Licence "Pump Guard" version 1.
The model is "small" with digest {model}.
The licensor is "Hydro Analytics GmbH" at {owner}.
The licensee is "Nordwerk AG" at {licensee}.
The licence starts on {start} and lasts 24 months.
The licensee may use the model on at most 2 nodes.
Every node must pass attestation every 24 hours.
If a node fails attestation, the node is suspended until it passes attestation again.
The licensee must pay 0.5 ETH every 52 weeks in advance.
The licensee buys inferences in packs of 100 for 0.1 ETH.
The licensor may revoke the licence with 30 days notice.
"""
ETHER = 10**18
PUMP = ROOT / "tests" / "vectors" / "licences" / "pump.txt"


@pytest.fixture(autouse=True)
def _compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("registry.licensing.building.compiled", cache(compiled))


@pytest.fixture
def text(connected: Keyboard, served_chain: tuple[EmbeddedChain, str], small_model: Path) -> Iterator[Path]:
    """A licence for a registered model, as a file; its term began on the day of the chain's head."""
    chain, _ = served_chain
    owner = connected.json("keys", "show", "owner")["address"]
    licensee = connected.account("licensee").address
    fund(chain, licensee)
    connected.json("policy", "draft", "p", "--verifier", owner)
    policy = connected.json("policy", "publish", "policy.toml")["policy"]
    connected.json("model", "seal", small_model)
    model = connected.json("model", "register", "small", f"{small_model}.sealed", "--policy", policy)["model"]
    day = datetime.fromtimestamp(chain.head().timestamp, UTC)
    start = f"{day.day} {day:%B} {day.year}"
    file = Path("small.txt")
    file.write_text(TEXT.format(model=model, owner=owner, licensee=licensee, start=start), "utf-8")
    return file


def test_a_licence_is_deployed_once_and_says_so(connected: Keyboard, text: Path) -> None:
    said = connected("licence", "deploy", text, "--json")
    assert said.code == 0, said
    assert "warning: the term started at" in said.err
    first, again = said.json, connected.json("licence", "deploy", text)
    assert (first["already"], again["already"]) == (False, True)
    assert first["licence"] == again["licence"]
    kept = connected.home / "store" / str(first["text"]).removeprefix("0x")
    assert any(path.read_bytes().startswith(b"Licence ") for path in connected.home.rglob(kept.name))


def test_a_deployment_that_was_cut_off_goes_on(
    connected: Keyboard, served_chain: tuple[EmbeddedChain, str], text: Path
) -> None:
    chain, _ = served_chain
    licence = read(text.read_text("utf-8")).licence
    assert licence is not None
    stranger = connected.account("stranger")
    fund(chain, stranger.address)
    address, _ = CompiledLicences(chain).deploy(stranger, build(licence).creation)
    deployed = connected.json("licence", "deploy", text)
    assert (deployed["licence"], deployed["already"]) == (str(address), False)


def test_a_licence_lives_by_its_commands(connected: Keyboard, text: Path) -> None:
    licence = connected.json("licence", "deploy", text)["licence"]

    def move(name: str, *words: object, by: str = "licensee") -> dict[str, object]:
        return connected.json("licence", name, licence, *words, account=by)

    assert move("accept")["next"] == (
        "exequatur licence pay, which sends 500000000000000000 wei; then exequatur licence activate"
    )
    rehearsed = move("pay", "--dry-run")
    assert (rehearsed["moves"], rehearsed["value_wei"]) == (["pay"], ETHER // 2)
    assert move("pay")["already"] is False
    assert move("pay")["already"] is True
    assert move("accept")["next"] == "exequatur licence activate"
    assert move("activate")["state"] == "active"
    assert move("activate")["already"] is True
    assert move("pay")["already"] is False  # one period ahead
    assert move("pay")["already"] is True
    rehearsed = move("buy", 3, "--dry-run")
    assert (rehearsed["moves"], rehearsed["value_wei"]) == (["buy"], 3 * ETHER // 10)
    move("buy", 3)
    assert move("suspend", by="owner")["state"] == "suspended"
    assert move("suspend", by="owner")["already"] is True
    assert move("resume", by="owner")["state"] == "active"
    refused = connected("licence", "revoke", licence, "--json", account="owner")
    assert (refused.code, refused.json["error"]["type"]) == (6, "NoticeNotOver")  # type: ignore[index]
    assert "revocable_from" in move("notify", by="owner")
    assert move("notify", by="owner")["already"] is True
    assert move("draw", by="owner")["already"] is False
    assert move("draw", by="owner")["already"] is True
    refused = connected("licence", "expire", licence, "--json", account="owner")
    assert (refused.code, refused.json["error"]["type"]) == (6, "NotOver")  # type: ignore[index]
    refused = connected("licence", "suspend", licence, "--json", account="licensee")
    assert (refused.code, refused.json["error"]["type"]) == (6, "NotLicensor")  # type: ignore[index]
    shown = connected.json("licence", "show", licence)
    assert (shown["state"], shown["answers_left"]) == ("active", 300)


def test_a_licence_under_notice_takes_no_first_payment(connected: Keyboard, text: Path) -> None:
    licence = connected.json("licence", "deploy", text)["licence"]
    connected.json("licence", "notify", licence)
    accepted = connected.json("licence", "accept", licence, account="licensee")
    assert str(accepted["next"]).startswith("nothing: the licensor gave notice")
    refused = connected("licence", "pay", licence, "--json", account="licensee")
    error = refused.json["error"]
    assert (refused.code, error["type"]) == (6, "NoticeGiven")  # type: ignore[index]
    assert "new licence" in error["hint"]  # type: ignore[index]


def test_a_licence_moves_to_other_contracts_once_both_parties_asked(
    connected: Keyboard, served_chain: tuple[EmbeddedChain, str], text: Path
) -> None:
    chain, _ = served_chain
    deployed = connected.json("licence", "deploy", text)
    licence, releases = deployed["licence"], chain.book.releases
    connected.json("licence", "accept", licence, account="licensee")
    for name in ("owner", "licensee"):  # to where it is
        words = ["licence", "rebind", licence, "--releases", releases, "--model", deployed["model"]]
        said = connected(*words, account=name)
        assert (said.code, "once the other party asks" in said.err) == (0, False)
    elsewhere = ["--releases", chain.book.models, "--model", deployed["model"]]
    said = connected("licence", "rebind", licence, *elsewhere, account="owner")
    assert (said.code, "once the other party asks" in said.err) == (0, True)


def test_a_revoked_licence_may_be_deployed_anew(connected: Keyboard, text: Path) -> None:
    text.write_text(text.read_text("utf-8").replace("with 30 days notice", "at any time"), "utf-8")
    licence = connected.json("licence", "deploy", text)["licence"]
    assert connected.json("licence", "revoke", licence)["state"] == "revoked"
    assert connected.json("licence", "revoke", licence)["already"] is True
    again = connected.json("licence", "deploy", text)
    assert again["already"] is False
    assert again["licence"] != licence


def test_verify_tells_another_text_from_this(connected: Keyboard, text: Path) -> None:
    licence = connected.json("licence", "deploy", text)["licence"]
    assert connected.json("licence", "verify", licence, text)["equal"] is True
    other = Path("other.txt")
    for old, new in (("Pump Guard", "Pump Card"), ("2 nodes", "3 nodes")):
        other.write_text(text.read_text("utf-8").replace(old, new), "utf-8")
        said = connected("licence", "verify", licence, other, "--json")
        assert (said.code, said.json["equal"]) == (5, False)
        (difference,) = said.json["differences"]  # type: ignore[misc]
        assert ("another text" in difference) == (old == "Pump Guard")
    said = connected("licence", "verify", Address(b"\x01" * 20), text, "--json")
    assert (said.code, said.json["differences"]) == (5, ["there is no contract at this address"])


def test_build_writes_all_that_was_made_and_the_same_again(keyboard: Keyboard) -> None:
    made = [keyboard.json("licence", "build", PUMP, "--out", folder) for folder in ("one", "two")]
    names = made[0]["files"]
    assert isinstance(names, list)
    assert sorted(path.name for path in Path("one").iterdir()) == sorted(names)
    for name in names:
        assert Path("one", name).read_bytes() == Path("two", name).read_bytes(), name
    assert made[0]["text"] == made[1]["text"] == keyboard.json("licence", "say", PUMP)["digest"]
    assert Path("one/licence.txt").read_text("utf-8") == PUMP.read_text("utf-8")
    assert len(bytes.fromhex(Path("one/runtime.hex").read_text())) == made[0]["bytes"]
    assert "Nordwerk" not in Path("one/Licence.sol").read_text("utf-8")
    Path("one/licence.odrl.json").rename("back.json")
    assert keyboard("licence", "import", "back.json").out == PUMP.read_text("utf-8")


def test_who_does_not_own_the_model_cannot_deploy(connected: Keyboard, text: Path) -> None:
    said = connected("licence", "deploy", text, "--dry-run", account="licensee")
    assert said.code == 2
    assert "the model belongs to" in said.err
    owner = str(connected.json("keys", "show", "owner")["address"])
    text.write_text(text.read_text("utf-8").replace(owner, "0x" + "77" * 20), "utf-8")
    said = connected("licence", "deploy", text, "--dry-run")
    assert said.code == 2
    assert "the text names 0x7777" in said.err


def test_moves_that_only_words_know_are_refused_to_other_licences(connected: Keyboard, text: Path) -> None:
    address = connected.json("keys", "show", "owner")["address"]
    licence = connected.json("licence", "grant", "small", "--licensee", address)["licence"]
    for move in ("pay", "buy", "notify", "draw", "activate", "expire"):
        for dry_run in ([], ["--dry-run"]):
            said = connected("licence", move, licence, *dry_run, "--json")
            assert (said.code, said.json["error"]["type"]) == (2, "NotConfigured")  # type: ignore[index]
