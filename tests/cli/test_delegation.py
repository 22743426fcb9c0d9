# SPDX-License-Identifier: Apache-2.0
"""Roles change hands by command, in two steps; each command says what stood in its way, and repeats without harm."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from contracts.ids import ZERO_ADDRESS, Address, ModelId, NodeId, PolicyId, SealId
from registry.chain.dev import fund
from registry.chain.embedded import EmbeddedChain
from registry.models import Models
from registry.releases import Releases
from registry.signing import Account

NODE = "0x" + "ab" * 32
UNKNOWN = "0x" + "cd" * 32
NOBODY = "0x" + "00" * 19 + "01"
ZERO = "0x" + "00" * 20
FUTURE, LATER = "2100-01-01T00:00:00Z", "2101-01-01T00:00:00Z"


@dataclass
class Parties:
    """An owner's registered model, its licence that a licensee accepted, and two accounts that are neither."""

    keyboard: Any  # the fixture of conftest.py
    chain: EmbeddedChain
    policy: str
    model: str
    licence: str
    address: dict[str, str]

    def do(self, who: str, *words: object) -> dict[str, object]:
        """What must work, twice, and cost nothing when rehearsed."""
        dry = self.keyboard.json(*words, "--dry-run", account=who)
        assert (dry["dry_run"], dry["gas"] > 20_000) == (True, True)
        first = self.keyboard.json(*words, account=who)
        assert first["already"] is False, words
        again = self.keyboard.json(*words, account=who)
        assert (again["already"], "transaction" in again) == (True, False), words
        return first

    def refused(self, who: str, *words: object) -> tuple[int, str]:
        """How what must not work ends; with a next step, rehearsed or not."""
        said = self.keyboard(*words, "--json", account=who)
        dry = self.keyboard(*words, "--json", "--dry-run", account=who)
        assert said.json["error"] == dry.json["error"], (said, dry)
        assert said.json["error"]["hint"], said
        return said.code, said.json["error"]["type"]


@pytest.fixture
def parties(connected, served_chain) -> Parties:
    chain, _ = served_chain
    accounts = {"owner": Account.load(connected.home / "accounts" / "owner.json", b"correct horse")}
    for name in ("licensee", "operator", "stranger"):
        accounts[name] = connected.account(name)
        fund(chain, accounts[name].address)
    address = {name: str(account.address) for name, account in accounts.items()}
    connected.json("policy", "draft", "p", "--verifier", address["owner"])
    policy = connected.json("policy", "publish", "policy.toml")["policy"]
    model, _ = Models(chain).register(
        accounts["owner"],
        "m",
        seal_id=SealId(b"s" * 32),
        policy=PolicyId.parse(policy),
        uri="",
        broker=ZERO_ADDRESS,
    )
    licence = connected.json("licence", "grant", "m", "--licensee", address["licensee"])["licence"]
    connected.json("licence", "accept", licence, account="licensee")
    return Parties(connected, chain, policy, str(model), licence, address)


def test_a_model_changes_hands_when_both_agree(parties: Parties) -> None:
    accept, licensee = ["model", "accept", parties.model], parties.address["licensee"]
    assert parties.refused("licensee", *accept) == (6, "NotPendingOwner")
    assert parties.refused("stranger", "model", "offer", parties.model, licensee) == (6, "NotOwner")
    assert parties.refused("owner", "model", "offer", UNKNOWN, licensee) == (6, "UnknownModel")
    assert parties.refused("licensee", "model", "accept", UNKNOWN) == (6, "UnknownModel")
    parties.do("owner", "model", "offer", "m", licensee)
    assert parties.refused("stranger", *accept) == (6, "NotPendingOwner")
    parties.do("owner", "model", "offer", "m", ZERO)
    assert parties.refused("licensee", *accept) == (6, "NotPendingOwner")
    parties.do("owner", "model", "offer", "m", licensee)
    assert parties.do("licensee", *accept)["owner"] == licensee
    assert parties.keyboard.json("model", "show", parties.model)["owner"] == licensee
    assert parties.refused("owner", "model", "offer", parties.model, NOBODY) == (6, "NotOwner")


def test_a_broker_is_set_and_cleared(parties: Parties) -> None:
    assert parties.refused("owner", "model", "clear-broker", UNKNOWN) == (6, "UnknownModel")
    parties.do("owner", "model", "set-broker", "m", parties.address["operator"])
    parties.do("owner", "model", "clear-broker", "m")
    assert parties.keyboard.json("model", "show", "m")["broker"] is None


def test_the_next_policy_starts_when_named_and_the_keys_serve_it(parties: Parties, small_model: Path) -> None:
    keyboard = parties.keyboard
    keyboard.json("model", "seal", small_model, "--out", "sealed")
    model = keyboard.json("model", "register", "n", "sealed", "--policy", parties.policy)["model"]
    keyboard.json("policy", "draft", "q", "--verifier", parties.address["owner"], "--out", "q.toml")
    named = keyboard.json("policy", "publish", "q.toml")["policy"]
    words = ["model", "next-policy", model, "--policy", named, "--start"]
    assert parties.do("owner", *words, FUTURE)["start"] == FUTURE
    (entry,) = keyboard.json("keys", "list")["models"]
    assert set(entry["policies"]) == {parties.policy, named}
    parties.do("owner", *words, LATER)
    (shown,) = keyboard.json("model", "show", "n")["versions"]
    assert (shown["policy"], shown["next"], shown["next_start"]) == (parties.policy, named, LATER)
    found = Models(parties.chain).version(ModelId.parse(model), 1)
    before, after = (str(found.policy_at(when)) for when in (found.next_start - 1, found.next_start))
    assert (before, after) == (parties.policy, named)


def test_a_next_policy_is_refused_with_what_to_do(parties: Parties) -> None:
    words = ["model", "next-policy", parties.model, "--start", FUTURE, "--policy"]
    assert parties.refused("stranger", *words, parties.policy) == (6, "NotOwner")
    assert parties.refused("owner", *words, parties.policy, "--version", 2) == (6, "UnknownVersion")
    assert parties.refused("owner", *words, UNKNOWN) == (6, "PolicyNotInForce")
    words[4] = "2001-01-01T00:00:00Z"
    assert parties.refused("owner", *words, parties.policy) == (6, "StartNotAhead")
    words[4] = "soon"
    assert parties.keyboard(*words, parties.policy).code == 2


def test_whoever_lacks_the_keys_is_told_that_nothing_is_released_under_the_next_policy(
    parties: Parties,
) -> None:
    words = ["model", "next-policy", "m", "--policy", parties.policy, "--start", FUTURE]
    said = parties.keyboard(*words)
    assert (said.code, "keys of this version are not here" in said.err) == (0, True), said


def test_the_lowest_version_only_rises(parties: Parties) -> None:
    keyboard, policy = parties.keyboard, PolicyId.parse(parties.policy)
    owner = Account.load(keyboard.home / "accounts" / "owner.json", b"correct horse")
    model = ModelId.parse(parties.model)
    Models(parties.chain).add_version(owner, model, seal_id=SealId(b"t" * 32), policy=policy, uri="")
    words = ["model", "raise-lowest", parties.model, "--version"]
    assert parties.refused("stranger", *words, 2) == (6, "NotOwner")
    assert parties.refused("owner", *words, 3) == (6, "UnknownVersion")
    parties.do("owner", *words, 2)
    assert parties.refused("owner", *words, 1) == (6, "NotRaised")
    assert keyboard.json("model", "show", "m")["lowest_served"] == 2
    parties.keyboard.json("model", "retire", "m")
    assert parties.refused("owner", "model", "offer", "m", NOBODY) == (6, "AlreadyRetired")


def test_an_operator_acts_until_dismissed(parties: Parties) -> None:
    operator, licence = parties.address["operator"], parties.licence
    authorise = ["licence", "authorise", licence, NODE]
    assert parties.refused("operator", *authorise) == (6, "NotForLicensee")
    assert parties.refused("owner", "licence", "appoint", licence, operator) == (6, "NotLicensee")
    for act in ("appoint", "dismiss"):
        assert parties.refused("licensee", "licence", act, NOBODY, operator) == (6, "UnknownLicence")
        himself = ["licence", act, licence, parties.address["licensee"]]
        assert parties.refused("licensee", *himself) == (2, "NotConfigured")
    parties.do("licensee", "licence", "appoint", licence, operator)
    assert parties.refused("owner", "licence", "dismiss", licence, operator) == (6, "NotLicensee")
    parties.do("operator", *authorise)
    parties.do("licensee", "licence", "dismiss", licence, operator)
    assert parties.refused("operator", "licence", "revoke-node", licence, NODE) == (6, "NotForLicensee")


def test_a_node_is_let_in_and_taken_back_again(parties: Parties) -> None:
    revoke = ["licence", "revoke-node", parties.licence, NODE]
    assert parties.refused("owner", *revoke) == (6, "NotForLicensee")
    assert parties.refused("licensee", "licence", "revoke-node", NOBODY, NODE) == (6, "NotForLicensee")
    parties.do("licensee", *revoke)  # before it was let in: a signature of his may be on its way
    for _ in range(2):
        parties.do("licensee", "licence", "authorise", parties.licence, NODE)
        parties.do("licensee", *revoke)
    state = Releases(parties.chain).node(Address.parse(parties.licence), NodeId.parse(NODE))
    assert state == (False, False)


def test_the_licensees_role_is_offered_and_accepted(parties: Parties) -> None:
    licence, operator = parties.licence, parties.address["operator"]
    offer = ["licence", "offer", licence, operator]
    assert parties.refused("owner", *offer) == (6, "NotLicensee")
    assert parties.refused("licensee", "licence", "offer", NOBODY, operator) == (6, "UnknownLicence")
    assert parties.refused("operator", "licence", "accept", licence) == (6, "NotPendingLicensee")
    parties.do("licensee", *offer)
    parties.do("licensee", "licence", "authorise", licence, NODE)
    parties.do("operator", "licence", "accept", licence)
    shown = parties.keyboard.json("licence", "show", licence)
    assert (shown["licensee"], shown["offered_to"]) == (operator, None)
    assert parties.refused("licensee", *offer) == (6, "NotLicensee")
    status = parties.keyboard.json("node", "status", NODE, "--licence", licence)
    assert status["authorised"] is False


def test_a_node_is_withdrawn_under_a_policy(parties: Parties) -> None:
    words = ["policy", "withdraw-node", parties.policy, NODE]
    assert parties.refused("stranger", *words) == (6, "NotController")
    assert parties.refused("owner", "policy", "withdraw-node", UNKNOWN, NODE) == (6, "NotController")
    parties.keyboard.json(*words, "--dry-run")
    assert parties.keyboard.json(*words)["already"] is False
    assert parties.keyboard.json(*words)["already"] is True
    shown = parties.keyboard.json("node", "status", NODE, "--policy", parties.policy)
    assert shown["record"]["withdrawn"] is True
