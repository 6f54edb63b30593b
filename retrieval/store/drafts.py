"""What is saved of a long file ahead of its commit, so that a crash costs minutes and not hours.

Text and vectors are kept under keys that only the same work asks for, and nothing refers to them:
they are not visible. The commit makes them belong to the attachment; what no commit will take any
more is dropped with its draft.
"""

from __future__ import annotations

import secrets
import sqlite3

from retrieval.store.documents import Documents

_DEAD = "attachment_n NOT IN (SELECT attachment_n FROM jobs)"


class Drafts:
    """The `drafts` table within one transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._documents = Documents(connection)

    def begin_document(self, attachment_n: int, media_type: str) -> int:
        """A new document of this attachment's draft; what an earlier try began of one goes."""
        self._drop_document(attachment_n)
        number = self._documents.begin(f"draft-{secrets.token_hex(16)}", media_type)
        self._connection.execute(
            "INSERT INTO drafts (attachment_n, document_n) VALUES (?, ?)"
            " ON CONFLICT (attachment_n) DO UPDATE SET document_n = excluded.document_n",
            (attachment_n, number),
        )
        return number

    def finish_document(self, attachment_n: int, number: int, key: str) -> int:
        """Let it be found under `key`; returns its row number, or that of one found there."""
        found = self._documents.finish(number, key)
        self._connection.execute(
            "UPDATE drafts SET document_n = ? WHERE attachment_n = ?", (found, attachment_n)
        )
        return found

    def note_vectors(self, attachment_n: int) -> None:
        """Vectors are about to be added for this attachment: those from here on may be its own."""
        self._connection.execute(
            "INSERT INTO drafts (attachment_n, first_vector_n)"
            " SELECT ?, ifnull(max(n), 0) + 1 FROM vectors WHERE true"
            " ON CONFLICT (attachment_n) DO UPDATE"
            " SET first_vector_n = ifnull(first_vector_n, excluded.first_vector_n)",
            (attachment_n,),
        )

    def clear(self, attachment_n: int) -> None:
        """What was saved belongs to the attachment now."""
        self._connection.execute("DELETE FROM drafts WHERE attachment_n = ?", (attachment_n,))

    def has_dead(self) -> bool:
        """Whether there is something to sweep."""
        row = self._connection.execute(f"SELECT 1 FROM drafts WHERE {_DEAD} LIMIT 1")  # noqa: S608
        return row.fetchone() is not None

    def sweep(self) -> None:
        """Drop what was saved for attachments that have no job any more.

        Vectors wait until no draft is alive, since those of several lie among each other.
        """
        dead = self._connection.execute(
            f"SELECT attachment_n FROM drafts WHERE {_DEAD}"  # noqa: S608 - our own words
        ).fetchall()
        for (attachment_n,) in dead:
            self._drop_document(attachment_n)
        (n_drafts,) = self._connection.execute("SELECT count(*) FROM drafts").fetchone()
        if len(dead) < n_drafts:
            return
        self._connection.execute(
            "DELETE FROM vectors WHERE n >= (SELECT min(first_vector_n) FROM drafts)"
            " AND NOT EXISTS (SELECT 1 FROM windows WHERE vector_n = vectors.n)"
            " AND NOT EXISTS (SELECT 1 FROM new_windows WHERE vector_n = vectors.n)"
        )
        self._connection.execute("DELETE FROM drafts")

    def _drop_document(self, attachment_n: int) -> None:
        row = self._connection.execute(
            "SELECT document_n FROM drafts WHERE attachment_n = ? AND document_n IS NOT NULL",
            (attachment_n,),
        ).fetchone()
        if row is not None:
            self._documents.remove(int(row[0]))
            self._connection.execute(
                "UPDATE drafts SET document_n = NULL WHERE attachment_n = ?", (attachment_n,)
            )
