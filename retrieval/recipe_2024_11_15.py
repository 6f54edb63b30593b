"""The fixed recipe `default-2024-11-15`: once released, nothing in here may change.

Cosine and BM25 on fixed scales, half and half; the query's vector moved by the first five hits;
the same again; a logistic curve for the score. All constants are written out here, so that the
default ranking may move on without touching it; a golden test holds its scores.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from retrieval import dense
from retrieval.candidates import Candidates
from retrieval.legs import Legs
from retrieval.types import Vectors

_KEYWORD_SCALE = 10.0
_N_FEEDBACK = 5
_FEEDBACK_SHARE = 0.3
_SLOPE, _SHIFT = 6.18, -3.95


def rank(legs: Legs, vector: NDArray[np.float32], *, n: int) -> Candidates:
    """The best `n` chunks with their scores."""
    first = legs.blended(vector, n=_N_FEEDBACK, scale=_KEYWORD_SCALE)
    rows = dense.best_windows(legs.view, first.chunks, vector)
    second = legs.blended(_moved(vector, rows), n=n, scale=_KEYWORD_SCALE)
    return replace(second, scores=confidence(second.fused))


def confidence(fused: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranking score → confidence, element by element."""
    scores: NDArray[np.float64] = 1.0 / (1.0 + np.exp(-(_SLOPE * fused + _SHIFT)))
    return scores


def _moved(vector: NDArray[np.float32], rows: Vectors) -> NDArray[np.float32]:
    if not len(rows):
        return vector
    moved = (1 - _FEEDBACK_SHARE) * vector + _FEEDBACK_SHARE * rows.mean(axis=0)
    length = float(np.linalg.norm(moved))
    return moved / np.float32(length) if length else vector
