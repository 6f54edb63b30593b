"""BM25 over chunks, from the segments' postings.

Statistics (how many chunks there are, how many hold a term, how long they are) are those of
all live chunks of the vector store, never of the part that a filter allows: a hit's score does
not depend on the filter. The filter's mask decides only which chunks are scored.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.analysis import query_terms
from retrieval.postings import ranges
from retrieval.segment import Segment
from retrieval.view import Allowed, LiveSegment, View

K1 = 1.2  # how soon repeats of a term stop to count
B = 0.75  # how much longer chunks are marked down
SCALE = 3.0  # see `Keywords.scale`


@dataclass(frozen=True, slots=True, eq=False)
class Keywords:
    """What the words of a query find."""

    scores: NDArray[np.float64]  # (all chunks,) BM25; 0 where not allowed or nothing matches
    idf: Mapping[str, float]  # by distinct term of the query; 0 where nothing holds it
    bound: float  # what a chunk of nothing but these terms would score

    @property
    def scale(self) -> float:
        """BM25 at which the keyword half of a score is half full.

        Long queries reach higher sums, so a fixed scale would make all their chunks alike; see
        decision 0018.
        """
        return SCALE * math.sqrt(max(1.0, self.bound))


def look_up(view: View, allowed: Sequence[Allowed], text: str) -> Keywords:
    """Score every allowed chunk of the view by the words of a query.

    Source: Robertson and Zaragoza, The Probabilistic Relevance Framework, 2009, with Lucene's
    idf, ln(1 + (N - n + 0.5) / (n + 0.5)), and without its constant factor k1 + 1.
    """
    return look_up_terms(view, allowed, query_terms(text, view.languages))


def look_up_terms(view: View, allowed: Sequence[Allowed], wanted: Sequence[str]) -> Keywords:
    """`look_up` for terms that are analysed already; one that repeats counts as often."""
    found = np.zeros(view.chunk_base[-1], dtype=np.float64)
    mean_length = view.n_terms / max(1, view.n_chunks)
    known: dict[str, float] = {}
    bound = 0.0
    for term, n_times in Counter(wanted).items():
        holders = [
            _holders(live, mask, term) for live, mask in zip(view.segments, allowed, strict=True)
        ]
        known[term] = idf = _idf(view, sum(held.n_holding for held in holders))
        bound += n_times * known[term]
        for live, held, base in zip(view.segments, holders, view.chunk_base[:-1], strict=True):
            share = live.segment.chunk_length[held.chunks] / mean_length
            weight = held.counts / (held.counts + K1 * (1 - B + B * share))
            found[base + held.chunks] += n_times * idf * weight
    return Keywords(found, known, bound)


def idf(view: View, term: str) -> float:
    """How much a term tells of a chunk; 0 where no live chunk holds it."""
    known = view.idf.get(term)
    if known is None:
        known = _idf(view, sum(_n_holding(live, term) for live in view.segments))
        view.idf[term] = known  # two threads would write the same
    return known


def _idf(view: View, n_holding: int) -> float:
    if not n_holding:
        return 0.0
    return math.log1p((view.n_chunks - n_holding + 0.5) / (n_holding + 0.5))


def _n_holding(live: LiveSegment, term: str) -> int:
    """Live chunks of the segment that hold the term."""
    number = live.segment.postings.find(term)
    if number is None:
        return 0
    if live.is_whole:
        return int(live.segment.term_n_chunks.at(np.array([number]))[0])
    sites, _ = live.segment.postings.of(number)
    sites = sites[live.live.sites[sites]]
    chunks = ranges(*live.segment.chunks_at(sites))
    return len(np.unique(chunks))


def scores(view: View, allowed: Sequence[Allowed], text: str) -> NDArray[np.float64]:
    """BM25 of every chunk of the view: (all chunks,), see `look_up`."""
    return look_up(view, allowed, text).scores


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
        n_holding = int(live.segment.term_n_chunks.at(np.array([number]))[0])
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
    first, n = segment.chunks_at(sites)
    per_chunk = np.bincount(ranges(first, n), np.repeat(counts, n))
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
