"""/v1/responses with a language model behind a Chat Completions server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import httpx2
import openai
import pytest
from chat_server import Script, chat_server
from http_service import Service, serving
from test_api_files import refused
from test_responses_api import Cities, check_events, cities, message, stream_events

from api.engine import Engine
from api.settings import Settings

assert cities  # the fixture is used by its name

PARIS = "Paris is the capital of France"


@dataclass(frozen=True, slots=True)
class Talk:
    cities: Cities
    script: Script

    def says(self, *deltas, **fields):
        for name, value in {**vars(Script(list(deltas))), **fields}.items():
            setattr(self.script, name, value)

    def fields(self, **fields):
        return {"model": "scripted", **fields}

    def ask(self, **fields):
        return self.cities.ask(**self.fields(**fields))

    def stream(self, **fields):
        events = stream_events(self.cities, **self.fields(**fields))
        check_events(events)
        return events


@pytest.fixture(scope="module")
def script() -> Script:
    return Script()


@pytest.fixture(scope="module")
def service(script, tmp_path_factory) -> Iterator[Service]:
    with chat_server(script) as url:
        settings = Settings(
            data=tmp_path_factory.mktemp("data"), embedder="hash",
            llm_base_url=url, llm_model="scripted", llm_api_key="k", llm_timeout_s=5.0,
        )  # fmt: skip
        with Engine.open(settings=settings, work=True) as engine, serving(engine) as found:
            yield found


@pytest.fixture
def talk(cities, script) -> Talk:
    return Talk(cities, script)


def test_markers_become_citations_and_never_show(talk):
    talk.says(PARIS, " [", "1", "]", ". It is", " old [9].")
    response = talk.ask(sourcebook={"places": True})
    part = message(response)
    assert part.text == "Paris is the capital of France. It is old."
    (citation,) = part.annotations
    assert (citation.filename, citation.index) == ("paris.txt", len(PARIS))
    assert citation.sourcebook["quote"].startswith(PARIS)


def test_one_marker_with_two_sources_gives_two_annotations_at_one_index(talk):
    talk.says("All are capitals [1, 2].")
    annotations = message(talk.ask(sourcebook={"min_support": 0.0})).annotations
    assert [each.index for each in annotations] == [16, 16]
    assert len({each.file_id for each in annotations}) == 2


WRONG = "Paris is the capital of Denmark"


def test_citation_that_its_source_does_not_bear_out_is_dropped(talk):
    talk.says(f"{PARIS} [1]. {WRONG} [1].")
    part = message(talk.ask(sourcebook={"places": True}))
    assert part.text == f"{PARIS}. {WRONG}."
    (citation,) = part.annotations
    assert citation.index == len(PARIS)
    assert citation.sourcebook["supported"]
    assert citation.sourcebook["score"] >= 0.5


def test_citation_that_its_source_does_not_bear_out_is_flagged_on_request(talk):
    talk.says(f"{WRONG} [1].")
    (citation,) = message(talk.ask(sourcebook={"unsupported": "flag"})).annotations
    assert not citation.sourcebook["supported"]
    assert citation.sourcebook["score"] < 0.5
    assert citation.sourcebook["findings"] == [{"kind": "entity", "text": "Denmark"}]


def test_right_sentence_from_the_wrong_file_is_no_citation(talk):
    talk.says(f"{PARIS} [2].")
    assert message(talk.ask()).annotations == []


@pytest.mark.parametrize("cut", [1, 2, 3, 7])
def test_stream_is_the_same_however_it_is_cut(talk, cut):
    text = f"{PARIS}. [1] Rome is old 【4:1†source】. Unclosed [3"
    talk.says(*(text[i : i + cut] for i in range(0, len(text), cut)))
    events = talk.stream()
    final = events[-1]["response"]["output"][-1]["content"][0]
    assert final["text"] == f"{PARIS}. Rome is old. Unclosed [3"
    assert [a["index"] for a in final["annotations"]] == [30, 43]
    assert "".join(e["delta"] for e in events if "delta" in e) == final["text"]


def test_annotation_comes_between_the_deltas(talk):
    talk.says(PARIS, " [1]", ". Rome", " is old.")
    kinds = [event["type"].removeprefix("response.output_text.") for event in talk.stream()]
    inline = [kind for kind in kinds if kind in {"delta", "annotation.added"}]
    assert inline[:3] == ["delta", "annotation.added", "delta"]


def test_prompt_has_numbered_sources_and_the_rules(talk):
    talk.says("Yes.")
    talk.ask(instructions="Answer in rhyme.", temperature=0.1, max_output_tokens=64)
    request = talk.script.requests[-1]
    assert "[1] paris.txt" in talk.script.prompt
    assert "Answer in rhyme." in request["messages"][0]["content"]
    assert [m["role"] for m in request["messages"]] == ["system", "user"]
    assert (request["temperature"], request["max_tokens"]) == (0.1, 64)


def test_sources_keep_to_their_token_budget(talk):
    talk.says("Yes.")
    talk.ask(sourcebook={"max_tokens": 100})
    full = talk.script.prompt.count("\n[")
    many = {"input": "capital", "sourcebook": {"max_tokens": 100_000}}
    talk.ask(**many)
    assert 1 <= full <= talk.script.prompt.count("\n[") == 3


def test_sentences_without_markers_are_aligned_above_the_bar(talk):
    talk.says("Rome is the capital of Italy. ", "Bananas are radioactive vehicles.")
    annotations = message(talk.ask()).annotations
    assert [(a.filename, a.index) for a in annotations] == [("rome.txt", 28)]


def test_alignment_can_be_switched_off(talk):
    talk.says("Rome is the capital of Italy.")
    assert message(talk.ask(sourcebook={"fallback_citations": False})).annotations == []


def test_conversation_is_passed_on(talk):
    talk.says("Paris [1].")
    first = talk.ask()
    talk.says("The Seine [1].")
    talk.ask(input="Which river is there?", previous_response_id=first.id)
    roles = [message["role"] for message in talk.script.requests[-1]["messages"]]
    assert roles == ["system", "user", "assistant", "user"]
    assert talk.script.requests[-1]["messages"][2]["content"] == "Paris."


def test_usage_is_the_servers_own(talk):
    talk.says("Yes.", usage={"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9})
    usage = talk.ask().usage
    assert (usage.input_tokens, usage.output_tokens, usage.total_tokens) == (7, 2, 9)


def test_token_cap_ends_incomplete(talk):
    talk.says("Paris is", finish_reason="length")
    events = talk.stream()
    assert events[-1]["type"] == "response.incomplete"
    assert events[-1]["response"]["incomplete_details"] == {"reason": "max_output_tokens"}
    assert events[-2]["item"]["status"] == "incomplete"


def test_json_formats_are_passed_on_and_stay_json(talk):
    talk.says('{"a": [1, 2], "b": "Paris [1]."}')
    shape = {"type": "json_schema", "name": "n", "schema": {"type": "object"}}
    part = message(talk.ask(text={"format": shape}))
    assert part.text == '{"a": [1, 2], "b": "Paris."}'
    assert part.text[part.annotations[0].index] == "."
    assert talk.script.requests[-1]["response_format"]["json_schema"]["name"] == "n"


def test_server_that_is_busy_is_asked_again(talk):
    talk.says("Yes.", statuses=[503, 429])
    assert message(talk.ask()).text == "Yes."
    assert len(talk.script.requests) == 3


def test_refusal_is_an_error_without_a_stream(talk):
    talk.says(statuses=[503] * 3)
    error = refused(talk.cities.post(**talk.fields()), 503)
    assert "scripted" in error["message"]


def test_refusal_fails_the_stream_and_the_stored_response(talk):
    talk.says(statuses=[429] * 3, error={"message": "slow down", "code": "rate_limit_exceeded"})
    events = talk.stream()
    error, failed = events[-2:]
    assert (error["type"], error["code"]) == ("error", "rate_limit_exceeded")
    assert error["error"]["message"] == error["message"]
    assert failed["type"] == "response.failed"
    assert failed["response"]["error"]["code"] == "rate_limit_exceeded"
    stored = talk.cities.service.raw.get(f"/v1/responses/{failed['response']['id']}").json()
    assert stored["status"] == "failed"


def test_client_raises_for_a_failed_stream(talk):
    talk.says(statuses=[500] * 3)
    client = talk.cities.service.client
    with pytest.raises(openai.APIError, match="scripted"):  # noqa: SIM117
        with client.responses.create(**talk.cities.body(model="scripted", stream=True)) as stream:
            list(stream)


def test_broken_connection_fails_with_what_was_written(talk):
    talk.says("Paris is ", "the capital", "never sent", break_after=2)
    final = talk.stream()[-1]["response"]
    assert final["status"] in {"failed", "completed"}
    assert final["output"][-1]["content"][0]["text"] == "Paris is the capital"


def test_leaving_client_stops_the_work(talk):
    talk.says(*["word "] * 200, pause_s=0.05)
    raw = talk.cities.service.raw
    body = talk.cities.body(model="scripted", stream=True)
    with raw.stream("POST", "/v1/responses", json=body) as reply:
        lines = reply.iter_lines()
        first = next(line for line in lines if line.startswith("data: "))
        while not next(lines).startswith("event: response.output_text.delta"):
            pass
    assert talk.script.left.wait(timeout=5)
    response_id = first.partition('"id":"')[2].partition('"')[0]
    assert stored_status(raw, response_id) == "cancelled"


def stored_status(raw: httpx2.Client, response_id: str) -> str:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        reply = raw.get(f"/v1/responses/{response_id}")
        if reply.status_code == 200:
            return reply.json()["status"]
        time.sleep(0.05)
    return "not stored"


def test_extractive_is_there_beside_the_language_model(talk):
    assert talk.ask(model="extractive").output_text.startswith(PARIS)


def test_library_asks_the_configured_model(talk):
    talk.says(f"{PARIS} [1].")
    engine = talk.cities.service.engine
    answer = engine.ask("What is the capital of France?", store=talk.cities.store_id)
    assert answer.text == f"{PARIS}."
    assert answer.citations[0].quote.startswith(PARIS)
    assert {hit.filename for hit in answer.hits} == {"paris.txt", "rome.txt", "oslo.txt"}


def test_server_that_stalls_fails_with_what_was_written(talk, monkeypatch):
    engine = talk.cities.service.engine
    monkeypatch.setattr(engine, "settings", replace(engine.settings, llm_timeout_s=0.3))
    talk.says("Paris ", {"content": "is", "wait_s": 1.5})
    final = talk.stream(sourcebook={"fallback_citations": False})[-1]["response"]
    assert final["status"] == "failed"
    assert "0.3 seconds" in final["error"]["message"]
    assert final["output"][-1]["content"][0]["text"] == "Paris"
