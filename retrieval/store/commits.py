"""What an index reads: which files changed since a `seq`, and what is in them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import NotFound
from retrieval.store.chunks import Chunks
from retrieval.store.documents import Documents
from retrieval.types import Block, Chunk, FileChange, FileContent

STRETCH_WINDOWS = 8192  # what an index takes at a time of a long file


class Commits:
    """The history of vector stores within one snapshot; the `Reader` of `retrieval.snapshot`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._chunks = Chunks(connection)
        self._documents = Documents(connection)

    def seq(self, vector_store_id: str) -> int:
        """The number of the vector store's newest commit."""
        return self._store(vector_store_id)[1]

    def model_id(self, vector_store_id: str) -> str:
        """The embedding model that all vectors of the vector store are of."""
        return self._store(vector_store_id)[2]

    def changes(self, vector_store_id: str, *, after: int) -> list[FileChange]:
        """The newest state of every attachment that changed after commit `after`, by `seq`.

        Applying them to an index that holds everything up to `after` brings it to this
        snapshot; applying one twice changes nothing.
        """
        number = self._store(vector_store_id)[0]
        rows = self._connection.execute(
            "SELECT a.seq, a.n, f.id, f.filename, a.attributes, a.content_seq, 0"
            " FROM attachments a JOIN files f ON f.n = a.file_n"
            " WHERE a.vector_store_n = ?1 AND a.seq > ?2"
            " UNION ALL SELECT seq, attachment_n, file_id, '', '{}', 0, 1 FROM detachments"
            " WHERE vector_store_n = ?1 AND seq > ?2 ORDER BY 1",
            (number, after),
        )
        return [
            FileChange(seq, n, id, filename, json.loads(attributes), content_seq, bool(deleted))
            for seq, n, id, filename, attributes, content_seq, deleted in rows
        ]

    def content(self, file_n: int) -> FileContent:
        """The windows, vectors and chunk borders of the attachment in row `file_n`."""
        return self._stretch(file_n, self._borders(file_n), first_chunk=0)

    def contents(self, file_n: int) -> Iterator[FileContent]:
        """The same in stretches of bounded length, each with all windows of its chunks.

        Windows that chunks of two stretches share are in both.
        """
        borders = self._borders(file_n)
        first = 0
        while first < len(borders):
            reach = borders[first, 0] + STRETCH_WINDOWS
            end = max(int(np.searchsorted(borders.sum(axis=1), reach, side="right")), first + 1)
            yield self._stretch(file_n, borders[first:end], first_chunk=first)
            first = end

    def _borders(self, file_n: int) -> NDArray[np.int32]:
        """First window and number of windows of each chunk: (n_chunks, 2)."""
        rows = self._connection.execute(
            "SELECT first_window, n_windows FROM chunks WHERE attachment_n = ? ORDER BY ordinal",
            (file_n,),
        )
        flat = np.fromiter(chain.from_iterable(rows), np.int32)
        return flat.reshape(-1, 2)

    def _stretch(
        self, file_n: int, borders: NDArray[np.int32], *, first_chunk: int
    ) -> FileContent:
        """Some chunks of a file, one after another, as a file of their own."""
        document = self._document(file_n)
        firsts, counts = borders.T
        base, end = (int(firsts[0]), int(borders.sum(axis=1).max())) if len(borders) else (0, 0)
        spans = self._connection.execute(
            "SELECT w.start_char, w.end_char, v.vector FROM windows w"
            " JOIN vectors v ON v.n = w.vector_n WHERE w.attachment_n = ?"
            " AND w.ordinal >= ? AND w.ordinal < ? ORDER BY w.ordinal",
            (file_n, base, end),
        ).fetchall()
        headings = self._connection.execute(
            "SELECT heading_path FROM chunks WHERE attachment_n = ?"
            " AND ordinal >= ? AND ordinal < ? ORDER BY ordinal",
            (file_n, first_chunk, first_chunk + len(borders)),
        ).fetchall()
        start = spans[0][0] if spans else 0
        text = self._documents.text(document, start, spans[-1][1] if spans else 0)
        packed = b"".join(vector for _, _, vector in spans)
        return FileContent(
            texts=[text[first - start : last - start] for first, last, _ in spans],
            vectors=np.frombuffer(packed, np.float32).reshape(len(spans), -1),
            chunk_first_window=firsts - np.int32(base),
            chunk_n_windows=counts,
            headings=["\n".join(json.loads(path)) for (path,) in headings],
            title=self._documents.title(document) or "",
            first_chunk=first_chunk,
        )

    def chunk(self, file_n: int, ordinal: int) -> Chunk:
        """One chunk of the attachment in row `file_n`, or NotFound."""
        chunk = self._chunks.get(file_n, ordinal)
        if chunk is None:
            raise NotFound("chunk", f"{file_n}:{ordinal}")
        return chunk

    def text(self, file_n: int, start: int, end: int) -> str:
        """The stored text of the attachment in row `file_n` from `start` to `end`."""
        return self._documents.text(self._document(file_n), start, end)

    def full_text(self, file_n: int) -> str | None:
        """The whole stored text, or None when it has not been indexed yet."""
        row = self._connection.execute(
            "SELECT document_n FROM attachments WHERE n = ?", (file_n,)
        ).fetchone()
        return None if row is None or row[0] is None else self._documents.text(int(row[0]))

    def extent(self, file_n: int) -> tuple[int, int] | None:
        """Row and length in characters of its document, or None like `full_text`."""
        row = self._connection.execute(
            "SELECT d.n, d.n_chars FROM attachments a JOIN documents d ON d.n = a.document_n"
            " WHERE a.n = ?",
            (file_n,),
        ).fetchone()
        return None if row is None else (int(row[0]), int(row[1]))

    def blocks(self, file_n: int, start: int = 0, end: int | None = None) -> tuple[Block, ...]:
        """The blocks of the stored text of the attachment in row `file_n`, in order.

        All of them, or all that touch text[start:end], which is quick however long the text is.
        """
        return self._documents.blocks(self._document(file_n), start, end)

    def _document(self, file_n: int) -> int:
        row = self._connection.execute(
            "SELECT document_n FROM attachments WHERE n = ? AND document_n IS NOT NULL",
            (file_n,),
        ).fetchone()
        if row is None:
            raise NotFound("vector_store_file", str(file_n))
        return int(row[0])

    def _store(self, vector_store_id: str) -> tuple[int, int, str]:
        row = self._connection.execute(
            "SELECT n, seq, model_id FROM vector_stores WHERE id = ?", (vector_store_id,)
        ).fetchone()
        if row is None:
            raise NotFound("vector_store", vector_store_id)
        return int(row[0]), int(row[1]), str(row[2])
