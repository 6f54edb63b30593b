"""Values of every JSON type in every place of a response's body: refused, or served in shape.

The client's hook holds each reply to both documents; a crash would be a 500.
"""

from __future__ import annotations

import pytest

JUNK = [[], {}, 5, True, "x", None, [None], {"type": []}, [{}], [[]], ""]
FIELDS = (
    "input", "tools", "tool_choice", "text", "reasoning", "include", "conversation", "metadata",
    "previous_response_id", "stream_options", "store", "truncation", "instructions", "prompt",
)  # fmt: skip


def items(junk):
    """Input items with `junk` somewhere in them."""
    user, assistant = {"role": "user"}, {"role": "assistant"}
    return [
        {"type": junk},
        {"role": junk, "content": "a"},
        {**user, "content": junk},
        {**user, "content": [junk]},
        {**user, "content": [{"type": junk, "text": "a"}]},
        {**user, "content": [{"type": "input_text", "text": junk}]},
        {**user, "content": [{"type": "input_image", "image_url": junk, "file_id": junk}]},
        {**user, "content": [{"type": "input_file", "file_data": junk, "filename": junk}]},
        {**user, "content": "a", "id": junk, "status": junk, "phase": junk},
        {**assistant, "content": [{"type": "output_text", "text": "a", "annotations": [junk]}]},
        {**assistant, "content": [{"type": "refusal", "refusal": junk}]},
        {"type": "file_search_call", "id": junk, "queries": junk, "results": junk},
        {"type": "file_search_call", "status": junk},
        {"type": "reasoning", "id": "rs_1", "summary": junk},
        {"type": "function_call", "call_id": junk, "name": "a", "arguments": "{}"},
        {"type": "function_call", "call_id": "c", "name": "a", "arguments": junk, "status": junk},
        {"type": "function_call_output", "call_id": "c", "output": junk},
        {"type": "compaction", "encrypted_content": junk},
        {"type": "item_reference", "id": junk},
    ]


def tools(junk):
    """Tools with `junk` somewhere in them."""
    return [
        {"type": junk, "name": "f"},
        {"type": "file_search", "vector_store_ids": junk},
        {"type": "file_search", "vector_store_ids": ["vs_1"], "filters": junk},
        {"type": "file_search", "vector_store_ids": ["vs_1"], "ranking_options": junk},
        {"type": "function", "name": junk, "parameters": junk, "strict": junk},
    ]


def bodies(junk):
    """Bodies of a response with `junk` in one place each."""
    plain = {"model": "extractive", "input": "hi"}
    changes = [{field: junk} for field in FIELDS]
    changes += [{"input": [item, {"role": "user", "content": "hi"}]} for item in items(junk)]
    changes += [{"tools": [tool]} for tool in tools(junk)]
    changes += [
        {"tool_choice": {"type": junk, "mode": junk, "tools": junk}},
        {"tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [junk]}},
        {"text": {"format": {"type": junk}}},
        {"text": {"format": {"type": "json_schema", "name": "a", "schema": junk}}},
    ]
    return [{**plain, **change} for change in changes]


@pytest.mark.parametrize("junk", JUNK, ids=repr)
def test_junk_is_refused_or_served_in_shape(service, junk):
    for body in bodies(junk):
        made = service.raw.post("/v1/responses", json=body)
        assert made.status_code in (200, 400, 404), (body, made.text)
        if made.is_success:
            items_of = service.raw.get(f"/v1/responses/{made.json()['id']}/input_items")
            assert items_of.status_code == 200
        counted = service.raw.post("/v1/responses/input_tokens", json=body)
        assert counted.status_code in (200, 400, 404), (body, counted.text)


@pytest.mark.parametrize("junk", JUNK, ids=repr)
def test_junk_in_a_conversation_is_refused_or_listed_in_shape(service, junk):
    for item in items(junk):
        made = service.raw.post("/v1/conversations", json={"items": [item]})
        assert made.status_code in (200, 400, 404), (item, made.text)
        if made.is_success:
            listed = service.raw.get(f"/v1/conversations/{made.json()['id']}/items")
            assert listed.status_code == 200
