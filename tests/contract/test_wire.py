"""Recordings of the hosted service, replayed: every key, type and event of theirs is in ours.

They are not ours to ship: `make wire WIRE=FOLDER` names where they lie. What they showed stands in
test_shapes.py in our own words.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from chat_server import Script, chat_server
from http_service import running
from replay import Replay, differences, events_of, exchanges_of

from api.app import create_app
from api.engine import Engine
from api.settings import Settings

FOLDER = Path(os.environ.get("SOURCEBOOK_WIRE", "no-recordings"))
EXCHANGES = sorted([*FOLDER.glob("*.yaml"), *FOLDER.glob("dotnet_*.json")])
STREAMS = sorted(FOLDER.glob("*.chunks.txt"))

pytestmark = pytest.mark.skipif(
    not EXCHANGES, reason="no recordings: make wire WIRE=FOLDER, or SOURCEBOOK_WIRE=FOLDER"
)


@pytest.fixture
def replay(tmp_path) -> Iterator[Replay]:
    script = Script()
    with chat_server(script) as url:
        settings = Settings(
            data=tmp_path, embedder="hash", llm_base_url=url, llm_model="scripted",
            llm_timeout_s=10.0,
        )  # fmt: skip
        with (
            Engine.open(settings=settings, work=True) as engine,
            running(create_app(engine)) as base,
            httpx2.Client(base_url=base, timeout=60) as raw,
        ):
            yield Replay(raw, script)


@pytest.mark.parametrize("path", EXCHANGES, ids=lambda path: path.stem)
def test_exchanges_replay_to_the_same_shapes(replay, path):
    assert replay.play(exchanges_of(path)) == []


@pytest.mark.parametrize("path", STREAMS, ids=lambda path: path.name)
def test_streams_are_told_in_the_same_events(replay, path):
    theirs = events_of(path)
    final = theirs[-1]["response"]
    if final["status"] == "failed":
        replay.script.statuses = [429] * 3
        replay.script.error = {"message": "no", "code": final["error"]["code"]}
    effort = {"effort": final["reasoning"]["effort"]}
    body = {"input": "What is told?", "stream": True, "include": [], "reasoning": effort}
    with_results = any(item.get("results") for item in final["output"])
    if final["tools"]:
        body["tools"] = [{"type": "file_search", "vector_store_ids": [_store(replay)]}]
        body["include"] = ["file_search_call.results"] if with_results else []
    ours = replay.stream(theirs, body)
    assert list(differences(theirs, ours)) == []


def _store(replay: Replay) -> str:
    store = replay.raw.post("/v1/vector_stores", json={}).json()["id"]
    file = replay.raw.post(
        "/v1/files", files={"file": ("a.txt", b"Something is told here.")},
        data={"purpose": "assistants"},
    ).json()["id"]  # fmt: skip
    replay.raw.post(f"/v1/vector_stores/{store}/files", json={"file_id": file})
    return store
