"""A vector store changes its model: whole, at once, with everything that came meanwhile."""

import threading
from dataclasses import dataclass

import numpy as np
import pytest
from click.testing import CliRunner

from api.cli import main
from api.engine import Engine
from api.settings import Settings
from ingest.reembed import reembed
from retrieval.errors import IncompatibleStore
from retrieval.hash_embedder import HashEmbedder
from retrieval.store.reembeddings import Superseded
from retrieval.types import PageRequest

N_FILES = 12


@dataclass(frozen=True, slots=True)
class Wider:
    """Another model: longer vectors, shorter windows."""

    inner: HashEmbedder
    name: str = "wider"

    @property
    def id(self):
        return f"{self.name}@1"

    @property
    def dim(self):
        return self.inner.dim

    @property
    def max_tokens(self):
        return self.inner.max_tokens

    def token_spans(self, text):
        return self.inner.token_spans(text)

    def embed(self, texts):
        return self.inner.embed(texts)

    def embed_query(self, text):
        return self.inner.embed_query(text)


WIDER = Wider(HashEmbedder(dim=320, max_tokens=96))


def note(number, more=""):
    return f"# Note {number}\n\n" + f"The word of note {number} is w{number}x{more}. " * 60


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    for number in range(N_FILES):
        (folder / f"note-{number}.md").write_text(note(number))
    return folder


@pytest.fixture
def engine(tmp_path, folder):
    with Engine.open(settings=Settings(data=tmp_path / "data", embedder="hash")) as engine:
        engine.add(folder, store="s")
        engine.embedders.add("wider", WIDER)
        yield engine


def store_rows(engine):
    """What is kept of windows, by table."""
    with engine.store.snapshot() as view:
        connection = view.chunks._connection
        tables = ("windows", "chunks", "vectors", "new_windows", "new_chunks", "new_contents")
        return {
            table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in (*tables, "reembeddings")
        }


def vector_lengths(engine):
    with engine.store.snapshot() as view:
        rows = view.chunks._connection.execute("SELECT DISTINCT length(vector) / 4 FROM vectors")
        return {row[0] for row in rows}


def assert_all_found(engine, words=None):
    for number in range(N_FILES):
        word = (words or {}).get(number, f"w{number}x")
        hits = engine.find(word, store="s", limit=3).hits
        assert hits, word
        assert hits[0].filename == f"note-{number}.md"
        assert word in hits[0].text


def test_all_files_are_made_anew_and_nothing_old_is_left(engine):
    before = engine.resolve_store("s")
    done = engine.reembed("s", model="wider")
    after = engine.resolve_store("s")
    assert (done.old_model, done.new_model) == (before.model_id, WIDER.id)
    assert (done.n_files, after.model_id) == (N_FILES, WIDER.id)
    rows = store_rows(engine)
    assert rows["windows"] == done.n_windows > 0
    assert rows["new_windows"] == rows["new_chunks"] == rows["reembeddings"] == 0
    assert vector_lengths(engine) == {320}
    assert after.counts == before.counts
    assert_all_found(engine)


def test_usage_and_chunks_are_those_of_the_new_model(engine, tmp_path, folder):
    engine.reembed("s", model="wider")
    found = engine.attachments(engine.resolve_store("s").id, PageRequest(limit=100)).items
    with Engine.open(settings=Settings(data=tmp_path / "fresh", embedder="hash")) as fresh:
        fresh.embedders.add("hash", WIDER)
        fresh.add(folder, store="s")
        expected = fresh.attachments(fresh.resolve_store("s").id, PageRequest(limit=100)).items
    assert {(a.filename, a.n_chunks, a.usage_bytes) for a in found} == {
        (a.filename, a.n_chunks, a.usage_bytes) for a in expected
    }


def test_the_same_model_again_does_nothing(engine):
    seq = engine.resolve_store("s").seq
    done = engine.reembed("s")
    assert (done.n_files, engine.resolve_store("s").seq) == (0, seq)


def test_searches_go_on_and_see_one_model_or_the_other(engine):
    stop, failures, n_searches = threading.Event(), [], [0]

    def search():
        while not stop.is_set():
            try:
                hits = engine.find("w3x", store="s", limit=3).hits
                assert hits[0].filename == "note-3.md"
                n_searches[0] += 1
            except Exception as error:  # noqa: BLE001 - whatever it is, it is shown
                failures.append(error)
                return

    threads = [threading.Thread(target=search) for _ in range(2)]
    for thread in threads:
        thread.start()
    engine.reembed("s", model="wider")
    before = n_searches[0]
    while n_searches[0] < before + 20 and not failures:
        stop.wait(0.01)
    stop.set()
    for thread in threads:
        thread.join()
    assert not failures
    assert before > 0


def test_what_is_indexed_meanwhile_is_taken_along(engine, folder):
    store_id = engine.resolve_store("s").id
    changed = []

    def on_progress(n_ready, _n_all):
        if n_ready == N_FILES and not changed:
            changed.append(True)
            (folder / "note-2.md").write_text(note(2, "changed"))
            (folder / "note-5.md").unlink()
            (folder / "late.md").write_text(note(99))
            engine.add(folder, store="s")
            gone = next(
                a
                for a in engine.attachments(store_id, PageRequest(limit=100)).items
                if a.filename == "note-5.md"
            )
            engine.detach(store_id, gone.file_id)

    reembed(engine.store, store_id, WIDER, progress=on_progress)
    assert changed
    assert engine.find("w99x", store="s", limit=1).hits[0].filename == "late.md"
    assert engine.find("w2xchanged", store="s", limit=1).hits[0].filename == "note-2.md"
    names = {a.filename for a in engine.attachments(store_id, PageRequest(limit=100)).items}
    assert "note-5.md" not in names
    assert vector_lengths(engine) == {320}
    assert store_rows(engine)["new_windows"] == 0


def test_files_that_come_after_the_switch_get_the_new_model(engine, folder):
    engine.reembed("s", model="wider")
    (folder / "late.md").write_text(note(99))
    assert not engine.add(folder, store="s").failures
    assert vector_lengths(engine) == {320}
    assert engine.find("w99x", store="s", limit=1).hits[0].filename == "late.md"


class Enough(Exception):
    """Raised by a progress callback."""


def stop_at(n_files):
    def on_progress(n_ready, _n_all):
        if n_ready == n_files:
            raise Enough

    return on_progress


def test_stopped_it_goes_on_where_it_was(engine):
    with pytest.raises(Enough):
        engine.reembed("s", model="wider", on_progress=stop_at(5))
    assert engine.resolve_store("s").model_id != WIDER.id
    assert_all_found(engine)
    assert engine.reembed("s", model="wider").n_files == N_FILES - 5
    assert_all_found(engine)


def test_another_goal_drops_what_was_prepared(engine):
    with pytest.raises(Enough):
        engine.reembed("s", model="wider", on_progress=stop_at(5))
    before = store_rows(engine)
    assert before["new_windows"] > 0
    engine.reembed("s")  # stay with the old model
    rows = store_rows(engine)
    assert (rows["new_windows"], rows["reembeddings"]) == (0, 0)
    assert rows["vectors"] < before["vectors"]
    assert vector_lengths(engine) == {256}


def test_two_goals_at_once_do_not_mix(engine):
    store_id = engine.resolve_store("s").id
    other = Wider(HashEmbedder(dim=128), name="other")

    def on_progress(n_ready, _n_all):
        if n_ready == 3:
            reembed(engine.store, store_id, other)

    with pytest.raises(Superseded):
        reembed(engine.store, store_id, WIDER, progress=on_progress)
    assert engine.resolve_store("s").model_id == other.id
    assert vector_lengths(engine) == {128}


def test_deleting_the_store_takes_what_was_prepared_along(engine):
    with pytest.raises(Enough):
        engine.reembed("s", model="wider", on_progress=stop_at(5))
    engine.delete_vector_store(engine.resolve_store("s").id)
    assert set(store_rows(engine).values()) == {0}


def test_another_process_refuses_with_what_to_do(engine, tmp_path):
    engine.reembed("s", model="wider")
    chosen = Settings(data=tmp_path / "data", embedder="hash")
    with (
        Engine.open(settings=chosen) as other,
        pytest.raises(IncompatibleStore, match=r"wider@1.*reembed --store.*ALSO_EMBEDDERS=wider"),
    ):
        other.find("w1x", store="s")


def test_a_process_told_of_both_models_serves_both(engine, tmp_path):
    chosen = Settings(data=tmp_path / "data", embedder="wider", also_embedders="other, hash")
    with Engine.open(settings=chosen) as server:
        server.embedders.add("wider", WIDER)
        server.embedders.add("other", Wider(HashEmbedder(dim=128), name="other"))
        assert_all_found(server)
        engine.reembed("s", model="wider")
        assert_all_found(server)


def test_the_command_line(tmp_path, folder, monkeypatch):
    monkeypatch.setenv("SOURCEBOOK_EMBEDDER", "hash")
    data = str(tmp_path / "cli")
    run = CliRunner()
    with Engine.open(settings=Settings(data=tmp_path / "cli", embedder="hash")) as engine:
        engine.add(folder, store="s")
        store_id = engine.resolve_store("s").id
        reembed(engine.store, store_id, WIDER)
    refused = run.invoke(main, ["--data", data, "search", "w1x", "--store", "s"])
    assert refused.exit_code != 0
    assert "sourcebook reembed" in refused.output
    done = run.invoke(main, ["--data", data, "reembed", "--store", "s"])
    assert done.exit_code == 0, done.output
    assert "wider@1 → hash-256@" in done.output
    found = run.invoke(main, ["--data", data, "search", "w1x", "--store", "s"])
    assert "note-1.md" in found.output
    again = run.invoke(main, ["--data", data, "reembed", "--store", "s"])
    assert "already" in again.output


def test_vectors_are_exactly_those_of_the_new_model(engine):
    engine.reembed("s", model="wider")
    with engine.store.snapshot() as view:
        for (n,) in view.chunks._connection.execute("SELECT n FROM attachments").fetchall():
            content = view.commits.content(n)
            norms = np.linalg.norm(content.vectors, axis=1)
            np.testing.assert_allclose(norms, 1, atol=1e-5)
            assert content.vectors.shape[1] == 320
