"""A small `/v1/embeddings` server over real HTTP, which misbehaves when its script says so."""

from __future__ import annotations

import base64
import json
import threading
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

import numpy as np
from handlers import handled

from retrieval.hash_embedder import HashEmbedder


@dataclass
class Served:
    """What the server does with the next requests, and what it has seen of them."""

    mishaps: list[str | int | tuple[int, str]] = field(default_factory=list)  # one a request
    model: HashEmbedder = field(default_factory=lambda: HashEmbedder(dim=64, max_tokens=10**6))
    reads_words: int | None = None  # drops the rest of a text without a word
    refuses_over_words: int | None = None
    no_base64: bool = False
    noise: float = 0.0
    requests: list[dict[str, Any]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def vectors(self, texts: list[str]) -> np.ndarray:
        cut = [" ".join(text.split()[: self.reads_words]) for text in texts]
        rows = 3.0 * self.model.embed(cut)  # not of unit length: it is ours to make them so
        return rows + self.noise * np.cos(np.arange(rows.size)).reshape(rows.shape)


def _handler(served: Served) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            with served.lock:
                served.requests.append(body)
                served.times.append(time.monotonic())
                served.keys.append(self.headers.get("authorization", ""))
                mishap = served.mishaps.pop(0) if served.mishaps else ""
            try:
                self._reply(body, mishap)
            except OSError:
                return  # the client went away

        def _reply(self, body: dict[str, Any], mishap: str | int | tuple[int, str]) -> None:
            if isinstance(mishap, tuple):
                self._send(mishap[0], {"error": {"message": "later"}}, retry_after=mishap[1])
            elif isinstance(mishap, int):
                self._send(mishap, {"error": {"message": "out of order"}})
            elif mishap == "cut":
                self.connection.close()
            elif mishap == "html":
                self._send(200, "<html>welcome</html>")
            elif served.no_base64 and body.get("encoding_format") == "base64":
                self._send(422, {"error": {"message": "encoding_format: base64 is not known"}})
            elif self._too_long(body["input"]):
                self._send(400, {"error": {"message": "the input is longer than the context"}})
            else:
                if mishap == "stall":
                    time.sleep(1.5)
                self._send(200, self._embeddings(body, str(mishap)))

        def _too_long(self, texts: list[str]) -> bool:
            limit = served.refuses_over_words
            return limit is not None and max(len(text.split()) for text in texts) > limit

        def _embeddings(self, body: dict[str, Any], mishap: str) -> dict[str, Any]:
            rows = served.vectors(body["input"]).astype(np.float32)
            if mishap == "other dimension":
                rows = rows[:, :32]
            if mishap == "not a number":
                rows[0, 0] = np.nan
            is_base64 = body.get("encoding_format") == "base64"
            data = [
                {
                    "object": "embedding",
                    "index": i,
                    "embedding": base64.b64encode(row.tobytes()).decode()
                    if is_base64
                    else row.tolist(),
                }
                for i, row in enumerate(rows)
            ]
            if mishap == "short":
                data = data[:-1]
            if mishap == "twice":
                data[-1]["index"] = 0
            if mishap == "shuffled":
                data = data[::-1]
            if mishap == "ragged":
                data[0]["embedding"] = [1.0, 2.0]
            usage = {"prompt_tokens": 1, "total_tokens": 1}
            return {"object": "list", "model": body["model"], "data": data, "usage": usage}

        def _send(self, status: int, body: Any, *, retry_after: str = "") -> None:
            raw = (body if isinstance(body, str) else json.dumps(body)).encode()
            self.send_response(status)
            kind = "text/html" if isinstance(body, str) else "application/json"
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(raw)))
            if retry_after:
                self.send_header("retry-after", retry_after)
            elif status >= 400:
                self.send_header("retry-after-ms", "1")
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_args: object) -> None:
            """Nothing: the tests look at `requests`."""

    return Handler


def embeddings_server(served: Served) -> AbstractContextManager[str]:
    """Serve it; gives the base URL."""
    return handled(_handler(served))
