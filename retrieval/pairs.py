"""Which words stand next to each other in a window, as a small set of bits. Pure.

A window's neighbouring terms, stop words left out, set one bit of 2,048 for each pair. A query
then sees whether its own pairs are there without reading the text; about one pair in twenty that is
not there seems to be, which a ranking feature can bear and an exact phrase must not rely on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from retrieval.analysis import STOP_WORDS

N_BYTES = 256
_N_BITS = 8 * N_BYTES
_FACTOR = np.uint32(2_654_435_761)  # Knuth's multiplicative hash: 2^32 over the golden ratio


def pair_bits(texts: Iterable[Sequence[str]]) -> NDArray[np.uint8]:
    """The bits of each text, given as its terms in order: (n_texts, N_BYTES)."""
    rows = [_bits(_hashes(text)) for text in texts]
    return np.stack(rows) if rows else np.empty((0, N_BYTES), dtype=np.uint8)


def pair_numbers(terms: Sequence[str]) -> NDArray[np.int64]:
    """The distinct bits that the pairs of these terms would set, ascending."""
    return np.unique(_pairs(_hashes(terms)))


def held(bits: NDArray[np.uint8], numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of some bits each row has set: (n_rows, n_numbers)."""
    return (bits[:, numbers >> 3] >> (numbers & 7).astype(np.uint8) & 1).astype(bool)


def _bits(hashes: NDArray[np.uint32]) -> NDArray[np.uint8]:
    set_bits = np.zeros(_N_BITS, dtype=bool)
    set_bits[_pairs(hashes)] = True
    return np.packbits(set_bits, bitorder="little")


def _pairs(hashes: NDArray[np.uint32]) -> NDArray[np.int64]:
    mixed = (hashes[:-1] * np.uint32(31) + hashes[1:]) * _FACTOR
    return (mixed >> np.uint32(21)).astype(np.int64)  # the top 11 bits, which are the best mixed


def _hashes(terms: Sequence[str]) -> NDArray[np.uint32]:
    return np.fromiter((_hash(term) for term in terms if term not in STOP_WORDS), np.uint32)


@lru_cache(maxsize=1 << 16)
def _hash(term: str) -> int:
    return crc32(term.encode("utf-8", "surrogatepass"))
