"""The shape of every reply and event, key by key: what the hosted service was seen to send.

Restated from recorded traffic (`test_wire.py` replays it where it lies). Nothing may be missing, as
clients read it, and nothing may be added, as some refuse what they do not know.
"""

from __future__ import annotations

import pytest
from test_responses_api import KEYS, cities, stream_events
from test_responses_llm import PARIS, script, service, talk

assert cities
assert script
assert service
assert talk  # the fixtures are used by their names

FILE = str.split("id object bytes created_at expires_at filename purpose status status_details")
STORE = str.split(
    "id object created_at name description usage_bytes file_counts status expires_after expires_at"
    " last_active_at metadata"
)
COUNTS = str.split("in_progress completed failed cancelled total")
STORE_FILE = str.split(
    "id object usage_bytes created_at vector_store_id status last_error chunking_strategy attributes"
)
BATCH = str.split("id object created_at vector_store_id status file_counts")
LIST = str.split("object data first_id last_id has_more")
UPLOAD = str.split("id object bytes created_at expires_at filename purpose status")
ERROR = str.split("message type param code")
SEARCH_CALL = str.split("id type status queries results")
RESULT = str.split("attributes file_id filename score text vector_store_id")
MESSAGE = str.split("id type status content role")
TEXT = str.split("type annotations logprobs text")
CITATION = str.split("type file_id filename index")
CALL = str.split("id type status call_id name arguments")
USAGE = str.split(
    "input_tokens input_tokens_details output_tokens output_tokens_details total_tokens"
)
EVENTS = {
    "response.created": "response",
    "response.queued": "response",
    "response.in_progress": "response",
    "response.output_item.added": "output_index item",
    "response.file_search_call.in_progress": "output_index item_id",
    "response.file_search_call.searching": "output_index item_id",
    "response.file_search_call.completed": "output_index item_id",
    "response.output_item.done": "output_index item",
    "response.content_part.added": "item_id output_index content_index part",
    "response.output_text.delta": "item_id output_index content_index delta logprobs",
    "response.output_text.annotation.added": (
        "item_id output_index content_index annotation_index annotation"
    ),
    "response.output_text.done": "item_id output_index content_index text logprobs",
    "response.content_part.done": "item_id output_index content_index part",
    "response.refusal.delta": "item_id output_index content_index delta",
    "response.refusal.done": "item_id output_index content_index refusal",
    "response.function_call_arguments.delta": "item_id output_index delta",
    "response.function_call_arguments.done": "item_id output_index arguments name",
    "response.completed": "response",
    "response.incomplete": "response",
    "response.failed": "response",
    "error": "code message param error",
}
WEATHER = {"type": "function", "name": "weather", "parameters": {"type": "object"}}


def keys(found, expected) -> None:
    assert sorted(found) == sorted(expected)


@pytest.fixture
def get(cities):
    def read(path: str):
        reply = cities.service.raw.get(f"/v1{path}")
        assert reply.status_code == 200, reply.text
        return reply.json()

    return read


def test_files_and_stores(cities, get):
    page = get("/files")
    keys(page, LIST)
    keys(page["data"][0], FILE)
    store = get(f"/vector_stores/{cities.store_id}")
    keys(store, STORE)
    keys(store["file_counts"], COUNTS)
    page = get(f"/vector_stores/{cities.store_id}/files")
    keys(page, LIST)
    keys(page["data"][0], STORE_FILE)
    static = page["data"][0]["chunking_strategy"]
    assert static == {
        "type": "static",
        "static": {"max_chunk_size_tokens": 800, "chunk_overlap_tokens": 400},
    }


def test_batches_and_uploads(cities):
    raw = cities.service.raw
    store = raw.post("/v1/vector_stores", json={}).json()["id"]
    asked = {"file_ids": list(cities.ids.values())}
    batch = raw.post(f"/v1/vector_stores/{store}/file_batches", json=asked).json()
    keys(batch, BATCH)
    keys(batch["file_counts"], COUNTS)
    assert batch["file_counts"]["total"] == 3
    upload = raw.post(
        "/v1/uploads",
        json={"filename": "a.txt", "purpose": "assistants", "bytes": 1, "mime_type": "text/plain"},
    ).json()
    keys(upload, UPLOAD)
    part = raw.post(f"/v1/uploads/{upload['id']}/parts", files={"data": ("upload", b"a")}).json()
    keys(part, ["id", "object", "created_at", "upload_id"])
    done = raw.post(f"/v1/uploads/{upload['id']}/complete", json={"part_ids": [part["id"]]}).json()
    keys(done, [*UPLOAD, "file"])
    keys(done["file"], FILE)
    gone = raw.delete(f"/v1/files/{done['file']['id']}").json()
    assert gone == {"id": done["file"]["id"], "object": "file", "deleted": True}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/files/file-none", 404),
        ("GET", "/responses/resp_none", 404),
        ("POST", "/responses", 400),
        ("GET", "/nowhere", 404),
    ],
)
def test_errors(cities, method, path, status):
    reply = cities.service.raw.request(method, f"/v1{path}", json={} if method == "POST" else None)
    assert reply.status_code == status
    keys(reply.json()["error"], ERROR)


def test_response_with_search_and_citation(cities):
    body = cities.post(include=["file_search_call.results"]).json()
    keys(body, KEYS)
    search, message = body["output"]
    keys(search, SEARCH_CALL)
    keys(search["results"][0], RESULT)
    keys(message, MESSAGE)
    keys(message["content"][0], TEXT)
    keys(message["content"][0]["annotations"][0], CITATION)
    keys(body["usage"], USAGE)
    keys(body["usage"]["input_tokens_details"], ["cached_tokens", "cache_write_tokens"])
    keys(body["usage"]["output_tokens_details"], ["reasoning_tokens"])
    assert body["tools"][0].keys() == {
        "type", "filters", "max_num_results", "ranking_options", "vector_store_ids",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("says", "asked"),
    [
        ({"deltas": [PARIS, " [1]", ". And so", " on [1]."]}, {}),
        ({"deltas": ["Paris is"], "finish_reason": "length"}, {}),
        ({"deltas": [{"refusal": "No."}]}, {}),
        ({"deltas": ["Paris", "cut"], "break_after": 1}, {}),
        ({"statuses": [500] * 3}, {}),
        (
            {"deltas": [{"tool_calls": [{"index": 0, "function": {"name": "weather"}}]}]},
            {"tools": [WEATHER]},
        ),
        ({"deltas": ["Yes."]}, {"background": True}),
    ],
)
def test_every_event_has_its_keys(talk, says, asked):
    talk.says(*says.pop("deltas", []), **says)
    events = stream_events(talk.cities, model="scripted", **asked)
    for number, event in enumerate(events):
        assert event["sequence_number"] == number
        keys(event, ["type", "sequence_number", *EVENTS[event["type"]].split()])
        if "response" in event:
            keys(event["response"], KEYS)


def test_items_of_a_stream_grow_into_those_of_the_response(talk):
    talk.says(PARIS, " [1].")
    events = talk.stream(include=["file_search_call.results"])
    added = [e["item"] for e in events if e["type"] == "response.output_item.added"]
    done = [e["item"] for e in events if e["type"] == "response.output_item.done"]
    assert done == events[-1]["response"]["output"]
    for begun, ended in zip(added, done, strict=True):
        keys(begun, ended)
        assert (begun["id"], begun["type"]) == (ended["id"], ended["type"])
        assert (begun["status"], ended["status"]) == ("in_progress", "completed")
    assert added[1]["content"] == []
