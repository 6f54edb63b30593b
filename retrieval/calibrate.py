"""Judged queries of one vector store → confidences that fit it.

What the built-in curve says is bent by a second logistic curve in its log-odds: two numbers a
vector store, which some fifty judged queries are enough to find. It rises strictly, so rankings
stay as they are.

Source: Platt, Probabilistic Outputs for Support Vector Machines, 1999.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import InvalidRequest

_EDGE = 1e-6  # log-odds of 0 and 1 are infinite
_MIN_SLOPE = 0.05  # lower would all but forget the order
# Towards no change of slope and shift, in judged hits: keeps few judgments from going to extremes.
_PULL = np.diag([5.0, 0.5])
_STEPS = 50
_MAX_ODDS = 30.0  # beyond, a share is 0 or 1 to twelve digits


@dataclass(frozen=True, slots=True)
class Calibration:
    """New log-odds = slope · old + shift."""

    slope: float = 1.0  # above 0
    shift: float = 0.0
    n_queries: int = 0  # it was fitted on

    def apply(self, score: float) -> float:
        """The score on this vector store's scale, in [0, 1]."""
        return float(self.apply_all(np.array([score]))[0])

    def apply_all(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """`apply`, element by element."""
        if self.slope == 1.0 and self.shift == 0.0:
            return scores
        return _share(self.slope * _odds(scores) + self.shift)


def calibrate(
    scores: Sequence[Sequence[float]], relevant: Sequence[Sequence[bool]]
) -> Calibration:
    """Fit a vector store's calibration to judged queries.

    Args:
        scores: of each query's hits, as a search without calibration gives them; ten of each
            query are meant.
        relevant: whether each of them is.

    Raises:
        InvalidRequest: no query has a relevant hit, or all hits are relevant.
    """
    x = _odds(np.concatenate([np.asarray(each, dtype=np.float64) for each in scores]))
    y = np.concatenate([np.asarray(each, dtype=np.float64) for each in relevant])
    if not 0 < y.sum() < len(y):
        raise InvalidRequest(
            "Calibration needs both relevant hits and others: of these "
            f"{len(y)} hits {int(y.sum())} are relevant. Judge more queries.",
            param="judgments",
            code="invalid_value",
        )
    slope, shift = _logistic(x, y)
    return Calibration(max(_MIN_SLOPE, slope), shift, len(scores))


def calibration_error(
    scores: NDArray[np.float64], relevant: NDArray[np.bool_], *, n_bins: int = 15
) -> float:
    """Mean distance of score and share of relevant hits, over bins of equally many hits.

    Source: Nguyen and O'Connor, Posterior calibration and exploratory analysis, 2015.
    """
    order = np.argsort(scores, kind="stable")
    total = 0.0
    for part in np.array_split(order, n_bins):
        if len(part):
            total += len(part) * abs(float(scores[part].mean() - relevant[part].mean()))
    return total / max(1, len(scores))


def _odds(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    inside = np.clip(scores, _EDGE, 1 - _EDGE)
    odds: NDArray[np.float64] = np.log(inside / (1 - inside))
    return odds


def _share(odds: NDArray[np.float64]) -> NDArray[np.float64]:
    share: NDArray[np.float64] = 1 / (1 + np.exp(-np.clip(odds, -_MAX_ODDS, _MAX_ODDS)))
    return share


def _logistic(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float]:
    """Slope and shift of greatest likelihood, pulled a little towards 1 and 0."""
    rows = np.stack([x, np.ones_like(x)], axis=1)
    at, rest = np.array([1.0, 0.0]), np.array([1.0, 0.0])
    for _ in range(_STEPS):
        p = _share(rows @ at)
        slope = rows.T @ (p - y) + _PULL @ (at - rest)
        bend = rows.T @ (rows * (p * (1 - p))[:, None]) + _PULL
        # Newton's step, never a long one: where few hits are judged it may overshoot for ever.
        at = at - np.clip(np.linalg.solve(bend, slope), -1, 1)
    return float(at[0]), float(at[1])
