"""`kill -9` at every named point and at random moments: every file is whole or absent."""

import random
import re
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from api.engine import Engine
from api.settings import Settings
from retrieval.types import PageRequest

ROOT = Path(__file__).parents[2]
POINTS = ("blob.published", "parsed", "embedded", "commit.rows", "commit.before", "commit.after")
UPLOAD_POINTS = ("upload.joined", "blob.published", "upload.before", "upload.after")
REEMBED_POINTS = ("reembed.windows", "reembed.file", "reembed.before", "reembed.after")
POINTS_ELSEWHERE = (
    *UPLOAD_POINTS,
    "expired",
    "draft.text",
    "draft.vectors",
    *REEMBED_POINTS,
)  # see the others
N_FILES = 12


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    for number in range(N_FILES):
        text = f"# Note {number}\n\n" + f"The word of note {number} is w{number}x. " * 40
        (folder / f"note-{number}.md").write_text(text)
    return folder


def test_the_points_listed_here_are_those_in_the_source():
    source = "".join(
        path.read_text("utf-8")
        for package in ("api", "ingest", "retrieval")
        for path in (ROOT / package).rglob("*.py")
    )
    assert set(re.findall(r"\bpoint\(\"([^\"]+)\"\)", source)) == {*POINTS, *POINTS_ELSEWHERE}


@pytest.mark.parametrize("after", [0, 3])
@pytest.mark.parametrize("point", POINTS)
def test_killed_at_a_point_nothing_is_half_there(point, after, folder, tmp_path, run_child):
    data = tmp_path / "data"
    child = run_child(data, folder, point=point, after=after)
    assert child.wait(timeout=180) == -signal.SIGKILL
    assert_whole_or_absent(data)
    assert run_child(data, folder).wait(timeout=180) == 0
    assert_all_there_once(data, folder)


def test_killed_at_random_moments_it_ends_complete(folder, tmp_path, run_child):
    rng = random.Random(11)
    data = tmp_path / "data"
    for _ in range(6):
        child = run_child(data, folder)
        time.sleep(rng.uniform(0.2, 1.2))
        child.kill()
        child.wait()
        if (data / "sourcebook.db").exists():
            assert_whole_or_absent(data)
    assert run_child(data, folder).wait(timeout=180) == 0
    assert_all_there_once(data, folder)


def test_a_changed_file_is_old_or_new_but_never_both(folder, tmp_path, run_child):
    data = tmp_path / "data"
    assert run_child(data, folder).wait(timeout=180) == 0
    (folder / "note-3.md").write_text("# Note 3\n\n" + "Now it is changed3x. " * 40)
    for point, expected in (("commit.before", "w3x"), ("commit.after", "changed3x")):
        child = run_child(data, folder, point=point)
        assert child.wait(timeout=180) == -signal.SIGKILL
        with closing(open_engine(data)) as engine:
            texts = {t for t in ("w3x", "changed3x") if found(engine, t, "note-3.md")}
        assert texts == {expected}
    assert run_child(data, folder).wait(timeout=180) == 0
    assert_all_there_once(data, folder, words={3: "changed3x"})


def test_deleting_the_index_folder_loses_no_answer(folder, tmp_path, run_child):
    data = tmp_path / "data"
    assert run_child(data, folder).wait(timeout=180) == 0
    for path in sorted((data / "index").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    assert_all_there_once(data, folder)


def test_a_damaged_index_is_built_anew(folder, tmp_path, run_child):
    data = tmp_path / "data"
    assert run_child(data, folder).wait(timeout=180) == 0
    damaged = [path for path in (data / "index").rglob("*") if path.is_file()]
    assert damaged
    for path in damaged:
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])
    assert_all_there_once(data, folder)


def open_engine(data):
    return Engine.open(settings=Settings(data=data, embedder="hash"))


def found(engine, word, filename):
    """How many hits in `filename` hold `word`."""
    hits = engine.find(word, store="s", limit=50).hits
    return sum(hit.filename == filename and word in hit.text for hit in hits)


def assert_whole_or_absent(data):
    """Each file has all its chunks, windows and vectors, or none and a job to make them."""
    with closing(sqlite3.connect(data / "sourcebook.db")) as connection:
        if connection.execute("PRAGMA user_version").fetchone() == (0,):
            return  # killed before the tables were there, all of which come at once
        rows = connection.execute(
            "SELECT a.status, a.n_chunks,"
            " (SELECT count(*) FROM chunks WHERE attachment_n = a.n),"
            " (SELECT count(*) FROM windows w JOIN vectors v ON v.n = w.vector_n"
            "  WHERE w.attachment_n = a.n),"
            " (SELECT count(*) FROM jobs WHERE attachment_n = a.n), a.content_seq"
            " FROM attachments a"
        ).fetchall()
    for status, n_chunks, chunks, windows, jobs, content_seq in rows:
        assert chunks == n_chunks
        assert (windows > 0) == (content_seq > 0) == (chunks > 0)
        assert jobs == (status == "in_progress")


def assert_all_there_once(data, folder, words=None):
    """Every file is completed, found by its own word, once, and nothing else is stored."""
    with closing(open_engine(data)) as engine:
        store = engine.resolve_store("s")
        page = engine.attachments(store.id, PageRequest(limit=100))
        assert sorted(a.filename for a in page.items) == sorted(
            path.name for path in folder.iterdir()
        )
        assert {a.status for a in page.items} == {"completed"}
        assert store.counts.completed == store.counts.total == N_FILES
        for number in range(N_FILES):
            word = (words or {}).get(number, f"w{number}x")
            assert found(engine, word, f"note-{number}.md") == 1
        engine.store.sweep()
        with engine.store.read() as view:
            assert engine.store.blobs.names() == view.files.hashes()
            assert len(view.files.page(PageRequest(limit=100), purpose=None).items) == N_FILES
