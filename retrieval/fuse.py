"""What two legs say → one score. Pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from retrieval.queries import HybridWeights

DENSE_SHARE = 0.5
# BM25 at which the keyword half of the score is half full. A fixed scale, unlike one per
# query, lets scores of different queries compare; best of the fixed ones in design 4.
KEYWORD_SCALE = 10.0
RRF_K = 60


def blend(
    dense: NDArray[np.float64], keyword: NDArray[np.float64], *, scale: float = KEYWORD_SCALE
) -> NDArray[np.float64]:
    """H = 0.5 · cosine + 0.5 · B / (B + scale), B being BM25; element by element.

    >>> blend(np.array([0.6]), np.array([10.0])).tolist()
    [0.55]
    """
    return DENSE_SHARE * dense + (1 - DENSE_SHARE) * keyword / (keyword + scale)


def reciprocal_ranks(
    dense: NDArray[np.int64], keyword: NDArray[np.int64], weights: HybridWeights
) -> NDArray[np.float64]:
    """Sum of weight / (60 + rank) over both legs; rank counts from 1, 0 means not ranked.

    Source: Cormack, Clarke, Büttcher, SIGIR 2009.

    >>> reciprocal_ranks(np.array([1]), np.array([0]), HybridWeights(1.0, 1.0)).round(4).tolist()
    [0.0164]
    """
    legs = ((dense, max(0.0, weights.embedding)), (keyword, max(0.0, weights.text)))
    total = np.zeros(len(dense), dtype=np.float64)
    for ranks, weight in legs:
        total += np.where(ranks > 0, weight / (RRF_K + ranks), 0.0)
    return total


def best_reciprocal_rank(weights: HybridWeights) -> float:
    """What a chunk gets that is first in both legs."""
    return (max(0.0, weights.embedding) + max(0.0, weights.text)) / (RRF_K + 1)
