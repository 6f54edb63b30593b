"""What a stream costs beside search and language model, and many of them at once.

    python benchmarks/streams.py [--streams 200] [--deltas 200]

Starts a server on a fresh folder and, as its language model, a Chat Completions server in a
process of its own that has its answers ready. Measured over HTTP from a third process:

- to the first event: from sending a request to the first event's last byte;
- a delta: processor time of the server for one, from answers of two lengths, so that what a
  request costs in any case is left out; reading the language model's stream is in it;
- many at once: every stream must bring each of its words, once and in order. A delta that comes
  alone costs more than one of many that are ready together, as it wakes threads and is sent alone.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2

COMMAND = Path(sys.executable).with_name("sourcebook")
FIRST_MS, DELTA_US = 5.0, 50.0  # what issue 8 allows
N_REQUESTS = 60
SHORT, LONG = 500, 4500  # deltas


def words(count: int) -> list[str]:
    """What the language model says: sentences of twelve words."""
    found = [f"w{n}" for n in range(count)]
    found[::12] = [each.upper() for each in found[::12]]
    found[11::12] = [f"{each}." for each in found[11::12]]
    return found


async def _chat(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One request of a Chat Completions client: `w0 w1 …`, as many words as it asks for."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(re.search(rb"content-length: (\d+)", head.lower())[1])
    asked = json.loads(await reader.readexactly(length))["messages"][-1]["content"]
    n_words, pause_s, batch = re.search(r"(\d+) words, (\S+) s, (\d+)", asked).groups()
    writer.write(
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
    )
    waiting = b""
    for n, word in enumerate(words(int(n_words))):
        waiting += _chunk({"content": f"{word} "}, None)
        if n % int(batch) == int(batch) - 1:
            writer.write(waiting)
            waiting = b""
            await writer.drain()
            if float(pause_s):
                await asyncio.sleep(float(pause_s))
    writer.write(waiting + _chunk({}, "stop") + b"data: [DONE]\n\n")
    await writer.drain()
    writer.close()


def _chunk(delta: dict[str, str], reason: str | None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "words"}
    return f"data: {json.dumps({**chunk, 'choices': [choice]})}\n\n".encode()


async def _serve_chat() -> None:
    server = await asyncio.start_server(_chat, "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def language_model() -> Iterator[str]:
    """The base URL of a Chat Completions server in a process of its own."""
    command = [sys.executable, __file__, "--chat"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}/v1"
        finally:
            process.terminate()


@contextmanager
def server(data: Path, llm: str) -> Iterator[tuple[str, int]]:
    """Address and process id of a fresh server that `llm` writes for."""
    environment = os.environ | {
        "SOURCEBOOK_DATA": str(data), "SOURCEBOOK_EMBEDDER": "hash",
        "SOURCEBOOK_LLM_BASE_URL": llm, "SOURCEBOOK_LLM_MODEL": "words",
    }  # fmt: skip
    with subprocess.Popen(  # noqa: S603 - our own command
        [COMMAND, "serve", "--port", "0"],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as process:  # fmt: skip
        try:
            address = re.search(r"http://[\d.:]+", process.stdout.readline())[0]
            yield address, process.pid
        finally:
            process.terminate()


def body(n_words: int, *, pause_s: float = 0.0, batch: int = 50, model: str = "words") -> dict:
    """A request for so many words."""
    asked = f"{n_words} words, {pause_s} s, {batch} at a time"
    return {"model": model, "input": asked, "stream": True, "store": False}


def first_event_ms(client: httpx2.Client, request: dict) -> float:
    """Milliseconds from sending a request to its first event; the stream is read to its end."""
    start = time.perf_counter()
    with client.stream("POST", "/v1/responses", json=request) as reply:
        reply.raise_for_status()
        pieces = reply.iter_bytes()
        got = b""
        while b"\n\n" not in got:
            got += next(pieces)
        took = time.perf_counter() - start
        for _piece in pieces:
            pass
    return 1000 * took


def processor_s(pid: int) -> float:
    """Seconds of processor time that a process has used so far, in its own code and the system's."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def delta_us(client: httpx2.Client, pid: int) -> float:
    """Microseconds of the server's processor time for one delta."""
    spent = {}
    for n_words in (SHORT, LONG):
        before = processor_s(pid)
        for _ in range(3):
            first_event_ms(client, body(n_words))
        spent[n_words] = (processor_s(pid) - before) / 3
    return 1e6 * (spent[LONG] - spent[SHORT]) / (LONG - SHORT)


async def many(address: str, n_streams: int, n_words: int, pause_s: float) -> tuple[list, float]:
    """First events of `n_streams` at once in ms, and how long all took in s; checks each."""
    limits = httpx2.Limits(max_connections=n_streams)
    async with httpx2.AsyncClient(base_url=address, timeout=280, limits=limits) as client:
        start = time.perf_counter()
        request = body(n_words, pause_s=pause_s, batch=1)
        found = await asyncio.gather(*(_one(client, request, n_words) for _ in range(n_streams)))
        return found, time.perf_counter() - start


async def _one(client: httpx2.AsyncClient, request: dict, n_words: int) -> float:
    start = time.perf_counter()
    number, took, said = 0, 0.0, []
    async with client.stream("POST", "/v1/responses", json=request) as reply:
        async for line in reply.aiter_lines():
            if not line.startswith("data: "):
                continue
            took = took or time.perf_counter() - start
            event = json.loads(line[6:])
            if event["sequence_number"] != number:
                raise SystemExit(f"Event {number} was lost, or came out of order: {event}")
            number += 1
            if event["type"] == "response.output_text.delta":
                said.append(event["delta"])
    if event["type"] != "response.completed" or "".join(said).split() != words(n_words):
        raise SystemExit(f"Words were lost, or came out of order, before {event['type']}.")
    return 1000 * took


def main() -> None:
    """Measure and print; ends with 1 if something is above what is allowed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--deltas", type=int, default=200)
    parser.add_argument("--pause", type=float, default=0.05, help="seconds between deltas")
    parser.add_argument("--chat", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.chat:
        asyncio.run(_serve_chat())
        return
    with (
        tempfile.TemporaryDirectory() as folder,
        language_model() as llm,
        server(Path(folder), llm) as (address, pid),
    ):
        sys.exit(_report(address, pid, asked))


def _report(address: str, pid: int, asked: argparse.Namespace) -> int:
    with httpx2.Client(base_url=address, timeout=120) as client:
        for model in ("extractive", "words"):  # what is loaded once
            first_event_ms(client, body(10, model=model))
        firsts = sorted(first_event_ms(client, body(10)) for _ in range(N_REQUESTS))
        middle, late = statistics.median(firsts), firsts[int(0.95 * len(firsts))]
        print(f"first event: p50 {middle:.1f} ms, p95 {late:.1f} ms (allowed {FIRST_MS:g})")
        each = statistics.median(delta_us(client, pid) for _ in range(3))
        print(f"a delta: {each:.0f} us of processor time (allowed {DELTA_US:g})")
    before = processor_s(pid)
    found, took = asyncio.run(many(address, asked.streams, asked.deltas, asked.pause))
    late = sorted(found)[int(0.95 * len(found))]
    spent_us = 1e6 * (processor_s(pid) - before) / (asked.streams * asked.deltas)
    print(
        f"{asked.streams} streams of {asked.deltas} deltas at once: all whole and in order,"
        f" {took:.1f} s, first event p95 {late:.0f} ms, {spent_us:.0f} us a delta"
    )
    return int(middle > FIRST_MS or each > DELTA_US)


if __name__ == "__main__":
    main()
