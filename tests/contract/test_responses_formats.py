"""Formats and limits: JSON schemas, context, output tokens, counting."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from test_api_files import refused
from test_responses_api import QUESTION, cities, message
from test_responses_llm import script, service, talk

assert cities
assert script
assert service
assert talk


def schema(properties, **more):
    inner = {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
    return {"format": {"type": "json_schema", "name": "n", "schema": inner, **more}}


CAPITAL = schema({"capital": {"type": "string"}}, strict=True)


# --- JSON schemas with a language model ---------------------------------------------------


def test_schema_goes_to_the_model_and_is_shown(talk):
    talk.says('{"capital": "Paris [1]."}')
    response = talk.ask(text=CAPITAL)
    assert json.loads(message(response).text) == {"capital": "Paris."}
    assert talk.script.requests[-1]["response_format"] == {
        "type": "json_schema",
        "json_schema": {
            "name": "n", "schema": CAPITAL["format"]["schema"], "strict": True,
        },
    }  # fmt: skip
    assert response.to_dict()["text"]["format"] == CAPITAL["format"]


@pytest.mark.parametrize("answer", ['{"city": "Paris"}', "Paris", '{"capital": 5}'])
def test_answer_that_does_not_fit_a_strict_schema_fails(talk, answer):
    talk.says(answer)
    final = talk.stream(text=CAPITAL)[-1]
    assert final["type"] == "response.failed"
    assert "does not fit" in final["response"]["error"]["message"]


def test_schema_that_is_not_strict_is_a_wish(talk):
    talk.says('{"city": "Paris"}')
    assert talk.ask(text=schema({"capital": {"type": "string"}})).status == "completed"


def test_answer_cut_by_the_limit_is_not_held_to_its_schema(talk):
    talk.says('{"capital": "Par', finish_reason="length")
    assert talk.ask(text=CAPITAL).status == "incomplete"


def test_references_are_not_fetched(talk):
    talk.says('{"a": 1}')
    remote = schema({"a": {"$ref": "http://127.0.0.1:9/x.json"}}, strict=True)
    final = talk.stream(text=remote)[-1]
    assert "refers to what is not in it" in final["response"]["error"]["message"]


@pytest.mark.parametrize("bad", [{"type": "objekt"}, {"type": "array"}, {"properties": 5}])
def test_what_is_no_schema_is_refused(talk, bad):
    text = {"format": {"type": "json_schema", "name": "n", "schema": bad}}
    error = refused(talk.cities.post(**talk.fields(text=text)), 400)
    assert (error["param"], error["code"]) == ("text.format.schema", "invalid_json_schema")


# --- JSON schemas from quotes -------------------------------------------------------------


def test_extractive_fills_a_schema_with_quotes(cities):
    text = schema(
        {
            "capital": {"type": "string", "description": "capital of France"},
            "quotes": {"type": "array", "items": {"type": "string"}},
            "population": {"type": ["number", "null"]},
        },
        strict=True,
    )
    part = message(cities.ask(text=text, sourcebook={"places": True}))
    found = json.loads(part.text)
    assert found["capital"].startswith("Paris is the capital of France.")
    assert found["quotes"][0].startswith("Paris is the capital of France.")
    assert found["population"] is None
    assert part.annotations
    for annotation in part.annotations:
        assert part.text[annotation.index] == '"'
        assert annotation.sourcebook["quote"]


def test_extractive_fills_numbers_that_stand_in_the_text(service):
    from test_api_files import upload  # noqa: PLC0415 - for this test alone

    client = service.client
    store = client.vector_stores.create()
    text = b"The bridge over the river is 1,250 metres long. It was opened in 1932."
    file = upload(service, name="bridge.txt", content=text)
    client.vector_stores.files.create_and_poll(file.id, vector_store_id=store.id)
    response = client.responses.create(
        model="extractive",
        input="How long is the bridge over the river?",
        tools=[{"type": "file_search", "vector_store_ids": [store.id]}],
        text=schema({"length": {"type": "integer", "description": "metres"}}),
    )
    assert json.loads(response.output_text) == {"length": 1250}
    assert message(response).annotations[0].index == len('{"length": 1250')


@pytest.mark.parametrize(
    "properties",
    [
        {},
        {"a": {"type": "boolean"}},
        {"a": {"type": "string", "enum": ["x"]}},
        {"a": {"type": "array", "items": {"type": "number"}}},
        {"a": {"$ref": "#/x"}},
    ],
)
def test_schema_that_quotes_cannot_fill_is_refused(cities, properties):
    assert refused(cities.post(text=schema(properties)), 400)["param"] == "text.format"


def test_number_that_no_file_gives_is_refused(cities):
    text = schema({"population": {"type": "number"}})
    assert refused(cities.post(text=text), 400)["param"] == "text.format"


# --- what a model can read ----------------------------------------------------------------


@pytest.fixture
def small(talk, monkeypatch):
    """The language model reads and writes 400 tokens in all."""
    engine = talk.cities.service.engine
    monkeypatch.setattr(engine, "settings", replace(engine.settings, llm_context_tokens=400))
    return talk


LONG = [
    {"role": "system", "content": "Be brief."},
    *[{"role": "user", "content": f"Old {number}: " + "word " * 60} for number in range(8)],
    {"role": "user", "content": "What now?"},
]


def test_too_long_a_conversation_is_refused(small):
    error = refused(small.cities.post(**small.fields(input=LONG, tools=[], stream=True)), 400)
    assert (error["param"], error["code"]) == ("input", "context_length_exceeded")


def test_truncation_keeps_instructions_and_the_newest(small):
    small.says("Fine.")
    response = small.ask(input=LONG, tools=[], truncation="auto")
    told = [message["content"][:6] for message in small.script.requests[-1]["messages"]]
    assert told[0] == "Be bri"
    assert told[-1] == "What n"
    assert told[-2] == "Old 7:"
    assert "Old 0:" not in told
    assert response.truncation == "auto"


def test_sources_leave_room_for_the_conversation(small):
    small.says("Fine [1].")
    small.ask(input=LONG, truncation="auto")
    assert 1 <= small.script.prompt.count("\n[") <= 3


def test_output_limit_is_shared_by_the_rounds_of_a_response(talk):
    from test_responses_tools import search_call  # noqa: PLC0415 - for this test alone

    usage = {"prompt_tokens": 5, "completion_tokens": 30, "total_tokens": 35}
    talk.says("Done [1].", usage=usage)
    talk.script.rounds = [search_call("Rome")]
    response = talk.ask(max_output_tokens=50)
    assert [each["max_tokens"] for each in talk.script.requests] == [50, 20]
    assert (response.usage.input_tokens, response.usage.output_tokens) == (10, 60)


# --- counting, echo -----------------------------------------------------------------------


def test_input_tokens_are_counted(cities):
    count = cities.service.client.responses.input_tokens.count
    short = count(model="extractive", input="One two three.").input_tokens
    assert short > 0
    assert count(model="extractive", input="One two three. " * 10).input_tokens > 5 * short
    more = count(model="extractive", input="One two three.", instructions="Be brief.")
    assert more.input_tokens > short
    first = cities.ask()
    chained = count(model="extractive", input="And?", previous_response_id=first.id)
    assert chained.input_tokens > count(model="extractive", input="And?").input_tokens
    assert count().input_tokens == 0
    reply = cities.service.raw.post("/v1/responses/input_tokens", json={"input": 5})
    assert refused(reply, 400)["param"] == "input"


def test_reasoning_is_passed_on_and_repeated(talk):
    talk.says("Fine.")
    response = talk.ask(reasoning={"effort": "high", "summary": "auto"})
    assert talk.script.requests[-1]["reasoning_effort"] == "high"
    assert response.to_dict()["reasoning"] == {"effort": "high", "summary": "auto"}
    assert QUESTION in talk.script.prompt
