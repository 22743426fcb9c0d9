# SPDX-License-Identifier: Apache-2.0
"""Nothing that a policy leaves open counts as anything: the reader names what is open, astray or said twice."""

from dataclasses import replace

import pytest

from cli.owner.fragment import fragment
from contracts.ids import Digest
from contracts.records import Level
from enclave.errors import MalformedPolicy
from enclave.evidence import bounded
from enclave.evidence.drafting import outline
from enclave.evidence.kinds import Kind
from enclave.evidence.policy import Policy, is_whole, rules_from
from enclave.evidence.reading import plain
from enclave.evidence.technologies import TECHNOLOGIES
from tests.fakes.evidence import NOON, policy_text

FULL = """
workloads = []
revoked = []
endorsers = []
places = []
allow_test_root = false

[[devices]]
kind = "spdm"
minimum_level = "none"
least = 0
most = 8

[[registers]]
kind = "spdm"
name = "block1"
allow = ["0x01"]

[[references]]
kind = "spdm"
claim = "a.b"
allow = [1, true, "text", "0xff"]

[[floors]]
kind = "spdm"
claim = "version"
at_least = 1
from = "2026-01-01T00:00:00Z"
grace = 0

[[ages]]
kind = "spdm"
input = "certificate"
at_most = 60
required = true
"""


@pytest.fixture(autouse=True)
def accelerator(monkeypatch: pytest.MonkeyPatch) -> None:
    """A peripheral with one register, one input and one security version."""
    known = replace(TECHNOLOGIES[Kind.SPDM], covers=("block1",), inputs=("certificate",), floors=("version",))
    monkeypatch.setattr(bounded, "TECHNOLOGIES", {**TECHNOLOGIES, Kind.SPDM: known})


def test_a_fragment_is_read_and_written_back() -> None:
    rules = rules_from(FULL)
    assert rules_from(fragment(rules)) == rules
    assert plain(rules)["floors"] == [  # type: ignore[index,call-overload]
        {"kind": "spdm", "claim": "version", "at_least": 1, "from": "2026-01-01T00:00:00Z", "grace": 0}
    ]
    assert rules.references[0].allow == (1, True, "text", b"\xff")
    assert not is_whole(FULL)


def test_the_rules_of_a_whole_policy_are_held_to_its_level() -> None:
    text = policy_text()
    assert is_whole(text)
    assert rules_from(text).devices[0].minimum_level is Level.NONE
    raised = text.replace('minimum_level = "none"\nmaximum', 'minimum_level = "isolated"\nmaximum')
    raised = raised.replace('development = "software only, for development"\n', "")
    assert rules_from(raised).devices[0].minimum_level is Level.ISOLATED


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('name = "block1"', 'name = "block2"', "block1"),
        ('claim = "version"', 'claim = "other"', "version"),
        ('input = "certificate"', 'input = "crl"', "certificate"),
        (
            "[[ages]]",
            '[[ages]]\nkind = "spdm"\ninput = "crl"\nat_most = 1\nrequired = false\n[[ages]]',
            "crl",
        ),
        (
            "[[floors]]",
            '[[floors]]\nkind = "tpm"\nclaim = "x"\nat_least = 1\nfrom = "2026-01-01T00:00:00Z"\ngrace = 0\n[[floors]]',
            "tpm",
        ),
        ("[[registers]]", '[[registers]]\nkind = "spdm"\nname = "block1"\nallow = []\n[[registers]]', "once"),
        (
            "[[references]]",
            '[[references]]\nkind = "spdm"\nclaim = "a.b"\nallow = []\n[[references]]',
            "once",
        ),
        ("least = 0", "least = 9", "least"),
        ("least = 0\nmost = 8", "least = 0\nmost = 0", "least"),
        ("most = 8", "most = 257", "most"),
        (
            'kind = "spdm"\nminimum_level = "none"',
            'kind = "spdm"\nminimum_level = "isolated+custody"',
            "custody",
        ),
        ("endorsers = []", f'endorsers = ["0x04{"00" * 64}"]', "custody"),
        ("places = []", "places = [1]", "endorsers"),
        ("places = []", "places = [65536]", "places"),
        ("places = []", "places = [1, 1]", "places"),
        ("places = []", 'places = ["1"]', "places"),
        ("places = []", "places = [true]", "places"),
        ("places = []", "places = 1", "places"),
        ('allow = [1, true, "text", "0xff"]', "allow = [1, 1]", "distinct"),
        ('allow = [1, true, "text", "0xff"]', "allow = [1.5]", "allow"),
        ('allow = [1, true, "text", "0xff"]', "allow = [-1]", "allow"),
        ('allow = [1, true, "text", "0xff"]', "allow = [[]]", "allow"),
        ('allow = [1, true, "text", "0xff"]', 'allow = ["0xf"]', "allow"),
        ('allow = [1, true, "text", "0xff"]', 'allow = ["0xAB", "0xab"]', "distinct"),
        ('allow = ["0x01"]', 'allow = ["0x1"]', "allow"),
        ('allow = ["0x01"]', 'allow = ["0xAB", "0xab"]', "distinct"),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00+00:00", "instant"),
        ("2026-01-01T00:00:00Z", "2026-13-01T00:00:00Z", "instant"),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00.5Z", "instant"),
        ("at_most = 60", "at_most = 4294967296", "at_most"),
        ("at_least = 1", "at_least = 9007199254740992", "at_least"),
        ("required = true", "required = 1", "required"),
        ("required = true", "", "required"),
        ("revoked = []", "revoked = []\nextra = 1", "extra"),
        ("allow_test_root = false", "", "allow_test_root"),
        ("[[devices]]", "[devices]", "devices"),
        ("revoked = []", "revoked = ", "value"),
    ],
)
def test_what_is_open_astray_or_said_twice_is_malformed(old: str, new: str, said: str) -> None:
    assert old in FULL
    with pytest.raises(MalformedPolicy) as caught:
        rules_from(FULL.replace(old, new, 1))
    assert said in str(caught.value)


def test_a_peripheral_without_any_register_is_malformed(monkeypatch: pytest.MonkeyPatch) -> None:
    known = replace(bounded.TECHNOLOGIES[Kind.SPDM], covers=())
    monkeypatch.setattr(bounded, "TECHNOLOGIES", {**TECHNOLOGIES, Kind.SPDM: known})
    rules_from(FULL)
    start, end = FULL.index("[[registers]]"), FULL.index("[[references]]")
    bare = "registers = []\n" + FULL[:start] + FULL[end:]
    with pytest.raises(MalformedPolicy, match="no register"):
        rules_from(bare)
    signed = replace(known, inputs=("rim",))
    monkeypatch.setattr(bounded, "TECHNOLOGIES", {**TECHNOLOGIES, Kind.SPDM: signed})
    rules_from(bare.replace('input = "certificate"', 'input = "rim"'))


def test_custody_that_the_contracts_enforce_needs_endorsers() -> None:
    text = policy_text().replace(
        'minimum_level = "none"\nmaximum', 'minimum_level = "isolated+custody"\nmaximum'
    )
    with pytest.raises(MalformedPolicy, match="endorsers"):
        Policy.from_toml(text.replace('development = "software only, for development"\n', ""))


def test_no_device_named_is_malformed() -> None:
    text = fragment(outline(Kind.SOFTWARE, minimum_level=Level.NONE, workloads=(), at=NOON))
    with pytest.raises(MalformedPolicy):
        rules_from(text[: text.index("[[devices]]")] + "devices = []\n")


def test_a_technology_that_this_version_cannot_verify_is_malformed(monkeypatch: pytest.MonkeyPatch) -> None:
    left = {kind: known for kind, known in TECHNOLOGIES.items() if kind is not Kind.SPDM}
    monkeypatch.setattr(bounded, "TECHNOLOGIES", left)
    with pytest.raises(MalformedPolicy, match="cannot verify spdm"):
        rules_from(FULL)


@pytest.mark.parametrize("kind", TECHNOLOGIES, ids=lambda kind: kind.label)
def test_the_outline_of_every_technology_leaves_nothing_open(
    kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded, "TECHNOLOGIES", TECHNOLOGIES)
    rules = outline(kind, minimum_level=kind.level, workloads=(Digest(b"\x01" * 32),), at=NOON)
    assert rules_from(fragment(rules)) == rules
