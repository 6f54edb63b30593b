"""Ranking scores → confidences in [0, 1], and where to cut. Pure.

A confidence is meant as: of hits with this score, about this share is relevant. Within a query it
rises strictly with the ranking score; how high a query's hits stand altogether follows from signs
of the query as a whole, such as the best cosine, which tell a question that the files answer from
one that they do not. Fitted on public judged sets (decision 0016); on files of another kind it may
be off, which `retrieval.calibrate` mends with judged queries of one's own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.candidates import Candidates
from retrieval.keyword import Keywords

# A hit at least this sure is one to rely on; see `docs/RANKING.md` for what it keeps and drops.
CONFIDENT = 0.5

_TOP = 10


@dataclass(frozen=True, slots=True)
class Signs:
    """What tells how good the hits of a query are altogether; the same for all its hits."""

    best_cosine: float
    best_keyword: float  # B / (B + scale) of the best match
    tenth_cosine: float  # how steeply the cosines fall
    covered: float  # the best BM25 as a share of its upper bound

    @classmethod
    def of(cls, first: Candidates, words: Keywords) -> Signs:
        """Of the first ranking, best first, at least ten long where so many are allowed."""
        if not len(first.chunks):
            return cls(0.0, 0.0, 0.0, 0.0)
        cosines = np.sort(first.dense)[::-1]
        best = float(first.keyword.max())
        return cls(
            best_cosine=float(cosines[0]),
            best_keyword=best / (best + words.scale),
            tenth_cosine=float(cosines[min(_TOP, len(cosines)) - 1]),
            covered=best / max(words.bound, 1.0),
        )

    def row(self) -> NDArray[np.float64]:
        """The signs as numbers, in order."""
        return np.array([self.best_cosine, self.best_keyword, self.tenth_cosine, self.covered])


@dataclass(frozen=True, slots=True)
class Curve:
    """Logistic: confidence = 1 / (1 + exp(-(slope · fused + signs · weights + shift)))."""

    slope: float  # above 0, so that the order stays as it is
    signs: tuple[float, float, float, float]
    shift: float

    def at(self, fused: NDArray[np.float64], signs: Signs) -> NDArray[np.float64]:
        """Confidence of each ranking score, element by element."""
        level = float(np.array(self.signs) @ signs.row()) + self.shift
        scores: NDArray[np.float64] = 1.0 / (1.0 + np.exp(-(self.slope * fused + level)))
        return scores


FIRST = Curve(6.10, (0.0, 0.0, 0.0, 0.0), -3.70)  # of the first ranking, `ranker: none`
LIGHT = Curve(6.10, (0.0, 0.0, 0.0, 0.0), -3.70)  # of the built-in ranker, `auto`


def first_confidence(fused: NDArray[np.float64], signs: Signs) -> NDArray[np.float64]:
    """Calibrate the first ranking's scores."""
    return FIRST.at(fused, signs)


def confidence(fused: NDArray[np.float64], signs: Signs) -> NDArray[np.float64]:
    """Calibrate the light ranker's scores."""
    return LIGHT.at(fused, signs)


def keeps(score: float, min_score: float) -> bool:
    """Whether a hit reaches the caller's `score_threshold`; one that equals it does."""
    return score >= min_score
