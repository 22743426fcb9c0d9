# SPDX-License-Identifier: Apache-2.0
"""What the broker must not forget when it is killed: how far it read, and every release from request to handing over.

SQLite with full synchronisation. The envelope is ciphertext and is written before its transaction is sent, so one
request never has two envelopes. No key is ever here.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from contracts.ids import ZERO_DIGEST, Address, Digest, ModelId, NodeId, PolicyId, ReleaseId
from contracts.records import Level, Subject, Verdict
from enclave.errors import JournalError

_VERSION = 1
_SCHEMA = f"""
begin;
pragma user_version = {_VERSION};
create table if not exists cursor (id integer primary key check (id = 1), number integer not null, hash blob not null);
create table if not exists verdicts (policy blob, node blob, block integer, recorded integer not null,
  fields text not null, primary key (policy, node, block)) without rowid;
create table if not exists jobs (release blob, lease integer, stage text not null, model blob, version integer,
  policy blob, node blob, block integer, licence blob, rests_on integer not null, grant_ blob, signature blob,
  envelope blob, seat integer, mined integer, reasons text not null default '', primary key (release, lease)) without rowid;
commit;
"""
_HINT = "one broker, one journal; never throw one away that a broker has used"


class Stage(Enum):
    """How far a lease is."""

    SEEN = "seen"
    DECIDED = "decided"
    MINED = "mined"
    FINAL = "final"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One lease of one release; `rests_on` is the challenge block of its record, `mined` the block of its release.

    `reasons` says why it was refused, or what it waits for.
    """

    release: ReleaseId
    lease: int
    stage: Stage
    subject: Subject
    rests_on: int
    grant: bytes = field(default=b"", repr=False)
    signature: bytes = field(default=b"", repr=False)
    envelope: bytes = field(default=b"", repr=False)
    seat: int = 0
    mined: int = 0
    reasons: str = ""


class Journal:
    """The broker's memory, in one file."""

    def __init__(self, path: Path | str) -> None:
        try:
            self._base = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            (version,) = self._base.execute("pragma user_version").fetchone()
            (used,) = self._base.execute("select count(*) from sqlite_master").fetchone()
            if used and version != _VERSION:
                self._base.close()
                raise JournalError("another version's, or another program's", where=str(path), hint=_HINT)
            self._base.execute("pragma journal_mode = wal")
            self._base.execute("pragma synchronous = full")
            self._base.executescript(_SCHEMA)
        except sqlite3.Error as error:
            raise JournalError(str(error), where=str(path), hint=_HINT) from error

    @contextmanager
    def together(self) -> Iterator[None]:
        """Everything inside is remembered, or nothing."""
        self._base.execute("begin immediate")
        try:
            yield
        except BaseException:
            self._base.execute("rollback")
            raise
        self._base.execute("commit")

    def cursor(self) -> tuple[int, Digest] | None:
        """The last block read, with its hash."""
        row = self._base.execute("select number, hash from cursor").fetchone()
        return None if row is None else (row[0], Digest(row[1]))

    def move(self, number: int, block_hash: Digest) -> None:
        """Remember the last block read."""
        self._base.execute("insert or replace into cursor values (1, ?, ?)", (number, bytes(block_hash)))

    def note_verdict(self, verdict: Verdict, recorded_at: int) -> None:
        """Keep a recorded verdict, by policy, node and challenge block."""
        key = (bytes(verdict.policy_id), bytes(verdict.node_id), verdict.block_number)
        row = (*key, recorded_at, _line(verdict))
        self._base.execute("insert or replace into verdicts values (?, ?, ?, ?, ?)", row)

    def verdict(self, policy: PolicyId, node: NodeId, block: int) -> tuple[Verdict, int] | None:
        """The verdict recorded for a challenge block, and when it was."""
        query = "select fields, recorded from verdicts where policy = ? and node = ? and block = ?"
        row = self._base.execute(query, (bytes(policy), bytes(node), block)).fetchone()
        return None if row is None else (_verdict(row[0]), row[1])

    def newest(self, policy: PolicyId, node: NodeId) -> int:
        """Challenge block of the newest verdict read, or zero."""
        query = "select max(block) from verdicts where policy = ? and node = ?"
        return self._base.execute(query, (bytes(policy), bytes(node))).fetchone()[0] or 0

    def add(self, job: Job) -> None:
        """Begin a lease; one that is known stays as it is."""
        s = job.subject
        row = (
            bytes(job.release),
            job.lease,
            job.stage.value,
            bytes(s.model_id),
            s.version,
            bytes(s.policy_id),
        )
        rest = (bytes(s.node_id), s.block_number, bytes(s.licence), job.rests_on)
        columns = "release, lease, stage, model, version, policy, node, block, licence, rests_on"
        marks = ", ".join("?" * 10)
        self._base.execute(f"insert or ignore into jobs ({columns}) values ({marks})", row + rest)  # noqa: S608 - fixed text

    def update(self, job: Job) -> None:
        """Remember how far a lease is."""
        self._base.execute(
            "update jobs set stage = ?, grant_ = ?, signature = ?, envelope = ?, seat = ?, mined = ?, reasons = ?, rests_on = ?"
            " where release = ? and lease = ?",
            (
                job.stage.value,
                job.grant,
                job.signature,
                job.envelope,
                job.seat,
                job.mined,
                job.reasons,
                job.rests_on,
                bytes(job.release),
                job.lease,
            ),
        )

    def job(self, release: ReleaseId, lease: int) -> Job | None:
        """One lease."""
        rows = self._select("where release = ? and lease = ?", bytes(release), lease)
        return next(rows, None)

    def open_jobs(self) -> list[Job]:
        """Leases that are neither final nor refused."""
        return list(self._select("where stage in ('seen', 'decided', 'mined') order by rests_on, lease"))

    def of_node(self, policy: PolicyId, node: NodeId) -> list[Job]:
        """The latest lease of each release of a node under a policy."""
        found = self._select("where policy = ? and node = ? order by lease", bytes(policy), bytes(node))
        return list({job.release: job for job in found}.values())

    def jobs(self) -> list[Job]:
        """Every lease, for status."""
        return list(self._select("order by rests_on, lease"))

    def close(self) -> None:
        """Let go of the file."""
        self._base.close()

    def _select(self, where: str, *values: object) -> Iterator[Job]:
        columns = (
            "release, lease, stage, model, version, policy, node, block, licence, rests_on, grant_, signature"
        )
        query = f"select {columns}, envelope, seat, mined, reasons from jobs {where}"  # noqa: S608 - fixed text
        for r in self._base.execute(query, values).fetchall():
            yield Job(
                release=ReleaseId(r[0]),
                lease=r[1],
                stage=Stage(r[2]),
                subject=Subject(
                    model_id=ModelId(r[3]),
                    version=r[4],
                    policy_id=PolicyId(r[5]),
                    node_id=NodeId(r[6]),
                    block_number=r[7],
                    licence=Address(r[8]),
                ),
                rests_on=r[9],
                grant=r[10] or b"",
                signature=r[11] or b"",
                envelope=r[12] or b"",
                seat=r[13] or 0,
                mined=r[14] or 0,
                reasons=r[15],
            )


def _line(verdict: Verdict) -> str:
    return " ".join(word.hex() if isinstance(word, bytes) else str(int(word)) for word in verdict.words())


def _verdict(line: str) -> Verdict:
    policy, node, nonce, evidence, workload, platform, level, kinds, place, number, block, as_of, expiry = (
        line.split()
    )
    return Verdict(
        policy_id=PolicyId.fromhex(policy),
        node_id=NodeId.fromhex(node),
        lease_nonce=Digest.fromhex(nonce),
        evidence=Digest.fromhex(evidence),
        workload=Digest.fromhex(workload),
        platform=Digest.fromhex(platform),
        level=Level(int(level)),
        kinds=int(kinds),
        place=int(place),
        block_number=int(number),
        block_hash=Digest.fromhex(block),
        as_of=int(as_of),
        expiry=int(expiry),
    )


NO_ENVELOPE = ZERO_DIGEST
