"""Clients that dawdle cost others nothing, and searches go on while files are indexed."""

import contextlib
import itertools
import json
import socket
import threading
import time
from urllib.parse import urlsplit

import pytest
from http_service import serving

from api.engine import Engine
from api.settings import Settings
from retrieval.queries import Query

N_SLOW = 60  # more than the server has threads for requests


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A server, and a vector store with one file whose chunks make a long reply."""
    settings = Settings(data=tmp_path_factory.mktemp("data"), embedder="hash", query_cache=0)
    with Engine.open(settings=settings, work=True) as engine, serving(engine) as service:
        text = " ".join(f"The gear number {i} moves the wheel of the clock." for i in range(3000))
        file = service.client.files.create(file=("a.txt", text.encode()), purpose="assistants")
        store = service.client.vector_stores.create(name="slow")
        service.client.vector_stores.files.create_and_poll(file.id, vector_store_id=store.id)
        yield service, store.id


def request(store_id, host):
    body = json.dumps({"query": "gear wheel clock", "max_num_results": 50}).encode()
    head = (
        f"POST /v1/vector_stores/{store_id}/search HTTP/1.1\r\nHost: {host}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def slow_ones(service, sent, *, stack):
    """Connections that have sent so much, and from then on neither send nor read."""
    at = urlsplit(service.url)
    for _ in range(N_SLOW):
        connection = stack.enter_context(socket.socket())
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)  # fills at once
        connection.connect((at.hostname, at.port))
        connection.sendall(sent)


def seconds_of_a_search(service, store_id):
    began = time.monotonic()
    found = service.client.vector_stores.search(store_id, query="gear wheel")
    assert len(found.data) == 10
    return time.monotonic() - began


@pytest.mark.parametrize(
    "part", ["half of the headers", "half of the body", "all, reading nothing"]
)
def test_a_slow_client_holds_up_nobody(filled, part):
    service, store_id = filled
    whole = request(store_id, urlsplit(service.url).netloc)
    border = {"half of the headers": 40, "half of the body": len(whole) - 20}.get(part, len(whole))
    with contextlib.ExitStack() as stack:
        slow_ones(service, whole[:border], stack=stack)
        spent = [seconds_of_a_search(service, store_id) for _ in range(5)]
    assert min(spent) < 5, spent  # behind any of them it would wait for ever


def test_searches_go_on_while_files_are_indexed(filled):
    service, store_id = filled
    engine = service.engine
    stop, answered = threading.Event(), []

    def search():
        while not stop.is_set():
            found = engine.search([store_id], Query(("gear wheel",), limit=5))
            assert len(found.hits) == 5
            answered.append(time.monotonic())

    thread = threading.Thread(target=search)
    thread.start()
    try:
        began = time.monotonic()
        for n in range(4):
            text = " ".join(f"The pendulum number {i} of {n} swings." for i in range(3000))
            file = service.client.files.create(
                file=(f"{n}.txt", text.encode()), purpose="assistants"
            )
            service.client.vector_stores.files.create_and_poll(file.id, vector_store_id=store_id)
        ended = time.monotonic()
    finally:
        stop.set()
        thread.join()
    during = [each for each in answered if began <= each <= ended]
    gaps = [b - a for a, b in itertools.pairwise(during)]
    assert len(during) > 10
    assert max(gaps) < max(2.0, (ended - began) / 2)
