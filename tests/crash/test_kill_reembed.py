"""`kill -9` while a vector store gets another model: it is of one model or the other, whole."""

import signal
import sqlite3
import time
from contextlib import closing

import pytest

from api.engine import Engine
from api.settings import Settings
from retrieval.hash_embedder import HashEmbedder

POINTS = ("reembed.windows", "reembed.file", "reembed.before", "reembed.after")
N_FILES = 8
WIDER = HashEmbedder(dim=320)

CHILD = """
import sys
from pathlib import Path
from api.engine import Engine
from api.settings import Settings
from retrieval import faults
from retrieval.hash_embedder import HashEmbedder

data, _, name, after = sys.argv[1:5]
if name:
    faults.arm(name, after=int(after))
with Engine.open(settings=Settings(data=Path(data), embedder="hash")) as engine:
    engine.embedders.add("wider", HashEmbedder(dim=320))
    engine.reembed("s", model="wider")
"""


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    for number in range(N_FILES):
        text = f"# Note {number}\n\n" + f"The word of note {number} is w{number}x. " * 40
        (folder / f"note-{number}.md").write_text(text)
    with closing(opened(tmp_path / "data")) as engine:
        engine.add(folder, store="s")
    return tmp_path / "data"


def opened(data):
    engine = Engine.open(settings=Settings(data=data, embedder="hash"))
    engine.embedders.add("wider", WIDER)
    return engine


@pytest.mark.parametrize("after", [0, 3])
@pytest.mark.parametrize("point", POINTS)
def test_killed_at_a_point_it_is_of_one_model_and_goes_on(point, after, data, run_child):
    switches = point in {"reembed.before", "reembed.after"}
    child = run_child(data, "", point=point, after=0 if switches else after, program=CHILD)
    assert child.wait(timeout=180) == -signal.SIGKILL
    n_ready = assert_of_one_model(data, expected=320 if point == "reembed.after" else 256)
    if point == "reembed.file":
        assert n_ready == after + 1  # ready files are not made again
    assert run_child(data, "", program=CHILD).wait(timeout=180) == 0
    assert assert_of_one_model(data, expected=320) == 0


def test_killed_at_random_moments_it_ends_complete(data, run_child):
    for seconds in (0.3, 0.6, 0.9, 1.2):
        child = run_child(data, "", program=CHILD)
        time.sleep(seconds)
        child.kill()
        child.wait()
        assert_of_one_model(data)
    assert run_child(data, "", program=CHILD).wait(timeout=180) == 0
    assert_of_one_model(data, expected=320)


def assert_of_one_model(data, expected=None):
    """All that searches use is of one dimension, and finds everything; returns ready files."""
    with closing(sqlite3.connect(data / "sourcebook.db")) as connection:
        dims = connection.execute(
            "SELECT DISTINCT length(v.vector) / 4 FROM windows w JOIN vectors v ON v.n = w.vector_n"
        ).fetchall()
        (model_id,) = connection.execute("SELECT model_id FROM vector_stores").fetchone()
        (n_files,) = connection.execute(
            "SELECT count(DISTINCT attachment_n) FROM windows"
        ).fetchone()
        (n_lost,) = connection.execute(
            "SELECT count(*) FROM vectors WHERE n NOT IN (SELECT vector_n FROM windows)"
            " AND n NOT IN (SELECT vector_n FROM new_windows)"
        ).fetchone()
        (n_ready,) = connection.execute(
            "SELECT count(*) FROM new_contents WHERE n_chunks IS NOT NULL"
        ).fetchone()
    assert len(dims) == 1
    assert model_id.startswith(f"hash-{dims[0][0]}@")
    assert (n_files, n_lost) == (N_FILES, 0)
    if expected is not None:
        assert dims[0][0] == expected
    with closing(opened(data)) as engine:
        for number in range(N_FILES):
            hits = engine.find(f"w{number}x", store="s", limit=1).hits
            assert hits[0].filename == f"note-{number}.md"
    return n_ready
