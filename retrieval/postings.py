"""Sorted terms and, for each, where it stands and how often: the keyword half of a segment.

Terms lie one after another as UTF-8 in one array and are found by binary search, so opening a
mapped dictionary reads none of it. Where a term stands is a *site*, a number whose meaning
the segment knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.term_numbers import TermNumbers

_POSTINGS_AT_ONCE = 1 << 20
_MAX_COUNT = np.iinfo(np.uint16).max


@dataclass(frozen=True, slots=True, eq=False)
class Postings:
    """For every term the sites that hold it, ascending, with counts."""

    term_bytes: NDArray[np.uint8]  # all terms, sorted, end to end
    term_start: NDArray[np.int64]  # (n_terms + 1,) into term_bytes
    start: NDArray[np.int64]  # (n_terms + 1,) into sites and counts
    sites: NDArray[np.int32]  # (n_postings,)
    counts: NDArray[np.uint16]  # (n_postings,)

    @classmethod
    def build(cls, texts: TermNumbers) -> Postings:
        """Of the terms of site 0, of site 1 and so on."""
        n_sites = len(texts.start) - 1
        sites = np.repeat(np.arange(n_sites), np.diff(texts.start))
        distinct, counts = np.unique(texts.numbers * n_sites + sites, return_counts=True)
        return cls._pack(
            [encoded(word) for word in texts.words],
            term_of=distinct // max(1, n_sites),
            sites=distinct % max(1, n_sites),
            counts=np.minimum(counts, _MAX_COUNT),
        )

    @classmethod
    def merge(cls, parts: Sequence[tuple[Postings, NDArray[np.int64]]]) -> Postings:
        """Join postings, giving every site its new number.

        Args:
            parts: each with the new number by old site, -1 where the site is dropped.
        """
        words = [part.all_terms() for part, _ in parts]
        ordered = sorted(set().union(*words))
        number = {term: i for i, term in enumerate(ordered)}
        numbers = [_numbers(number[term] for term in known) for known in words]
        batches = [
            _merged_range(parts, numbers, first=first, end=end)
            for first, end in _term_ranges(parts, numbers, n_terms=len(ordered))
        ]
        n_of_term, sites, counts = (np.concatenate(each) for each in zip(*batches, strict=True))
        used = n_of_term > 0
        kept = [word for word, is_used in zip(ordered, used, strict=True) if is_used]
        return cls(
            term_bytes=np.frombuffer(b"".join(kept), dtype=np.uint8),
            term_start=offsets(_numbers(len(word) for word in kept)),
            start=offsets(n_of_term[used]),
            sites=sites,
            counts=counts,
        )

    @classmethod
    def _pack(
        cls,
        words: Sequence[bytes],
        *,
        term_of: NDArray[Any],
        sites: NDArray[Any],
        counts: NDArray[Any],
    ) -> Postings:
        """From columns that are sorted by term, then by site."""
        return cls(
            term_bytes=np.frombuffer(b"".join(words), dtype=np.uint8),
            term_start=offsets(_numbers(len(word) for word in words)),
            start=offsets(np.bincount(term_of, minlength=len(words))),
            sites=sites.astype(np.int32),
            counts=counts.astype(np.uint16),
        )

    @property
    def n_terms(self) -> int:
        """How many distinct terms there are."""
        return len(self.start) - 1

    def all_terms(self) -> list[bytes]:
        """Every term, sorted; reads the whole dictionary."""
        raw = self.term_bytes.tobytes()
        return [raw[a:b] for a, b in pairwise(self.term_start.tolist())]

    def find(self, term: str) -> int | None:
        """The term's number, or None where nothing holds it."""
        wanted = encoded(term)
        low, high = 0, self.n_terms
        while low < high:
            middle = (low + high) // 2
            if self._term(middle) < wanted:
                low = middle + 1
            else:
                high = middle
        return low if low < self.n_terms and self._term(low) == wanted else None

    def term_ranges(self) -> list[tuple[int, int]]:
        """Ranges of terms, of about a million postings each, that cover all terms."""
        return _ranges(np.diff(self.start))

    def of(self, number: int) -> tuple[NDArray[np.int32], NDArray[np.uint16]]:
        """Sites and counts of the term with this number."""
        where = slice(int(self.start[number]), int(self.start[number + 1]))
        return self.sites[where], self.counts[where]

    def term(self, number: int) -> str:
        """The term with this number."""
        return self._term(number).decode("utf-8", "surrogatepass")

    def _term(self, number: int) -> bytes:
        a, b = self.term_start[number], self.term_start[number + 1]
        return self.term_bytes[a:b].tobytes()

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Its arrays by name, for a file."""
        return {f"postings.{name}": getattr(self, name) for name in self.__slots__}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Postings:
        """What `arrays` gave, read back."""
        return cls(**{name: arrays[f"postings.{name}"] for name in cls.__slots__})


def _term_ranges(
    parts: Sequence[tuple[Postings, NDArray[np.int64]]],
    numbers: Sequence[NDArray[np.int64]],
    *,
    n_terms: int,
) -> list[tuple[int, int]]:
    """Ranges of new term numbers with about a million postings each: what a merge holds at once."""
    n_of_term = np.zeros(n_terms, dtype=np.int64)
    for (part, _), known in zip(parts, numbers, strict=True):
        n_of_term[known] += np.diff(part.start)
    return _ranges(n_of_term)


def _ranges(n_of_term: NDArray[np.int64]) -> list[tuple[int, int]]:
    n_terms, before = len(n_of_term), offsets(n_of_term)
    borders = np.arange(0, int(before[-1]), _POSTINGS_AT_ONCE)
    firsts = np.unique(np.searchsorted(before[:-1], borders, side="right") - 1)
    firsts = np.concatenate([[0], firsts[firsts > 0], [n_terms]])
    return [(int(first), int(end)) for first, end in pairwise(firsts)]


def _merged_range(
    parts: Sequence[tuple[Postings, NDArray[np.int64]]],
    numbers: Sequence[NDArray[np.int64]],
    *,
    first: int,
    end: int,
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.uint16]]:
    """Postings of the terms from `first` to `end`: how many each has, sites, counts."""
    found: list[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]] = []
    for (part, moved), known in zip(parts, numbers, strict=True):
        a, b = np.searchsorted(known, [first, end])
        where = slice(int(part.start[a]), int(part.start[b]))
        terms = np.repeat(known[a:b] - first, np.diff(part.start[a : b + 1]))
        found.append((terms, moved[part.sites[where]], part.counts[where]))
    term_of, sites, counts = (np.concatenate(each) for each in zip(*found, strict=True))
    kept = np.flatnonzero(sites >= 0)
    order = kept[np.argsort(term_of[kept] * (sites.max(initial=0) + 1) + sites[kept])]
    n_of_term = np.bincount(term_of[order], minlength=end - first)
    return n_of_term, sites[order].astype(np.int32), counts[order].astype(np.uint16)


def encoded(term: str) -> bytes:
    """UTF-8; a lone surrogate, which broken files may hold, is kept as it is."""
    return term.encode("utf-8", "surrogatepass")


def offsets(lengths: NDArray[Any]) -> NDArray[np.int64]:
    """Where each of some runs laid end to end starts, and where the last ends: (n + 1,)."""
    starts = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=starts[1:])
    return starts


def ranges(first: NDArray[Any], n: NDArray[Any]) -> NDArray[np.int64]:
    """The numbers first[i], …, first[i] + n[i] - 1 for each i, end to end.

    >>> ranges(np.array([4, 9]), np.array([2, 3])).tolist()
    [4, 5, 9, 10, 11]
    """
    starts = offsets(n)
    return np.arange(starts[-1]) + np.repeat(first - starts[:-1], n)


def joined(arrays: Sequence[NDArray[Any]]) -> NDArray[np.int64]:
    """Arrays end to end, as int64."""
    return np.concatenate([np.empty(0, dtype=np.int64), *arrays]).astype(np.int64, copy=False)


def _numbers(values: Iterable[int]) -> NDArray[np.int64]:
    return np.fromiter(values, dtype=np.int64)


def first_best(
    values: NDArray[np.float64], starts: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Of each run of values the place of the greatest, from the run's start, and its value.

    Of equal ones the first. No run is empty.

    >>> places, best = first_best(np.array([1.0, 3.0, 3.0, 2.0]), np.array([0, 3]))
    >>> places.tolist(), best.tolist()
    ([1, 0], [3.0, 2.0])
    """
    if not len(starts):
        return np.empty(0, dtype=np.int64), np.empty(0)
    best = np.maximum.reduceat(values, starts)
    run = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(values))))
    found = np.flatnonzero(values == best[run])
    _, first = np.unique(run[found], return_index=True)
    return found[first] - starts, best
