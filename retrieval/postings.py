"""For each term where it stands and how often: the keyword half of a segment.

Where a term stands is a *site*, a number whose meaning the segment knows. Sites and counts are
packed (`retrieval.site_lists`, `retrieval.small_numbers`) and stay so, on disk and in memory; what
a search asks for is unpacked for it alone. Every 32nd term's place is written down, the
others' follow from how many sites the terms between have.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.lexicon import STRIDE, Lexicon, encoded
from retrieval.site_lists import Layout
from retrieval.small_numbers import Counts, SmallNumbers
from retrieval.term_numbers import TermNumbers

_POSTINGS_AT_ONCE = 1 << 20
_MAX_COUNT = np.iinfo(np.uint16).max

Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """The postings of some terms, unpacked: those of one term after those of the other."""

    n_sites: Numbers  # (n_terms,)
    sites: Numbers  # ascending within each term
    counts: NDArray[Any]  # of each site


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Where the postings of some terms are, each array (n_terms,)."""

    n_sites: Numbers  # that hold the term; 0 for one that is not there
    posting: Numbers  # postings before its own
    byte: Numbers  # bytes of packed lists before its own


@dataclass(frozen=True, slots=True, eq=False)
class Postings:
    """For every term the sites that hold it, ascending, with counts."""

    lexicon: Lexicon
    holding: SmallNumbers  # (n_terms,) sites that hold each
    counts: Counts  # of all postings, by term and site
    packed: NDArray[np.uint8]  # all lists of sites, by term
    first: NDArray[np.int64]  # (2, n_blocks + 1) postings and bytes before each 32nd term
    n_all: NDArray[np.int64]  # (1,) sites there are
    layout: Layout = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "layout", Layout(int(self.n_all[0])))

    # --- making them ------------------------------------------------------------------------

    @classmethod
    def build(cls, texts: TermNumbers) -> Postings:
        """Of the terms of site 0, of site 1 and so on."""
        n_all = len(texts.start) - 1
        sites = np.repeat(np.arange(n_all), np.diff(texts.start))
        distinct, counts = np.unique(texts.numbers * n_all + sites, return_counts=True)
        n_sites = np.bincount(distinct // max(1, n_all), minlength=len(texts.words))
        whole = Part(n_sites, distinct % max(1, n_all), np.minimum(counts, _MAX_COUNT))
        return cls._pack([encoded(word) for word in texts.words], iter([whole]), n_all=n_all)

    @classmethod
    def merge(cls, parts: Sequence[tuple[Postings, Numbers]]) -> Postings:
        """Join postings, giving every site its new number.

        About a million postings are unpacked at a time.

        Args:
            parts: each with the new number by old site, -1 where the site is dropped.
        """
        words = [part.all_terms() for part, _ in parts]
        ordered = sorted(set().union(*words))
        number = {term: i for i, term in enumerate(ordered)}
        numbers = [_numbers([number[term] for term in known]) for known in words]
        n_of_term = np.zeros(len(ordered), dtype=np.int64)
        for (part, _), known in zip(parts, numbers, strict=True):
            n_of_term[known] += part.holding.range(0, part.n_terms)
        merged = (
            _merged_range(parts, numbers, first=first, end=end)
            for first, end in _ranges(n_of_term)
        )
        n_all = 1 + max((int(moved.max(initial=-1)) for _, moved in parts), default=-1)
        return cls._pack(ordered, merged, n_all=n_all)

    @classmethod
    def _pack(cls, words: Sequence[bytes], parts: Iterator[Part], *, n_all: int) -> Postings:
        """From all terms' postings, which come in parts; terms without any are left out."""
        layout = Layout(n_all)
        n_sites: list[Numbers] = []
        packed: list[NDArray[np.uint8]] = []

        def taken() -> Iterator[NDArray[Any]]:
            for part in parts:
                n_sites.append(part.n_sites)
                packed.append(layout.pack(part.n_sites, part.sites))
                yield part.counts

        counts = Counts.of(taken())
        n = joined(n_sites)
        kept = np.flatnonzero(n).tolist()
        n = n[n > 0]
        before = np.stack([offsets(n), offsets(layout.sizes(n))])
        return cls(
            lexicon=Lexicon.of([words[i] for i in kept]),
            holding=SmallNumbers.of(n),
            counts=counts,
            packed=np.concatenate([np.empty(0, dtype=np.uint8), *packed]),
            first=np.concatenate([before[:, :-1:STRIDE], before[:, -1:]], axis=1),
            n_all=_numbers([n_all]),
        )

    # --- reading them -----------------------------------------------------------------------

    @property
    def n_terms(self) -> int:
        """How many distinct terms there are."""
        return len(self.lexicon)

    def all_terms(self) -> list[bytes]:
        """Every term, sorted; reads the whole dictionary."""
        return self.lexicon.words()

    def find(self, term: str) -> int | None:
        """The term's number, or None where nothing holds it."""
        number = int(self.find_all([encoded(term)])[0])
        return number if number >= 0 else None

    def find_all(self, terms: Sequence[bytes]) -> Numbers:
        """The number of each encoded term, -1 where nothing holds it: (n_terms,)."""
        return self.lexicon.find(terms)

    def term(self, number: int) -> str:
        """The term with this number."""
        return self.lexicon.word(number).decode("utf-8", "surrogatepass")

    def term_ranges(self) -> list[tuple[int, int]]:
        """Ranges of terms, of about a million postings each, that cover all terms."""
        return _ranges(self.holding.range(0, self.n_terms))

    def of(self, number: int) -> tuple[Numbers, Numbers]:
        """Sites and counts of the term with this number."""
        return self.at(self.places(_numbers([number])), 0)

    def at(self, places: Places, i: int) -> tuple[Numbers, Numbers]:
        """Sites and counts of the i-th of some terms."""
        one = slice(i, i + 1)
        return self.all_at(Places(places.n_sites[one], places.posting[one], places.byte[one]))

    def all_at(self, places: Places) -> tuple[Numbers, Numbers]:
        """Sites and counts of some terms, one after the other."""
        sites = self.layout.unpack(self.packed, places.byte, places.n_sites)
        return sites, self.counts.runs(places.posting, places.n_sites)

    def part(self, first: int, end: int) -> Part:
        """The postings of the terms from `first` to `end`."""
        n_sites = self.holding.range(first, end)
        if not len(n_sites):
            return Part(n_sites, n_sites, n_sites)
        place = self.places(_numbers([first]))
        at = place.byte[0] + offsets(self.layout.sizes(n_sites))[:-1]
        begin = int(place.posting[0])
        return Part(
            n_sites,
            self.layout.unpack(self.packed, at, n_sites),
            self.counts.range(begin, begin + int(n_sites.sum())),
        )

    def counts_at(self, places: Places, sites: Numbers) -> NDArray[np.float64]:
        """How often each of some terms stands at each of some sites: (n_terms, n_sites).

        Args:
            places: of the terms.
            sites: (n_sites,) in any order, the same one as often as you like.
        """
        found = np.zeros((len(places.n_sites), len(sites)))
        is_list = self.layout.kinds(places.n_sites) > 0
        if not len(sites):
            return found
        for row in np.flatnonzero(~is_list & (places.n_sites > 0)).tolist():
            there, before = self.layout.look_up(self.packed, int(places.byte[row]), sites)
            found[row, there] = self.counts.at(int(places.posting[row]) + before)
        rows = np.flatnonzero(is_list & (places.n_sites > 0))
        if len(rows):
            self._count_listed(found, rows, places, sites)
        return found

    def _count_listed(
        self, found: NDArray[np.float64], rows: Numbers, places: Places, sites: Numbers
    ) -> None:
        """`counts_at` for terms whose lists have to be unpacked, all of them together."""
        n, first = places.n_sites[rows], places.posting[rows]
        column = np.zeros(int(self.n_all[0]), dtype=np.int32)  # by site, from 1
        column[sites] = np.arange(1, len(sites) + 1)
        columns = column[self.layout.unpack(self.packed, places.byte[rows], n)]
        hits = (columns > 0).nonzero()[0]
        before = offsets(n)
        term = np.searchsorted(before, hits, side="right") - 1
        counts = self.counts.at(first[term] + hits - before[term])
        found[rows[term], columns[hits] - 1] = counts
        same = column[sites] - 1
        if (same != np.arange(len(sites))).any():  # sites that are asked for more than once
            found[rows] = found[np.ix_(rows, same)]

    def places(self, numbers: Numbers) -> Places:
        """Where the postings of some terms are; of number -1, nowhere."""
        block, within = numbers // STRIDE, numbers % STRIDE
        if not self.n_terms or not len(numbers):
            return Places(*np.zeros((3, len(numbers)), dtype=np.int64))
        grid = block[:, None] * STRIDE + np.arange(STRIDE)
        n = self.holding.at(np.clip(grid, 0, self.n_terms - 1))
        rows = np.arange(len(numbers))
        is_before = np.arange(STRIDE) < within[:, None]
        posting, byte = self.first[:, block]
        return Places(
            np.where(numbers < 0, 0, n[rows, within]),
            posting + np.where(is_before, n, 0).sum(axis=1),
            byte + np.where(is_before, self.layout.sizes(n), 0).sum(axis=1),
        )

    # --- as arrays --------------------------------------------------------------------------

    @property
    def term_bytes(self) -> NDArray[np.uint8]:
        """All terms, sorted, end to end as UTF-8."""
        return self.lexicon.raw[self.lexicon.raw > 0]

    @property
    def term_start(self) -> Numbers:
        """(n_terms + 1,) where each begins in `term_bytes`, and where the last ends."""
        zeros = np.flatnonzero(self.lexicon.raw == 0)
        starts: Numbers = zeros - np.arange(len(zeros))
        return starts

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Its arrays by name, for a file."""
        plain = {f"postings.{name}": getattr(self, name) for name in _PLAIN}
        for name in _NESTED:
            plain |= getattr(self, name).arrays(f"postings.{name}")
        return plain

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Postings:
        """What `arrays` gave, read back."""
        plain: dict[str, Any] = {name: arrays[f"postings.{name}"] for name in _PLAIN}
        for name, kind in _NESTED.items():
            plain[name] = kind.of_arrays(arrays, f"postings.{name}")
        return cls(**plain)


_PLAIN = ("packed", "first", "n_all")
_NESTED: Mapping[str, Any] = {"lexicon": Lexicon, "holding": SmallNumbers, "counts": Counts}


def _ranges(n_of_term: Numbers) -> list[tuple[int, int]]:
    n_terms, before = len(n_of_term), offsets(n_of_term)
    borders = np.arange(0, int(before[-1]), _POSTINGS_AT_ONCE)
    firsts = np.unique(np.searchsorted(before[:-1], borders, side="right") - 1)
    firsts = np.concatenate([[0], firsts[firsts > 0], [n_terms]])
    return [(int(first), int(end)) for first, end in pairwise(firsts)]


def _merged_range(
    parts: Sequence[tuple[Postings, Numbers]],
    numbers: Sequence[Numbers],
    *,
    first: int,
    end: int,
) -> Part:
    """Postings of the terms from `first` to `end`, at their new sites."""
    found: list[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]] = []
    for (postings, moved), known in zip(parts, numbers, strict=True):
        a, b = np.searchsorted(known, [first, end])
        part = postings.part(int(a), int(b))
        terms = np.repeat(known[a:b] - first, part.n_sites)
        found.append((terms, moved[part.sites], part.counts))
    term_of, sites, counts = (np.concatenate(each) for each in zip(*found, strict=True))
    kept = np.flatnonzero(sites >= 0)
    order = kept[np.argsort(term_of[kept] * (sites.max(initial=0) + 1) + sites[kept])]
    n_sites = np.bincount(term_of[order], minlength=end - first)
    return Part(n_sites, sites[order], counts[order])


def offsets(lengths: NDArray[Any]) -> NDArray[np.int64]:
    """Where each of some runs laid end to end starts, and where the last ends: (n + 1,)."""
    starts = np.zeros(len(lengths) + 1, dtype=np.int64)
    lengths.cumsum(out=starts[1:])
    return starts


def ranges(first: NDArray[Any], n: NDArray[Any]) -> NDArray[np.int64]:
    """The numbers first[i], …, first[i] + n[i] - 1 for each i, end to end.

    >>> ranges(np.array([4, 9]), np.array([2, 3])).tolist()
    [4, 5, 9, 10, 11]
    """
    starts = offsets(n)
    return np.arange(starts[-1]) + (first - starts[:-1]).repeat(n)


def joined(arrays: Sequence[NDArray[Any]]) -> NDArray[np.int64]:
    """Arrays end to end, as int64."""
    return np.concatenate([np.empty(0, dtype=np.int64), *arrays]).astype(np.int64, copy=False)


def _numbers(values: Sequence[int]) -> Numbers:
    return np.array(values, dtype=np.int64)


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
