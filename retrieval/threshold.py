"""Ranking scores → confidences in [0, 1], and where to cut. Pure.

A confidence is meant as: of hits with this score, about this share is relevant. It is the product
of two: how sure it is that the question is one for these files at all, which the nearest text and
the words found tell, and how often such a hit is relevant if it is. Within a query it rises
strictly with the ranking score. Fitted on public judged sets (decision 0023); on files of another
kind it may be off, which `retrieval.calibrate` mends with judged queries of one's own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# A hit at least this sure is one to rely on: of questions that the files do not answer, at most
# one in twenty has such a hit; of questions whose best hit is relevant, nineteen in twenty keep it
# (decision 0023).
CONFIDENT = 0.115

# Relevance is rarer among long chunks. Below some 650 chunks that counts by degrees, below 55 not
# at all; beyond what the fit has seen it counts no further.
_GATE = (4.0, 6.5)  # log of chunks
_LONG = (5.0, -0.4, 1.2)  # log of terms a chunk: middle, and how far from it
# Log-odds that the question is one for these files, by the nearest text and the words found.
_NEAREST, _COVERED, _SHIFT = 31.6, 10.5, -15.2
_MAX_DOUBT = 5.0  # log-odds: other models' cosines run lower


@dataclass(frozen=True, slots=True)
class Signs:
    """What tells how good the hits of a query are altogether; the same for all its hits."""

    n_chunks: int  # live ones of the vector store
    n_terms: int  # in them
    has_number: bool  # the question has: it asks for one fact, of which few texts tell

    def row(self) -> NDArray[np.float64]:
        """What the curve weighs: (2,)."""
        n = max(1, self.n_chunks)
        gate = min(1.0, max(0.0, (math.log(n) - _GATE[0]) / (_GATE[1] - _GATE[0])))
        middle, low, high = _LONG
        long = gate * min(high, max(low, math.log(max(1, self.n_terms) / n) - middle))
        return np.array([long, float(self.has_number)])


def belonging(nearest: float, covered: float) -> float:
    """How sure it is that a question is one for these files, in (0, 1).

    Args:
        nearest: best cosine of a candidate.
        covered: share of the question's words, by weight, that the first hit holds; words that
            no file holds count like those that one does.
    """
    odds = _NEAREST * nearest + _COVERED * covered + _SHIFT
    return 1.0 / (1.0 + math.exp(-max(-_MAX_DOUBT, odds)))


@dataclass(frozen=True, slots=True)
class Curve:
    """Logistic: confidence = 1 / (1 + exp(-(slope · fused + signs · weights + shift)))."""

    slope: float  # above 0, so that the order stays as it is
    signs: tuple[float, float]  # of `Signs.row`
    shift: float

    def at(self, fused: NDArray[np.float64], signs: Signs) -> NDArray[np.float64]:
        """Confidence of each ranking score, element by element."""
        level = float(np.array(self.signs) @ signs.row()) + self.shift
        scores: NDArray[np.float64] = 1.0 / (1.0 + np.exp(-(self.slope * fused + level)))
        return scores


# Fitted by benchmarks/fit_scores.py. `ranker: none` leaves out whether the question belongs, so
# that a filter never changes its scores.
FIRST = Curve(9.39, (-0.69, -0.54), -4.70)  # first ranking, `ranker: none`
LIGHT = Curve(6.72, (-0.85, -0.64), -4.65)  # the built-in ranker, `auto`


def keeps(score: float, min_score: float) -> bool:
    """Whether a hit reaches the caller's `score_threshold`; one that equals it does."""
    return score >= min_score
