"""Compares files with what the vector store holds, reads what differs, and queues it.

Many files share one look into the store and one transaction: what one file costs is its own
bytes, and not a wait for the disk. Blobs are durable before the rows that name them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from api.batch.follow import Follower, Queued
from api.batch.label import labeller, same_attributes
from api.batch.looks import is_final, looks_unchanged, newest
from api.batch.read import Read, Reader, Wanted
from api.batch.tally import Tally
from api.batch.types import Failure, FoundFile, Kind, Selection
from retrieval.errors import Conflict, InvalidRequest
from retrieval.store import Tables
from retrieval.store.jobs import BULK
from retrieval.store.sources import Source
from retrieval.types import Blob, ChunkingStrategy

if TYPE_CHECKING:
    from api.engine import Engine

# A transaction holds up other writers for some 100 ms with this many files.
_BATCH_FILES = 200
_BATCH_BYTES = 32 << 20
_MAX_ROUNDS = 5  # another process may change the same files meanwhile; hardly five times
_UNCHANGED: Kind = "unchanged"


@dataclass(slots=True)
class _Batch:
    """What a transaction did, to be told once it is durable."""

    queued: list[Queued] = field(default_factory=list)
    counted: list[tuple[Kind, str]] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)
    noted: list[tuple[int, int | None, int]] = field(default_factory=list)
    dropped: list[Source] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)  # hashes of blobs
    again: list[FoundFile] = field(default_factory=list)


class Submitter:
    """Queues files of one vector store. Close it."""

    def __init__(self, engine: Engine, store_id: str, selection: Selection, tally: Tally) -> None:
        self._engine = engine
        self._store = engine.store
        self._store_id = store_id
        self._selection = selection
        self._label = labeller(selection)
        self._tally = tally
        self._reader = Reader(engine.store.blobs, limit_bytes=engine.settings.max_file_bytes)
        self.follower = Follower(engine.store, store_id, tally)

    def close(self) -> None:
        """Stop reading; what was queued stays queued."""
        self._reader.close()

    def submit(self, files: Sequence[FoundFile]) -> None:
        """Queue those of `files` that are new or changed; durable on return.

        Raises:
            Conflict: the vector store has expired meanwhile.
            Unavailable: the disk is full, or another process holds the store for too long.
        """
        for _ in range(_MAX_ROUNDS):
            if not files:
                return
            files = self._submit(files)
        for file in files:
            message = "Another process keeps changing it."
            self._tally.fail(Failure(file.path, "server_error", message))

    def _submit(self, files: Sequence[FoundFile]) -> list[FoundFile]:
        wanted = self._labelled(files)
        known = self._known(wanted)
        to_read, to_label = self._sorted_out(wanted, known)
        batch = _Batch()
        with self._reader.read_all(to_read, known) as (reads, failures):
            batch.failed += failures
            if reads or to_label:
                self._write(reads, to_label, batch)
        self._tell(batch)
        return batch.again

    def _labelled(self, files: Sequence[FoundFile]) -> list[Wanted]:
        wanted: list[Wanted] = []
        for file in files:
            try:
                wanted.append(Wanted(file, self._label(file)))
            except InvalidRequest as error:
                self._tally.fail(Failure(file.path, "invalid_attributes", str(error)))
        return wanted

    def _known(self, wanted: Sequence[Wanted]) -> dict[str, list[Source]]:
        with self._store.read() as view:
            number = view.vector_stores.number(self._store_id)
            return view.sources.at(number, [each.file.path for each in wanted])

    def _sorted_out(
        self, wanted: Sequence[Wanted], known: dict[str, list[Source]]
    ) -> tuple[list[Wanted], list[Wanted]]:
        """Those to read, and those of which only the attributes changed."""
        to_read: list[Wanted] = []
        to_label: list[Wanted] = []
        for each in wanted:
            source = newest(known.get(each.file.path, ()))
            if source is None or not self._is_as_indexed(each.file, source):
                to_read.append(each)
            elif not same_attributes(source.attributes, each.attributes):
                to_label.append(each)
            elif source.status == "completed":
                self._tally.count(_UNCHANGED, each.file.path)
            else:
                self._join(each.file, source)
        return to_read, to_label

    def _is_as_indexed(self, file: FoundFile, source: Source) -> bool:
        if self._selection.checksum or not looks_unchanged(file, source):
            return False
        return self._is_settled(source)

    def _is_settled(self, source: Source) -> bool:
        """Whether nothing is to be done about this content."""
        if is_final(source):
            return not self._selection.retry_failed
        return source.status in {"completed", "in_progress"}

    def _join(self, file: FoundFile, source: Source) -> None:
        """Wait for a file that is queued already, or repeat why it cannot be indexed."""
        if source.status == "in_progress":
            self.follower.follow(Queued(source.attachment_n, "resumed", file.path, file.n_bytes))
        else:
            self._tally.fail(_as_failure(file.path, source))

    # --- writing --------------------------------------------------------------------------------

    def _write(self, reads: Sequence[Read], to_label: Sequence[Wanted], batch: _Batch) -> None:
        paths = [each.wanted.file.path for each in reads] + [each.file.path for each in to_label]
        with self._store.write() as tables:
            if tables.vector_stores.get(self._store_id).expired:
                raise Conflict("vector_store", self._store_id, state="expired")
            number = tables.vector_stores.number(self._store_id)
            known = tables.sources.at(number, paths)  # as they are now, under the write lock
            self._store.blobs.publish_all([each.staged for each in reads if each.staged])
            for each in to_label:
                self._relabel(tables, each, known.get(each.file.path, []), batch)
            for read in reads:
                self._put(tables, number, read, known.get(read.wanted.file.path, []), batch)
            tables.sources.note(batch.noted)
            tables.vector_stores.touch(self._store_id)

    def _relabel(
        self, tables: Tables, wanted: Wanted, known: Sequence[Source], batch: _Batch
    ) -> None:
        source = newest(known)
        if source is None or not self._is_as_indexed(wanted.file, source):
            batch.again.append(wanted.file)
            return
        self._keep(tables, wanted, source, batch)

    def _put(
        self, tables: Tables, number: int, read: Read, known: list[Source], batch: _Batch
    ) -> None:
        path, sha256 = read.wanted.file.path, read.sha256
        same = next((each for each in reversed(known) if each.sha256 == sha256), None)
        if same is None and read.staged is None:  # it was there when the file was read
            batch.again.append(read.wanted.file)
            return
        self._drop_outdated(tables, known, same, batch)
        if same is not None:
            batch.noted.append((same.attachment_n, read.mtime_ns, read.n_bytes))
            if self._is_settled(same):
                self._keep(tables, read.wanted, same, batch)
                return
        file_id = same.file_id if same else self._add_file(tables, read)
        attachment_n = tables.attachments.put(
            number,
            tables.files.number(file_id),
            attributes=read.wanted.attributes,
            chunking=ChunkingStrategy(),
            path=path,
        )
        tables.jobs.enqueue(attachment_n, priority=BULK)
        batch.noted.append((attachment_n, read.mtime_ns, read.n_bytes))
        kind: Kind = "replaced" if any(each.is_served for each in known) else "added"
        batch.queued.append(Queued(attachment_n, kind, path, read.n_bytes))

    def _add_file(self, tables: Tables, read: Read) -> str:
        return tables.files.add(
            Blob(read.sha256, read.n_bytes),
            filename=read.wanted.file.path,
            purpose="assistants",
            expires_after_s=None,
        ).id

    def _drop_outdated(
        self, tables: Tables, known: Sequence[Source], same: Source | None, batch: _Batch
    ) -> None:
        """Take out what will never be served: content that the file does not have any more.

        What is served stays until the new content is committed, unless it comes after what
        the file has again.
        """
        for each in known:
            is_later = same is not None and each.attachment_n > same.attachment_n
            if each is not same and (is_later or not each.is_served):
                batch.unused += take_out(tables, each.attachment_n, each.file_id)
                batch.dropped.append(each)

    def _keep(self, tables: Tables, wanted: Wanted, source: Source, batch: _Batch) -> None:
        path, is_relabelled = wanted.file.path, False
        if not same_attributes(source.attributes, wanted.attributes):
            tables.attachments.set_attributes(source.attachment_n, wanted.attributes)
            is_relabelled = True
        if source.status == "in_progress":
            queued = Queued(source.attachment_n, "resumed", path, wanted.file.n_bytes)
            batch.queued.append(queued)
        elif source.status == "failed":
            batch.failed.append(_as_failure(path, source))
        else:
            batch.counted.append(("updated" if is_relabelled else _UNCHANGED, path))

    def _tell(self, batch: _Batch) -> None:
        self._store.release_blobs(batch.unused)
        for source in batch.dropped:
            self.follower.forget(source.attachment_n)
        for queued in batch.queued:
            self.follower.follow(queued)
        for kind, path in batch.counted:
            self._tally.count(kind, path)
        for failure in batch.failed:
            self._tally.fail(failure)
        if batch.queued:
            self._engine.wake_worker()


def in_batches(files: Iterable[FoundFile]) -> Iterator[list[FoundFile]]:
    """Files in groups that are worth a transaction and do not fill the disk's queue."""
    group: list[FoundFile] = []
    n_bytes = 0
    for file in files:
        group.append(file)
        n_bytes += file.n_bytes
        if len(group) == _BATCH_FILES or n_bytes >= _BATCH_BYTES:
            yield group
            group, n_bytes = [], 0
    if group:
        yield group


def take_out(tables: Tables, attachment_n: int, file_id: str) -> list[str]:
    """Detach a file that was indexed from a folder; it goes if no other vector store has it.

    Returns the hashes of blobs that may have no owner any more, for `Store.release_blobs`
    after the commit.
    """
    tables.batches.settle(attachment_n, "cancelled")
    tables.attachments.remove(attachment_n)
    return [] if tables.attachments.of_file(file_id) else [tables.expiry.remove_file(file_id)]


def _as_failure(path: str, source: Source) -> Failure:
    return Failure(path, source.error_code or source.status, source.error_message or "")
