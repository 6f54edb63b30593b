"""Rows of vector stores."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping

from retrieval.errors import NotFound
from retrieval.ids import new_id
from retrieval.store.paging import fetch_page
from retrieval.store.prune import held_documents, held_vectors, prune
from retrieval.types import FileCounts, Page, PageRequest, VectorStore

_SELECT = (
    "SELECT n, id, name, description, created_at, last_active_at, expires_after_days, metadata,"
    " model_id, seq, usage_bytes, n_in_progress, n_completed, n_failed, n_cancelled, expired_at"
    " FROM vector_stores"
)
_DAY_S = 86_400


class VectorStores:
    """The `vector_stores` table within one snapshot or transaction."""

    def __init__(self, connection: sqlite3.Connection, clock: Callable[[], float]) -> None:
        self._connection = connection
        self._clock = clock

    def add(
        self,
        *,
        name: str | None,
        description: str | None,
        expires_after_days: int | None,
        metadata: Mapping[str, str],
        model_id: str,
    ) -> str:
        """Insert an empty vector store and return its id."""
        id, now = new_id("vector_store"), int(self._clock())
        self._connection.execute(
            "INSERT INTO vector_stores (id, name, description, created_at, last_active_at,"
            " expires_after_days, metadata, model_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (id, name, description, now, now, expires_after_days, _json(metadata), model_id),
        )
        return id

    def get(self, id: str) -> VectorStore:
        """The vector store of this id, or NotFound."""
        return self._build(self._row(id))

    def number(self, id: str) -> int:
        """The row number of a vector store, or NotFound."""
        return int(self._row(id)["n"])

    def named(self, name: str) -> list[VectorStore]:
        """Every vector store of this name, oldest first."""
        cursor = self._connection.cursor()
        cursor.row_factory = sqlite3.Row
        rows = cursor.execute(f"{_SELECT} WHERE name = ? ORDER BY n", (name,)).fetchall()
        return [self._build(row) for row in rows]

    def model_ids(self) -> set[str]:
        """Every embedding model that some vector store is of."""
        rows = self._connection.execute("SELECT DISTINCT model_id FROM vector_stores")
        return {str(row[0]) for row in rows}

    def page(self, request: PageRequest) -> Page[VectorStore]:
        """A page of vector stores."""
        return fetch_page(
            self._connection,
            select=_SELECT,
            where=[],
            request=request,
            number="n",
            cursor=self._cursor,
            build=self._build,
        )

    def set_name(self, id: str, name: str | None) -> None:
        """Change or clear the name."""
        self._set(id, "name", name)

    def set_expiry(self, id: str, days: int | None) -> None:
        """Change or clear after how many idle days it expires."""
        self._set(id, "expires_after_days", days)

    def set_metadata(self, id: str, metadata: Mapping[str, str]) -> None:
        """Replace the whole map."""
        self._set(id, "metadata", _json(metadata))

    def touch(self, id: str) -> None:
        """Note that it is in use now."""
        self._set(id, "last_active_at", int(self._clock()))

    def due(self) -> list[str]:
        """Ids of vector stores that nobody used for too long, but whose files are still there."""
        rows = self._connection.execute(
            "SELECT id FROM vector_stores WHERE expires_after_days IS NOT NULL"
            " AND expired_at IS NULL AND last_active_at + expires_after_days * 86400 <= ?",
            (self._clock(),),
        )
        return [row[0] for row in rows.fetchall()]

    def expire(self, id: str) -> int:
        """Note for good that it has expired; returns its row number."""
        self._set(id, "expired_at", int(self._clock()))
        return self.number(id)

    def next_seq(self, number: int) -> int:
        """Count one more commit of the vector store in row `number`.

        The row is locked until the transaction ends, so commit order is `seq` order.
        """
        row = self._connection.execute(
            "UPDATE vector_stores SET seq = seq + 1 WHERE n = ? RETURNING seq", (number,)
        ).fetchone()
        return int(row[0])

    def remove(self, id: str) -> None:
        """Delete the vector store and everything in it; files stay. Its place is kept."""
        number = self.number(id)
        self._connection.execute("INSERT INTO deleted VALUES ('vector_store', ?, ?)", (id, number))
        vectors = held_vectors(self._connection, store_n=number)
        documents = held_documents(self._connection, store_n=number)
        self._connection.execute("DELETE FROM vector_stores WHERE n = ?", (number,))
        prune(self._connection, vectors=vectors, documents=documents)

    def _set(self, id: str, column: str, value: str | int | None) -> None:
        changed = self._connection.execute(
            f"UPDATE vector_stores SET {column} = ? WHERE id = ?",  # noqa: S608 - our own names
            (value, id),
        )
        if changed.rowcount == 0:
            raise NotFound("vector_store", id)

    def _row(self, id: str) -> sqlite3.Row:
        cursor = self._connection.cursor()
        cursor.row_factory = sqlite3.Row
        row: sqlite3.Row | None = cursor.execute(f"{_SELECT} WHERE id = ?", (id,)).fetchone()
        if row is None:
            raise NotFound("vector_store", id)
        return row

    def _cursor(self, id: str) -> int | None:
        row = self._connection.execute(
            "SELECT n FROM vector_stores WHERE id = ?1 UNION ALL"
            " SELECT n FROM deleted WHERE kind = 'vector_store' AND id = ?1",
            (id,),
        ).fetchone()
        return None if row is None else int(row[0])

    def _build(self, row: sqlite3.Row) -> VectorStore:
        days = row["expires_after_days"]
        expires_at = None if days is None else row["last_active_at"] + days * _DAY_S
        return VectorStore(
            id=row["id"],
            name=row["name"],
            description=row["description"],
            created_at=row["created_at"],
            last_active_at=row["last_active_at"],
            expires_after_days=days,
            expires_at=expires_at,
            usage_bytes=row["usage_bytes"],
            counts=_counts(row),
            metadata=json.loads(row["metadata"]),
            expired=row["expired_at"] is not None
            or (expires_at is not None and expires_at <= self._clock()),
            model_id=row["model_id"],
            seq=row["seq"],
        )


def _counts(row: sqlite3.Row) -> FileCounts:
    by_status = {
        "in_progress": row["n_in_progress"],
        "completed": row["n_completed"],
        "failed": row["n_failed"],
        "cancelled": row["n_cancelled"],
    }
    return FileCounts(**by_status, total=sum(by_status.values()))


def _json(value: Mapping[str, str]) -> str:
    return json.dumps(dict(value), ensure_ascii=False)
