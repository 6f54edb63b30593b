"""Rows of chunks, windows and vectors: what one commit of a file puts in place."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import StoreBusy
from retrieval.store.prune import held_vectors, prune
from retrieval.types import Chunk, Place, Vectors, Window

_KEYS_AT_ONCE = 500  # below SQLite's limit on parameters, whatever its build


class Chunks:
    """The `chunks`, `windows` and `vectors` tables within one snapshot or transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def vectors(self, keys: Sequence[bytes]) -> dict[bytes, NDArray[np.float32]]:
        """The vectors that are known among `keys`, each `float32 (dim,)`, unit."""
        found: dict[bytes, NDArray[np.float32]] = {}
        for some in _batched(keys):
            marks = ",".join("?" * len(some))
            rows = self._connection.execute(
                f"SELECT key, vector FROM vectors WHERE key IN ({marks})",  # noqa: S608
                some,
            )
            found.update((key, np.frombuffer(vector, np.float32)) for key, vector in rows)
        return found

    def add_vectors(self, keys: Sequence[bytes], vectors: Vectors) -> None:
        """Remember vectors under their keys; known ones stay as they are."""
        self._connection.executemany(
            "INSERT INTO vectors (key, vector) VALUES (?, ?) ON CONFLICT (key) DO NOTHING",
            [(key, vector.tobytes()) for key, vector in zip(keys, vectors, strict=True)],
        )

    def replace(
        self,
        attachment_n: int,
        *,
        windows: Sequence[Window],
        keys: Sequence[bytes],
        chunks: Iterable[Chunk],
    ) -> None:
        """Put these windows and chunks in the place of the attachment's old ones.

        None of them needs to be in memory before it is its turn.

        Args:
            attachment_n: row number of the attachment.
            windows: in order.
            keys: the key of each window's vector, which must have been added.
            chunks: in order.

        Raises:
            StoreBusy: a vector is missing: what used it as well went, and took it along.
        """
        before = held_vectors(self._connection, attachment_n=attachment_n)
        for table in ("windows", "chunks"):
            self._connection.execute(
                f"DELETE FROM {table} WHERE attachment_n = ?",  # noqa: S608 - our own names
                (attachment_n,),
            )
        cursor = self._connection.executemany(
            "INSERT INTO windows SELECT ?, ?, ?, ?, ?, n FROM vectors WHERE key = ?",
            (
                (attachment_n, w.ordinal, w.start_char, w.end_char, w.n_tokens, key)
                for w, key in zip(windows, keys, strict=True)
            ),
        )
        if cursor.rowcount != len(windows) and len(windows):
            raise StoreBusy("Vectors that were saved ahead are gone.", retry_after_s=0.0)
        self.insert("chunks", attachment_n, chunks)
        prune(self._connection, vectors=before, documents=())

    def insert(self, table: str, attachment_n: int, chunks: Iterable[Chunk]) -> int:
        """Add rows to `chunks` or `new_chunks`, in place of any of the same; returns how many."""
        cursor = self._connection.executemany(
            f"INSERT OR REPLACE INTO {table} VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
            ((attachment_n, *_chunk_row(chunk)) for chunk in chunks),
        )
        return cursor.rowcount

    def get(self, attachment_n: int, ordinal: int) -> Chunk | None:
        """One chunk, or None."""
        cursor = self._connection.cursor()
        cursor.row_factory = sqlite3.Row
        row = cursor.execute(
            "SELECT * FROM chunks WHERE attachment_n = ? AND ordinal = ?", (attachment_n, ordinal)
        ).fetchone()
        return None if row is None else _chunk(row)

    def all(self, attachment_n: int) -> list[Chunk]:
        """Every chunk of an attachment, in order."""
        cursor = self._connection.cursor()
        cursor.row_factory = sqlite3.Row
        rows = cursor.execute(
            "SELECT * FROM chunks WHERE attachment_n = ? ORDER BY ordinal", (attachment_n,)
        )
        return [_chunk(row) for row in rows]


def _chunk_row(chunk: Chunk) -> tuple[int | str, ...]:
    return (
        chunk.ordinal,
        chunk.first_window,
        chunk.n_windows,
        chunk.start_char,
        chunk.end_char,
        chunk.n_tokens,
        json.dumps(chunk.place.as_dict(), ensure_ascii=False),
        json.dumps(chunk.heading_path, ensure_ascii=False),
    )


def _chunk(row: sqlite3.Row) -> Chunk:
    return Chunk(
        ordinal=row["ordinal"],
        first_window=row["first_window"],
        n_windows=row["n_windows"],
        start_char=row["start_char"],
        end_char=row["end_char"],
        n_tokens=row["n_tokens"],
        place=Place(**json.loads(row["place"])),
        heading_path=tuple(json.loads(row["heading_path"])),
    )


def _batched(keys: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for start in range(0, len(keys), _KEYS_AT_ONCE):
        yield keys[start : start + _KEYS_AT_ONCE]
