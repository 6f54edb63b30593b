"""/v1/responses with the extractive model, the unmodified client and the published schema."""

from __future__ import annotations

import json
from dataclasses import dataclass

import openai
import pytest
from conformance import document, validator, without_extension
from http_service import Service
from jsonschema import Draft202012Validator
from test_api_files import refused, upload

TEXTS = {
    "paris.txt": "Paris is the capital of France. The Seine flows through it.",
    "rome.txt": "Rome is the capital of Italy. It was not built in a day.",
    "oslo.txt": "Oslo is the capital of Norway. In winter it is cold there.",
}
QUESTION = "What is the capital of France?"
KEYS = {
    "id", "object", "created_at", "status", "completed_at", "background", "store", "error",
    "incomplete_details", "instructions", "max_output_tokens", "max_tool_calls",
    "previous_response_id", "prompt_cache_key", "prompt_cache_retention", "safety_identifier",
    "user", "model", "output", "parallel_tool_calls", "reasoning", "service_tier", "temperature",
    "top_p", "presence_penalty", "frequency_penalty", "text", "tool_choice", "tools",
    "top_logprobs", "truncation", "usage", "metadata",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cities:
    service: Service
    store_id: str
    ids: dict[str, str]

    def tool(self, **options):
        return {"type": "file_search", "vector_store_ids": [self.store_id], **options}

    def body(self, **fields):
        return {
            "model": "extractive", "input": QUESTION, "tools": [self.tool()], **fields,
        }  # fmt: skip

    def ask(self, *, sourcebook=None, **fields):
        extra = {"sourcebook": sourcebook} if sourcebook else None
        return self.service.client.responses.create(**self.body(**fields), extra_body=extra)

    def post(self, **fields):
        return self.service.raw.post("/v1/responses", json=self.body(**fields))


@pytest.fixture(scope="module")
def cities(service) -> Cities:
    store = service.client.vector_stores.create()
    ids = {
        name: upload(service, name=name, content=text.encode()).id for name, text in TEXTS.items()
    }
    batch = service.client.vector_stores.file_batches.create_and_poll(
        store.id,
        files=[{"file_id": ids[name], "attributes": {"city": name[:-4]}} for name in TEXTS],
    )
    assert batch.file_counts.completed == len(TEXTS)
    return Cities(service, store.id, ids)


def message(response):
    return response.output[-1].content[0]


def test_answer_is_quoted_and_cited_before_its_full_stop(cities):
    response = cities.ask()
    part = message(response)
    assert part.text.startswith("Paris is the capital of France.")
    (citation,) = part.annotations[:1]
    assert citation.to_dict() == {
        "type": "file_citation",
        "file_id": cities.ids["paris.txt"],
        "filename": "paris.txt",
        "index": len("Paris is the capital of France. The Seine flows through it"),
    }
    assert [item.type for item in response.output] == ["file_search_call", "message"]
    assert response.output[0].queries == [QUESTION]
    assert response.output[0].results is None


def test_response_has_every_key_and_echoes_the_request(cities):
    asked = {
        "instructions": "Be brief.", "metadata": {"a": "b"}, "temperature": 0.5, "top_p": 0.9,
        "parallel_tool_calls": False, "user": "u", "max_output_tokens": 500, "truncation": "auto",
        "text": {"verbosity": "low"}, "reasoning": {"effort": "low"}, "max_tool_calls": 3,
    }  # fmt: skip
    body = cities.post(**asked).json()
    assert set(body) == KEYS
    for name in set(asked) - {"text", "reasoning"}:
        assert body[name] == asked[name]
    assert body["text"] == {"format": {"type": "text"}, "verbosity": "low"}
    assert body["reasoning"] == {"effort": "low", "summary": None}
    assert (body["status"], body["service_tier"]) == ("completed", "default")
    assert (body["presence_penalty"], body["frequency_penalty"]) == (0.0, 0.0)
    assert body["completed_at"] >= body["created_at"]
    assert body["usage"]["input_tokens"] > body["usage"]["output_tokens"] > 0
    assert body["tools"] == [
        {
            "type": "file_search",
            "filters": None,
            "max_num_results": 20,
            "ranking_options": {"ranker": "auto", "score_threshold": 0.0},
            "vector_store_ids": [cities.store_id],
        }
    ]


def test_results_and_places_come_only_when_asked_for(cities):
    plain = cities.post().json()
    assert "sourcebook" not in json.dumps(plain)
    body = cities.post(include=["file_search_call.results"], sourcebook={"places": True}).json()
    first = body["output"][0]["results"][0]
    assert first["file_id"] == cities.ids["paris.txt"]
    assert first["text"] == TEXTS["paris.txt"]
    assert first["attributes"] == {"city": "paris"}
    assert first["vector_store_id"] == cities.store_id
    place = body["output"][-1]["content"][0]["annotations"][0]["sourcebook"]
    quote = TEXTS["paris.txt"][place["start_char"] : place["end_char"]]
    assert place["quote"] == quote
    assert "Paris is the capital of France." in quote
    assert 0 < place["score"] <= 1
    assert place["hit_id"] == first["sourcebook"]["id"]
    assert place["first_line"] == 1


def test_stored_response_shows_places_and_results_later(cities):
    made = cities.ask()
    path = f"/v1/responses/{made.id}"
    get = cities.service.raw.get
    assert get(path).json() == made.to_dict()
    assert get(path, params={"include[]": "file_search_call.results"}).json()["output"][0][
        "results"
    ]
    shown = get(path, params={"sourcebook": "places"}).json()
    assert shown["output"][-1]["content"][0]["annotations"][0]["sourcebook"]["quote"]
    assert shown["output"][0]["results"] is None


def test_deleted_and_unstored_responses_are_not_found(cities):
    client = cities.service.client
    made = cities.ask()
    deleted = cities.service.raw.delete(f"/v1/responses/{made.id}").json()
    assert deleted == {"id": made.id, "object": "response.deleted", "deleted": True}
    for missing in (made.id, cities.ask(store=False).id):
        with pytest.raises(openai.NotFoundError, match="not found"):
            client.responses.retrieve(missing)


def test_input_items_are_listed_newest_first(cities):
    made = cities.ask(
        input=[{"role": "system", "content": "Be brief."}, {"role": "user", "content": QUESTION}]
    )
    items = cities.service.client.responses.input_items.list(made.id).data
    assert [item.role for item in items] == ["user", "system"]
    assert items[0].content[0].text == QUESTION
    oldest = cities.service.client.responses.input_items.list(made.id, limit=1, order="asc")
    assert oldest.data[0].role == "system"
    assert oldest.has_more


def test_filter_limits_what_can_be_cited(cities):
    tool = cities.tool(filters={"type": "eq", "key": "city", "value": "rome"}, max_num_results=1)
    response = cities.ask(tools=[tool], include=["file_search_call.results"])
    (result,) = response.output[0].results
    assert result.filename == "rome.txt"
    assert all(each.filename == "rome.txt" for each in message(response).annotations)


def test_files_that_do_not_tell_are_not_quoted(cities):
    part = message(cities.ask(input="Whose bicycle won yesterday's marathon jamboree?"))
    assert part.text == "The files do not tell."
    assert part.annotations == []


def test_follow_up_question_searches_with_its_subject(cities):
    first = cities.ask()
    second = cities.ask(input="And what flows through it?", previous_response_id=first.id)
    assert second.output[0].queries[1] == f"{QUESTION} And what flows through it?"
    assert second.previous_response_id == first.id
    assert "paris.txt" in {each.filename for each in message(second).annotations}


@pytest.mark.parametrize(
    "choice", ["required", {"type": "file_search"},
               {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "file_search"}]}]
)  # fmt: skip
def test_tool_choice_that_searches(cities, choice):
    response = cities.ask(tool_choice=choice)
    assert response.output[0].type == "file_search_call"
    assert response.to_dict()["tool_choice"] == choice


def test_tool_choice_none_does_not_search(cities):
    response = cities.ask(tool_choice="none")
    assert [item.type for item in response.output] == ["message"]
    assert "No files were searched" in message(response).text


def test_json_object_is_json_with_its_citations_inside_the_quotes(cities):
    part = message(cities.ask(text={"format": {"type": "json_object"}}))
    found = json.loads(part.text)
    assert found["found"]
    assert found["quotes"][0]["filename"] == "paris.txt"
    assert part.text[part.annotations[0].index] == "."


def test_output_stops_at_its_token_limit(cities):
    response = cities.ask(max_output_tokens=16, input="Rome capital Italy, Paris France, Oslo?")
    assert response.usage.output_tokens <= 16
    if response.status == "incomplete":
        assert response.incomplete_details.reason == "max_output_tokens"
        assert response.output[-1].status == "incomplete"


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"model": "gpt-0"}, "model", "model_not_found"),
        ({"model": None}, "model", None),
        ({"input": None}, "input", "missing_required_parameter"),
        ({"input": "  "}, "input", "empty_string"),
        ({"input": 5}, "input", "invalid_type"),
        ({"input": [{"role": "robot", "content": "x"}]}, "input[0].role", "invalid_value"),
        ({"input": [{"type": "spell"}]}, "input[0].type", "invalid_value"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image"}]}]},
            "input[0].content[0].image_url",
            "missing_required_parameter",
        ),
        (
            {
                "input": [
                    {
                        "role": "user",
                        "content": [
                            {"type": "input_image", "image_url": "https://example.org/a.png"}
                        ],
                    }
                ]
            },
            "input[0].content[0].type",
            "invalid_value",
        ),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type", "invalid_value"),
        ({"tools": [{"type": "function"}]}, "tools[0].name", "missing_required_parameter"),
        (
            {"tools": [{"type": "file_search"}]},
            "tools[0].vector_store_ids",
            "missing_required_parameter",
        ),
        (
            {"tools": [{"type": "file_search", "vector_store_ids": []}]},
            "tools[0].vector_store_ids",
            "empty_array",
        ),
        (
            {"tools": [{"type": "file_search", "vector_store_ids": ["vs_1"], "k": 1}]},
            "tools[0].k",
            "unknown_parameter",
        ),
        ({"tools": [], "tool_choice": "required"}, "tool_choice", "invalid_value"),
        ({"tool_choice": {"type": "function"}}, "tool_choice.name", "missing_required_parameter"),
        ({"tool_choice": {"type": "function", "name": "f"}}, "tool_choice", "invalid_value"),
        ({"include": ["everything"]}, "include[0]", "invalid_value"),
        ({"temperature": 3}, "temperature", "decimal_above_max_value"),
        ({"max_output_tokens": 1}, "max_output_tokens", "integer_below_min_value"),
        ({"metadata": {"a": 1}}, "metadata.a", "invalid_type"),
        (
            {"text": {"format": {"type": "json_schema", "name": "n", "schema": {}}}},
            "text.format",
            "invalid_value",
        ),
        (
            {"previous_response_id": "resp_0"},
            "previous_response_id",
            "previous_response_not_found",
        ),
        ({"background": True, "store": False}, "background", "invalid_value"),
        ({"stream": True, "model": "gpt-0"}, "model", "model_not_found"),
    ],
)
def test_bad_request_names_its_field(cities, fields, param, code):
    error = refused(cities.post(**fields), 400)
    assert error["param"] == param
    assert code is None or error["code"] == code


def test_bad_filter_names_its_path(cities):
    tool = cities.tool(filters={"type": "like", "key": "a", "value": 1})
    error = refused(cities.post(tools=[tool]), 400)
    assert error["param"].startswith("tools[0].filters")


def test_unknown_vector_store_is_not_found(cities):
    tool = {"type": "file_search", "vector_store_ids": ["vs_0"]}
    refused(cities.post(tools=[tool]), 404)


def test_items_of_an_answer_can_be_sent_back(cities):
    first = cities.ask(include=["file_search_call.results"])
    items = [{"role": "user", "content": QUESTION}]
    items += [item.to_dict() for item in first.output]
    second = cities.ask(input=[*items, {"role": "user", "content": "What is Rome's country?"}])
    assert second.status == "completed"


# --- streams ------------------------------------------------------------------------------


def stream_events(cities, **fields):
    """The raw events of a stream, each checked to be framed as the contract says."""
    with cities.service.raw.stream(
        "POST", "/v1/responses", json=cities.body(stream=True, **fields)
    ) as reply:
        assert reply.headers["content-type"] == "text/event-stream; charset=utf-8"
        frames = reply.read().decode().split("\n\n")
    assert frames.pop() == ""
    events = []
    for frame in frames:
        name, data = frame.split("\n")
        events.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {events[-1]['type']}"
    return events


def check_events(events):
    schema = {"$ref": "#/components/schemas/ResponseStreamEvent"}
    checker = Draft202012Validator({**schema, "components": document()["components"]})
    for event in events:
        assert list(checker.iter_errors(without_extension(event))) == []
    assert [event["sequence_number"] for event in events] == list(range(len(events)))


def test_stream_has_the_recorded_order(cities):
    events = stream_events(cities)
    check_events(events)
    kinds = [event["type"].removeprefix("response.") for event in events]
    assert kinds[:9] == [
        "created", "in_progress", "output_item.added", "file_search_call.in_progress",
        "file_search_call.searching", "file_search_call.completed", "output_item.done",
        "output_item.added", "content_part.added",
    ]  # fmt: skip
    assert kinds[9:12] == [
        "output_text.delta", "output_text.annotation.added", "output_text.delta",
    ]  # fmt: skip
    assert kinds[-4:] == [
        "output_text.done", "content_part.done", "output_item.done", "completed",
    ]  # fmt: skip
    assert events[2]["item"]["queries"] == []
    assert events[6]["item"]["queries"] == [QUESTION]
    assert events[0]["response"]["output"] == []
    assert events[0]["response"]["usage"] is None


def test_stream_adds_up_to_the_stored_response(cities):
    events = stream_events(cities, include=["file_search_call.results"])
    final = events[-1]["response"]
    part = final["output"][-1]["content"][0]
    assert "".join(e["delta"] for e in events if "delta" in e) == part["text"]
    added = [e for e in events if e["type"].endswith("annotation.added")]
    assert [e["annotation"] for e in added] == part["annotations"]
    assert [e["annotation_index"] for e in added] == list(range(len(added)))
    params = {"include[]": "file_search_call.results"}
    stored = cities.service.raw.get(f"/v1/responses/{final['id']}", params=params).json()
    assert stored == final


def test_client_parses_the_stream(cities):
    with cities.service.client.responses.stream(
        model="extractive", input=QUESTION, tools=[cities.tool()]
    ) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_response()
    assert kinds[-1] == "response.completed"
    assert final.output_text.startswith("Paris is the capital of France.")
    assert message(final).annotations[0].filename == "paris.txt"


def test_schema_of_a_response_is_the_published_one():
    assert validator("post", "/responses", 200) is not None


@pytest.mark.parametrize("spelling", ["in-memory", "in_memory"])
def test_cache_retention_is_echoed_in_the_spelling_of_today(service: Service, spelling: str):
    response = service.client.responses.create(
        model="extractive", input="Hello", prompt_cache_retention=spelling
    )
    assert response.prompt_cache_retention == "in_memory"


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("instuctions", "instructions"),
        ("max_output_token", "max_output_tokens"),
        ("maxOutputTokens", "max_output_tokens"),
        ("previous_responseid", "previous_response_id"),
        ("temperatrue", "temperature"),
    ],
)
def test_a_misspelt_key_is_refused(cities, key, meant):
    error = refused(cities.post(**{key: None}), 400)
    assert (error["param"], error["code"]) == (key, "unknown_parameter")
    assert f"'{meant}'" in error["message"]


def test_keys_of_newer_clients_are_let_through(cities):
    new = {"moderation": {}, "temperament": 1, "inputs": 1, "modell": "x", "output_tokens": 3}
    assert cities.post(**new).status_code == 200
