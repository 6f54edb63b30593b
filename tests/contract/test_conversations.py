"""/v1/conversations, and responses that go on with one."""

from __future__ import annotations

import base64

import openai
import pytest
from test_api_files import refused, upload
from test_responses_api import QUESTION, cities, message
from test_responses_llm import Talk, script, service, talk

assert cities
assert script
assert service
assert talk

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def said(text, role="user"):
    return {"role": role, "content": text}


@pytest.fixture
def client(cities):
    return cities.service.client


def test_conversation_lives_and_dies(client):
    made = client.conversations.create(items=[said("One")], metadata={"a": "b"})
    assert made.id.startswith("conv_")
    assert client.conversations.retrieve(made.id).to_dict() == made.to_dict()
    assert client.conversations.update(made.id, metadata={"c": "d"}).metadata == {"c": "d"}
    gone = client.conversations.delete(made.id)
    assert gone.to_dict() == {"id": made.id, "object": "conversation.deleted", "deleted": True}
    with pytest.raises(openai.NotFoundError, match="not found"):
        client.conversations.retrieve(made.id)


def test_items_are_added_listed_and_deleted(client):
    made = client.conversations.create()
    assert made.metadata == {}
    added = client.conversations.items.create(made.id, items=[said("One"), said("Two")])
    assert [item.content[0].text for item in added.data] == ["One", "Two"]
    client.conversations.items.create(made.id, items=[said("Three", role="assistant")])
    listed = list(client.conversations.items.list(made.id, limit=2))
    assert [item.content[0].text for item in listed] == ["Three", "Two", "One"]
    assert listed[0].content[0].type == "output_text"
    one = client.conversations.items.retrieve(added.data[0].id, conversation_id=made.id)
    assert one.content[0].text == "One"
    after = client.conversations.items.delete(one.id, conversation_id=made.id)
    assert after.id == made.id
    with pytest.raises(openai.NotFoundError):
        client.conversations.items.retrieve(one.id, conversation_id=made.id)
    rest = client.conversations.items.list(made.id, order="asc", after=one.id).data
    assert [item.content[0].text for item in rest] == ["Two", "Three"]


def test_response_reads_a_conversation_and_goes_on_with_it(cities, client):
    made = client.conversations.create(items=[said(QUESTION)])
    first = cities.ask(input="And what flows through it?", conversation=made.id)
    assert first.conversation.id == made.id
    assert first.output[0].queries[1] == f"{QUESTION} And what flows through it?"
    items = client.conversations.items.list(made.id, order="asc").data
    kinds = [item.type for item in items]
    assert kinds == ["message", "message", "file_search_call", "message"]
    assert items[2].results is None
    seen = client.conversations.items.list(made.id, include=["file_search_call.results"]).data
    assert seen[1].results
    assert client.responses.retrieve(first.id).conversation.id == made.id
    second = cities.ask(input="And Rome?", conversation={"id": made.id})
    assert len(client.conversations.items.list(made.id).data) == 7
    assert "conversation" not in cities.ask().to_dict()
    assert second.status == "completed"


def test_stored_items_can_be_referred_to(talk):
    client = talk.cities.service.client
    talk.says("It is Paris [1].")
    first = talk.ask()
    reference = {"type": "item_reference", "id": first.output[-1].id}
    talk.says("Sure.")
    second = talk.ask(input=[said("Who?"), reference, said("Really?")])
    told = [m["content"] for m in talk.script.requests[-1]["messages"][1:]]
    assert told[:2] == ["Who?", "It is Paris."]
    items = client.responses.input_items.list(second.id).data
    assert first.output[-1].id in {item.id for item in items}
    missing = {"type": "item_reference", "id": "msg_0"}
    refused(talk.cities.post(**talk.fields(input=[missing, said("?")])), 404)


@pytest.mark.parametrize(
    ("fields", "status", "param"),
    [
        ({"conversation": "conv_0"}, 404, None),
        ({"conversation": "vs_0"}, 400, "conversation"),
        ({"conversation": 5}, 400, "conversation"),
        (
            {"conversation": "conv_0", "previous_response_id": "resp_0"},
            400,
            "previous_response_id",
        ),
    ],
)
def test_bad_conversation_is_refused(cities, fields, status, param):
    assert refused(cities.post(**fields), status)["param"] == param


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"items": [said("x")] * 21}, "items"),
        ({"items": "x"}, "items"),
        ({"items": [{"role": "robot", "content": "x"}]}, "items[0].role"),
        ({"metadata": {"a": 1}}, "metadata.a"),
    ],
)
def test_bad_conversation_body_is_refused(cities, body, param):
    raw = cities.service.raw
    assert refused(raw.post("/v1/conversations", json=body), 400)["param"] == param


def test_items_are_needed_where_they_are_added(cities, client):
    made = client.conversations.create()
    reply = cities.service.raw.post(f"/v1/conversations/{made.id}/items", json={})
    assert refused(reply, 400)["param"] == "items"


# --- files and images in messages ---------------------------------------------------------


def with_part(talk: Talk, **part):
    content = [{"type": "input_text", "text": "What is this?"}, part]
    return talk.ask(input=[{"role": "user", "content": content}], tools=[])


def test_text_of_a_file_goes_to_the_model(talk):
    file = upload(talk.cities.service, name="note.md", content=b"# Note\n\nBuy milk.")
    talk.says("Milk.")
    with_part(talk, type="input_file", file_id=file.id)
    told = talk.script.requests[-1]["messages"][-1]["content"]
    assert told.startswith("File 'note.md':\n# Note\n\nBuy milk.")
    assert told.endswith("What is this?")
    data = "data:text/plain;base64," + base64.b64encode(b"Buy bread.").decode()
    with_part(talk, type="input_file", file_data=data, filename="b.txt")
    assert "Buy bread." in talk.script.prompt


def test_file_is_cut_at_its_budget(talk):
    file = upload(talk.cities.service, name="long.txt", content=b"word " * 5000)
    talk.says("Long.")
    content = [{"type": "input_file", "file_id": file.id}]
    talk.ask(input=[{"role": "user", "content": content}], sourcebook={"max_tokens": 100})
    assert 50 <= talk.script.prompt.count("word") <= 110
    assert "did not fit" in talk.script.prompt


def test_file_that_cannot_be_read_is_refused(talk):
    content = [{"type": "input_file", "file_id": "file-0"}]
    body = talk.fields(input=[{"role": "user", "content": content}])
    refused(talk.cities.post(**body), 404)
    content = [{"type": "input_file", "file_data": "%%%", "filename": "a.txt"}]
    body = talk.fields(input=[{"role": "user", "content": content}])
    refused(talk.cities.post(**body), 400)
    zeros = base64.b64encode(b"\x00\x01\x02\xff" * 50).decode()
    content = [{"type": "input_file", "file_data": zeros, "filename": "a.bin"}]
    body = talk.fields(input=[{"role": "user", "content": content}])
    refused(talk.cities.post(**body), 400)


def test_image_goes_to_the_model(talk):
    talk.says("A dot.")
    url = "data:image/png;base64," + base64.b64encode(PNG).decode()
    response = with_part(talk, type="input_image", image_url=url)
    sent = talk.script.requests[-1]["messages"][-1]["content"]
    assert sent[1] == {"type": "image_url", "image_url": {"url": url}}
    file = upload(talk.cities.service, name="dot.png", content=PNG)
    with_part(talk, type="input_image", file_id=file.id)
    assert talk.script.requests[-1]["messages"][-1]["content"] == sent
    items = talk.cities.service.client.responses.input_items.list(response.id).data
    assert items[0].content[1].image_url == url


def test_extractive_sees_neither(cities):
    content = [{"type": "input_text", "text": "?"}, {"type": "input_file", "file_id": "file-1"}]
    error = refused(cities.post(input=[{"role": "user", "content": content}]), 400)
    assert error["param"] == "input[0].content[1].type"
    assert message(cities.ask()).text


CALL = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}


def test_items_are_kept_as_their_kind_has_them(client):
    part = {"type": "input_text", "text": "sunny", "extra": [1]}
    output = {"type": "function_call_output", "call_id": "c1", "output": [part], "surprise": 5}
    conversation = client.conversations.create(items=[{**CALL, "surprise": {}}, output])
    newest, first = client.conversations.items.list(conversation.id)
    assert set(first.to_dict()) == {"id", "type", "status", "call_id", "name", "arguments"}
    assert set(newest.to_dict()) == {"id", "type", "status", "call_id", "output"}
    assert newest.to_dict()["output"] == [{"type": "input_text", "text": "sunny"}]


@pytest.mark.parametrize(
    ("item", "param"),
    [
        ({"output": 5}, "output"),
        ({"output": None}, "output"),
        ({"output": {"text": "x"}}, "output"),
        ({"output": ["x"]}, "output[0]"),
        ({"output": [{"type": "input_text", "text": 5}]}, "output[0].text"),
        ({"output": [{"type": "video"}]}, "output[0].type"),
        ({"output": [{"type": "input_image", "image_url": 7}]}, "output[0].image_url"),
        ({"type": "file_search_call", "results": [{"text": 5}]}, "results[0].text"),
        ({"type": "file_search_call", "results": [{"score": "1"}]}, "results[0].score"),
        ({"type": "reasoning", "content": [5]}, "content"),
        ({"type": "reasoning", "encrypted_content": 5}, "encrypted_content"),
        ({"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": 5}]},
         "content[0].refusal"),
    ],
)  # fmt: skip
def test_malformed_items_are_refused_by_their_path(cities, item, param):
    output = {"type": "function_call_output", "call_id": "c1"}
    body = {"items": [CALL, {**output, **item}]}
    error = refused(cities.service.raw.post("/v1/conversations", json=body), 400)
    assert error["param"] == f"items[1].{param}"
