"""Events, their numbers, what of them is shown, and how they reach a connection."""

from __future__ import annotations

import asyncio
import copy
import threading
import time

import pytest

from api import stream
from api.answer.events import MessageEvents, Recorder
from api.answer.output import annotation, result
from api.answer.stop import Stop, Stopped
from api.answer.types import Cited
from api.answer.view import View
from retrieval.queries import Citation, Explanation, Hit, LegScore
from retrieval.types import Place

CITATION = Citation(
    file_id="file-1", filename="a.txt", quote="One.", start_char=0, end_char=4,
    place=Place(first_page=2, last_page=2), hit_id="file-1:0", score=0.75,
)  # fmt: skip
LEG = LegScore(1, 0.5)
HIT = Hit(
    vector_store_id="vs_1", file_id="file-1", filename="a.txt", attributes={"sourcebook": "mine"},
    chunk_ordinal=0, text="One.", score=0.5, start_char=0, end_char=4, place=Place(),
    heading_path=(), explanation=Explanation("scan", LEG, LEG, 0.5, "q"),
)  # fmt: skip


def test_events_are_numbered_and_never_change():
    recorder = Recorder()
    body = {"output": []}
    first = recorder.emit("response.created", response=body)
    body["output"].append("later")
    second = recorder.error(code="server_error", message="no")
    assert [first["sequence_number"], second["sequence_number"]] == [0, 1]
    assert first["response"] == {"output": []}
    assert second["error"]["code"] == second["code"]


def test_message_adds_up_to_its_deltas():
    told = MessageEvents(Recorder(), output_index=1, item_id="msg_1")
    events = [*told.start(), told.delta("One"), *told.cited(Cited((CITATION, CITATION), 3))]
    events += [told.delta("."), *told.end(status="completed")]
    assert [event["sequence_number"] for event in events] == list(range(9))
    assert [e["annotation_index"] for e in events if "annotation" in e] == [0, 1]
    part = events[-1]["item"]["content"][0]
    assert (part["text"], len(part["annotations"])) == ("One.", 2)


def test_view_hides_what_was_not_asked_for_and_nothing_else():
    item = {"type": "file_search_call", "results": [result(HIT)]}
    message = {"type": "message", "content": [{"annotations": [annotation(CITATION, index=3)]}]}
    body = {"output": [item, message], "metadata": {"sourcebook": "mine"}}
    before = copy.deepcopy(body)
    hidden = View().of_response(body)
    assert hidden["output"][0]["results"] is None
    assert set(hidden["output"][1]["content"][0]["annotations"][0]) == {
        "type", "file_id", "filename", "index",
    }  # fmt: skip
    assert hidden["metadata"] == {"sourcebook": "mine"}
    assert View(results=True, places=True).of_response(body) == before == body
    (shown,) = View(results=True).of_response(body)["output"][0]["results"]
    assert shown["attributes"] == {"sourcebook": "mine"}
    assert "sourcebook" not in shown


def test_stop_wakes_and_then_refuses():
    stop, woken = Stop(), []
    stop.on_set(lambda: woken.append("early"))
    stop.check()
    stop.set()
    stop.on_set(lambda: woken.append("late"))
    assert woken == ["early", "late"]
    with pytest.raises(Stopped):
        stop.check()


def collect(make, *, keep_alive_s=5.0, at_most=None):
    left = threading.Event()

    async def read():
        pieces = []
        sent = stream.sent(make, leave=left.set, keep_alive_s=keep_alive_s)
        async for piece in sent:
            pieces.append(piece)
            if len(pieces) == at_most:
                break
        await sent.aclose()
        return pieces

    return asyncio.run(read()), left


def events_of(n, *, pause_s=0.0):
    for number in range(n):
        time.sleep(pause_s)
        yield {"type": "t", "sequence_number": number}


def test_connection_gets_every_event_in_order():
    pieces, left = collect(lambda: events_of(3))
    assert b"".join(pieces) == b"".join(
        f'event: t\ndata: {{"type":"t","sequence_number":{n}}}\n\n'.encode() for n in range(3)
    )
    assert all(piece.endswith(b"\n\n") for piece in pieces)  # no event is cut in two
    assert left.is_set()


def test_a_slow_reader_slows_the_work():
    made = []

    def endless():
        for event in events_of(10_000):
            made.append(event)
            yield event

    async def read():
        sent = stream.sent(endless, leave=lambda: None)
        await anext(sent)
        await asyncio.sleep(0.2)
        await sent.aclose()

    asyncio.run(read())
    assert len(made) <= stream.MAX_WAITING + 2


def test_silence_is_kept_alive():
    pieces, _ = collect(lambda: events_of(1, pause_s=0.2), keep_alive_s=0.05)
    assert pieces[0] == stream.KEEP_ALIVE
    assert pieces[-1].startswith(b"event: t")


def test_reader_that_leaves_ends_the_work():
    ended = threading.Event()

    def endless():
        try:
            yield from events_of(10_000, pause_s=0.01)
        finally:
            ended.set()

    pieces, left = collect(endless, at_most=2)
    assert len(pieces) == 2
    assert left.is_set()
    assert ended.wait(timeout=5)


def test_failure_of_the_work_reaches_the_reader():
    def broken():
        yield from events_of(1)
        raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        collect(broken)
