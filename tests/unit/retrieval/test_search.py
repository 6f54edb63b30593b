"""Search against brute force: after any history, under any filter, from memory or from disk."""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from memory_store import (
    EMBEDDER,
    STORE_ID,
    Found,
    MemoryStore,
    blended,
    brute_force,
    first_of_each_text,
    scale_of,
)

from retrieval import dense
from retrieval.candidates import Scored
from retrieval.filters import parse_filter
from retrieval.plan import DEFAULT, Tuning
from retrieval.queries import Hit, HybridWeights, Query
from retrieval.search import RRF_DEPTH, run, search
from retrieval.snapshot import StoreIndex

WORDS = [
    "river",
    "mill",
    "water",
    "stone",
    "bridge",
    "tower",
    "clock",
    "bell",
    "winter",
    "summer",
    "harvest",
    "barley",
    "wheat",
    "oxen",
    "market",
    "ledger",
    "copper",
    "silver",
    "merchant",
    "ferry",
    "lantern",
    "window",
    "chapel",
    "garden",
    "orchard",
    "apple",
    "cider",
    "barrel",
    "cellar",
    "winter-rye",
    "getHarvestTotal",
    "v2.1",
    "the",
    "of",
    "and",
    "to",
    "in",
    "a",
    "is",
    "was",
]


def random_text(rng: random.Random) -> str:
    return " ".join(rng.choices(WORDS, k=rng.randint(3, 14)))


def random_attributes(rng: random.Random) -> dict[str, Any]:
    pairs = {"year": rng.randint(1, 6), "team": rng.choice("abc"), "open": rng.random() < 0.5}
    return {key: value for key, value in pairs.items() if rng.random() < 0.8}


def random_filter(rng: random.Random) -> dict[str, Any] | None:
    leaves = [
        {"type": "gte", "key": "year", "value": rng.randint(1, 6)},
        {"type": "nin", "key": "team", "value": [rng.choice("abc")]},
        {"type": "eq", "key": "open", "value": rng.random() < 0.5},
        {"type": "in", "property": "filename", "value": [f"name{rng.randint(0, 20)}.txt"]},
    ]
    if rng.random() < 0.3:
        return None
    return {"type": rng.choice(("and", "or")), "filters": rng.sample(leaves, rng.randint(1, 3))}


def step(rng: random.Random, store: MemoryStore, *, next_n: int) -> int:
    """One random commit; returns the next unused file number."""
    known = list(store.files)
    kind = rng.random()
    if kind < 0.55 or not known:
        store.add(
            next_n, [random_text(rng) for _ in range(rng.randint(1, 8))], random_attributes(rng)
        )
        return next_n + 1
    file_n = rng.choice(known)
    if kind < 0.7:
        store.add(
            file_n, [random_text(rng) for _ in range(rng.randint(1, 8))], random_attributes(rng)
        )
    elif kind < 0.85:
        store.set_attributes(file_n, random_attributes(rng))
    else:
        store.delete(file_n)
    return next_n


def hits_of(store: MemoryStore, index: StoreIndex, query: Query) -> tuple[Hit, ...]:
    view = index.catch_up(store)
    return search(store, view, EMBEDDER, query, vector_store_id=STORE_ID).hits


def what(hits: tuple[Hit, ...]) -> list[tuple[Any, ...]]:
    """All of a hit, but for how it was found."""
    return [
        (hit.id, hit.score, hit.text, hit.filename, hit.attributes, hit.explanation.fused,
         hit.explanation.dense.score, hit.explanation.keyword.score)
        for hit in hits
    ]  # fmt: skip


def ranked_of(store: MemoryStore, index: StoreIndex, query: Query) -> list[Scored]:
    """The first of the ranking, before hits of a file that overlap become one."""
    view = index.catch_up(store)
    made = run(store, view, EMBEDDER, query, vector_store_id=STORE_ID)
    return list(made.ranked[: query.limit])


def expected_order(found: list[Found], score: dict[tuple[int, int], float]) -> list[Found]:
    ordered = sorted(found, key=lambda f: (-score[f.file_n, f.ordinal], f.file_n, f.ordinal))
    return first_of_each_text(ordered)


def check_against(
    hits: list[Scored], expected: list[Found], score: dict[tuple[int, int], float]
) -> None:
    """Same scores in the same places; chunks may swap only where scores are a hair apart."""
    limit = len(hits)
    for hit, wanted in zip(hits, expected[:limit], strict=True):
        mine = score[hit.file_n, hit.ordinal]
        assert math.isclose(mine, score[wanted.file_n, wanted.ordinal], abs_tol=1e-6)
        assert math.isclose(hit.fused, mine, abs_tol=1e-6)
    by_id = {(f.file_n, f.ordinal): f for f in expected}
    for hit in hits:
        bm25 = by_id[hit.file_n, hit.ordinal].bm25
        assert math.isclose(hit.keyword.score, bm25, rel_tol=1e-9, abs_tol=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_search_equals_brute_force_after_any_history(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    store, next_n = MemoryStore(), 0
    index = StoreIndex(STORE_ID, model_id="hash")
    for round_ in range(12):
        for _ in range(rng.randint(1, 10)):
            next_n = step(rng, store, next_n=next_n)
        if round_ % 4 == 1:
            index.catch_up(store)
            index.save(tmp_path)
        if round_ % 4 == 2:
            index = StoreIndex.open(tmp_path, store, vector_store_id=STORE_ID, model_id="hash")
        if round_ % 4 == 3:
            index.catch_up(store)
            index.fold()
        fresh = StoreIndex(STORE_ID, model_id="hash")
        for _ in range(3):
            obj = random_filter(rng)
            text = random_text(rng)
            query = Query((text,), parse_filter(obj), limit=rng.choice((1, 5, 10)), ranker="none")
            hits = hits_of(store, index, query)
            assert what(hits) == what(hits_of(store, fresh, query))
            found = brute_force(store, text, EMBEDDER.embed_query(text), query.filter)
            scale = scale_of(store, text)
            score = {(f.file_n, f.ordinal): blended(f, scale) for f in found}
            expected = expected_order(found, score)
            ranked = ranked_of(store, index, query)
            assert len(ranked) == min(query.limit, len(expected))
            check_against(ranked, expected, score)
            for ranker in ("auto", "default-2024-11-15"):
                again = Query(query.texts, query.filter, query.limit, ranker=ranker)
                assert what(hits_of(store, index, again)) == what(hits_of(store, fresh, again))


def feedback_scores(
    found: list[Found], store: MemoryStore, text: str
) -> dict[tuple[int, int], float]:
    """The fixed recipe by the letter: the best five chunks' best windows move the vector."""
    vector = EMBEDDER.embed_query(text)
    score = {(f.file_n, f.ordinal): blended(f) for f in found}
    rows = []
    for each in expected_order(found, score)[:5]:
        content = store.files[each.file_n].content
        first = content.chunk_first_window[each.ordinal]
        windows = content.vectors[first : first + content.chunk_n_windows[each.ordinal]]
        rows.append(windows[int(np.argmax(windows @ vector))])
    moved = 0.7 * vector + 0.3 * np.mean(rows, axis=0)
    moved /= np.linalg.norm(moved)
    again = {(f.file_n, f.ordinal): f for f in brute_force(store, text, moved, None)}
    return {key: blended(again[key]) for key in score}


def some_store(rng: random.Random, n_files: int) -> MemoryStore:
    store = MemoryStore()
    for n in range(n_files):
        store.add(n, [random_text(rng) for _ in range(rng.randint(1, 9))], random_attributes(rng))
    return store


def test_the_fixed_recipe_ranks_as_written() -> None:
    rng = random.Random(77)
    store = some_store(rng, 30)
    index = StoreIndex(STORE_ID, model_id="hash")
    for _ in range(10):
        text = random_text(rng)
        fixed = Query((text,), limit=8, ranker="default-2024-11-15")
        hits = ranked_of(store, index, fixed)
        found = brute_force(store, text, EMBEDDER.embed_query(text), None)
        score = feedback_scores(found, store, text)
        check_against(hits, expected_order(found, score), score)


@pytest.mark.parametrize("weights", [(1.0, 1.0), (0.2, 2.0), (0.0, 1.0), (1.0, 0.0), (-1.0, 1.0)])
def test_reciprocal_ranks_equal_brute_force(weights: tuple[float, float]) -> None:
    rng = random.Random(11)
    store = some_store(rng, 120)
    index = StoreIndex(STORE_ID, model_id="hash")
    both = HybridWeights(*weights)
    for _ in range(5):
        text = random_text(rng)
        found = brute_force(store, text, EMBEDDER.embed_query(text), None)
        legs = ((lambda f: f.cosine, weights[0]), (lambda f: f.bm25, weights[1]))
        score = dict.fromkeys(((f.file_n, f.ordinal) for f in found), 0.0)
        for leg, weight in legs:
            ordered = sorted(found, key=lambda f: (-round(leg(f), 7), f.file_n, f.ordinal))
            for rank, each in enumerate(ordered[:RRF_DEPTH], start=1):
                if leg(each) > 0 or leg is legs[0][0]:
                    score[each.file_n, each.ordinal] += max(0.0, weight) / (60 + rank)
        hits = ranked_of(store, index, Query((text,), limit=20, weights=both))
        expected = expected_order(found, score)
        assert [(hit.file_n, hit.ordinal) for hit in hits] == [
            (f.file_n, f.ordinal) for f in expected[:20]
        ]
        top = sum(max(0.0, weight) for weight in weights) / 61
        assert hits[0].score == pytest.approx(score[expected[0].file_n, expected[0].ordinal] / top)
        assert all(0 <= hit.score <= 1 for hit in hits)


def test_plans_agree_to_the_last_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(5)
    store = some_store(rng, 150)
    index = StoreIndex(STORE_ID, model_id="hash")
    queries = [
        Query((random_text(rng),), parse_filter(random_filter(rng)), limit=7, ranker=ranker)
        for ranker in ("auto", "none") * 10
    ]
    gathered = [what(hits_of(store, index, query)) for query in queries]
    assert DEFAULT.gather_windows > 0
    index = StoreIndex(STORE_ID, model_id="hash", tuning=Tuning(gather_windows=0))
    monkeypatch.setattr("retrieval.legs.FIRST_DEPTH", 4)
    scanned = [what(hits_of(store, index, query)) for query in queries]
    assert scanned == gathered
    plans = {hits_of(store, index, q)[0].explanation.plan.split(":")[0] for q in queries[:4]}
    assert plans <= {"scan", "open"}


def test_filter_never_changes_a_score() -> None:
    rng = random.Random(8)
    store = some_store(rng, 60)
    index = StoreIndex(STORE_ID, model_id="hash")
    only = parse_filter({"type": "eq", "key": "team", "value": "a"})
    for _ in range(5):
        text = random_text(rng)
        open_ = {h.id: h for h in hits_of(store, index, Query((text,), limit=50, ranker="none"))}
        some = hits_of(store, index, Query((text,), only, limit=50, ranker="none"))
        shared = [hit for hit in some if hit.id in open_]
        assert shared
        assert all(hit.score == open_[hit.id].score for hit in shared)


def test_of_several_texts_each_chunk_counts_with_its_best() -> None:
    rng = random.Random(9)
    store = some_store(rng, 25)
    index = StoreIndex(STORE_ID, model_id="hash")
    texts = ("river mill water", "copper silver ledger", "apple cider")
    best: dict[tuple[int, int], float] = {}
    for text in texts:
        for one in ranked_of(store, index, Query((text,), limit=50)):
            best[one.text_key] = max(best.get(one.text_key, 0.0), one.score)
    together = ranked_of(store, index, Query(texts, limit=10))
    assert [one.score for one in together] == sorted(best.values(), reverse=True)[:10]
    for one in together:
        assert one.score == best[one.text_key]


def test_same_text_twice_in_a_file_is_one_hit_and_in_two_files_two() -> None:
    store = MemoryStore()
    line = "the copper bell of the river chapel"
    store.add(1, [line] * 6, {}, chunk_windows=1)
    store.add(2, [line, "something else entirely"], {}, chunk_windows=1)
    index = StoreIndex(STORE_ID, model_id="hash")
    hits = hits_of(store, index, Query(("copper bell",), limit=10))
    assert [hit.id for hit in hits] == ["file-1:0", "file-2:0", "file-2:1"]


def test_many_repeats_do_not_crowd_out_other_files() -> None:
    store = MemoryStore()
    store.add(1, ["copper bell of the chapel"] * 1200, {}, chunk_windows=1)
    for n in range(2, 12):
        store.add(n, [f"bell number {n} rings", "nothing of the kind"], {}, chunk_windows=1)
    index = StoreIndex(STORE_ID, model_id="hash")
    for weights in (None, HybridWeights(1.0, 1.0), HybridWeights(0.0, 1.0)):
        hits = hits_of(store, index, Query(("copper bell",), limit=21, weights=weights))
        assert len(hits) == 21
        assert hits[0].file_id == "file-1"


def test_threshold_cuts_and_scores_lie_between_0_and_1() -> None:
    rng = random.Random(3)
    store = some_store(rng, 20)
    index = StoreIndex(STORE_ID, model_id="hash")
    hits = hits_of(store, index, Query(("river mill",), limit=20))
    assert all(0 < hit.score < 1 for hit in hits)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    bar = hits[6].score
    cut = hits_of(store, index, Query(("river mill",), limit=20, min_score=bar))
    assert what(cut) == what(tuple(hit for hit in hits if hit.score >= bar))


def test_nothing_to_search_is_no_error() -> None:
    store = MemoryStore()
    index = StoreIndex(STORE_ID, model_id="hash")
    assert hits_of(store, index, Query(("anything",))) == ()
    store.add(1, ["river mill"], {"team": "a"})
    never = parse_filter({"type": "in", "key": "team", "value": []})
    for weights in (None, HybridWeights(1, 1)):
        assert hits_of(store, index, Query(("river",), never, weights=weights)) == ()
    assert len(hits_of(store, index, Query(("☃",)))) == 1
    store.delete(1)
    assert hits_of(store, index, Query(("river",))) == ()


def test_explanation_says_how_the_filter_ran_and_where_each_leg_put_the_hit() -> None:
    rng = random.Random(4)
    store = some_store(rng, 20)
    index = StoreIndex(STORE_ID, model_id="hash")
    hits = hits_of(store, index, Query(("river mill",), limit=50, ranker="none"))
    n = index.view().n_windows
    assert hits[0].explanation.plan == f"gather: {n} of {n} windows allowed"
    ranks = [hit.explanation.dense.rank for hit in hits]
    by_cosine = sorted(hits, key=lambda hit: -hit.explanation.dense.score)
    assert min(r for r in ranks if r) == 1
    assert by_cosine[0].explanation.dense.rank == 1
    for hit in hits:
        assert (hit.explanation.keyword.rank is None) == (hit.explanation.keyword.score == 0)
        assert hit.explanation.query == "river mill"


def test_rewritten_queries_are_what_the_result_names() -> None:
    store = MemoryStore()
    store.add(1, ["The height of the main office building is 40 m."], {})
    index = StoreIndex(STORE_ID, model_id="hash")
    view = index.catch_up(store)
    asked = Query(("What is the height of the main office building?",), rewrite=True)
    result = search(store, view, EMBEDDER, asked, vector_store_id=STORE_ID)
    assert result.queries == ("height of the main office building",)
    assert len(result.hits) == 1


def test_file_deleted_after_the_view_was_made_is_left_out() -> None:
    store = MemoryStore()
    store.add(1, ["river mill"], {})
    store.add(2, ["river mill too"], {})
    view = StoreIndex(STORE_ID, model_id="hash").catch_up(store)
    store.delete(1)
    result = search(store, view, EMBEDDER, Query(("river",)), vector_store_id=STORE_ID)
    assert [hit.file_id for hit in result.hits] == ["file-2"]


def test_dense_scores_do_not_depend_on_which_chunks_are_asked_for() -> None:
    rng = random.Random(2)
    store = some_store(rng, 40)
    view = StoreIndex(STORE_ID, model_id="hash").catch_up(store)
    vector = EMBEDDER.embed_query("river mill clock")
    every = np.arange(view.n_chunks)
    whole = dense.scores(view, every, vector)
    for _ in range(50):
        some = np.array(sorted(rng.sample(range(view.n_chunks), rng.randint(1, 9))))
        assert (dense.scores(view, some, vector) == whole[some]).all()
