"""Answers by a language model behind any Chat Completions server; its citations made ours.

The server streams; what comes is cleaned of markers on the way (``markers.py``). A marker
becomes a citation of the sentences of its source that support the claim best. A model that
writes none gets its sentences aligned to the sources, or to none of them (``align.py``).
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import openai

from api.answer.align import Aligner
from api.answer.claims import Claims
from api.answer.markers import Marker, MarkerFilter, Reference
from api.answer.prompt import Prompt, build
from api.answer.stop import Stop
from api.answer.structure import Structure
from api.answer.types import EndReason, Finished, Task, Usage, Written
from retrieval.errors import InvalidRequest, ModelUnavailable
from retrieval.types import Hit

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletionChunk

    from api.engine import Engine

MAX_RETRIES = 2  # before the first token only; afterwards the reader has seen the start
_REASONS: dict[str, EndReason] = {
    "length": "max_output_tokens",
    "content_filter": "content_filter",
}


class UpstreamFailed(ModelUnavailable):
    """The language model's server refused or broke off; `response_code` is the contract's."""

    def __init__(self, message: str, *, response_code: str = "server_error") -> None:
        super().__init__(message)
        self.response_code = response_code


@dataclass(frozen=True, slots=True)
class LanguageModel:
    """A model of a Chat Completions server."""

    name: str
    base_url: str
    api_key: str | None
    timeout_s: float
    engine: Engine

    def write(self, task: Task, *, stop: Stop) -> Iterator[Written]:
        """See `Model.write`."""
        prompt = build(task, count_tokens=self._count_tokens)
        ending = _Ending()
        deltas = self._deltas(prompt, task, ending=ending, stop=stop)
        n_chars = 0
        for written in self._cited(deltas, task, prompt):
            n_chars += len(written) if isinstance(written, str) else 0
            yield written
        yield Finished(ending.reason, ending.usage or self._estimate(prompt, n_chars))

    def _cited(self, deltas: Iterator[str], task: Task, prompt: Prompt) -> Iterator[Written]:
        is_json = task.text_format["type"] != "text"
        aligner = Aligner(prompt.sources, self.engine.embedder, Structure(self.engine).blocks)
        claims = Claims(aligner, align_unmarked=task.extension.fallback_citations and not is_json)
        clean = MarkerFilter(json=is_json)
        for delta in deltas:
            for piece in clean.feed(delta):
                yield from _placed(piece, claims, prompt.sources)
        for piece in clean.finish():
            yield from _placed(piece, claims, prompt.sources)
        yield from claims.finish()

    def _deltas(self, prompt: Prompt, task: Task, *, ending: _Ending, stop: Stop) -> Iterator[str]:
        """The server's text as it comes; how it ended goes into `ending`."""
        try:
            with self._client(stop) as client, self._open(client, prompt, task) as stream:
                for chunk in stream:
                    stop.check()
                    ending.note(chunk)
                    if text := _text_of(chunk):
                        yield text
        except openai.APIError as exc:
            stop.check()  # a cut connection looks like a failure of the server
            raise _translated(exc, self) from exc
        except OSError as exc:
            stop.check()
            raise UpstreamFailed(f"The connection to the language model broke: {exc}") from exc

    def _open(
        self, client: openai.OpenAI, prompt: Prompt, task: Task
    ) -> openai.Stream[ChatCompletionChunk]:
        given = {
            "temperature": task.sampling.temperature,
            "top_p": task.sampling.top_p,
            "max_tokens": task.sampling.max_output_tokens,
            "reasoning_effort": task.sampling.reasoning_effort,
            "response_format": _response_format(task.text_format),
        }
        fields: dict[str, Any] = {k: v for k, v in given.items() if v is not None}
        fields |= {"model": self.name, "messages": prompt.messages, "stream": True}
        create: Callable[..., openai.Stream[ChatCompletionChunk]] = client.chat.completions.create
        try:
            return create(**fields, stream_options={"include_usage": True})
        except openai.BadRequestError as exc:
            if "stream_options" not in str(exc):
                raise
            return create(**fields)  # an older server

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

    def _count_tokens(self, text: str) -> int:
        return len(self.engine.embedder.token_spans(text))

    def _estimate(self, prompt: Prompt, n_chars: int) -> Usage:
        """Token counts of a server that tells none; about four characters a token."""
        n_input = sum(self._count_tokens(message["content"]) for message in prompt.messages)
        return Usage(input_tokens=n_input, output_tokens=-(-n_chars // 4))


class _Ending:
    """How the stream ended, as far as it has told."""

    def __init__(self) -> None:
        self.reason: EndReason = "stop"
        self.usage: Usage | None = None

    def note(self, chunk: ChatCompletionChunk) -> None:
        for choice in chunk.choices:
            self.reason = _REASONS.get(choice.finish_reason or "", self.reason)
        if (told := chunk.usage) is not None:
            cached = told.prompt_tokens_details
            details = told.completion_tokens_details
            self.usage = Usage(
                input_tokens=told.prompt_tokens,
                output_tokens=told.completion_tokens,
                cached_tokens=(cached and cached.cached_tokens) or 0,
                reasoning_tokens=(details and details.reasoning_tokens) or 0,
            )


def _placed(piece: str | Marker, claims: Claims, sources: tuple[Hit, ...]) -> Iterator[Written]:
    if isinstance(piece, str):
        yield from claims.text(piece)
    else:
        named = [hit for ref in piece.references for hit in _resolve(ref, sources)]
        yield from claims.marker(tuple(dict.fromkeys(hit.id for hit in named)))


def _resolve(reference: Reference, sources: tuple[Hit, ...]) -> list[Hit]:
    """The source of a number, or the best one of a file's id or name; nothing if unknown."""
    if isinstance(reference, int):
        return list(sources[reference - 1 : reference]) if reference > 0 else []
    return [hit for hit in sources if reference in {hit.file_id, hit.filename}][:1]


def _text_of(chunk: ChatCompletionChunk) -> str:
    return "".join(choice.delta.content or "" for choice in chunk.choices if choice.index == 0)


def _response_format(text_format: Any) -> dict[str, Any] | None:
    """`text.format` of the Responses API in the words of Chat Completions."""
    kind = text_format["type"]
    if kind == "text":
        return None
    if kind == "json_object":
        return {"type": "json_object"}
    schema = {k: v for k, v in text_format.items() if k != "type" and v is not None}
    return {"type": "json_schema", "json_schema": schema}


def _translated(exc: openai.APIError, model: LanguageModel) -> Exception:
    server = f"The language model '{model.name}' at {model.base_url}"
    if isinstance(exc, openai.APITimeoutError):
        return UpstreamFailed(f"{server} did not answer within {model.timeout_s:g} seconds.")
    if isinstance(exc, openai.APIConnectionError):
        return UpstreamFailed(f"{server} could not be reached.")
    if isinstance(exc, openai.RateLimitError):
        code = "insufficient_quota" if exc.code == "insufficient_quota" else "rate_limit_exceeded"
        return UpstreamFailed(f"{server} is over its limit: {exc.message}", response_code=code)
    if isinstance(exc, openai.BadRequestError):
        message = f"{server} refused the request: {exc.message}"
        return InvalidRequest(message, param=None, code="invalid_value")
    return UpstreamFailed(f"{server} failed: {exc.message}")


def _cut(connection: socket.socket) -> None:
    """Wake whoever reads from the connection; it may have been closed meanwhile."""
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
