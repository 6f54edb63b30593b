"""A second, slower look at the best few candidates. None by default.

A cross-encoder reads question and chunk together. It is blended into the first ranking and
never replaces it: replacing costs more on sets that are unlike its training data than it gains
on the others (design measurements and public ones). How much it counts follows from how far it
agrees with the first ranking at all: one that scores at random or the wrong way round is all but
ignored.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from retrieval.candidates import Scored
from retrieval.errors import ModelUnavailable
from retrieval.ranking import text_of
from retrieval.snapshot import Reader

RERANK_CHUNKS = 30  # how many of the best are read again
# How many log-odds lie between the worst and the best of a second look that is trusted fully.
_REACH = 3.0
# Agreement, as a rank correlation, from which a second look counts at all, and counts fully.
_MIN_AGREEMENT, _FULL_AGREEMENT = 0.0, 0.5


class Reranker(Protocol):
    """Says of each text how well it answers the question."""

    def rerank(self, question: str, texts: Sequence[str]) -> NDArray[np.float64]:
        """(n_texts,) in [0, 1], higher is better; independent of the order of `texts`."""


class NoReranker:
    """Leaves every ranking as it is, at no cost."""

    def rerank(self, question: str, texts: Sequence[str]) -> NDArray[np.float64]:  # noqa: ARG002
        """See `Reranker.rerank`; the same for all."""
        return np.full(len(texts), 0.5)


class CrossEncoderReranker:
    """A sentence-transformers cross-encoder with one output; needs the `models` extra."""

    def __init__(self, name: str) -> None:
        """Load the model `name`: a hub id or a folder.

        Raises:
            ModelUnavailable: the extra is not installed, or the model cannot be had.
        """
        if importlib.util.find_spec("sentence_transformers") is None:
            raise ModelUnavailable(
                f"The reranker {name!r} needs sentence-transformers: pip install 'sourcebook[models]'."
            )
        import sentence_transformers  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415  takes seconds
        import torch  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415

        try:
            self._model: Any = sentence_transformers.CrossEncoder(name)
            self._raw: Any = torch.nn.Identity()
        except (OSError, ValueError) as error:
            raise ModelUnavailable(f"The reranker {name!r} cannot be loaded: {error}") from error

    def rerank(self, question: str, texts: Sequence[str]) -> NDArray[np.float64]:
        """See `Reranker.rerank`; a text longer than the model reads is read up to there."""
        if not texts:
            return np.empty(0)
        pairs = [(question, text) for text in texts]
        # Models differ in what they apply by themselves; asked for none, all give logits.
        logits = self._model.predict(pairs, activation_fn=self._raw, show_progress_bar=False)
        raw = np.asarray(logits, dtype=np.float64)
        if raw.ndim != 1:
            raise ModelUnavailable("The reranker gives several numbers a pair; one is needed.")
        return np.asarray(1 / (1 + np.exp(-raw)))


def second_look(
    reader: Reader, reranker: Reranker, ranked: Sequence[Scored], *, n: int
) -> list[Scored]:
    """The first `n` of a ranking in the order that both looks give, then the others.

    Each is read for the text of the query that found it.
    """
    top, rest = list(ranked[:n]), list(ranked[n:])
    second = np.empty(len(top))
    for question in dict.fromkeys(scored.query for scored in top):
        mine = [i for i, scored in enumerate(top) if scored.query == question]
        texts = [text_of(reader, top[i].file_n, top[i].ordinal) for i in mine]
        second[mine] = reranker.rerank(question, texts)
    scores = reranked(np.array([scored.score for scored in top]), second)
    moved = [
        replace(scored, score=float(score), second=float(given))
        for scored, score, given in zip(top, scores, second, strict=True)
    ]
    moved.sort(key=lambda scored: scored.order)
    lowest = moved[-1].score if moved else 1.0
    return [*moved, *(replace(s, score=min(s.score, lowest)) for s in rest)]


def reranked(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Confidences of the first ranking moved by the reranker's scores, in log-odds.

    The second look's scores count by their place between its lowest and highest, which makes
    models of all scales alike, and as far as both looks agree.

    >>> reranked(np.array([0.6, 0.5]), np.array([0.9, 0.9])).round(2).tolist()
    [0.6, 0.5]
    """
    spread = float(np.ptp(second)) if len(second) else 0.0
    if not spread:
        return first  # it tells none from another
    trust = _trust(first, second)
    if not trust:
        return first
    place = (second - second.min()) / spread
    odds = np.log(first / (1 - first)) + trust * _REACH * (place - place.mean())
    moved: NDArray[np.float64] = 1 / (1 + np.exp(-odds))
    return moved


def _trust(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """How far to believe the second look, 0 to 1, by its rank correlation with the first."""
    if len(first) < 2:  # noqa: PLR2004 - nothing to order
        return 0.0
    a, b = _ranks(first), _ranks(second)
    if not (a.std() and b.std()):
        return 0.0
    agreement = float(np.corrcoef(a, b)[0, 1])
    share = (agreement - _MIN_AGREEMENT) / (_FULL_AGREEMENT - _MIN_AGREEMENT)
    return min(1.0, max(0.0, share))


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rank of each value from 0, equal ones at their mean."""
    _, number, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    mean: NDArray[np.float64] = (ends - (counts + 1) / 2)[number]
    return mean
