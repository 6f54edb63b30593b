"""How much of a claim's meaning a run of sentences has: words, words of like meaning, the whole.

Words count by how rare they are in the source. A word that the run does not have is compared by
its vector with those that the claim does not use; vectors of words are kept, since a language has
only so many.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from retrieval.types import Vectors
from retrieval.verify.source import Reading, Source

if TYPE_CHECKING:
    from retrieval.embedder import Embedder

# Cosine of two words' vectors: below the first they have nothing in common, from the second on
# they mean the same. Unrelated words of MiniLM have about 0.25, synonyms 0.6 to 0.85.
_UNLIKE, _ALIKE = 0.25, 0.70
_FOREIGN = 0.2  # on the scale between them: like nothing in the run
_N_KEPT = 20_000  # vectors, 1.5 kB each
_MAX_WORDS = 14  # of one run that are compared, the rarest


@dataclass(frozen=True, slots=True)
class Likeness:
    """Shares from 0 to 1, but for `cosine`."""

    cosine: float  # of the whole
    foreign: float  # of the claim's words that nothing in the run resembles


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

    def _cut(self, text: str) -> str:
        room = self._embedder.max_tokens - 2  # special tokens
        spans = self._embedder.token_spans(text) if len(text) > room else ()
        return text[: int(spans[room - 1][1])] if len(spans) > room else text


def exact_share(claim: Reading, run: Reading, source: Source) -> float:
    """Share of the claim's words, weighted, that the run has."""
    weights = [source.weights.get(stem, source.rare) for stem in claim.content.values()]
    held = [stem in run.stems for stem in claim.content.values()]
    return float(np.dot(weights, held) / (sum(weights) or 1.0)) if weights else 1.0


def likeness(claim: Reading, run: Reading, source: Source, vectors: Vectorised) -> Likeness:
    """Compare by words and by meaning; costs the vectors that are not known yet."""
    open_ours = [word for word, stem in claim.content.items() if stem not in run.stems]
    open_theirs = [word for word, stem in run.content.items() if stem not in claim.stems]
    open_theirs.sort(key=lambda word: -source.weights.get(run.content[word], source.rare))
    open_theirs = open_theirs[:_MAX_WORDS]
    rows = vectors.of([claim.text, run.text, *open_ours, *open_theirs])
    cosine = float(rows[0] @ rows[1])
    ours, theirs = rows[2 : 2 + len(open_ours)], rows[2 + len(open_ours) :]
    near = ours @ theirs.T if len(ours) and len(theirs) else np.zeros((len(ours), len(theirs)))
    best = _ramp(near.max(1)) if near.shape[1] else np.zeros(len(ours))
    return Likeness(
        cosine=cosine,
        foreign=float((best < _FOREIGN).sum()) / max(1, len(claim.content)),
    )


def _ramp(cosines: np.ndarray) -> np.ndarray:
    return np.clip((cosines - _UNLIKE) / (_ALIKE - _UNLIKE), 0.0, 1.0)
