"""Uploads: a file in parts, which may come in any order and at the same time.

Parts are blobs as soon as they are answered. Completing joins them into one staged blob, and
one transaction turns that into a file; before it, the upload is as pending as it was.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from api.keys import Keys
from retrieval.errors import CorruptStore, InvalidRequest, TooLarge
from retrieval.faults import point
from retrieval.store.blobs import Blobs, Staged
from retrieval.store.uploads import Upload, UploadPart
from retrieval.types import Blob, File


class Uploads(Keys):
    """What can be done with uploads."""

    def create_upload(
        self,
        *,
        filename: str,
        purpose: str,
        n_bytes: int,
        mime_type: str,
        expires_after_s: int | None = None,
    ) -> Upload:
        """Begin a file of `n_bytes` that arrives in parts within an hour."""
        with self.store.write() as tables:
            return tables.uploads.add(
                filename=filename,
                purpose=purpose,
                mime_type=mime_type,
                n_bytes=n_bytes,
                file_expires_after_s=expires_after_s,
            )

    def add_part(self, upload_id: str, content: BinaryIO) -> UploadPart:
        """Store one part; durable on return.

        Raises:
            NotFound: there is no such upload.
            Conflict: it is completed, cancelled or expired.
            InvalidRequest: the part is empty.
            TooLarge: the part, or all parts together, are larger than the settings allow.
        """
        with self.store.read() as view:
            view.uploads.pending(upload_id)
        staged = self.store.blobs.stage(content, limit_bytes=self.settings.max_part_bytes)
        try:
            if staged.blob.n_bytes == 0:
                raise InvalidRequest("The part is empty.", param="data", code=None)
            with self.store.write() as tables:
                tables.uploads.pending(upload_id)
                self._check_room(tables.uploads.n_bytes(upload_id) + staged.blob.n_bytes)
                self.store.blobs.publish(staged)
                return tables.uploads.add_part(upload_id, staged.blob)
        finally:
            staged.discard()

    def complete_upload(
        self, upload_id: str, part_ids: Sequence[str], *, md5: str | None = None
    ) -> tuple[Upload, File]:
        """Join these parts, in this order, into a file; parts not named are dropped.

        A crash leaves the upload pending with all its parts, or completed with its file.

        Args:
            upload_id: of a pending upload.
            part_ids: each part once.
            md5: of the whole content in hexadecimal, if it is to be checked.

        Raises:
            NotFound: there is no such upload, or it has no such part.
            Conflict: it is completed, cancelled or expired.
            InvalidRequest: a part twice, another total than declared, or another MD5.
        """
        with self.store.read() as view:
            upload = view.uploads.pending(upload_id)
            _check_once(part_ids)
            parts = view.uploads.parts(upload_id, part_ids)
        _check_total(upload, parts)
        joined = _Joined(self.store.blobs, parts)
        staged = self._stage(upload, joined)
        try:
            _check_md5(joined.md5.hexdigest(), wanted=md5)
            point("upload.joined")
            return self._finish(upload, staged)
        finally:
            staged.discard()

    def cancel_upload(self, upload_id: str) -> Upload:
        """Give a pending upload up; its parts are dropped.

        Raises:
            NotFound: there is no such upload.
            Conflict: it is completed, cancelled or expired.
        """
        with self.store.write() as tables:
            tables.uploads.pending(upload_id)
            hashes = tables.uploads.end(upload_id, "cancelled")
            cancelled = tables.uploads.get(upload_id)
        self._release(hashes)
        return cancelled

    def _stage(self, upload: Upload, joined: _Joined) -> Staged:
        try:
            return self.store.blobs.stage(joined, limit_bytes=upload.n_bytes)
        except CorruptStore:
            with self.store.read() as view:  # parts go when an upload ends: did it, meanwhile?
                view.uploads.pending(upload.id)
            raise

    def _finish(self, upload: Upload, staged: Staged) -> tuple[Upload, File]:
        with self.store.write() as tables:
            tables.uploads.pending(upload.id)
            self.store.blobs.publish(staged)
            file = tables.files.add(
                staged.blob,
                filename=upload.filename,
                purpose=upload.purpose,
                expires_after_s=upload.file_expires_after_s,
                created_at=upload.created_at,
            )
            hashes = tables.uploads.end(upload.id, "completed")
            completed = tables.uploads.get(upload.id)
            point("upload.before")
        point("upload.after")
        self._release(hashes)
        return completed, file

    def _release(self, hashes: set[str]) -> None:
        for sha256 in hashes:
            self.store.release_blob(sha256)

    def _check_room(self, n_bytes: int) -> None:
        limit = self.settings.max_upload_bytes
        if n_bytes > limit:
            raise TooLarge("The parts of this upload together", limit=limit, got=n_bytes)


class _Joined:
    """Blobs read one after another as one stream, with its MD5 so far."""

    def __init__(self, blobs: Blobs, parts: Sequence[Blob]) -> None:
        self.md5 = hashlib.md5(usedforsecurity=False)  # a checksum the contract names
        self._pieces = self._read(blobs, parts)
        self._size = 0

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; none at the end."""
        self._size = size
        piece = next(self._pieces, b"")
        self.md5.update(piece)
        return piece

    def _read(self, blobs: Blobs, parts: Sequence[Blob]) -> Iterator[bytes]:
        for part in parts:
            with blobs.open(part.sha256) as handle:
                while piece := handle.read(self._size):
                    yield piece


def _check_once(part_ids: Sequence[str]) -> None:
    if len(set(part_ids)) < len(part_ids):
        twice = Counter(part_ids).most_common(1)[0][0]
        raise InvalidRequest(
            f"Invalid 'part_ids': '{twice}' is named twice.",
            param="part_ids",
            code="invalid_value",
        )


def _check_total(upload: Upload, parts: Sequence[Blob]) -> None:
    total = sum(part.n_bytes for part in parts)
    if total != upload.n_bytes:
        raise InvalidRequest(
            f"The parts have {total} bytes together, but the upload was declared with"
            f" {upload.n_bytes} bytes.",
            param="part_ids",
            code="invalid_value",
        )


def _check_md5(found: str, *, wanted: str | None) -> None:
    if wanted is not None and wanted.lower() != found:
        raise InvalidRequest(
            f"Invalid 'md5': expected '{wanted}', but the uploaded content has '{found}'.",
            param="md5",
            code="invalid_value",
        )
