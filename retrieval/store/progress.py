"""How far indexing is: of one file, and of files that belong together."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from retrieval.store.jobs import BULK

QUEUED: Final = "queued"  # nobody is at it yet
PARSING: Final = "parsing"
CUTTING: Final = "cutting"
EMBEDDING: Final = "embedding"
COMMITTING: Final = "committing"

_JOB: Final = (
    "CASE WHEN j.owner IS NULL THEN 'queued' ELSE coalesce(j.stage, 'parsing') END AS stage"
)
_OF_FILES: Final = (
    f"SELECT a.n, a.status, f.n_bytes, {_JOB}, j.n_done, j.n_total, j.priority,"  # noqa: S608
    " coalesce(j.n_pages, d.n_pages) AS n_pages, coalesce(j.attempts, a.n_attempts) AS n_attempts,"
    " coalesce(j.failures, 0) AS n_failures, nullif(j.run_after, 0) AS retry_at, a.failed_at,"
    " a.n_chunks FROM json_each(?) wanted"
    " JOIN attachments a ON a.n = wanted.value JOIN files f ON f.n = a.file_n"
    " LEFT JOIN jobs j ON j.attachment_n = a.n LEFT JOIN documents d ON d.n = a.document_n"
)
_ENDED: Final = (
    " SELECT count(*), coalesce(sum(f.n_bytes), 0),"
    " coalesce(sum(f.n_bytes) FILTER (WHERE a.status <> 'in_progress'), 0),"
    " coalesce(sum(a.n_chunks), 0)"
    " FROM wanted w JOIN attachments a ON a.n = w.n JOIN files f ON f.n = a.file_n"
)
# A file that is being embedded counts by its share of windows, one being committed as a whole.
_AT_WORK: Final = (
    f" SELECT {_JOB}, count(*), sum(j.n_done), sum(j.n_total), sum(CASE j.stage"  # noqa: S608
    "  WHEN 'embedding' THEN f.n_bytes * j.n_done / max(j.n_total, 1)"
    "  WHEN 'committing' THEN f.n_bytes ELSE 0 END)"
    " FROM wanted w JOIN jobs j ON j.attachment_n = w.n"
    " JOIN attachments a ON a.n = w.n JOIN files f ON f.n = a.file_n GROUP BY 1"
)


@dataclass(frozen=True, slots=True)
class FileProgress:
    """How far one file is in one vector store: `n_done` of `n_total` units of `stage`.

    The units are pages while it is cut, windows while they are embedded, and chunks from then on.
    """

    stage: str  # queued, parsing, cutting, embedding, committing; then the attachment's status
    n_done: int
    n_total: int  # 0: not known
    n_bytes: int
    n_pages: int | None
    priority: int | None  # None when it is not in the queue
    n_attempts: int
    n_failures: int  # attempts that ended with an error, and did not count as the last
    retry_at: float | None  # Unix seconds before which it is not tried again
    failed_at: int | None  # when it was given up


@dataclass(frozen=True, slots=True)
class GroupProgress:
    """How far files are that were attached together."""

    n_files: int  # still in the vector store
    stages: Mapping[str, int]  # how many are in which stage, of those in progress
    n_bytes: int
    n_bytes_done: int
    n_windows: int  # of the files being embedded just now
    n_windows_done: int
    n_chunks: int  # searchable


@dataclass(frozen=True, slots=True)
class AtWork:
    """A file that a worker is at."""

    vector_store_id: str
    file_id: str
    filename: str
    progress: FileProgress


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many files nobody is at yet."""

    interactive: int  # that somebody waits for
    bulk: int
    to_be_retried: int  # of both, after a failure


class Progress:
    """Reads `jobs` and `attachments` within one snapshot."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def of_files(self, numbers: Sequence[int]) -> dict[int, FileProgress]:
        """By row number how far attachments are; those that are gone are left out."""
        cursor = self._connection.cursor()
        cursor.row_factory = sqlite3.Row
        rows = cursor.execute(_OF_FILES, (json.dumps(list(numbers)),))
        return {int(row["n"]): _file(row) for row in rows}

    def of_batch(self, batch_n: int) -> GroupProgress:
        """How far the files of a batch are."""
        return self._of("SELECT attachment_n AS n FROM batch_files WHERE batch_n = ?", batch_n)

    def of_group(self, numbers: Sequence[int]) -> GroupProgress:
        """How far these attachments are together; the cost is that of `numbers`."""
        return self._of("SELECT value AS n FROM json_each(?)", json.dumps(list(numbers)))

    def of_store(self, vector_store_n: int) -> GroupProgress:
        """How far a whole vector store is."""
        return self._of("SELECT n FROM attachments WHERE vector_store_n = ?", vector_store_n)

    def at_work(self) -> list[AtWork]:
        """Every job that a worker holds, the oldest first."""
        rows = self._connection.execute(
            "SELECT j.attachment_n, v.id, f.id, f.filename FROM jobs j"
            " JOIN attachments a ON a.n = j.attachment_n JOIN files f ON f.n = a.file_n"
            " JOIN vector_stores v ON v.n = a.vector_store_n"
            " WHERE j.owner IS NOT NULL ORDER BY +j.n"  # +: not through all that waits
        ).fetchall()
        found = self.of_files([row[0] for row in rows])
        return [AtWork(store, id, name, found[n]) for n, store, id, name in rows]

    def waiting(self) -> Waiting:
        """How much work is queued; reads an index, and takes longer the more there is."""
        row = self._connection.execute(
            "SELECT count(*) FILTER (WHERE priority < ?1), count(*) FILTER (WHERE priority >= ?1),"
            " (SELECT count(*) FROM jobs WHERE run_after > 0)"
            " FROM jobs WHERE owner IS NULL AND run_after = 0",
            (BULK,),
        ).fetchone()
        return Waiting(*row)

    def _of(self, wanted: str, parameter: int | str) -> GroupProgress:
        given = (parameter,)
        with_wanted = f"WITH wanted AS ({wanted})"
        n_files, n_bytes, n_ended, n_chunks = self._connection.execute(
            with_wanted + _ENDED, given
        ).fetchone()
        at_work = self._connection.execute(with_wanted + _AT_WORK, given).fetchall()
        stages = {str(stage): int(count) for stage, count, *_ in at_work}
        windows = [row[2:4] for row in at_work if row[0] == EMBEDDING]
        return GroupProgress(
            n_files=n_files,
            stages=stages,
            n_bytes=n_bytes,
            n_bytes_done=n_ended + sum(row[4] for row in at_work),
            n_windows=sum(total for _, total in windows),
            n_windows_done=sum(done for done, _ in windows),
            n_chunks=n_chunks,
        )


def _file(row: sqlite3.Row) -> FileProgress:
    ended = row["status"] != "in_progress"
    return FileProgress(
        stage=row["status"] if ended else row["stage"],
        n_done=row["n_chunks"] if ended else row["n_done"] or 0,
        n_total=row["n_chunks"] if ended else row["n_total"] or 0,
        n_bytes=row["n_bytes"],
        n_pages=row["n_pages"],
        priority=row["priority"],
        n_attempts=row["n_attempts"],
        n_failures=row["n_failures"],
        retry_at=row["retry_at"],
        failed_at=row["failed_at"],
    )
