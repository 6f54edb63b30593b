"""Every stage that can drop a chunk is named, over a thousand seeded drops."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from memory_store import EMBEDDER, STORE_ID, MemoryStore

from retrieval.filters import parse_filter
from retrieval.queries import Query
from retrieval.search import Run, run
from retrieval.snapshot import StoreIndex
from retrieval.view import View
from retrieval.why_not import why_not

WORDS = (
    "river mill water stone bridge garden orchard harvest ferry clock bell tower ledger copper"
    " silver meadow lantern canal chapel market"
)
N_FILES, N_LEFT_OUT = 900, 60


@lru_cache
def world() -> tuple[MemoryStore, View, MemoryStore]:
    """A store, the view of most of it, and the store with files that came after the view."""
    rng = random.Random(12)
    words = WORDS.split()
    store = MemoryStore()
    for n in range(N_FILES):
        texts = [" ".join(rng.choices(words, k=12)) for _ in range(rng.randint(2, 6))]
        store.add(n, texts, {"team": "abcdefghij"[n % 10]})
    view = StoreIndex(STORE_ID, model_id="hash").catch_up(store)
    return store, view, store


def made(query: Query) -> Run:
    store, view, _ = world()
    return run(store, view, EMBEDDER, query, vector_store_id=STORE_ID)


def stage(query: Query, one: Run, file_id: str, ordinal: int | None) -> str:
    return why_not(world()[1], one, query, file_id=file_id, chunk_ordinal=ordinal).stage


def queries(n: int) -> list[str]:
    rng = random.Random(99)
    return [" ".join(rng.sample(WORDS.split(), 3)) for _ in range(n)]


def sample(rng: random.Random, items: list[Any], k: int) -> list[Any]:
    return rng.sample(items, min(k, len(items)))


def test_a_thousand_seeded_drops_are_named_rightly() -> None:
    rng = random.Random(7)
    _, view, _ = world()
    wrong: list[tuple[str, str, str, int | None]] = []
    n_of: Counter[str] = Counter()

    def check(expected: str, query: Query, one: Run, file_id: str, ordinal: int | None) -> None:
        n_of[expected] += 1
        found = stage(query, one, file_id, ordinal)
        if found != expected:
            wrong.append((expected, found, file_id, ordinal))

    for text in queries(20):
        query = Query((text,), limit=10)
        one = made(query)
        by_rank = list(one.ranked)
        hits = {(hit.file_id, hit.chunk_ordinal) for hit in one.shaped.hits}
        names = {s.chunk: (view.record(s.chunk).file_id, s.ordinal) for s in by_rank}
        last = max(i for i, s in enumerate(by_rank) if names[s.chunk] in hits)
        for scored in sample(rng, by_rank[last + 1 :], 12):  # worse than the last hit
            check("limit", query, one, *names[scored.chunk])
        for file_id, ordinal in sample(rng, sorted(hits), 3):
            check("returned", query, one, file_id, ordinal)
        for n in sample(rng, list(range(N_FILES, N_FILES + N_LEFT_OUT)), 6):  # never came
            check("not_indexed", query, one, f"file-{n}", None)
        bar = replace(query, min_score=by_rank[4].score)
        cut = made(bar)
        below = [s for s in by_rank if s.score < bar.min_score]
        for scored in sample(rng, below, 12):
            check("threshold", bar, cut, *names[scored.chunk])
        only = replace(query, filter=parse_filter({"type": "eq", "key": "team", "value": "a"}))
        filtered = made(only)
        for n in rng.sample([n for n in range(N_FILES) if n % 10], 10):
            check("filter", only, filtered, f"file-{n}", None)
        seen = {int(c) for c in one.found[0].looked_at}
        ranked = {s.chunk for s in by_rank}
        files, ordinals, same_as = view.files_and_ordinals(one.found[0].looked_at)
        told_apart = [
            (f"file-{f}", int(o))
            for c, f, o, s in zip(
                one.found[0].looked_at.tolist(), files, ordinals, same_as, strict=True
            )
            if c not in ranked and s == o
        ]
        for file_id, ordinal in sample(rng, told_apart, 8):  # seen by a leg, but not the best
            check("fusion", query, one, file_id, ordinal)
        unseen = [c for c in range(view.n_chunks) if c not in seen]
        for chunk in sample(rng, unseen, 8):  # neither leg looked at it
            of, place, _ = view.files_and_ordinals(np.array([chunk]))
            check("candidate_depth", query, one, f"file-{of[0]}", int(place[0]))
    assert sum(n_of.values()) >= 1000, n_of
    assert min(n_of.values()) >= 40, n_of
    assert wrong == []


def overlapping() -> tuple[MemoryStore, View]:
    """One file whose second chunk is but for a part in the first and the third."""
    store = MemoryStore()
    lines = [f"river mill number {n} at the old stone bridge by the water " * 6 for n in range(7)]
    store.add(1, lines, {}, chunk_windows=3)
    kept = store.files[1]
    kept.content = replace(
        kept.content,
        chunk_first_window=np.array([0, 1, 3], dtype=np.int32),
        chunk_n_windows=np.array([3, 3, 3], dtype=np.int32),
    )
    return store, StoreIndex(STORE_ID, model_id="hash").catch_up(store)


def test_a_chunk_whose_text_better_hits_show_is_merged() -> None:
    store, view = overlapping()
    query = Query(("river mill number 0 number 4",), limit=10)
    one = run(store, view, EMBEDDER, query, vector_store_id=STORE_ID)
    hits = one.shaped.hits
    spans = sorted((hit.start_char, hit.end_char) for hit in hits)
    assert all(a[1] <= b[0] for a, b in pairwise(spans))
    stages = [why_not(view, one, query, file_id="file-1", chunk_ordinal=n).stage for n in range(3)]
    assert stages.count("returned") == len(hits)
    assert set(stages) <= {"returned", "merged"}


def test_text_that_stands_twice_in_a_file_is_merged() -> None:
    store = MemoryStore()
    store.add(1, ["the copper bell of the river chapel"] * 3, {}, chunk_windows=1)
    view = StoreIndex(STORE_ID, model_id="hash").catch_up(store)
    query = Query(("copper bell",))
    one = run(store, view, EMBEDDER, query, vector_store_id=STORE_ID)
    twin = why_not(view, one, query, file_id="file-1", chunk_ordinal=2)
    assert twin.stage == "merged"


@pytest.mark.parametrize("max_tokens", [30, 80])
def test_a_budget_is_kept_and_named(max_tokens: int) -> None:
    store, view, _ = world()
    query = Query(("river mill",), limit=10, max_tokens=max_tokens)
    one = run(store, view, EMBEDDER, query, vector_store_id=STORE_ID)
    whole = run(store, view, EMBEDDER, replace(query, max_tokens=None), vector_store_id=STORE_ID)
    n = len(one.shaped.hits)
    assert 0 < n < 10
    dropped = whole.shaped.hits[n]
    assert (
        why_not(
            view, one, query, file_id=dropped.file_id, chunk_ordinal=dropped.chunk_ordinal
        ).stage
        == "max_tokens"
    )


def test_a_file_is_told_by_its_chunk_that_came_furthest() -> None:
    _, view, _ = world()
    query = Query(("river mill",), limit=5)
    one = made(query)
    hit = one.shaped.hits[0]
    told = why_not(view, one, query, file_id=hit.file_id)
    assert (told.stage, told.chunk_ordinal, told.rank) == ("returned", hit.chunk_ordinal, 1)
    assert told.explanation == hit.explanation
    assert told.last_score == one.shaped.hits[-1].score
