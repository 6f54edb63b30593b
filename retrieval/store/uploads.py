"""Rows of uploads and of their parts."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from retrieval.errors import Conflict, NotFound
from retrieval.ids import new_id
from retrieval.types import Blob

LIFETIME_S = 3600  # as the hosted service has it

UploadStatus = Literal["pending", "completed", "cancelled", "expired"]

_SELECT = (
    "SELECT id, filename, purpose, n_bytes, file_expires_after_s, created_at, expires_at, status"
    " FROM uploads"
)


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that arrives in parts."""

    id: str
    filename: str
    purpose: str
    n_bytes: int  # as declared; the parts must add up to it
    file_expires_after_s: int | None  # of the file it becomes
    created_at: int
    expires_at: int  # of the upload itself
    status: UploadStatus


@dataclass(frozen=True, slots=True)
class UploadPart:
    """A piece of an upload; its place in the file is decided when the upload is completed."""

    id: str
    upload_id: str
    created_at: int
    blob: Blob


class Uploads:
    """The `uploads` and `upload_parts` tables within one snapshot or transaction."""

    def __init__(self, connection: sqlite3.Connection, clock: Callable[[], float]) -> None:
        self._connection = connection
        self._clock = clock

    def add(
        self,
        *,
        filename: str,
        purpose: str,
        mime_type: str,
        n_bytes: int,
        file_expires_after_s: int | None,
    ) -> Upload:
        """Insert an upload without parts."""
        id, now = new_id("upload"), int(self._clock())
        self._connection.execute(
            "INSERT INTO uploads (id, filename, purpose, mime_type, n_bytes,"
            " file_expires_after_s, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                id,
                filename,
                purpose,
                mime_type,
                n_bytes,
                file_expires_after_s,
                now,
                now + LIFETIME_S,
            ),
        )
        return self.get(id)

    def get(self, id: str) -> Upload:
        """The upload of this id, or NotFound."""
        row = self._connection.execute(f"{_SELECT} WHERE id = ?", (id,)).fetchone()
        if row is None:
            raise NotFound("upload", id)
        return Upload(*row)

    def pending(self, id: str) -> Upload:
        """The upload of this id, which can still take parts.

        Raises:
            NotFound: there is none.
            Conflict: it is completed, cancelled or expired.
        """
        upload = self.get(id)
        if upload.status != "pending":
            raise Conflict("upload", id, state=upload.status)
        if upload.expires_at <= self._clock():
            raise Conflict("upload", id, state="expired")
        return upload

    def add_part(self, upload_id: str, blob: Blob) -> UploadPart:
        """Insert a part; its blob must be published in the same transaction."""
        part = UploadPart(new_id("part"), upload_id, int(self._clock()), blob)
        self._connection.execute(
            "INSERT INTO upload_parts (id, upload_n, n_bytes, sha256, created_at)"
            " SELECT ?, n, ?, ?, ? FROM uploads WHERE id = ?",
            (part.id, blob.n_bytes, blob.sha256, part.created_at, upload_id),
        )
        return part

    def n_bytes(self, upload_id: str) -> int:
        """How many bytes all parts of an upload have together."""
        row = self._connection.execute(
            "SELECT coalesce(sum(p.n_bytes), 0) FROM upload_parts p"
            " JOIN uploads u ON u.n = p.upload_n WHERE u.id = ?",
            (upload_id,),
        ).fetchone()
        return int(row[0])

    def parts(self, upload_id: str, part_ids: Sequence[str]) -> list[Blob]:
        """The bytes of these parts of an upload, in the order of `part_ids`.

        Raises:
            NotFound: the upload has no such part.
        """
        rows = self._connection.execute(
            "SELECT p.id, p.sha256, p.n_bytes FROM upload_parts p"
            " JOIN uploads u ON u.n = p.upload_n"
            " WHERE u.id = ? AND p.id IN (SELECT value FROM json_each(?))",
            (upload_id, json.dumps(part_ids)),
        )
        found = {id: Blob(sha256, n_bytes) for id, sha256, n_bytes in rows}
        missing = next((id for id in part_ids if id not in found), None)
        if missing is not None:
            raise NotFound("upload_part", missing)
        return [found[id] for id in part_ids]

    def end(self, id: str, status: UploadStatus) -> set[str]:
        """Give an upload its last state and drop its parts; returns the hashes of their blobs."""
        self._connection.execute("UPDATE uploads SET status = ? WHERE id = ?", (status, id))
        rows = self._connection.execute(
            "DELETE FROM upload_parts WHERE upload_n = (SELECT n FROM uploads WHERE id = ?)"
            " RETURNING sha256",
            (id,),
        )
        return {row[0] for row in rows}

    def expired(self) -> list[str]:
        """Ids of uploads whose time is over but that are still pending."""
        rows = self._connection.execute(
            "SELECT id FROM uploads WHERE status = 'pending' AND expires_at <= ?",
            (self._clock(),),
        )
        return [row[0] for row in rows.fetchall()]

    def uses(self, sha256: str) -> bool:
        """Whether some part has these bytes."""
        row = self._connection.execute(
            "SELECT EXISTS (SELECT 1 FROM upload_parts WHERE sha256 = ?)", (sha256,)
        ).fetchone()
        return bool(row[0])

    def hashes(self) -> set[str]:
        """Every blob that some part names."""
        return {row[0] for row in self._connection.execute("SELECT sha256 FROM upload_parts")}
