"""Which words stand next to each other in a window, as a small set of bits. Pure.

A window's neighbouring terms, stop words left out, set one bit of 2,048 for each pair. A query
then sees whether its own pairs are there without reading the text; about one pair in twenty that is
not there seems to be, which a ranking feature can bear and an exact phrase must not rely on.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from retrieval.analysis import STOP_WORDS
from retrieval.term_numbers import TermNumbers

N_BYTES = 256
_N_BITS = 8 * N_BYTES
_TEXTS_AT_ONCE = 1024
_FACTOR = np.uint32(2_654_435_761)  # Knuth's multiplicative hash: 2^32 over the golden ratio


def pair_bits(texts: TermNumbers, n_texts: int) -> NDArray[np.uint8]:
    """The bits of the first `n_texts` texts: (n_texts, N_BYTES)."""
    hashes = np.fromiter(map(_hash, texts.words), np.uint32, len(texts.words))
    says = np.fromiter((word not in STOP_WORDS for word in texts.words), bool, len(texts.words))
    rows = np.empty((n_texts, N_BYTES), dtype=np.uint8)
    for first in range(0, n_texts, _TEXTS_AT_ONCE):
        end = min(n_texts, first + _TEXTS_AT_ONCE)
        start = texts.start[first : end + 1]
        numbers = texts.numbers[start[0] : start[-1]]
        kept = np.flatnonzero(says[numbers])
        text = np.repeat(np.arange(end - first), np.diff(start))[kept]
        bits = text[:-1] * _N_BITS + _pairs(hashes[numbers[kept]])
        set_bits = np.zeros((end - first) * _N_BITS, dtype=bool)
        set_bits[bits[text[:-1] == text[1:]]] = True
        rows[first:end] = np.packbits(set_bits, bitorder="little").reshape(-1, N_BYTES)
    return rows


def pair_numbers(terms: Sequence[str]) -> NDArray[np.int64]:
    """The distinct bits that the pairs of these terms would set, ascending."""
    return np.unique(_pairs(_hashes(terms)))


def held(bits: NDArray[np.uint8], numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of some bits each row has set: (n_rows, n_numbers)."""
    return (bits[:, numbers >> 3] >> (numbers & 7).astype(np.uint8) & 1).astype(bool)


def _pairs(hashes: NDArray[np.uint32]) -> NDArray[np.int64]:
    mixed = (hashes[:-1] * np.uint32(31) + hashes[1:]) * _FACTOR
    return (mixed >> np.uint32(21)).astype(np.int64)  # the top 11 bits, which are the best mixed


def _hashes(terms: Sequence[str]) -> NDArray[np.uint32]:
    return np.fromiter((_hash(term) for term in terms if term not in STOP_WORDS), np.uint32)


@lru_cache(maxsize=1 << 16)
def _hash(term: str) -> int:
    return crc32(term.encode("utf-8", "surrogatepass"))
