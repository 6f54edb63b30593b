"""Many small numbers, a byte each; the few that do not fit stand beside them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_LARGE = 255


@dataclass(frozen=True, slots=True, eq=False)
class SmallNumbers:
    """Numbers from 0 up, nearly all of them below 255."""

    small: NDArray[np.uint8]  # (n,) the number, or 255 where it is as large or larger
    large_at: NDArray[np.int64]  # (m,) ascending places of those
    large: NDArray[np.int64]  # (m,) what they are

    @classmethod
    def of(cls, numbers: NDArray[Any]) -> SmallNumbers:
        """Pack (n,) numbers."""
        large_at = np.flatnonzero(numbers >= _LARGE)
        small = np.minimum(numbers, _LARGE).astype(np.uint8)
        return cls(small, large_at.astype(np.int64), numbers[large_at].astype(np.int64))

    def __len__(self) -> int:
        return len(self.small)

    def at(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """The numbers at some places, in the shape of `places`."""
        found = self.small[places].astype(np.int64)
        is_large = found == _LARGE
        if is_large.any():
            found[is_large] = self.large[np.searchsorted(self.large_at, places[is_large])]
        return found

    def range(self, first: int, end: int) -> NDArray[np.int64]:
        """The numbers from place `first` to `end`."""
        found = self.small[first:end].astype(np.int64)
        a, b = np.searchsorted(self.large_at, [first, end])
        found[self.large_at[a:b] - first] = self.large[a:b]
        return found

    def arrays(self, name: str) -> dict[str, NDArray[Any]]:
        """Its arrays by name, for a file."""
        return {f"{name}.{part}": getattr(self, part) for part in self.__slots__}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, NDArray[Any]], name: str) -> SmallNumbers:
        """What `arrays` gave, read back."""
        return cls(**{part: arrays[f"{name}.{part}"] for part in cls.__slots__})


_REACH = 256  # postings between two entries of `Counts.before`
_REACH_BYTES = _REACH // 8


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """How often each posting's term stands there; mostly once, which takes one bit."""

    repeats: NDArray[np.uint8]  # a bit each, lowest first: whether it stands there more than once
    before: NDArray[np.int32]  # repeats before each 256th
    more: SmallNumbers  # of each that repeats: how often, less two

    @classmethod
    def of(cls, parts: Iterable[NDArray[Any]]) -> Counts:
        """Pack counts, each at least 1, that come in parts; no more than one part is unpacked."""
        bits: list[NDArray[np.uint8]] = []
        more: list[NDArray[np.int64]] = []
        left = np.empty(0, dtype=np.bool_)
        for part in parts:
            repeats = np.concatenate([left, part > 1])
            whole = len(repeats) // 8 * 8
            bits.append(np.packbits(repeats[:whole], bitorder="little"))
            left = repeats[whole:]
            more.append(part[part > 1].astype(np.int64) - 2)
        bits.append(np.packbits(left, bitorder="little"))
        bits.append(np.zeros(-sum(map(len, bits)) % _REACH_BYTES, dtype=np.uint8))
        repeats = np.concatenate(bits)
        of_reach = np.bitwise_count(repeats).reshape(-1, _REACH_BYTES).sum(axis=1, dtype=np.int64)
        return cls(
            repeats,
            (np.cumsum(of_reach) - of_reach).astype(np.int32),
            SmallNumbers.of(np.concatenate([np.empty(0, dtype=np.int64), *more])),
        )

    def range(self, first: int, end: int) -> NDArray[np.int64]:
        """The counts from place `first` to `end`."""
        found = np.ones(end - first, dtype=np.int64)
        start = first >> 3
        bits = np.unpackbits(self.repeats[start : (end + 7) >> 3], bitorder="little")
        repeated = np.flatnonzero(bits[first - 8 * start : end - 8 * start])
        if len(repeated):
            rank = int(self._ranks(np.array([first + repeated[0]]))[0])
            found[repeated] = 2 + self.more.range(rank, rank + len(repeated))
        return found

    def at(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """The counts at some places: (n,)."""
        found = np.ones(len(places), dtype=np.int64)
        repeated = np.flatnonzero(self.repeats[places >> 3] >> (places & 7).astype(np.uint8) & 1)
        if len(repeated):
            found[repeated] = 2 + self.more.at(self._ranks(places[repeated]))
        return found

    def _ranks(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many before each place repeat."""
        words = self.repeats.view(np.uint64).reshape(-1, _REACH // 64)
        block, word = places // _REACH, places // 64 % (_REACH // 64)
        counts = np.bitwise_count(words[block]).cumsum(axis=1, dtype=np.int64)
        rows = np.arange(len(places))
        last = words[block, word] & (
            (np.uint64(1) << (places & 63).astype(np.uint64)) - np.uint64(1)
        )
        within = np.where(word > 0, counts[rows, word - 1], 0)
        ranks = self.before[block].astype(np.int64) + within + np.bitwise_count(last)
        return ranks

    def arrays(self, name: str) -> dict[str, NDArray[Any]]:
        """Its arrays by name, for a file."""
        more = self.more.arrays(f"{name}.more")
        return {f"{name}.repeats": self.repeats, f"{name}.before": self.before, **more}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, NDArray[Any]], name: str) -> Counts:
        """What `arrays` gave, read back."""
        more = SmallNumbers.of_arrays(arrays, f"{name}.more")
        return cls(arrays[f"{name}.repeats"], arrays[f"{name}.before"], more)
