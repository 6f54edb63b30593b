"""The queue: which attachments are to be indexed, whose turn it is, and who is at it.

A job is leased to one worker for a time, which the worker's heartbeat extends. A worker
that dies stops extending; its job is then anybody's. What a worker commits is fenced: the
commit checks, inside its own transaction, that the lease is still its own.

What somebody waits for goes before what is done in bulk; within one priority the vector
stores take turns. The order is fixed when a job is queued (start-time fair queueing, Goyal,
Vin and Cheng 1996, with every file of the same length), so the next one is the first entry of
an index, however many wait.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

LEASE_S = 60.0

INTERACTIVE: Final = 0
BULK: Final = 10
_LOWEST: Final = 1000
# Whoever attaches this many files at once, or has as many waiting, is not watching each of them.
FEW_FILES: Final = 20
# Larger files take long to index, so those who wait for small ones need not wait for them.
SMALL_FILE_BYTES: Final = 8 << 20

# Which priorities a worker takes, in order of preference; each from the highest to the lowest.
Preference = Sequence[tuple[int, int]]
IN_ORDER: Final[Preference] = ((INTERACTIVE, _LOWEST),)
ONLY_INTERACTIVE: Final[Preference] = ((INTERACTIVE, BULK - 1),)
ONLY_BULK: Final[Preference] = ((BULK, _LOWEST),)
BULK_FIRST: Final[Preference] = ((BULK, _LOWEST), (INTERACTIVE, BULK - 1))

_READY: Final = "owner IS NULL AND run_after = 0 AND priority BETWEEN ? AND ?"


@dataclass(frozen=True, slots=True)
class Job:
    """A claimed unit of work."""

    n: int
    attachment_n: int
    attempts: int  # claims, this one included
    failures: int  # attempts that ended with an error
    owner: str
    priority: int = INTERACTIVE


@dataclass(frozen=True, slots=True)
class Step:
    """How far a worker is with a job: `n_done` of `n_total` units of `stage`."""

    stage: str
    n_done: int
    n_total: int
    n_pages: int | None = None


class Jobs:
    """The `jobs` table within one snapshot or transaction."""

    def __init__(self, connection: sqlite3.Connection, clock: Callable[[], float]) -> None:
        self._connection = connection
        self._clock = clock

    def enqueue(self, attachment_n: int, *, priority: int = INTERACTIVE) -> None:
        """Ask for an attachment to be indexed; a worker already at it will lose its fence.

        Args:
            attachment_n: row number of the attachment.
            priority: lower goes first.
        """
        self._connection.execute("DELETE FROM jobs WHERE attachment_n = ?", (attachment_n,))
        self._connection.execute(
            "INSERT INTO jobs (attachment_n, vector_store_n, priority, turn)"
            " SELECT a.n, a.vector_store_n, ?2, 1 + max("
            "  coalesce((SELECT turn FROM turns WHERE priority = ?2), 0),"
            "  coalesce((SELECT max(turn) FROM jobs WHERE vector_store_n = a.vector_store_n"
            "   AND priority = ?2), 0))"
            " FROM attachments a WHERE a.n = ?1",
            (attachment_n, priority),
        )

    def priority_of(self, vector_store_n: int, *, n_files: int, n_bytes: int) -> int:
        """What a file is worth that is attached with `n_files` others: few and small go first."""
        if n_files > FEW_FILES or n_bytes > SMALL_FILE_BYTES:
            return BULK
        found = self._connection.execute(
            "SELECT count(*) FROM (SELECT 1 FROM jobs"
            " WHERE vector_store_n = ? AND priority < ? LIMIT ?)",
            (vector_store_n, BULK, FEW_FILES),
        ).fetchone()
        return BULK if int(found[0]) >= FEW_FILES else INTERACTIVE

    def may_claim(self, preference: Preference = IN_ORDER) -> bool:
        """Whether `claim` would find something; reads only."""
        now = self._clock()
        return any(self._first(*each) is not None for each in preference) or self._is_any(
            "SELECT 1 FROM jobs WHERE run_after > 0 AND run_after <= ?1 UNION ALL"
            " SELECT 1 FROM jobs WHERE owner IS NOT NULL AND lease_expires_at <= ?1",
            (now,),
        )

    def claim(self, owner: str, preference: Preference = IN_ORDER) -> Job | None:
        """Lease the next job to `owner`, or None when nothing is due."""
        self._make_ready()
        firsts = (self._first(low, high) for low, high in preference)
        n = next((n for n in firsts if n is not None), None)
        return None if n is None else self._lease(n, owner)

    def _make_ready(self) -> None:
        """Free the jobs whose lease is over, or whose time to be tried again has come."""
        now = self._clock()
        self._connection.execute(
            "UPDATE jobs SET owner = NULL, lease_expires_at = NULL, stage = NULL"
            " WHERE owner IS NOT NULL AND lease_expires_at <= ?",
            (now,),
        )
        self._connection.execute(
            "UPDATE jobs SET run_after = 0 WHERE run_after > 0 AND run_after <= ?", (now,)
        )

    def _first(self, low: int, high: int) -> int | None:
        row = self._connection.execute(
            f"SELECT n FROM jobs WHERE {_READY} ORDER BY priority, turn, n LIMIT 1",  # noqa: S608
            (low, high),
        ).fetchone()
        return None if row is None else int(row[0])

    def _lease(self, n: int, owner: str) -> Job:
        attachment_n, attempts, failures, priority, turn = self._connection.execute(
            "UPDATE jobs SET owner = ?, lease_expires_at = ?, attempts = attempts + 1,"
            " stage = NULL, n_done = 0, n_total = 0, n_pages = NULL WHERE n = ?"
            " RETURNING attachment_n, attempts, failures, priority, turn",
            (owner, self._clock() + LEASE_S, n),
        ).fetchone()
        self._connection.execute(
            "INSERT INTO turns VALUES (?, ?)"
            " ON CONFLICT (priority) DO UPDATE SET turn = max(turn, excluded.turn)",
            (priority, turn),
        )
        return Job(n, attachment_n, attempts, failures, owner, priority)

    def extend(self, job: Job) -> bool:
        """Renew the lease; False when the job is no longer this worker's."""
        changed = self._connection.execute(
            "UPDATE jobs SET lease_expires_at = ? WHERE n = ? AND owner = ? AND attempts = ?",
            (self._clock() + LEASE_S, job.n, job.owner, job.attempts),
        )
        return changed.rowcount == 1

    def note(self, job: Job, step: Step) -> None:
        """Say how far the work is, which renews the lease as well."""
        self._connection.execute(
            "UPDATE jobs SET stage = ?, n_done = ?, n_total = ?, n_pages = ?,"
            " lease_expires_at = ? WHERE n = ? AND owner = ? AND attempts = ?",
            (
                *(step.stage, step.n_done, step.n_total, step.n_pages),
                *(self._clock() + LEASE_S, job.n, job.owner, job.attempts),
            ),
        )

    def demote(self, job: Job) -> None:
        """Let it count as bulk work from now on: it takes too long for those who wait."""
        self._connection.execute("UPDATE jobs SET priority = ? WHERE n = ?", (BULK, job.n))

    def holds(self, job: Job) -> bool:
        """Whether the job is still this worker's: the fence of every commit."""
        row = self._connection.execute(
            "SELECT 1 FROM jobs WHERE n = ? AND owner = ? AND attempts = ?",
            (job.n, job.owner, job.attempts),
        ).fetchone()
        return row is not None

    def lost(self, jobs: Iterable[Job]) -> set[Job]:
        """Those of `jobs` that are no longer their worker's."""
        return {job for job in jobs if not self.holds(job)}

    def finish(self, attachment_n: int) -> None:
        """Take the job of an attachment off the queue."""
        self._connection.execute("DELETE FROM jobs WHERE attachment_n = ?", (attachment_n,))

    def retry_later(self, job: Job, *, delay_s: float) -> None:
        """Count a failure and give the job back, to be claimed again after `delay_s`."""
        self._connection.execute(
            "UPDATE jobs SET owner = NULL, lease_expires_at = NULL, stage = NULL, run_after = ?,"
            " failures = failures + 1 WHERE n = ?",
            (self._clock() + delay_s, job.n),
        )

    def give_back(self, job: Job) -> None:
        """Return the job as if it had never been claimed."""
        self._connection.execute(
            "UPDATE jobs SET owner = NULL, lease_expires_at = NULL, stage = NULL,"
            " attempts = attempts - 1 WHERE n = ? AND owner = ? AND attempts = ?",
            (job.n, job.owner, job.attempts),
        )

    def owners(self) -> set[str]:
        """Every worker that holds a lease."""
        rows = self._connection.execute("SELECT DISTINCT owner FROM jobs WHERE owner IS NOT NULL")
        return {row[0] for row in rows}

    def release(self, owners: Collection[str]) -> None:
        """Free the leases of workers that are known to be dead."""
        self._connection.executemany(
            "UPDATE jobs SET owner = NULL, lease_expires_at = NULL, stage = NULL"
            " WHERE owner IS NOT NULL AND owner = ?",
            [(owner,) for owner in owners],
        )

    def waiting(self) -> int:
        """How many attachments are queued or being indexed; the time it takes grows with them."""
        return int(self._connection.execute("SELECT count(*) FROM jobs").fetchone()[0])

    def _is_any(self, sql: str, parameters: tuple[float, ...]) -> bool:
        return self._connection.execute(f"{sql} LIMIT 1", parameters).fetchone() is not None
