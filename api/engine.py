"""The library door, and the place where all parts are put together. Imports no web code.

>>> from api.engine import Engine
>>> with Engine.open("my-data") as engine:            # doctest: +SKIP
...     engine.add("reports/", store="reports")
...     for hit in engine.find("refund policy", store="reports").hits:
...         print(hit.score, hit.filename, hit.place.first_page, hit.text)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from api.resources import Resources
from api.result_cache import key_of
from api.settings import Settings
from retrieval.calibrate import Calibration, calibrate
from retrieval.errors import Conflict, InvalidQuery, StoreBusy
from retrieval.filters import parse_filter
from retrieval.queries import Citation, Hit, Query, SearchResult
from retrieval.search import Run, run
from retrieval.server_embedder import ServerEmbedder
from retrieval.shape import within_budget
from retrieval.store import Tables
from retrieval.types import Attributes, VectorStore
from retrieval.verify import MIN_SUPPORT
from retrieval.view import View
from retrieval.why_not import WhyNot, why_not

if TYPE_CHECKING:
    from api.answer.check import Checked, Source
    from api.answer.types import Answer
    from api.batch.types import IndexReport, OnProgress, Selection
    from ingest.reembed import Reembedded

Found = TypeVar("Found", Hit, Citation)
Made = TypeVar("Made")

# How stale `last_active_at` may be: a write for every search would cost more than the search.
_TOUCH_S = 10
_SNAPSHOT_ATTEMPTS = 5
_JUDGED_HITS = 10  # of each query that a calibration is fitted on


class Engine(Resources):
    """An open data folder: files, vector stores, search and answers.

    Safe for threads, and for other processes on the same folder. Close it, or use it as a
    context manager.
    """

    @classmethod
    def open(
        cls,
        data: str | Path | None = None,
        *,
        settings: Settings | None = None,
        work: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> Engine:
        """Open a data folder, making it if there is none.

        Args:
            data: the folder; by default what `settings` or `SOURCEBOOK_DATA` says.
            settings: by default from the environment.
            work: index queued files in the background from now on. Without it they wait
                for `add`, or for another process on the folder.
            clock: Unix seconds, by which things are dated and expire.
        """
        chosen = settings or Settings.load(data=None if data is None else Path(data))
        engine = cls(chosen, clock=clock)
        if work:
            engine.store.sweep()
            engine.drop_dead_indexes()
            engine.start_worker()
            engine.start_sweeper()
        return engine

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def search(self, store_ids: Sequence[str], query: Query) -> SearchResult:
        """The best hits over all given vector stores, best first.

        Raises:
            NotFound: a vector store is unknown.
            Conflict: a vector store has expired.
            IncompatibleStore: a vector store is of another embedding model.
        """
        results = [self._result(store_id, query) for store_id in dict.fromkeys(store_ids)]
        hits = sorted(
            (hit for result in results for hit in result.hits), key=lambda hit: -hit.score
        )
        if query.max_tokens is not None and len(results) > 1:
            n_tokens = [len(self.embedder.token_spans(hit.text)) for hit in hits]
            hits = within_budget(hits, n_tokens, query.max_tokens)
        return SearchResult(results[0].queries, tuple(hits[: query.limit]))

    def find(
        self,
        text: str,
        *,
        store: str,
        filters: Mapping[str, Any] | None = None,
        limit: int = 10,
        min_score: float = 0.0,
        boxes: bool = False,
    ) -> SearchResult:
        """`search` with plain arguments; `store` is an id or a name.

        With `boxes`, each hit has those of its text on its pages; some milliseconds a hit.
        """
        query = Query(
            texts=(text,), filter=parse_filter(filters), limit=limit, min_score=min_score
        )
        result = self.search([self.resolve_store(store).id], query)
        return replace(result, hits=tuple(map(self.with_boxes, result.hits))) if boxes else result

    def with_boxes(self, found: Found) -> Found:
        """A hit or citation with the boxes of its text on the pages of its PDF or scan.

        They are worked out now, some milliseconds a page, in the process that parses files. A
        format without pages to draw on has none.
        """
        from api.boxes import with_boxes  # noqa: PLC0415 - searching alone need not load it

        return with_boxes(self, found)

    def why_not(
        self, store_id: str, query: Query, names: Sequence[str]
    ) -> tuple[SearchResult, tuple[WhyNot, ...]]:
        """The hits of one vector store, and what became of files or chunks that were named.

        Args:
            store_id: of the vector store.
            query: what is searched for.
            names: ids of files, or of chunks as hits have them (`file-…:3`).

        Raises:
            As `search`, and InvalidQuery: a name cannot be one.
        """
        wanted = [_file_and_chunk(name) for name in names]
        view, made = self._search_one(store_id, query)
        found = (why_not(view, made, query, file_id=f, chunk_ordinal=n) for f, n in wanted)
        return made.result, tuple(found)

    def judged_scores(
        self, store: str, judged: Sequence[tuple[str, Callable[[Hit], bool]]]
    ) -> tuple[list[list[float]], list[list[bool]]]:
        """Scores as they are built in of each query's first ten hits, and which are relevant.

        Args:
            store: id or name.
            judged: the text of each query, and what says of a hit whether it is relevant.
        """
        store_id = self.resolve_store(store).id
        scores, relevant = [], []
        for text, says in judged:
            query = Query((text,), limit=_JUDGED_HITS)
            hits = self._search_one(store_id, query, calibrated=False)[1].result.hits
            scores.append([hit.score for hit in hits])
            relevant.append([says(hit) for hit in hits])
        return scores, relevant

    def calibrate(
        self, store: str, scores: Sequence[Sequence[float]], relevant: Sequence[Sequence[bool]]
    ) -> Calibration:
        """Bend a vector store's scores to fit its judged queries, from the next search on.

        Args:
            store: id or name.
            scores: of each query's hits, as `judged_scores` gives them.
            relevant: whether each of them is.

        Raises:
            InvalidRequest: no hit is relevant, or all are.
        """
        fitted = calibrate(scores, relevant)
        store_id = self.resolve_store(store).id
        with self.store.write() as tables:
            tables.calibrations.put(store_id, fitted)
        return fitted

    def uncalibrate(self, store: str) -> None:
        """Go back to the scores as they are built in."""
        store_id = self.resolve_store(store).id
        with self.store.write() as tables:
            tables.calibrations.remove(store_id)

    def calibration(self, store: str) -> Calibration | None:
        """How a vector store's scores are bent; None where they are as built in."""
        store_id = self.resolve_store(store).id
        with self.store.read() as view:
            return view.calibrations.of(store_id)

    def _result(self, store_id: str, query: Query) -> SearchResult:
        """Searched, or looked up where the same was asked of the same state."""

        def found(view: Tables, store: VectorStore) -> SearchResult:
            calibration = view.calibrations.of(store_id)
            if self.reranker is not None:  # its server may fail one moment and serve the next
                return self._run(view, store, query, calibration)[1].result
            made_by = store.model_id, calibration
            seq = view.commits.seq(store_id)
            key = key_of(query, store_id=store_id, seq=seq, made_by=made_by)
            known = self.results.get(key)
            if known is None:
                known = self._run(view, store, query, calibration)[1].result
                self.results.put(key, known)
            return known

        return self._at_newest(store_id, found)

    def _search_one(
        self, store_id: str, query: Query, *, calibrated: bool = True
    ) -> tuple[View, Run]:
        def made(view: Tables, store: VectorStore) -> tuple[View, Run]:
            calibration = view.calibrations.of(store_id) if calibrated else None
            return self._run(view, store, query, calibration)

        return self._at_newest(store_id, made)

    def _at_newest(self, store_id: str, search: Callable[[Tables, VectorStore], Made]) -> Made:
        """What `search` makes of the newest snapshot and the vector store in it."""
        attempts_left = _SNAPSHOT_ATTEMPTS
        while True:
            attempts_left -= 1
            try:
                with self.store.read() as view:
                    store = view.vector_stores.get(store_id)
                    if store.expired:
                        raise Conflict("vector_store", store.id, state="expired")
                    made = search(view, store)
            except StoreBusy:  # commits outran this snapshot; a new one catches up with them
                if not attempts_left:
                    raise
            else:
                self._touch(store)
                return made

    def _run(
        self, view: Tables, store: VectorStore, query: Query, calibration: Calibration | None
    ) -> tuple[View, Run]:
        embedder = self.embedder_of(store.id, store.model_id)
        begun = self.queries_of(embedder).begin(() if query.rewrite else query.texts)
        index = self._indexes.view(view.commits, store.id, model_id=embedder.id)
        reranker = self.reranker
        waits_for_others = reranker is not None or isinstance(embedder, ServerEmbedder)
        with nullcontext() if waits_for_others else self.turns:
            made = run(
                view.commits,
                index,
                begun,
                query,
                vector_store_id=store.id,
                reranker=reranker,
                calibration=calibration,
            )
        return index, made

    def ask(
        self,
        question: str,
        *,
        store: str,
        filters: Mapping[str, Any] | None = None,
        boxes: bool = False,
    ) -> Answer:
        """An answer from the files of a vector store, with citations; `store` is an id or a name.

        With `boxes`, each citation has those of its quote on its pages.
        """
        from api.answer import ask  # noqa: PLC0415 - searching alone need not load it

        store_id = self.resolve_store(store).id
        answer = ask(self, question, [store_id], filter=parse_filter(filters))
        if not boxes:
            return answer
        return replace(answer, citations=tuple(map(self.with_boxes, answer.citations)))

    def verify(
        self,
        text: str,
        sources: Sequence[str | Source],
        *,
        min_support: float = MIN_SUPPORT,
    ) -> Checked:
        """Which sentences of a text its sources bear out, with a score each; needs no model.

        Args:
            text: with or without markers such as ``[1]``, which name sources by number.
            sources: texts, or what `api.answer.check.file_source` and `hit_source` give.
            min_support: score from which on a sentence counts as supported, 0 to 1.

        Raises:
            InvalidRequest: text or sources are blank or too long.
        """
        from api.answer.check import Source, check  # noqa: PLC0415 - searching need not load it

        given = [Source(each) if isinstance(each, str) else each for each in sources]
        return check(text, given, verifier=self.verifier, min_support=min_support)

    def add(
        self,
        paths: str | Path | Iterable[str | Path],
        *,
        store: str,
        attributes: Attributes | None = None,
        selection: Selection | None = None,
        on_progress: OnProgress | None = None,
    ) -> IndexReport:
        """Index files and folders into a vector store and wait until all is searchable.

        What is unchanged since the last time is skipped. A missing name is created.

        Args:
            paths: files, or folders that are walked.
            store: id or name of the vector store.
            attributes: for every file.
            selection: further choices, instead of `attributes`; see `api.batch.types.Selection`.
            on_progress: called some times a second with how far it is.
        """
        from api.batch.run import index_paths  # noqa: PLC0415 - a server needs it not
        from api.batch.types import Selection  # noqa: PLC0415

        each = [paths] if isinstance(paths, str | Path) else paths
        return index_paths(
            self,
            [Path(path) for path in each],
            store=store,
            selection=selection or Selection(attributes=attributes or {}),
            on_progress=on_progress,
        )

    def reembed(
        self,
        store: str,
        *,
        model: str | None = None,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> Reembedded:
        """Give a vector store another embedding model; searches and indexing go on meanwhile.

        It ends in one switch. Stopped or killed before it, the old model still serves, and the
        same call goes on where it was. This engine serves the new model from then on; other
        processes have to be told of it (`SOURCEBOOK_EMBEDDER`, `SOURCEBOOK_ALSO_EMBEDDERS`).

        Args:
            store: id or name.
            model: its name; by default the one of new vector stores.
            on_progress: told how many files of how many are ready; may raise to stop.
        """
        from ingest.reembed import reembed  # noqa: PLC0415 - searching needs it not

        store_id = self.resolve_store(store).id
        embedder = self.embedder if model is None else self.embedders.named(model)
        done = reembed(self.store, store_id, embedder, progress=on_progress)
        self.refresh_indexes([store_id])
        return done

    def _touch(self, store: VectorStore) -> None:
        if self.store.clock() - store.last_active_at >= _TOUCH_S:
            self.touches.note(store.id)


def _file_and_chunk(name: str) -> tuple[str, int | None]:
    """The parts of a file's or a hit's id.

    >>> _file_and_chunk("file-abc:3"), _file_and_chunk("file-abc")
    (('file-abc', 3), ('file-abc', None))
    """
    file_id, colon, ordinal = name.partition(":")
    if not file_id or (colon and not (ordinal.isascii() and ordinal.isdigit())):
        raise InvalidQuery(
            f"Invalid 'why_not': expected the id of a file or of a hit, but got '{name}'.",
            param="sourcebook.why_not",
        )
    return file_id, int(ordinal) if colon else None
