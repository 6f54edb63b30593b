"""Cancel, detach and delete while real work is under way: it ends at once and leaves nothing."""

import io
import logging
import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from api.engine import Engine
from api.settings import Settings
from retrieval.types import BatchMember

# What the work may go on for after the call has returned. It is well under a second; machines
# that run other tests beside get more.
SOON_S = 5.0
STAGES = ("parsing", "cutting", "embedding")
LEFT = ("jobs", "drafts", "windows", "chunks", "vectors", "documents", "document_parts")


def table_of(n_rows):
    """Takes its parser half a minute."""
    return "part,moves,number\n" + "".join(f"wheel {i},dial {i},{i}\n" for i in range(n_rows))


def long_text(n_sentences):
    """Takes seconds to cut, and then seconds to embed."""
    return " ".join(f"The wheel number {i} moves the dial." for i in range(n_sentences))


CONTENT = {
    "parsing": (table_of, 400_000, "a.csv"),
    "cutting": (long_text, 400_000, "a.txt"),
    "embedding": (long_text, 400_000, "a.txt"),
    "committing": (long_text, 80_000, "a.txt"),
}


@pytest.fixture(scope="module")
def contents():
    """Bytes to index by stage; each is still being done when the stage is seen."""
    made = {(make, size): make(size).encode() for make, size, _ in set(CONTENT.values())}
    return {stage: (made[make, size], name) for stage, (make, size, name) in CONTENT.items()}


@pytest.fixture(autouse=True)  # before the engine of the test is there
def others():
    """Parsers that engines of other tests keep."""
    return parsers()


@pytest.fixture
def engine(tmp_path):
    with Engine.open(settings=Settings(data=tmp_path, embedder="hash"), work=True) as engine:
        yield engine


def cancel_batch(engine, store_id, batch_id, _file_id):
    engine.cancel_batch(store_id, batch_id)


def detach(engine, store_id, _batch_id, file_id):
    engine.detach(store_id, file_id)


def delete_file(engine, _store_id, _batch_id, file_id):
    engine.delete_file(file_id)


def delete_store(engine, store_id, _batch_id, _file_id):
    engine.delete_vector_store(store_id)


ACTIONS = (cancel_batch, detach, delete_file, delete_store)


def attached(engine, content, name):
    """Ids of a store, a batch and its file, which is queued."""
    store_id = engine.create_vector_store(name="s").id
    file_id = engine.upload(io.BytesIO(content), filename=name).id
    return store_id, engine.create_batch(store_id, [BatchMember(file_id)]).id, file_id


def wait_for(engine, store_id, file_id, stage):
    deadline = time.monotonic() + 120
    while (now := engine.progress(store_id, [file_id])[file_id].stage) != stage:
        assert now in {"queued", *STAGES, "committing"}, now
        assert time.monotonic() < deadline
        time.sleep(0.01)


def parsers():
    """Ids of the child processes that parse for this process."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            status, command = (folder / "stat").read_text(), (folder / "cmdline").read_bytes()
        except OSError:
            continue
        fields = status.rpartition(")")[2].split()
        if int(fields[1]) == os.getpid() and b"ingest." in command and fields[0] != "Z":
            found.add(int(folder.name))
    return found


def assert_nothing_is_left(data, *, tables=LEFT):
    with closing(sqlite3.connect(data / "sourcebook.db")) as connection:
        counts = {t: connection.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in tables}
    assert counts == dict.fromkeys(tables, 0)


def lost(caplog):
    return [record for record in caplog.records if record.message == "job_lost"]


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("stage", STAGES)
def test_work_under_way_ends_at_once_and_leaves_nothing(
    stage, action, contents, others, engine, tmp_path, caplog
):
    caplog.set_level(logging.INFO, "sourcebook.worker")
    ids = attached(engine, *contents[stage])
    wait_for(engine, ids[0], ids[2], stage)
    while stage == "parsing" and not parsers() - others:
        time.sleep(0.01)
    if stage == "parsing":
        time.sleep(0.5)  # it has opened the file: without that it would end by itself, and stay
    busy = parsers() - others
    action(engine, *ids)
    began = time.monotonic()
    while not lost(caplog):
        assert time.monotonic() < began + SOON_S
        time.sleep(0.005)
    while stage == "parsing" and busy & parsers():  # a killed process takes a moment to go
        assert time.monotonic() < began + SOON_S
        time.sleep(0.005)
    deadline = time.monotonic() + SOON_S
    assert_nothing_is_left(tmp_path)
    file = engine.upload(io.BytesIO(b"The pendulum swings."), filename="b.txt")
    store_id = engine.create_vector_store(file_ids=[file.id]).id
    while engine.vector_store(store_id).counts.completed != 1:  # the worker is free again
        assert time.monotonic() < deadline + 60
        time.sleep(0.01)


@pytest.mark.parametrize("action", ACTIONS)
def test_what_is_queued_is_never_begun(action, tmp_path):
    with Engine.open(settings=Settings(data=tmp_path, embedder="hash")) as engine:
        ids = attached(engine, b"The wheel moves the dial.", "a.txt")
        action(engine, *ids)
        assert_nothing_is_left(tmp_path)
        engine.start_worker()
        time.sleep(0.5)
        assert_nothing_is_left(tmp_path)


@pytest.mark.parametrize("action", [detach, delete_file, delete_store])
def test_what_is_being_committed_goes_with_the_commit(action, contents, engine, tmp_path):
    ids = attached(engine, *contents["committing"])
    wait_for(engine, ids[0], ids[2], "committing")
    action(engine, *ids)  # waits for the commit, or comes before it
    deadline = time.monotonic() + SOON_S
    while True:
        try:
            assert_nothing_is_left(tmp_path)
            break
        except AssertionError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_a_server_that_stops_ends_its_parsers_and_keeps_the_job(contents, others, tmp_path):
    settings = Settings(data=tmp_path, embedder="hash")
    with Engine.open(settings=settings, work=True) as engine:
        store_id, _, file_id = attached(engine, *contents["parsing"])
        wait_for(engine, store_id, file_id, "parsing")
        busy = parsers() - others
        began = time.monotonic()
    assert time.monotonic() - began < SOON_S
    assert not busy & parsers()
    with Engine.open(settings=settings) as engine:
        progress = engine.progress(store_id, [file_id])[file_id]
        assert (progress.stage, progress.n_attempts, progress.n_failures) == ("queued", 0, 0)
