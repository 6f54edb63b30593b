"""Nearest chunks by vector: FAISS over windows under the mask, then exact scores of chunks.

A chunk's score is 0.8 of its best window's cosine and 0.2 of the mean over all its windows
(design measurements: better than either alone). It is always computed here from the float32
rows, window by window in the same way, so it depends neither on the plan nor on the segment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import faiss
import numpy as np
from numpy.typing import NDArray

from retrieval.plan import Plan
from retrieval.postings import offsets, ranges
from retrieval.segment import Segment
from retrieval.types import Vectors
from retrieval.view import Allowed, View

BEST_SHARE = 0.8
# FAISS sums a dot product in another order than we do; it may be off by this much.
ROUNDING = 1e-5


@dataclass(frozen=True, slots=True, eq=False)
class Nearest:
    """Chunks found by one leg, in no order."""

    chunks: NDArray[np.int64]  # (n,) distinct
    rest: float  # no allowed chunk that is missing here scores above this; -inf if none is


def search(
    view: View, allowed: Sequence[Allowed], vector: NDArray[np.float32], *, plan: Plan, k: int
) -> Nearest:
    """Chunks that hold the `k` nearest allowed windows.

    A chunk scores no better than its best window, so whatever is not found scores no better
    than the k-th window: that bound lets the caller know when it has seen enough.
    """
    if plan.kind in ("none", "gather") or k >= plan.n_allowed:
        return Nearest(_all_chunks(view, allowed), -np.inf)
    found: list[NDArray[np.int64]] = []
    sims: list[NDArray[np.float32]] = []
    for live, mask in zip(view.segments, allowed, strict=True):
        windows, near = _scan(live.segment, mask, vector, k=min(k, mask.n_windows))
        found.append(windows)
        sims.append(near)
    cut = np.sort(np.concatenate(sims))[-k]
    chunks = [
        _holding(live.segment, windows[near >= cut]) + base
        for live, windows, near, base in zip(
            view.segments, found, sims, view.chunk_base[:-1], strict=True
        )
    ]
    return Nearest(np.concatenate(chunks), float(cut) + ROUNDING)


def _all_chunks(view: View, allowed: Sequence[Allowed]) -> NDArray[np.int64]:
    parts = [
        np.flatnonzero(mask.chunks).astype(np.int64, copy=False) + base
        for mask, base in zip(allowed, view.chunk_base[:-1], strict=True)
    ]
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)


def _scan(
    segment: Segment, mask: Allowed, vector: NDArray[np.float32], *, k: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The k nearest allowed windows, and their cosines."""
    sims, windows = np.empty(k, dtype=np.float32), np.empty(k, dtype=np.int64)
    if k:
        query = np.ascontiguousarray(vector, dtype=np.float32)
        selector = faiss.IDSelectorBitmap(len(mask.bits), faiss.swig_ptr(mask.bits))
        faiss.knn_inner_product(
            faiss.swig_ptr(query),
            faiss.swig_ptr(segment.vectors),  # straight from the mapped file
            segment.vectors.shape[1],
            1,
            segment.n_windows,
            k,
            faiss.swig_ptr(sims),
            faiss.swig_ptr(windows),
            selector,
        )
    return windows, sims


def _holding(segment: Segment, windows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Chunks that hold any of these windows, each once."""
    return np.unique(ranges(segment.window_chunk[windows], segment.window_n_chunks[windows]))


def scores(
    view: View, chunks: NDArray[np.int64], vector: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Exact score of each chunk, over all its windows: (n,), cosines within rounding."""
    found = np.empty(len(chunks), dtype=np.float64)
    for segment, positions, local in view.by_segment(chunks):
        sims, starts, n = _window_sims(segment, local, vector)
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
            sims, _, sizes = _window_sims(segment, local, vector)
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
        sims, starts, n = _window_sims(segment, local, vector)
        for position, chunk, start, size in zip(positions, local, starts, n, strict=True):
            best = int(np.argmax(sims[start : start + size]))
            rows[position] = segment.vectors[segment.chunk_window[chunk] + best]
    return rows


def _window_sims(
    segment: Segment, chunks: NDArray[np.int64], vector: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Cosines of the chunks' windows end to end, where each chunk's start, how many it has."""
    n = segment.chunk_n_windows[chunks].astype(np.int64)
    windows = ranges(segment.chunk_window[chunks], n)
    distinct, where = np.unique(windows, return_inverse=True)  # overlapping chunks share them
    # einsum goes row by row; a BLAS product may round a row by what stands around it.
    sims = np.einsum("ij,j->i", segment.vectors[distinct], vector)
    return sims[where].astype(np.float64), offsets(n)[:-1], n
