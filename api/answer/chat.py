"""The connection to a Chat Completions server: streamed, cut when nobody waits any more."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import httpx2
import openai

from api.answer.failures import UpstreamFailed
from api.answer.stop import Stop
from api.answer.types import EndReason, FunctionCall, Refusal, Usage
from retrieval.errors import InvalidRequest
from retrieval.ids import new_id

if TYPE_CHECKING:
    import ssl

    from openai import APIResponse

MAX_RETRIES = 2  # before the first token only; afterwards the reader has seen the start
_REASONS: dict[str, EndReason] = {
    "length": "max_output_tokens",
    "content_filter": "content_filter",
}


_CODES = {"rate_limit_exceeded", "insufficient_quota", "invalid_prompt"}


class ToolsRefused(Exception):
    """The server, or its model, takes no `tools`."""


@dataclass(slots=True)
class _Call:
    id: str = ""
    name: str = ""
    arguments: str = ""


@dataclass(slots=True)
class Reply:
    """What a stream tells beside its text, as far as it has come."""

    reason: EndReason = "stop"
    usage: Usage | None = None
    ended: bool = False  # it said so itself
    _calls: dict[int, _Call] = field(default_factory=dict)

    @property
    def calls(self) -> list[FunctionCall]:
        """The tools that the model called, in order."""
        whole = self.reason == "stop"
        return [
            FunctionCall(call.id or new_id("call"), call.name, call.arguments or "{}", whole)
            for _, call in sorted(self._calls.items())
        ]

    def note(self, chunk: Mapping[str, Any]) -> Iterator[str | Refusal]:
        """Take in one chunk; gives what it has to show."""
        for choice in chunk.get("choices") or ():
            if choice.get("index"):
                continue  # nobody asked for a second answer
            if reason := choice.get("finish_reason"):
                self.reason, self.ended = _REASONS.get(reason, self.reason), True
            delta = choice.get("delta") or {}
            for piece in delta.get("tool_calls") or ():
                self._extend(piece)
            if text := delta.get("content"):
                yield text
            if text := delta.get("refusal"):
                yield Refusal(text)
        if told := chunk.get("usage"):
            self.usage = _usage(told)

    def _extend(self, piece: Mapping[str, Any]) -> None:
        call = self._calls.setdefault(piece.get("index") or 0, _Call())
        call.id = piece.get("id") or call.id
        function = piece.get("function") or {}
        call.name += function.get("name") or ""
        call.arguments += function.get("arguments") or ""


def _usage(told: Mapping[str, Any]) -> Usage:
    """Token counts; the details are missing from most servers."""
    cached = (told.get("prompt_tokens_details") or {}).get("cached_tokens")
    reasoning = (told.get("completion_tokens_details") or {}).get("reasoning_tokens")
    return Usage(
        input_tokens=told.get("prompt_tokens") or 0,
        output_tokens=told.get("completion_tokens") or 0,
        cached_tokens=cached or 0,
        reasoning_tokens=reasoning or 0,
    )


@dataclass(frozen=True, slots=True)
class Server:
    """One model of a Chat Completions server."""

    model: str
    base_url: str
    api_key: str | None
    timeout_s: float

    def deltas(
        self, fields: Mapping[str, Any], *, reply: Reply, stop: Stop
    ) -> Iterator[str | Refusal]:
        """The text as it comes; all else goes into `reply`.

        Args:
            fields: of the request, but for the model.
            reply: an empty one.
            stop: cuts the connection.

        Raises:
            UpstreamFailed: it cannot be reached, refuses for now, or broke off.
            InvalidRequest: it does not take the request.
            ToolsRefused: it does not take the request's tools.
            Stopped: `stop` was set.
        """
        try:
            with self._client(stop) as client, self._open(client, fields) as stream:
                for chunk in self._chunks(stream, reply):
                    stop.check()
                    yield from reply.note(chunk)
            stop.check()  # or it looks like an end
        except openai.APIError as exc:
            stop.check()  # a cut connection looks like a failure of the server
            if "tools" in fields and _refuses_tools(exc):
                raise ToolsRefused from exc
            raise self._translated(exc) from exc
        except OSError as exc:
            stop.check()
            raise UpstreamFailed(f"The connection to the language model broke: {exc}") from exc
        except httpx2.TransportError as exc:
            stop.check()
            raise self._broke_off(exc) from exc
        if not reply.ended:
            raise UpstreamFailed(f"{self._named} broke off in the middle of its answer.")

    @contextmanager
    def _open(
        self, client: openai.OpenAI, fields: Mapping[str, Any]
    ) -> Iterator[APIResponse[Any]]:
        given = {**fields, "model": self.model, "stream": True}
        # Raw: the client's own reading of a chunk costs more than all that is done with it.
        raw: Any = client.chat.completions.with_streaming_response
        create: Callable[..., AbstractContextManager[APIResponse[Any]]] = raw.create
        with ExitStack() as stack:
            try:
                told = {"include_usage": True}
                stream = stack.enter_context(create(**given, stream_options=told))
            except openai.BadRequestError as exc:
                if "stream_options" not in str(exc):
                    raise
                stream = stack.enter_context(create(**given))  # an older server
            yield stream

    def _chunks(self, stream: APIResponse[Any], reply: Reply) -> Iterator[dict[str, Any]]:
        """The chunks of a stream of events, each one line of JSON."""
        for line in _lines(stream.iter_bytes()):
            if not line.startswith(b"data:"):
                continue
            data = line[5:].strip()
            if data == b"[DONE]":
                reply.ended = True
                return
            try:
                chunk = json.loads(data)
            except ValueError as exc:
                raise UpstreamFailed(f"{self._named} sent what is no JSON: {exc}") from exc
            if not isinstance(chunk, dict) or chunk.get("error"):
                raise self._told(chunk)
            yield chunk

    def _told(self, chunk: Any) -> UpstreamFailed:
        """An error that came in the middle of a stream."""
        error = chunk["error"] if isinstance(chunk, dict) else chunk
        told = error if isinstance(error, dict) else {"message": error}
        code = told.get("code") or told.get("type")
        known = code if code in _CODES else "server_error"
        return UpstreamFailed(f"{self._named} failed: {told.get('message')}", response_code=known)

    @property
    def _named(self) -> str:
        return f"The language model '{self.model}' at {self.base_url}"

    def _broke_off(self, exc: Exception) -> UpstreamFailed:
        if isinstance(exc, httpx2.TimeoutException):
            return self._timed_out()
        return UpstreamFailed(f"{self._named} broke off in the middle of its answer: {exc}")

    def _timed_out(self) -> UpstreamFailed:
        return UpstreamFailed(f"{self._named} did not answer within {self.timeout_s:g} seconds.")

    def _client(self, stop: Stop) -> openai.OpenAI:
        """A client of one request, whose connection `stop` cuts, even while it waits."""

        def watch(event: str, info: dict[str, Any]) -> None:
            if event in {"connection.connect_tcp.complete", "connection.start_tls.complete"}:
                connection = info["return_value"].get_extra_info("socket")
                stop.on_set(lambda: _cut(connection))

        def add_watch(request: Any) -> None:
            request.extensions["trace"] = watch

        return openai.OpenAI(
            base_url=self.base_url,
            api_key=self.api_key or "none",
            timeout=self.timeout_s,
            max_retries=MAX_RETRIES,
            http_client=openai.DefaultHttpxClient(
                event_hooks={"request": [add_watch]}, verify=_certificates()
            ),
        )

    def _translated(self, exc: openai.APIError) -> Exception:
        server = self._named
        if isinstance(exc, openai.APITimeoutError):
            return self._timed_out()
        if isinstance(exc, openai.APIConnectionError):
            return UpstreamFailed(f"{server} could not be reached.")
        if isinstance(exc, openai.RateLimitError):
            is_quota = exc.code == "insufficient_quota"
            code = "insufficient_quota" if is_quota else "rate_limit_exceeded"
            return UpstreamFailed(f"{server} is over its limit: {exc.message}", response_code=code)
        if isinstance(exc, openai.BadRequestError):
            message = f"{server} refused the request: {exc.message}"
            return InvalidRequest(message, param=None, code="invalid_value")
        return UpstreamFailed(f"{server} failed: {exc.message}")


def _refuses_tools(exc: openai.APIError) -> bool:
    """Servers word it differently, with 400, 404, 422, 500 or 501; all speak of tools."""
    return isinstance(exc, openai.APIStatusError) and "tool" in str(exc).lower()


def _lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Lines, however the network cut them; what follows the last line break is none."""
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        yield from lines


@cache
def _certificates() -> ssl.SSLContext:
    """Whom to trust, read once: that takes longer than everything else about a connection."""
    return httpx2.create_ssl_context()


def _cut(connection: socket.socket) -> None:
    """Wake whoever reads from the connection; it may have been closed meanwhile."""
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
