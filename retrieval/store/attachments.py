"""Rows of files in vector stores, and the commits that change them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from retrieval.errors import NotFound
from retrieval.store.paging import fetch_page
from retrieval.store.prune import held_documents, held_vectors, prune
from retrieval.types import (
    Attachment,
    AttachmentStatus,
    Attributes,
    ChunkingStrategy,
    Page,
    PageRequest,
)

_SELECT = (
    "SELECT a.n, v.id AS vector_store_id, f.id AS file_id, f.filename, a.created_at, a.status,"
    " a.usage_bytes, a.max_chunk_size_tokens, a.chunk_overlap_tokens, a.attributes,"
    " a.error_code, a.error_message, a.path, a.n_chunks"
    " FROM attachments a JOIN files f ON f.n = a.file_n"
    " JOIN vector_stores v ON v.n = a.vector_store_n"
)
# ?1 is the vector store; ?2 an error code and ?3 a file id, or NULL for any.
_FAILED = (
    "a.vector_store_n = ?1 AND a.status = 'failed' AND (?2 IS NULL OR a.error_code = ?2)"
    " AND (?3 IS NULL OR f.id = ?3)"
)


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A file that could not be indexed, with the reason: an entry of the dead-letter list."""

    file_id: str
    filename: str
    path: str | None
    code: str
    message: str
    n_attempts: int
    failed_at: int | None  # Unix seconds; None when an earlier version gave it up


class Attachments:
    """The `attachments` table within one snapshot or transaction.

    Every method that changes what a search may see raises the vector store's `seq`.
    """

    def __init__(self, connection: sqlite3.Connection, clock: Callable[[], float]) -> None:
        self._connection = connection
        self._clock = clock

    def put(
        self,
        vector_store_n: int,
        file_n: int,
        *,
        attributes: Attributes,
        chunking: ChunkingStrategy,
        path: str | None = None,
    ) -> int:
        """Attach a file, or set an attached one to be indexed again; returns the row number.

        An attached one keeps its chunks, and keeps serving them, until the new ones are
        committed; its attributes change at once.
        """
        row = self._connection.execute(
            "INSERT INTO attachments (vector_store_n, file_n, status, max_chunk_size_tokens,"
            " chunk_overlap_tokens, attributes, path, created_at)"
            " VALUES (?, ?, 'in_progress', ?, ?, ?, ?, ?)"
            " ON CONFLICT (vector_store_n, file_n) DO UPDATE SET status = 'in_progress',"
            " error_code = NULL, error_message = NULL, failed_at = NULL,"
            " max_chunk_size_tokens = excluded.max_chunk_size_tokens,"
            " chunk_overlap_tokens = excluded.chunk_overlap_tokens,"
            " attributes = excluded.attributes, path = coalesce(excluded.path, path)"
            " RETURNING n",
            (
                vector_store_n,
                file_n,
                chunking.max_chunk_size_tokens,
                chunking.chunk_overlap_tokens,
                json.dumps(dict(attributes), ensure_ascii=False),
                path,
                int(self._clock()),
            ),
        ).fetchone()
        self._raise_seq(int(row[0]))
        return int(row[0])

    def complete(self, number: int, *, document_n: int, usage_bytes: int, n_chunks: int) -> int:
        """Make the chunks that were just written the ones that count; returns the `seq`."""
        seq = self._raise_seq(number)
        self._connection.execute(
            "UPDATE attachments SET status = 'completed', error_code = NULL,"
            " error_message = NULL, failed_at = NULL, document_n = ?, usage_bytes = ?, n_chunks = ?,"
            " content_seq = ? WHERE n = ?",
            (document_n, usage_bytes, n_chunks, seq, number),
        )
        return seq

    def fail(self, number: int, *, code: str, message: str, n_attempts: int = 1) -> None:
        """Record why it could not be indexed, now and after so many attempts."""
        self._connection.execute(
            "UPDATE attachments SET status = 'failed', error_code = ?, error_message = ?,"
            " n_attempts = ?, failed_at = ? WHERE n = ?",
            (code, message, n_attempts, int(self._clock()), number),
        )

    def failed(
        self, vector_store_n: int, *, file_id: str | None = None, code: str | None = None
    ) -> list[GivenUp]:
        """Files that were given up, oldest attachment first; only this file, or of this code."""
        rows = self._connection.execute(
            "SELECT f.id, f.filename, a.path, a.error_code, a.error_message, a.n_attempts,"  # noqa: S608
            f" a.failed_at FROM attachments a JOIN files f ON f.n = a.file_n WHERE {_FAILED}"
            " ORDER BY a.n",
            (vector_store_n, code, file_id),
        )
        return [GivenUp(*row) for row in rows]

    def retry(
        self, vector_store_n: int, *, file_id: str | None = None, code: str | None = None
    ) -> list[int]:
        """Set what `failed` lists in progress again; returns the row numbers, to be queued."""
        rows = self._connection.execute(
            "UPDATE attachments SET status = 'in_progress', error_code = NULL,"  # noqa: S608
            " error_message = NULL, failed_at = NULL WHERE n IN (SELECT a.n FROM attachments a"
            f" JOIN files f ON f.n = a.file_n WHERE {_FAILED}) RETURNING n",
            (vector_store_n, code, file_id),
        ).fetchall()
        return sorted(int(row[0]) for row in rows)

    def cancel(self, number: int) -> None:
        """Stop waiting for it, if it is still in progress."""
        self._connection.execute(
            "UPDATE attachments SET status = 'cancelled' WHERE n = ? AND status = 'in_progress'",
            (number,),
        )

    def set_attributes(self, number: int, attributes: Attributes) -> None:
        """Replace the whole map; the next search sees it, nothing is embedded anew."""
        self._connection.execute(
            "UPDATE attachments SET attributes = ? WHERE n = ?",
            (json.dumps(dict(attributes), ensure_ascii=False), number),
        )
        self._raise_seq(number)

    def remove(self, number: int) -> None:
        """Take the file out of its vector store: chunks, windows, job and counts with it."""
        seq = self._raise_seq(number)
        self._connection.execute(
            "INSERT INTO detachments SELECT a.n, a.vector_store_n, f.id, ?"
            " FROM attachments a JOIN files f ON f.n = a.file_n WHERE a.n = ?",
            (seq, number),
        )
        vectors = held_vectors(self._connection, attachment_n=number)
        documents = held_documents(self._connection, attachment_n=number)
        self._connection.execute("DELETE FROM attachments WHERE n = ?", (number,))
        prune(self._connection, vectors=vectors, documents=documents)

    def remove_all(self, vector_store_n: int) -> None:
        """Take every file out of a vector store, as `remove` does one by one."""
        row = self._connection.execute(
            "UPDATE vector_stores SET seq = seq + 1 WHERE n = ? RETURNING seq", (vector_store_n,)
        ).fetchone()
        self._connection.execute(
            "INSERT INTO detachments SELECT a.n, a.vector_store_n, f.id, ?"
            " FROM attachments a JOIN files f ON f.n = a.file_n WHERE a.vector_store_n = ?",
            (row[0], vector_store_n),
        )
        vectors = held_vectors(self._connection, store_n=vector_store_n)
        documents = held_documents(self._connection, store_n=vector_store_n)
        self._connection.execute(
            "DELETE FROM attachments WHERE vector_store_n = ?", (vector_store_n,)
        )
        prune(self._connection, vectors=vectors, documents=documents)

    def get(self, vector_store_id: str, file_id: str) -> Attachment:
        """The file in this vector store, or NotFound (of the store, or of the file in it)."""
        return _attachment(self._row(vector_store_id, file_id))

    def number(self, vector_store_id: str, file_id: str) -> int:
        """Its row number; NotFound like `get`."""
        return int(self._row(vector_store_id, file_id)["n"])

    def numbers(self, vector_store_n: int, file_ids: Sequence[str]) -> dict[str, int]:
        """Row numbers of files of a vector store by id; those not in it are left out."""
        rows = self._connection.execute(
            "SELECT f.id, a.n FROM json_each(?2) wanted JOIN files f ON f.id = wanted.value"
            " JOIN attachments a ON a.file_n = f.n AND a.vector_store_n = ?1",
            (vector_store_n, json.dumps(list(file_ids))),
        )
        return {str(id): int(n) for id, n in rows}

    def by_number(self, number: int) -> Attachment:
        """The attachment in row `number`, or NotFound when it was removed meanwhile."""
        row = self._one(f"{_SELECT} WHERE a.n = ?", (number,))
        if row is None:
            raise NotFound("vector_store_file", str(number))
        return _attachment(row)

    def page(
        self,
        vector_store_n: int,
        request: PageRequest,
        *,
        status: AttachmentStatus | None = None,
        batch_n: int | None = None,
    ) -> Page[Attachment]:
        """A page of a vector store's files, or of one of its batches' files."""
        select, where = _SELECT, [("a.vector_store_n = ?", vector_store_n)]
        conditions: list[tuple[str, Any]] = [*where]
        if batch_n is not None:
            select = f"{_SELECT} JOIN batch_files b ON b.attachment_n = a.n"
            conditions.append(("b.batch_n = ?", batch_n))
        if status is not None:
            conditions.append(("a.status = ?", status))
        return fetch_page(
            self._connection,
            select=select,
            where=conditions,
            request=request,
            number="a.n",
            cursor=lambda id: self._cursor(vector_store_n, id),
            build=_attachment,
        )

    def of_file(self, file_id: str) -> list[int]:
        """Row numbers of every attachment of a file."""
        rows = self._connection.execute(
            "SELECT a.n FROM attachments a JOIN files f ON f.n = a.file_n WHERE f.id = ?",
            (file_id,),
        )
        return [int(row[0]) for row in rows]

    def stores_of(self, file_id: str) -> set[str]:
        """Ids of the vector stores that a file is in."""
        rows = self._connection.execute(
            "SELECT v.id FROM attachments a JOIN files f ON f.n = a.file_n"
            " JOIN vector_stores v ON v.n = a.vector_store_n WHERE f.id = ?",
            (file_id,),
        )
        return {row[0] for row in rows}

    def replaced_by(self, number: int) -> list[tuple[int, str]]:
        """Older attachments under the path of this one, as (row number, file id)."""
        rows = self._connection.execute(
            "SELECT old.n, f.id FROM attachments new JOIN attachments old"
            " ON old.vector_store_n = new.vector_store_n AND old.path = new.path"
            " AND old.n < new.n JOIN files f ON f.n = old.file_n WHERE new.n = ?",
            (number,),
        )
        return [(int(row[0]), str(row[1])) for row in rows]

    def _raise_seq(self, number: int) -> int:
        row = self._connection.execute(
            "UPDATE vector_stores SET seq = seq + 1 WHERE n ="
            " (SELECT vector_store_n FROM attachments WHERE n = ?) RETURNING seq",
            (number,),
        ).fetchone()
        seq = int(row[0])
        self._connection.execute("UPDATE attachments SET seq = ? WHERE n = ?", (seq, number))
        return seq

    def _row(self, vector_store_id: str, file_id: str) -> sqlite3.Row:
        row = self._one(f"{_SELECT} WHERE v.id = ? AND f.id = ?", (vector_store_id, file_id))
        if row is not None:
            return row
        if self._one("SELECT n FROM vector_stores WHERE id = ?", (vector_store_id,)) is None:
            raise NotFound("vector_store", vector_store_id)
        raise NotFound("vector_store_file", file_id, within=vector_store_id)

    def _one(self, sql: str, parameters: tuple[Any, ...]) -> sqlite3.Row | None:
        cursor = self._connection.cursor()
        cursor.row_factory = sqlite3.Row
        row: sqlite3.Row | None = cursor.execute(sql, parameters).fetchone()
        return row

    def _cursor(self, vector_store_n: int, file_id: str) -> int | None:
        row = self._connection.execute(
            "SELECT max(n) FROM (SELECT a.n FROM attachments a JOIN files f ON f.n = a.file_n"
            " WHERE a.vector_store_n = ?1 AND f.id = ?2 UNION ALL SELECT attachment_n"
            " FROM detachments WHERE vector_store_n = ?1 AND file_id = ?2)",
            (vector_store_n, file_id),
        ).fetchone()
        return None if row[0] is None else int(row[0])


def _chunking(row: sqlite3.Row) -> ChunkingStrategy:
    return ChunkingStrategy(row["max_chunk_size_tokens"], row["chunk_overlap_tokens"])


def _attachment(row: sqlite3.Row) -> Attachment:
    return Attachment(
        vector_store_id=row["vector_store_id"],
        file_id=row["file_id"],
        filename=row["filename"],
        created_at=row["created_at"],
        status=row["status"],
        usage_bytes=row["usage_bytes"],
        chunking=_chunking(row),
        attributes=json.loads(row["attributes"]),
        error_code=row["error_code"],
        error_message=row["error_message"],
        path=row["path"],
        n_chunks=row["n_chunks"],
    )
