"""The query path: a question and a view → hits, best first.

Results are exact. Each leg finds its best candidates and says how much a chunk that it did not
find could score at most; while that could still change the wanted hits, both look deeper. So
neither the plan nor the number of segments can change a ranking, only its cost.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from retrieval import dense, fuse, keyword, threshold
from retrieval.candidates import Candidates, Scored, collect
from retrieval.errors import NotFound
from retrieval.plan import Plan, plan
from retrieval.rerank import RERANK_CHUNKS, Reranker, reranked
from retrieval.rewrite import rewrite
from retrieval.snapshot import Reader
from retrieval.types import Explanation, Hit, HybridWeights, Query, SearchResult
from retrieval.view import Allowed, View

_FIRST_DEPTH = 128  # windows of the dense leg, chunks of the keyword leg
_DEEPER = 4
# How far down reciprocal ranks look in each leg; fixed, since ranks from deeper down would
# move the fused order.
RRF_DEPTH = 200


class QueryEmbedder(Protocol):
    """The part of an embedder that a search needs."""

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """(dim,), unit."""


def search(
    reader: Reader,
    view: View,
    embedder: QueryEmbedder,
    query: Query,
    *,
    vector_store_id: str,
    reranker: Reranker | None = None,
) -> SearchResult:
    """Rank the chunks of one vector store.

    Args:
        reader: the store's snapshot that `view` was made from.
        view: what `StoreIndex.catch_up(reader)` returned.
        embedder: the one that made the vectors.
        query: what to look for; of several texts, each chunk counts with its best.
        vector_store_id: written into the hits.
        reranker: reads the best hits again, unless the query asks for no ranker or for
            reciprocal ranks.

    Returns:
        `query.limit` hits wherever so many chunks are allowed and reach `min_score`. Scores
        fall; equal ones stand by number of file, then in reading order. Text that occurs
        twice in a file is one hit.
    """
    texts = tuple(map(rewrite, query.texts)) if query.rewrite else query.texts
    allowed = view.allowed(query.filter)
    todo = plan(n_allowed=sum(mask.n_windows for mask in allowed), n_total=view.n_windows)
    second = None if query.ranker == "none" or query.weights else reranker
    n = max(query.limit, RERANK_CHUNKS) if second else query.limit
    found: list[Scored] = []
    for text in texts:
        legs = _Legs(view, allowed, todo, keyword.scores(view, allowed, text))
        found += legs.rank(text, embedder.embed_query(text), query=query, n=n)
    hits = list(_load(reader, view, _best(found)[:n], plan=todo, vector_store_id=vector_store_id))
    hits = _rerank(second, hits) if second else hits
    kept = [hit for hit in hits if threshold.keeps(hit.score, query.min_score)]
    return SearchResult(texts, tuple(kept[: query.limit]))


class _Legs:
    """Both legs of one query text, under one mask."""

    def __init__(
        self,
        view: View,
        allowed: Sequence[Allowed],
        todo: Plan,
        keyword_scores: NDArray[np.float64],
    ) -> None:
        self._view = view
        self._allowed = allowed
        self._plan = todo
        self._keyword = keyword_scores

    def rank(
        self, text: str, vector: NDArray[np.float32], *, query: Query, n: int
    ) -> list[Scored]:
        """The best `n` chunks, as the query's ranking options say."""
        if self._plan.kind == "none":
            return []
        if query.weights:
            return self._by_ranks(vector, query.weights, n=n).scored(text)
        if query.ranker == "none":
            return self._blended(vector, n=n, feedback=False).scored(text)
        first = self._blended(vector, n=fuse.FEEDBACK_CHUNKS, feedback=False)
        rows = dense.best_windows(self._view, first.chunks, vector)
        return self._blended(fuse.towards(vector, rows), n=n, feedback=True).scored(text)

    def _blended(self, vector: NDArray[np.float32], *, n: int, feedback: bool) -> Candidates:
        """The best `n` by blended score, deeper until nothing unseen could be among them."""
        k = _FIRST_DEPTH
        while True:
            seen = self._collect(vector, k)
            best = seen.best(fuse.blend(seen.dense, seen.keyword), n)
            unseen = fuse.blend(np.array([seen.dense_rest]), np.array([seen.keyword_rest]))[0]
            if seen.is_all or (len(best.chunks) == n and best.fused[-1] > unseen):
                return replace(best, scores=threshold.confidence(best.fused, feedback=feedback))
            k *= _DEEPER

    def _by_ranks(
        self, vector: NDArray[np.float32], weights: HybridWeights, *, n: int
    ) -> Candidates:
        """The best `n` by reciprocal ranks, deeper until all ranks that count are known."""
        k = _FIRST_DEPTH
        while True:
            seen = self._collect(vector, k)
            ranks = [
                np.where(rank > RRF_DEPTH, 0, rank)
                for rank in (seen.dense_rank, seen.keyword_rank)
            ]
            best = seen.best(fuse.reciprocal_ranks(ranks[0], ranks[1], weights), n)
            known = RRF_DEPTH in ranks[0] and (RRF_DEPTH in ranks[1] or seen.keyword_rest == 0)
            if seen.is_all or (known and len(best.chunks) == n and best.fused[-1] > 0):
                return replace(best, scores=best.fused / fuse.best_reciprocal_rank(weights))
            k *= _DEEPER

    def _collect(self, vector: NDArray[np.float32], k: int) -> Candidates:
        near = dense.search(self._view, self._allowed, vector, plan=self._plan, k=k)
        matching, rest = keyword.top(self._keyword, k)
        chunks = np.union1d(near.chunks, matching)
        return collect(
            self._view,
            chunks,
            dense=dense.scores(self._view, chunks, vector),
            keyword=self._keyword[chunks],
            dense_rest=near.rest,
            keyword_rest=rest,
        )


def _best(found: Sequence[Scored]) -> list[Scored]:
    """Every text once, with its best score, best first."""
    best: dict[tuple[int, int], Scored] = {}
    for scored in found:
        known = best.get(scored.text_key)
        if known is None or scored.order < known.order:
            best[scored.text_key] = scored
    return sorted(best.values(), key=lambda scored: scored.order)


def _load(
    reader: Reader,
    view: View,
    best: Sequence[Scored],
    *,
    plan: Plan,
    vector_store_id: str,
) -> Iterator[Hit]:
    """Hits with their text and place; what the store no longer has is left out."""
    for scored in best:
        file = view.record(scored.chunk)
        try:
            chunk = reader.chunk(scored.file_n, scored.ordinal)
            text = reader.text(scored.file_n, chunk.start_char, chunk.end_char)
        except NotFound:
            continue
        yield Hit(
            vector_store_id=vector_store_id,
            file_id=file.file_id,
            filename=file.filename,
            attributes=file.attributes,
            chunk_ordinal=scored.ordinal,
            text=text,
            score=scored.score,
            start_char=chunk.start_char,
            end_char=chunk.end_char,
            place=chunk.place,
            heading_path=chunk.heading_path,
            explanation=Explanation(
                plan=str(plan),
                dense=scored.dense,
                keyword=scored.keyword,
                fused=scored.fused,
                query=scored.query,
            ),
        )


def _rerank(reranker: Reranker, hits: Sequence[Hit]) -> list[Hit]:
    """Blend in what the reranker says of each hit for the text that found it."""
    seconds = np.empty(len(hits))
    for text in dict.fromkeys(hit.explanation.query for hit in hits):
        mine = [i for i, hit in enumerate(hits) if hit.explanation.query == text]
        seconds[mine] = reranker.rerank(text, [hits[i].text for i in mine])
    fused = reranked(np.array([hit.explanation.fused for hit in hits]), seconds)
    scores = threshold.confidence(fused, feedback=True)
    moved = [
        replace(hit, score=float(score), explanation=replace(hit.explanation, fused=float(total)))
        for hit, score, total in zip(hits, scores, fused, strict=True)
    ]
    return sorted(moved, key=lambda hit: -hit.score)
