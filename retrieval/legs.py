"""Both legs of one text of a query, under one mask, and the first ranking made of them.

Each leg finds its best candidates and says how much a chunk that it did not find could score at
most; while that could still change the wanted ones, both look deeper. So neither the plan nor the
number of segments can change a ranking, only its cost.

Where windows are found by their codes, in large stores, that bound is as good as certain and no
more, and it is asked for the first places alone: those below them, which the rankers that follow
choose from, are the best of what was seen. See decision 0020.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from retrieval import dense, fuse
from retrieval.candidates import Candidates, collect
from retrieval.keyword import Keywords
from retrieval.plan import Plan
from retrieval.queries import HybridWeights
from retrieval.view import Allowed, View

FIRST_DEPTH = 128  # windows of the dense leg, chunks of the keyword leg
_CODED_DEPTH = 512  # the same by codes: a second look costs more than depth does there
_DEEPER = 4
_SURE = 20  # places of the first ranking that nothing unseen may change, where codes are used
# How far down reciprocal ranks look in each leg; fixed, since ranks from deeper down would
# move the fused order.
RRF_DEPTH = 200


@dataclass(frozen=True, slots=True, eq=False)
class Legs:
    """Both legs of one text."""

    view: View
    allowed: Sequence[Allowed]
    plan: Plan
    words: Keywords
    known: dict[int, tuple[NDArray[np.int64], float]] = field(default_factory=dict)  # by depth

    def blended(
        self, vector: NDArray[np.float32], *, n: int, scale: float | None = None
    ) -> Candidates:
        """The best `n` by blended score, deeper until nothing unseen could be among them.

        Args:
            vector: of the text, unit.
            n: how many; fewer come back only where fewer are allowed.
            scale: of BM25; by itself the one that fits the text.
        """
        scale = self.words.scale if scale is None else scale
        n_sure, k = (min(n, _SURE), _CODED_DEPTH) if self._by_codes else (n, FIRST_DEPTH)
        while True:
            seen = self._collect(vector, k)
            best = seen.best(fuse.blend(seen.dense, seen.keyword, scale=scale), n)
            rest = np.array([seen.dense_rest]), np.array([seen.keyword_rest])
            unseen = fuse.blend(*rest, scale=scale)[0]
            if seen.is_all or (len(best.chunks) == n and best.fused[n_sure - 1] > unseen):
                return best
            k *= _DEEPER

    @property
    def _by_codes(self) -> bool:
        """Whether windows may be found by their codes."""
        if self.plan.exact or self.plan.kind not in ("scan", "open"):
            return False
        return any(live.codes for live in self.view.segments)

    def by_ranks(
        self, vector: NDArray[np.float32], weights: HybridWeights, *, n: int
    ) -> Candidates:
        """The best `n` by reciprocal ranks, deeper until all ranks that count are known."""
        k = FIRST_DEPTH
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

    def look_ahead(self) -> None:
        """Do what needs no vector, while the vector is on its way."""
        self._matching(_CODED_DEPTH if self._by_codes else FIRST_DEPTH)

    def _matching(self, k: int) -> tuple[NDArray[np.int64], float]:
        if k not in self.known:
            self.known[k] = self.words.top(k)
        return self.known[k]

    def _collect(self, vector: NDArray[np.float32], k: int) -> Candidates:
        near = dense.search(self.view, self.allowed, vector, plan=self.plan, k=k)
        matching, rest = self._matching(k)
        chunks = np.union1d(near.chunks, matching)
        return collect(
            self.view,
            chunks,
            dense=dense.scores(self.view, chunks, vector),
            keyword=self.words.at(chunks),
            dense_rest=near.rest,
            keyword_rest=rest,
            outcome=near.outcome,
        )
