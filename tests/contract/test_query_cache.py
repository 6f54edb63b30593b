"""Equal searches are looked up, and what is looked up is never of an older state."""

import threading
import time

import pytest

from api.engine import Engine
from api.result_cache import ResultCache, key_of
from api.settings import Settings
from retrieval.calibrate import Calibration
from retrieval.errors import Conflict, NotFound
from retrieval.filters import parse_filter
from retrieval.queries import Query, SearchResult
from tests.contract.test_engine import hits, indexed, settled, text_about, upload


@pytest.fixture
def settings(tmp_path):
    return Settings(data=tmp_path / "data", embedder="hash")


@pytest.fixture
def engine(settings):
    with Engine.open(settings=settings, work=True) as engine:
        yield engine


@pytest.fixture
def n_runs(engine, monkeypatch):
    """How often something was really searched for."""
    runs, inner = [], engine._run

    def counted(*given):
        runs.append(given)
        return inner(*given)

    monkeypatch.setattr(engine, "_run", counted)
    return lambda: len(runs)


def test_the_same_search_runs_once(engine, n_runs):
    store_id, _ = indexed(engine, text_about("foliot"))
    first = hits(engine, store_id, "foliot number 3")
    assert hits(engine, store_id, "foliot number 3") == first
    assert n_runs() == 1
    hits(engine, store_id, "foliot number 3", min_score=0.1)
    hits(engine, store_id, "foliot number 4")
    assert n_runs() == 3


def test_a_setting_turns_it_off(tmp_path):
    settings = Settings.load({"SOURCEBOOK_QUERY_CACHE": "0"}, data=tmp_path, embedder="hash")
    with Engine.open(settings=settings, work=True) as engine:
        store_id, _ = indexed(engine, text_about("foliot"))
        assert hits(engine, store_id, "foliot") == hits(engine, store_id, "foliot")
        assert engine.results.get(next(iter(engine.results._kept), "")) is None


def test_changed_attributes_are_seen_at_once(engine):
    store_id, file_id = indexed(engine, text_about("foliot"), attributes={"state": "draft"})
    draft = parse_filter({"type": "eq", "key": "state", "value": "draft"})
    for state in ("final", "draft", "final"):
        hits(engine, store_id, "foliot", filter=draft)
        engine.update_attributes(store_id, file_id, {"state": state})
        found = hits(engine, store_id, "foliot", filter=draft)
        assert {hit.attributes["state"] for hit in found} == {state} & {"draft"}
        assert {hit.attributes["state"] for hit in hits(engine, store_id, "foliot")} == {state}


def test_deleted_files_are_gone_at_once(engine):
    store_id, file_id = indexed(engine, text_about("foliot"))
    other = upload(engine, text_about("foliot"), "b.txt")
    engine.attach(store_id, other.id)
    settled(engine, store_id, other.id)
    assert {hit.file_id for hit in hits(engine, store_id, "foliot")} == {file_id, other.id}
    engine.delete_file(file_id)
    assert {hit.file_id for hit in hits(engine, store_id, "foliot")} == {other.id}
    engine.detach(store_id, other.id)
    assert hits(engine, store_id, "foliot") == ()


def test_a_store_that_went_or_expired_is_not_answered_for(tmp_path):
    now = [1_000_000.0]
    settings = Settings(data=tmp_path, embedder="hash")
    with Engine.open(settings=settings, clock=lambda: now[0]) as engine:
        engine.start_worker()
        store_id, _ = indexed(engine, text_about("foliot"))
        hits(engine, store_id, "foliot")
        engine.update_vector_store(store_id, expires_after_days=1)
        hits(engine, store_id, "foliot")
        now[0] += 2 * 86400
        with pytest.raises(Conflict):
            hits(engine, store_id, "foliot")
        engine.delete_vector_store(store_id)
        with pytest.raises(NotFound):
            hits(engine, store_id, "foliot")


def test_what_is_looked_up_counts_as_use(tmp_path):
    now = [1_000_000.0]
    settings = Settings(data=tmp_path, embedder="hash")
    with Engine.open(settings=settings, clock=lambda: now[0]) as engine:
        engine.start_worker()
        store_id, _ = indexed(engine, text_about("foliot"))
        hits(engine, store_id, "foliot")
        now[0] += 60
        hits(engine, store_id, "foliot")
        engine.touches.close()
        assert engine.vector_store(store_id).last_active_at == now[0]


def test_a_new_calibration_bends_what_was_looked_up_before(engine):
    store_id, _ = indexed(engine, text_about("foliot"))
    before = [hit.score for hit in hits(engine, store_id, "foliot")]
    with engine.store.write() as tables:
        tables.calibrations.put(store_id, Calibration(slope=2.0, shift=1.0, n_queries=9))
    after = [hit.score for hit in hits(engine, store_id, "foliot")]
    assert after != before
    engine.uncalibrate(store_id)
    assert [hit.score for hit in hits(engine, store_id, "foliot")] == before


def test_true_and_one_are_different_questions():
    yes, one = (
        Query(("q",), filter=parse_filter({"type": "eq", "key": "a", "value": value}))
        for value in (True, 1)
    )
    keys = {key_of(query, store_id="vs_1", seq=1, made_by=None) for query in (yes, one)}
    assert len(keys) == 2


def test_the_cache_stays_within_its_bounds():
    cache = ResultCache(3)
    for n in range(5):
        cache.put(str(n), SearchResult((str(n),), ()))
    assert [cache.get(str(n)) is None for n in range(5)] == [True, True, False, False, False]
    small = ResultCache(100, max_bytes=80)
    for n in range(20):
        small.put(f"{n:08}", SearchResult((str(n),), ()))
    assert small._n_bytes <= 80
    assert small.get("00000019") is not None
    small.put("x" * 50, SearchResult(("too large",), ()))
    assert small.get("x" * 50) is None


def test_searches_do_not_wait_for_a_writer(tmp_path):
    now = [1_000_000.0]
    settings = Settings(data=tmp_path, embedder="hash")
    with Engine.open(settings=settings, clock=lambda: now[0]) as engine:
        engine.start_worker()
        store_id, _ = indexed(engine, text_about("foliot"))
        is_writing, may_end = threading.Event(), threading.Event()

        def write():
            with engine.store.write():
                is_writing.set()
                may_end.wait(60)

        now[0] += 60  # so that each search wants to note that it was
        writer = threading.Thread(target=write)
        writer.start()
        try:
            assert is_writing.wait(30)
            began = time.monotonic()
            for n in range(5):
                assert hits(engine, store_id, f"foliot number {n}")
            assert time.monotonic() - began < 5
            assert writer.is_alive()
        finally:
            may_end.set()
            writer.join()
        engine.touches.close()
        assert engine.vector_store(store_id).last_active_at == now[0]
