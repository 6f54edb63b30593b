"""The real application over real HTTP, watched by the published schema, for tests to call."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx2
import openai
import uvicorn
from conformance import check

from api.app import create_app
from api.engine import Engine


@dataclass(frozen=True, slots=True)
class Service:
    """A running server, and two ways to call it; both check each reply."""

    engine: Engine
    url: str
    client: openai.OpenAI
    raw: httpx2.Client  # its base URL is that of the server, without /v1


@contextmanager
def running(app: object) -> Iterator[str]:
    """Serve `app` on a free port of the loopback address; gives the base URL."""
    listener = socket.socket(proto=socket.IPPROTO_TCP)  # or asyncio leaves Nagle on: 40 ms a call
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    config = uvicorn.Config(app, log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()  # the socket already listens, so early requests wait in its queue
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def serving(engine: Engine) -> Iterator[Service]:
    """`engine` behind a server, with clients."""
    with running(create_app(engine)) as url:
        hooks = {"response": [check]}
        http = httpx2.Client(event_hooks=hooks, timeout=60)
        client = openai.OpenAI(
            base_url=f"{url}/v1", api_key="any", http_client=http, max_retries=0
        )
        raw = httpx2.Client(base_url=url, event_hooks=hooks, timeout=60)
        with http, raw:
            yield Service(engine, url, client, raw)
