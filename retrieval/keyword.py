"""BM25 over chunks, from the segments' postings.

Statistics (how many chunks there are, how many hold a term, how long they are) are those of
all live chunks of the vector store, never of the part that a filter allows: a hit's score does
not depend on the filter. The filter's mask decides only which chunks are scored.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.analysis import query_terms
from retrieval.postings import ranges
from retrieval.segment import Segment
from retrieval.view import Allowed, LiveSegment, View

K1 = 1.2  # how soon repeats of a term stop to count
B = 0.75  # how much longer chunks are marked down


def scores(view: View, allowed: Sequence[Allowed], text: str) -> NDArray[np.float64]:
    """BM25 of every chunk of the view: (all chunks,), 0 where not allowed or nothing matches.

    Source: Robertson and Zaragoza, The Probabilistic Relevance Framework, 2009, with Lucene's
    idf, ln(1 + (N - n + 0.5) / (n + 0.5)), and without its constant factor k1 + 1.
    """
    found = np.zeros(view.chunk_base[-1], dtype=np.float64)
    mean_length = view.n_terms / max(1, view.n_chunks)
    for term, n_times in Counter(query_terms(text)).items():
        holders = [
            _holders(live, mask, term) for live, mask in zip(view.segments, allowed, strict=True)
        ]
        n_holding = sum(held.n_holding for held in holders)
        idf = math.log1p((view.n_chunks - n_holding + 0.5) / (n_holding + 0.5))
        for live, held, base in zip(view.segments, holders, view.chunk_base[:-1], strict=True):
            share = live.segment.chunk_length[held.chunks] / mean_length
            weight = held.counts / (held.counts + K1 * (1 - B + B * share))
            found[base + held.chunks] += n_times * idf * weight
    return found


@dataclass(frozen=True, slots=True, eq=False)
class _Holders:
    """Chunks of one segment that hold a term."""

    chunks: NDArray[np.int64]  # (n,) those allowed
    counts: NDArray[np.float64]  # (n,) how often each holds it
    n_holding: int  # live ones, allowed or not


_NOBODY = _Holders(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float64), 0)


def _holders(live: LiveSegment, mask: Allowed, term: str) -> _Holders:
    number = live.segment.postings.find(term)
    if number is None:
        return _NOBODY
    chunks, counts = _count(live.segment, mask, number)
    if live.is_whole:
        n_holding = int(live.segment.term_n_chunks[number])
    elif mask is live.live:
        n_holding = len(chunks)
    else:
        n_holding = len(_count(live.segment, live.live, number)[0])
    return _Holders(chunks, counts, n_holding)


def _count(
    segment: Segment, mask: Allowed, number: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Allowed chunks that hold the term, ascending, and how often they do."""
    sites, counts = segment.postings.of(number)
    if mask.n_chunks < segment.n_chunks:
        kept = mask.sites[sites]
        sites, counts = sites[kept], counts[kept]
    n = segment.site_n_chunks[sites]
    per_chunk = np.bincount(ranges(segment.site_chunk[sites], n), np.repeat(counts, n))
    chunks = np.flatnonzero(per_chunk)
    return chunks.astype(np.int64, copy=False), per_chunk[chunks].astype(np.float64, copy=False)


def top(scored: NDArray[np.float64], k: int) -> tuple[NDArray[np.int64], float]:
    """The `k` best chunks that match at all, in no order; no other scores above the number."""
    matching = np.flatnonzero(scored).astype(
        np.int64, copy=False
    )  # first: partitioning suffers from many equal zeros
    if len(matching) <= k:
        return matching, 0.0
    order = np.argpartition(scored[matching], -k)
    return matching[order[-k:]], float(scored[matching[order[-k]]])
