"""What the light ranker looks at: numbers for each of the best candidates of one query.

All of it comes from arrays of the segments: the rows of the candidates' windows, and the postings
of the query's terms. Nothing is read from the store.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval import keyword
from retrieval.lexicon import encoded
from retrieval.postings import first_best
from retrieval.view import View

MAX_TERMS = 48  # of a long query, the rarest: those that tell chunks apart

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """Which of some terms stand in which of some chunks: t terms, n chunks."""

    terms: tuple[str, ...]  # (t,)
    weights: Floats  # (t,) of each term, as shares of their sum
    chunk_counts: Floats  # (t, n) how often each chunk holds it, names and headings included
    in_best_window: Floats  # (n,) share of the weights that stand together in one window
    best_window: NDArray[np.int64]  # (n,) the first such window, counted within the chunk
    in_head: Floats  # (n,) share of the weights that stand in the file's name or the headings

    @property
    def coverage(self) -> Floats:
        """(n,) share of the weights that the chunk holds anywhere."""
        share: Floats = self.weights @ (self.chunk_counts > 0)
        return share


def matches(view: View, chunks: NDArray[np.int64], idf: Mapping[str, float]) -> Matches:
    """Look up where the terms stand within these chunks of the view."""
    wanted = sorted((t for t in idf if idf[t] > 0), key=lambda t: (-idf[t], t))[:MAX_TERMS]
    weights = np.array([idf[term] for term in wanted], dtype=np.float64)
    words = [encoded(term) for term in wanted]
    weights = weights / max(float(weights.sum()), 1e-9)
    counts = np.zeros((len(wanted), len(chunks)))
    best, head = np.zeros(len(chunks)), np.zeros(len(chunks))
    where = np.zeros(len(chunks), dtype=np.int64)
    for segment, positions, local in view.by_segment(chunks):
        places = segment.postings.places(segment.postings.find_all(words))
        in_window, in_head, starts = keyword.site_counts(segment, places, local)
        counts[:, positions] = np.add.reduceat(in_window, starts, axis=1) + in_head
        share = weights @ (in_window > 0)
        where[positions], best[positions] = first_best(share, starts)
        head[positions] = weights @ (in_head > 0)
    return Matches(tuple(wanted), weights, counts, best, where, head)


def bm25(view: View, chunks: NDArray[np.int64], found: Matches, weights: Floats) -> Floats:
    """Weighted sum of the terms' BM25 weights, without idf, in each chunk: (n,)."""
    lengths = np.empty(len(chunks))
    for segment, positions, local in view.by_segment(chunks):
        lengths[positions] = segment.chunk_length[local]
    share = lengths * view.n_chunks / max(1, view.n_terms)
    norm = keyword.K1 * (1 - keyword.B + keyword.B * share)
    total: Floats = weights @ (found.chunk_counts / (found.chunk_counts + norm))
    return total
