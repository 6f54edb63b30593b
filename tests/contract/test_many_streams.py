"""Many streams at once: every event of each arrives, once and in order."""

from __future__ import annotations

import asyncio
import json
import threading

import httpx2
import pytest
from chat_server import Script
from test_responses_api import cities
from test_responses_llm import service

assert cities
assert service  # the fixtures are used by their names

N_STREAMS, N_WORDS = 40, 60
WORDS = [f"{'W' if n % 12 == 0 else 'w'}{n}{'.' if n % 12 == 11 else ''}" for n in range(N_WORDS)]


@pytest.fixture(scope="module")
def script() -> Script:
    return Script([f"{word} " for word in WORDS], pause_s=0.002)


async def read(client: httpx2.AsyncClient, body: dict) -> list[dict]:
    events = []
    async with client.stream("POST", "/v1/responses", json=body) as reply:
        async for line in reply.aiter_lines():
            if line.startswith("data: "):
                events.append(json.loads(line[6:]))
                if len(events) % 16 == 0:
                    await asyncio.sleep(0.01)  # a reader that is slower than the writer
    return events


async def all_of(url: str, bodies: list[dict]) -> list[list[dict]]:
    limits = httpx2.Limits(max_connections=len(bodies))
    async with httpx2.AsyncClient(base_url=url, timeout=120, limits=limits) as client:
        return await asyncio.gather(*(read(client, body) for body in bodies))


def test_no_event_is_lost_or_out_of_order(cities):
    body = cities.body(model="scripted", stream=True, sourcebook={"fallback_citations": False})
    streams = asyncio.run(all_of(cities.service.url, [body] * N_STREAMS))
    ids = set()
    for events in streams:
        assert [event["sequence_number"] for event in events] == list(range(len(events)))
        assert events[-1]["type"] == "response.completed"
        said = "".join(event["delta"] for event in events if "delta" in event)
        assert said.split() == WORDS
        assert events[-1]["response"]["output"][-1]["content"][0]["text"] == said
        ids.add(events[0]["response"]["id"])
    assert len(ids) == N_STREAMS


def test_threads_of_streams_end_with_them(cities):
    """Also of those whose reader left."""
    body = cities.body(model="scripted", stream=True)
    for _ in range(5):
        with cities.service.raw.stream("POST", "/v1/responses", json=body) as reply:
            next(reply.iter_bytes())
    waited = threading.Event()
    for _ in range(100):
        if not [each for each in threading.enumerate() if each.name == "response"]:
            break
        waited.wait(0.1)
    assert not [each for each in threading.enumerate() if each.name == "response"]
