"""Judged questions about a vector store → its scores calibrated, and how far off they were."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from api.engine import Engine
from api.evaluate.judged import JudgedSet, Question
from api.evaluate.measures import Judge
from retrieval.calibrate import Calibration, calibrate, calibration_error
from retrieval.queries import Hit

_FOLDS = 5


@dataclass(frozen=True, slots=True)
class Fitted:
    """A calibration, and the error of scores without and with one."""

    calibration: Calibration
    n_hits: int
    n_relevant: int
    before: float  # calibration error of the scores as built in
    after: float  # with a calibration fitted on the other questions, five times

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "questions": self.calibration.n_queries,
            "hits": self.n_hits,
            "relevant": self.n_relevant,
            "slope": self.calibration.slope,
            "shift": self.calibration.shift,
            "error_before": self.before,
            "error_after": self.after,
        }

    def summary(self) -> str:
        """For people."""
        return (
            f"{self.calibration.n_queries} questions, {self.n_hits} hits,"
            f" {self.n_relevant} relevant. Scores were off by {self.before:.3f} on average;"
            f" on questions left out of the fit they are now off by {self.after:.3f}."
        )


def fit(engine: Engine, store: str, judged: JudgedSet, *, keep: bool = True) -> Fitted:
    """Calibrate a vector store by judged questions.

    Args:
        engine: open.
        store: id or name.
        judged: questions about the store's files, by file name.
        keep: write it down; else only say what it would do.

    Raises:
        InvalidRequest: no hit is relevant, or all are.
    """
    judge = Judge(judged)
    asked = [(question.text, _says(judge, question)) for question in judged.questions]
    scores, relevant = engine.judged_scores(store, asked)
    made = engine.calibrate(store, scores, relevant) if keep else calibrate(scores, relevant)
    flat, truth = np.concatenate(scores), np.concatenate(relevant)
    return Fitted(
        calibration=made,
        n_hits=len(flat),
        n_relevant=int(truth.sum()),
        before=calibration_error(flat, truth),
        after=_left_out(scores, relevant),
    )


def _says(judge: Judge, question: Question) -> Callable[[Hit], bool]:
    return lambda hit: judge.is_relevant(question, hit.filename, hit.text)


def _left_out(scores: Sequence[Sequence[float]], relevant: Sequence[Sequence[bool]]) -> float:
    """The error on each fifth of the questions of a calibration fitted on the others."""
    bent, truth = [], []
    for fold in range(min(_FOLDS, len(scores))):
        rest = [n for n in range(len(scores)) if n % _FOLDS != fold]
        made = _calibrated([scores[n] for n in rest], [relevant[n] for n in rest])
        for n in range(fold, len(scores), _FOLDS):
            bent.append(made.apply_all(np.asarray(scores[n], dtype=np.float64)))
            truth.append(np.asarray(relevant[n], dtype=np.bool_))
    return calibration_error(np.concatenate(bent), np.concatenate(truth))


def _calibrated(
    scores: Sequence[Sequence[float]], relevant: Sequence[Sequence[bool]]
) -> Calibration:
    """A calibration, or none where the questions are too few to tell."""
    n_right, n_hits = sum(map(sum, relevant)), sum(map(len, relevant))
    return calibrate(scores, relevant) if 0 < n_right < n_hits else Calibration()
