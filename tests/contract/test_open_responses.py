"""What the public Open Responses compliance suite asks of a server, as tests of ours.

Its 17 cases by the specification of 2026-04, restated: text, phases, streams, tools, images,
conversations, compaction, and the WebSocket transport.
"""

from __future__ import annotations

import base64
import json
from contextlib import contextmanager

import pytest
from chat_server import calling
from http_service import serving
from test_api_files import refused
from test_conversations import PNG
from test_responses_api import check_events, cities
from test_responses_llm import Talk, script, service, talk
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from api.engine import Engine
from api.routes import websocket
from api.settings import Settings

assert cities
assert script
assert service
assert talk

HELLO = "Say hello in exactly 3 words."
WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "Get the current weather for a location",
    "parameters": {
        "type": "object",
        "properties": {"location": {"type": "string"}},
        "required": ["location"],
    },
}


def user(text: str):
    return {"type": "message", "role": "user", "content": text}


def create(talk: Talk, **fields):
    """As the suite does it: the model and the input, and nothing of ours."""
    reply = talk.cities.service.raw.post("/v1/responses", json={"model": "scripted", **fields})
    assert reply.status_code == 200, reply.text
    return reply.json()


class Socket:
    """A client of the WebSocket transport."""

    def __init__(self, connection) -> None:
        self.connection = connection

    def send(self, **fields):
        self.connection.send(
            json.dumps({"type": "response.create", "model": "scripted", **fields})
        )

    def turn(self, **fields):
        """Every event of one response, checked, or its error."""
        self.send(**fields)
        events = []
        while True:
            events.append(json.loads(self.connection.recv(timeout=10)))
            if events[-1]["type"] == "error" and "status" in events[-1]:
                return events
            kind = events[-1]["type"].removeprefix("response.")
            if kind in {"completed", "failed", "incomplete"}:
                check_events(events)
                return events


@contextmanager
def socket(talk: Talk, **options):
    url = talk.cities.service.url.replace("http", "ws", 1) + "/v1/responses"
    headers = {"Authorization": "Bearer any"}
    with connect(url, additional_headers=headers, **options) as connection:
        yield Socket(connection)


# --- over HTTP ----------------------------------------------------------------------------


def test_basic_text(talk):
    talk.says("Hello there, friend.")
    body = create(talk, input=[user(HELLO)])
    assert (body["status"], body["object"]) == ("completed", "response")
    assert body["output"][0]["content"][0]["text"] == "Hello there, friend."
    for name in ("temperature", "top_p", "presence_penalty", "frequency_penalty"):
        assert isinstance(body[name], int | float)
    assert "safety_identifier" in body
    assert body["text"]["verbosity"] == "medium"


def test_phase_of_an_assistant_message_is_taken(talk):
    talk.says("Fine.")
    spoken = {"type": "message", "role": "assistant", "phase": "commentary", "content": "Looking."}
    body = create(talk, input=[user("Hi"), spoken, user("And?")])
    assert body["status"] == "completed"
    items = talk.cities.service.raw.get(f"/v1/responses/{body['id']}/input_items").json()["data"]
    assert items[1]["phase"] == "commentary"


def test_phase_of_output_is_one_of_the_specification(talk):
    talk.says("Fine.")
    for item in create(talk, input=[user(HELLO)])["output"]:
        assert item.get("phase") in {None, "commentary", "final_answer"}


def test_streaming(talk):
    talk.says("One", ", two", ", three.")
    events = talk.stream(input=[user("Count from 1 to 3.")], tools=[])
    assert [e["delta"] for e in events if e["type"].endswith("text.delta")] == [
        "One", ", two", ", three.",
    ]  # fmt: skip
    assert events[-1]["response"]["status"] == "completed"


def test_system_prompt(talk):
    talk.says("Ahoy!")
    system = {"type": "message", "role": "system", "content": "You are a pirate."}
    assert create(talk, input=[system, user("Say hello.")])["status"] == "completed"
    told = talk.script.requests[-1]["messages"]
    assert told[0] == {"role": "system", "content": "You are a pirate."}


def test_tool_calling(talk):
    talk.says(*calling("get_weather", '{"location": "San Francisco"}'))
    body = create(talk, input=[user("Weather in San Francisco?")], tools=[WEATHER])
    assert [item["type"] for item in body["output"]] == ["function_call"]
    assert body["output"][0]["name"] == "get_weather"


def test_image_input(talk):
    talk.says("A dot.")
    url = "data:image/png;base64," + base64.b64encode(PNG).decode()
    content = [
        {"type": "input_text", "text": "What do you see?"},
        {"type": "input_image", "image_url": url},
    ]
    body = create(talk, input=[{"type": "message", "role": "user", "content": content}])
    assert body["status"] == "completed"


def test_multi_turn(talk):
    talk.says("Your name is Alice.")
    earlier = {"type": "message", "role": "assistant", "content": "Hello Alice!"}
    body = create(talk, input=[user("I am Alice."), earlier, user("Who am I?")])
    assert body["output"][0]["content"][0]["text"] == "Your name is Alice."
    assert len(talk.script.requests[-1]["messages"]) == 3


def compacted(talk: Talk, **fields):
    reply = talk.cities.service.raw.post("/v1/responses/compact", json=fields)
    assert reply.status_code == 200, reply.text
    return reply.json()


def test_compaction(talk):
    answer = {"type": "message", "role": "assistant", "content": "Noted, 42."}
    body = compacted(talk, model="scripted", input=[user("Remember 42."), answer])
    assert body["object"] == "response.compaction"
    (item,) = body["output"]
    assert item["type"] == "compaction"
    assert body["usage"]["input_tokens"] > 0
    talk.says("42.")
    create(talk, input=[item, user("Which number?")])
    told = [message["content"] for message in talk.script.requests[-1]["messages"]]
    assert told == ["Remember 42.", "Noted, 42.", "Which number?"]
    client = talk.cities.service.client
    first = create(talk, input=[user("Remember 43.")])
    made = client.responses.compact(model="scripted", previous_response_id=first["id"])
    assert made.output[0].type == "compaction"


def test_compaction_keeps_the_newest_and_the_instructions(talk):
    rule = {"type": "message", "role": "developer", "content": "Be brief."}
    long = [user(f"{number} " + "word " * 500) for number in range(10)]
    (item,) = compacted(talk, model="scripted", input=[rule, *long])["output"]
    talk.says("Yes.")
    create(talk, input=[item, user("Go on.")])
    told = [message["content"][:9] for message in talk.script.requests[-1]["messages"]]
    assert told[0] == "Be brief."
    assert told[-2].startswith("9 ")
    assert len(told) < 8


def test_compaction_needs_a_model(talk):
    reply = talk.cities.service.raw.post("/v1/responses/compact", json={"input": [user("x")]})
    error = refused(reply, 400)
    assert (error["param"], error["code"]) == ("model", "missing_required_parameter")


def test_foreign_compaction_is_refused(talk):
    item = {"type": "compaction", "encrypted_content": "AAAA"}
    body = talk.fields(input=[item, user("?")])
    refused(talk.cities.post(**body), 400)


# --- over a WebSocket ---------------------------------------------------------------------


def test_websocket_response(talk):
    talk.says("Hello there, friend.")
    with socket(talk) as ws:
        events = ws.turn(input=[user(HELLO)])
    assert events[0]["type"] == "response.created"
    assert events[-1]["response"]["output"][0]["content"][0]["text"] == "Hello there, friend."


def test_websocket_searches_and_cites(talk):
    talk.says("Paris is the capital of France [1].")
    with socket(talk) as ws:
        final = ws.turn(input="Capital of France?", tools=[talk.cities.tool()])[-1]["response"]
    assert final["output"][-1]["content"][0]["annotations"][0]["filename"] == "paris.txt"


def test_websocket_sequential_responses(talk):
    talk.says("Fine.")
    with socket(talk) as ws:
        ids = {ws.turn(input=[user(HELLO)])[-1]["response"]["id"] for _ in range(3)}
    assert len(ids) == 3


def test_websocket_continuation(talk):
    talk.says("Noted.")
    with socket(talk) as ws:
        first = ws.turn(input=[user("I am Alice.")], store=False)[-1]["response"]
        second = ws.turn(input=[user("Who am I?")], store=False, previous_response_id=first["id"])[
            -1
        ]["response"]
        ws.turn(input=[user("Sure?")], store=False, previous_response_id=second["id"])
    told = [message["content"] for message in talk.script.requests[-1]["messages"]]
    assert told == ["I am Alice.", "Noted.", "Who am I?", "Noted.", "Sure?"]


def check_missing(error):
    assert (error["type"], error["status"]) == ("error", 400)
    assert error["error"]["code"] == "previous_response_not_found"
    assert error["error"]["param"] == "previous_response_id"
    assert error["error"]["type"] == "invalid_request_error"


def test_websocket_unstored_is_gone_after_reconnecting(talk):
    talk.says("Noted.")
    with socket(talk) as ws:
        first = ws.turn(input=[user("I am Alice.")], store=False)[-1]["response"]
    with socket(talk) as ws:
        check_missing(ws.turn(input=[user("Who?")], previous_response_id=first["id"])[-1])
        assert ws.turn(input=[user("I am Alice. Who am I?")])[-1]["type"] == "response.completed"


def test_websocket_stored_outlives_its_connection(talk):
    talk.says("Noted.")
    with socket(talk) as ws:
        first = ws.turn(input=[user("I am Alice.")])[-1]["response"]
    with socket(talk) as ws:
        again = ws.turn(input=[user("Who?")], previous_response_id=first["id"])
    assert again[-1]["type"] == "response.completed"


def test_websocket_missing_previous_response(talk):
    with socket(talk) as ws:
        check_missing(ws.turn(input=[user("Hi")], previous_response_id="resp_0")[-1])


def test_websocket_failed_continuation_evicts(talk):
    talk.says("Noted.")
    orphan = {"type": "function_call_output", "call_id": "call_0", "output": "x"}
    with socket(talk) as ws:
        first = ws.turn(input=[user("I am Alice.")], store=False)[-1]["response"]
        failed = ws.turn(input=[orphan], store=False, previous_response_id=first["id"])[-1]
        assert (failed["type"], failed["status"]) == ("error", 400)
        check_missing(ws.turn(input=[user("Who?")], previous_response_id=first["id"])[-1])


def test_websocket_failed_answer_evicts_too(talk):
    talk.says("Noted.")
    with socket(talk) as ws:
        first = ws.turn(input=[user("I am Alice.")], store=False)[-1]["response"]
        talk.says(statuses=[500] * 3)
        last = ws.turn(input=[user("Who?")], store=False, previous_response_id=first["id"])[-1]
        assert last["type"] == "response.failed"
        check_missing(ws.turn(input=[user("Who?")], previous_response_id=first["id"])[-1])


def test_websocket_compact_then_new_chain(talk):
    (item,) = compacted(talk, model="scripted", input=[user("Remember 42.")])["output"]
    talk.says("42.")
    with socket(talk) as ws:
        first = ws.turn(input=[item, user("Which number?")], store=False)[-1]["response"]
        ws.turn(input=[user("Sure?")], store=False, previous_response_id=first["id"])
    told = [message["content"] for message in talk.script.requests[-1]["messages"]]
    assert told == ["Remember 42.", "Which number?", "42.", "Sure?"]


def test_websocket_one_response_at_a_time(talk):
    talk.says(*["word "] * 10, pause_s=0.05)
    with socket(talk) as ws:
        ws.send(input=[user("Hi")])
        ws.send(input=[user("Hi again")])
        seen = []
        while not seen or seen[-1]["type"] != "response.completed":
            seen.append(json.loads(ws.connection.recv(timeout=10)))
    (error,) = [event for event in seen if event["type"] == "error"]
    assert error["error"]["code"] == "response_in_progress"


def test_websocket_leaving_stops_the_work(talk):
    talk.says(*["word "] * 200, pause_s=0.05)
    with socket(talk) as ws:
        ws.send(input=[user("Hi")])
        for _ in range(6):
            ws.connection.recv(timeout=10)
    assert talk.script.left.wait(timeout=5)


@pytest.mark.parametrize(
    ("frame", "param"),
    [
        ("{", None),
        ("[]", None),
        ('{"type": "response.cancel"}', "type"),
        ('{"type": "response.create", "input": "x"}', "model"),
        ('{"type": "response.create", "model": "scripted", "input": "x", "background": true}',
         "background"),
    ],
)  # fmt: skip
def test_websocket_bad_frame_is_an_error_frame(talk, frame, param):
    talk.says("Fine.")
    with socket(talk) as ws:
        ws.connection.send(frame)
        error = json.loads(ws.connection.recv(timeout=10))
        assert (error["type"], error["status"], error["error"]["param"]) == ("error", 400, param)
        assert ws.turn(input=[user("Hi")])[-1]["type"] == "response.completed"


def test_websocket_that_is_too_old_is_closed_with_a_word(talk, monkeypatch):
    monkeypatch.setattr(websocket, "MAX_AGE_S", 0.3)
    talk.says("Fine.")
    with socket(talk) as ws:
        assert ws.turn(input=[user("Hi")])[-1]["type"] == "response.completed"
        error = json.loads(ws.connection.recv(timeout=10))
        assert error["error"]["code"] == "connection_limit"
        with pytest.raises(ConnectionClosed):
            ws.connection.recv(timeout=10)


def test_websocket_of_another_site_is_refused(talk):
    with pytest.raises(InvalidStatus, match="403"), socket(talk, origin="https://evil.example"):
        pass


def test_websocket_needs_the_key_once_there_is_one(tmp_path):
    settings = Settings(data=tmp_path, embedder="hash")
    with Engine.open(settings=settings) as engine, serving(engine) as own:
        _, key = engine.create_key("k")
        url = own.url.replace("http", "ws", 1) + "/v1/responses"
        with pytest.raises(InvalidStatus, match="401"), connect(url):
            pass
        headers = {"Authorization": f"Bearer {key}"}
        with connect(url, additional_headers=headers) as connection:
            final = Socket(connection).turn(model="extractive", input="Hi")[-1]
    assert final["type"] == "response.completed"


@pytest.mark.filterwarnings("ignore:connect.. must be used:DeprecationWarning")  # the client's
def test_client_talks_over_the_websocket(talk):
    talk.says("Hello there.")
    client = talk.cities.service.client
    with client.responses.connect() as connection:
        connection.response.create(model="scripted", input="Hi")
        kinds = []
        for event in connection:
            kinds.append(event.type)
            if event.type == "response.completed":
                break
    assert kinds[0] == "response.created"
