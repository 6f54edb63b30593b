"""An open data folder: the store, its indexes, the model, and the work in the background."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from api.embedders import Embedders
from api.rerankers import load_reranker
from api.result_cache import ResultCache
from api.settings import Settings
from api.sweeper import Sweeper
from api.touches import Touches
from ingest.sandbox import Limits
from ingest.worker import BULK_NICENESS, Worker
from retrieval import tuning
from retrieval.embedder import Embedder, n_cores, quick
from retrieval.errors import NotFound, Unavailable
from retrieval.indexes import Indexes
from retrieval.query_embedding import QueryEmbedding
from retrieval.rerank import Reranker
from retrieval.store import Store
from retrieval.verify import Verifier

if TYPE_CHECKING:
    from api.answer.background import Runner


class Opened:
    """What everything else in `api` works on. Safe for threads."""

    def __init__(self, settings: Settings, *, clock: Callable[[], float] = time.time) -> None:
        self.settings = settings
        self.store = Store(settings.data, clock=clock)
        self._indexes = Indexes(settings.data / "index", tuning=tuning.load(settings.data))
        self._worker_lock = threading.Lock()
        self._worker: Worker | None = None
        self.bulk_niceness = BULK_NICENESS  # see `start_worker`
        self._sweeper: Sweeper | None = None
        self.embedders = Embedders(settings, self._recorded_models)
        self.results = ResultCache(settings.query_cache)
        # More searches at a time than cores only take the interpreter from each other: sixteen then
        # cost half as much again each.
        self.turns = threading.BoundedSemaphore(n_cores())
        self.touches = Touches(self.store)
        self._queries_lock = threading.Lock()
        self._queries: dict[str, QueryEmbedding] = {}  # by the model's id
        self._runner_lock = threading.Lock()
        self._runner: Runner | None = None
        self._reranker_lock = threading.Lock()
        self._reranker: Reranker | None = None
        self._knows_reranker = False
        self._verifier_lock = threading.Lock()
        self._verifier: Verifier | None = None

    def close(self) -> None:
        """Stop background work, which loses nothing, and close the folder."""
        with self._runner_lock:
            if self._runner is not None:
                self._runner.close()
                self._runner = None
        with self._worker_lock:
            if self._sweeper is not None:
                self._sweeper.close()
                self._sweeper = None
            if self._worker is not None:
                self._worker.close()
                self._worker = None
        self.touches.close()
        for queries in self._queries.values():
            queries.close()
        self._indexes.save()
        self.store.close()

    @property
    def embedder(self) -> Embedder:
        """The embedding model of new vector stores, loaded on first use, once."""
        return self.embedders.own

    def embedder_of(self, store_id: str, model_id: str) -> Embedder:
        """The embedding model that a vector store has recorded.

        Raises:
            IncompatibleStore: this process does not serve that model.
        """
        return self.embedders.of(model_id, store_id=store_id)

    def queries_of(self, embedder: Embedder) -> QueryEmbedding:
        """What embeds the queries of all searches that go through a model."""
        found = self._queries.get(embedder.id)
        if found is None or found.embedder is not embedder:
            with self._queries_lock:
                found = QueryEmbedding(embedder, n_remembered=self.settings.query_cache)
                self._queries[embedder.id] = found
        return found

    def _recorded_models(self) -> set[str]:
        with self.store.snapshot() as view:
            return view.vector_stores.model_ids()

    @property
    def verifier(self) -> Verifier:
        """What checks claims against sources, with what it has seen; made on first use."""
        with self._verifier_lock:
            if self._verifier is None:
                self._verifier = Verifier(quick(self.embedder, cache=self.settings.cache))
            return self._verifier

    @property
    def reranker(self) -> Reranker | None:
        """What reads the best hits again; None if the settings name nothing, as by default."""
        with self._reranker_lock:
            if not self._knows_reranker:
                self._reranker = load_reranker(self.settings)
                self._knows_reranker = True
            return self._reranker

    @reranker.setter
    def reranker(self, reranker: Reranker | None) -> None:
        self._reranker, self._knows_reranker = reranker, True

    @property
    def runner(self) -> Runner:
        """What writes responses in the background, made on first use."""
        if self._runner is None:
            from api.answer.background import Runner  # noqa: PLC0415 - searching needs it not

            with self._runner_lock:
                if self._runner is None:
                    self._runner = Runner(self.settings.data / "locks")
        return self._runner

    def start_worker(self) -> None:
        """Begin to index what is queued, if that is not being done already.

        Work that nobody waits for runs `bulk_niceness` steps below the process's own priority.
        """
        with self._worker_lock:
            if self._worker is None:
                self._worker = Worker(
                    self.store,
                    self.embedder_of,
                    limits=Limits(
                        seconds=self.settings.parse_timeout_s,
                        memory_bytes=self.settings.parse_memory_bytes,
                    ),
                    max_tokens=self.settings.max_file_tokens,
                    n_threads=self.settings.workers,
                    on_idle=self.refresh_indexes,
                    bulk_niceness=self.bulk_niceness,
                )

    def hindered_by(self) -> Unavailable | None:
        """Why nothing can be indexed just now, such as a full disk; None if nothing is known."""
        return self._worker.hindered_by if self._worker else None

    def start_sweeper(self) -> None:
        """Begin to take out what expires also when nobody asks for it."""
        with self._worker_lock:
            if self._sweeper is None:
                self._sweeper = Sweeper(self.sweep_expired)

    def refresh_indexes(self, store_ids: Iterable[str]) -> None:
        """Bring the indexes of these vector stores up to date and write them to disk.

        Searches do the first by themselves; done ahead, it costs no search any time.
        """
        for store_id in store_ids:
            with contextlib.suppress(NotFound, Unavailable), self.store.read() as view:
                model_id = view.commits.model_id(store_id)
                self._indexes.view(view.commits, store_id, model_id=model_id)
        self._indexes.save()

    def sweep_expired(self) -> None:
        """Take out what has expired, and what indexes still hold of it; close indexes not in use."""
        self._indexes.tend()
        self.store.expire()
        lost = self.store.take_stores_that_lost_files()
        gone = {store_id for store_id in lost if self._is_gone(store_id)}
        for store_id in gone:
            self._indexes.forget(store_id)
        if lost - gone:
            self.refresh_indexes(lost - gone)

    def drop_dead_indexes(self) -> None:
        """Delete the indexes of vector stores that went while nobody was there to do it."""
        for folder in (self.settings.data / "index").glob("vs_*"):
            if self._is_gone(folder.name):
                self._indexes.forget(folder.name)

    def _is_gone(self, store_id: str) -> bool:
        with self.store.read() as view:
            try:
                return view.vector_stores.get(store_id).expired
            except NotFound:
                return True

    def wake_worker(self) -> None:
        """Say that something was queued, so that no time is lost until that is noticed."""
        if self._worker is not None:
            self._worker.wake()
