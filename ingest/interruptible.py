"""An embedder that can be stopped between small steps, and that may be changed on the way."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from retrieval.embedder import Embedder
from retrieval.types import Vectors

# A call may take about this long: what was cancelled ends within a second, and a model on
# another machine, which answers many texts as fast as few, still gets many at once.
_STEP_S = 0.3
_FIRST_TEXTS = 8


class Interruptible:
    """Passes everything on to another embedder, a few texts at a time; an `Embedder` itself."""

    def __init__(self, embedder: Callable[[], Embedder], check: Callable[[], None]) -> None:
        """Wrap what `embedder` gives, which is asked before every step.

        Args:
            embedder: all it ever gives are of the same model.
            check: called before every step; raises to stop the work.
        """
        self._embedder = embedder
        self._check = check
        self._n_texts = _FIRST_TEXTS  # that go into one step

    @property
    def id(self) -> str:
        """See `Embedder.id`."""
        return self._embedder().id

    @property
    def dim(self) -> int:
        """See `Embedder.dim`."""
        return self._embedder().dim

    @property
    def max_tokens(self) -> int:
        """See `Embedder.max_tokens`."""
        return self._embedder().max_tokens

    def token_spans(self, text: str) -> NDArray[np.int32]:
        """See `Embedder.token_spans`."""
        self._check()
        return self._embedder().token_spans(text)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """See `Embedder.embed`."""
        rows = np.empty((len(texts), self.dim), dtype=np.float32)
        start = 0
        while start < len(texts):
            self._check()
            end = start + self._n_texts
            began = time.monotonic()
            rows[start:end] = self._embedder().embed(texts[start:end])
            self._adapt(time.monotonic() - began)
            start = end
        return rows

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """See `Embedder.embed_query`."""
        return self._embedder().embed_query(text)

    def _adapt(self, seconds: float) -> None:
        if seconds < _STEP_S / 2:
            self._n_texts *= 2
        elif seconds > 2 * _STEP_S:
            self._n_texts = max(self._n_texts // 2, 1)
