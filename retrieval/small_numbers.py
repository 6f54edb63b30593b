"""Many small numbers, a byte or half of one each; the few that do not fit stand beside them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_LARGE, _LARGE_HALF = 255, 15  # stand for themselves and all that is larger


@dataclass(frozen=True, slots=True, eq=False)
class SmallNumbers:
    """Numbers from 0 up, nearly all of them below 255, or 15 where each has half a byte."""

    small: NDArray[np.uint8]  # the numbers, or 255 or 15 for larger ones; of halves the low first
    large_at: NDArray[np.int64]  # (m,) ascending places of those
    large: NDArray[np.int64]  # (m,) what they are
    is_half: bool = False

    @classmethod
    def of(cls, numbers: NDArray[Any], *, is_half: bool = False) -> SmallNumbers:
        """Pack (n,) numbers."""
        limit = _LARGE_HALF if is_half else _LARGE
        large_at = np.flatnonzero(numbers >= limit)
        small = np.minimum(numbers, limit).astype(np.uint8)
        if is_half:
            small = np.append(small, np.zeros(len(small) % 2, dtype=np.uint8))
            small = small[::2] | small[1::2] << 4
        return cls(small, large_at, numbers[large_at].astype(np.int64), is_half)

    def at(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """The numbers at some places, in the shape of `places`."""
        raw = self.small[places >> 1 if self.is_half else places]
        if self.is_half:
            raw = raw >> (4 * (places & 1)).astype(np.uint8) & 15
        found: NDArray[np.int64] = raw.astype(np.int64)
        is_large = found == (_LARGE_HALF if self.is_half else _LARGE)
        if is_large.any():
            found[is_large] = self.large[np.searchsorted(self.large_at, places[is_large])]
        return found

    def range(self, first: int, end: int) -> NDArray[np.int64]:
        """The numbers from place `first` to `end`."""
        return self.at(np.arange(first, end))

    def arrays(self, name: str) -> dict[str, NDArray[Any]]:
        """Its arrays by name, for a file."""
        return {f"{name}.{part}": getattr(self, part) for part in _PARTS}

    @classmethod
    def of_arrays(
        cls, arrays: Mapping[str, NDArray[Any]], name: str, *, is_half: bool = False
    ) -> SmallNumbers:
        """What `arrays` gave, read back."""
        return cls(**{part: arrays[f"{name}.{part}"] for part in _PARTS}, is_half=is_half)


_PARTS = ("small", "large_at", "large")
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
            (of_reach.cumsum() - of_reach).astype(np.int32),
            SmallNumbers.of(np.concatenate([np.empty(0, dtype=np.int64), *more]), is_half=True),
        )

    def range(self, first: int, end: int) -> NDArray[np.int64]:
        """The counts from place `first` to `end`."""
        return self.runs(np.array([first]), np.array([end - first]))

    def runs(self, first: NDArray[np.int64], n: NDArray[np.int64]) -> NDArray[np.int64]:
        """The counts from place first[i], n[i] of them, for each i, end to end."""
        if len(n) > 1:
            first, n = first[n > 0], n[n > 0]
        ends = n.cumsum()
        found = np.ones(int(ends[-1]) if len(n) else 0, dtype=np.int64)
        repeated = self._bits(first, n).nonzero()[0]
        if len(repeated):
            before = np.searchsorted(repeated, ends - n)  # repeats in the runs before
            each = np.diff(np.append(before, len(repeated)))
            found[repeated] = 2 + self.more.at(_runs(self._ranks(first), each))
        return found

    def _bits(self, first: NDArray[np.int64], n: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of some runs of postings repeat."""
        if len(n) == 1:
            start, end = int(first[0]), int(first[0] + n[0])
            raw = np.unpackbits(self.repeats[start >> 3 : (end + 7) >> 3], bitorder="little")
            return raw[start & 7 : (start & 7) + end - start].view(np.bool_)
        n_bytes = ((first + n + 7) >> 3) - (first >> 3)
        raw = np.unpackbits(self.repeats[_runs(first >> 3, n_bytes)], bitorder="little")
        shift = 8 * (n_bytes.cumsum() - n_bytes) + (first & 7)
        return raw[_runs(shift, n)].view(np.bool_)

    def at(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """The counts at some places: (n,)."""
        found = np.ones(len(places), dtype=np.int64)
        bits = self.repeats[places >> 3] >> (places & 7).astype(np.uint8) & 1
        repeated = np.flatnonzero(bits.view(np.bool_))
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
        return self.before[block].astype(np.int64) + within + np.bitwise_count(last)

    def arrays(self, name: str) -> dict[str, NDArray[Any]]:
        """Its arrays by name, for a file."""
        more = self.more.arrays(f"{name}.more")
        return {f"{name}.repeats": self.repeats, f"{name}.before": self.before, **more}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, NDArray[Any]], name: str) -> Counts:
        """What `arrays` gave, read back."""
        more = SmallNumbers.of_arrays(arrays, f"{name}.more", is_half=True)
        return cls(arrays[f"{name}.repeats"], arrays[f"{name}.before"], more)


def _runs(first: NDArray[np.int64], n: NDArray[np.int64]) -> NDArray[np.int64]:
    if len(n) == 1:
        return np.arange(int(first[0]), int(first[0] + n[0]))
    ends: NDArray[np.int64] = n.cumsum()
    places: NDArray[np.int64] = (first - (ends - n)).repeat(n)
    places += np.arange(len(places))
    return places
