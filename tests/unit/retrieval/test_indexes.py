"""Indexes in use: opened once, closed when nobody asks, whole after that."""

from __future__ import annotations

from pathlib import Path

import pytest
from memory_store import EMBEDDER, STORE_ID, MemoryStore

from retrieval.indexes import Indexes
from retrieval.plan import Tuning
from retrieval.queries import Query
from retrieval.search import search


def some_store() -> MemoryStore:
    store = MemoryStore()
    for n in range(30):
        store.add(n, [f"bell {n} and tower {i}" for i in range(10)], {})
    return store


def test_index_that_nobody_asks_for_is_closed_and_opens_from_disk(tmp_path: Path) -> None:
    store, indexes = some_store(), Indexes(tmp_path)
    view = indexes.view(store, STORE_ID, model_id="hash")
    indexes.tend(idle_s=60)
    assert indexes.view(store, STORE_ID, model_id="hash") is view
    indexes.tend(idle_s=-1)
    n_read = store.n_contents_read
    again = indexes.view(store, STORE_ID, model_id="hash")
    assert again is not view
    assert store.n_contents_read == n_read
    assert (again.n_windows, again.seq) == (view.n_windows, view.seq)
    assert view.n_chunks == again.n_chunks  # who holds the old one can go on with it


def test_codes_that_are_missing_are_made_while_the_index_is_in_use(tmp_path: Path) -> None:
    store = some_store()
    indexes = Indexes(tmp_path, tuning=Tuning(gather_windows=5, coded_windows=64))
    assert not any(live.codes for live in indexes.view(store, STORE_ID, model_id="hash").segments)
    indexes.tend()
    view = indexes.view(store, STORE_ID, model_id="hash")
    assert all(live.codes for live in view.segments if live.segment.n_windows >= 64)
    assert list((tmp_path / STORE_ID).glob("*.codes"))


def test_pages_of_large_stores_are_let_go_and_searches_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = some_store()
    tuning = Tuning(gather_windows=5, coded_windows=64)
    Indexes(tmp_path, tuning=tuning).view(store, STORE_ID, model_id="hash")
    query = Query(("bell 3 tower 4",), limit=10)

    def found(indexes: Indexes) -> list[tuple[str, float]]:
        view = indexes.view(store, STORE_ID, model_id="hash")
        result = search(store, view, EMBEDDER, query, vector_store_id=STORE_ID)
        return [(hit.id, hit.score) for hit in result.hits]

    kept = Indexes(tmp_path, tuning=tuning)
    found(kept)
    kept.save()
    expected = found(kept)
    monkeypatch.setattr("retrieval.view.KEPT_BYTES", 0)
    monkeypatch.setattr("retrieval.indexes._MAPPED_BYTES", -1)
    spared = Indexes(tmp_path, tuning=tuning)
    assert [found(spared) for _ in range(3)] == [expected] * 3
    assert not spared.view(store, STORE_ID, model_id="hash").keeps_rows
