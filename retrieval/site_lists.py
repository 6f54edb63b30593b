"""Ascending lists of numbers, packed to within a few bits of what they tell. Pure.

Lists of a good part of all sites are bit maps, which also tell at once whether a site is there.
Of the others, each number's low bits stand side by side, 4, 8, 12 or 16 of them as is shortest, and
its high bits as the place of a one among zeros: the i-th number's is at (high + i).

Everything follows from how many numbers a list has and how many sites there are, so a list needs
no header, and many lists are packed and unpacked at once, without a step for each of them.

Source: Elias, Efficient Storage and Retrieval by Content, 1974; Fano, 1971; with low parts of whole
half-bytes, which numpy unpacks several times faster than those of single bits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

_LOW_BITS = np.array([0, 4, 8, 12, 16])  # by kind; kind 0 is a bit map
_LONG = 1024  # numbers of a list that is unpacked by itself
_BITMAP_SHARE = 12  # a list of one site in so many is a bit map: a little larger, much faster

Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """How lists over `n_sites` sites are packed."""

    n_sites: int
    _tails: Numbers = field(init=False)  # (5,) bits of the high part beside one for each number
    _least: Numbers = field(init=False)  # (4,) from so many numbers on, the kinds 3, 2, 1, 0

    def __post_init__(self) -> None:
        highest = max(0, self.n_sites - 1) >> _LOW_BITS
        highest[0] = -(-self.n_sites // 64) * 64
        object.__setattr__(self, "_tails", highest)
        object.__setattr__(self, "_least", self._borders())

    def _borders(self) -> Numbers:
        """From how many numbers on half a byte less for each outweighs the longer high part."""
        by_length = [(self._tails[kind] - self._tails[kind + 1]) // 4 for kind in (3, 2, 1)]
        bitmap = max(1, -(-self.n_sites // _BITMAP_SHARE))
        borders: Numbers = np.minimum(np.array([*by_length, bitmap]), bitmap)
        return borders

    def kinds(self, n: Numbers) -> Numbers:
        """The kind of each list, by how many numbers it has."""
        return 4 - np.searchsorted(self._least, n, side="right")

    def sizes(self, n: Numbers) -> Numbers:
        """How many bytes each list takes."""
        high, low = self._sizes(n, self.kinds(n))
        return np.where(n > 0, high + low, 0)

    def _sizes(self, n: Numbers, kinds: Numbers) -> tuple[Numbers, Numbers]:
        ones = np.where(kinds > 0, n, 0)
        return (ones + self._tails[kinds] + 7) >> 3, (ones * _LOW_BITS[kinds] + 7) >> 3

    def look_up(self, raw: NDArray[np.uint8], at: int, sites: Numbers) -> tuple[Numbers, Numbers]:
        """For the list that is a bit map at `at`: which of some sites it holds.

        Returns:
            Positions in `sites` of those, and how many sites the list has before each.
        """
        words = np.frombuffer(raw[at : at + int(self._tails[0]) // 8].tobytes(), dtype=np.uint64)
        word, bit = sites >> 6, (sites & 63).astype(np.uint64)
        there = np.flatnonzero(words[word] >> bit & np.uint64(1))
        word, bit = word[there], bit[there]
        sums = np.cumsum(np.bitwise_count(words), dtype=np.int64)
        lower = words[word] & ((np.uint64(1) << bit) - np.uint64(1))
        before: Numbers = np.where(word > 0, sums[word - 1], 0) + np.bitwise_count(lower)
        return there, before

    def pack(self, n: Numbers, numbers: Numbers) -> NDArray[np.uint8]:
        """Lists of n[0], n[1], … ascending numbers, end to end: as bytes, end to end."""
        kinds = self.kinds(n)
        high, low = self._sizes(n, kinds)
        ends = np.cumsum(np.where(n > 0, high + low, 0))
        packed = np.zeros(int(ends[-1]) if len(ends) else 0, dtype=np.uint8)
        places = np.concatenate([[0], ends])[:-1]
        first = n.cumsum() - n
        for kind, lists in _by_kind(kinds, n):
            mine, at = n[lists], places[lists]
            values = numbers[_runs(first[lists], mine)]
            low_bits = int(_LOW_BITS[kind])
            ones = (values >> low_bits) + (_within(mine) if kind else 0)
            _put(packed, at, high[lists], _as_bits(ones, mine, high[lists]))
            if kind:
                at = at + high[lists]
                _put(packed, at, low[lists], _as_low(values, mine, low_bits))
        return packed

    def unpack(self, raw: NDArray[np.uint8], at: Numbers, n: Numbers) -> Numbers:
        """The numbers of lists whose bytes begin at `at` in `raw`, end to end."""
        if len(n) == 1 and n[0]:
            return self._unpack_one(raw, int(at[0]), int(n[0]))
        found: Numbers = np.empty(int(n.sum()), dtype=np.int64)
        first = n.cumsum() - n
        long = (n >= _LONG).nonzero()[0]
        for i in long.tolist():
            start, n_i = int(first[i]), int(n[i])
            found[start : start + n_i] = self._unpack_one(raw, int(at[i]), n_i)
        if len(long):
            n = np.where(n >= _LONG, 0, n)
        kinds = self.kinds(n)
        for kind, lists in _by_kind(kinds, n):
            mine, begin = n[lists], at[lists]
            high, low = self._sizes(mine, kinds[lists])
            bits = np.unpackbits(_cut(raw, begin, high), bitorder="little").view(np.bool_)
            values = bits.nonzero()[0] - (8 * (high.cumsum() - high)).repeat(mine)
            if kind:
                low_bits = int(_LOW_BITS[kind])
                values = (values - _within(mine)) << low_bits
                values += _from_low(_cut(raw, begin + high, low), mine, low_bits)
            if len(lists) == len(n) and not len(long):
                return values
            found[_runs(first[lists], mine)] = values
        return found

    def _unpack_one(self, raw: NDArray[np.uint8], at: int, n: int) -> Numbers:
        """One list: the same with a third of the steps."""
        kind = 4 - int(np.searchsorted(self._least, n, side="right"))
        low_bits = int(_LOW_BITS[kind])
        start = at + ((n * (kind > 0) + int(self._tails[kind]) + 7) >> 3)
        bits = np.unpackbits(raw[at:start], bitorder="little").view(np.bool_)
        values: Numbers = bits.nonzero()[0]
        if not kind:
            return values
        values -= np.arange(n)
        values <<= low_bits
        values += _from_low(
            raw[start : start + ((n * low_bits + 7) >> 3)], np.array([n]), low_bits
        )
        return values


def _by_kind(kinds: Numbers, n: Numbers) -> Iterator[tuple[int, Numbers]]:
    """Each kind that occurs, with the lists of it that hold something."""
    for kind in range(len(_LOW_BITS)):
        lists = ((kinds == kind) & (n > 0)).nonzero()[0]
        if len(lists):
            yield kind, lists


def _as_bits(ones: Numbers, n: Numbers, n_bytes: Numbers) -> NDArray[np.uint8]:
    """Bit maps end to end, each of so many bytes, with these ones set."""
    bits = np.zeros(8 * int(n_bytes.sum()), dtype=np.bool_)
    bits[ones + (8 * (n_bytes.cumsum() - n_bytes)).repeat(n)] = True
    return np.packbits(bits, bitorder="little")


def _as_low(values: Numbers, n: Numbers, low_bits: int) -> NDArray[np.uint8]:
    """The low bits of the values of each list: whole bytes first, then half ones."""
    whole = _whole_bytes(values, low_bits)
    if low_bits % 8 == 0:
        return whole
    n_whole, n_half = n * (low_bits >> 3), (n + 1) >> 1
    start = np.cumsum(n_whole + n_half) - n_whole - n_half
    joined = np.zeros(int((n_whole + n_half).sum()), dtype=np.uint8)
    joined[_runs(start, n_whole)] = whole
    half = ((values >> (low_bits - 4)) & 15).astype(np.uint8)
    within = _within(n)
    at = np.repeat(start + n_whole, n) + (within >> 1)
    odd = (within & 1).astype(bool)
    joined[at[~odd]] = half[~odd]
    joined[at[odd]] |= half[odd] << 4
    return joined


def _whole_bytes(values: Numbers, low_bits: int) -> NDArray[np.uint8]:
    if low_bits == 16:  # noqa: PLR2004
        return (values & 0xFFFF).astype("<u2").view(np.uint8)
    return (values & 0xFF).astype(np.uint8) if low_bits >= 8 else np.empty(0, np.uint8)  # noqa: PLR2004


def _from_low(raw: NDArray[np.uint8], n: Numbers, low_bits: int) -> NDArray[Any]:
    """The values whose low bits `_as_low` wrote."""
    if low_bits == 16:  # noqa: PLR2004
        return raw.view("<u2")
    if low_bits == 8:  # noqa: PLR2004
        return raw
    n_whole, n_half = n * (low_bits >> 3), (n + 1) >> 1
    start = np.cumsum(n_whole + n_half) - n_whole - n_half
    halves = _cut(raw, start + n_whole, n_half)
    nibbles: NDArray[Any] = np.empty(2 * len(halves), dtype=np.uint16)
    nibbles[::2], nibbles[1::2] = halves & 15, halves >> 4
    if len(n) == 1:
        values: NDArray[Any] = nibbles[: int(n[0])]
    else:
        values = nibbles[_runs(2 * (n_half.cumsum() - n_half), n)]
    if low_bits > 8:  # noqa: PLR2004
        values = (values << 8) | _cut(raw, start, n_whole)
    return values


def _cut(raw: NDArray[np.uint8], at: Numbers, n: Numbers) -> NDArray[np.uint8]:
    """Some runs of bytes, end to end."""
    if len(at) == 1:
        return raw[int(at[0]) : int(at[0] + n[0])]
    return raw[_runs(at, n)]


def _put(raw: NDArray[np.uint8], at: Numbers, n: Numbers, new: NDArray[np.uint8]) -> None:
    """Write some runs of bytes."""
    raw[_runs(at, n)] = new


def _within(n: Numbers) -> Numbers:
    """The numbers from 0 to n[0] - 1, then those from 0 to n[1] - 1, and so on."""
    return _runs(np.zeros(len(n), dtype=np.int64), n)


def _runs(first: Numbers, n: Numbers) -> Numbers:
    ends: Numbers = n.cumsum()
    places: Numbers = (first - (ends - n)).repeat(n)
    places += np.arange(len(places))
    return places
