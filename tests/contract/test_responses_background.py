"""Responses in the background: queued, followed, resumed, cancelled, and what a crash leaves."""

from __future__ import annotations

import json
import time

import openai
import pytest
from test_api_files import refused
from test_responses_api import QUESTION, check_events, cities, message
from test_responses_llm import Talk, script, service, talk

from api.answer import keep
from api.answer.keep import load
from retrieval.store.responses import StoredResponse

assert cities
assert script
assert service
assert talk

SLOW = {"pause_s": 0.03}


def frames(reply) -> list[dict]:
    pieces = reply.read().decode().split("\n\n")
    return [json.loads(p.split("data: ", 1)[1]) for p in pieces if "data: " in p]


def ended(talk: Talk, response_id: str, timeout_s: float = 10.0):
    deadline = time.monotonic() + timeout_s
    while True:
        found = talk.cities.service.client.responses.retrieve(response_id)
        if found.status not in {"queued", "in_progress"}:
            return found
        assert time.monotonic() < deadline, "it never ends"
        time.sleep(0.02)


def events_of(talk: Talk, response_id: str, **params):
    raw = talk.cities.service.raw
    url = f"/v1/responses/{response_id}"
    with raw.stream("GET", url, params={"stream": "true", **params}) as reply:
        assert reply.headers["content-type"] == "text/event-stream; charset=utf-8"
        return frames(reply)


def test_background_answers_at_once_and_ends_by_itself(talk):
    talk.says("Paris", " is", " it [1].", **SLOW)
    made = talk.ask(background=True)
    assert (made.status, made.background, made.output, made.usage) == ("queued", True, [], None)
    done = ended(talk, made.id)
    assert done.status == "completed"
    assert done.output_text == "Paris is it."
    assert message(done).annotations


def test_background_stream_begins_queued_and_survives_its_reader(talk):
    talk.says(*["word "] * 20, **SLOW)
    raw = talk.cities.service.raw
    body = talk.cities.body(model="scripted", stream=True, background=True)
    with raw.stream("POST", "/v1/responses", json=body) as reply:
        lines = reply.iter_lines()
        seen = [json.loads(next(x for x in lines if x.startswith("data: "))[6:]) for _ in range(4)]
    kinds = [event["type"].removeprefix("response.") for event in seen]
    assert kinds == ["created", "queued", "in_progress", "output_item.added"]
    assert [event["response"]["status"] for event in seen[:3]] == [
        "queued",
        "queued",
        "in_progress",
    ]
    rest = events_of(talk, seen[0]["response"]["id"], starting_after=3)
    check_events_from(rest, 4)
    assert rest[-1]["type"] == "response.completed"
    assert ended(talk, seen[0]["response"]["id"]).output_text == "word " * 20


def check_events_from(events, first):
    assert [event["sequence_number"] for event in events] == list(
        range(first, first + len(events))
    )


def test_any_stored_response_can_be_replayed(talk):
    talk.says("Paris [1].")
    sent = talk.stream()
    response_id = sent[0]["response"]["id"]
    assert events_of(talk, response_id) == sent
    assert events_of(talk, response_id, starting_after=4) == sent[5:]
    made = talk.ask()  # not streamed at first
    replayed = events_of(talk, made.id)
    check_events(replayed)
    assert replayed[-1]["response"] == made.to_dict()


def test_a_stream_in_the_foreground_can_be_followed_by_others(talk):
    talk.says(*["word "] * 40, pause_s=0.05)
    raw = talk.cities.service.raw
    body = talk.cities.body(model="scripted", stream=True)
    with raw.stream("POST", "/v1/responses", json=body) as reply:
        lines = (line for line in reply.iter_lines() if line.startswith("data: "))
        begun = [json.loads(next(lines)[6:]) for _ in range(3)]
        response_id = begun[0]["response"]["id"]
        followed = events_of(talk, response_id)
        rest = [json.loads(line[6:]) for line in lines]
    assert followed[3:] == rest


def test_client_resumes_a_stream(talk):
    talk.says(*["word "] * 10, **SLOW)
    client = talk.cities.service.client
    made = talk.ask(background=True)
    with client.responses.retrieve(made.id, stream=True, starting_after=2) as stream:
        kinds = [event.type for event in stream]
    assert kinds[-1] == "response.completed"


def test_cancel_stops_the_work_and_keeps_what_was_written(talk):
    talk.says(*["word "] * 200, pause_s=0.05)
    client = talk.cities.service.client
    made = talk.ask(background=True)
    while not talk.script.requests or client.responses.retrieve(made.id).status == "queued":
        time.sleep(0.02)
    time.sleep(0.3)
    found = client.responses.cancel(made.id)
    assert (found.status, found.usage, found.error) == ("cancelled", None, None)
    assert found.output[-1].status == "incomplete"
    assert talk.script.left.wait(timeout=5)
    assert client.responses.cancel(made.id).to_dict() == found.to_dict()


def test_cancel_is_for_the_background_alone(talk):
    talk.says("Yes.")
    made = talk.ask()
    refused(talk.cities.service.raw.post(f"/v1/responses/{made.id}/cancel"), 400)
    finished = talk.ask(background=True)
    ended(talk, finished.id)
    assert talk.cities.service.client.responses.cancel(finished.id).status == "completed"
    with pytest.raises(openai.NotFoundError):
        talk.cities.service.client.responses.cancel("resp_0")


def test_deleted_response_stays_deleted(talk):
    talk.says(*["word "] * 100, pause_s=0.03)
    client = talk.cities.service.client
    made = talk.ask(background=True)
    time.sleep(0.2)
    client.responses.delete(made.id)
    assert talk.script.left.wait(timeout=5)  # found out at its next save
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(made.id)


def test_failure_in_the_background_is_told(talk):
    talk.says(statuses=[500] * 3)
    found = ended(talk, talk.ask(background=True).id)
    assert found.status == "failed"
    assert "scripted" in found.error.message


def test_response_of_a_dead_process_is_failed_with_what_was_written(talk):
    """As after `kill -9`: nobody of the owner's name lives."""
    talk.says(*["word "] * 60, pause_s=0.05)
    engine = talk.cities.service.engine
    made = talk.ask(background=True)
    while not any(item["type"] == "message" for item in load(engine, made.id).body["output"]):
        time.sleep(0.05)
    stored = load(engine, made.id)
    talk.cities.service.client.responses.cancel(made.id)
    orphan = {**stored.body, "id": "resp_0f"}
    owner = stored.owner.rsplit("-", 1)[0] + "-00000000"
    with engine.store.write() as tables:
        tables.responses.add("resp_0f", StoredResponse(orphan, [], stored.events, owner))
    found = talk.cities.service.client.responses.retrieve("resp_0f")
    assert (found.status, found.error.code) == ("failed", "server_error")
    assert found.output[-1].status == "incomplete"
    assert "word" in found.output_text
    replayed = events_of(talk, "resp_0f")
    check_events_from(replayed, 0)
    assert replayed[-1]["type"] == "response.failed"


@pytest.mark.parametrize("background", [True, False])
def test_saved_at_every_step_it_ends_all_the_same(talk, monkeypatch, background):
    monkeypatch.setattr(keep, "CHECKPOINT_S", 0.0)
    talk.says("Paris", " is", " it [1].")
    events = talk.stream(background=background)
    assert events[-1]["type"] == "response.completed"
    assert events_of(talk, events[0]["response"]["id"]) == events


def test_many_at_once_take_turns(talk):
    talk.says("Yes.", pause_s=0.02)
    made = [talk.ask(background=True).id for _ in range(20)]
    assert {ended(talk, each).status for each in made} == {"completed"}


def test_extractive_runs_in_the_background_too(talk):
    made = talk.ask(model="extractive", input=QUESTION, background=True)
    assert ended(talk, made.id).output_text.startswith("Paris is the capital of France.")
