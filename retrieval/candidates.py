"""Chunks that either leg found, with both legs' exact scores, and the best of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.queries import LegScore
from retrieval.view import View

_BELOW = 1e-6  # so that what follows a ranking never ties with its last


def _no_chunks() -> NDArray[np.int64]:
    return np.empty(0, dtype=np.int64)


def _none() -> NDArray[np.float64]:
    return np.empty(0, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Scored:
    """A chunk that made it; what a hit is loaded from."""

    chunk: int  # of the view
    file_n: int
    ordinal: int  # in its file
    same_as: int  # the file's first chunk with the same text
    score: float  # 0-1
    fused: float
    dense: LegScore
    keyword: LegScore
    query: str
    features: tuple[float, ...] = ()  # in the order of `light.FEATURES`
    second: float | None = None  # what a reranker gave, 0-1

    @property
    def text_key(self) -> tuple[int, int]:
        """Equal for chunks that are one hit."""
        return self.file_n, self.same_as

    @property
    def order(self) -> tuple[float, int, int]:
        """Sorts the best first, equal scores by file and place in it."""
        return -self.score, self.file_n, self.ordinal


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Parallel arrays (n,), one element a chunk."""

    chunks: NDArray[np.int64]  # of the view
    file_n: NDArray[np.int64]
    ordinal: NDArray[np.int64]
    same_as: NDArray[np.int64]
    dense: NDArray[np.float64]
    keyword: NDArray[np.float64]
    dense_rank: NDArray[np.int64]  # from 1; 0 where not known or, for keywords, no match
    keyword_rank: NDArray[np.int64]
    dense_rest: float  # no other allowed chunk scores above these
    keyword_rest: float
    fused: NDArray[np.float64] = field(default_factory=_none)  # once `best` has put them in order
    scores: NDArray[np.float64] = field(default_factory=_none)  # once they are calibrated
    looked_at: NDArray[np.int64] = field(
        default_factory=_no_chunks
    )  # by either leg, before `best`
    features: NDArray[np.float64] = field(default_factory=_none)  # (n, n_features), if any
    outcome: str = ""  # what the dense leg came to

    @property
    def is_all(self) -> bool:
        """Whether every allowed chunk is here."""
        return self.dense_rest == -np.inf

    def best(self, fused: NDArray[np.float64], n: int) -> Candidates:
        """The first `n` by `fused` (n,), each text of a file once, best first."""
        order = np.lexsort((self.ordinal, self.file_n, -fused))
        texts = np.stack([self.file_n[order], self.same_as[order]])
        _, first = np.unique(texts, axis=1, return_index=True)
        kept = order[np.sort(first)[:n]]
        arrays: dict[str, Any] = {name: getattr(self, name)[kept] for name in _ARRAYS}
        return replace(self, **arrays, fused=fused[kept], looked_at=self.chunks)

    def reordered(self, fused: NDArray[np.float64]) -> Candidates:
        """The same in the order of other ranking scores, best first."""
        order = np.lexsort((self.ordinal, self.file_n, -fused))
        arrays: dict[str, Any] = {name: getattr(self, name)[order] for name in _ARRAYS}
        if len(self.features):
            arrays["features"] = self.features[order]
        return replace(self, **arrays, fused=fused[order])

    def head(self, n: int) -> Candidates:
        """The first `n`."""
        return self._part(slice(None, n))

    def tail(self, start: int) -> Candidates:
        """Those from place `start` on."""
        return self._part(slice(start, None))

    def _part(self, part: slice) -> Candidates:
        arrays: dict[str, Any] = {name: getattr(self, name)[part] for name in _ARRAYS}
        for name in ("fused", "scores", "features"):
            arrays[name] = getattr(self, name)[part]
        return replace(self, **arrays)

    def followed_by(self, others: Candidates) -> Candidates:
        """These, then others, which rank below them whatever their own ranking scores say."""
        arrays: dict[str, Any] = {
            name: np.concatenate([getattr(self, name), getattr(others, name)]) for name in _ARRAYS
        }
        low = self.fused[-1] + np.minimum(0.0, others.fused - others.fused.max(initial=-np.inf))
        return replace(self, **arrays, fused=np.concatenate([self.fused, low - _BELOW]))

    def scored(self, query: str) -> list[Scored]:
        """Each of them by itself, found by the text `query`."""
        return list(self._scored(query))

    def _scored(self, query: str) -> Iterator[Scored]:
        names = (*_ARRAYS, "fused", "scores")
        seen = [tuple(row) for row in self.features.tolist()]
        seen += [()] * (len(self.chunks) - len(seen))  # those below the light ranker's reach
        columns = (getattr(self, name).tolist() for name in names)
        for features, row in zip(seen, zip(*columns, strict=True), strict=True):
            chunk, file_n, ordinal, same_as, dense, keyword, d_rank, k_rank, fused, score = row
            yield Scored(
                chunk=chunk,
                file_n=file_n,
                ordinal=ordinal,
                same_as=same_as,
                score=score,
                fused=fused,
                dense=LegScore(d_rank or None, dense),
                keyword=LegScore(k_rank or None, keyword),
                query=query,
                features=features,
            )


_ARRAYS = (
    "chunks",
    "file_n",
    "ordinal",
    "same_as",
    "dense",
    "keyword",
    "dense_rank",
    "keyword_rank",
)


def collect(
    view: View,
    chunks: NDArray[np.int64],
    *,
    dense: NDArray[np.float64],
    keyword: NDArray[np.float64],
    dense_rest: float,
    keyword_rest: float,
    outcome: str = "",
) -> Candidates:
    """Put candidates together; a rank is given where no unseen chunk could come before."""
    file_n, ordinal, same_as = view.files_and_ordinals(chunks)
    return Candidates(
        chunks=chunks,
        file_n=file_n,
        ordinal=ordinal,
        same_as=same_as,
        dense=dense,
        keyword=keyword,
        dense_rank=_ranks(dense, file_n, ordinal, above=dense_rest),
        keyword_rank=_ranks(keyword, file_n, ordinal, above=keyword_rest),
        dense_rest=dense_rest,
        keyword_rest=keyword_rest,
        outcome=outcome,
    )


def _ranks(
    scores: NDArray[np.float64],
    file_n: NDArray[np.int64],
    ordinal: NDArray[np.int64],
    *,
    above: float,
) -> NDArray[np.int64]:
    """Rank of each score from 1, equal ones by file and place; 0 for those not above."""
    ranks = np.empty(len(scores), dtype=np.int64)
    ranks[np.lexsort((ordinal, file_n, -scores))] = np.arange(1, len(scores) + 1)
    return np.where(scores > above, ranks, 0)
