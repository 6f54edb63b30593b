"""How far indexing is, what was given up, and how it is tried again."""

from __future__ import annotations

from collections.abc import Sequence

from api.uploads import Uploads
from retrieval.errors import Conflict
from retrieval.store import Tables
from retrieval.store.attachments import GivenUp
from retrieval.store.progress import AtWork, FileProgress, GroupProgress, Waiting


class Indexing(Uploads):
    """What can be known of the queue, and done with it."""

    def progress(self, store_id: str, file_ids: Sequence[str]) -> dict[str, FileProgress]:
        """How far each of these files is; those not in the vector store are left out."""
        with self.store.read() as view:
            numbers = view.attachments.numbers(view.vector_stores.number(store_id), file_ids)
            found = view.progress.of_files(list(numbers.values()))
        return {id: found[n] for id, n in numbers.items() if n in found}

    def group_progress(self, attachment_ns: Sequence[int]) -> GroupProgress:
        """How far these attachments are together, by their row numbers."""
        with self.store.read() as view:
            return view.progress.of_group(attachment_ns)

    def batch_progress(self, store_id: str, batch_id: str) -> GroupProgress:
        """How far the files of a batch are; NotFound like `batch`."""
        with self.store.read() as view:
            return view.progress.of_batch(view.batches.number(store_id, batch_id))

    def store_progress(self, store_id: str) -> GroupProgress:
        """How far a whole vector store is."""
        with self.store.read() as view:
            return view.progress.of_store(view.vector_stores.number(store_id))

    def at_work(self) -> tuple[list[AtWork], Waiting]:
        """What all workers on this data folder are at, and how much waits for them."""
        with self.store.read() as view:
            return view.progress.at_work(), view.progress.waiting()

    def failed(
        self, store_id: str, *, file_id: str | None = None, code: str | None = None
    ) -> list[GivenUp]:
        """The files of a vector store that were given up, with the reason of each."""
        with self.store.read() as view:
            number = view.vector_stores.number(store_id)
            return view.attachments.failed(number, file_id=file_id, code=code)

    def retry(self, store_id: str, *, file_id: str | None = None, code: str | None = None) -> int:
        """Queue what was given up again: all of it, one file, or what failed with this code.

        Batches keep their counts: they say how the first attempt ended.

        Returns:
            How many files were queued.

        Raises:
            NotFound: there is no such vector store, or no such file in it.
            Conflict: that file has not failed; or the vector store has expired.
        """
        with self.store.write() as tables:
            store = tables.vector_stores.get(store_id)
            if store.expired:
                raise Conflict("vector_store", store_id, state="expired")
            number = tables.vector_stores.number(store_id)
            queued = tables.attachments.retry(number, file_id=file_id, code=code)
            if file_id is not None and not queued:
                _check_failed(tables, store_id, file_id, code=code)
            for attachment_n in queued:
                priority = tables.jobs.priority_of(number, n_files=len(queued), n_bytes=0)
                tables.jobs.enqueue(attachment_n, priority=priority)
        self.wake_worker()
        return len(queued)


def _check_failed(tables: Tables, store_id: str, file_id: str, *, code: str | None) -> None:
    attachment = tables.attachments.get(store_id, file_id)
    if attachment.status != "failed" or code is None:
        raise Conflict("vector_store_file", file_id, state=attachment.status)
