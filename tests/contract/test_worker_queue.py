"""The whole worker on real files: what goes wrong costs one file, what is slow delays no other."""

import io
import os
import signal
import sys
import time
import zlib
from collections import Counter
from pathlib import Path

import pytest
from test_cancel import attached, long_text, parsers, table_of, wait_for

from api.engine import Engine
from api.settings import Settings
from ingest.worker import BULK_NICENESS
from retrieval.types import BatchMember

SOON_S = 240.0  # a busy machine takes minutes over what takes half a minute here


@pytest.fixture
def engine(tmp_path):
    settings = Settings(data=tmp_path, embedder="hash", workers=1, parse_timeout_s=3)
    with Engine.open(settings=settings, work=True) as engine:
        yield engine


def upload(engine, content, name):
    return engine.upload(io.BytesIO(content), filename=name).id


def wait_until(ready):
    deadline = time.monotonic() + SOON_S
    while not ready():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def status(engine, store_id, file_id):
    return engine.attachment(store_id, file_id).status


def pdf_bomb():
    """A page whose content unpacks to a gigabyte."""
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(b"q " * (1 << 19)) for _ in range(1000)) + packer.flush()
    head = b"%PDF-1.7\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
    pages = b"2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    page = b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R>>endobj\n"
    stream = b"4 0 obj<</Filter/FlateDecode/Length %d>>stream\n" % len(packed)
    return b"".join(
        (head, pages, page, stream, packed, b"\nendstream endobj\ntrailer<</Root 1 0 R>>")
    )


def test_a_bomb_a_hang_and_damage_cost_one_file_each(engine):
    bad = {
        "bomb.pdf": pdf_bomb(),
        "endless.csv": table_of(400_000).encode(),  # more than it may take
        "damaged.docx": b"PK\x03\x04 no more",
        "empty.txt": b" \n ",
    }
    good = {f"note-{n}.txt": b"The pendulum number %d swings." % n for n in range(12)}
    ids = {name: upload(engine, content, name) for name, content in (good | bad).items()}
    store_id = engine.create_vector_store().id
    batch = engine.create_batch(store_id, [BatchMember(ids[name]) for name in (*bad, *good)])
    wait_until(lambda: not engine.batch(store_id, batch.id).counts.in_progress)
    assert {name: status(engine, store_id, ids[name]) for name in ids} == (
        dict.fromkeys(good, "completed") | dict.fromkeys(bad, "failed")
    )
    failed = {each.filename: each for each in engine.failed(store_id)}
    assert failed.keys() == bad.keys()
    assert all(
        each.message and each.failed_at and each.n_attempts == 1 for each in failed.values()
    )


def test_a_parser_that_crashes_costs_one_file(tmp_path):
    settings = Settings(data=tmp_path, embedder="hash", workers=1)
    with Engine.open(settings=settings, work=True) as engine:
        store_id, _, file_id = attached(engine, table_of(400_000).encode(), "a.csv")
        wait_for(engine, store_id, file_id, "parsing")
        wait_until(parsers)
        time.sleep(0.3)
        for pid in parsers():
            os.kill(pid, signal.SIGSEGV)
        wait_until(lambda: status(engine, store_id, file_id) == "failed")
        (given_up,) = engine.failed(store_id)
        assert "crash" in given_up.message
        other = upload(engine, b"The pendulum swings.", "b.txt")
        engine.attach(store_id, other)
        wait_until(lambda: status(engine, store_id, other) == "completed")


def test_a_long_file_of_bulk_work_delays_no_small_upload(engine):
    store_id, _, long_id = attached(engine, long_text(400_000).encode(), "long.txt")
    wait_for(engine, store_id, long_id, "cutting")
    assert engine.progress(store_id, [long_id])[long_id].priority > 0
    small = upload(engine, b"The pendulum swings.", "b.txt")
    engine.attach(store_id, small)
    wait_until(lambda: status(engine, store_id, small) == "completed")
    assert status(engine, store_id, long_id) == "in_progress"
    hits = engine.find("pendulum", store=store_id).hits
    assert [hit.file_id for hit in hits][:1] == [small]
    engine.delete_vector_store(store_id)


def test_a_slow_file_that_looked_small_makes_way(engine, monkeypatch):
    monkeypatch.setattr("ingest.worker.EXPRESS_S", 0.3)
    slow = long_text(200_000).encode()
    assert len(slow) < 8 << 20
    bulk_store, _, bulk_id = attached(engine, long_text(400_000).encode(), "bulk.txt")
    wait_for(engine, bulk_store, bulk_id, "cutting")  # the only thread for bulk work is taken
    store_id, _, slow_id = attached(engine, slow, "slow.txt")
    wait_until(lambda: engine.progress(store_id, [slow_id])[slow_id].stage == "cutting")
    small = upload(engine, b"The pendulum swings.", "b.txt")
    engine.attach(store_id, small)
    wait_until(lambda: status(engine, store_id, small) == "completed")
    assert status(engine, store_id, slow_id) == "in_progress"
    assert engine.progress(store_id, [slow_id])[slow_id].priority > 0  # it is bulk work now
    engine.delete_vector_store(bulk_store)
    wait_until(lambda: status(engine, store_id, slow_id) == "completed")


def test_progress_is_real_from_the_first_stage_to_the_last(tmp_path):
    settings = Settings(data=tmp_path, embedder="hash", workers=1)
    with Engine.open(settings=settings, work=True) as engine:
        content = long_text(300_000).encode()
        store_id, batch_id, file_id = attached(engine, content, "a.txt")
        seen, shares = [], []
        while status(engine, store_id, file_id) == "in_progress":
            now = engine.progress(store_id, [file_id])[file_id]
            if not seen or seen[-1] != now:
                seen.append(now)
            group = engine.batch_progress(store_id, batch_id)
            assert 0 <= group.n_bytes_done <= group.n_bytes == len(content)
            shares.append(group.n_bytes_done)
            time.sleep(0.01)
        stages = list(dict.fromkeys(each.stage for each in seen))
        order = ["queued", "parsing", "cutting", "embedding", "committing", "completed"]
        assert [stage for stage in order if stage in stages] == stages
        assert {"parsing", "cutting", "embedding"} <= set(stages)
        windows = [each for each in seen if each.stage == "embedding"]
        assert len({each.n_total for each in windows}) == 1
        assert [each.n_done for each in windows] == sorted(each.n_done for each in windows)
        assert shares == sorted(shares)
        group = engine.batch_progress(store_id, batch_id)
        assert (group.n_bytes_done, group.stages) == (len(content), {})
        assert group.n_chunks == engine.attachment(store_id, file_id).n_chunks > 0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has priorities of threads")
def test_bulk_work_runs_at_low_priority_and_its_parser_too(engine):
    def niceness(folder):
        return int((folder / "stat").read_text().rpartition(")")[2].split()[16])

    own = niceness(Path("/proc/self"))
    store_id, _, file_id = attached(engine, table_of(600_000).encode(), "a.csv")
    assert engine.progress(store_id, [file_id])[file_id].priority > 0
    wait_until(parsers)
    (parser,) = parsers()
    assert niceness(Path(f"/proc/{parser}")) == min(own + BULK_NICENESS, 19)
    found = Counter(niceness(task) for task in Path("/proc/self/task").iterdir())
    assert found[min(own + BULK_NICENESS, 19)] >= 1
    engine.delete_vector_store(store_id)
