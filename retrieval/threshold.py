"""Ranking scores → confidences in [0, 1], and where to cut. Pure.

A confidence is meant as: of hits with this score, about this share is relevant. The curve was
fitted on public judged sets (decision 0004); on a corpus of another kind it may be off, so it
is a confidence and no probability.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Logistic curves: confidence = 1 / (1 + exp(-(slope * fused + shift))).
PLAIN = (6.10, -3.70)
FEEDBACK = (6.18, -3.95)


def confidence(fused: NDArray[np.float64], *, feedback: bool) -> NDArray[np.float64]:
    """Calibrate blended scores; strictly rising, so the order stays as it is."""
    slope, shift = FEEDBACK if feedback else PLAIN
    return 1.0 / (1.0 + np.exp(-(slope * fused + shift)))


def keeps(score: float, min_score: float) -> bool:
    """Whether a hit reaches the caller's `score_threshold`; one that equals it does."""
    return score >= min_score
