"""Sourcebook's vector step, through the code that searches run: filter, plan, scan, exact scores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from vector_data import Range, VectorSet

from retrieval import dense, filters
from retrieval.nearest import nearest
from retrieval.plan import plan
from retrieval.snapshot import StoreIndex
from retrieval.types import Chunk, FileChange, FileContent

_STORE, _MODEL = "vs_bench", "bench@0"


class Files:
    """The `Reader` of an index: files without words, each window a chunk of its own."""

    def __init__(self, data: VectorSet) -> None:
        self._data = data
        self._start = np.concatenate([[0], np.cumsum(data.file_n_windows)])
        self._attributes = {name: each.tolist() for name, each in data.attributes.items()}

    def seq(self, _store_id: str) -> int:
        """One commit a file."""
        return len(self._data.file_n_windows)

    def changes(self, _store_id: str, *, after: int) -> Sequence[FileChange]:
        """Files from `after` on; file n is committed at n + 1."""
        return [
            FileChange(
                n + 1,
                n,
                f"file-{n}",
                "f.txt",
                {name: each[n] for name, each in self._attributes.items()},
                n + 1,
                deleted=False,
            )
            for n in range(after, len(self._data.file_n_windows))
        ]

    def contents(self, file_n: int) -> Iterator[FileContent]:
        """The rows of one file."""
        start, end = int(self._start[file_n]), int(self._start[file_n + 1])
        n = end - start
        yield FileContent(
            [f"{i}" for i in range(start, end)],
            np.asarray(self._data.vectors[start:end]),
            np.arange(n, dtype=np.int32),
            np.ones(n, dtype=np.int32),
        )

    def chunk(self, _file_n: int, _ordinal: int) -> Chunk:
        """Never read here."""
        raise NotImplementedError

    def text(self, _file_n: int, _start: int, _end: int) -> str:
        """Never read here."""
        raise NotImplementedError


class Sourcebook:
    """The index as the product builds, saves and opens it."""

    def build(self, data: VectorSet, folder: Path) -> None:
        """All commits, folded and saved."""
        index = StoreIndex.open(folder, Files(data), vector_store_id=_STORE, model_id=_MODEL)
        index.fold()
        index.save(folder)

    def open(self, data: VectorSet, folder: Path) -> None:
        """Map the saved index."""
        reader = Files(data)
        index = StoreIndex.open(folder, reader, vector_store_id=_STORE, model_id=_MODEL)
        self._view = index.view()
        self._start = np.concatenate([[0], np.cumsum(data.file_n_windows)])

    def search(
        self, query: NDArray[np.float32], wanted: Range | None, *, k: int
    ) -> NDArray[np.int64]:
        """Filter → mask → plan → nearest windows by exact score → the best k."""
        view = self._view
        allowed = view.allowed(_filter(wanted))
        todo = plan(n_allowed=sum(each.n_windows for each in allowed), n_total=view.n_windows)
        if todo.kind == "none":
            return np.empty(0, dtype=np.int64)
        if todo.kind == "gather":  # every chunk is scored, as in a search
            near = dense.search(view, allowed, query, plan=todo, k=k)
            return self._windows(near.chunks[_best(dense.scores(view, near.chunks, query), k)])
        found = nearest(view, allowed, query, plan=todo, k=k).found
        bases = view.chunk_base[:-1]
        windows = [each + base for (each, _), base in zip(found, bases, strict=True)]
        sims = np.concatenate([each for _, each in found])
        return self._windows(np.concatenate(windows)[_best(sims, k)])

    def _windows(self, chunks: NDArray[np.int64]) -> NDArray[np.int64]:
        """Their numbers in the data; each window is the one chunk that holds it."""
        file_n, ordinal, _ = self._view.files_and_ordinals(chunks)
        found: NDArray[np.int64] = self._start[file_n] + ordinal
        return found


def _best(scores: NDArray[Any], k: int) -> NDArray[np.int64]:
    if len(scores) <= k:
        return np.arange(len(scores))
    return np.argpartition(scores, -k)[-k:]


def _filter(wanted: Range | None) -> filters.Filter | None:
    if wanted is None:
        return None
    bounds = [("gte", wanted.low), ("lt", wanted.high)]
    parts = [{"type": op, "key": wanted.attribute, "value": value} for op, value in bounds]
    return filters.parse_filter({"type": "and", "filters": parts})
