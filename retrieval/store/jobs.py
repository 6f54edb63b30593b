"""The queue: which attachments are to be indexed, and who is at it.

A job is leased to one worker for a time, which the worker's heartbeat extends. A worker
that dies stops extending; its job is then anybody's. What a worker commits is fenced: the
commit checks, inside its own transaction, that the lease is still its own.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection
from dataclasses import dataclass

LEASE_S = 60.0


@dataclass(frozen=True, slots=True)
class Job:
    """A claimed unit of work."""

    n: int
    attachment_n: int
    attempts: int  # claims, this one included
    failures: int  # attempts that ended with an error
    owner: str


class Jobs:
    """The `jobs` table within one snapshot or transaction."""

    def __init__(self, connection: sqlite3.Connection, clock: Callable[[], float]) -> None:
        self._connection = connection
        self._clock = clock

    def enqueue(self, attachment_n: int, *, priority: int = 0) -> None:
        """Ask for an attachment to be indexed; a worker already at it will lose its fence.

        Args:
            attachment_n: row number of the attachment.
            priority: lower goes first.
        """
        self._connection.execute("DELETE FROM jobs WHERE attachment_n = ?", (attachment_n,))
        self._connection.execute(
            "INSERT INTO jobs (attachment_n, priority) VALUES (?, ?)", (attachment_n, priority)
        )

    def claim(self, owner: str) -> Job | None:
        """Lease the next job to `owner`, or None when nothing is due."""
        now = self._clock()
        row = self._connection.execute(
            "UPDATE jobs SET owner = ?1, lease_expires_at = ?2, attempts = attempts + 1"
            " WHERE n = (SELECT n FROM jobs WHERE run_after <= ?3"
            " AND (owner IS NULL OR lease_expires_at <= ?3) ORDER BY priority, n LIMIT 1)"
            " RETURNING n, attachment_n, attempts, failures",
            (owner, now + LEASE_S, now),
        ).fetchone()
        if row is None:
            return None
        n, attachment_n, attempts, failures = map(int, row)
        return Job(n, attachment_n, attempts, failures, owner)

    def extend(self, job: Job) -> bool:
        """Renew the lease; False when the job is no longer this worker's."""
        changed = self._connection.execute(
            "UPDATE jobs SET lease_expires_at = ? WHERE n = ? AND owner = ? AND attempts = ?",
            (self._clock() + LEASE_S, job.n, job.owner, job.attempts),
        )
        return changed.rowcount == 1

    def holds(self, job: Job) -> bool:
        """Whether the job is still this worker's: the fence of every commit."""
        row = self._connection.execute(
            "SELECT 1 FROM jobs WHERE n = ? AND owner = ? AND attempts = ?",
            (job.n, job.owner, job.attempts),
        ).fetchone()
        return row is not None

    def finish(self, attachment_n: int) -> None:
        """Take the job of an attachment off the queue."""
        self._connection.execute("DELETE FROM jobs WHERE attachment_n = ?", (attachment_n,))

    def retry_later(self, job: Job, *, delay_s: float) -> None:
        """Count a failure and give the job back, to be claimed again after `delay_s`."""
        self._connection.execute(
            "UPDATE jobs SET owner = NULL, lease_expires_at = NULL, run_after = ?,"
            " failures = failures + 1 WHERE n = ?",
            (self._clock() + delay_s, job.n),
        )

    def give_back(self, job: Job) -> None:
        """Return the job as if it had never been claimed."""
        self._connection.execute(
            "UPDATE jobs SET owner = NULL, lease_expires_at = NULL, attempts = attempts - 1"
            " WHERE n = ? AND owner = ? AND attempts = ?",
            (job.n, job.owner, job.attempts),
        )

    def owners(self) -> set[str]:
        """Every worker that holds a lease."""
        rows = self._connection.execute("SELECT DISTINCT owner FROM jobs WHERE owner IS NOT NULL")
        return {row[0] for row in rows}

    def release(self, owners: Collection[str]) -> None:
        """Free the leases of workers that are known to be dead."""
        self._connection.executemany(
            "UPDATE jobs SET owner = NULL, lease_expires_at = NULL WHERE owner = ?",
            [(owner,) for owner in owners],
        )

    def waiting(self) -> int:
        """How many attachments are queued or being indexed."""
        return int(self._connection.execute("SELECT count(*) FROM jobs").fetchone()[0])
