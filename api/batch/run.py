"""One run of indexing: find, submit, take out what is missing, wait, save.

Everything is durable step by step, so a run may end at any moment; the next one goes on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

from api.batch.find import Finder
from api.batch.submit import Submitter, in_batches, take_out
from api.batch.tally import Tally
from api.batch.types import (
    FoundFile,
    IndexReport,
    OnChange,
    OnProgress,
    Progress,
    Selection,
    Stage,
)
from retrieval.errors import Conflict, InvalidRequest, NotFound, StoreUnwritable
from retrieval.store import Tables
from retrieval.types import VectorStore

if TYPE_CHECKING:
    from api.engine import Engine

_POLL_S = 0.1
_N_TAKEN_OUT = 200  # files in one transaction, which holds up other writers

Known = tuple[str, int, str]  # path, attachment row, file id


def index_paths(
    engine: Engine,
    paths: Sequence[Path],
    *,
    store: str,
    selection: Selection,
    on_progress: OnProgress | None = None,
) -> IndexReport:
    """See `Engine.add`.

    Raises:
        InvalidRequest: a path does not exist, or two files have the same relative path.
        StoreUnwritable: the disk is full; what was queued is indexed by the next run.
    """
    finder = Finder(paths, selection, but_not=engine.settings.data)
    with Run(engine, finder, store=store, selection=selection, on_progress=on_progress) as run:
        run.index_all()
        return run.report()


class Run:
    """Indexing of some paths into a vector store, once or again and again."""

    def __init__(
        self,
        engine: Engine,
        finder: Finder,
        *,
        store: str,
        selection: Selection,
        on_progress: OnProgress | None = None,
        on_change: OnChange | None = None,
    ) -> None:
        self._began = time.monotonic()
        self._engine = engine
        self._finder = finder
        self._selection = selection
        self._store = open_store(engine, store)
        self._on_progress = on_progress
        self._next_progress = 0.0
        self._seconds: dict[Stage, float] = {}
        self._n_found = self._n_seen = 0
        self._tally = Tally(on_change)
        self._submitter = Submitter(engine, self._store.id, selection, self._tally)
        self._follower = self._submitter.follower
        engine.start_worker()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._submitter.close()

    def index_all(self, is_over: Callable[[], bool] = lambda: False) -> None:
        """Bring the vector store up to what is under the paths; searchable on return.

        Args:
            is_over: ends the waiting when it says so.
        """
        self.queue_all()
        with self._phase("indexing"):
            while self.look() and not is_over():
                self._progress("indexing", is_looked=True)
                time.sleep(_POLL_S)
        with self._phase("saving"):
            self._engine.refresh_indexes([self._store.id])

    def queue_all(self) -> None:
        """Look at everything under the paths and queue what changed, without waiting for it."""
        with self._phase("scanning"):
            found = self._scan()
        with self._phase("queueing"):
            for files in in_batches(found):
                self._submitter.submit(files)
                self._n_seen += len(files)
                self._progress("queueing")
            if self._selection.delete_missing and found:  # a disk that is not mounted has nothing
                self._take_out_missing(self._known_below(""), {file.path for file in found})

    def look_at(self, locations: Sequence[str]) -> None:
        """The same for some places alone, each a file, a folder, or where one was."""
        self._finder.failures.clear()
        paths = [path for path in map(self._finder.path_of, locations) if path]
        found = [file for location in locations for file in self._finder.find_at(location)]
        for files in in_batches(found):
            self._submitter.submit(files)
        for failure in self._finder.failures:
            self._tally.fail(failure)
        if self._selection.delete_missing:
            present = {file.path for file in found}
            for path in paths:
                self._take_out_missing(self._known_below(path), present)

    def look(self) -> int:
        """Settle what was indexed meanwhile; returns how many files are still waited for.

        Raises:
            StoreUnwritable: nothing can be indexed: the disk is full.
        """
        self._follower.look()
        if isinstance(hindrance := self._engine.hindered_by(), StoreUnwritable):
            raise hindrance
        return self._follower.n_waiting

    def _scan(self) -> list[FoundFile]:
        self._finder.left_out.clear()
        self._finder.failures.clear()
        self._tally.counts["unchanged"] = self._n_found = self._n_seen = 0
        found: list[FoundFile] = []
        for file in self._finder.find():
            found.append(file)
            self._n_found = len(found)
            self._progress("scanning")
        for failure in self._finder.failures:
            self._tally.fail(failure)
        return found

    # --- taking out -----------------------------------------------------------------------------

    def _known_below(self, path: str) -> list[Known]:
        """What the vector store holds at a relative path, and below it if that was a folder."""
        with self._engine.store.read() as view:
            number = view.vector_stores.number(self._store.id)
            return view.sources.below(number, path) if path else view.sources.all(number)

    def _take_out_missing(self, known: Sequence[Known], present: set[str]) -> None:
        """Take out those of `known` that are not `present`.

        What lies in a folder that could not be read stays.
        """
        unseen = [failure.path for failure in self._finder.failures]
        missing = [
            each for each in known if each[0] not in present and not _is_below(each[0], unseen)
        ]
        for start in range(0, len(missing), _N_TAKEN_OUT):
            self._take_out(missing[start : start + _N_TAKEN_OUT])

    def _take_out(self, group: Sequence[Known]) -> None:
        """Detach files; those that no other vector store has are deleted."""
        with self._engine.store.write() as tables:
            unused = [sha256 for each in group for sha256 in _take_out_if_there(tables, each)]
        self._engine.store.release_blobs(unused)
        for path, number, _ in group:
            self._follower.forget(number)
            self._tally.count("deleted", path)

    # --- telling --------------------------------------------------------------------------------

    @contextmanager
    def _phase(self, stage: Stage) -> Iterator[None]:
        self._next_progress = 0.0
        self._progress(stage)
        began = time.monotonic()
        try:
            yield
        finally:
            spent = time.monotonic() - began
            self._seconds[stage] = self._seconds.get(stage, 0.0) + spent

    def _progress(self, stage: Stage, *, is_looked: bool = False) -> None:
        """Tell how far the run is, unless that was told just now."""
        now = time.monotonic()
        if now < self._next_progress:
            return
        self._next_progress = now + _POLL_S
        if not is_looked:
            self._follower.look()
        if self._on_progress is not None:
            self._on_progress(self._state(stage))

    def _state(self, stage: Stage) -> Progress:
        follower = self._follower
        with self._engine.store.read() as view:
            at_work = view.progress.at_work()
        return Progress(
            stage=stage,
            n_found=self._n_found,
            n_seen=self._n_seen,
            n_queued=follower.n_queued,
            n_done=follower.n_queued - follower.n_waiting,
            bytes_queued=follower.bytes_queued,
            bytes_done=follower.bytes_queued - follower.bytes_waiting,
            n_chunks=self._tally.sums["n_chunks"],
            n_failed=len(self._tally.failures),
            seconds=time.monotonic() - self._began,
            at_work=tuple(each for each in at_work if each.vector_store_id == self._store.id),
        )

    def report(self) -> IndexReport:
        """What became of everything that was submitted and has been settled."""
        counts, failures = self._tally.counts, self._tally.failures
        seconds = time.monotonic() - self._began
        return IndexReport(
            store_id=self._store.id,
            store_name=self._store.name,
            n_files=self._n_found + len(self._finder.failures),
            n_added=counts["added"],
            n_replaced=counts["replaced"],
            n_updated=counts["updated"],
            n_unchanged=counts["unchanged"],
            n_resumed=counts["resumed"],
            n_deleted=counts["deleted"],
            n_chunks=self._tally.sums["n_chunks"],
            n_windows=self._tally.sums["n_windows"],
            n_tokens=self._tally.sums["n_tokens"],
            n_bytes=self._tally.sums["n_bytes"],
            seconds=round(seconds, 3),
            phases={name: round(spent, 3) for name, spent in self._seconds.items()},
            left_out=dict(self._finder.left_out),
            failures=tuple(failures[path] for path in sorted(failures)),
        )


def open_store(engine: Engine, name_or_id: str) -> VectorStore:
    """The vector store of this id or name; a new one when all of that name have expired.

    Raises:
        InvalidRequest: it is blank, or several vector stores have the name.
        NotFound: there is none of this id.
        Conflict: the one of this id has expired.
    """
    if not name_or_id.strip():
        message = "Invalid 'store': an id or a name is needed."
        raise InvalidRequest(message, param="store", code="empty_string")
    is_id = name_or_id.startswith("vs_")
    try:
        store = engine.resolve_store(name_or_id)
    except NotFound:
        if is_id:
            raise
        return _only_of_name(engine, name_or_id)
    if store.expired and is_id:
        raise Conflict("vector_store", store.id, state="expired")
    return _only_of_name(engine, name_or_id) if store.expired else store


def _only_of_name(engine: Engine, name: str) -> VectorStore:
    """A new vector store, or the one that another process made a moment ago."""
    model_id = engine.embedder.id
    with engine.store.write() as tables:
        live = [store for store in tables.vector_stores.named(name) if not store.expired]
        if live:
            return live[0]
        store_id = tables.vector_stores.add(
            name=name, description=None, expires_after_days=None, metadata={}, model_id=model_id
        )
        return tables.vector_stores.get(store_id)


def _take_out_if_there(tables: Tables, known: Known) -> list[str]:
    _, number, file_id = known
    try:
        tables.attachments.by_number(number)
    except NotFound:
        return []
    return take_out(tables, number, file_id)


def _is_below(path: str, folders: Sequence[str]) -> bool:
    return any(path == each or path.startswith(f"{each}/") or each == "." for each in folders)
