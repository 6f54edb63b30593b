"""Sorted terms in one run of bytes, found without reading more than a few of them.

The terms lie end to end as UTF-8, a zero byte before and after each, which no term holds. Of every
32nd the first eight bytes and the place are kept apart: a binary search over those leads to
the few hundred bytes that hold a term, if anything does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

STRIDE = 32  # terms in a block
_KEY_BYTES = 8


@dataclass(frozen=True, slots=True, eq=False)
class Lexicon:
    """Terms by number, in the order of their bytes."""

    raw: NDArray[np.uint8]  # zero, term, zero, term, …, zero
    block: NDArray[np.int64]  # (n_blocks + 1,) where the zero before each block's first term is
    key: NDArray[np.uint64]  # (n_blocks,) the first bytes of that term, big-endian
    n: NDArray[np.int64]  # (1,) how many terms

    @classmethod
    def of(cls, words: Sequence[bytes]) -> Lexicon:
        """Of sorted, distinct terms without zero bytes."""
        ends = np.cumsum(np.fromiter((len(word) + 1 for word in words), np.int64, len(words)))
        starts = np.concatenate([[0], ends])
        return cls(
            np.frombuffer(b"\0".join([b"", *words, b""]), dtype=np.uint8),
            np.append(starts[:-1:STRIDE], starts[-1]),
            np.array([_key(word) for word in words[::STRIDE]], dtype=np.uint64),
            np.array([len(words)], dtype=np.int64),
        )

    def __len__(self) -> int:
        return int(self.n[0])

    def find(self, terms: Sequence[bytes]) -> NDArray[np.int64]:
        """The number of each term: (n_terms,), -1 where it is none of these."""
        keys = np.array([_key(term) for term in terms], dtype=np.uint64)
        first = np.maximum(np.searchsorted(self.key, keys, side="left") - 1, 0)
        end = np.searchsorted(self.key, keys, side="right")
        found = np.full(len(terms), -1, dtype=np.int64)
        where = (first.tolist(), self.block[first].tolist(), self.block[end].tolist())
        for i, (term, block, a, b) in enumerate(zip(terms, *where, strict=True)):
            raw = self.raw[a : b + 1].tobytes()
            place = raw.find(b"\0" + term + b"\0")
            if place >= 0:
                found[i] = block * STRIDE + raw.count(b"\0", 0, place)
        return found

    def word(self, number: int) -> bytes:
        """The term with this number."""
        a, b = self.block[number // STRIDE : number // STRIDE + 2]
        return self.raw[a : b + 1].tobytes().split(b"\0")[1 + number % STRIDE]

    def words(self) -> list[bytes]:
        """Every term, sorted; reads the whole dictionary."""
        return self.raw.tobytes().split(b"\0")[1:-1]

    def arrays(self, name: str) -> dict[str, NDArray[Any]]:
        """Its arrays by name, for a file."""
        return {f"{name}.{part}": getattr(self, part) for part in self.__slots__}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, NDArray[Any]], name: str) -> Lexicon:
        """What `arrays` gave, read back."""
        return cls(**{part: arrays[f"{name}.{part}"] for part in cls.__slots__})


def encoded(term: str) -> bytes:
    """UTF-8; a lone surrogate, which broken files may hold, is kept as it is."""
    return term.encode("utf-8", "surrogatepass")


def _key(word: bytes) -> int:
    return int.from_bytes(word[:_KEY_BYTES].ljust(_KEY_BYTES, b"\0"), "big")
