"""Fits the curves of `retrieval/threshold.py`, and says what they are worth on sets left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.calibrate import calibration_error

PULL = 0.03  # of standardised weights towards 0, against one for the sets together
_STEPS = 50
_MAX_ODDS = 30.0

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Hits of one set's questions: n of them."""

    rows: Floats  # (n, f): ranking score, then what `threshold.Signs.row` gives
    relevant: Floats  # (n,) 1 or 0
    belonging: Floats  # (n,) how sure it was that their question is one for the files
    family: str  # sets made of the same documents are left out together
    weight: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """Weights of the columns and a shift."""

    weights: Floats
    shift: float

    def at(self, rows: Floats) -> Floats:
        """Confidence of each row: (n,)."""
        return _share(rows @ self.weights + self.shift)


def fit(parts: Sequence[Part]) -> Fitted:
    """Logistic weights of greatest likelihood; parts count by their weight, families alike."""
    rows = np.concatenate([part.rows for part in parts])
    y = np.concatenate([part.relevant for part in parts])
    total = {p.family: sum(o.weight for o in parts if o.family == p.family) for p in parts}
    share = [np.full(len(p.rows), p.weight / total[p.family] / len(p.rows)) for p in parts]
    return logistic(rows, y, np.concatenate(share), pull=PULL)


def logistic(rows: Floats, y: Floats, share: Floats, *, pull: float) -> Fitted:
    """Newton's method on standardised columns; the shift is free."""
    middle = np.average(rows, axis=0, weights=share)
    width = np.sqrt(np.average((rows - middle) ** 2, axis=0, weights=share)) + 1e-9
    x = np.column_stack([(rows - middle) / width, np.ones(len(rows))])
    at, ridge = np.zeros(x.shape[1]), pull * np.eye(x.shape[1])
    ridge[-1, -1] = 1e-9
    for _ in range(_STEPS):
        p = _share(x @ at)
        bend = x.T @ (x * (share * p * (1 - p))[:, None]) + ridge
        at = at - np.linalg.solve(bend, x.T @ (share * (p - y)) + ridge @ at)
    weights = at[:-1] / width
    return Fitted(weights, float(at[-1] - weights @ middle))


def left_out(parts: Mapping[str, Part]) -> dict[str, float]:
    """The calibration error of each set, by a curve fitted on sets of other documents alone."""
    errors = {}
    for name, part in parts.items():
        curve = fit([other for other in parts.values() if other.family != part.family])
        confidence = curve.at(part.rows) * part.belonging
        errors[name] = calibration_error(confidence, part.relevant > 0)
    return errors


def _share(odds: Floats) -> Floats:
    share: Floats = 1 / (1 + np.exp(-np.clip(odds, -_MAX_ODDS, _MAX_ODDS)))
    return share
