"""A second, slower look at the best few hits. None by default.

A cross-encoder reads question and chunk together. It is blended into the first ranking and
never replaces it: replacing costs more on sets that are unlike its training data than it gains
on the others (design measurements and public ones).
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import ModelUnavailable

RERANK_CHUNKS = 30  # how many of the best are read again
RERANK_SHARE = 0.3  # of the score; small, since the first ranking is measured and this is not


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


def reranked(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Blend the first ranking's scores with the reranker's.

    >>> reranked(np.array([0.5]), np.array([1.0])).round(4).tolist()
    [0.65]
    """
    return (1 - RERANK_SHARE) * first + RERANK_SHARE * second
