"""How far scores can be believed: calibration error, AUC, and what is asked of a foreign store."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from api.engine import Engine
from api.evaluate.judged import JudgedSet, Question
from api.evaluate.measures import Judge
from retrieval.calibrate import calibrate, calibration_error
from retrieval.queries import Hit, Query
from retrieval.ranking import curve_signs
from retrieval.snapshot import StoreIndex
from retrieval.threshold import LIGHT
from tests.quality.score_curve import Fitted, Part

DEPTH = 10  # hits of a question that are judged

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """The hits of a set's questions, flat: (n,) each, questions one after another."""

    question: NDArray[np.int64]
    score: Floats
    cosine: Floats
    relevant: Floats  # 1 or 0
    fused: Floats  # ranking score
    signs: Floats  # (n, 2) of `threshold.Signs.row`

    def part(self, family: str) -> Part:
        """For a fit of the curve."""
        rows = np.column_stack([self.fused, self.signs])
        weights = np.array([LIGHT.slope, *LIGHT.signs])
        alone = Fitted(weights, LIGHT.shift).at(rows)
        return Part(rows, self.relevant, self.score / alone, family)

    def min_max(self) -> Floats:
        """Scores stretched over 0 to 1 within each question."""
        stretched = np.empty_like(self.score)
        for n in np.unique(self.question):
            mine = self.question == n
            low, high = self.score[mine].min(), self.score[mine].max()
            stretched[mine] = (self.score[mine] - low) / max(high - low, 1e-12)
        return stretched

    def rises_somewhere(self) -> int:
        """How often a score is above that of the hit before it, within a question."""
        same = self.question[1:] == self.question[:-1]
        return int((same & (np.diff(self.score) > 0)).sum())

    def of(self, questions: Sequence[int]) -> Scored:
        """Only these questions."""
        kept = np.isin(self.question, questions)
        return Scored(*(column[kept] for column in self._columns()))

    def split(self, n: int, *, seed: int = 0) -> tuple[Scored, Scored]:
        """`n` of the questions, and the others; half of them where there are not twice as many."""
        every = sorted(set(self.question.tolist()))
        some = random.Random(seed).sample(every, min(n, len(every) // 2))
        return self.of(some), self.of([each for each in every if each not in set(some)])

    def _columns(self) -> tuple[NDArray[np.int64], Floats, Floats, Floats, Floats, Floats]:
        return self.question, self.score, self.cosine, self.relevant, self.fused, self.signs


def pooled(parts: Sequence[Scored]) -> Scored:
    """Several sets as one."""
    shift, questions = 0, []
    for part in parts:
        questions.append(part.question + shift)
        shift += int(part.question.max()) + 1
    rest = (
        np.concatenate([getattr(p, name) for p in parts])
        for name in ("score", "cosine", "relevant", "fused", "signs")
    )
    return Scored(np.concatenate(questions), *rest)


def scored(engine: Engine, store_id: str, judged: JudgedSet) -> Scored:
    """Ask every question of a set and judge the first ten hits; unjudged is not relevant."""
    judge = Judge(judged)
    rows = []
    signs = _signs(engine, store_id, judged)
    for n, question in enumerate(judged.questions):
        for hit in engine.search([store_id], Query((question.text,), limit=DEPTH)).hits:
            relevant = judge.is_relevant(question, hit.filename, hit.text)
            seen = hit.explanation
            rows.append((n, hit.score, seen.dense.score, float(relevant), seen.fused))
    number, score, cosine, relevant, fused = np.array(rows).T
    questions = number.astype(np.int64)
    return Scored(questions, score, cosine, relevant, fused, signs[questions])


def _signs(engine: Engine, store_id: str, judged: JudgedSet) -> Floats:
    """(q, 2) what the curve knows of each question before any hit."""
    with engine.store.read() as read:
        reader = read.commits
        view = StoreIndex(store_id, model_id=reader.model_id(store_id)).catch_up(reader)
    return np.array([curve_signs(view, question.text).row() for question in judged.questions])


def error_after(found: Scored, n_judged: int, *, n_draws: int = 20) -> tuple[float, float]:
    """What `sourcebook calibrate` makes of some judged questions, on a set's other questions.

    Args:
        found: the set's hits.
        n_judged: questions that are judged; half of them where there are not twice as many.
        n_draws: of these questions, over which the mean is taken.

    Returns:
        The calibration error, and the error that the same scores would show if they were right
        and nothing but luck decided: so few hits a bin cannot show less.
    """
    errors, luck = [], []
    rng = np.random.default_rng(0)
    for seed in range(n_draws):
        judged, rest = found.split(n_judged, seed=seed)
        made = calibrate(
            [judged.of([q]).score.tolist() for q in np.unique(judged.question)],
            [(judged.of([q]).relevant > 0).tolist() for q in np.unique(judged.question)],
        )
        scores = made.apply_all(rest.score)
        errors.append(calibration_error(scores, rest.relevant > 0))
        luck.append(calibration_error(scores, rng.random(len(scores)) < scores))
    return float(np.mean(errors)), float(np.mean(luck))


def auc(score: Floats, relevant: Floats) -> float:
    """How often a relevant hit scores above one that is not, ties counted half.

    >>> auc(np.array([0.1, 0.2, 0.3]), np.array([0.0, 1.0, 1.0]))
    1.0
    """
    from scipy.stats import rankdata  # noqa: PLC0415 - an extra

    n_right, n_wrong = int(relevant.sum()), int((1 - relevant).sum())
    ranks = rankdata(score)[relevant > 0].sum()
    return float((ranks - n_right * (n_right + 1) / 2) / (n_right * n_wrong))


@dataclass(frozen=True, slots=True)
class OffTopic:
    """What a threshold does to questions that belong to a store, and to foreign ones."""

    kept: float  # share of the questions with a relevant first hit that keep it
    passed: float  # share of foreign questions that get anything
    separation: float  # AUC of the best hit's score


def off_topic(own: Scored, foreign: Sequence[float], *, threshold: float) -> OffTopic:
    """How a threshold tells a store's own questions from foreign ones.

    Args:
        own: of the store's set.
        foreign: the best score of each foreign question, asked of this store.
        threshold: the cut.
    """
    _, first = np.unique(own.question, return_index=True)
    best, right = own.score[first], own.relevant[first] > 0
    both = np.concatenate([best, foreign])
    labels = np.concatenate([np.ones(len(best)), np.zeros(len(foreign))])
    return OffTopic(
        kept=float((best[right] >= threshold).mean()),
        passed=float((np.array(foreign) >= threshold).mean()),
        separation=auc(both, labels),
    )


def best_scores(engine: Engine, store_id: str, questions: Sequence[Question]) -> list[float]:
    """The score of the best hit for each question, 0 where there is none."""
    return [_best(engine.search([store_id], Query((q.text,), limit=1)).hits) for q in questions]


def _best(hits: Sequence[Hit]) -> float:
    return hits[0].score if hits else 0.0


def strangers(
    sets: Mapping[str, JudgedSet], name: str, *, n: int, seed: int
) -> Iterator[Question]:
    """`n` questions of each set but `name`."""
    rng = random.Random(seed)
    for other, judged in sets.items():
        if other != name:
            yield from rng.sample(judged.questions, min(n, len(judged.questions)))
