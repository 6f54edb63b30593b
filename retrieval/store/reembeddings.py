"""A vector store's way to another embedding model: new rows beside the old, then all at once.

While it lasts searches and commits go on with the old rows. What was prepared for a file counts
as long as the file's content is the one it was made of; the switch is refused while any file's is
not, so that nothing indexed meanwhile is lost.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from retrieval.errors import NotFound, StoreBusy
from retrieval.store.chunks import Chunks
from retrieval.store.prune import held_vectors, prune
from retrieval.types import Chunk, ChunkingStrategy, Vectors, Window

_FLOAT32_BYTES = 4
_OWN = (
    "attachment_n IN (SELECT n FROM attachments WHERE vector_store_n ="
    " (SELECT n FROM vector_stores WHERE id = ?))"
)


@dataclass(frozen=True, slots=True)
class Content:
    """A file whose windows are to be made anew, and what they are made of."""

    attachment_n: int
    content_seq: int
    filename: str
    chunking: ChunkingStrategy
    document_key: str


class Superseded(StoreBusy):
    """The vector store is given yet another model, or was switched, by somebody else."""


class Reembeddings:
    """The `reembeddings` and `new_*` tables within one snapshot or transaction."""

    def __init__(self, connection: sqlite3.Connection, clock: Callable[[], float]) -> None:
        self._connection = connection
        self._clock = clock
        self._chunks = Chunks(connection)

    def begin(self, store_id: str, model_id: str) -> None:
        """Say where the vector store is going; what was prepared for another model goes."""
        if self.goal(store_id) != model_id:
            self.drop(store_id)
        self._connection.execute(
            "INSERT INTO reembeddings (vector_store_n, model_id, created_at)"
            " VALUES ((SELECT n FROM vector_stores WHERE id = ?), ?, ?) ON CONFLICT (vector_store_n) DO NOTHING",
            (store_id, model_id, int(self._clock())),
        )

    def goal(self, store_id: str) -> str | None:
        """The model that the vector store is going to; None if it stays with its own."""
        row = self._connection.execute(
            "SELECT model_id FROM reembeddings WHERE vector_store_n = (SELECT n FROM vector_stores WHERE id = ?)",
            (store_id,),
        ).fetchone()
        return None if row is None else str(row[0])

    def drop(self, store_id: str) -> None:
        """Stay with the old model; what was prepared goes."""
        vectors = self._connection.execute(
            f"SELECT DISTINCT vector_n FROM new_windows WHERE {_OWN}",  # noqa: S608
            (store_id,),
        ).fetchall()
        self._clear(store_id)
        prune(self._connection, vectors=vectors, documents=())

    def progress(self, store_id: str) -> tuple[int, int]:
        """How many files are ready, of how many."""
        n_ready, n_all = self._connection.execute(
            "SELECT count(c.n_chunks), count(*) FROM attachments a"
            " LEFT JOIN new_contents c ON c.attachment_n = a.n AND c.content_seq = a.content_seq"
            " WHERE a.vector_store_n = (SELECT n FROM vector_stores WHERE id = ?) AND a.content_seq > 0",
            (store_id,),
        ).fetchone()
        return int(n_ready), int(n_all)

    def outdated(self, store_id: str, *, limit: int) -> list[Content]:
        """Files that nothing is prepared for, or that changed since, oldest first."""
        rows = self._connection.execute(
            "SELECT a.n, a.content_seq, f.filename, a.max_chunk_size_tokens,"
            " a.chunk_overlap_tokens, d.key FROM attachments a"
            " JOIN files f ON f.n = a.file_n JOIN documents d ON d.n = a.document_n"
            " LEFT JOIN new_contents c ON c.attachment_n = a.n"
            " WHERE a.vector_store_n = (SELECT n FROM vector_stores WHERE id = ?) AND a.content_seq > 0"
            " AND (c.n_chunks IS NULL OR c.content_seq != a.content_seq) ORDER BY a.n LIMIT ?",
            (store_id, limit),
        )
        return [
            Content(n, seq, name, ChunkingStrategy(size, overlap), key)
            for n, seq, name, size, overlap, key in rows
        ]

    def add_windows(
        self, content: Content, windows: Sequence[Window], keys: Sequence[bytes], vectors: Vectors
    ) -> None:
        """Keep some windows of a file for the switch. The same windows again change nothing.

        Raises:
            NotFound: the file is gone, or has other content by now.
        """
        self._check(content)
        self._chunks.add_vectors(keys, vectors)
        self._connection.executemany(
            "INSERT OR REPLACE INTO new_windows"
            " SELECT ?, ?, ?, ?, ?, n FROM vectors WHERE key = ?",
            (
                (content.attachment_n, w.ordinal, w.start_char, w.end_char, w.n_tokens, key)
                for w, key in zip(windows, keys, strict=True)
            ),
        )

    def finish(self, content: Content, chunks: Iterable[Chunk]) -> None:
        """Keep the file's chunks as well: it is ready for the switch.

        Raises:
            NotFound: the file is gone, or has other content by now.
        """
        self._check(content)
        n_chunks = self._chunks.insert("new_chunks", content.attachment_n, chunks)
        self._connection.execute(
            "UPDATE new_contents SET n_chunks = ? WHERE attachment_n = ?",
            (n_chunks, content.attachment_n),
        )

    def switch(self, store_id: str, model_id: str, *, dim: int) -> bool:
        """Put all new rows in the place of the old, unless some file is outdated: then False.

        Raises:
            Superseded: the vector store is not on its way to this model any more.
        """
        if self.goal(store_id) != model_id:
            raise Superseded(f"Vector store {store_id} was given a model by somebody else.")
        if self.outdated(store_id, limit=1):
            return False
        number, seq = self._connection.execute(
            "UPDATE vector_stores SET seq = seq + 1, model_id = ? WHERE id = ? RETURNING n, seq",
            (model_id, store_id),
        ).fetchone()
        old = held_vectors(self._connection, store_n=number)
        self._move(store_id)
        self._connection.execute(
            "UPDATE attachments SET seq = ?1, content_seq = ?1,"
            " n_chunks = (SELECT n_chunks FROM new_contents WHERE attachment_n = attachments.n),"
            " usage_bytes = (SELECT n_bytes FROM files WHERE n = file_n) + ?2 *"
            " (SELECT count(*) FROM new_windows WHERE attachment_n = attachments.n)"
            " WHERE vector_store_n = ?3 AND content_seq > 0",
            (seq, dim * _FLOAT32_BYTES, number),
        )
        self._clear(store_id)
        prune(self._connection, vectors=old, documents=())
        return True

    def _move(self, store_id: str) -> None:
        for table in ("windows", "chunks"):
            self._connection.execute(f"DELETE FROM {table} WHERE {_OWN}", (store_id,))  # noqa: S608
            self._connection.execute(
                f"INSERT INTO {table} SELECT * FROM new_{table} WHERE {_OWN}",  # noqa: S608
                (store_id,),
            )

    def _clear(self, store_id: str) -> None:
        for table in ("new_windows", "new_chunks", "new_contents"):
            self._connection.execute(f"DELETE FROM {table} WHERE {_OWN}", (store_id,))  # noqa: S608
        self._connection.execute(
            "DELETE FROM reembeddings WHERE vector_store_n = (SELECT n FROM vector_stores WHERE id = ?)",
            (store_id,),
        )

    def _check(self, content: Content) -> None:
        """See that the file is still what it was; forget what was prepared for what it was not."""
        number = content.attachment_n
        row = self._connection.execute(
            "SELECT a.content_seq, c.content_seq FROM attachments a"
            " LEFT JOIN new_contents c ON c.attachment_n = a.n WHERE a.n = ?",
            (number,),
        ).fetchone()
        if row is None or row[0] != content.content_seq:
            raise NotFound("vector_store_file", str(number))
        if row[1] == content.content_seq:
            return
        stale = self._connection.execute(
            "SELECT DISTINCT vector_n FROM new_windows WHERE attachment_n = ?", (number,)
        ).fetchall()
        for table in ("new_windows", "new_chunks", "new_contents"):
            self._connection.execute(f"DELETE FROM {table} WHERE attachment_n = ?", (number,))  # noqa: S608
        prune(self._connection, vectors=stale, documents=())
        self._connection.execute(
            "INSERT INTO new_contents (attachment_n, content_seq) VALUES (?, ?)",
            (number, content.content_seq),
        )
