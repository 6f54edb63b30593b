"""What has expired by the clock is taken out in one transaction, as if someone deleted it.

`Store` asks `due` before every snapshot and transaction, so nothing that has expired is ever
seen, whether or not a sweeper ran in time; counters and indexes follow as after any deletion.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

from retrieval.store.attachments import Attachments
from retrieval.store.batches import Batches
from retrieval.store.files import Files
from retrieval.store.uploads import Uploads
from retrieval.store.vector_stores import VectorStores

_DUE = (
    "SELECT EXISTS (SELECT 1 FROM files WHERE expires_at <= ?1)"
    " OR EXISTS (SELECT 1 FROM vector_stores WHERE expires_after_days IS NOT NULL"
    " AND expired_at IS NULL AND last_active_at + expires_after_days * 86400 <= ?1)"
    " OR EXISTS (SELECT 1 FROM uploads WHERE status = 'pending' AND expires_at <= ?1)"
)


@dataclass(frozen=True, slots=True)
class Expired:
    """What one round took out."""

    hashes: frozenset[str]  # of blobs that may have no owner any more
    store_ids: frozenset[str]  # vector stores that lost files


class Expiry:
    """Expiry within one snapshot or transaction."""

    def __init__(self, connection: sqlite3.Connection, clock: Callable[[], float]) -> None:
        self._connection = connection
        self._clock = clock
        self._files = Files(connection, clock)
        self._vector_stores = VectorStores(connection, clock)
        self._attachments = Attachments(connection, clock)
        self._batches = Batches(connection, clock)
        self._uploads = Uploads(connection, clock)

    def due(self) -> bool:
        """Whether anything has expired that is still there; three looks into small indexes."""
        return bool(self._connection.execute(_DUE, (self._clock(),)).fetchone()[0])

    def carry_out(self) -> Expired:
        """Take out every expired file, the files of expired vector stores, and expired uploads.

        Expired vector stores and uploads keep their rows, which say so.
        """
        hashes: set[str] = set()
        store_ids: set[str] = set()
        for store_id in self._vector_stores.due():
            number = self._vector_stores.expire(store_id)
            self._batches.settle_all(number, "cancelled")
            self._attachments.remove_all(number)
            store_ids.add(store_id)
        for file_id in self._files.expired():
            store_ids |= self._attachments.stores_of(file_id)
            hashes.add(self.remove_file(file_id))
        for upload_id in self._uploads.expired():
            hashes |= self._uploads.end(upload_id, "expired")
        return Expired(frozenset(hashes), frozenset(store_ids))

    def remove_file(self, file_id: str) -> str:
        """Take a file out of every vector store and delete it; returns the hash of its blob."""
        for number in self._attachments.of_file(file_id):
            self._batches.settle(number, "cancelled")
            self._attachments.remove(number)
        return self._files.remove(file_id)
