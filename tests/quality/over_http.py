"""The engine behind a server of this machine, asked as a stranger asks it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from api.app import create_app
from api.engine import Engine
from api.evaluate.asking import OverHttp
from api.evaluate.judged import JudgedSet
from api.evaluate.runs import Run, run
from retrieval.types import ChunkingStrategy


def run_over_http(engine: Engine, judged: JudgedSet, *, depth: int) -> Run:
    """One run of the default request, whole documents as files, the official client."""
    with _served(engine) as url:
        asker = OverHttp(url, api_key=None)
        store_id = asker.index(
            judged, ChunkingStrategy(), fresh=False, progress=lambda _done, _total: None
        )
        return run(judged, asker, store_id=store_id, ranking="auto", depth=depth, how="over HTTP")


@contextmanager
def _served(engine: Engine) -> Iterator[str]:
    listener = socket.socket(proto=socket.IPPROTO_TCP)  # or asyncio leaves Nagle on
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    config = uvicorn.Config(create_app(engine), log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    finally:
        server.should_exit = True
        thread.join()
