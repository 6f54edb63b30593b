"""Ranking scores → confidences in [0, 1], and where to cut. Pure.

A confidence is meant as: of hits with this score, about this share is relevant. Within a query it
rises strictly with the ranking score; how high a query's hits stand altogether follows from signs
of the query as a whole, such as the best cosine, which tell a question that the files answer from
one that they do not. Fitted on public judged sets (decision 0018); on files of another kind it may
be off, which `retrieval.calibrate` mends with judged queries of one's own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# A hit at least this sure is one to rely on: of questions that the files do not answer, one in
# twenty has such a hit; of questions whose best hit is relevant, nineteen in twenty keep it
# (decision 0018).
CONFIDENT = 0.055

_TENTH = 10
# Best hits below this ranking score are rare for questions that the files answer.
_KNEE = 0.62
_MAX_BELOW = 0.3
# Relevance is rarer among the chunks of large stores of long documents. Below some 1,300 chunks
# that counts by degrees, below 150 not at all; beyond what the fit has seen it counts no further.
_GATE = (5.0, 7.2)  # log of chunks
_LONG = (0.9, -0.7, 0.6)  # log of windows a chunk: middle, and how far from it
_LARGE = (7.3, -0.5, 0.9)  # log of chunks: the same


@dataclass(frozen=True, slots=True)
class Signs:
    """What tells how good the hits of a query are altogether; the same for all its hits."""

    best: float  # ranking score of the first hit
    tenth: float  # ranking score of the tenth, or last, hit
    n_chunks: int  # live ones of the vector store
    n_windows: int

    @classmethod
    def of(cls, fused: NDArray[np.float64], *, n_chunks: int, n_windows: int) -> Signs:
        """Of a ranking's scores, best first, and the size of the vector store."""
        top = fused[:_TENTH]
        best, tenth = (float(top[0]), float(top[-1])) if len(top) else (0.0, 0.0)
        return cls(best, tenth, n_chunks, n_windows)

    def row(self) -> NDArray[np.float64]:
        """What the curve weighs: (5,)."""
        n = math.log(max(1, self.n_chunks))
        size = math.log(max(1, self.n_windows) / max(1, self.n_chunks))
        gate = min(1.0, max(0.0, (n - _GATE[0]) / (_GATE[1] - _GATE[0])))
        long, large = (
            gate * min(high, max(low, value - middle))
            for value, (middle, low, high) in ((size, _LONG), (n, _LARGE))
        )
        below = min(_MAX_BELOW, max(0.0, _KNEE - self.best))
        return np.array([self.best, gate * self.tenth, long, large, below])


@dataclass(frozen=True, slots=True)
class Curve:
    """Logistic: confidence = 1 / (1 + exp(-(slope · fused + signs · weights + shift)))."""

    slope: float  # above 0, so that the order stays as it is
    signs: tuple[float, float, float, float, float]  # of `Signs.row`
    shift: float

    def at(self, fused: NDArray[np.float64], signs: Signs) -> NDArray[np.float64]:
        """Confidence of each ranking score, element by element."""
        level = float(np.array(self.signs) @ signs.row()) + self.shift
        scores: NDArray[np.float64] = 1.0 / (1.0 + np.exp(-(self.slope * fused + level)))
        return scores


# Of `ranker: none` no sign of the query counts, so that a filter never changes its scores. Both are
# fitted by benchmarks/fit_ranking.py, but for the weight of best hits below the knee, which is
# set so that foreign questions stand apart.
FIRST = Curve(8.31, (0.0, 0.0, -1.58, 0.91, 0.0), -5.07)  # first ranking, `ranker: none`
LIGHT = Curve(8.73, (-4.04, -3.18, -3.15, 2.09, -25.0), -2.91)  # the built-in ranker, `auto`


def keeps(score: float, min_score: float) -> bool:
    """Whether a hit reaches the caller's `score_threshold`; one that equals it does."""
    return score >= min_score
