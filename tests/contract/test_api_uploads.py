"""/v1/uploads with the unmodified client: parts in any order, at the same time, and every refusal."""

from __future__ import annotations

import hashlib
import os
import random
from concurrent.futures import ThreadPoolExecutor

import httpx2
import openai
import pytest
from http_service import Service, serving
from test_api_files import refused

from api.engine import Engine
from api.settings import Settings

PURPOSES = ("assistants", "batch", "fine-tune", "vision", "user_data", "evals")


def begin(service, n_bytes, **changes):
    fields = {"filename": "big.txt", "purpose": "assistants", "mime_type": "text/plain"}
    return service.client.uploads.create(bytes=n_bytes, **fields | changes)


def part(service, upload, data):
    return service.client.uploads.parts.create(upload.id, data=data)


def test_an_upload_becomes_a_file_in_the_order_of_part_ids(service):
    upload = begin(service, 9)
    assert (upload.status, upload.bytes, upload.file) == ("pending", 9, None)
    assert upload.expires_at == upload.created_at + 3600
    parts = [part(service, upload, data) for data in (b"two", b"one", b"three"[:3])]
    assert {each.upload_id for each in parts} == {upload.id}
    order = [parts[1].id, parts[0].id, parts[2].id]
    done = service.client.uploads.complete(upload.id, part_ids=order)
    assert (done.id, done.status) == (upload.id, "completed")
    assert (done.file.bytes, done.file.filename) == (9, "big.txt")
    assert (done.file.created_at, done.file.expires_at) == (upload.created_at, None)
    assert service.client.files.content(done.file.id).read() == b"onetwothr"
    assert service.client.files.retrieve(done.file.id) == done.file
    assert done.file.id in {file.id for file in service.client.files.list()}


def test_the_key_file_is_absent_until_the_upload_is_completed(service):
    fields = {"filename": "a", "purpose": "vision", "mime_type": "pdf", "bytes": 1}
    made = service.raw.post("/v1/uploads", json=fields | {"expires_after": None}).json()
    assert "file" not in made
    assert "file" not in service.raw.post(f"/v1/uploads/{made['id']}/cancel").json()


@pytest.mark.parametrize("purpose", PURPOSES)
def test_every_purpose_is_taken(service, purpose):
    upload = begin(service, 1, purpose=purpose)
    done = service.client.uploads.complete(upload.id, part_ids=[part(service, upload, b"x").id])
    assert (upload.purpose, done.file.purpose) == (purpose, purpose)
    assert (done.file.expires_at is not None) == (purpose == "batch")


def test_the_clients_own_helper_sends_a_file_in_parts(service, tmp_path):
    path = tmp_path / "long.txt"
    path.write_bytes(os.urandom(1_000_000))
    done = service.client.uploads.upload_file_chunked(
        file=path,
        mime_type="text/plain",
        purpose="assistants",
        part_size=300_000,
        md5=hashlib.md5(path.read_bytes()).hexdigest(),
    )
    assert done.status == "completed"
    assert service.client.files.content(done.file.id).read() == path.read_bytes()


def test_parts_in_parallel_and_in_any_order(service):
    rng = random.Random(3)
    pieces = [bytes([number]) * rng.randrange(1, 50_000) for number in range(24)]
    upload = begin(service, sum(map(len, pieces)))
    shuffled = rng.sample(range(24), k=24)
    with ThreadPoolExecutor(8) as pool:
        made = dict(
            zip(
                shuffled,
                pool.map(lambda n: part(service, upload, pieces[n]), shuffled),
                strict=True,
            )
        )
    part_ids = [made[number].id for number in range(24)]
    assert len(set(part_ids)) == 24
    done = service.client.uploads.complete(upload.id, part_ids=part_ids)
    assert service.client.files.content(done.file.id).read() == b"".join(pieces)


def test_equal_parts_and_parts_that_are_left_out(service):
    upload = begin(service, 6)
    first, second, spare = (part(service, upload, data) for data in (b"abc", b"abc", b"left out"))
    assert first.id != second.id
    done = service.client.uploads.complete(upload.id, part_ids=[first.id, second.id])
    assert service.client.files.content(done.file.id).read() == b"abcabc"
    assert spare.id not in {first.id, second.id}
    assert no_spare_blobs(service)


def test_an_uploaded_file_can_be_searched(service):
    text = b"The longcase clock stands in the hall."
    done = service.client.uploads.upload_file_chunked(
        file=text, filename="clock.txt", bytes=len(text), mime_type="text/plain",
        purpose="assistants", part_size=7,
    )  # fmt: skip
    store = service.client.vector_stores.create()
    service.client.vector_stores.files.create_and_poll(done.file.id, vector_store_id=store.id)
    (hit,) = service.client.vector_stores.search(store.id, query="longcase clock").data
    assert hit.file_id == done.file.id


def test_expires_after_is_of_the_file(service):
    upload = begin(service, 1, expires_after={"anchor": "created_at", "seconds": 7200})
    assert upload.expires_at == upload.created_at + 3600
    done = service.client.uploads.complete(upload.id, part_ids=[part(service, upload, b"x").id])
    assert done.file.expires_at == done.file.created_at + 7200


@pytest.mark.parametrize(
    ("changes", "param", "code"),
    [
        ({"bytes": 0}, "bytes", "integer_below_min_value"),
        ({"bytes": 8 * 1024**3 + 1}, "bytes", "integer_above_max_value"),
        ({"bytes": "9"}, "bytes", "invalid_type"),
        ({"filename": None}, "filename", "invalid_type"),
        ({"filename": ""}, "filename", "empty_string"),
        ({"purpose": "search"}, "purpose", None),
        ({"mime_type": 3}, "mime_type", "invalid_type"),
        ({"size": 3}, "size", "unknown_parameter"),
        ({"expires_after": {"anchor": "created_at", "seconds": 1}}, "expires_after.seconds",
         "integer_below_min_value"),
    ],
)  # fmt: skip
def test_a_wrong_field_is_named(service, changes, param, code):
    fields = {"filename": "a", "purpose": "vision", "mime_type": "pdf", "bytes": 1}
    error = refused(service.raw.post("/v1/uploads", json=fields | changes), 400)
    assert (error["param"], error["code"]) == (param, code)


@pytest.mark.parametrize("name", ["filename", "purpose", "mime_type", "bytes"])
def test_a_missing_field_is_named(service, name):
    fields = {"filename": "a", "purpose": "vision", "mime_type": "pdf", "bytes": 1}
    del fields[name]
    error = refused(service.raw.post("/v1/uploads", json=fields), 400)
    assert (error["param"], error["code"]) == (name, "missing_required_parameter")


def completed(service, upload, status=400, **fields):
    return refused(service.raw.post(f"/v1/uploads/{upload.id}/complete", json=fields), status)


def test_a_completion_that_is_refused_leaves_the_upload_pending(service):
    upload, other = begin(service, 4), begin(service, 4)
    mine, theirs = part(service, upload, b"four"), part(service, other, b"four")
    two = [mine.id, mine.id]
    assert completed(service, upload, part_ids=[])["code"] == "empty_array"
    assert completed(service, upload)["code"] == "missing_required_parameter"
    assert "twice" in completed(service, upload, part_ids=two)["message"]
    assert completed(service, upload, part_ids=["file-1"])["param"] == "part_ids[0]"
    error = completed(service, upload, 404, part_ids=[theirs.id])
    assert error["message"] == f"No such UploadPart object: {theirs.id}"
    wrong = hashlib.md5(b"five").hexdigest()
    assert completed(service, upload, part_ids=[mine.id], md5=wrong)["param"] == "md5"
    assert completed(service, upload, part_ids=[mine.id], md5="no")["code"] == "invalid_value"
    right = hashlib.md5(b"four").hexdigest().upper()
    done = service.client.uploads.complete(upload.id, part_ids=[mine.id], md5=right)
    assert done.file.bytes == 4


def test_another_total_than_declared_is_refused(service):
    upload = begin(service, 5)
    made = part(service, upload, b"four")
    message = completed(service, upload, part_ids=[made.id])["message"]
    assert "4 bytes" in message
    assert "5 bytes" in message


@pytest.mark.parametrize("end", ["completed", "cancelled"])
def test_an_upload_that_has_ended_takes_nothing_more(service, end):
    upload = begin(service, 1)
    made = part(service, upload, b"x")
    if end == "completed":
        service.client.uploads.complete(upload.id, part_ids=[made.id])
    else:
        assert service.client.uploads.cancel(upload.id).status == "cancelled"
    path = f"/v1/uploads/{upload.id}"
    replies = [
        service.raw.post(f"{path}/parts", files={"data": b"y"}),
        service.raw.post(f"{path}/complete", json={"part_ids": [made.id]}),
        service.raw.post(f"{path}/cancel"),
    ]
    for reply in replies:
        assert refused(reply, 400)["message"] == f"Upload '{upload.id}' is {end}."
    assert no_spare_blobs(service)


def test_unknown_and_foreign_ids(service):
    unknown = f"upload_{'0' * 32}"
    with pytest.raises(openai.NotFoundError, match=f"No such Upload object: {unknown}"):
        service.client.uploads.cancel(unknown)
    refused(service.raw.post(f"/v1/uploads/{unknown}/parts", files={"data": b"x"}), 404)
    error = refused(service.raw.post("/v1/uploads/file-1/cancel"), 400)
    assert error["message"].endswith("Expected an ID that begins with 'upload_'.")


def test_a_part_without_bytes_or_under_another_name_is_refused(service):
    path = f"/v1/uploads/{begin(service, 1).id}/parts"
    assert refused(service.raw.post(path), 400)["param"] == "data"
    assert refused(service.raw.post(path, files={"data": b""}), 400)["param"] == "data"
    assert refused(service.raw.post(path, files={"file": b"x"}), 400)["param"] == "file"
    assert refused(service.raw.post(path, data={"data": "x"}), 415)
    refused(service.raw.post(path, json={"data": "x"}), 415)


def test_parts_may_not_grow_without_end(tmp_path):
    settings = Settings(data=tmp_path, embedder="hash", max_part_bytes=10, max_upload_bytes=25)
    with Engine.open(settings=settings) as engine, serving(engine) as service:
        refused(service.raw.post("/v1/uploads", json={
            "filename": "a", "purpose": "vision", "mime_type": "pdf", "bytes": 26}), 400)  # fmt: skip
        path = f"/v1/uploads/{begin(service, 25).id}/parts"
        refused(service.raw.post(path, files={"data": b"x" * 11}), 413)
        for _ in range(2):
            assert service.raw.post(path, files={"data": b"x" * 10}).status_code == 200
        assert (
            "together"
            in refused(service.raw.post(path, files={"data": b"x" * 10}), 413)["message"]
        )


def no_spare_blobs(service: Service) -> bool:
    """Whether every blob belongs to a file or to a part of a pending upload."""
    with service.engine.store.read() as view:
        return service.engine.store.blobs.names() == view.used_blobs()


def test_memory_does_not_grow_with_the_file(service):
    import tracemalloc  # noqa: PLC0415

    size = 8 << 20
    upload = begin(service, 4 * size)
    part_ids = [part(service, upload, bytes([n]) * size).id for n in range(4)]
    tracemalloc.start()
    try:
        service.engine.complete_upload(upload.id, part_ids)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < size


def test_the_raw_client_sees_the_recorded_keys(service: Service):
    reply: httpx2.Response = service.raw.post(
        "/v1/uploads",
        json={"filename": "a", "purpose": "vision", "mime_type": "pdf", "bytes": 1},
    )
    assert set(reply.json()) == {
        "id", "object", "bytes", "created_at", "filename", "purpose", "status", "expires_at",
    }  # fmt: skip


def test_of_many_completions_and_cancellations_one_wins(service):
    for _ in range(5):
        upload = begin(service, 300_000)
        part_ids = [part(service, upload, b"x" * 100_000).id for _ in range(3)]
        path = f"/v1/uploads/{upload.id}"
        calls = [(f"{path}/complete", {"part_ids": part_ids})] * 4 + [(f"{path}/cancel", {})] * 2
        with ThreadPoolExecutor(6) as pool:
            replies = list(pool.map(lambda call: service.raw.post(call[0], json=call[1]), calls))
        assert sorted(reply.status_code for reply in replies) == [200] + [400] * 5
        (won,) = [reply.json() for reply in replies if reply.status_code == 200]
        if won["status"] == "completed":
            content = service.client.files.content(won["file"]["id"]).read()
            assert content == b"x" * 300_000
    assert no_spare_blobs(service)
