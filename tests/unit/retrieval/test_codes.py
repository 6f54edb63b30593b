"""Codes: what they find, what is read after them, their files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from memory_store import EMBEDDER, STORE_ID, MemoryStore
from numpy.typing import NDArray

from retrieval import dense, packed
from retrieval.codes import LIST_WINDOWS, Codes, codes_path, lists_of, n_parts
from retrieval.filters import parse_filter
from retrieval.plan import Tuning, plan
from retrieval.queries import Query
from retrieval.rows import products
from retrieval.search import search
from retrieval.snapshot import StoreIndex

CODED = Tuning(gather_windows=20, coded_windows=512)
WORDS = [f"{a}{b}" for a in ("bell", "mill", "river", "copper", "clock") for b in range(40)]


def topical(n: int, *, dim: int = 64, seed: int = 0) -> NDArray[np.float32]:
    """Unit rows around fifty directions, as texts on fifty subjects would be."""
    rng = np.random.default_rng(seed)
    topics = np.random.default_rng(99).standard_normal((50, dim))
    rows = topics[rng.integers(0, 50, n)] + 0.9 * rng.standard_normal((n, dim))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def coded(vectors: NDArray[np.float32], *, like: Codes | None = None) -> Codes:
    codes = Codes.of(vectors, like=like)
    assert codes is not None
    return codes


def bits_of(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    return np.packbits(mask, bitorder="little")


@pytest.mark.parametrize("dim", [64, 66, 45])
def test_nearest_windows_are_among_the_best_estimates(dim: int) -> None:
    vectors, queries = topical(3000, dim=dim), topical(30, dim=dim, seed=1)
    codes = coded(vectors)
    hits = 0
    for query in queries:
        best = np.argsort(-(vectors @ query))[:10]
        found, estimates = codes.nearest(query, k=200)
        assert (np.diff(estimates) <= 0).all()
        hits += len(np.intersect1d(best, found))
    assert hits >= 0.99 * 300


@pytest.mark.parametrize("share", [0.002, 0.05, 0.5])
def test_mask_is_obeyed_and_filled(share: float) -> None:
    vectors, query = topical(3000), topical(1, seed=2)[0]
    codes = coded(vectors)
    mask = np.random.default_rng(3).random(3000) < share
    lists = np.unique(np.flatnonzero(mask) // LIST_WINDOWS)
    found, _ = codes.nearest(query, k=100, bits=bits_of(mask), lists=lists)
    assert mask[found].all()
    assert len(found) == len(set(found.tolist())) == min(100, int(mask.sum()))


def test_lists_of_runs_are_those_they_touch() -> None:
    rng = np.random.default_rng(4)
    borders = np.sort(rng.choice(20_000, 60, replace=False))
    first, end = borders[::2], borders[1::2]
    ordinals = np.concatenate([np.arange(a, b) for a, b in zip(first, end, strict=True)])
    assert lists_of(first, end).tolist() == np.unique(ordinals // LIST_WINDOWS).tolist()
    assert lists_of(first[:0], end[:0]).tolist() == []


def test_error_is_what_estimates_stray() -> None:
    vectors, query = topical(3000), topical(1, seed=5)[0]
    codes = coded(vectors)
    found, estimates = codes.nearest(query, k=3000)
    strayed = products(vectors, found, query, kept=True) - estimates
    assert 0.5 * codes.error < strayed.std() < 2 * codes.error


def test_quantiser_is_kept_while_it_fits_and_made_anew_where_it_does_not() -> None:
    first = coded(topical(3000))
    alike = coded(topical(2000, seed=6), like=first)
    assert np.array_equal(alike.centroids, first.centroids)
    assert alike.own_error == first.own_error
    elsewhere = np.abs(topical(2000, seed=7)) ** 3
    elsewhere /= np.linalg.norm(elsewhere, axis=1, keepdims=True)
    other = coded(elsewhere.astype(np.float32), like=first)
    assert not np.array_equal(other.centroids, first.centroids)


def test_vectors_that_cannot_be_cut_have_no_codes() -> None:
    assert n_parts(383) is None
    assert Codes.of(topical(100, dim=23)) is None


def test_saved_codes_find_the_same(tmp_path: Path) -> None:
    vectors, query = topical(1000), topical(1, seed=8)[0]
    codes, path = coded(vectors), tmp_path / "a.codes"
    codes.save(path)
    again = Codes.open(path, n_windows=1000, dim=64)
    assert again is not None
    assert again.nearest(query, k=50)[0].tolist() == codes.nearest(query, k=50)[0].tolist()
    assert Codes.open(path, n_windows=999, dim=64) is None
    assert Codes.open(path, n_windows=1000, dim=32) is None


def some_store(n_files: int = 60, *, n_windows: int = 25) -> MemoryStore:
    rng = np.random.default_rng(10)
    store = MemoryStore()
    for n in range(n_files):
        texts = [" ".join(rng.choice(WORDS, 8)) for _ in range(n_windows)]
        store.add(n, texts, {"year": n % 10})
    return store


def opened(store: MemoryStore, folder: Path) -> StoreIndex:
    return StoreIndex.open(folder, store, vector_store_id=STORE_ID, model_id="hash", tuning=CODED)


def ten_nearest(index: StoreIndex, text: str, *, year: int | None, exact: bool) -> list[int]:
    view = index.view()
    only = {"type": "lte", "key": "year", "value": year}
    allowed = view.allowed(None if year is None else parse_filter(only))
    todo = plan(
        n_allowed=sum(mask.n_windows for mask in allowed),
        n_total=view.n_windows,
        exact=exact,
        tuning=CODED,
    )
    vector = EMBEDDER.embed_query(text)
    near = dense.search(view, allowed, vector, plan=todo, k=10)
    order = np.lexsort((near.chunks, -dense.scores(view, near.chunks, vector)))
    best: list[int] = near.chunks[order[:10]].tolist()
    return best


def test_search_by_codes_finds_what_rows_find(tmp_path: Path) -> None:
    index = opened(some_store(), tmp_path)
    index.save(tmp_path)
    assert [live.codes is not None for live in index.view().segments] == [True]
    same = 0
    for n, word in enumerate(WORDS):
        year = (None, 5, 0)[n % 3]
        found = ten_nearest(index, word, year=year, exact=False)
        same += found == ten_nearest(index, word, year=year, exact=True)
    assert same >= 0.99 * len(WORDS)


def test_saving_makes_codes_and_a_commit_does_not(tmp_path: Path) -> None:
    store = some_store()
    index = opened(store, tmp_path)
    assert index.needs_codes
    before = ten_nearest(index, "bell3", year=5, exact=False)
    index.save(tmp_path)
    assert not index.needs_codes
    (path,) = tmp_path.glob("*.codes")
    assert codes_path(path.with_suffix(".segment")) == path
    assert ten_nearest(index, "bell3", year=5, exact=False) == before


def spoil(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 0xFF
    path.write_bytes(raw)


@pytest.mark.parametrize("damage", [Path.unlink, spoil, lambda path: path.write_bytes(b"")])
def test_missing_or_damaged_codes_are_made_again(damage: object, tmp_path: Path) -> None:
    store = some_store()
    index = opened(store, tmp_path)
    index.save(tmp_path)
    (path,) = tmp_path.glob("*.codes")
    whole = path.read_bytes()
    damage(path)  # type: ignore[operator]
    again = opened(store, tmp_path)
    assert again.needs_codes
    assert ten_nearest(again, "mill7", year=5, exact=False) == ten_nearest(
        index, "mill7", year=5, exact=True
    )
    again.save(tmp_path)
    assert path.read_bytes() == whole
    assert not opened(store, tmp_path).needs_codes


def test_codes_go_with_their_segment_and_stay_with_attributes(tmp_path: Path) -> None:
    store = some_store()
    index = opened(store, tmp_path)
    index.save(tmp_path)
    (first,) = tmp_path.glob("*.codes")
    store.set_attributes(3, {"year": 77})
    index.catch_up(store)
    assert not index.needs_codes
    for n in range(40):
        store.delete(n)
    index.catch_up(store)
    index.save(tmp_path)
    assert [path for path in tmp_path.glob("*.codes") if path == first] == []


@pytest.mark.parametrize("n", [0, 1, 7, 900])
def test_rows_read_from_a_file_give_the_same_bits_as_mapped_ones(n: int, tmp_path: Path) -> None:
    vectors, query = topical(2000, dim=1024), topical(1, dim=1024, seed=11)[0]
    packed.write(tmp_path / "a", {"before": np.arange(5), "rows": vectors}, {})
    mapped = packed.read(tmp_path / "a")[0]["rows"]
    windows = np.sort(np.random.default_rng(12).choice(2000, n, replace=False))
    windows[n // 2 :] = np.arange(n - n // 2) + 500  # some side by side
    kept = products(mapped, windows, query, kept=True)
    assert np.array_equal(products(mapped, windows, query, kept=False), kept)
    assert np.array_equal(products(vectors, windows, query, kept=False), kept)


def test_first_ten_hits_are_those_of_an_exact_search() -> None:
    """Of searches by meaning and words; 99 in 100 must agree, place by place."""
    store = some_store(60, n_windows=100)
    by_codes = StoreIndex(STORE_ID, model_id="hash", tuning=CODED)
    by_rows = StoreIndex(STORE_ID, model_id="hash", tuning=Tuning(20, 1 << 30))
    by_codes.catch_up(store)
    by_codes.code()
    by_rows.catch_up(store)
    rng = np.random.default_rng(13)
    same, plans = 0, set()
    for n in range(100):
        only = parse_filter({"type": "lte", "key": "year", "value": 8}) if n % 2 else None
        query = Query((" ".join(rng.choice(WORDS, 4)),), only, limit=10)
        found, exact = (
            search(store, index.view(), EMBEDDER, query, vector_store_id=STORE_ID).hits
            for index in (by_codes, by_rows)
        )
        same += [(hit.id, hit.score) for hit in found] == [(hit.id, hit.score) for hit in exact]
        plans.add(found[0].explanation.plan)
    assert same >= 99
    assert any("rows by codes" in each for each in plans)


def test_scan_on_two_threads_finds_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = opened(some_store(), tmp_path)
    index.save(tmp_path)
    asked = [(word, year) for word in WORDS[:20] for year in (None, 5)]
    alone = [ten_nearest(index, word, year=year, exact=False) for word, year in asked]
    monkeypatch.setattr("retrieval.nearest._SHARED_LISTS", 0)
    monkeypatch.setattr("retrieval.nearest._TASK_LISTS", 1)
    shared = [ten_nearest(index, word, year=year, exact=False) for word, year in asked]
    assert shared == alone
