"""The connection to a Chat Completions server: streamed, cut when nobody waits any more."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import openai

from api.answer.failures import UpstreamFailed
from api.answer.stop import Stop
from api.answer.types import EndReason, FunctionCall, Usage
from retrieval.errors import InvalidRequest
from retrieval.ids import new_id

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletionChunk
    from openai.types.chat.chat_completion_chunk import ChoiceDeltaToolCall

MAX_RETRIES = 2  # before the first token only; afterwards the reader has seen the start
_REASONS: dict[str, EndReason] = {
    "length": "max_output_tokens",
    "content_filter": "content_filter",
}


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
    _calls: dict[int, _Call] = field(default_factory=dict)

    @property
    def calls(self) -> list[FunctionCall]:
        """The tools that the model called, in order."""
        whole = self.reason == "stop"
        return [
            FunctionCall(call.id or new_id("call"), call.name, call.arguments or "{}", whole)
            for _, call in sorted(self._calls.items())
        ]

    def note(self, chunk: ChatCompletionChunk) -> None:
        """Take in one chunk."""
        for choice in chunk.choices:
            self.reason = _REASONS.get(choice.finish_reason or "", self.reason)
            for piece in choice.delta.tool_calls or []:
                self._extend(piece)
        if (told := chunk.usage) is not None:
            cached = told.prompt_tokens_details
            details = told.completion_tokens_details
            self.usage = Usage(
                input_tokens=told.prompt_tokens,
                output_tokens=told.completion_tokens,
                cached_tokens=(cached and cached.cached_tokens) or 0,
                reasoning_tokens=(details and details.reasoning_tokens) or 0,
            )

    def _extend(self, piece: ChoiceDeltaToolCall) -> None:
        call = self._calls.setdefault(piece.index, _Call())
        call.id = piece.id or call.id
        if piece.function is not None:
            call.name += piece.function.name or ""
            call.arguments += piece.function.arguments or ""


@dataclass(frozen=True, slots=True)
class Server:
    """One model of a Chat Completions server."""

    model: str
    base_url: str
    api_key: str | None
    timeout_s: float

    def deltas(self, fields: Mapping[str, Any], *, reply: Reply, stop: Stop) -> Iterator[str]:
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
                for chunk in stream:
                    stop.check()
                    reply.note(chunk)
                    if text := _text_of(chunk):
                        yield text
            stop.check()  # or it looks like an end
        except openai.APIError as exc:
            stop.check()  # a cut connection looks like a failure of the server
            if "tools" in fields and _refuses_tools(exc):
                raise ToolsRefused from exc
            raise self._translated(exc) from exc
        except OSError as exc:
            stop.check()
            raise UpstreamFailed(f"The connection to the language model broke: {exc}") from exc

    def _open(
        self, client: openai.OpenAI, fields: Mapping[str, Any]
    ) -> openai.Stream[ChatCompletionChunk]:
        given = {**fields, "model": self.model, "stream": True}
        create: Callable[..., openai.Stream[ChatCompletionChunk]] = client.chat.completions.create
        try:
            return create(**given, stream_options={"include_usage": True})
        except openai.BadRequestError as exc:
            if "stream_options" not in str(exc):
                raise
            return create(**given)  # an older server

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
            http_client=openai.DefaultHttpxClient(event_hooks={"request": [add_watch]}),
        )

    def _translated(self, exc: openai.APIError) -> Exception:
        server = f"The language model '{self.model}' at {self.base_url}"
        if isinstance(exc, openai.APITimeoutError):
            return UpstreamFailed(f"{server} did not answer within {self.timeout_s:g} seconds.")
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


def _text_of(chunk: ChatCompletionChunk) -> str:
    return "".join(choice.delta.content or "" for choice in chunk.choices if choice.index == 0)


def _cut(connection: socket.socket) -> None:
    """Wake whoever reads from the connection; it may have been closed meanwhile."""
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
