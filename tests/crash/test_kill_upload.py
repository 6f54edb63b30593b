"""`kill -9` while an upload is completed, and while expiry is carried out: all of it, or nothing."""

import io
import signal
import sqlite3
import time
from contextlib import closing

import pytest
from test_kill import UPLOAD_POINTS, open_engine

from retrieval.errors import Conflict, NotFound
from retrieval.types import PageRequest

# Completes the upload named in the place of a folder.
COMPLETE = """
import sys
from pathlib import Path
from api.engine import Engine
from api.settings import Settings
from retrieval import faults

data, upload_id, name, after = sys.argv[1:5]
if name:
    faults.arm(name, after=int(after))
with Engine.open(settings=Settings(data=Path(data), embedder="hash")) as engine:
    with engine.store.read() as view:
        rows = view.uploads._connection.execute("SELECT id FROM upload_parts ORDER BY n DESC")
        part_ids = [row[0] for row in rows]
    engine.complete_upload(upload_id, part_ids)
"""

# Opens the folder two hours later, and looks.
LATER = """
import sys
import time
from pathlib import Path
from api.engine import Engine
from api.settings import Settings
from retrieval import faults
from retrieval.types import PageRequest

data, file_id, name, after = sys.argv[1:5]
if name:
    faults.arm(name, after=int(after))
settings = Settings(data=Path(data), embedder="hash")
with Engine.open(settings=settings, clock=lambda: time.time() + 7200) as engine:
    engine.vector_stores(PageRequest())
"""

PARTS = (b"one " * 1000, b"two " * 2000, b"three " * 3000)
WHOLE = b"".join(reversed(PARTS))


def pending_upload(data):
    with closing(open_engine(data)) as engine:
        upload = engine.create_upload(
            filename="a.txt", purpose="assistants", n_bytes=len(WHOLE), mime_type="text/plain"
        )
        for piece in PARTS:
            engine.add_part(upload.id, io.BytesIO(piece))
    return upload


@pytest.mark.parametrize("point", UPLOAD_POINTS)
def test_a_completion_that_dies_is_whole_or_can_be_done_again(point, tmp_path, run_child):
    upload = pending_upload(tmp_path)
    child = run_child(tmp_path, upload.id, point=point, program=COMPLETE)
    assert child.wait(timeout=180) == -signal.SIGKILL
    again = run_child(tmp_path, upload.id, program=COMPLETE)
    assert (again.wait(timeout=180) == 0) == (point != "upload.after"), again.stderr.read()
    with closing(open_engine(tmp_path)) as engine:
        (file,) = engine.files(PageRequest()).items
        with engine.open_file(file.id) as content:
            assert content.read() == WHOLE
        with pytest.raises(Conflict, match="completed"):
            engine.cancel_upload(upload.id)
        engine.store.sweep()
        assert engine.store.blobs.names() == {file.sha256}


def test_a_part_that_dies_leaves_no_part(tmp_path, run_child):
    program = COMPLETE.replace(
        "engine.complete_upload(upload_id, part_ids)",
        "import io; engine.add_part(upload_id, io.BytesIO(b'four'))",
    )
    upload = pending_upload(tmp_path)
    child = run_child(tmp_path, upload.id, point="blob.published", program=program)
    assert child.wait(timeout=180) == -signal.SIGKILL
    with closing(open_engine(tmp_path)) as engine:
        engine.store.sweep()
        with engine.store.read() as view:
            assert view.uploads.n_bytes(upload.id) == len(WHOLE)
            assert engine.store.blobs.names() == view.used_blobs()
    assert run_child(tmp_path, upload.id, program=COMPLETE).wait(timeout=180) == 0


def test_expiry_that_dies_before_the_bytes_are_gone_is_finished_by_the_next_start(
    tmp_path, run_child
):
    pending_upload(tmp_path)
    with closing(open_engine(tmp_path)) as engine:
        file = engine.upload(io.BytesIO(b"short life"), filename="a", expires_after_s=3600)
        kept = engine.upload(io.BytesIO(b"long life"), filename="b")
        engine.create_vector_store(file_ids=[file.id, kept.id])
    child = run_child(tmp_path, file.id, point="expired", program=LATER)
    assert child.wait(timeout=180) == -signal.SIGKILL
    with closing(sqlite3.connect(tmp_path / "sourcebook.db")) as connection:
        for table, left in (("files", 1), ("attachments", 1), ("jobs", 1), ("upload_parts", 0)):
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (left,)
    with closing(open_engine(tmp_path)) as engine:
        with pytest.raises(NotFound):
            engine.file(file.id)
        (store,) = engine.vector_stores(PageRequest()).items
        assert store.counts.total == 1
        assert engine.store.clock() - time.time() < 1
        assert len(engine.store.blobs.names()) > 1
        engine.store.sweep()
        assert engine.store.blobs.names() == {kept.sha256}
