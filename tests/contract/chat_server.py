"""A small Chat Completions server over real HTTP that says what its script says."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from handlers import handled


@dataclass
class Script:
    """What the server does with the next requests, and what it has seen of them."""

    deltas: list[str | dict[str, Any]] = field(default_factory=list)  # a dict is a whole delta
    rounds: list[list[str | dict[str, Any]]] = field(default_factory=list)  # before `deltas`
    no_tools: bool = False  # refuse requests that bring tools
    finish_reason: str = "stop"
    usage: dict[str, Any] | None = None
    statuses: list[int] = field(default_factory=list)  # refusals before the first answer
    error: dict[str, Any] = field(default_factory=lambda: {"message": "refused"})
    break_after: int | None = None  # deltas, then the connection is cut
    pause_s: float = 0.0  # before each delta
    pieces: list[bytes] | None = None  # sent as they are instead of everything above
    content_type: str = "text/event-stream"
    hang_ups: int = 0  # requests whose connection is cut without a word
    retry_after_ms: int = 1  # of refusals
    times: list[float] = field(default_factory=list)  # when requests came
    hear: Callable[[Script], None] = lambda _: None  # called with each request, may change all
    requests: list[dict[str, Any]] = field(default_factory=list)
    left: threading.Event = field(default_factory=threading.Event)  # the client went away

    @property
    def prompt(self) -> str:
        """All text of the newest request."""
        return "\n".join(str(message["content"]) for message in self.requests[-1]["messages"])


def calling(name: str, *arguments: str, index: int = 0) -> list[dict[str, Any]]:
    """The deltas of one tool call, its arguments cut as given."""
    first = {"index": index, "id": f"call_{name}_{index}", "type": "function"}
    named = {"tool_calls": [{**first, "function": {"name": name, "arguments": ""}}]}
    pieces = [
        {"tool_calls": [{"index": index, "function": {"arguments": piece}}]} for piece in arguments
    ]
    return [named, *pieces]


def _handler(script: Script) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["content-length"])
            script.requests.append(json.loads(self.rfile.read(length)))
            script.times.append(time.monotonic())
            script.hear(script)
            if script.hang_ups:
                script.hang_ups -= 1
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            if script.statuses:
                self._refuse(script.statuses.pop(0))
                return
            if script.no_tools and "tools" in script.requests[-1]:
                self._refuse(400)
                return
            try:
                self._stream()
            except OSError:
                script.left.set()

        def _refuse(self, status: int) -> None:
            body = json.dumps({"error": script.error}).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.send_header("retry-after-ms", str(script.retry_after_ms))
            self.end_headers()
            self.wfile.write(body)

        def _stream(self) -> None:
            self.send_response(200)
            self.send_header("content-type", script.content_type)
            self.end_headers()
            if script.pieces is not None:
                for piece in script.pieces:
                    self.wfile.write(piece)
                    self.wfile.flush()
                    time.sleep(script.pause_s)
                return
            deltas = script.rounds.pop(0) if script.rounds else script.deltas
            for n, delta in enumerate(deltas):
                if n == script.break_after:
                    return
                whole = {"content": delta} if isinstance(delta, str) else dict(delta)
                time.sleep(whole.pop("wait_s", script.pause_s))
                self._chunk(whole, None)
            self._chunk({}, script.finish_reason)
            if script.usage is not None:
                self._send({**self._base(), "choices": [], "usage": script.usage})
            self.wfile.write(b"data: [DONE]\n\n")

        def _base(self) -> dict[str, Any]:
            return {
                "id": "c", "object": "chat.completion.chunk", "created": 0, "model": "scripted",
            }  # fmt: skip

        def _chunk(self, delta: dict[str, Any], finish_reason: str | None) -> None:
            choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
            self._send({**self._base(), "choices": [choice]})

        def _send(self, chunk: dict[str, Any]) -> None:
            self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
            self.wfile.flush()

        def log_message(self, *_args: object) -> None:
            """Nothing: the tests look at `requests`."""

    return Handler


def chat_server(script: Script) -> AbstractContextManager[str]:
    """Serve `script`; gives the base URL."""
    return handled(_handler(script))
