"""An embedder that needs no model: words and their letters, hashed into buckets.

Texts that share words, or parts of words, get similar vectors; nothing else is known of
meaning. It is for tests and for trying things out, where a wrong ranking must still be able
to fail, and loads in no time.

Source: Weinberger et al., Feature Hashing for Large Scale Multitask Learning, ICML 2009
(signed buckets: features that collide cancel as often as they add up).
"""

from __future__ import annotations

import math
import re
import zlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from retrieval.types import Vectors

_VERSION = "000000000001"  # raise it when any vector changes: stores record it in the id
# Ideographs, kana and Hangul one by one; other words in parts of up to 16 characters, so that
# no token is long; every other character that is not white space alone.
_TOKEN = re.compile(
    r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]"
    r"|[^\W\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]{1,16}"
    r"|[^\w\s]"
)
_SHORT_WORD_CHARS = 3  # in most alphabets these are mostly words like "the", "und", "les"
_SHORT_WORD_WEIGHT = 0.3
_TRIGRAM_WEIGHT = 0.4
_N_SPECIAL_TOKENS = 2  # it has none, but `max_tokens` counts two for every embedder


@dataclass(frozen=True, slots=True)
class HashEmbedder:
    """Deterministic on every machine and in every process."""

    dim: int = 256
    max_tokens: int = 256

    @property
    def id(self) -> str:
        """See `Embedder.id`; there are no weights, so a version stands for them."""
        return f"hash-{self.dim}@{_VERSION}"

    def token_spans(self, text: str) -> NDArray[np.int32]:
        """See `Embedder.token_spans`."""
        spans = [match.span() for match in _TOKEN.finditer(text)]
        return np.array(spans, dtype=np.int32).reshape(-1, 2)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """See `Embedder.embed`."""
        for text in texts:
            n_tokens = len(_TOKEN.findall(text)) + _N_SPECIAL_TOKENS
            if n_tokens > self.max_tokens:
                msg = f"A text has {n_tokens} tokens; {self.id} reads at most {self.max_tokens}."
                raise ValueError(msg)
        rows = [self._vector(_TOKEN.findall(text)) for text in texts]
        return np.array(rows, dtype=np.float32).reshape(-1, self.dim)

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """See `Embedder.embed_query`."""
        return self._vector(_TOKEN.findall(text)[: self.max_tokens - _N_SPECIAL_TOKENS])

    def _vector(self, tokens: Sequence[str]) -> NDArray[np.float32]:
        """(dim,) unit; a text without words points along the first axis."""
        row = np.zeros(self.dim, dtype=np.float32)
        counts = Counter(token.casefold() for token in tokens if token[0].isalnum())
        for word, count in counts.items():
            for feature, weight in _features(word):
                hashed = zlib.crc32(feature.encode("utf-8", "surrogatepass"))
                sign = 1.0 if hashed & 0x8000_0000 else -1.0
                row[hashed % self.dim] += sign * weight * math.sqrt(count)
        length = float(np.linalg.norm(row))
        if length == 0.0:
            row[0] = length = 1.0
        return row / np.float32(length)


def _features(word: str) -> Iterator[tuple[str, float]]:
    """The word, and its parts of three letters with its ends marked, each with a weight."""
    scale = _SHORT_WORD_WEIGHT if word.isascii() and len(word) <= _SHORT_WORD_CHARS else 1.0
    yield f"word {word}", scale
    marked = f"<{word}>"
    n_trigrams = len(marked) - 2
    for start in range(n_trigrams):
        # The parts together weigh as much for a long word as for a short one.
        yield marked[start : start + 3], scale * _TRIGRAM_WEIGHT * 2 / math.sqrt(n_trigrams)
