"""The query path: a question and a view → hits, best first.

First rankings are exact: see `retrieval.legs`. So neither the plan nor the number of segments
can change a ranking, only its cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from retrieval import keyword, ranking, threshold
from retrieval.calibrate import Calibration
from retrieval.candidates import Candidates, Scored
from retrieval.hits import Shaped, load
from retrieval.legs import RRF_DEPTH, Legs
from retrieval.plan import Plan, plan
from retrieval.queries import Query, SearchResult
from retrieval.rerank import RERANK_CHUNKS, Reranker, second_look
from retrieval.rewrite import rewritten
from retrieval.snapshot import Reader
from retrieval.view import Allowed, View

__all__ = ["RRF_DEPTH", "QueryEmbedder", "Run", "run", "search"]

# Chunks ranked for one query: more than are ever shown, since hits that say the same twice drop
# out. One fixed number, so that a page of ten is the beginning of a page of fifty.
N_RANKED = 100
_N_DEEPER = 1000  # where so much dropped out that hits are missing


class QueryEmbedder(Protocol):
    """The part of an embedder that a search needs."""

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """(dim,), unit."""


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """A search with what its stages saw; `retrieval.why_not` reads it."""

    texts: tuple[str, ...]  # that were really looked for
    allowed: Sequence[Allowed]
    plan: Plan
    found: Sequence[Candidates]  # for each text
    ranked: Sequence[Scored]  # of all texts, best first, each text of a file once
    shaped: Shaped

    @property
    def result(self) -> SearchResult:
        """What the caller of `search` gets."""
        return SearchResult(self.texts, self.shaped.hits)


def search(
    reader: Reader,
    view: View,
    embedder: QueryEmbedder,
    query: Query,
    *,
    vector_store_id: str,
    reranker: Reranker | None = None,
    calibration: Calibration | None = None,
) -> SearchResult:
    """Rank the chunks of one vector store.

    Args:
        reader: the store's snapshot that `view` was made from.
        view: what `StoreIndex.catch_up(reader)` returned.
        embedder: the one that made the vectors.
        query: what to look for; of several texts, each chunk counts with its best.
        vector_store_id: written into the hits.
        reranker: reads the best hits again, where the query's ranker is `auto` and gives no
            weights.
        calibration: of the vector store's own judged queries, for the same rankers.

    Returns:
        `query.limit` hits wherever so many chunks are allowed, reach `min_score` and have text
        of their own. Scores fall; equal ones stand by number of file, then in reading order.
    """
    return run(
        reader,
        view,
        embedder,
        query,
        vector_store_id=vector_store_id,
        reranker=reranker,
        calibration=calibration,
    ).result


def run(
    reader: Reader,
    view: View,
    embedder: QueryEmbedder,
    query: Query,
    *,
    vector_store_id: str,
    reranker: Reranker | None = None,
    calibration: Calibration | None = None,
    n: int = N_RANKED,
) -> Run:
    """`search`, with what its stages saw."""
    texts = rewritten(reader, view, query.texts) if query.rewrite else query.texts
    allowed = view.allowed(query.filter)
    n_allowed = sum(mask.n_windows for mask in allowed)
    todo = plan(n_allowed=n_allowed, n_total=view.n_windows, tuning=view.tuning)
    found = [_ranked(reader, view, embedder, query, text, allowed, todo, n=n) for text in texts]
    outcomes = dict.fromkeys(each.outcome for each in found if each.outcome)
    todo = replace(todo, outcome=", ".join(outcomes))
    best = _best(
        [one for text, some in zip(texts, found, strict=True) for one in some.scored(text)]
    )
    if reranker and query.ranker == "auto" and not query.weights:
        best = second_look(reader, reranker, best, n=RERANK_CHUNKS)
    if calibration and query.ranker != "default-2024-11-15" and not query.weights:
        best = [replace(one, score=calibration.apply(one.score)) for one in best]
    kept = [one for one in best if threshold.keeps(one.score, query.min_score)]
    shaped = load(reader, view, kept, query=query, plan=todo, vector_store_id=vector_store_id)
    made = Run(texts, allowed, todo, found, best, shaped)
    if len(shaped.hits) < query.limit and not shaped.is_full and len(kept) >= n < _N_DEEPER:
        return run(
            reader,
            view,
            embedder,
            query,
            vector_store_id=vector_store_id,
            reranker=reranker,
            calibration=calibration,
            n=_N_DEEPER,
        )
    return made


def _ranked(
    reader: Reader,
    view: View,
    embedder: QueryEmbedder,
    query: Query,
    text: str,
    allowed: Sequence[Allowed],
    todo: Plan,
    *,
    n: int,
) -> Candidates:
    """The best `n` candidates for one text."""
    words = keyword.look_up(view, allowed, text)
    legs = Legs(view, allowed, todo, words)
    if todo.kind != "none":
        legs.look_ahead()
    vector = embedder.embed_query(text)
    texts = ranking.reader_of_texts(reader)
    return ranking.rank(legs, texts, query=query, text=text, vector=vector, n=n)


def _best(found: Sequence[Scored]) -> list[Scored]:
    """Every text once, with its best score, best first."""
    best: dict[tuple[int, int], Scored] = {}
    for scored in found:
        known = best.get(scored.text_key)
        if known is None or scored.order < known.order:
            best[scored.text_key] = scored
    return sorted(best.values(), key=lambda scored: scored.order)
