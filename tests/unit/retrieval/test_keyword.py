"""The keyword leg against plain BM25 over all chunks, whatever it leaves out on its way."""

from __future__ import annotations

import math
import random
from collections import Counter
from functools import cache
from itertools import chain

import numpy as np
import pytest

from retrieval import keyword
from retrieval.analysis import terms
from retrieval.filters import parse_filter
from retrieval.segment import name_terms
from retrieval.snapshot import StoreIndex
from retrieval.view import View
from tests.unit.retrieval.memory_store import STORE_ID, Kept, MemoryStore

N_WORDS = 1600


@cache
def made(seed: int, *, n_files: int, n_commits: int = 1) -> tuple[MemoryStore, View]:
    """Files of Zipf words in as many segments as commits, some of them deleted afterwards."""
    rng = random.Random(seed)
    words = [f"w{i}x" for i in range(N_WORDS)]
    weights = [1 / (i + 2) for i in range(N_WORDS)]
    store = MemoryStore()
    index = StoreIndex(STORE_ID, model_id="m")
    for commit in range(n_commits):
        for i in range(n_files // n_commits):
            texts = [
                " ".join(rng.choices(words, weights, k=rng.randint(1, 90)))
                for _ in range(rng.randint(1, 9))
            ]
            file_n = commit * (n_files // n_commits) + i + 1
            store.add(file_n, texts, {"n": i % 40}, chunk_windows=rng.choice((1, 2, 3)))
        index.catch_up(store)
    for file_n in rng.sample(sorted(store.files), n_files // 20 if seed % 2 else 0):
        store.delete(file_n)
    return store, index.catch_up(store)


def bags_of(kept: Kept) -> list[Counter[str]]:
    """The terms of each chunk of a file."""
    windows = [terms(text) for text in kept.texts]
    named = name_terms(kept.change.filename)
    runs = zip(kept.content.chunk_first_window, kept.content.chunk_n_windows, strict=True)
    return [Counter(chain(named, *windows[start : start + n])) for start, n in runs]


def naive(store: MemoryStore, wanted: list[str]) -> dict[tuple[int, int], float]:
    """BM25 of each chunk by file and ordinal, from the texts alone."""
    bags = {
        (file_n, ordinal): bag
        for file_n, kept in store.files.items()
        for ordinal, bag in enumerate(bags_of(kept))
    }
    mean = sum(sum(bag.values()) for bag in bags.values()) / len(bags)
    found = dict.fromkeys(bags, 0.0)
    for term in wanted:
        n = sum(term in bag for bag in bags.values())
        idf = math.log1p((len(bags) - n + 0.5) / (n + 0.5)) if n else 0.0
        for key, bag in bags.items():
            norm = 1.2 * (0.25 + 0.75 * sum(bag.values()) / mean)
            found[key] += idf * bag[term] / (bag[term] + norm)
    return found


QUERIES = [
    ["w0x"],
    ["w1x", "w1x", "w3x"],
    ["w1500x", "w0x", "w1x", "w2x", "w3x", "w4x"],
    ["w40x", "w900x", "w1x", "w0x", "nowhere"],
    ["w0x", "w1x", "w2x", "w3x", "w5x", "w7x", "w11x"],
    ["name7", "w2x", "txt"],
    ["nowhere"],
    [],
]


@pytest.mark.parametrize(("seed", "n_files", "n_commits"), [(0, 900, 1), (1, 900, 4), (2, 40, 2)])
@pytest.mark.parametrize("filter", [None, ("lt", 20), ("eq", 3), ("gt", 99)])
def test_the_best_are_the_best_of_all(
    seed: int, n_files: int, n_commits: int, filter: tuple[str, int] | None
) -> None:
    store, view = made(seed, n_files=n_files, n_commits=n_commits)
    node = filter and parse_filter({"type": filter[0], "key": "n", "value": filter[1]})
    allowed = view.allowed(node or None)
    passes = {"lt": lambda n: n < 20, "eq": lambda n: n == 3, "gt": lambda _: False}
    for wanted in QUERIES:
        words = keyword.look_up_terms(view, allowed, wanted)
        dense = words.scores
        expected = {
            key: score
            for key, score in naive(store, wanted).items()
            if filter is None or passes[filter[0]](store.files[key[0]].change.attributes["n"])
        }
        files, ordinals, _ = view.files_and_ordinals(np.arange(view.chunk_base[-1]))
        found = dict(zip(zip(files.tolist(), ordinals.tolist(), strict=True), dense, strict=True))
        assert all(
            math.isclose(found[key], score, abs_tol=1e-9) for key, score in expected.items()
        )
        assert sum(score > 0 for score in dense) == sum(score > 0 for score in expected.values())
        for k in (1, 10, 128, 5000):
            chunks, rest = words.top(k)
            by_score = np.sort(dense[dense > 0])[::-1]
            assert len(set(chunks.tolist())) == len(chunks) == min(k, len(by_score))
            assert np.array_equal(np.sort(dense[chunks])[::-1], by_score[:k])  # to the last bit
            assert np.delete(dense, chunks).max(initial=0.0) <= rest
            assert np.array_equal(words.at(chunks), dense[chunks])
        some = np.flatnonzero(np.concatenate([mask.chunks for mask in allowed]))[::3]
        assert np.array_equal(words.at(some), dense[some])
        afresh = keyword.look_up_terms(view, allowed, wanted)
        assert np.array_equal(afresh.at(some), dense[some])


def test_how_much_a_term_tells_is_of_live_chunks_only() -> None:
    store, view = made(1, n_files=400, n_commits=2)
    chunks = list(naive(store, []))
    for term in ("w0x", "w30x", "w1400x", "nowhere"):
        n = sum(score > 0 for score in naive(store, [term]).values())
        expected = math.log1p((len(chunks) - n + 0.5) / (n + 0.5)) if n else 0.0
        assert keyword.idfs(view, [term, "w1x"])[term] == expected
