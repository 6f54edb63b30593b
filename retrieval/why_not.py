"""Why a file, or one of its chunks, is not among the hits: the stage that dropped it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from retrieval import threshold
from retrieval.candidates import Scored
from retrieval.hits import explained
from retrieval.queries import Explanation, Query
from retrieval.search import Run
from retrieval.view import DEAD, View

Stage = Literal[
    "not_indexed",  # the index does not have it yet, or not any more
    "filter",  # the query's filter leaves it out
    "candidate_depth",  # neither leg found it among its best
    "fusion",  # a leg found it, but others rank higher when both are put together
    "threshold",  # its score is below the query's `score_threshold`
    "merged",  # better hits of its file show the same text
    "limit",  # it ranks below the last hit asked for
    "max_tokens",  # the hits before it use up the token budget
    "returned",  # it is among the hits
]
_ORDER = {stage: place for place, stage in enumerate(get_args(Stage))}


@dataclass(frozen=True, slots=True)
class WhyNot:
    """What became of a file or a chunk in one search."""

    file_id: str
    chunk_ordinal: int | None  # of the chunk that came furthest; None where nothing is indexed
    stage: Stage
    rank: int | None = None  # among all candidates, from 1, where it was ranked
    score: float | None = None
    last_score: float | None = None  # of the last hit that was returned
    explanation: Explanation | None = None  # where it was ranked


def why_not(
    view: View, made: Run, query: Query, *, file_id: str, chunk_ordinal: int | None = None
) -> WhyNot:
    """The stage that dropped a chunk, or of a file's chunks the one that came furthest.

    Args:
        view: that was searched.
        made: the search, as `retrieval.search.run` gives it.
        query: that was searched with.
        file_id: of the file.
        chunk_ordinal: of the chunk in it; None asks for the whole file.
    """
    chunks = _chunks_of(view, file_id)
    if chunk_ordinal is not None:
        chunks = chunks[_ordinals(view, chunks) == chunk_ordinal]
    if not len(chunks):
        return WhyNot(file_id, chunk_ordinal, "not_indexed")
    stages = _Stages.of(view, made, query)
    furthest = max(chunks.tolist(), key=stages.sort_key)
    ordinal = int(_ordinals(view, np.array([furthest]))[0])
    scored = stages.scored.get(furthest)
    hits = made.shaped.hits
    return WhyNot(
        file_id=file_id,
        chunk_ordinal=ordinal,
        stage=stages.stage(furthest),
        rank=stages.rank.get(furthest),
        score=scored.score if scored else None,
        last_score=hits[-1].score if hits else None,
        explanation=explained(scored, plan=made.plan) if scored else None,
    )


def _chunks_of(view: View, file_id: str) -> NDArray[np.int64]:
    """The live chunks of a file, as numbers of the view; a long one may be in several pieces."""
    found = [np.empty(0, dtype=np.int64)]
    for live, base in zip(view.segments, view.chunk_base[:-1], strict=True):
        for i in np.flatnonzero(live.rows != DEAD):
            chunks = live.segment.chunks_of(np.array([i]))
            if len(chunks) and view.record(base + int(chunks[0])).file_id == file_id:
                found.append(chunks + base)
    return np.concatenate(found)


def _ordinals(view: View, chunks: NDArray[np.int64]) -> NDArray[np.int64]:
    return view.files_and_ordinals(chunks)[1]


@dataclass(frozen=True, slots=True, eq=False)
class _Stages:
    """What each chunk of the view met with."""

    allowed: NDArray[np.bool_]  # (all chunks,)
    looked_at: frozenset[int]  # by a leg, for any text
    scored: dict[int, Scored]  # those that were ranked
    rank: dict[int, int]  # from 1
    twins: frozenset[int]  # ranked for a text, but the same text of the file ranks higher
    merged: frozenset[int]
    over_budget: frozenset[int]
    returned: frozenset[int]
    min_score: float

    @classmethod
    def of(cls, view: View, made: Run, query: Query) -> _Stages:
        allowed = [mask.chunks for mask in made.allowed]
        ranked = {scored.chunk: scored for scored in made.ranked}
        ids = {(scored.file_n, scored.same_as): scored.chunk for scored in made.ranked}
        looked_at = [some.looked_at for some in made.found]
        seen = np.unique(np.concatenate(looked_at)) if looked_at else np.empty(0, np.int64)
        files, _, same_as = view.files_and_ordinals(seen)
        keys = zip(seen.tolist(), files.tolist(), same_as.tolist(), strict=True)
        return cls(
            allowed=np.concatenate(allowed) if allowed else np.empty(0, dtype=np.bool_),
            looked_at=frozenset(seen.tolist()),
            scored=ranked,
            rank={scored.chunk: rank for rank, scored in enumerate(made.ranked, 1)},
            twins=frozenset(c for c, *key in keys if ids.get((key[0], key[1]), c) != c),
            merged=made.shaped.merged,
            over_budget=made.shaped.over_budget,
            returned=made.shaped.returned,
            min_score=query.min_score,
        )

    def stage(self, chunk: int) -> Stage:
        """The stage that dropped it."""
        scored = self.scored.get(chunk)
        if chunk in self.returned:
            return "returned"
        if not self.allowed[chunk]:
            return "filter"
        if scored is None:
            return self._unranked(chunk)
        if not threshold.keeps(scored.score, self.min_score):
            return "threshold"
        if chunk in self.merged:
            return "merged"
        return "max_tokens" if chunk in self.over_budget else "limit"

    def _unranked(self, chunk: int) -> Stage:
        if chunk in self.twins:
            return "merged"
        return "fusion" if chunk in self.looked_at else "candidate_depth"

    def sort_key(self, chunk: int) -> tuple[int, int]:
        """Greater for chunks that came further, and of those for the better ranked."""
        return _ORDER[self.stage(chunk)], -self.rank.get(chunk, 0)
