# SPDX-License-Identifier: Apache-2.0
"""Custody statements count for the platform, kind, time and endorser they name, and for nothing else."""

from dataclasses import replace
from datetime import timedelta

import cbor2
import pytest

from contracts.records import Level
from enclave.errors import MalformedEvidence
from enclave.evidence.custody import CUSTODY, Custody, platform_named
from enclave.evidence.facts import Facts, RootStatus
from enclave.evidence.findings import Reason
from enclave.evidence.kinds import Kind
from enclave.evidence.trust import Trust
from enclave.evidence.vouching import vouched
from tests.fakes.custody import Endorser
from tests.fakes.evidence import NOON
from tests.fakes.nitro import FakeEnclave

ENDORSER, STRANGER = Endorser(), Endorser()
ENCLAVE = FakeEnclave()
HOST = ENCLAVE.facts().identity
HERE = ENDORSER.statement(Kind.NITRO, HOST, 7)


def facts(*statements: bytes, named: tuple[Endorser, ...] = (ENDORSER,)) -> Facts:
    trust = replace(ENCLAVE.trust, endorsers=frozenset(endorser.point for endorser in named))
    return ENCLAVE.but(trust=trust).facts(*statements)


def test_a_statement_lifts_the_platform_that_it_names() -> None:
    found = facts(HERE)
    assert (found.place, found.potential, found.missed) == (7, Level.ISOLATED_CUSTODY, ())
    assert found.not_after == NOON + timedelta(minutes=59)
    assert any("vouches for place 7" in line for line in found.trace)


def test_s1_a_level_is_reached_under_a_vendor_s_root_only() -> None:
    assert facts(HERE).level is Level.NONE
    statements, trust = (
        [Custody.parse(HERE)],
        Trust(enrollers=frozenset(), extra_roots=frozenset(), endorsers=frozenset({ENDORSER.point})),
    )
    vendor = replace(ENCLAVE.facts(), status=RootStatus.VENDOR)
    assert vouched(vendor, statements, trust=trust, at=NOON).level is Level.ISOLATED_CUSTODY
    rooted = replace(vendor, kind=Kind.TPM)
    assert vouched(rooted, statements, trust=trust, at=NOON).level is Level.ROOTED


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        (ENDORSER.statement(Kind.NITRO, b"i-another", 7), "another platform"),
        (ENDORSER.statement(Kind.SNP, HOST, 7), "another platform"),
        (ENDORSER.statement(Kind.NITRO, HOST, 7, since=timedelta(hours=1)), "not in force"),
        (ENDORSER.statement(Kind.NITRO, HOST, 7, since=-timedelta(seconds=1)), "not in force"),
        (STRANGER.statement(Kind.NITRO, HOST, 7), "nobody named"),
    ],
)
def test_any_other_statement_does_not_count_and_says_why(statement: bytes, why: str) -> None:
    found = facts(statement)
    assert (found.custody, found.place, found.missed) == (None, 0, ())
    assert any(why in line for line in found.trace)


@pytest.mark.parametrize("part", [0, 1, 2, 3, 4])
def test_a_changed_statement_is_held_against_the_evidence(part: int) -> None:
    protected, header, payload, signature = cbor2.loads(HERE[1:])
    parts = cbor2.loads(payload)
    parts[part] = (
        STRANGER.point,
        bytes(platform_named(Kind.NITRO, b"other")),
        8,
        parts[3] - 9,
        parts[4] + 9,
    )[part]
    forged = b"\xd2" + cbor2.dumps([protected, header, cbor2.dumps(parts, canonical=True), signature])
    found = facts(forged)
    assert found.custody is None
    assert [finding.reason for finding in found.missed] == [Reason.CUSTODY]
    beside = facts(forged, HERE)
    assert (beside.place, [finding.reason for finding in beside.missed]) == (7, [Reason.CUSTODY])


def test_of_several_the_one_that_lasts_longest_counts() -> None:
    longer = ENDORSER.statement(Kind.NITRO, HOST, 9, since=timedelta(seconds=1))
    assert facts(HERE, longer).place == facts(longer, HERE).place == 9


def test_a_masked_platform_is_nobody_s() -> None:
    masked = replace(ENCLAVE.facts(), identity=b"")
    trust = replace(ENCLAVE.trust, endorsers=frozenset({ENDORSER.point}))
    statement = Custody.parse(ENDORSER.statement(Kind.NITRO, b"", 7))
    assert vouched(masked, [statement], trust=trust, at=NOON).custody is None


def test_s9_a_statement_shows_no_identifier() -> None:
    assert HOST not in HERE
    assert HOST.decode() not in str(Custody.parse(HERE))
    assert HOST.decode() not in " ".join(facts(HERE).trace)


@pytest.mark.parametrize(
    "change",
    [
        lambda parts: parts[:4],
        lambda parts: [*parts, 1],
        lambda parts: [parts[0][:64], *parts[1:]],
        lambda parts: [parts[0], bytes(31), *parts[2:]],
        lambda parts: [*parts[:2], 0, *parts[3:]],
        lambda parts: [*parts[:2], 1 << 16, *parts[3:]],
        lambda parts: [*parts[:3], parts[4], parts[3]],
        lambda parts: [*parts[:4], 1 << 60],
        lambda parts: {"a": 1},
    ],
)
def test_malformed_statements_are_malformed(change: object) -> None:
    protected, header, payload, signature = cbor2.loads(HERE[1:])
    body = cbor2.dumps(change(cbor2.loads(payload)), canonical=True)  # type: ignore[operator]
    raw = b"\xd2" + cbor2.dumps([protected, header, body, signature])
    assert raw.startswith(CUSTODY)
    with pytest.raises(MalformedEvidence):
        Custody.parse(raw)
