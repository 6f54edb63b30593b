"""What stands under the relative paths of indexed folders, and what the files looked like."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from retrieval.types import AttachmentStatus, Attributes


@dataclass(frozen=True, slots=True)
class Source:
    """What a vector store holds under a relative path, and the file it was made of."""

    attachment_n: int
    file_id: str
    sha256: str
    status: AttachmentStatus
    error_code: str | None
    error_message: str | None
    is_served: bool  # searches find it, or an earlier state of it
    attributes: Attributes
    mtime_ns: int | None  # None: not known well enough to tell by it whether the file changed
    n_bytes: int | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an attachment that is not in progress any more."""

    status: AttachmentStatus
    error_code: str | None
    error_message: str | None
    n_bytes: int
    n_chunks: int
    n_windows: int
    n_tokens: int  # of its windows


class Sources:
    """Attachments by relative path within one snapshot or transaction.

    Lookups of many rows go by one statement each, so that a tree of a hundred thousand files
    is compared in seconds.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def at(self, vector_store_n: int, paths: Iterable[str]) -> dict[str, list[Source]]:
        """What stands under each of `paths`, oldest first; paths without anything are left out."""
        rows = self._connection.execute(
            "SELECT a.path, a.n, f.id, f.sha256, a.status, a.error_code, a.error_message,"
            " a.content_seq > 0, a.attributes, a.source_mtime_ns, a.source_bytes"
            " FROM json_each(?1) wanted"
            " CROSS JOIN attachments a ON a.vector_store_n = ?2 AND a.path = wanted.value"
            " CROSS JOIN files f ON f.n = a.file_n ORDER BY a.n",
            (json.dumps(list(paths)), vector_store_n),
        )
        found: dict[str, list[Source]] = {}
        for path, n, file_id, sha256, status, code, message, is_served, labels, *looks in rows:
            mtime_ns, n_bytes = looks
            source = Source(
                attachment_n=n,
                file_id=file_id,
                sha256=sha256,
                status=status,
                error_code=code,
                error_message=message,
                is_served=bool(is_served),
                attributes=json.loads(labels),
                mtime_ns=mtime_ns,
                n_bytes=n_bytes,
            )
            found.setdefault(path, []).append(source)
        return found

    def below(self, vector_store_n: int, path: str) -> list[tuple[str, int, str]]:
        """Every (path, attachment row, file id) at `path` or, if that was a folder, below it."""
        rows = self._connection.execute(
            "SELECT a.path, a.n, f.id FROM attachments a JOIN files f ON f.n = a.file_n"
            " WHERE a.vector_store_n = ?1 AND a.path IS NOT NULL"
            " AND (a.path = ?2 OR (a.path > ?2 || '/' AND a.path < ?2 || '0'))",  # '0' is next to '/'
            (vector_store_n, path),
        )
        return [(str(path), int(n), str(file_id)) for path, n, file_id in rows]

    def all(self, vector_store_n: int) -> list[tuple[str, int, str]]:
        """Every (path, attachment row, file id) that was indexed under a path."""
        rows = self._connection.execute(
            "SELECT a.path, a.n, f.id FROM attachments a JOIN files f ON f.n = a.file_n"
            " WHERE a.vector_store_n = ? AND a.path IS NOT NULL",
            (vector_store_n,),
        )
        return [(str(path), int(n), str(file_id)) for path, n, file_id in rows]

    def note(self, looks: Iterable[tuple[int, int | None, int]]) -> None:
        """Remember of each (attachment row, mtime in ns or None, bytes) what its file looked like."""
        self._connection.executemany(
            "UPDATE attachments SET source_mtime_ns = ?2, source_bytes = ?3 WHERE n = ?1", looks
        )

    def outcomes(self, numbers: Sequence[int]) -> dict[int, Outcome | None]:
        """By row number what became of attachments: None when the row is gone.

        Those still in progress are left out. The cost is that of `numbers`, however many
        files the vector store has.
        """
        rows = self._connection.execute(
            "SELECT wanted.value, a.status, a.error_code, a.error_message, f.n_bytes, a.n_chunks,"
            " (SELECT count(*) FROM windows w WHERE w.attachment_n = a.n),"
            " (SELECT coalesce(sum(n_tokens), 0) FROM windows w WHERE w.attachment_n = a.n)"
            " FROM json_each(?) wanted LEFT JOIN attachments a ON a.n = wanted.value"
            " LEFT JOIN files f ON f.n = a.file_n"
            " WHERE a.status IS NULL OR a.status <> 'in_progress'",
            (json.dumps(list(numbers)),),
        )
        return {int(n): None if found[0] is None else Outcome(*found) for n, *found in rows}
