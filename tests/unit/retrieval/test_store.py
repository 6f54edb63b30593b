"""The truth: snapshots, transactions, counters, pages, leases and what deletion leaves."""

import io
import random
import sqlite3
from collections import Counter
from contextlib import closing

import numpy as np
import pytest

from retrieval.errors import (
    IncompatibleStore,
    InvalidRequest,
    NotFound,
    StoreUnwritable,
    TooLarge,
)
from retrieval.store import Store
from retrieval.store.documents import PART_CHARS
from retrieval.store.migrations import VERSION, schema
from retrieval.types import (
    Block,
    Chunk,
    ChunkingStrategy,
    Document,
    PageRequest,
    Place,
    Window,
)

STRATEGY = ChunkingStrategy()


class Clock:
    """A clock that the test moves."""

    def __init__(self):
        self.now = 1_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(tmp_path, clock):
    with closing(Store(tmp_path, clock=clock)) as store:
        yield store


def add_file(store, content=b"text", **options):
    staged = store.blobs.stage(io.BytesIO(content), limit_bytes=1000)
    with store.write() as tables:
        store.blobs.publish(staged)
        return tables.files.add(
            staged.blob,
            **{"filename": "a.txt", "purpose": "assistants", "expires_after_s": None} | options,
        )


def add_vector_store(store, **options):
    fields = {
        "name": None,
        "description": None,
        "expires_after_days": None,
        "metadata": {},
        "model_id": "m",
    }
    with store.write() as tables:
        return tables.vector_stores.add(**fields | options)


def attach(store, store_id, file_id, **options):
    with store.write() as tables:
        number = tables.attachments.put(
            tables.vector_stores.number(store_id),
            tables.files.number(file_id),
            **{"attributes": {}, "chunking": STRATEGY} | options,
        )
        tables.jobs.enqueue(number)
        return number


def complete(store, number, *, text="text", key=b"k" * 32):
    document = Document("text/plain", text, (Block("paragraph", 0, len(text)),))
    with store.write() as tables:
        document_n = tables.documents.add(text, document)
        tables.chunks.add_vectors([key], np.ones((1, 4), np.float32) / 2)
        tables.chunks.replace(
            number,
            windows=[Window(0, 0, len(text), 1)],
            keys=[key],
            chunks=[Chunk(0, 0, 1, 0, len(text), 1, Place(first_page=3, last_page=4), ("A", "B"))],
        )
        tables.jobs.finish(number)
        tables.batches.settle(number, "completed")
        return tables.attachments.complete(
            number, document_n=document_n, usage_bytes=20, n_chunks=1
        )


def row_counts(store):
    tables = ("attachments", "windows", "chunks", "vectors", "documents", "document_parts", "jobs")
    with closing(sqlite3.connect(store.folder / "sourcebook.db")) as connection:
        return {
            name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0]
            for name in tables
        }


def objects(connection):
    return sorted(
        connection.execute(
            "SELECT type, name, sql FROM sqlite_master"
            " WHERE name NOT LIKE 'sqlite_%' AND name NOT LIKE '%_sqlite_migrations%'"
        ).fetchall()
    )


def test_migrations_end_at_schema_sql(store):
    with (
        closing(sqlite3.connect(store.folder / "sourcebook.db")) as migrated,
        closing(sqlite3.connect(":memory:")) as plain,
    ):
        plain.executescript(schema())
        assert migrated.execute("PRAGMA user_version").fetchone() == (VERSION,)
        without_comments = [(t, n, _squeeze(s)) for t, n, s in objects(migrated)]
        assert without_comments == [(t, n, _squeeze(s)) for t, n, s in objects(plain)]


def _squeeze(sql):
    """SQL without what ALTER TABLE writes otherwise: white space and where commas stand."""
    return None if sql is None else " ".join(sql.split()).replace(" ,", ",").replace(" )", ")")


def test_a_newer_folder_is_refused(tmp_path):
    Store(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / "sourcebook.db")) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    with pytest.raises(IncompatibleStore):
        Store(tmp_path)


def test_a_transaction_that_raises_leaves_nothing(store):
    with pytest.raises(RuntimeError), store.write() as tables:
        tables.vector_stores.add(
            name="x", description=None, expires_after_days=None, metadata={}, model_id="m"
        )
        raise RuntimeError
    with store.read() as view:
        assert view.vector_stores.page(PageRequest()).items == ()


def test_a_snapshot_does_not_see_later_commits(store):
    with store.read() as view:
        assert view.files.page(PageRequest(), purpose=None).items == ()
        file = add_file(store)
        assert view.files.page(PageRequest(), purpose=None).items == ()
    with store.read() as view:
        assert view.files.get(file.id) == file


def test_readers_cannot_write(store):
    with store.read() as view, pytest.raises(sqlite3.OperationalError, match="readonly"):
        view.vector_stores.touch("vs_x")


def test_a_staged_blob_over_the_limit_leaves_no_bytes(store):
    with pytest.raises(TooLarge):
        store.blobs.stage(io.BytesIO(b"x" * 1001), limit_bytes=1000)
    assert list((store.folder / "blobs" / "staging").iterdir()) == []


def test_equal_files_share_one_blob_until_the_last_is_gone(store):
    first, second = add_file(store), add_file(store)
    assert store.blobs.names() == {first.sha256}
    for file, left in ((first, {first.sha256}), (second, set())):
        with store.write() as tables:
            tables.files.remove(file.id)
        store.release_blob(file.sha256)
        assert store.blobs.names() == left


def test_sweep_removes_blobs_that_no_file_names(store):
    kept = add_file(store, b"kept")
    store.blobs.publish(store.blobs.stage(io.BytesIO(b"orphan"), limit_bytes=100))
    store.sweep()
    assert store.blobs.names() == {kept.sha256}


def test_an_expired_file_is_not_found(store, clock):
    file = add_file(store, expires_after_s=3600)
    clock.now += 3600
    with store.read() as view:
        assert view.files.page(PageRequest(), purpose=None).items == ()
        with pytest.raises(NotFound):
            view.files.get(file.id)


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_a_walk_shows_every_file_once_while_others_come_and_go(store, order, limit):
    kept = [add_file(store).id for _ in range(7)]  # all within one second
    doomed = [add_file(store).id for _ in range(3)]
    seen, after = [], None
    while True:
        with store.read() as view:
            page = view.files.page(PageRequest(limit, order, after), purpose=None)
        seen += [file.id for file in page.items]
        if not page.has_more:
            break
        after = page.items[-1].id
        if doomed:  # the cursor itself may go
            gone = after if after in doomed else doomed[-1]
            doomed.remove(gone)
            with store.write() as tables:
                tables.files.remove(gone)
        if order == "desc":
            add_file(store)  # newer than the walk: never seen
    counts = Counter(seen)
    assert set(counts.values()) == {1}
    assert set(kept) <= set(seen)


def test_before_gives_the_page_that_ends_at_the_cursor(store):
    ids = [add_vector_store(store) for _ in range(5)]
    with store.read() as view:
        page = view.vector_stores.page(PageRequest(limit=2, order="asc", before=ids[4]))
        assert [each.id for each in page.items] == ids[2:4]
        assert page.has_more
        page = view.vector_stores.page(PageRequest(limit=3, order="desc", before=ids[1]))
        assert [each.id for each in page.items] == [ids[4], ids[3], ids[2]]
        assert not page.has_more


def test_a_cursor_that_was_never_issued_is_refused(store):
    with store.read() as view, pytest.raises(InvalidRequest) as caught:
        view.files.page(PageRequest(after="file-never"), purpose=None)
    assert caught.value.param == "after"


def test_counters_equal_a_recount_after_random_changes(store):
    rng = random.Random(5)
    store_id = add_vector_store(store)
    numbers = {}
    for step in range(100):
        file = add_file(store, b"%d" % step)
        numbers[file.id] = attach(store, store_id, file.id)
        number = rng.choice(list(numbers.values()))
        with store.write() as tables:
            action = rng.choice(["complete", "fail", "cancel", "remove", "again", "none"])
            if action == "fail":
                tables.attachments.fail(number, code="invalid_file", message="m")
            elif action == "cancel":
                tables.attachments.cancel(number)
            elif action == "remove":
                tables.attachments.remove(number)
                numbers = {id: n for id, n in numbers.items() if n != number}
        if action == "complete":
            complete(store, number)
    with store.read() as view:
        found = view.vector_stores.get(store_id)
        attached = [view.attachments.by_number(number) for number in numbers.values()]
    statuses = Counter(each.status for each in attached)
    assert found.counts.total == len(numbers)
    assert found.counts.completed == statuses["completed"]
    assert found.counts.failed == statuses["failed"]
    assert found.counts.cancelled == statuses["cancelled"]
    assert found.counts.in_progress == statuses["in_progress"]
    assert found.usage_bytes == sum(each.usage_bytes for each in attached) > 0


def test_a_commit_is_read_back_as_it_was_written(store):
    store_id, file = add_vector_store(store), add_file(store)
    number = attach(store, store_id, file.id, attributes={"year": 2024, "draft": True})
    seq = complete(store, number, text="some words")
    with store.read() as view:
        (change,) = view.commits.changes(store_id, after=0)
        content = view.commits.content(number)
        chunk = view.commits.chunk(number, 0)
        assert view.commits.changes(store_id, after=seq) == []
    assert (change.seq, change.content_seq, change.deleted) == (seq, seq, False)
    assert change.attributes == {"year": 2024, "draft": True}
    assert isinstance(change.attributes["draft"], bool)
    assert list(content.texts) == ["some words"]
    assert content.vectors.tolist() == [[0.5, 0.5, 0.5, 0.5]]
    assert chunk.place == Place(first_page=3, last_page=4)
    assert chunk.heading_path == ("A", "B")


def test_a_removed_file_is_a_change_and_leaves_no_rows(store):
    store_id, file = add_vector_store(store), add_file(store)
    number = attach(store, store_id, file.id)
    seq = complete(store, number)
    with store.write() as tables:
        tables.attachments.remove(number)
    with store.read() as view:
        (change,) = view.commits.changes(store_id, after=seq)
    assert (change.file_n, change.deleted) == (number, True)
    assert set(row_counts(store).values()) == {0}


def test_what_two_stores_share_stays_until_the_second_is_gone(store):
    file, stores = add_file(store), [add_vector_store(store) for _ in range(2)]
    for store_id in stores:
        complete(store, attach(store, store_id, file.id))
    assert (row_counts(store)["vectors"], row_counts(store)["documents"]) == (1, 1)
    for store_id, left in zip(stores, (1, 0), strict=True):
        with store.write() as tables:
            tables.vector_stores.remove(store_id)
        assert (row_counts(store)["vectors"], row_counts(store)["documents"]) == (left, left)


def test_indexing_again_drops_vectors_that_are_no_longer_used(store):
    store_id, file = add_vector_store(store), add_file(store)
    number = attach(store, store_id, file.id)
    complete(store, number, key=b"a" * 32)
    assert attach(store, store_id, file.id) == number
    complete(store, number, key=b"b" * 32)
    assert row_counts(store)["vectors"] == 1


def test_passages_of_a_long_text_are_read_exactly(store):
    rng = random.Random(3)
    text = "".join(rng.choice("abc déé𝔘 \n") for _ in range(3 * PART_CHARS + 17))
    document = Document("text/plain", text, ())
    with store.write() as tables:
        number = tables.documents.add("k", document)
    with store.read() as view:
        assert view.documents.text(number) == text
        assert view.documents.find("k") == (number, document)
        for _ in range(200):
            start, end = sorted(rng.randrange(len(text) + 1) for _ in range(2))
            assert view.documents.text(number, start, end) == text[start:end]


def test_a_job_has_one_owner_until_its_lease_ends(store, clock):
    store_id = add_vector_store(store)
    attach(store, store_id, add_file(store).id)
    with store.write() as tables:
        first = tables.jobs.claim("one")
        assert tables.jobs.claim("two") is None
        clock.now += 40
        assert tables.jobs.extend(first)
        clock.now += 40
        assert tables.jobs.claim("two") is None
        clock.now += 40
        second = tables.jobs.claim("two")
        assert second.attempts == 2
        assert not tables.jobs.extend(first)
        assert not tables.jobs.holds(first)
        assert tables.jobs.holds(second)


def test_asking_again_takes_the_job_from_its_worker(store):
    store_id, file = add_vector_store(store), add_file(store)
    attach(store, store_id, file.id)
    with store.write() as tables:
        job = tables.jobs.claim("one")
    attach(store, store_id, file.id)
    with store.read() as view:
        assert not view.jobs.holds(job)
        assert view.jobs.waiting() == 1


def test_a_dead_workers_jobs_are_freed_and_a_failed_one_waits(store, clock):
    store_id = add_vector_store(store)
    attach(store, store_id, add_file(store).id)
    with store.write() as tables:
        tables.jobs.claim("dead")
        tables.jobs.release(["dead"])
        job = tables.jobs.claim("one")
        tables.jobs.retry_later(job, delay_s=5)
        assert tables.jobs.claim("one") is None
        clock.now += 5
        again = tables.jobs.claim("one")
        assert (again.attempts, again.failures) == (3, 1)
        tables.jobs.give_back(again)
        assert tables.jobs.claim("one").attempts == 3


def test_a_batch_keeps_its_counts_when_a_file_leaves_the_store(store):
    store_id = add_vector_store(store)
    files = [add_file(store, b"%d" % i) for i in range(3)]
    numbers = [attach(store, store_id, file.id) for file in files]
    with store.write() as tables:
        batch_id = tables.batches.add(tables.vector_stores.number(store_id), numbers)
    complete(store, numbers[0])
    with store.write() as tables:
        tables.attachments.remove(numbers[0])
        cancelled = tables.batches.cancel(tables.batches.number(store_id, batch_id))
        batch = tables.batches.get(store_id, batch_id)
    assert sorted(cancelled) == numbers[1:]
    assert (batch.status, batch.counts.completed, batch.counts.cancelled) == ("cancelled", 1, 2)
    assert batch.counts.total == 3


def test_what_expires_during_a_transaction_waits_for_its_end(store, clock):
    file = add_file(store, expires_after_s=3600)
    with store.write() as tables:
        clock.now += 3600
        with store.read() as view:  # of the same thread, which must not wait for itself
            assert view.files.hashes() == {file.sha256}
        assert tables.files.hashes() == {file.sha256}
    with store.read() as view:
        assert view.files.hashes() == set()
    assert store.blobs.names() == set()


def test_counters_equal_a_recount_after_files_expire_in_every_state(store, clock):
    stores = [add_vector_store(store), add_vector_store(store, expires_after_days=1)]
    for number in range(8):
        lifetime_s = 3600 if number % 2 else None
        file = add_file(store, b"%d" % number, expires_after_s=lifetime_s)
        for store_id in stores:
            attached = attach(store, store_id, file.id)
            if number < 4:
                complete(store, attached)
            elif number < 6:
                with store.write() as tables:
                    tables.attachments.fail(attached, code="invalid_file", message="m")
    clock.now += 3600
    with store.read() as view:
        for store_id in stores:
            counts = view.vector_stores.get(store_id).counts
            assert (counts.completed, counts.failed, counts.in_progress) == (2, 1, 1)
    clock.now += 86_400
    with store.read() as view:
        kept, expired = (view.vector_stores.get(store_id) for store_id in stores)
    assert (kept.expired, kept.counts.total) == (False, 4)
    assert (expired.expired, expired.counts.total, expired.usage_bytes) == (True, 0, 0)
    assert row_counts(store)["attachments"] == 4
    assert store.take_stores_that_lost_files() == set(stores)
    assert store.take_stores_that_lost_files() == set()


def test_an_index_follows_expiry_as_it_follows_deletion(store, clock):
    store_id = add_vector_store(store, expires_after_days=1)
    number = attach(store, store_id, add_file(store).id)
    seq = complete(store, number)
    clock.now += 2 * 86_400
    with store.read() as view:
        (change,) = view.commits.changes(store_id, after=seq)
    assert (change.file_n, change.deleted) == (number, True)
    assert row_counts(store)["vectors"] == row_counts(store)["documents"] == 0


def test_a_full_disk_rolls_back_and_writing_goes_on_when_there_is_room(tmp_path):
    with closing(Store(tmp_path)) as store:
        (n_pages,) = store._writer.execute("PRAGMA page_count").fetchone()
        store._writer.execute(f"PRAGMA max_page_count = {n_pages + 2}")
        with pytest.raises(StoreUnwritable, match="full"), store.write() as tables:
            for number in range(1000):
                tables.vector_stores.add(
                    name=str(number) * 100, description=None, expires_after_days=None,
                    metadata={}, model_id="m",
                )  # fmt: skip
        store._writer.execute("PRAGMA max_page_count = 1000000")
        with store.write() as tables:
            tables.vector_stores.add(
                name="one", description=None, expires_after_days=None, metadata={}, model_id="m"
            )
        with store.read() as view:
            assert [found.name for found in view.vector_stores.named("one")] == ["one"]
            assert not view.vector_stores.named("0" * 100)
