"""What expires is gone from the moment on, with no one having to clean up first."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from http_service import Service, serving
from test_api_files import refused, upload

from api.engine import Engine
from api.settings import Settings
from api.sweeper import Sweeper
from retrieval.errors import Conflict, NotFound
from retrieval.types import PageRequest

HOUR_S = 3_600
DAY_S = 86_400
AN_HOUR = {"anchor": "created_at", "seconds": HOUR_S}


class Clock:
    """The machine's clock, put forward by the test."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead_s

    def pass_days(self, days: float) -> None:
        self.ahead_s += days * DAY_S


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def opened(data: Path, clock: Clock, *, work: bool = True) -> Engine:
    return Engine.open(settings=Settings(data=data, embedder="hash"), work=work, clock=clock)


@pytest.fixture
def timed(data, clock) -> Iterator[Service]:
    """A server of its own, whose clock the test may move."""
    with opened(data, clock) as engine, serving(engine) as found:
        yield found


def stored_rows(data: Path, *tables: str) -> dict[str, int]:
    with closing(sqlite3.connect(data / "sourcebook.db")) as connection:
        counted = {t: connection.execute(f"SELECT count(*) FROM {t}").fetchone() for t in tables}
    return {table: row[0] for table, row in counted.items()}


def test_expired_file_is_out_of_the_files(timed, clock):
    file = upload(timed, expires_after=AN_HOUR)
    kept = upload(timed, content=b"Another text.")
    clock.pass_days(1)
    refused(timed.raw.get(f"/v1/files/{file.id}"), 404)
    refused(timed.raw.get(f"/v1/files/{file.id}/content"), 404)
    refused(timed.raw.delete(f"/v1/files/{file.id}"), 404)
    assert [each.id for each in timed.client.files.list()] == [kept.id]
    assert timed.engine.store.blobs.names() == {timed.engine.file(kept.id).sha256}


def test_expired_file_is_out_of_vector_stores(timed, clock, data):
    file = upload(timed, expires_after=AN_HOUR)
    kept = upload(timed, content=b"Another text.")
    store = timed.client.vector_stores.create()
    batch = timed.client.vector_stores.file_batches.create_and_poll(
        store.id, file_ids=[file.id, kept.id]
    )
    assert batch.file_counts.completed == 2
    before = timed.client.vector_stores.retrieve(store.id)
    clock.pass_days(1)
    assert [each.id for each in timed.client.vector_stores.files.list(store.id)] == [kept.id]
    hits = timed.client.vector_stores.search(store.id, query="text")
    assert {hit.file_id for hit in hits} == {kept.id}
    after = timed.client.vector_stores.retrieve(store.id)
    assert (after.file_counts.completed, after.file_counts.total) == (1, 1)
    assert 0 < after.usage_bytes < before.usage_bytes
    counts = timed.client.vector_stores.file_batches.retrieve(batch.id, vector_store_id=store.id)
    assert counts.file_counts.total == 2
    assert stored_rows(data, "documents", "windows", "vectors") == {
        "documents": 1, "windows": 1, "vectors": 1,
    }  # fmt: skip


def test_the_first_call_after_expiry_may_be_any_call(timed, clock):
    file = upload(timed, content=b"one text", expires_after=AN_HOUR)
    store = timed.client.vector_stores.create(file_ids=[file.id])
    while timed.client.vector_stores.retrieve(store.id).status == "in_progress":
        time.sleep(0.02)
    assert timed.client.vector_stores.search(store.id, query="one text").data
    clock.pass_days(1)
    assert timed.client.vector_stores.search(store.id, query="one text").data == []


def test_an_expired_file_cannot_be_attached(timed, clock):
    file = upload(timed, expires_after=AN_HOUR)
    store = timed.client.vector_stores.create()
    clock.pass_days(1)
    path = f"/v1/vector_stores/{store.id}"
    for call, body in (("files", {"file_id": file.id}), ("file_batches", {"file_ids": [file.id]})):
        error = refused(timed.raw.post(f"{path}/{call}", json=body), 404)
        assert error["message"] == f"No such File object: {file.id}"
    refused(timed.raw.post("/v1/vector_stores", json={"file_ids": [file.id]}), 404)


def test_a_cursor_whose_file_has_expired_keeps_its_place(timed, clock):
    kept = [upload(timed, content=b"%d" % n).id for n in range(2)]
    gone = upload(timed, expires_after=AN_HOUR).id
    kept += [upload(timed, content=b"more %d" % n).id for n in range(2)]
    clock.pass_days(1)
    page = timed.raw.get("/v1/files", params={"order": "asc", "after": gone}).json()
    assert [each["id"] for each in page["data"]] == kept[2:]


def test_files_of_batch_jobs_live_a_month_by_default(timed):
    file = upload(timed, purpose="batch")
    assert file.expires_at == file.created_at + 30 * DAY_S


def make_store_that_expires(timed, file):
    store = timed.client.vector_stores.create(
        name="short", expires_after={"anchor": "last_active_at", "days": 1}
    )
    timed.client.vector_stores.files.create_and_poll(file.id, vector_store_id=store.id)
    return store


def test_expired_store_can_be_read_but_not_used(timed, clock):
    file = upload(timed)
    store = make_store_that_expires(timed, file)
    clock.pass_days(2)
    path = f"/v1/vector_stores/{store.id}"
    found = timed.raw.get(path).json()
    assert (found["status"], found["usage_bytes"]) == ("expired", 0)
    assert set(found["file_counts"].values()) == {0}
    assert timed.raw.get(f"{path}/files").json()["data"] == []
    refused(timed.raw.get(f"{path}/files/{file.id}"), 404)
    words = f"Vector store '{store.id}' has expired."
    for call, body in (
        ("/search", {"query": "text"}),
        ("/files", {"file_id": file.id}),
        ("/file_batches", {"file_ids": [file.id]}),
        ("", {"expires_after": None}),
    ):
        assert refused(timed.raw.post(f"{path}{call}", json=body), 400)["message"] == words
    assert timed.client.files.retrieve(file.id).id == file.id
    assert timed.client.vector_stores.update(store.id, name="past").name == "past"
    assert [each.status for each in timed.client.vector_stores.list()] == ["expired"]
    assert timed.client.vector_stores.delete(store.id).deleted


def test_an_expired_store_stays_expired_when_the_clock_goes_back(timed, clock):
    store = make_store_that_expires(timed, upload(timed))
    clock.pass_days(2)
    assert timed.client.vector_stores.retrieve(store.id).status == "expired"
    clock.pass_days(-2)
    assert timed.client.vector_stores.retrieve(store.id).status == "expired"


def test_use_puts_expiry_off(timed, clock):
    store = timed.client.vector_stores.create(
        expires_after={"anchor": "last_active_at", "days": 2}
    )
    for _ in range(4):
        clock.pass_days(1)
        timed.client.vector_stores.search(store.id, query="anything")
    later = timed.client.vector_stores.retrieve(store.id)
    assert later.status == "completed"
    assert later.expires_at == later.last_active_at + 2 * DAY_S


def test_the_work_of_an_expired_store_ends(data, clock):
    with opened(data, clock, work=False) as engine, serving(engine) as service:
        file = upload(service)
        store = service.client.vector_stores.create(
            expires_after={"anchor": "last_active_at", "days": 1}
        )
        batch = service.client.vector_stores.file_batches.create(store.id, file_ids=[file.id])
        assert batch.status == "in_progress"
        clock.pass_days(2)
        batch = service.client.vector_stores.file_batches.retrieve(
            batch.id, vector_store_id=store.id
        )
        assert (batch.file_counts.cancelled, batch.file_counts.total) == (1, 1)
        assert stored_rows(data, "jobs", "attachments") == {"jobs": 0, "attachments": 0}


def test_an_upload_expires_after_an_hour_and_its_bytes_go(timed, clock):
    made = timed.client.uploads.create(
        bytes=4, filename="a", purpose="assistants", mime_type="text/plain"
    )
    part = timed.client.uploads.parts.create(made.id, data=b"four")
    assert timed.engine.store.blobs.names() != set()
    clock.ahead_s += HOUR_S
    path = f"/v1/uploads/{made.id}"
    for reply in (
        timed.raw.post(f"{path}/parts", files={"data": b"x"}),
        timed.raw.post(f"{path}/complete", json={"part_ids": [part.id]}),
        timed.raw.post(f"{path}/cancel"),
    ):
        assert refused(reply, 400)["message"] == f"Upload '{made.id}' is expired."
    assert timed.engine.store.blobs.names() == set()


def test_an_hour_less_a_second_is_enough_for_an_upload(timed, clock):
    made = timed.client.uploads.create(
        bytes=4, filename="a", purpose="assistants", mime_type="text/plain"
    )
    clock.ahead_s += HOUR_S - 30
    part = timed.client.uploads.parts.create(made.id, data=b"four")
    assert timed.client.uploads.complete(made.id, part_ids=[part.id]).status == "completed"


@pytest.mark.parametrize("work", [True, False])
def test_expiry_survives_a_restart(data, clock, work):
    with opened(data, clock) as engine, serving(engine) as service:
        file = upload(service, expires_after=AN_HOUR)
        store = make_store_that_expires(service, file)
        made = service.client.uploads.create(
            bytes=4, filename="a", purpose="assistants", mime_type="text/plain"
        )
    clock.pass_days(2)
    with opened(data, clock, work=work) as engine:
        assert engine.files(PageRequest()).items == ()
        with pytest.raises(NotFound):
            engine.file(file.id)
        found = engine.vector_store(store.id)
        assert (found.expired, found.counts.total) == (True, 0)
        with pytest.raises(Conflict, match="expired"):
            engine.cancel_upload(made.id)
        with pytest.raises(Conflict, match="expired"):
            engine.find("text", store=store.id)
    with opened(data, clock) as engine:  # whoever finds what is left of the index drops it
        assert not (data / "index" / store.id).exists()
        assert engine.store.blobs.names() == set()


def test_the_sweeper_leaves_nothing_on_disk(timed, clock, data):
    kept = upload(timed, content=b"to stay")
    file = upload(timed, content=b"to go", expires_after=AN_HOUR)
    store = make_store_that_expires(timed, file)
    lasting = timed.client.vector_stores.create(file_ids=[kept.id, file.id])
    for each in (store, lasting):
        while timed.client.vector_stores.retrieve(each.id).status == "in_progress":
            time.sleep(0.02)
        timed.client.vector_stores.search(each.id, query="text")
    timed.engine.refresh_indexes([store.id, lasting.id])
    assert (data / "index" / store.id).exists()
    clock.pass_days(2)
    timed.engine.sweep_expired()
    assert not (data / "index" / store.id).exists()
    assert (data / "index" / lasting.id).exists()
    assert stored_rows(data, "files", "attachments", "windows") == {
        "files": 1, "attachments": 1, "windows": 1,
    }  # fmt: skip
    hits = timed.client.vector_stores.search(lasting.id, query="text")
    assert {hit.file_id for hit in hits} == {kept.id}


def test_the_sweeper_runs_by_itself_and_goes_on_after_a_failure(caplog):
    rounds = []

    def sweep() -> None:
        rounds.append(time.monotonic())
        if len(rounds) == 1:
            raise ZeroDivisionError

    sweeper = Sweeper(sweep, interval_s=0.01)
    while len(rounds) < 3:
        time.sleep(0.01)
    sweeper.close()
    assert [record.message for record in caplog.records] == ["sweep_failed"]


def test_a_server_begins_by_sweeping(data, clock):
    with opened(data, clock, work=False) as engine, serving(engine) as service:
        upload(service, expires_after=AN_HOUR)
    clock.pass_days(1)
    with opened(data, clock):
        deadline = time.monotonic() + 10
        while stored_rows(data, "files")["files"]:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_indexing_under_the_name_of_an_expired_store_makes_a_new_one(data, clock, tmp_path):
    (tmp_path / "note.txt").write_text("The escape wheel has thirty teeth.")
    with opened(data, clock, work=False) as engine:
        old = engine.create_vector_store(name="notes", expires_after_days=1)
        clock.pass_days(2)
        with pytest.raises(Conflict, match="expired"):
            engine.add(tmp_path / "note.txt", store=old.id)
        report = engine.add(tmp_path / "note.txt", store="notes")
        assert (report.n_added, report.failures) == (1, ())
        assert report.store_id != old.id
        assert engine.find("escape wheel", store="notes").hits
