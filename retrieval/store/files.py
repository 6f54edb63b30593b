"""Rows of uploaded files."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence

from retrieval.errors import NotFound
from retrieval.ids import new_id
from retrieval.store.paging import fetch_page
from retrieval.types import Blob, File, Page, PageRequest

_SELECT = "SELECT n, id, filename, purpose, n_bytes, sha256, created_at, expires_at FROM files"


class Files:
    """The `files` table within one snapshot or transaction."""

    def __init__(self, connection: sqlite3.Connection, clock: Callable[[], float]) -> None:
        self._connection = connection
        self._clock = clock

    def add(
        self,
        blob: Blob,
        *,
        filename: str,
        purpose: str,
        expires_after_s: int | None,
        created_at: int | None = None,
    ) -> File:
        """Insert a file; its blob must be published in the same transaction."""
        now = int(self._clock()) if created_at is None else created_at
        file = File(
            id=new_id("file"),
            filename=filename,
            purpose=purpose,
            n_bytes=blob.n_bytes,
            sha256=blob.sha256,
            created_at=now,
            expires_at=None if expires_after_s is None else now + expires_after_s,
        )
        self._connection.execute(
            "INSERT INTO files (id, filename, purpose, n_bytes, sha256, created_at, expires_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                file.id,
                file.filename,
                file.purpose,
                file.n_bytes,
                file.sha256,
                file.created_at,
                file.expires_at,
            ),
        )
        return file

    def get(self, id: str) -> File:
        """The file of this id.

        Raises:
            NotFound: there is none, or it has expired.
        """
        row = self._row(id)
        file = _file(row)
        if file.expires_at is not None and file.expires_at <= self._clock():
            raise NotFound("file", id)
        return file

    def number(self, id: str) -> int:
        """The row number of a file; NotFound like `get`."""
        return int(self._row(id)["n"])

    def missing(self, ids: Sequence[str]) -> list[str]:
        """Those of `ids` that name no file, in order."""
        return [id for id in ids if not self._exists(id)]

    def page(self, request: PageRequest, *, purpose: str | None) -> Page[File]:
        """A page of the files that have not expired."""
        where: list[tuple[str, object]] = [
            ("(expires_at IS NULL OR expires_at > ?)", self._clock())
        ]
        if purpose is not None:
            where.append(("purpose = ?", purpose))
        return fetch_page(
            self._connection,
            select=_SELECT,
            where=where,
            request=request,
            number="n",
            cursor=self._cursor,
            build=_file,
        )

    def remove(self, id: str) -> str:
        """Delete the row, keeping its place for cursors; returns the hash of its blob.

        It must not be attached anywhere.
        """
        sha256 = str(self._row(id)["sha256"])
        self._connection.execute(
            "INSERT INTO deleted SELECT 'file', id, n FROM files WHERE id = ?", (id,)
        )
        self._connection.execute("DELETE FROM files WHERE id = ?", (id,))
        return sha256

    def uses(self, sha256: str) -> int:
        """How many files have these bytes."""
        found = self._connection.execute(
            "SELECT count(*) FROM files WHERE sha256 = ?", (sha256,)
        ).fetchone()
        return int(found[0])

    def hashes(self) -> set[str]:
        """Every blob that some file names."""
        return {row[0] for row in self._connection.execute("SELECT sha256 FROM files")}

    def expired(self) -> list[str]:
        """Ids of files whose time is over but whose rows are still there."""
        rows = self._connection.execute(
            "SELECT id FROM files WHERE expires_at <= ?", (self._clock(),)
        )
        return [row[0] for row in rows.fetchall()]

    def _exists(self, id: str) -> bool:
        try:
            self.get(id)
        except NotFound:
            return False
        return True

    def _row(self, id: str) -> sqlite3.Row:
        cursor = self._connection.cursor()
        cursor.row_factory = sqlite3.Row
        row: sqlite3.Row | None = cursor.execute(f"{_SELECT} WHERE id = ?", (id,)).fetchone()
        if row is None:
            raise NotFound("file", id)
        return row

    def _cursor(self, id: str) -> int | None:
        row = self._connection.execute(
            "SELECT n FROM files WHERE id = ?1 UNION ALL"
            " SELECT n FROM deleted WHERE kind = 'file' AND id = ?1",
            (id,),
        ).fetchone()
        return None if row is None else int(row[0])


def _file(row: sqlite3.Row) -> File:
    return File(
        id=row["id"],
        filename=row["filename"],
        purpose=row["purpose"],
        n_bytes=row["n_bytes"],
        sha256=row["sha256"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
    )
