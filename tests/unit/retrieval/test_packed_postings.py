"""What is packed comes back as it was: lists of sites, counts, terms, postings as a whole."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest

from retrieval.lexicon import STRIDE, Lexicon, encoded
from retrieval.postings import Postings
from retrieval.site_lists import Layout
from retrieval.small_numbers import Counts, SmallNumbers
from retrieval.term_numbers import TermNumbers


@pytest.mark.parametrize("n_sites", [1, 2, 5, 63, 64, 65, 300, 4000, 70_000, 200_000])
def test_lists_of_every_length_come_back(n_sites: int) -> None:
    rng = np.random.default_rng(n_sites)
    most = min(n_sites, 20_000)
    lengths = np.concatenate(
        [
            rng.integers(0, most + 1, 10),
            np.minimum(most, rng.integers(0, max(2, n_sites // 20), 20)),
            np.minimum(most, rng.integers(0, 4, 30)),
            [n_sites],
        ]
    )
    lists = [np.sort(rng.choice(n_sites, n, replace=False)) for n in lengths]
    layout = Layout(n_sites)
    raw = layout.pack(lengths, np.concatenate(lists))
    sizes = layout.sizes(lengths)
    at = np.cumsum(sizes) - sizes
    assert len(raw) == sizes.sum()
    assert np.array_equal(layout.unpack(raw, at, lengths), np.concatenate(lists))
    some = rng.permutation(len(lists))[:9]
    expected = np.concatenate([lists[i] for i in some])
    assert np.array_equal(layout.unpack(raw, at[some], lengths[some]), expected)
    for i in np.flatnonzero((layout.kinds(lengths) == 0) & (lengths > 0)):
        asked = rng.integers(0, n_sites, 50)
        there, before = layout.look_up(raw, int(at[i]), asked)
        assert asked[there].tolist() == [site for site in asked if site in set(lists[i])]
        assert np.array_equal(lists[i][before], asked[there])


def test_a_list_takes_little_more_than_it_tells() -> None:
    """Of n in N sites, log2(N choose n) bits must be spent; a byte more a list is allowed for."""
    n_sites, rng = 100_000, np.random.default_rng(1)
    layout = Layout(n_sites)
    for n in (3, 30, 300, 3_000):
        share = n / n_sites
        entropy = n_sites * -(share * np.log2(share) + (1 - share) * np.log2(1 - share)) / 8
        packed = layout.pack(np.array([n]), np.sort(rng.choice(n_sites, n, replace=False)))
        assert len(packed) <= 1.35 * entropy + 2


@pytest.mark.parametrize("n", [0, 1, 7, 8, 255, 256, 257, 5000])
def test_counts_come_back(n: int) -> None:
    rng = np.random.default_rng(n)
    counts = np.where(rng.random(n) < 0.8, 1, rng.integers(1, 30, n))
    counts[rng.random(n) < 0.01] = rng.integers(200, 60_000)
    packed = Counts.of(np.split(counts, np.sort(rng.integers(0, n + 1, 3))))
    for _ in range(20):
        first, end = np.sort(rng.integers(0, n + 1, 2))
        assert np.array_equal(packed.range(first, end), counts[first:end])
    places = rng.integers(0, n, 40) if n else np.empty(0, dtype=np.int64)
    assert np.array_equal(packed.at(places), counts[places])


@pytest.mark.parametrize("is_half", [False, True])
def test_numbers_that_do_not_fit_come_back(is_half: bool) -> None:
    numbers = np.array([0, 14, 15, 16, 254, 255, 256, 70_000, 3])
    packed = SmallNumbers.of(numbers, is_half=is_half)
    assert packed.range(0, 9).tolist() == numbers.tolist()
    assert packed.range(3, 8).tolist() == numbers[3:8].tolist()
    assert packed.at(np.array([[8, 7], [2, 2]])).tolist() == [[3, 70_000], [15, 15]]


def test_terms_that_begin_alike_are_told_apart() -> None:
    words = sorted({b"beginning" + str(i).encode() for i in range(500)} | {b"a", b"begin", b"z"})
    lexicon = Lexicon.of(words)
    assert len(lexicon) == len(words) > 3 * STRIDE
    assert lexicon.find(words).tolist() == list(range(len(words)))
    assert (
        lexicon.find([b"", b"beginnin", b"beginning", b"beginning500", b"zz"]).tolist() == [-1] * 5
    )
    assert [lexicon.word(i) for i in range(len(words))] == words == lexicon.words()
    assert Lexicon.of([]).find([b"a"]).tolist() == [-1]


@pytest.mark.parametrize("seed", range(4))
def test_counts_at_sites_are_those_of_the_texts(seed: int) -> None:
    rng = random.Random(seed)
    words = [f"w{i}" for i in range(300)]
    weights = [1 / (i + 1) for i in range(300)]
    texts = [
        rng.choices(words, weights, k=rng.randint(0, 60)) for _ in range(rng.choice((3, 900)))
    ]
    postings = Postings.build(TermNumbers.of(texts))
    counted = [Counter(text) for text in texts]
    sites = np.array([rng.randrange(len(texts)) for _ in range(50)])
    wanted = [*rng.sample(words, 20), "w0", "no such word"]
    numbers = postings.find_all([encoded(word) for word in wanted])
    found = postings.counts_at(postings.places(numbers), sites)
    assert found.tolist() == [[counted[site][word] for site in sites] for word in wanted]
    for word in wanted:
        number = postings.find(word)
        holders = [site for site, count in enumerate(counted) if count[word]]
        assert (number is None) == (not holders)
        if number is not None:
            at, counts = postings.of(number)
            assert at.tolist() == holders
            assert counts.tolist() == [counted[site][word] for site in holders]


def test_merged_postings_equal_those_of_the_texts_together() -> None:
    rng = random.Random(3)
    words = [f"w{int(rng.paretovariate(0.4))}" for _ in range(3000)]
    texts = [rng.sample(words, rng.randint(0, 30)) for _ in range(600)]
    parts, first = [], 0
    for n in (150, 1, 449):
        moved = np.array([i - i // 7 - 1 if i % 7 else -1 for i in range(first, first + n)])
        parts.append((Postings.build(TermNumbers.of(texts[first : first + n])), moved))
        first += n
    kept = [text for i, text in enumerate(texts) if i % 7]
    merged, whole = Postings.merge(parts), Postings.build(TermNumbers.of(kept))
    ours, theirs = merged.arrays(), whole.arrays()
    assert all(np.array_equal(array, theirs[name]) for name, array in ours.items())
    again = Postings.of_arrays(ours)
    assert again.all_terms() == sorted({word.encode() for text in kept for word in text})
