"""Data folders written by earlier versions open, with everything in them."""

import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path

import pytest

from api.engine import Engine
from api.settings import Settings
from retrieval.store.migrations import VERSION
from retrieval.types import PageRequest

COMPAT = Path(__file__).parents[1] / "compat"
WRITTEN_AT = 1_795_469_782  # by the clock of the machine that wrote data-v1


@pytest.fixture
def data(tmp_path):
    """A folder of schema version 1: two vector stores, three files, a batch, a response."""
    with tarfile.open(COMPAT / "data-v1.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    with closing(sqlite3.connect(tmp_path / "sourcebook.db")) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
    return tmp_path


def opened(data, *, after_s):
    settings = Settings(data=data, embedder="hash")
    return Engine.open(settings=settings, clock=lambda: WRITTEN_AT + after_s)


def test_a_folder_of_version_1_opens_with_everything_in_it(data):
    with opened(data, after_s=60) as engine:
        clocks = engine.resolve_store("clocks")
        assert (clocks.counts.completed, clocks.metadata) == (3, {"team": "ops"})
        page = engine.attachments(clocks.id, PageRequest(order="asc"))
        assert [item.filename for item in page.items] == ["wheel.txt", "spring.txt", "hour.txt"]
        assert page.items[0].attributes == {"year": 1700}
        hits = engine.find("escape wheel", store="clocks").hits
        assert hits[0].text == "The escape wheel has thirty teeth."
        with engine.open_file(hits[0].file_id) as content:
            assert content.read() == b"The escape wheel has thirty teeth.\n"
        assert engine.load_response(f"resp_{'0' * 50}").body["output"] == []
    with closing(sqlite3.connect(data / "sourcebook.db")) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)


def test_what_had_expired_in_it_is_taken_out(data):
    with opened(data, after_s=2 * 86_400) as engine:
        old = engine.resolve_store("old")
        assert (old.expired, old.counts.total, old.usage_bytes) == (True, 0, 0)
        clocks = engine.resolve_store("clocks")
        assert (clocks.expired, clocks.counts.completed) == (False, 2)
        assert [file.filename for file in engine.files(PageRequest()).items] == [
            "spring.txt",
            "wheel.txt",
        ]


def test_a_folder_of_version_1_takes_uploads_and_keys(data):
    with opened(data, after_s=60) as engine, engine.store.write() as tables:
        assert tables.keys.all() == []
        upload = tables.uploads.add(
            filename="a", purpose="vision", mime_type="x", n_bytes=1, file_expires_after_s=None
        )
        assert upload.created_at == WRITTEN_AT + 60
