"""Measures on this machine where one way of looking through windows overtakes another.

On made vectors: a spectrum that falls as those of text do, files of ten windows, queries near some
window. Both ways run as searches run them, from filter mask to exact scores of chunks.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retrieval import dense
from retrieval.plan import Kind, Plan, Tuning
from retrieval.snapshot import StoreIndex
from retrieval.types import Chunk, FileChange, FileContent, Vectors
from retrieval.view import Allowed, View

K = 128  # windows of the first look, see `retrieval.legs`
_FILE_WINDOWS = 10
_SCAN_WINDOWS = 65_536
_GATHERED = (1024, 2048, 4096, 8192)  # allowed windows tried
_SEGMENTS = (2048, 4096, 8192, 16384)  # sizes tried
_N_QUERIES = 40


@dataclass(frozen=True, slots=True)
class Timing:
    """Two ways at one size, in milliseconds."""

    n_windows: int
    by_rows_ms: float
    by_codes_ms: float


@dataclass(frozen=True, slots=True)
class Crossovers:
    """What was measured, and what follows."""

    tuning: Tuning
    gather: Sequence[Timing]  # by allowed windows
    segments: Sequence[Timing]  # by windows of a segment


@dataclass(frozen=True, slots=True, eq=False)
class Arrays:
    """A `Reader` of files without words: ten rows each, every row a chunk of its own."""

    vectors: Vectors

    def seq(self, _vector_store_id: str) -> int:
        """One commit a file."""
        return -(-len(self.vectors) // _FILE_WINDOWS)

    def changes(self, vector_store_id: str, *, after: int) -> Sequence[FileChange]:
        """Files from `after` on."""
        return [
            FileChange(n + 1, n, f"file-{n}", "f.txt", {}, n + 1, deleted=False)
            for n in range(after, self.seq(vector_store_id))
        ]

    def contents(self, file_n: int) -> Iterator[FileContent]:
        """The rows of one file."""
        rows = self.vectors[file_n * _FILE_WINDOWS : (file_n + 1) * _FILE_WINDOWS]
        first = np.arange(len(rows), dtype=np.int32)
        yield FileContent([f"{file_n}"] * len(rows), rows, first, np.ones_like(first))

    def chunk(self, _file_n: int, _ordinal: int) -> Chunk:
        """Nothing has text here."""
        raise NotImplementedError

    def text(self, _file_n: int, _start: int, _end: int) -> str:
        """Nothing has text here."""
        raise NotImplementedError


def measure(*, dim: int) -> Crossovers:
    """Time both ways at several sizes; takes less than a minute.

    Args:
        dim: of the vectors.
    """
    rng = np.random.default_rng(0)
    vectors = _made(_SCAN_WINDOWS, dim, rng)
    queries = _near(vectors, rng)
    with tempfile.TemporaryDirectory() as folder:
        view = _indexed(vectors, Path(folder))
        gather = [_gathered(view, queries, n, rng) for n in _GATHERED]
    segments = [_open(vectors[:n], queries) for n in _SEGMENTS]
    tuning = Tuning(
        gather_windows=crossing(gather),
        coded_windows=max(crossing(segments), _SEGMENTS[0]),
    )
    return Crossovers(tuning, gather, segments)


def crossing(timings: Sequence[Timing]) -> int:
    """Up to how many windows rows are the faster way: between the sizes, where lines meet.

    >>> crossing([Timing(100, 1.0, 2.0), Timing(200, 2.0, 2.0), Timing(400, 4.0, 2.0)])
    200
    >>> crossing([Timing(100, 3.0, 2.0)]), crossing([Timing(100, 1.0, 2.0)])
    (50, 100)
    """
    faster = [i for i, t in enumerate(timings) if t.by_rows_ms <= t.by_codes_ms]
    if not faster:
        return timings[0].n_windows // 2
    if faster[-1] == len(timings) - 1:
        return timings[-1].n_windows
    below, above = timings[faster[-1]], timings[faster[-1] + 1]
    gain = below.by_codes_ms - below.by_rows_ms
    loss = above.by_rows_ms - above.by_codes_ms
    share = gain / (gain + loss)
    return round(below.n_windows + share * (above.n_windows - below.n_windows))


def _made(n: int, dim: int, rng: np.random.Generator) -> Vectors:
    spectrum = np.arange(1, dim + 1) ** -0.4
    mixed = np.linalg.qr(rng.standard_normal((dim, dim)))[0] * spectrum[:, None]
    return _unit(rng.standard_normal((n, dim)) @ mixed)


def _near(vectors: Vectors, rng: np.random.Generator) -> Vectors:
    """Queries: mixes of two rows."""
    picked = vectors[rng.integers(0, len(vectors), (2, _N_QUERIES))]
    return _unit(picked[0] + 0.5 * picked[1])


def _unit(rows: NDArray[np.floating]) -> Vectors:
    unit: Vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return unit


def _indexed(vectors: Vectors, folder: Path) -> View:
    index = StoreIndex.open(
        folder,
        Arrays(vectors),
        vector_store_id="vs_tune",
        model_id="tune",
        tuning=Tuning(coded_windows=1),
    )
    index.fold()
    index.save(folder)
    return index.view()


def _gathered(view: View, queries: Vectors, n: int, rng: np.random.Generator) -> Timing:
    """Both ways where about `n` windows, in files here and there, are allowed."""
    share = n / view.n_windows
    masks = [
        [rng.random(len(live.segment.file_n)) < share for live in view.segments] for _ in queries
    ]
    rows, codes = (_timed(view, masks, queries, kind=kind) for kind in ("gather", "scan"))
    return Timing(n, rows, codes)


def _open(vectors: Vectors, queries: Vectors) -> Timing:
    """Both ways over a whole segment."""
    with tempfile.TemporaryDirectory() as folder:
        view = _indexed(vectors, Path(folder))
        masks = [[mask.files for mask in view.allowed(None)]] * len(queries)
        rows = _timed(view, masks, queries, kind="open", exact=True)
        return Timing(len(vectors), rows, _timed(view, masks, queries, kind="open"))


def _timed(
    view: View,
    masks: Sequence[Sequence[NDArray[np.bool_]]],
    queries: Vectors,
    *,
    kind: Kind,
    exact: bool = False,
) -> float:
    """Median milliseconds of this thread's own time, so that a busy machine matters little."""
    times = []
    for query, files in zip(queries, masks, strict=True):
        start = time.thread_time()
        pairs = zip(view.segments, files, strict=True)
        allowed = [Allowed(live.segment, passed) for live, passed in pairs]
        n_allowed = sum(mask.n_windows for mask in allowed)
        todo = Plan(kind, n_allowed / view.n_windows, n_allowed, view.n_windows, exact)
        near = dense.search(view, allowed, query, plan=todo, k=min(K, max(1, n_allowed)))
        dense.scores(view, near.chunks, query)
        times.append(time.thread_time() - start)
    return 1000 * statistics.median(times)
