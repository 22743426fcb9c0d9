# SPDX-License-Identifier: Apache-2.0
"""The broker's memory: everything comes back as it was, from another process's file too, and half a page never."""

import sqlite3
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from contracts.ids import Address, Digest, ModelId, NodeId, PolicyId, ReleaseId
from contracts.records import Level, Subject, Verdict
from enclave.broker.journal import Job, Journal, Stage
from enclave.errors import JournalError

POLICY, NODE = PolicyId(b"p" * 32), NodeId(b"n" * 32)
SUBJECT = Subject(
    model_id=ModelId(b"m" * 32),
    version=2,
    policy_id=POLICY,
    node_id=NODE,
    block_number=9,
    licence=Address(b"l" * 20),
)
SEEN = Job(release=ReleaseId(b"r" * 32), lease=0, stage=Stage.SEEN, subject=SUBJECT, rests_on=9)
DRAWN = replace(
    SEEN,
    stage=Stage.MINED,
    grant=b"grant",
    signature=b"signature",
    envelope=b"envelope",
    seat=4,
    mined=70,
    reasons="TRANSACTION_PENDING",
)
VERDICT = Verdict(
    policy_id=POLICY,
    node_id=NODE,
    lease_nonce=Digest(b"x" * 32),
    evidence=Digest(b"e" * 32),
    workload=Digest(b"w" * 32),
    platform=Digest(b"f" * 32),
    level=Level.ISOLATED_CUSTODY,
    kinds=2**32 - 1,
    place=756,
    block_number=2**40 - 1,
    block_hash=Digest(b"h" * 32),
    as_of=2**40 - 3,
    expiry=2**40 - 2,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


def test_everything_survives_reopening(path: Path) -> None:
    journal = Journal(path)
    assert (journal.cursor(), journal.jobs(), journal.newest(POLICY, NODE)) == (None, [], 0)
    journal.move(12, Digest(b"c" * 32))
    journal.note_verdict(VERDICT, 77)
    journal.add(SEEN)
    journal.update(DRAWN)
    journal.close()
    again = Journal(path)
    assert again.cursor() == (12, Digest(b"c" * 32))
    assert again.verdict(POLICY, NODE, VERDICT.block_number) == (VERDICT, 77)
    assert again.newest(POLICY, NODE) == VERDICT.block_number
    assert again.job(SEEN.release, 0) == DRAWN
    again.close()


def test_what_is_written_is_there_without_a_goodbye(path: Path) -> None:
    """A killed broker closes nothing: another reader sees every write at once."""
    journal, other = Journal(path), Journal(path)
    journal.add(SEEN)
    assert other.job(SEEN.release, 0) == SEEN
    journal.update(DRAWN)
    assert other.job(SEEN.release, 0) == DRAWN
    journal.close()
    other.close()


def test_a_page_is_remembered_whole_or_not_at_all(path: Path) -> None:
    journal = Journal(path)
    journal.move(1, Digest(bytes(32)))
    with suppress(KeyboardInterrupt), journal.together():
        journal.note_verdict(VERDICT, 1)
        journal.add(SEEN)
        journal.move(2, Digest(bytes(32)))
        raise KeyboardInterrupt
    assert journal.cursor() == (1, Digest(bytes(32)))
    assert (journal.jobs(), journal.newest(POLICY, NODE)) == ([], 0)
    journal.close()


def test_a_request_read_again_changes_nothing(path: Path) -> None:
    journal = Journal(path)
    journal.add(SEEN)
    journal.update(DRAWN)
    journal.add(SEEN)
    assert journal.jobs() == [DRAWN]
    journal.close()


def test_no_lease_touches_another(path: Path) -> None:
    journal = Journal(path)
    second = replace(SEEN, lease=1, rests_on=20)
    elsewhere = replace(SEEN, release=ReleaseId(b"s" * 32), rests_on=5)
    for job in (SEEN, second, elsewhere):
        journal.add(job)
    journal.update(replace(second, stage=Stage.FINAL))
    assert journal.open_jobs() == [elsewhere, SEEN]
    assert journal.job(SEEN.release, 0) == SEEN
    assert journal.job(SEEN.release, 2) is None
    journal.close()


def test_open_leases_are_those_neither_final_nor_refused(path: Path) -> None:
    journal = Journal(path)
    for index, stage in enumerate(Stage):
        job = replace(SEEN, release=ReleaseId(bytes([index]) * 32), rests_on=index)
        journal.add(job)
        journal.update(replace(job, stage=stage))
    assert [job.stage for job in journal.open_jobs()] == [Stage.SEEN, Stage.DECIDED, Stage.MINED]
    assert {job.stage for job in journal.jobs()} == set(Stage)
    journal.close()


def test_of_a_node_the_latest_leases_count(path: Path) -> None:
    journal = Journal(path)
    latest = replace(SEEN, lease=10)
    other = replace(SEEN, release=ReleaseId(b"s" * 32), lease=3)
    for job in (latest, replace(SEEN, lease=9), other, SEEN):
        journal.add(job)
    assert sorted(job.lease for job in journal.of_node(POLICY, NODE)) == [3, 10]
    assert journal.of_node(POLICY, NodeId(b"o" * 32)) == []
    journal.close()


def test_verdicts_are_kept_by_policy_node_and_block(path: Path) -> None:
    journal = Journal(path)
    older = replace(VERDICT, block_number=5)
    journal.note_verdict(VERDICT, 2)
    journal.note_verdict(older, 1)
    assert journal.verdict(POLICY, NODE, 5) == (older, 1)
    assert journal.newest(POLICY, NODE) == VERDICT.block_number
    assert journal.verdict(POLICY, NODE, 6) is None
    assert journal.verdict(PolicyId(b"o" * 32), NODE, 5) is None
    journal.close()


def test_the_journal_shows_no_envelope_when_printed() -> None:
    assert "envelope" not in repr(DRAWN)
    assert "signature" not in repr(DRAWN)


def test_a_journal_nobody_may_write_is_named(tmp_path: Path) -> None:
    with pytest.raises(JournalError) as failed:
        Journal(tmp_path / "no such folder" / "journal.sqlite")
    assert "no such folder" in failed.value.where


def test_another_program_s_database_is_not_a_journal(path: Path) -> None:
    with closing(sqlite3.connect(path)) as base:
        base.execute("create table notes (text)")
    before = path.read_bytes()
    with pytest.raises(JournalError, match="another"):
        Journal(path)
    assert path.read_bytes() == before


def test_a_journal_of_another_version_is_refused_untouched(path: Path) -> None:
    journal = Journal(path)
    journal.add(SEEN)
    journal.close()
    with closing(sqlite3.connect(path)) as base:
        base.execute("pragma user_version = 2")
    with pytest.raises(JournalError) as failed:
        Journal(path)
    assert failed.value.where == str(path)
    assert "never throw one away" in failed.value.hint
    with closing(sqlite3.connect(path)) as base:
        base.execute("pragma user_version = 1")
    again = Journal(path)
    assert again.jobs() == [SEEN]
    again.close()
