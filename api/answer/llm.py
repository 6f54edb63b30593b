"""Answers by a language model behind any Chat Completions server; its citations made ours.

The server streams; what comes is cleaned of markers on the way (``markers.py``). A marker
becomes a citation of the sentences of its source that support the claim best. A model that
writes none gets its sentences aligned to the sources, or to none of them (``align.py``).

Who searches is the setting `llm_retrieval`: `forced` searches for the question before the
model writes, `tool` leaves it to the model, `auto` does the first and offers the second.
A server that refuses tools is remembered, and gets the first alone.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from api.answer.align import Aligner
from api.answer.chat import Reply, Server, ToolsRefused
from api.answer.claims import Claims
from api.answer.failures import UpstreamFailed
from api.answer.markers import Marker, MarkerFilter, Reference
from api.answer.prompt import BAD_QUERIES, MAX_QUERIES, NO_MORE, SEARCH_SCHEMA, SEARCH_TOOL, Talk
from api.answer.stop import Stop
from api.answer.structure import Structure
from api.answer.types import (
    Finished,
    Found,
    FunctionCall,
    Refusal,
    Search,
    Task,
    Usage,
    Writer,
    Written,
)
from retrieval.errors import InvalidRequest
from retrieval.queries import Hit

if TYPE_CHECKING:
    from api.engine import Engine

MAX_ROUNDS = 8  # answers of the model in one response, searches between them
# Servers that refused tools in this process. Asking again would cost a request each time.
_WITHOUT_TOOLS: set[Server] = set()


@dataclass(frozen=True, slots=True)
class LanguageModel:
    """A model of a Chat Completions server."""

    server: Server
    engine: Engine
    retrieval: str  # `auto`, `tool` or `forced`

    def write(self, task: Task, *, stop: Stop) -> Writer:
        """See `Model.write`."""
        talk = Talk(task, count_tokens=self._count_tokens, budget=task.extension.max_source_tokens)
        if self._searches_first(task):
            talk.give((yield Search()) or ())
        can_search = self._may_call_search(task)
        used = Usage(0, 0)
        for n_round in range(MAX_ROUNDS):
            can_search = can_search and n_round < MAX_ROUNDS - 1
            reply = Reply()
            try:
                fields = self._fields(task, talk, used, can_search=can_search, first=n_round == 0)
                yield from self._one_message(fields, task, talk, reply, stop)
            except ToolsRefused:
                yield from self._without_tools(task, talk)
                can_search = False
                continue
            used = _sum(used, reply.usage)
            searches, calls = _sorted(reply.calls, task, can_search=can_search)
            if reply.reason != "stop" or not searches:
                yield from _checked(calls)
                break
            for call in searches:
                can_search = yield from _searched(call, talk)
        yield Finished(reply.reason, used)

    # --- who searches -------------------------------------------------------------------------

    def _searches_first(self, task: Task) -> bool:
        if not task.can_search:
            return False
        only_search = task.choice.required and not task.functions
        return self.retrieval != "tool" or only_search or self.server in _WITHOUT_TOOLS

    def _may_call_search(self, task: Task) -> bool:
        return (
            task.can_search
            and self.retrieval != "forced"
            and self.server not in _WITHOUT_TOOLS
            and task.choice.function is None
        )

    def _without_tools(self, task: Task, talk: Talk) -> Writer:
        """Go on with a server that takes no tools, if it is not the client who needs them."""
        if task.functions:
            raise InvalidRequest(
                f"The language model '{self.server.model}' does not take function tools.",
                param="tools",
                code="invalid_value",
            )
        _WITHOUT_TOOLS.add(self.server)
        if self.retrieval == "tool" and not talk.sources:
            talk.give((yield Search()) or ())

    # --- one answer of the model --------------------------------------------------------------

    def _one_message(
        self, fields: dict[str, Any], task: Task, talk: Talk, reply: Reply, stop: Stop
    ) -> Iterator[Written]:
        n_chars = 0
        deltas = self.server.deltas(fields, reply=reply, stop=stop)
        for written in self._cited(deltas, task, tuple(talk.sources)):
            n_chars += len(written) if isinstance(written, str) else 0
            yield written
        if reply.usage is None:
            reply.usage = self._estimate(fields["messages"], n_chars)

    def _cited(
        self, deltas: Iterator[str | Refusal], task: Task, sources: tuple[Hit, ...]
    ) -> Iterator[Written]:
        is_json = task.text_format["type"] != "text"
        asked = task.extension
        aligner = Aligner(
            sources,
            self.engine.verifier,
            Structure(self.engine).blocks,
            min_support=asked.min_support,
        )
        claims = Claims(
            aligner,
            align_unmarked=asked.fallback_citations and not is_json,
            flag_unsupported=asked.flag_unsupported,
            json=is_json,
        )
        clean = MarkerFilter(json=is_json)
        for delta in deltas:
            if isinstance(delta, Refusal):
                yield delta
                continue
            for piece in clean.feed(delta):
                yield from _placed(piece, claims, sources)
        for piece in clean.finish():
            yield from _placed(piece, claims, sources)
        yield from claims.finish()

    def _fields(
        self, task: Task, talk: Talk, used: Usage, *, can_search: bool, first: bool
    ) -> dict[str, Any]:
        limit = task.sampling.max_output_tokens
        given: dict[str, Any] = {
            "messages": talk.messages(can_search=can_search),
            "temperature": task.sampling.temperature,
            "top_p": task.sampling.top_p,
            "max_tokens": None if limit is None else max(1, limit - used.output_tokens),
            "reasoning_effort": task.sampling.reasoning_effort,
            "response_format": _response_format(task.text_format),
        }
        tools = [SEARCH_SCHEMA] * can_search + [_chat_function(each) for each in task.functions]
        if tools:
            given["tools"] = tools
            given["tool_choice"] = self._tool_choice(task) if first else None
            given["parallel_tool_calls"] = None if task.parallel_tool_calls else False
        return {key: value for key, value in given.items() if value is not None}

    def _tool_choice(self, task: Task) -> Any:
        """What the server must be told; a search that was made already counts as a call."""
        if task.choice.function is not None:
            return {"type": "function", "function": {"name": task.choice.function}}
        if task.choice.required and not self._searches_first(task):
            return "required"
        return None

    def _count_tokens(self, text: str) -> int:
        return len(self.engine.embedder.token_spans(text))

    def _estimate(self, messages: list[dict[str, Any]], n_chars: int) -> Usage:
        """Token counts of a server that tells none; about four characters a token."""
        texts = [m["content"] for m in messages if isinstance(m["content"], str)]
        n_input = sum(self._count_tokens(text) for text in texts)
        return Usage(input_tokens=n_input, output_tokens=-(-n_chars // 4))


def _searched(call: FunctionCall, talk: Talk) -> Generator[Written, Found, bool]:
    """Run one search of the model's own; returns whether it may search again."""
    queries = _queries(call)
    if not queries:
        talk.note_call(replace(call, arguments="{}"), None, refusal=BAD_QUERIES)
        return True
    found = yield Search(queries)
    talk.note_call(call, found, refusal=NO_MORE)
    return found is not None


def _queries(call: FunctionCall) -> tuple[str, ...]:
    """The queries of a call; none if they cannot be read. Models also write one as a string."""
    try:
        given = json.loads(call.arguments)
    except ValueError:
        return ()
    found = given.get("queries", given.get("query")) if isinstance(given, dict) else None
    texts = [found] if isinstance(found, str) else found if isinstance(found, list) else []
    kept = (text.strip() for text in texts if isinstance(text, str) and text.strip())
    return tuple(dict.fromkeys(kept))[:MAX_QUERIES]


def _sorted(
    calls: list[FunctionCall], task: Task, *, can_search: bool
) -> tuple[list[FunctionCall], list[FunctionCall]]:
    """Searches, and calls for the client; calls of what was never offered are dropped.

    Searches come first: the model sees what they found before it calls for anything else.
    """
    names = {function["name"] for function in task.functions}
    searches = [call for call in calls if call.name == SEARCH_TOOL and can_search]
    others = [call for call in calls if call.name in names]
    return searches, others if task.parallel_tool_calls else others[:1]


def _checked(calls: list[FunctionCall]) -> Iterator[FunctionCall]:
    """The calls, whose arguments a client can parse; one that was cut off says so itself."""
    for call in calls:
        if call.is_whole:
            try:
                json.loads(call.arguments)
            except ValueError as exc:
                message = f"The language model called '{call.name}' with broken JSON: {exc}"
                raise UpstreamFailed(message) from exc
        yield call


def _sum(used: Usage, more: Usage | None) -> Usage:
    if more is None:
        return used
    return Usage(
        used.input_tokens + more.input_tokens,
        used.output_tokens + more.output_tokens,
        used.cached_tokens + more.cached_tokens,
        used.reasoning_tokens + more.reasoning_tokens,
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


def _chat_function(function: dict[str, Any]) -> dict[str, Any]:
    """A function tool in the words of Chat Completions."""
    kept = {key: value for key, value in function.items() if key != "type" and value is not None}
    return {"type": "function", "function": kept}


def _response_format(text_format: Any) -> dict[str, Any] | None:
    """`text.format` of the Responses API in the words of Chat Completions."""
    kind = text_format["type"]
    if kind == "text":
        return None
    if kind == "json_object":
        return {"type": "json_object"}
    schema = {k: v for k, v in text_format.items() if k != "type" and v is not None}
    return {"type": "json_schema", "json_schema": schema}
