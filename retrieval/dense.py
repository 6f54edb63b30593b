"""Nearest chunks by vector: windows by their codes under the mask, then exact scores of chunks.

A chunk's score is 0.8 of its best window's cosine and 0.2 of the mean over all its windows
(design measurements: better than either alone). It is always computed here from the float32
rows, window by window in the same way, so it depends neither on the plan nor on the segment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.nearest import nearest
from retrieval.plan import Plan
from retrieval.postings import offsets, ranges
from retrieval.rows import products
from retrieval.segment import Segment
from retrieval.types import Vectors
from retrieval.view import Allowed, View

BEST_SHARE = 0.8
# FAISS sums a dot product in another order than we do; it may be off by this much.
ROUNDING = 1e-5
# Chunks of so few allowed windows are scored all at once: choosing among them takes as long.
_ALL_WINDOWS = 512


@dataclass(frozen=True, slots=True, eq=False)
class Nearest:
    """Chunks found by one leg, in no order."""

    chunks: NDArray[np.int64]  # (n,) distinct
    rest: float  # no allowed chunk that is missing here scores above this; -inf if none is
    outcome: str = ""  # how they were found, for explanations


def search(
    view: View, allowed: Sequence[Allowed], vector: NDArray[np.float32], *, plan: Plan, k: int
) -> Nearest:
    """Chunks that hold the `k` nearest allowed windows.

    A chunk scores no better than its best window, so whatever is not found scores no better
    than the k-th window: that bound lets the caller know when it has seen enough. Where windows
    were found by their codes, it is as sure as `retrieval.nearest` is.
    """
    if plan.n_allowed <= max(k, _ALL_WINDOWS):
        return Nearest(_all_chunks(view, allowed), -np.inf)
    near = nearest(view, allowed, vector, plan=plan, k=k)
    chunks = [
        _holding(live.segment, windows[sims >= near.cut]) + base
        for live, (windows, sims), base in zip(
            view.segments, near.found, view.chunk_base[:-1], strict=True
        )
    ]
    return Nearest(np.concatenate(chunks), near.cut + ROUNDING, near.outcome)


def _all_chunks(view: View, allowed: Sequence[Allowed]) -> NDArray[np.int64]:
    parts = [
        mask.segment.chunks_of(np.flatnonzero(mask.files)) + base
        for mask, base in zip(allowed, view.chunk_base[:-1], strict=True)
        if mask.n_chunks
    ]
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)


def _holding(segment: Segment, windows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Chunks that hold any of these windows, each once."""
    return np.unique(ranges(segment.window_chunk[windows], segment.window_n_chunks[windows]))


def scores(
    view: View, chunks: NDArray[np.int64], vector: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Exact score of each chunk, over all its windows: (n,), cosines within rounding."""
    found = np.empty(len(chunks), dtype=np.float64)
    for segment, positions, local in view.by_segment(chunks):
        sims, starts, n = _window_sims(segment, local, vector, kept=view.keeps_rows)
        best = np.maximum.reduceat(sims, starts) if len(starts) else sims
        mean = np.add.reduceat(sims, starts) / n if len(starts) else sims
        found[positions] = BEST_SHARE * best + (1 - BEST_SHARE) * mean
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Sims:
    """Cosines of some chunks' windows, n chunks."""

    windows: NDArray[np.float64]  # end to end
    start: NDArray[np.int64]  # (n,) where each chunk's begin

    @classmethod
    def of(cls, view: View, chunks: NDArray[np.int64], vector: NDArray[np.float32]) -> Sims:
        """Of chunks of the view, in their order."""
        n = np.empty(len(chunks), dtype=np.int64)
        for segment, positions, local in view.by_segment(chunks):
            n[positions] = segment.chunk_n_windows[local]
        start = offsets(n)[:-1]
        windows = np.empty(int(n.sum()), dtype=np.float64)
        for segment, positions, local in view.by_segment(chunks):
            sims, _, sizes = _window_sims(segment, local, vector, kept=view.keeps_rows)
            windows[ranges(start[positions], sizes)] = sims
        return cls(windows, start)

    def at(self, places: NDArray[np.int64]) -> NDArray[np.float64]:
        """The cosine of one window of each chunk, given by its place within the chunk."""
        found: NDArray[np.float64] = self.windows[self.start + places]
        return found


def best_windows(view: View, chunks: NDArray[np.int64], vector: NDArray[np.float32]) -> Vectors:
    """The vector of each chunk's window that is nearest to `vector`: (n, dim)."""
    rows = np.empty((len(chunks), len(vector)), dtype=np.float32)
    for segment, positions, local in view.by_segment(chunks):
        sims, starts, n = _window_sims(segment, local, vector, kept=view.keeps_rows)
        for position, chunk, start, size in zip(positions, local, starts, n, strict=True):
            best = int(np.argmax(sims[start : start + size]))
            rows[position] = segment.vectors[segment.chunk_window[chunk] + best]
    return rows


def _window_sims(
    segment: Segment, chunks: NDArray[np.int64], vector: NDArray[np.float32], *, kept: bool
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Cosines of the chunks' windows end to end, where each chunk's start, how many it has."""
    n = segment.chunk_n_windows[chunks].astype(np.int64)
    windows = ranges(segment.chunk_window[chunks], n)
    query = np.ascontiguousarray(vector, dtype=np.float32)
    if (windows[1:] > windows[:-1]).all():
        sims = products(segment.vectors, windows, query, kept=kept)
    else:
        distinct, where = np.unique(windows, return_inverse=True)  # overlapping chunks share them
        sims = products(segment.vectors, distinct, query, kept=kept)[where]
    return sims.astype(np.float64), offsets(n)[:-1], n
