"""What is ours alone: progress, the queue, and trying failed files again."""

from __future__ import annotations

import io
import time

import pytest
from http_service import Service, serving
from test_api_files import upload

from api.engine import Engine
from api.settings import Settings

TEXT = b"The pendulum of the clock swings. " * 400


@pytest.fixture
def queued(tmp_path):
    """A server that indexes nothing, so that what is queued stays so."""
    settings = Settings(data=tmp_path, embedder="hash")
    with Engine.open(settings=settings) as engine, serving(engine) as found:
        yield found


def extension(service: Service, path: str, wanted: str = "progress"):
    reply = service.raw.get(f"/v1/vector_stores/{path}", params={"sourcebook": wanted})
    assert reply.status_code == 200, reply.text
    return reply.json()["sourcebook"]


def ended(service: Service, store_id: str, file_id: str):
    deadline = time.monotonic() + 60
    while (found := service.engine.attachment(store_id, file_id)).status == "in_progress":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def test_a_queued_file_and_its_batch_tell_how_far_they_are(queued):
    store = queued.client.vector_stores.create()
    file = upload(queued, content=TEXT)
    batch = queued.client.vector_stores.file_batches.create(store.id, file_ids=[file.id])
    at = f"{store.id}/files/{file.id}"
    assert extension(queued, at) == {
        "progress": {
            "stage": "queued",
            "unit": "chunks",
            "done": 0,
            "total": 0,
            "bytes": len(TEXT),
            "pages": None,
            "priority": "interactive",
            "attempts": 0,
            "failures": 0,
            "retry_at": None,
            "failed_at": None,
        }
    }
    assert extension(queued, at, "places,progress").keys() == {
        *("filename", "path", "n_chunks", "progress")
    }
    assert extension(queued, f"{store.id}/file_batches/{batch.id}")["progress"] == {
        "files": 1,
        "stages": {"queued": 1},
        "bytes": len(TEXT),
        "bytes_done": 0,
        "windows": 0,
        "windows_done": 0,
        "chunks": 0,
    }
    waiting = queued.raw.get("/v1/sourcebook/queue").json()["waiting"]
    assert waiting == {"interactive": 1, "bulk": 0, "to_be_retried": 0}


def test_without_being_asked_replies_have_the_official_keys_alone(queued):
    store = queued.client.vector_stores.create()
    file = upload(queued, content=TEXT)
    batch = queued.client.vector_stores.file_batches.create(store.id, file_ids=[file.id])
    for path in (f"files/{file.id}", f"file_batches/{batch.id}"):
        assert "sourcebook" not in queued.raw.get(f"/v1/vector_stores/{store.id}/{path}").json()
    refused = queued.raw.get(
        f"/v1/vector_stores/{store.id}/files", params={"sourcebook": "progress,more"}
    )
    assert refused.status_code == 400


def test_many_files_at_once_are_bulk_work(queued):
    store = queued.client.vector_stores.create()
    ids = [upload(queued, content=b"%d" % n).id for n in range(21)]
    queued.client.vector_stores.file_batches.create(store.id, file_ids=ids)
    queued.client.vector_stores.files.create(store.id, file_id=upload(queued).id)
    waiting = queued.raw.get("/v1/sourcebook/queue").json()["waiting"]
    assert waiting == {"interactive": 1, "bulk": 21, "to_be_retried": 0}


def test_who_attaches_one_by_one_without_end_is_bulk_work_in_the_end(queued):
    store = queued.client.vector_stores.create()
    for n in range(23):
        file = upload(queued, content=b"%d" % n)
        queued.client.vector_stores.files.create(store.id, file_id=file.id)
    waiting = queued.raw.get("/v1/sourcebook/queue").json()["waiting"]
    assert waiting == {"interactive": 20, "bulk": 3, "to_be_retried": 0}


def test_an_indexed_file_is_done(service):
    store = service.client.vector_stores.create()
    file = upload(service, content=TEXT)
    service.client.vector_stores.files.create(store.id, file_id=file.id)
    n_chunks = ended(service, store.id, file.id).n_chunks
    progress = extension(service, f"{store.id}/files/{file.id}")["progress"]
    assert (progress["stage"], progress["done"], progress["total"]) == (
        *("completed", n_chunks, n_chunks),
    )
    assert progress["priority"] is None


def test_a_failed_file_keeps_its_reason_and_is_tried_again(service):
    store = service.client.vector_stores.create()
    bad = upload(service, name="a.pdf", content=b"%PDF-1.7 no more")
    good = upload(service, content=TEXT)
    before = int(time.time())
    service.client.vector_stores.file_batches.create_and_poll(
        store.id, file_ids=[bad.id, good.id], poll_interval_ms=20
    )
    progress = extension(service, f"{store.id}/files/{bad.id}")["progress"]
    assert (progress["stage"], progress["attempts"]) == ("failed", 1)
    assert before <= progress["failed_at"] <= time.time()
    (given_up,) = service.engine.failed(store.id)
    assert (given_up.file_id, given_up.code) == (bad.id, "invalid_file")
    assert given_up.message

    def retry(**body):
        return service.raw.post(f"/v1/sourcebook/vector_stores/{store.id}/retry", json=body)

    assert retry(code="server_error").json()["queued"] == 0
    assert retry(file_id=bad.id).json() == {
        "object": "sourcebook.retry",
        "vector_store_id": store.id,
        "queued": 1,
    }
    assert ended(service, store.id, bad.id).status == "failed"
    assert retry().json()["queued"] == 1
    assert retry(file_id=good.id).status_code == 400
    assert retry(file_id="file-unknown").status_code == 404
    assert retry(code="unknown").status_code == 400


def test_what_failed_for_a_while_is_searchable_after_a_retry(tmp_path):
    with Engine.open(settings=Settings(data=tmp_path, embedder="hash")) as engine:
        store = engine.create_vector_store(name="s")
        file = engine.upload(io.BytesIO(TEXT), filename="a.txt")
        engine.attach(store.id, file.id)
        with engine.store.write() as tables:
            job = tables.jobs.claim("me")
            tables.attachments.fail(job.attachment_n, code="server_error", message="m")
            tables.jobs.finish(job.attachment_n)
    with Engine.open(settings=Settings(data=tmp_path, embedder="hash"), work=True) as engine:
        assert engine.retry(store.id, code="server_error") == 1
        deadline = time.monotonic() + 60
        while not engine.find("pendulum", store="s").hits:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert engine.failed(store.id) == []
