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
import sys
import zlib
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
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
_MAX_TOKEN_CHARS = 16  # as in _TOKEN
_SPACE, _WORD, _ALONE, _UNKNOWN = 0, 1, 2, 3
_PIECE_CHARS = 1 << 18  # bounds what finding the tokens of a book takes
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
        found = [np.empty((0, 2), dtype=np.int32)]
        start = 0
        while start < len(text):
            end = start + _PIECE_CHARS
            spans = _spans(text[start:end]) + np.int32(start)
            if end < len(text) and len(spans) and spans[-1, 1] == end:  # it may go on
                spans, end = spans[:-1], int(spans[-1, 0])
            found.append(spans)
            start = end
        return np.concatenate(found)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """See `Embedder.embed`."""
        tokens = [_TOKEN.findall(text) for text in texts]
        for each in tokens:
            n_tokens = len(each) + _N_SPECIAL_TOKENS
            if n_tokens > self.max_tokens:
                msg = f"A text has {n_tokens} tokens; {self.id} reads at most {self.max_tokens}."
                raise ValueError(msg)
        rows = [self._vector(each) for each in tokens]
        return np.array(rows, dtype=np.float32).reshape(-1, self.dim)

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """See `Embedder.embed_query`."""
        return self._vector(_TOKEN.findall(text)[: self.max_tokens - _N_SPECIAL_TOKENS])

    def _vector(self, tokens: Sequence[str]) -> NDArray[np.float32]:
        """(dim,) unit; a text without words points along the first axis."""
        row = np.zeros(self.dim, dtype=np.float32)
        counts = Counter(token.casefold() for token in tokens if token[0].isalnum())
        hashed = [_hashed(word) for word in counts]
        if hashed:
            roots = np.repeat(np.sqrt(list(counts.values())), [len(each) for each, _ in hashed])
            weights = np.concatenate([weights for _, weights in hashed]) * roots
            buckets = np.concatenate([each for each, _ in hashed]) % self.dim
            np.add.at(row, buckets, weights.astype(np.float32))  # one by one, in this order
        length = float(np.linalg.norm(row))
        if length == 0.0:
            row[0] = length = 1.0
        return row / np.float32(length)


def _spans(text: str) -> NDArray[np.int32]:
    """Where `_TOKEN` matches, (n, 2): parts of runs of one class, or characters alone."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    classes = _classes(codes)
    is_first = np.diff(classes, prepend=np.uint8(_SPACE)) != 0
    places = np.arange(len(codes))
    run_start = np.maximum.accumulate(np.where(is_first, places, 0))
    is_part = (classes == _WORD) & ((places - run_start) % _MAX_TOKEN_CHARS == 0)
    starts = np.flatnonzero(is_part | (classes == _ALONE))
    is_last = np.diff(classes, append=np.uint8(_SPACE)) != 0
    run_end = np.minimum.accumulate(np.where(is_last, places + 1, len(codes))[::-1])[::-1]
    ends = np.where(
        classes[starts] == _ALONE,
        starts + 1,
        np.minimum(run_end[starts], starts + _MAX_TOKEN_CHARS),
    )
    return np.stack([starts, ends], axis=1).astype(np.int32)


def _classes(codes: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """What each character is to `_TOKEN`: white space, a part of a word, or a token alone."""
    classes: NDArray[np.uint8] = _CLASS_OF[codes]
    if (classes == _UNKNOWN).any():
        for code in np.unique(codes[classes == _UNKNOWN]).tolist():
            _CLASS_OF[code] = _class(chr(code))
        classes = _CLASS_OF[codes]
    return classes


def _class(char: str) -> int:
    if not _TOKEN.match(char):
        return _SPACE
    return _WORD if _TOKEN.fullmatch(char + char) else _ALONE


_CLASS_OF = np.full(sys.maxunicode + 1, _UNKNOWN, dtype=np.uint8)  # filled as characters are met


@lru_cache(maxsize=1 << 15)
def _hashed(word: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The hash and the signed weight of each feature of a word."""
    buckets, weights = [], []
    for feature, weight in _features(word):
        hashed = zlib.crc32(feature.encode("utf-8", "surrogatepass"))
        buckets.append(hashed)
        weights.append(weight if hashed & 0x8000_0000 else -weight)
    return np.array(buckets, dtype=np.int64), np.array(weights)


def _features(word: str) -> Iterator[tuple[str, float]]:
    """The word, and its parts of three letters with its ends marked, each with a weight."""
    scale = _SHORT_WORD_WEIGHT if word.isascii() and len(word) <= _SHORT_WORD_CHARS else 1.0
    yield f"word {word}", scale
    marked = f"<{word}>"
    n_trigrams = len(marked) - 2
    for start in range(n_trigrams):
        # The parts together weigh as much for a long word as for a short one.
        yield marked[start : start + 3], scale * _TRIGRAM_WEIGHT * 2 / math.sqrt(n_trigrams)
