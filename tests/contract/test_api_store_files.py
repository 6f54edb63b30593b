"""Files in vector stores, and file batches."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
from http_service import Service, serving
from test_api_files import refused, upload

from api.engine import Engine
from api.settings import Settings

SAMPLES = Path(__file__).parents[2] / "sample_corpus" / "files"


@pytest.fixture(scope="module")
def idle(tmp_path_factory) -> Iterator[Service]:
    """A server on which nothing is ever indexed, so that what is queued stays queued."""
    data = tmp_path_factory.mktemp("idle")
    settings = Settings(data=data, embedder="hash")
    with Engine.open(settings=settings) as engine, serving(engine) as found:
        yield found


def ready(service, content=b"Granite is a hard rock.", name="a.txt", **changes):
    """A vector store with one indexed file: (store id, vector store file)."""
    store = service.client.vector_stores.create()
    file = upload(service, name=name, content=content)
    files = service.client.vector_stores.files
    return store.id, files.create_and_poll(file.id, vector_store_id=store.id, **changes)


def test_attached_file_becomes_searchable(service):
    store_id, file = ready(service, attributes={"year": 2024, "draft": False, "note": "é"})
    assert file.status == "completed", file.last_error
    assert file.last_error is None
    assert file.attributes == {"year": 2024, "draft": False, "note": "é"}
    assert file.chunking_strategy.to_dict() == {
        "type": "static",
        "static": {"max_chunk_size_tokens": 800, "chunk_overlap_tokens": 400},
    }
    assert file.usage_bytes > 0
    store = service.client.vector_stores.retrieve(store_id)
    assert (store.status, store.file_counts.completed, store.file_counts.total) == (
        "completed",
        1,
        1,
    )
    assert store.usage_bytes == file.usage_bytes


def test_static_chunking_is_echoed(service):
    sizes = {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 50}
    _, file = ready(service, chunking_strategy={"type": "static", "static": sizes})
    assert file.chunking_strategy.to_dict()["static"] == sizes


def test_content_is_the_parsed_text(service):
    store_id, file = ready(service, content="Läuft.\n\nGut.".encode())
    page = service.client.vector_stores.files.content(file.id, vector_store_id=store_id)
    assert [part.text for part in page.data] == ["Läuft.\n\nGut."]


@pytest.mark.parametrize(
    "name", ["calendar-tables.xlsx", "railway-time-report.docx", "antikythera-talk.pptx"]
)
def test_office_files_are_indexed_whatever_they_are_called(service, name):
    content = (SAMPLES / name).read_bytes()
    _, file = ready(service, content=content, name="upload")
    assert file.status == "completed", file.last_error


def test_empty_pdf_fails_with_a_reason(service):
    _, file = ready(service, content=b"%PDF-1.7 but nothing else", name="broken.pdf")
    assert file.status == "failed"
    assert file.last_error.code == "invalid_file"
    assert file.last_error.message


def test_picture_ends_as_unsupported(service):
    picture = bytes.fromhex("89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489")
    store_id, file = ready(service, content=picture, name="p.txt")
    assert (file.status, file.last_error.code) == ("failed", "unsupported_file")
    store = service.client.vector_stores.retrieve(store_id)
    assert (store.status, store.file_counts.failed) == ("completed", 1)


def test_detached_file_is_gone_from_the_store_only(service):
    store_id, file = ready(service)
    gone = service.client.vector_stores.files.delete(file.id, vector_store_id=store_id)
    assert (gone.id, gone.object) == (file.id, "vector_store.file.deleted")
    with pytest.raises(openai.NotFoundError) as caught:
        service.client.vector_stores.files.retrieve(file.id, vector_store_id=store_id)
    assert caught.value.body["message"] == (
        f"No file found with id '{file.id}' in vector store '{store_id}'."
    )
    assert service.client.files.retrieve(file.id).id == file.id


def test_deleted_file_leaves_every_store(service):
    store_id, file = ready(service)
    service.client.files.delete(file.id)
    assert service.client.vector_stores.files.list(store_id).data == []
    assert service.client.vector_stores.retrieve(store_id).file_counts.total == 0


def test_attributes_are_replaced_whole(service):
    store_id, file = ready(service, attributes={"a": 1, "b": 2})
    files = service.client.vector_stores.files
    changed = files.update(file.id, vector_store_id=store_id, attributes={"a": True})
    assert changed.attributes == {"a": True}
    cleared = files.update(file.id, vector_store_id=store_id, attributes=None)
    assert cleared.attributes == {}


def test_running_file_tells_pollers_when_to_look(idle):
    store = idle.client.vector_stores.create()
    file = upload(idle)
    path = f"/v1/vector_stores/{store.id}/files"
    made = idle.raw.post(path, json={"file_id": file.id, "attributes": None})
    assert made.json()["status"] == "in_progress"
    assert made.json()["attributes"] == {}
    assert int(made.headers["openai-poll-after-ms"]) > 0
    assert "openai-poll-after-ms" in idle.raw.get(f"{path}/{file.id}").headers
    assert idle.client.vector_stores.retrieve(store.id).status == "in_progress"


def test_finished_file_sends_no_poll_header(service):
    store_id, file = ready(service)
    reply = service.raw.get(f"/v1/vector_stores/{store_id}/files/{file.id}")
    assert "openai-poll-after-ms" not in reply.headers


def test_attaching_twice_keeps_one_file_with_the_new_attributes(service):
    store_id, file = ready(service, attributes={"v": 1})
    files = service.client.vector_stores.files
    again = files.create_and_poll(file.id, vector_store_id=store_id, attributes={"v": 2})
    assert (again.status, again.attributes) == ("completed", {"v": 2})
    assert service.client.vector_stores.retrieve(store_id).file_counts.total == 1


def test_attaching_an_unknown_file_is_404(service):
    store = service.client.vector_stores.create()
    reply = service.raw.post(f"/v1/vector_stores/{store.id}/files", json={"file_id": "file-no"})
    assert refused(reply, 404)["message"] == "No such File object: file-no"


def test_file_list_extension_names_the_file(service):
    store_id, file = ready(service, name="named.txt")
    path = f"/v1/vector_stores/{store_id}/files"
    plain = service.raw.get(path).json()["data"][0]
    assert "sourcebook" not in plain
    extended = service.raw.get(path, params={"sourcebook": "places"}).json()["data"][0]
    assert extended["sourcebook"] == {"filename": "named.txt", "path": None, "n_chunks": 1}
    error = refused(service.raw.get(f"{path}/{file.id}", params={"sourcebook": "x"}), 400)
    assert error["param"] == "sourcebook"


def test_batch_of_ids_shares_attributes(service):
    store = service.client.vector_stores.create()
    files = [upload(service, content=f"Text {n}.".encode()) for n in range(3)]
    batch = service.client.vector_stores.file_batches.create_and_poll(
        store.id, file_ids=[file.id for file in files], attributes={"k": "v"}
    )
    assert batch.status == "completed"
    assert (batch.file_counts.completed, batch.file_counts.total) == (3, 3)
    listed = service.client.vector_stores.file_batches.list_files(
        batch.id, vector_store_id=store.id, limit=2
    )
    assert [file.attributes for file in listed] == [{"k": "v"}] * 3


def test_batch_of_files_has_attributes_of_their_own(service):
    store = service.client.vector_stores.create()
    first, second = (upload(service, content=text) for text in (b"One.", b"Two."))
    batch = service.client.vector_stores.file_batches.create_and_poll(
        store.id,
        files=[{"file_id": first.id, "attributes": {"n": 1}}, {"file_id": second.id}],
        attributes={"ignored": True},
    )
    assert batch.file_counts.completed == 2
    listed = service.client.vector_stores.files.list(store.id)
    assert {file.id: file.attributes for file in listed} == {first.id: {"n": 1}, second.id: {}}


def test_batch_counts_failures_and_still_completes(service):
    store = service.client.vector_stores.create()
    good = upload(service)
    bad = upload(service, name="x.pdf", content=b"%PDF-1.4 broken")
    batch = service.client.vector_stores.file_batches.create_and_poll(
        store.id, file_ids=[good.id, bad.id]
    )
    counts = batch.file_counts
    assert (batch.status, counts.completed, counts.failed) == ("completed", 1, 1)
    failed = service.client.vector_stores.file_batches.list_files(
        batch.id, vector_store_id=store.id, filter="failed"
    )
    assert [file.id for file in failed] == [bad.id]


def test_cancelled_batch_leaves_nothing_running(idle):
    store = idle.client.vector_stores.create()
    files = [upload(idle).id for _ in range(3)]
    batches = idle.client.vector_stores.file_batches
    batch = batches.create(store.id, file_ids=files)
    assert (batch.status, batch.file_counts.in_progress, batch.file_counts.total) == (
        "in_progress",
        3,
        3,
    )
    running = batches.with_raw_response.retrieve(batch.id, vector_store_id=store.id)
    assert "openai-poll-after-ms" in running.headers
    cancelled = batches.cancel(batch.id, vector_store_id=store.id)
    assert (cancelled.status, cancelled.file_counts.cancelled) == ("cancelled", 3)
    assert cancelled.file_counts.total == 3
    assert batches.cancel(batch.id, vector_store_id=store.id) == cancelled
    listed = batches.list_files(batch.id, vector_store_id=store.id, filter="cancelled")
    assert {file.id for file in listed} == set(files)


def test_batch_total_outlives_its_files(idle):
    store = idle.client.vector_stores.create()
    files = [upload(idle).id for _ in range(2)]
    batches = idle.client.vector_stores.file_batches
    batch = batches.create(store.id, file_ids=files)
    idle.client.vector_stores.files.delete(files[0], vector_store_id=store.id)
    assert idle.client.vector_stores.retrieve(store.id).file_counts.total == 1
    assert batches.retrieve(batch.id, vector_store_id=store.id).file_counts.total == 2


def test_files_attached_in_one_second_page_without_gaps(idle):
    store = idle.client.vector_stores.create()
    made = [upload(idle).id for _ in range(7)]
    idle.client.vector_stores.file_batches.create(store.id, file_ids=made)
    files = idle.client.vector_stores.files
    down = [file.id for file in files.list(store.id, limit=2)]
    up = [file.id for file in files.list(store.id, limit=3, order="asc")]
    assert sorted(down) == sorted(made)
    assert up == down[::-1]
    before = files.list(store.id, before=down[3], limit=2)
    assert [file.id for file in before.data] == down[1:3]
    files.delete(down[2], vector_store_id=store.id)
    after = files.list(store.id, after=down[2], limit=2)
    assert [file.id for file in after.data] == down[3:5]
    assert [file.id for file in files.list(store.id, filter="completed")] == []


def test_unknown_batch_is_404(idle):
    store = idle.client.vector_stores.create()
    reply = idle.raw.get(f"/v1/vector_stores/{store.id}/file_batches/vsfb_none")
    assert refused(reply, 404)["message"] == "No such FileBatch object: vsfb_none"


def test_batch_of_another_store_is_404(idle):
    mine, other = (idle.client.vector_stores.create() for _ in range(2))
    batch = idle.client.vector_stores.file_batches.create(mine.id, file_ids=[upload(idle).id])
    refused(idle.raw.get(f"/v1/vector_stores/{other.id}/file_batches/{batch.id}"), 404)


def test_content_of_a_long_file_comes_whole_and_is_not_held_whole(service):
    text = "\n\n".join(f'{n}. "Zeile" \\ Ümläut 🙂 {n}.' for n in range(90_000))  # over two pieces
    store_id, file = ready(service, content=text.encode())
    page = service.client.vector_stores.files.content(file.id, vector_store_id=store_id)
    assert [part.text for part in page.data] == [text]
    assert page.has_more is False
    reply = service.client.vector_stores.files.with_raw_response.content(
        file.id, vector_store_id=store_id
    )
    assert reply.headers["content-type"] == "application/json"
    assert "content-length" not in reply.headers, "it would have had to be counted first"
