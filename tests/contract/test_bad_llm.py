"""A Chat Completions server that behaves badly on purpose, and what clients of ours see of it.

Whatever it does, the stream ends with its right event, what was written stays, the stored response
says the same, and no marker shows.
"""

from __future__ import annotations

import json

import openai
import pytest
from test_responses_api import cities, stream_events
from test_responses_llm import PARIS, script, service, talk

assert cities
assert script
assert service
assert talk  # the fixtures are used by their names

PLAIN = {"sourcebook": {"fallback_citations": False}}
WEATHER = {
    "type": "function", "name": "weather", "strict": True,
    "parameters": {
        "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"],
        "additionalProperties": False,
    },
}  # fmt: skip


def chunk(content: str | None = None, *, reason: str | None = None, **delta) -> bytes:
    given = delta if content is None else {"content": content}
    choice = {"index": 0, "delta": given, "finish_reason": reason}
    return b"data: " + json.dumps({"id": "c", "choices": [choice]}).encode() + b"\n\n"


def final_of(talk, **fields):
    """The final response of a stream; what is stored says the same."""
    final = talk.stream(**{**PLAIN, **fields})[-1]["response"]
    stored = talk.cities.service.raw.get(f"/v1/responses/{final['id']}").json()
    assert stored["status"] == final["status"]
    assert stored["error"] == final["error"]
    assert text_of(stored) == text_of(final)
    return final


def text_of(response) -> str:
    parts = [part for item in response["output"] for part in item.get("content") or []]
    return "".join(part.get("text") or part.get("refusal") or "" for part in parts)


# --- markers ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "marker",
    ["[1]", "[^1]", "[source 1]", "(source 1)", "【4:0†source】", "<|1|>",
     "\ue200filecite\ue202turn0file0\ue201", "[1, 2]", "[1][2]"],
)  # fmt: skip
@pytest.mark.parametrize("cut", [1, 2, 5])
def test_no_marker_shows_however_it_is_cut(talk, marker, cut):
    text = f"{PARIS} {marker}. So it is."
    talk.says(*(text[i : i + cut] for i in range(0, len(text), cut)))
    events = talk.stream()
    shown = "".join(event["delta"] for event in events if "delta" in event)
    assert shown == f"{PARIS}. So it is."
    final = events[-1]["response"]
    assert text_of(final) == shown
    annotations = final["output"][-1]["content"][0]["annotations"]
    assert annotations[0]["index"] == len(PARIS)
    assert annotations[0]["filename"] == "paris.txt"


@pytest.mark.parametrize("marker", ["[99]", "[0]", "【7:42†source】", "<|file-nobody|>", "[4-9]"])
def test_invented_sources_are_dropped_without_a_trace(talk, marker):
    talk.says(PARIS, " ", marker, ".")
    part = final_of(talk)["output"][-1]["content"][0]
    assert part["text"] == f"{PARIS}."
    assert part["annotations"] == []


def test_sentence_with_an_invented_source_gets_the_true_one(talk):
    talk.says(PARIS, " [99].")
    (citation,) = talk.stream()[-1]["response"]["output"][-1]["content"][0]["annotations"]
    assert (citation["filename"], citation["index"]) == ("paris.txt", len(PARIS))


def test_marker_that_the_connection_cuts_does_not_show(talk):
    talk.says(PARIS, " 【4:0†sou", "rce】.", break_after=2)
    final = final_of(talk)
    assert (final["status"], text_of(final)) == ("failed", PARIS)


# --- an answer that is not whole --------------------------------------------------------------


def test_answer_that_ends_without_a_word_is_failed(talk):
    talk.says("Paris is ", "the capital", "never sent", break_after=2)
    final = final_of(talk)
    assert (final["status"], text_of(final)) == ("failed", "Paris is the capital")
    assert final["error"]["code"] == "server_error"
    assert "broke off" in final["error"]["message"]
    assert final["output"][-1]["status"] == "incomplete"


def test_headers_without_an_answer_are_failed(talk):
    talk.says(pieces=[])
    assert final_of(talk)["status"] == "failed"


def test_error_in_the_middle_is_told_with_its_code(talk):
    error = {"error": {"message": "too many", "code": "rate_limit_exceeded"}}
    talk.says(pieces=[chunk("Paris"), b"data: " + json.dumps(error).encode() + b"\n\n"])
    final = final_of(talk)
    assert (final["status"], text_of(final)) == ("failed", "Paris")
    assert final["error"]["code"] == "rate_limit_exceeded"
    assert "too many" in final["error"]["message"]


@pytest.mark.parametrize("junk", [b"data: {not json}\n\n", b"data: [1, 2]\n\n", b"data: 7\n\n"])
def test_junk_in_the_middle_fails_with_what_was_written(talk, junk):
    talk.says(pieces=[chunk("Paris"), junk, chunk("never read", reason="stop")])
    final = final_of(talk)
    assert (final["status"], text_of(final)) == ("failed", "Paris")


def test_page_instead_of_a_stream_is_failed(talk):
    talk.says(pieces=[b"<html>Sign in, please.</html>"], content_type="text/html")
    assert final_of(talk)["status"] == "failed"


def test_stream_cut_anywhere_by_the_network_is_read_whole(talk):
    body = b": hello\n\n" + chunk("Paris\u2028is ") + chunk("schön 🗼.", reason="stop")
    body = body.replace(b"\n\n", b"\r\n\r\n") + b"data: [DONE]\n\n"
    talk.says(pieces=[body[i : i + 3] for i in range(0, len(body), 3)])
    final = final_of(talk)
    assert (final["status"], text_of(final)) == ("completed", "Paris\u2028is schön 🗼.")


def test_chunks_without_what_they_should_hold_do_no_harm(talk):
    odd = [
        b'data: {"choices": null}\n\n', b'data: {"choices": [{}]}\n\n',
        b'data: {"choices": [{"index": 0, "delta": null}], "usage": {}}\n\n',
        b'data: {"choices": [{"index": 1, "delta": {"content": "another answer"}}]}\n\n',
    ]  # fmt: skip
    talk.says(pieces=[*odd, chunk("Paris."), chunk(reason="stop"), *odd])
    final = final_of(talk)
    assert (final["status"], text_of(final)) == ("completed", "Paris.")


def test_stall_within_a_marker_fails_without_showing_it(talk, monkeypatch):
    from dataclasses import replace  # noqa: PLC0415 - beside what it is for

    engine = talk.cities.service.engine
    monkeypatch.setattr(engine, "settings", replace(engine.settings, llm_timeout_s=0.3))
    talk.says(PARIS, {"content": " [", "wait_s": 0.0}, {"content": "1].", "wait_s": 1.5})
    final = final_of(talk)
    assert final["status"] == "failed"
    assert "[" not in text_of(final).removesuffix(" [")  # an open bracket alone is no marker
    assert "0.3 seconds" in final["error"]["message"]


def test_filter_of_the_server_ends_incomplete(talk):
    talk.says("Paris is", finish_reason="content_filter")
    final = final_of(talk)
    assert final["status"] == "incomplete"
    assert final["incomplete_details"] == {"reason": "content_filter"}


def test_refusal_is_a_part_of_its_own(talk):
    talk.says({"refusal": "I cannot "}, {"refusal": "help."})
    events = talk.stream(**PLAIN)
    kinds = [event["type"].removeprefix("response.") for event in events]
    at = kinds.index("content_part.added")
    assert kinds[at:] == [
        "content_part.added", "refusal.delta", "refusal.delta", "refusal.done",
        "content_part.done", "output_item.done", "completed",
    ]  # fmt: skip
    part = events[-1]["response"]["output"][-1]["content"][0]
    assert part == {"type": "refusal", "refusal": "I cannot help."}
    assert events[at]["part"] == {"type": "refusal", "refusal": ""}


def test_refusal_is_not_held_to_the_schema_and_can_be_read_back(talk):
    shape = {"type": "json_schema", "name": "n", "strict": True, "schema": {"type": "object"}}
    talk.says({"refusal": "No."})
    response = talk.ask(text={"format": shape})
    assert response.status == "completed"
    assert response.output[-1].content[0].refusal == "No."
    talk.says("Well [1].")
    talk.ask(input="Why?", previous_response_id=response.id)
    assert talk.script.requests[-1]["messages"][-2] == {"role": "assistant", "content": "No."}


# --- calls ------------------------------------------------------------------------------------


def test_call_whose_json_the_connection_cuts_is_never_given_out(talk):
    call = {"index": 0, "id": "c1", "function": {"name": "weather", "arguments": '{"city": "Par'}}
    talk.says({"tool_calls": [call]}, "never sent", break_after=1)
    events = talk.stream(tools=[WEATHER])
    assert events[-1]["type"] == "response.failed"
    assert not [event for event in events if "function_call" in event["type"]]


def test_call_without_index_or_id_is_understood(talk):
    call = {"function": {"name": "weather", "arguments": '{"city": "Paris"}'}}
    talk.says({"tool_calls": [call]}, finish_reason="tool_calls")
    (item,) = [i for i in talk.ask(tools=[WEATHER]).output if i.type == "function_call"]
    assert (item.name, item.arguments) == ("weather", '{"city": "Paris"}')
    assert item.call_id.startswith("call_")


# --- refusals of the server, and asking again -------------------------------------------------


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 529])
def test_what_may_pass_is_tried_three_times(talk, status):
    talk.says("Yes.", statuses=[status] * 2, times=[])
    assert talk.ask().output_text == "Yes."
    assert len(talk.script.requests) == 3
    talk.says("Yes.", statuses=[status] * 9)
    assert final_of(talk)["status"] == "failed"
    assert len(talk.script.requests) == 3


def test_hang_up_before_the_answer_is_tried_again(talk):
    talk.says("Yes.", hang_ups=2)
    assert talk.ask().output_text == "Yes."
    assert len(talk.script.requests) == 3


def test_it_is_not_asked_again_once_it_has_said_something(talk):
    talk.says("Paris", "never sent", break_after=1)
    assert final_of(talk)["status"] == "failed"
    assert len(talk.script.requests) == 1


def test_wait_that_the_server_asks_for_is_kept(talk):
    talk.says("Yes.", statuses=[429], retry_after_ms=400)
    talk.ask()
    first, second = talk.script.times
    assert 0.4 <= second - first < 5


@pytest.mark.parametrize(
    ("status", "raised"),
    [(401, openai.APIStatusError), (404, openai.APIStatusError), (400, openai.BadRequestError)],
)
def test_what_will_not_pass_is_not_tried_again(talk, status, raised):
    talk.says("Yes.", statuses=[status] * 3, error={"message": "never mind"})
    with pytest.raises(raised, match="never mind"):
        talk.ask()
    assert len(talk.script.requests) == 1


def test_quota_is_told_apart_from_haste(talk):
    talk.says(statuses=[429] * 3, error={"message": "pay", "code": "insufficient_quota"})
    # Not by `stream`: the published schema does not know of this code.
    final = stream_events(talk.cities, model="scripted")[-1]["response"]
    assert (final["status"], final["error"]["code"]) == ("failed", "insufficient_quota")


def test_server_that_is_not_there_is_unavailable(talk, monkeypatch):
    from dataclasses import replace  # noqa: PLC0415 - beside what it is for

    engine = talk.cities.service.engine
    away = replace(engine.settings, llm_base_url="http://127.0.0.1:9/v1")
    monkeypatch.setattr(engine, "settings", away)
    final = final_of(talk)
    assert (final["status"], final["error"]["code"]) == ("failed", "server_error")
    assert "could not be reached" in final["error"]["message"]
    with pytest.raises(openai.InternalServerError, match="could not be reached"):
        talk.ask()
