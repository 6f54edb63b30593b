"""Tools of a language model: searches of its own, and functions that the client runs."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from chat_server import calling
from test_api_files import refused
from test_responses_api import QUESTION, cities, message
from test_responses_llm import PARIS, Talk, script, service, talk

from api.answer import llm

assert cities
assert script
assert service
assert talk

WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather of a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}
ROME = '{"city": "Rome"}'


def search_call(*queries: str, index: int = 0):
    text = json.dumps({"queries": queries})
    return calling("file_search", text[:7], text[7:], index=index)


def tools(talk: Talk):
    return [talk.cities.tool(), WEATHER]


def test_model_searches_again_with_queries_of_its_own(talk):
    talk.says(PARIS, " [1]. Rome is Italy's [2].")
    talk.script.rounds = [["Let me look. ", *search_call("capital of Italy", "Rome")]]
    events = talk.stream()
    final = events[-1]["response"]
    assert [item["type"] for item in final["output"]] == [
        "file_search_call", "message", "file_search_call", "message",
    ]  # fmt: skip
    assert final["output"][0]["queries"] == [QUESTION]
    assert final["output"][2]["queries"] == ["capital of Italy", "Rome"]
    assert [a["index"] for a in final["output"][3]["content"][0]["annotations"]] == [30, 47]
    told = talk.script.requests[-1]["messages"]
    assert [m["role"] for m in told] == ["system", "user", "assistant", "tool"]
    assert told[2]["tool_calls"][0]["function"]["name"] == "file_search"


def test_what_is_found_twice_is_told_once_and_numbers_go_on(talk):
    tool = talk.cities.tool(filters={"type": "eq", "key": "city", "value": "rome"})
    other = talk.cities.tool()
    talk.says("Oslo is the capital of Norway [2].")
    talk.script.rounds = [search_call("Oslo Norway")]
    response = talk.ask(input="Rome?", tools=[tool, other], max_tool_calls=3)
    assert len([item for item in response.output if item.type == "file_search_call"]) == 3


def test_max_tool_calls_counts_searches(talk):
    talk.says("Done [1].")
    talk.script.rounds = [search_call("a"), search_call("b"), search_call("c")]
    response = talk.ask(max_tool_calls=2)
    assert [item.type for item in response.output] == ["file_search_call"] * 2 + ["message"]
    assert "tools" not in talk.script.requests[-1]


def test_a_model_that_only_searches_is_stopped(talk):
    talk.says(*search_call("again"))
    response = talk.ask()
    assert response.status == "completed"
    assert len(talk.script.requests) == llm.MAX_ROUNDS


def test_calls_that_cannot_be_read_are_told_to_the_model(talk):
    talk.says("Done [1].")
    talk.script.rounds = [calling("file_search", '{"queries": [')]
    assert talk.ask().output_text == "Done."
    assert "could not be read" in talk.script.requests[-1]["messages"][-1]["content"]


def test_server_without_tools_gets_the_search_before(talk):
    talk.says(f"{PARIS} [1].", no_tools=True, error={"message": "this model takes no tools"})
    try:
        assert talk.ask().output_text == f"{PARIS}."
        assert talk.ask().output_text == f"{PARIS}."
        assert ["tools" in each for each in talk.script.requests] == [True, False, False]
        error = refused(talk.cities.post(**talk.fields(tools=tools(talk))), 400)
        assert error["param"] == "tools"
    finally:
        llm._WITHOUT_TOOLS.clear()


def test_model_alone_decides_about_searches(talk, monkeypatch):
    engine = talk.cities.service.engine
    monkeypatch.setattr(engine, "settings", replace(engine.settings, llm_retrieval="tool"))
    talk.says("Hello!")
    response = talk.ask(input="Hi")
    assert [item.type for item in response.output] == ["message"]
    talk.says(f"{PARIS} [1].")
    talk.script.rounds = [search_call("capital of France")]
    response = talk.ask()
    assert [item.type for item in response.output] == ["file_search_call", "message"]
    assert response.output[0].queries == ["capital of France"]
    assert message(response).annotations[0].filename == "paris.txt"
    talk.says("Yes.")
    forced = talk.ask(tool_choice="required")
    assert forced.output[0].queries == [QUESTION]
    monkeypatch.setattr(engine, "settings", replace(engine.settings, llm_retrieval="forced"))
    talk.says("Yes.")
    talk.ask()
    assert "tools" not in talk.script.requests[-1]


# --- functions of the client --------------------------------------------------------------


def test_function_goes_to_the_client_and_back(talk):
    talk.says(*calling("get_weather", '{"city": ', '"Rome"}'))
    first = talk.ask(input="Weather in Rome?", tools=tools(talk))
    call = first.output[-1]
    assert (call.type, call.name, call.arguments, call.status) == (
        "function_call", "get_weather", ROME, "completed",
    )  # fmt: skip
    assert first.status == "completed"
    assert first.to_dict()["tools"][1] == {**WEATHER, "strict": True}
    talk.says("It rains in Rome.")
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "rain"}
    second = talk.ask(input=[result], previous_response_id=first.id, tools=tools(talk))
    assert second.output_text == "It rains in Rome."
    told = talk.script.requests[-1]["messages"]
    assert [m["role"] for m in told][-3:] == ["user", "assistant", "tool"]
    assert told[-1] == {"role": "tool", "tool_call_id": call.call_id, "content": "rain"}
    assert talk.script.requests[-1]["tools"][-1]["function"]["name"] == "get_weather"


def test_function_call_streams_in_order(talk):
    talk.says(*calling("get_weather", ROME))
    events = talk.stream(tools=[WEATHER])
    kinds = [event["type"].removeprefix("response.") for event in events]
    assert kinds == [
        "created", "in_progress", "output_item.added", "function_call_arguments.delta",
        "function_call_arguments.done", "output_item.done", "completed",
    ]  # fmt: skip
    assert events[2]["item"]["arguments"] == ""
    assert events[4]["name"] == "get_weather"
    assert events[5]["item"]["arguments"] == ROME


def test_client_parses_a_stream_with_calls(talk):
    talk.says(*calling("get_weather", ROME), *calling("get_weather", ROME, index=1))
    client = talk.cities.service.client
    with client.responses.stream(model="scripted", input="?", tools=[WEATHER]) as stream:
        list(stream)
        final = stream.get_final_response()
    assert [item.arguments for item in final.output] == [ROME, ROME]


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        ("auto", None),
        ("required", "required"),
        (
            {"type": "function", "name": "get_weather"},
            {"type": "function", "function": {"name": "get_weather"}},
        ),
        (
            {
                "type": "allowed_tools",
                "mode": "required",
                "tools": [{"type": "function", "name": "get_weather"}],
            },
            "required",
        ),
    ],
)
def test_tool_choice_reaches_the_model(talk, choice, sent):
    talk.says(*calling("get_weather", ROME))
    offered = tools(talk) if isinstance(choice, dict) else [WEATHER]
    response = talk.ask(tools=offered, tool_choice=choice)
    assert talk.script.requests[-1].get("tool_choice") == sent
    assert response.to_dict()["tool_choice"] == choice
    names = [tool["function"]["name"] for tool in talk.script.requests[-1]["tools"]]
    assert names == ["get_weather"]


def test_no_tools_when_none_may_be_chosen(talk):
    talk.says("Hello.")
    assert talk.ask(tools=tools(talk), tool_choice="none").output_text == "Hello."
    assert "tools" not in talk.script.requests[-1]


def test_one_call_at_a_time_if_so_asked(talk):
    talk.says(*calling("get_weather", ROME), *calling("get_weather", ROME, index=1))
    response = talk.ask(tools=[WEATHER], parallel_tool_calls=False)
    assert len(response.output) == 1
    assert talk.script.requests[-1]["parallel_tool_calls"] is False


def test_calls_of_what_was_never_offered_are_dropped(talk):
    talk.says("Hm.", *calling("delete_everything", "{}"))
    response = talk.ask(tools=[WEATHER])
    assert [item.type for item in response.output] == ["message"]


def test_call_that_the_token_limit_cuts_is_incomplete(talk):
    talk.says(*calling("get_weather", '{"city": "Ro'), finish_reason="length")
    final = talk.stream(tools=[WEATHER])[-1]["response"]
    assert final["status"] == "incomplete"
    assert final["output"][-1]["status"] == "incomplete"
    talk.says("Once more, then.")
    assert talk.ask(input="Go on.", previous_response_id=final["id"]).status == "completed"


def test_call_with_broken_json_fails(talk):
    talk.says(*calling("get_weather", '{"city": '))
    final = talk.stream(tools=[WEATHER])[-1]["response"]
    assert final["status"] == "failed"
    assert final["output"] == []


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": [{**WEATHER, "name": "file_search"}]}, "tools"),
        ({"tools": [WEATHER, WEATHER]}, "tools"),
        ({"tools": [{**WEATHER, "name": "with space"}]}, "tools[0].name"),
        ({"tool_choice": {"type": "function", "name": "other"}, "tools": [WEATHER]}, "tool_choice"),
        ({"tool_choice": {"type": "file_search"}, "tools": [WEATHER]}, "tool_choice"),
        (
            {"input": [{"role": "user", "content": "a"},
                       {"type": "function_call_output", "call_id": "c", "output": "x"}]},
            "input",
        ),
        (
            {"input": [{"role": "user", "content": "a"},
                       {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}]},
            "input",
        ),
        ({"input": [{"type": "function_call_output", "output": "x"}]}, "input[0].call_id"),
    ],
)  # fmt: skip
def test_tools_that_do_not_fit_are_refused(talk, fields, param):
    assert refused(talk.cities.post(**talk.fields(**fields)), 400)["param"] == param
