"""Rows of file batches. A batch's own record of its files outlives their attachments."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence

from retrieval.errors import NotFound
from retrieval.ids import new_id
from retrieval.types import AttachmentStatus, Batch, FileCounts


class Batches:
    """The `batches` and `batch_files` tables within one snapshot or transaction."""

    def __init__(self, connection: sqlite3.Connection, clock: Callable[[], float]) -> None:
        self._connection = connection
        self._clock = clock

    def add(self, vector_store_n: int, attachments: Sequence[int]) -> str:
        """Insert a batch of attachments that are all in progress; returns its id."""
        id = new_id("batch")
        cursor = self._connection.execute(
            "INSERT INTO batches (id, vector_store_n, created_at) VALUES (?, ?, ?)",
            (id, vector_store_n, int(self._clock())),
        )
        self._connection.executemany(
            "INSERT INTO batch_files VALUES (?, ?, 'in_progress')",
            [(cursor.lastrowid, number) for number in attachments],
        )
        return id

    def get(self, vector_store_id: str, id: str) -> Batch:
        """The batch of this id in this vector store, or NotFound."""
        number, created_at, cancelled = self._row(vector_store_id, id)
        counts = self._counts(number)
        return Batch(id, vector_store_id, created_at, _status(counts, cancelled), counts)

    def number(self, vector_store_id: str, id: str) -> int:
        """Its row number; NotFound like `get`."""
        return self._row(vector_store_id, id)[0]

    def cancel(self, number: int) -> list[int]:
        """Cancel what has not ended; returns the attachments that were still in progress."""
        self._connection.execute("UPDATE batches SET cancelled = 1 WHERE n = ?", (number,))
        rows = self._connection.execute(
            "UPDATE batch_files SET status = 'cancelled'"
            " WHERE batch_n = ? AND status = 'in_progress' RETURNING attachment_n",
            (number,),
        ).fetchall()
        return [int(row[0]) for row in rows]

    def settle(self, attachment_n: int, status: AttachmentStatus) -> None:
        """Record an attachment's end in every batch that still waits for it."""
        self._connection.execute(
            "UPDATE batch_files SET status = ? WHERE attachment_n = ? AND status = 'in_progress'",
            (status, attachment_n),
        )

    def settle_all(self, vector_store_n: int, status: AttachmentStatus) -> None:
        """Record the end of everything that the batches of a vector store still wait for."""
        self._connection.execute(
            "UPDATE batch_files SET status = ? WHERE status = 'in_progress' AND batch_n IN"
            " (SELECT n FROM batches WHERE vector_store_n = ?)",
            (status, vector_store_n),
        )

    def _row(self, vector_store_id: str, id: str) -> tuple[int, int, bool]:
        store = self._connection.execute(
            "SELECT n FROM vector_stores WHERE id = ?", (vector_store_id,)
        ).fetchone()
        if store is None:
            raise NotFound("vector_store", vector_store_id)
        row = self._connection.execute(
            "SELECT n, created_at, cancelled FROM batches WHERE id = ? AND vector_store_n = ?",
            (id, store[0]),
        ).fetchone()
        if row is None:
            raise NotFound("batch", id, within=vector_store_id)
        return int(row[0]), int(row[1]), bool(row[2])

    def _counts(self, number: int) -> FileCounts:
        rows = self._connection.execute(
            "SELECT status, count(*) FROM batch_files WHERE batch_n = ? GROUP BY status",
            (number,),
        ).fetchall()
        by_status = {str(status): int(count) for status, count in rows}
        return FileCounts(**by_status, total=sum(by_status.values()))


def _status(counts: FileCounts, cancelled: bool) -> AttachmentStatus:  # noqa: FBT001
    if cancelled:
        return "cancelled"
    if counts.in_progress:
        return "in_progress"
    return "failed" if counts.failed == counts.total else "completed"
