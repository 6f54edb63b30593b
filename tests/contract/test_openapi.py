"""The served description: complete, valid, and true of the running application."""

from __future__ import annotations

import dataclasses
import json
import re

import pytest
from conformance import document as official
from conformance import own_validator
from fastapi.routing import APIRoute
from jsonschema import Draft202012Validator
from test_api_files import upload

from api.app import create_app
from api.openapi import document
from api.wire import examples as ex
from api.wire.operations import OPERATIONS
from retrieval.types import Place

PAGES = {"/", "/docs", "/openapi.json"}  # for people, and the description itself
BY_NAME = {each.name: each for each in OPERATIONS}


def called(routes):
    """The (method, path) of every route, those of included routers too."""
    for route in routes:
        if isinstance(route, APIRoute):
            path = re.sub(r":\w+\}", "}", route.path)
            yield from ((method.lower(), path) for method in route.methods)
        elif hasattr(route, "original_router"):  # all but the WebSocket
            yield from called(route.original_router.routes)


def test_every_route_is_described_and_nothing_else(service):
    app = create_app(service.engine)
    served = {(method, path) for method, path in called(app.routes) if path not in PAGES}
    assert served == {(each.method, each.path) for each in OPERATIONS}


def test_the_served_document_is_the_assembled_one(service):
    served = service.raw.get("/openapi.json").json()
    assert served == json.loads(json.dumps(document()))
    assert len(served["components"]["schemas"]) > 50


def test_operations_bear_their_official_names():
    theirs = {
        (method, f"/v1{path}"): operation["operationId"]
        for path, methods in official()["paths"].items()
        for method, operation in methods.items()
    }
    ours = {(each.method, each.path): each.name for each in OPERATIONS}
    assert len(set(ours.values())) == len(ours)
    shared = ours.keys() & theirs.keys()
    assert {key: ours[key] for key in shared} == {key: theirs[key] for key in shared}
    own = {path for _, path in ours.keys() - shared}
    assert own == {"/healthz"} | {path for path in own if path.startswith("/v1/sourcebook/")}


def test_all_schemas_are_valid_and_all_references_lead_somewhere():
    spec = document()
    for schema in spec["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    for target in re.findall(r'"#/([^"]+)"', json.dumps(spec)):
        at = spec
        for step in target.split("/"):
            at = at[step]


def body_validator(each):
    spec = document()
    content = spec["paths"][each.path][each.method]["requestBody"]["content"]
    (media,) = content.values()
    return Draft202012Validator({**media["schema"], "components": spec["components"]})


def test_places_are_described_with_all_their_fields():
    known = {field.name for field in dataclasses.fields(Place)}
    assert document()["components"]["schemas"]["HitExtension"]["properties"].keys() >= known


@pytest.mark.parametrize("name", BY_NAME)
def test_examples_fit_their_schemas(name):
    each = BY_NAME[name]
    if each.reply is not None:
        own_validator(each.method, each.path, 200).validate(each.example_reply)
    if each.body or each.form:
        assert each.example is not None
        body_validator(each).validate(each.example)


# --- every example is sent to the running application -------------------------------------


@pytest.fixture
def world(service):
    """Ids of the examples → ids of objects that exist."""
    client = service.client
    file = upload(service, name=ex.FILENAME, content=ex.TEXT.encode())
    store = client.vector_stores.create(name="Geography")
    batch = client.vector_stores.file_batches.create_and_poll(
        store.id,
        files=[{"file_id": file.id, "attributes": {"continent": "Europe"}}],
        poll_interval_ms=20,
    )
    tool = {"type": "file_search", "vector_store_ids": [store.id]}
    response = client.responses.create(
        model="extractive", input=ex.QUESTION, tools=[tool], background=True
    )
    upload_ = client.uploads.create(
        filename=ex.FILENAME, purpose="assistants", bytes=len(ex.TEXT), mime_type="text/plain"
    )
    part = client.uploads.parts.create(upload_.id, data=ex.TEXT.encode())
    conversation = client.conversations.create(items=[ex.user_item])
    (item,) = client.conversations.items.list(conversation.id).data
    return {
        ex.CONVERSATION_ID: conversation.id,
        ex.ITEM_ID: item.id,
        ex.UPLOAD_ID: upload_.id,
        ex.PART_ID: part.id,
        ex.FILE_ID: file.id,
        ex.STORE_ID: store.id,
        ex.BATCH_ID: batch.id,
        ex.RESPONSE_ID: response.id,
    }


def real(given, ids):
    text = json.dumps(given)
    for example, made in ids.items():
        text = text.replace(example, made)
    return json.loads(text)


@pytest.mark.parametrize("name", BY_NAME)
def test_every_example_request_works(service, world, name):
    each = BY_NAME[name]
    spec = document()["paths"][each.path][each.method]
    path = each.path
    for parameter in spec.get("parameters", []):
        if parameter["in"] == "path":
            value = world.get(parameter["example"], parameter["example"])
            path = path.replace(f"{{{parameter['name']}}}", value)
    body = real(each.example, world)
    sent = {"json": body} if each.body else {}
    if each.form:
        binary = "file" if "file" in body else "data"
        files = {binary: (ex.FILENAME, body.pop(binary))}
        sent = {"data": body, "files": files}
    reply = service.raw.request(each.method, path, **sent)  # its hook validates the reply
    assert reply.status_code == 200, reply.text
    if each.reply is not None:
        assert set(reply.json()) == set(each.example_reply)


def test_example_of_streaming_works(service, world):
    body = {**real(BY_NAME["createResponse"].example, world), "stream": True}
    reply = service.raw.post("/v1/responses", json=body)
    event, data = reply.text.split("\n\n")[0].split("\n")
    assert event == "event: response.created"
    assert json.loads(data.removeprefix("data: "))["sequence_number"] == 0


# --- the schema of a body and the code that reads it say the same -------------------------

SEARCH = "searchVectorStore"
STORE = "createVectorStore"
BATCH = "createVectorStoreFileBatch"
STATIC = {"type": "static", "static": {"max_chunk_size_tokens": 200, "chunk_overlap_tokens": 0}}
FLAT = {"type": "static", "max_chunk_size_tokens": 200, "chunk_overlap_tokens": 0}
EQ = {"type": "eq", "key": "a", "value": 1}
TAKEN = [
    (SEARCH, {"query": "a"}),
    (SEARCH, {"query": ["a", "b"], "rewrite_query": None, "ranking_options": None}),
    (SEARCH, {"query": "a", "filters": {}}),
    (SEARCH, {"query": "a", "attribute_filter": EQ}),
    (SEARCH, {"query": "a", "filters": {"type": "in", "property": "a", "value": ["b", 2]}}),
    (SEARCH, {"query": "a", "filters": {"type": "or", "filters": [EQ, EQ]}}),
    (SEARCH, {"query": "a", "ranking_options": {"hybrid_search": {"rrf_embedding_weight": 1,
                                                                  "text_weight": 0}}}),
    (SEARCH, {"query": "a", "sourcebook": {"places": True}}),
    (STORE, {"chunking_strategy": {"type": "auto"}}),
    (STORE, {"chunking_strategy": STATIC, "metadata": {"a": "b"}}),
    (STORE, {"chunking_strategy": FLAT}),
    (BATCH, {"file_ids": [ex.FILE_ID], "files": None}),
    (BATCH, {"files": [{"file_id": ex.FILE_ID, "attributes": {"a": True}}]}),
]  # fmt: skip
REFUSED = [
    (SEARCH, {}),
    (SEARCH, {"query": " "}),
    (SEARCH, {"query": []}),
    (SEARCH, {"query": "a", "max_num_results": 51}),
    (SEARCH, {"query": "a", "more": 1}),
    (SEARCH, {"query": "a", "filters": {"type": "in", "key": "a", "value": [True]}}),
    (SEARCH, {"query": "a", "filters": {"type": "gt", "key": "a", "value": True}}),
    (SEARCH, {"query": "a", "filters": {"type": "and", "filters": []}}),
    (SEARCH, {"query": "a", "filters": {"type": "eq", "value": 1}}),
    (SEARCH, {"query": "a", "filters": {**EQ, "property": "a"}}),
    (SEARCH, {"query": "a", "ranking_options": {"hybrid_search": {"embedding_weight": 0,
                                                                  "text_weight": 0}}}),
    (SEARCH, {"query": "a", "ranking_options": {"hybrid_search": {"embedding_weight": 1}}}),
    (STORE, {"name": 1}),
    (STORE, {"metadata": {"a": 1}}),
    (STORE, {"metadata": {"a" * 65: "b"}}),
    (STORE, {"file_ids": ["vs_1"]}),
    (STORE, {"chunking_strategy": {"type": "static"}}),
    (STORE, {"chunking_strategy": {**STATIC, "type": "auto"}}),
    (STORE, {"expires_after": {"anchor": "last_active_at", "days": 0}}),
    (BATCH, {}),
    (BATCH, {"file_ids": []}),
    (BATCH, {"file_ids": [ex.FILE_ID], "files": [{"file_id": ex.FILE_ID}]}),
    (BATCH, {"file_ids": [ex.FILE_ID], "attributes": {"a": [1]}}),
]  # fmt: skip


@pytest.fixture(scope="module")
def store_id(service):
    return service.client.vector_stores.create().id


@pytest.mark.parametrize(
    ("name", "body", "fits"),
    [(*case, True) for case in TAKEN] + [(*case, False) for case in REFUSED],
)
def test_schema_and_reader_of_a_body_agree(service, store_id, name, body, fits):
    each = BY_NAME[name]
    assert body_validator(each).is_valid(body) == fits
    file = upload(service)
    path = each.path.replace("{vector_store_id}", store_id)
    reply = service.raw.post(path, json=real(body, {ex.FILE_ID: file.id}))
    assert reply.status_code == (200 if fits else 400), reply.text


def test_docs_page_needs_no_other_server(service):
    reply = service.raw.get("/docs")
    assert reply.headers["content-type"].startswith("text/html")
    policy = reply.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "connect-src 'self'" in policy
    assert not re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?(?:https?:)?//""", reply.text)
    assert " style=" not in reply.text  # the policy would ignore it
    assert " onclick=" not in reply.text
