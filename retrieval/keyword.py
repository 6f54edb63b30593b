"""BM25 over chunks, from the segments' postings.

Statistics (how many chunks there are, how many hold a term, how long they are) are those of
all live chunks of the vector store, never of the part that a filter allows: a hit's score does
not depend on the filter. The filter's mask decides only which chunks are scored.

Of what is allowed no more is looked at than could be among the best. Terms are taken from the
rarest on; once those that are left could not lift an unseen chunk above the k-th best, they are
looked up in the chunks that are still in question, and nowhere else.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from retrieval.analysis import query_terms
from retrieval.lexicon import encoded
from retrieval.postings import Places, ranges
from retrieval.segment import Segment
from retrieval.view import Allowed, LiveSegment, View

K1 = 1.2  # how soon repeats of a term stop to count
B = 0.75  # how much longer chunks are marked down
SCALE = 3.0  # see `Keywords.scale`

# Of a segment that has no more allowed chunks than this, or than this share of all, each is looked
# at; of others the terms' postings are gone through.
_FEW_CHUNKS = 256
_FEW_SHARE = 1 / 32
_FEW_POSTINGS = 1 << 18  # gone through at once, with no thought of what could be left out
_MAX_CELLS = 1 << 20  # terms times sites that are looked up at once
_MAX_IN_QUESTION = 1024  # chunks for which frequent terms are looked up one by one, or 8 k
_ROUNDING = 1e-9  # sums in another order may differ by less than this share
_MAX_KNOWN_IDF = 1 << 16

Chunks = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Keywords:
    """What the words of a query find."""

    view: View
    allowed: Sequence[Allowed]
    places: Sequence[Places]  # of the distinct terms in each segment
    weights: Floats  # (n_terms,) idf of each distinct term times how often it is asked for
    idf: Mapping[str, float]  # by distinct term of the query; 0 where nothing holds it
    bound: float  # what a chunk of nothing but these terms would score
    # By segment: its allowed chunks that match, ascending, with their BM25, once that is known.
    _known: dict[int, tuple[Chunks, Floats]] = field(default_factory=dict)

    @property
    def scale(self) -> float:
        """BM25 at which the keyword half of a score is half full.

        Long queries reach higher sums, so a fixed scale would make all their chunks alike; see
        decision 0018.
        """
        return SCALE * math.sqrt(max(1.0, self.bound))

    @property
    def scores(self) -> Floats:
        """BM25 of every chunk: (all chunks,); 0 where not allowed or nothing matches."""
        found = np.zeros(self.view.chunk_base[-1], dtype=np.float64)
        for i in range(len(self.view.segments)):
            for term in np.flatnonzero(self.weights):
                chunks, gained = self._gained(i, int(term))
                found[chunks] += gained
        return found

    def at(self, chunks: Chunks) -> Floats:
        """BM25 of some allowed chunks of the view: (n,)."""
        found = np.zeros(len(chunks), dtype=np.float64)
        for i, positions, local in _by_segment(self.view, chunks):
            segment = self.view.segments[i].segment
            if i in self._known:
                found[positions] = _looked_up(*self._known[i], chunks[positions])
                continue
            n_each = max(1, _MAX_CELLS // (8 * max(1, len(self.weights))))
            for start in range(0, len(local), n_each):
                part = slice(start, start + n_each)
                counts = chunk_counts(segment, self.places[i], local[part])
                found[positions[part]] = self._sums(segment, local[part], counts)
        return found

    def top(self, k: int) -> tuple[Chunks, float]:
        """The `k` best allowed chunks that match at all, in no order, and what bounds the others.

        Returns:
            The chunks, and a score that no other allowed chunk exceeds.
        """
        few, many = self._few_and_many()
        looked_at = [self._kept(i, self._all_of) for i in few]
        chunks = np.concatenate([np.empty(0, np.int64), *(each for each, _ in looked_at)])
        exact = np.concatenate([np.empty(0), *(each for _, each in looked_at)])
        is_all = True
        if many and sum(int(self.places[i].n_sites.sum()) for i in many) <= _FEW_POSTINGS:
            looked_at = [self._kept(i, self._gone_through) for i in many]
            chunks = np.concatenate([chunks, *(each for each, _ in looked_at)])
            exact = np.concatenate([exact, *(each for _, each in looked_at)])
        elif many:
            found, is_all = self._promising(many, exact, k)
            chunks = np.concatenate([chunks, found])
            exact = np.concatenate([exact, self.at(found)])
        best, rest = top(exact, k)
        return chunks[best], rest if is_all else float(exact[best].min())

    def _kept(
        self, i: int, score: Callable[[int], tuple[Chunks, Floats]]
    ) -> tuple[Chunks, Floats]:
        """What is known of a segment, or what `score` says of it, which is kept."""
        if i not in self._known:
            self._known[i] = score(i)
        return self._known[i]

    def _few_and_many(self) -> tuple[list[int], list[int]]:
        """Segments whose allowed chunks are each looked at, and those with too many for that."""
        few: list[int] = []
        many: list[int] = []
        for i, mask in enumerate(self.allowed):
            n_all = self.view.segments[i].segment.n_chunks
            if mask.n_chunks and self.weights[self.places[i].n_sites > 0].any():
                is_few = mask.n_chunks <= max(_FEW_CHUNKS, _FEW_SHARE * n_all)
                (few if is_few else many).append(i)
        return few, many

    def _all_of(self, i: int) -> tuple[Chunks, Floats]:
        """The allowed chunks of a segment, and their BM25."""
        segment = self.view.segments[i].segment
        chunks = segment.chunks_of(np.flatnonzero(self.allowed[i].files))
        chunks += self.view.chunk_base[i]
        return chunks, self.at(chunks)

    def _gone_through(self, i: int) -> tuple[Chunks, Floats]:
        """The allowed chunks of a segment that match, and their BM25, by all postings at once."""
        segment, places = self.view.segments[i].segment, self.places[i]
        sites, counts = segment.postings.all_at(places)
        first, n = segment.chunks_at(sites)
        first += np.repeat(np.arange(len(places.n_sites)) * segment.n_chunks, places.n_sites)
        of_pair = np.bincount(ranges(first, n), np.repeat(counts, n))  # of term and chunk
        pairs = np.flatnonzero(of_pair > 0)
        term, chunks = np.divmod(pairs, segment.n_chunks)
        if self.allowed[i].n_chunks < segment.n_chunks:
            kept = self.allowed[i].chunks[chunks]
            pairs, term, chunks = pairs[kept], term[kept], chunks[kept]
        norms = self._norms(segment, np.arange(segment.n_chunks))[chunks]
        times = of_pair[pairs]
        # One after the other, so each chunk's terms are added in their order.
        sums = np.bincount(chunks, self.weights[term] * (times / (times + norms)))
        found = np.flatnonzero(sums > 0).astype(np.int64, copy=False)
        return found + self.view.chunk_base[i], sums[found].astype(np.float64, copy=False)

    def _promising(self, segments: Sequence[int], others: Floats, k: int) -> tuple[Chunks, bool]:
        """Chunks of some segments, the `k` best of them and of `others` (BM25) among them.

        The second is whether these are all that match; if not, there are at least `k` of them
        and the others.
        """
        sums = np.zeros(self.view.chunk_base[-1], dtype=np.float64)
        seen: list[Chunks] = []
        order = np.argsort(-self.weights, kind="stable")
        order = order[self.weights[order] > 0]
        left = float(self.weights.sum())  # what the terms that are left could add
        for term in order.tolist():
            for i in segments:
                chunks, gained = self._gained(i, term)
                before = sums[chunks]
                seen.append(chunks[before == 0])
                sums[chunks] = before + gained
            left = 0.0 if term == order[-1] else left - float(self.weights[term])
            if left < float(self.weights.sum()) - left:
                found = np.concatenate(seen)
                seen = [found]
                kept = _in_question(sums[found], others, left=left, k=k)
                if kept is not None and len(kept) <= max(_MAX_IN_QUESTION, 8 * k):
                    return found[kept], False
        return (found, True) if kept is None else (found[kept], False)

    def _gained(self, i: int, term: int) -> tuple[Chunks, Floats]:
        """Allowed chunks of a segment that hold a term, as the view's; what each scores by it."""
        segment = self.view.segments[i].segment
        chunks, counts = _holders(segment, *segment.postings.at(self.places[i], term))
        if self.allowed[i].n_chunks < segment.n_chunks:
            kept = self.allowed[i].chunks[chunks]
            chunks, counts = chunks[kept], counts[kept]
        gained: Floats = self.weights[term] * (counts / (counts + self._norms(segment, chunks)))
        return chunks + self.view.chunk_base[i], gained

    def _sums(self, segment: Segment, chunks: Chunks, counts: Floats) -> Floats:
        """BM25 of chunks from (n_terms, n) how often they hold each term, added in their order."""
        total = np.zeros(len(chunks), dtype=np.float64)
        norms = self._norms(segment, chunks)
        for weight, times in zip(self.weights.tolist(), counts, strict=True):
            if weight:
                total += weight * (times / (times + norms))
        return total

    def _norms(self, segment: Segment, chunks: Chunks) -> Floats:
        mean_length = self.view.n_terms / max(1, self.view.n_chunks)
        norms: Floats = K1 * (1 - B + B * (segment.chunk_length[chunks] / mean_length))
        return norms


def _in_question(sums: Floats, others: Floats, *, left: float, k: int) -> NDArray[np.intp] | None:
    """Which chunks could be among the `k` best; None while unseen ones could be as well.

    Args:
        sums: of the chunks seen, without the terms that are left.
        others: scores of other chunks.
        left: how much those terms could add.
        k: how many.
    """
    known = np.concatenate([sums, others])
    if len(known) <= k:
        return None
    least = float(np.partition(known, -k)[-k]) * (1 - _ROUNDING)
    if left > least:
        return None
    return np.flatnonzero(sums + left >= least)


def _looked_up(known: Chunks, scored: Floats, wanted: Chunks) -> Floats:
    """The scores of wanted chunks among known ones, ascending; 0 for those not there."""
    if not len(known):
        return np.zeros(len(wanted))
    at = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    return np.where(known[at] == wanted, scored[at], 0.0)


def look_up(view: View, allowed: Sequence[Allowed], text: str) -> Keywords:
    """Look up the words of a query in every allowed chunk of the view.

    Source: Robertson and Zaragoza, The Probabilistic Relevance Framework, 2009, with Lucene's
    idf, ln(1 + (N - n + 0.5) / (n + 0.5)), and without its constant factor k1 + 1.
    """
    return look_up_terms(view, allowed, query_terms(text, view.languages))


def look_up_terms(view: View, allowed: Sequence[Allowed], wanted: Sequence[str]) -> Keywords:
    """`look_up` for terms that are analysed already; one that repeats counts as often."""
    times = Counter(wanted)
    words = [encoded(term) for term in times]
    numbers = [live.segment.postings.find_all(words) for live in view.segments]
    known = dict(zip(times, _idfs(view, numbers, n_terms=len(words)), strict=True))
    weights = np.array([n_times * known[term] for term, n_times in times.items()])
    places = [
        live.segment.postings.places(each)
        for live, each in zip(view.segments, numbers, strict=True)
    ]
    return Keywords(view, allowed, places, weights, known, sum(weights.tolist()))


def idfs(view: View, terms: Iterable[str]) -> dict[str, float]:
    """How much each term tells of a chunk; 0 where no live chunk holds it."""
    known = {term: view.idf.get(term) for term in terms}
    new = [term for term, value in known.items() if value is None]
    words = [encoded(term) for term in new]
    numbers = [live.segment.postings.find_all(words) for live in view.segments]
    found = dict(zip(new, _idfs(view, numbers, n_terms=len(new)), strict=True))
    if len(view.idf) > _MAX_KNOWN_IDF:
        view.idf.clear()
    view.idf.update(found)  # two threads would write the same
    return {term: found[term] if value is None else value for term, value in known.items()}


def _idfs(view: View, numbers: Sequence[NDArray[np.int64]], *, n_terms: int) -> list[float]:
    n_holding = np.zeros(n_terms, dtype=np.int64)
    for live, found in zip(view.segments, numbers, strict=True):
        n_holding += _n_holding(live, found)
    return [
        math.log1p((view.n_chunks - n + 0.5) / (n + 0.5)) if n else 0.0 for n in n_holding.tolist()
    ]


def _n_holding(live: LiveSegment, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Live chunks of the segment that hold each term: (n_terms,)."""
    n_holding = np.zeros(len(numbers), dtype=np.int64)
    known = np.flatnonzero(numbers >= 0)
    n_holding[known] = live.segment.term_n_chunks.at(numbers[known])
    if live.is_whole or not len(known):
        return n_holding
    dead = np.flatnonzero(~live.live.chunks)
    places = live.segment.postings.places(numbers[known])
    n_each = max(1, _MAX_CELLS // (8 * len(known)))
    for start in range(0, len(dead), n_each):
        counts = chunk_counts(live.segment, places, dead[start : start + n_each])
        n_holding[known] -= np.count_nonzero(counts, axis=1)
    return n_holding


def chunk_counts(segment: Segment, places: Places, chunks: Chunks) -> Floats:
    """How often some chunks of a segment hold each term: (n_terms, n)."""
    in_window, in_head, starts = site_counts(segment, places, chunks)
    counts: Floats = np.add.reduceat(in_window, starts, axis=1) + in_head
    return counts


def site_counts(
    segment: Segment, places: Places, chunks: Chunks
) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """How often each term stands in the chunks' windows, and in their names and headings.

    Args:
        segment: that has the chunks.
        places: of t terms.
        chunks: (n,) at least one.

    Returns:
        (t, windows), the windows of the chunks end to end; (t, n) names and headings together;
        (n,) where each chunk's windows begin.
    """
    sites, starts = segment.sites_of(chunks)
    found = segment.postings.counts_at(places, sites)
    n = len(chunks)
    n_windows = len(sites) - 2 * n
    head: Floats = found[:, n_windows : n_windows + n] + found[:, n_windows + n :]
    return found[:, :n_windows], head, starts


def _holders(
    segment: Segment, sites: NDArray[np.int64], counts: NDArray[np.int64]
) -> tuple[Chunks, Floats]:
    """The chunks of a segment that hold a term, ascending, and how often they do.

    Args:
        segment: that has them.
        sites: that hold the term.
        counts: how often each does.
    """
    first, n = segment.chunks_at(sites)
    per_chunk = np.bincount(ranges(first, n), np.repeat(counts, n))
    chunks = np.flatnonzero(per_chunk > 0)
    return chunks, per_chunk[chunks].astype(np.float64, copy=False)


def scores(view: View, allowed: Sequence[Allowed], text: str) -> Floats:
    """BM25 of every chunk of the view: (all chunks,), see `look_up`."""
    return look_up(view, allowed, text).scores


def top(scored: Floats, k: int) -> tuple[NDArray[np.int64], float]:
    """The `k` best that match at all, in no order; no other scores above the number."""
    # First: partitioning suffers from many equal zeros.
    matching = np.flatnonzero(scored).astype(np.int64, copy=False)
    if len(matching) <= k:
        return matching, 0.0
    order = np.argpartition(scored[matching], -k)
    return matching[order[-k:]], float(scored[matching[order[-k]]])


def _by_segment(view: View, chunks: Chunks) -> Iterator[tuple[int, NDArray[np.intp], Chunks]]:
    """Each segment that has some of the chunks: its place, their positions, their numbers."""
    home = np.searchsorted(view.chunk_base, chunks, side="right") - 1
    for i in np.unique(home).tolist():
        positions = np.flatnonzero(home == i)
        yield i, positions, chunks[positions] - view.chunk_base[i]
