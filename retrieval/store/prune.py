"""What nothing refers to any more goes in the transaction that took the last reference.

A deleted file leaves no text and no vector behind.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

_UNUSED_VECTOR = (
    "DELETE FROM vectors WHERE n = ? AND NOT EXISTS"
    " (SELECT 1 FROM windows WHERE vector_n = vectors.n) AND NOT EXISTS"
    " (SELECT 1 FROM new_windows WHERE vector_n = vectors.n)"
)
_UNUSED_DOCUMENT = (
    "DELETE FROM documents WHERE n = ? AND NOT EXISTS"
    " (SELECT 1 FROM attachments WHERE document_n = documents.n)"
)
# ?1 is the attachment, or NULL; ?2 the vector store, or NULL.
_HELD_VECTORS = (
    "SELECT w.vector_n FROM attachments a JOIN windows w ON w.attachment_n = a.n"
    " WHERE a.n = ?1 OR a.vector_store_n = ?2"
    " UNION SELECT w.vector_n FROM attachments a JOIN new_windows w ON w.attachment_n = a.n"
    " WHERE a.n = ?1 OR a.vector_store_n = ?2"
)
_HELD_DOCUMENTS = (
    "SELECT DISTINCT a.document_n FROM attachments a"
    " WHERE (a.n = ?1 OR a.vector_store_n = ?2) AND a.document_n IS NOT NULL"
)


def held_vectors(
    connection: sqlite3.Connection, *, attachment_n: int | None = None, store_n: int | None = None
) -> list[tuple[int]]:
    """The vectors that an attachment, or a whole vector store, refers to."""
    return connection.execute(_HELD_VECTORS, (attachment_n, store_n)).fetchall()


def held_documents(
    connection: sqlite3.Connection, *, attachment_n: int | None = None, store_n: int | None = None
) -> list[tuple[int]]:
    """The documents that an attachment, or a whole vector store, refers to."""
    return connection.execute(_HELD_DOCUMENTS, (attachment_n, store_n)).fetchall()


def prune(
    connection: sqlite3.Connection,
    *,
    vectors: Iterable[tuple[int]],
    documents: Iterable[tuple[int]],
) -> None:
    """Delete those of `vectors` and `documents` that nothing refers to any more."""
    connection.executemany(_UNUSED_VECTOR, vectors)
    connection.executemany(_UNUSED_DOCUMENT, documents)
