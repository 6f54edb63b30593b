"""Queries → vectors for many callers at once: remembered, and embedded together where they wait.

A core runs one text at a time, so of many concurrent queries most wait. Those of equal length
that have come to wait by the time a core is free run as one: at 8 tokens that halves what a text
costs. A query that comes alone runs at once; while it does, its search can look at its words.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from retrieval.embedder import Embedder, n_cores
from retrieval.types import Vectors

Vector = NDArray[np.float32]
TokenIds = Sequence[int]


@runtime_checkable
class Batching(Protocol):
    """What an embedder has whose queries can run together."""

    @property
    def max_batch_tokens(self) -> int:
        """Of all texts of one run; 0 where each text must run alone."""

    def query_ids(self, text: str) -> TokenIds:
        """The tokens that the model reads of a query."""

    def embed_ids(self, ids: Sequence[TokenIds]) -> Vectors:
        """(n, dim) unit rows of texts of equal length, in one run."""


class QueryEmbedding:
    """The queries of one embedder. Safe for threads."""

    def __init__(self, embedder: Embedder, *, n_remembered: int) -> None:
        """Nothing is remembered yet.

        Args:
            embedder: makes the vectors; one that does not batch is called as it is.
            n_remembered: vectors of the latest texts that are kept; 0 keeps none.
        """
        self.embedder = embedder
        self._n_remembered = n_remembered
        self._lock = threading.Lock()
        self._known: OrderedDict[str, Vector] = OrderedDict()  # the latest used last
        self._together = _Together(embedder) if isinstance(embedder, Batching) else None
        self._beside: ThreadPoolExecutor | None = None

    def close(self) -> None:
        """End the threads."""
        with self._lock:
            beside, self._beside = self._beside, None
        if beside is not None:
            beside.shutdown()

    def begin(self, texts: Sequence[str]) -> Begun:
        """Start on the first of some texts, where cores are free; the others come when asked for."""
        if not texts or self._together is None or not self._together.is_idle:
            return Begun(self, {})
        with self._lock:
            if texts[0] in self._known:
                return Begun(self, {})
            if self._beside is None:
                self._beside = ThreadPoolExecutor(n_cores(), "query")
            return Begun(self, {texts[0]: self._beside.submit(self.embed_query, texts[0])})

    def embed_query(self, text: str) -> Vector:
        """See `Embedder.embed_query`."""
        with self._lock:
            known = self._known.get(text)
            if known is not None:
                self._known.move_to_end(text)
                return known
        together = self._together
        made = together.embed(text) if together else self.embedder.embed_query(text)
        if self._n_remembered:
            made.setflags(write=False)  # many will hold it
            with self._lock:
                self._known[text] = made
                while len(self._known) > self._n_remembered:
                    self._known.popitem(last=False)
        return made


@dataclass(frozen=True, slots=True, eq=False)
class Begun:
    """What one search embeds with: its text is on the way already."""

    queries: QueryEmbedding
    coming: Mapping[str, Future[Vector]]

    def embed_query(self, text: str) -> Vector:
        """See `Embedder.embed_query`."""
        coming = self.coming.get(text)
        return self.queries.embed_query(text) if coming is None else coming.result()


@dataclass(slots=True, eq=False)
class _Waiting:
    """A query whose caller sleeps."""

    ids: TokenIds
    woken: threading.Event = field(default_factory=threading.Event)
    vector: Vector | None = None
    error: BaseException | None = None


class _Together:
    """At most one run a core; whoever finds all taken waits, and is taken along by the next.

    Callers do the work themselves: one that ends its run wakes those it ran for, and the one that
    has waited longest, which then runs what is of its length.
    """

    def __init__(self, embedder: Batching) -> None:
        self._embedder = embedder
        self._lock = threading.Lock()
        self._n_cores = self._n_free = n_cores()
        self._queue: deque[_Waiting] = deque()

    @property
    def is_idle(self) -> bool:
        """Whether nothing runs; by the time one acts on it that may have changed."""
        return self._n_free == self._n_cores

    def embed(self, text: str) -> Vector:
        """(dim,), unit."""
        mine = _Waiting(self._embedder.query_ids(text))
        with self._lock:
            is_free = self._n_free > 0
            if is_free:
                self._n_free -= 1
            else:
                self._queue.append(mine)
        if not is_free:
            mine.woken.wait()
        if mine.vector is None and mine.error is None:  # its turn, rather than its result
            self._run(mine)
        if mine.error is not None:
            raise mine.error
        assert mine.vector is not None  # noqa: S101 - a run leaves one or the other
        return mine.vector

    def _run(self, mine: _Waiting) -> None:
        """Embed one query and what goes along, then hand the core on."""
        group = [mine]
        try:
            with self._lock:
                group += self._along(mine)
            rows = self._embedder.embed_ids([each.ids for each in group])
            for each, row in zip(group, rows, strict=True):
                each.vector = row.copy()  # a row alone would keep all of them
        except BaseException as error:  # noqa: BLE001 - every caller raises it again
            for each in group:
                each.error = error
        finally:
            with self._lock:
                following = self._queue.popleft() if self._queue else None
                if following is None:
                    self._n_free += 1
            for each in [*group[1:], *([following] if following else [])]:
                each.woken.set()

    def _along(self, mine: _Waiting) -> list[_Waiting]:
        """Those waiting whose length fits, taken out of the queue."""
        room = self._embedder.max_batch_tokens // max(1, len(mine.ids)) - 1
        fitting = [each for each in self._queue if len(each.ids) == len(mine.ids)]
        taken = fitting[: max(0, room)]
        for each in taken:
            self._queue.remove(each)
        return taken
