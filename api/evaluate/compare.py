"""Is one run better than another, or was it luck? Paired, question by question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from api.evaluate.judged import invalid
from api.evaluate.measures import MAIN
from api.evaluate.runs import Run
from retrieval.errors import Unavailable

ALPHA: Final = 0.05
_RESAMPLES = 4999
_RESAMPLES_AT_ONCE = 1000  # bounds memory
_SEED = 0  # the same two runs always give the same p


@dataclass(frozen=True, slots=True)
class Comparison:
    """A measure's mean in two runs over the same questions."""

    measure: str
    n_questions: int
    first: float
    second: float
    low: float  # of second - first: the 95 % interval
    high: float
    p: float  # how often luck alone makes a difference as large

    @property
    def difference(self) -> float:
        """Second minus first."""
        return self.second - self.first

    @property
    def is_real(self) -> bool:
        """Whether p is below 0.05."""
        return self.p < ALPHA

    @property
    def is_drop(self) -> bool:
        """Whether the second is really worse."""
        return self.is_real and self.difference < 0

    def verdict(self) -> str:
        """In words."""
        if not self.is_real:
            return "no real difference"
        return "better" if self.difference > 0 else "worse"


def compare(first: Run, second: Run, *, measure: str = MAIN) -> Comparison:
    """Compare two runs over the same questions.

    Raises:
        InvalidRequest: the questions differ, or a run lacks the measure.
    """
    if set(first.questions) != set(second.questions):
        raise invalid(
            f"{first.set} ({first.ranking}) and {second.set} ({second.ranking}) are runs over"
            " different questions; a paired comparison needs the same.",
            param="run",
        )
    if measure not in first.figures or measure not in second.figures:
        raise invalid(f"There is no measure {measure!r} in both runs.", param="run")
    place = {id: n for n, id in enumerate(second.questions)}
    order = [place[id] for id in first.questions]
    return paired(first.figures[measure], np.array(second.figures[measure])[order], name=measure)


def paired(
    first: Sequence[float], second: Sequence[float] | NDArray[np.float64], *, name: str
) -> Comparison:
    """Compare two figures a question, (n,) each.

    p is that of the randomisation test on the mean difference, two-sided: signs of the
    differences are flipped at random. The interval is that of the paired t-test.

    Source: Smucker, Allan, Carterette, A comparison of statistical significance tests for
    information retrieval evaluation, CIKM 2007: both agree, and sign tests do not.
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    low, high, p = _interval_and_p(b - a)
    return Comparison(
        measure=name,
        n_questions=len(a),
        first=float(a.mean()),
        second=float(b.mean()),
        low=low,
        high=high,
        p=p,
    )


def _interval_and_p(differences: NDArray[np.float64]) -> tuple[float, float, float]:
    if not differences.any():
        return 0.0, 0.0, 1.0
    stats = _library()
    found = stats.permutation_test(
        (differences,),
        np.mean,
        permutation_type="samples",
        n_resamples=_RESAMPLES,
        batch=_RESAMPLES_AT_ONCE,
        rng=np.random.default_rng(_SEED),
    )
    if np.ptp(differences) == 0:
        return float(differences[0]), float(differences[0]), float(found.pvalue)
    interval = stats.ttest_1samp(differences, 0.0).confidence_interval(1 - ALPHA)
    return float(interval.low), float(interval.high), float(found.pvalue)


def _library() -> Any:
    try:
        from scipy import stats  # type: ignore[import-untyped, import-not-found, unused-ignore]  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise Unavailable("Comparing needs scipy: pip install 'sourcebook[eval]'.") from error
    return stats
