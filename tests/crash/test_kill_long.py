"""A long file is saved part by part: a kill costs little of it, and leaves nothing behind."""

import random
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from api.engine import Engine
from api.settings import Settings
from ingest.chunk import cut
from ingest.parse import parse
from retrieval.hash_embedder import HashEmbedder
from retrieval.types import ChunkingStrategy, PageRequest

N_CHARS = 4_500_000  # three parts of text and some groups of windows


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    rng = random.Random(5)
    words = ["".join(rng.choices("aeioumnrst", k=rng.randint(2, 9))) for _ in range(5_000)]
    folder = tmp_path_factory.mktemp("long")
    with (folder / "long.txt").open("w") as out:
        n = 0
        while n < N_CHARS:
            n += out.write(" ".join(rng.choices(words, k=90)) + ". Über.\n\n")
    return folder


def rows(data: Path, sql: str):
    with closing(sqlite3.connect(data / "sourcebook.db")) as connection:
        return connection.execute(sql).fetchall()


def count(data: Path, table: str) -> int:
    return rows(data, f"SELECT count(*) FROM {table}")[0][0]


@pytest.mark.parametrize(("point", "after"), [("draft.text", 1), ("draft.vectors", 1)])
def test_killed_it_goes_on_where_it_was(point, after, folder, tmp_path, run_child):
    data = tmp_path / "data"
    assert run_child(data, folder, point=point, after=after).wait(timeout=300) == -signal.SIGKILL
    saved = rows(data, "SELECT n, key FROM vectors")
    assert (count(data, "windows"), count(data, "chunks"), count(data, "drafts")) == (0, 0, 1)
    assert bool(saved) == (point == "draft.vectors")
    assert run_child(data, folder).wait(timeout=300) == 0
    assert set(saved) <= set(rows(data, "SELECT n, key FROM vectors")), "embedded again"
    assert_indexed_like_a_short_file(data, folder / "long.txt")


def assert_indexed_like_a_short_file(data: Path, path: Path):
    document = parse(path, filename=path.name)
    windows, chunks = cut(
        document,
        ChunkingStrategy(),
        filename=path.name,
        token_spans=HashEmbedder().token_spans,
        max_tokens=256,
    )
    assert rows(data, "SELECT start_char, end_char, n_tokens FROM windows ORDER BY ordinal") == [
        (window.start_char, window.end_char, window.n_tokens) for window in windows
    ]
    assert rows(data, "SELECT start_char, end_char, n_tokens FROM chunks ORDER BY ordinal") == [
        (chunk.start_char, chunk.end_char, chunk.n_tokens) for chunk in chunks
    ]
    assert count(data, "documents") == 1
    assert count(data, "drafts") == 0
    unused = "vectors WHERE n NOT IN (SELECT vector_n FROM windows)"
    assert count(data, unused) == 0
    with closing(Engine.open(settings=Settings(data=data, embedder="hash"))) as engine:
        store = engine.resolve_store("s")
        (attachment,) = engine.attachments(store.id, PageRequest()).items
        assert attachment.n_chunks == len(chunks)
        assert engine.content(store.id, attachment.file_id) == document.text
        assert engine.blocks(store.id, attachment.file_id) == document.blocks
        with engine.store.read() as view:
            number = view.attachments.number(store.id, attachment.file_id)
            last = chunks[-1]
            assert view.commits.blocks(number, last.start_char, last.end_char) == tuple(
                block
                for block in document.blocks
                if block.end_char > last.start_char and block.start_char < last.end_char
            )


@pytest.mark.parametrize(("point", "after"), [("draft.text", 1), ("draft.vectors", 1)])
def test_what_was_saved_of_a_file_that_is_deleted_goes(point, after, folder, tmp_path, run_child):
    data = tmp_path / "data"
    assert run_child(data, folder, point=point, after=after).wait(timeout=300) == -signal.SIGKILL
    with closing(Engine.open(settings=Settings(data=data, embedder="hash"))) as engine:
        store = engine.resolve_store("s")
        (attachment,) = engine.attachments(store.id, PageRequest()).items
        engine.store.sweep_drafts()
        assert count(data, "drafts") == 1, "it has a job and will be gone on with"
        engine.delete_file(attachment.file_id)
        engine.store.sweep_drafts()
    for table in ("drafts", "documents", "document_parts", "document_blocks", "vectors"):
        assert count(data, table) == 0, table
