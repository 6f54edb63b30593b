"""How alike a claim and a run of sentences are: the words they share, and their vectors.

Words count by how rare they are in the source. Vectors are kept, since a source is asked again.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from retrieval.types import Vectors
from retrieval.verify.source import Reading, Source

if TYPE_CHECKING:
    from retrieval.embedder import Embedder

_N_KEPT = 20_000  # vectors, 1.5 kB each


class Vectorised:
    """The vectors of words and sentences, kept while they may be needed again."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._kept: OrderedDict[str, np.ndarray] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, texts: Sequence[str]) -> Vectors:
        """(n_texts, dim) unit rows."""
        with self._lock:
            kept = {text: self._kept[text] for text in texts if text in self._kept}
            for text in kept:
                self._kept.move_to_end(text)
        new = [text for text in dict.fromkeys(texts) if text not in kept]
        if new:
            found = dict(zip(new, self._embedder.embed([self._cut(t) for t in new]), strict=True))
            kept |= found
            with self._lock:
                self._kept.update(found)
                while len(self._kept) > _N_KEPT:
                    self._kept.popitem(last=False)
        return np.stack([kept[text] for text in texts])

    def likeness(self, claim: str, texts: Sequence[str]) -> NDArray[np.float64]:
        """(n_texts,) cosines."""
        rows = self.of([claim, *texts])
        cosines: NDArray[np.float64] = (rows[1:] @ rows[0]).astype(np.float64)
        return cosines

    def likeness_of_run(self, claim: str, sentences: Sequence[str]) -> float:
        """Cosine with sentences as a whole: their mean, the longer weighing more.

        Each has been embedded for itself, or will be; the run would have to be on top of that.
        """
        rows = self.of([claim, *sentences])
        lengths = np.array([len(each) for each in sentences], np.float32)
        mean = lengths @ rows[1:]
        return float(mean @ rows[0] / max(float(np.linalg.norm(mean)), 1e-9))

    def _cut(self, text: str) -> str:
        room = self._embedder.max_tokens - 2  # special tokens
        spans = self._embedder.token_spans(text) if len(text) > room else ()
        return text[: int(spans[room - 1][1])] if len(spans) > room else text


def exact_share(claim: Reading, run: Reading, source: Source) -> float:
    """Share of the claim's words, weighted, that the run has."""
    weights = [source.weights.get(stem, source.rare) for stem in claim.content.values()]
    held = [stem in run.stems for stem in claim.content.values()]
    return float(np.dot(weights, held) / (sum(weights) or 1.0)) if weights else 1.0
