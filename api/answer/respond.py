"""One response, top to bottom: what the model writes, searches and calls, each as its events.

`prepare.py` has done what can still be refused as an ordinary error; here, whatever happens
is told in events and ends in a document with every key of the contract.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Generator, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from api.answer.conversation import question_texts
from api.answer.events import (
    CallEvents,
    Event,
    MessageEvents,
    Recorder,
    RefusalEvents,
    SearchEvents,
)
from api.answer.keep import INTERRUPTED, Keeper
from api.answer.output import call_item, result, search_item, usage_object
from api.answer.prepare import Prepared
from api.answer.schema import check_answer
from api.answer.stop import Stop, Stopped
from api.answer.types import (
    Cited,
    FileSearch,
    Finished,
    Found,
    FunctionCall,
    Item,
    Refusal,
    ResponseRequest,
    Search,
    Task,
    Written,
)
from api.boxes import with_boxes
from retrieval.errors import FileSearchError
from retrieval.ids import new_id
from retrieval.queries import Hit

if TYPE_CHECKING:
    from api.engine import Engine

log = logging.getLogger(__name__)

_TERMINAL = {"completed": "response.completed", "incomplete": "response.incomplete"}


class Run:
    """Answers one prepared request. Drain `events`; `body` is then the finished response."""

    def __init__(self, engine: Engine, prepared: Prepared, *, stop: Stop | None = None) -> None:
        self._engine = engine
        self._prepared = prepared
        self._request = prepared.request
        self._stop = stop or Stop()
        self._interrupted = False
        self._recorder = Recorder()
        self._keeper = Keeper(engine, prepared.request)
        self._message: MessageEvents | None = None  # that is being written
        self._n_searches = 0
        self.error: Exception | None = None  # why it failed, if it did
        self.hits: tuple[Hit, ...] = ()
        self.cited: list[Cited] = []  # in the last message
        self.body: dict[str, Any] = _new_body(prepared.request)
        self.id: str = self.body["id"]

    @property
    def is_stopped(self) -> bool:
        """Whether it was told to stop."""
        return self._stop.is_set()

    def stop(self, *, interrupted: bool = False) -> None:
        """End early: as `cancelled`, or `failed` if it is we who stop."""
        self._interrupted = interrupted
        self._stop.set()

    def queue(self) -> None:
        """Store the response before it begins, so that it can be asked for from now on."""
        self._keeper.save(self.body, [], owner=self._engine.runner.owner)

    def events(self) -> Generator[Event, None, None]:
        """Every event in order. The response is stored, if it is to be, before the last one.

        A failure becomes `error` and `response.failed`; leaving early, by the iterator's
        `close` or by `stop`, ends the response as `cancelled`.
        """
        try:
            yield from self._begin()
            yield from self._write()
        except (GeneratorExit, Stopped):
            self._leave()
            raise
        except Exception as exc:  # noqa: BLE001 - the outermost handler: record, and tell
            yield from self._fail(exc)
        yield self._terminal()

    def _begin(self) -> Iterator[Event]:
        yield self._recorder.emit("response.created", response=self.body)
        if self._request.background:
            yield self._recorder.emit("response.queued", response=self.body)
            self.body["status"] = "in_progress"
        yield self._recorder.emit("response.in_progress", response=self.body)
        if self._request.stream or self._request.background:
            self._checkpoint(at_once=True)

    def _write(self) -> Iterator[Event]:
        self._stop.check()
        found: Found = None
        try:
            with closing(self._prepared.model.write(self._task(), stop=self._stop)) as writer:
                while (written := _next(writer, found)) is not None:
                    found = yield from self._take(written)
                    if not isinstance(written, Finished):  # what has ended is saved once
                        self._checkpoint()
        finally:
            self._put_message("incomplete")

    def _take(self, written: Written) -> Generator[Event, None, Found]:
        """Tell of one thing that the model wrote; a search is answered with its hits."""
        if isinstance(written, Search):
            yield from self._end_message("completed")
            return (yield from self._search(written))
        if isinstance(written, FunctionCall):
            yield from self._end_message("completed")
            yield from self._call(written)
        elif isinstance(written, Finished):
            yield from self._finish(written)
        elif isinstance(written, Refusal):
            told = yield from self._begin_message(RefusalEvents)
            yield told.delta(written.text)
        else:
            told = yield from self._begin_message()
            if isinstance(written, str):
                yield told.delta(written)
            else:
                cited = self._drawn(written)
                self.cited.append(cited)
                yield from told.cited(cited)
        return None

    def _drawn(self, cited: Cited) -> Cited:
        """With boxes, where the request asks for them."""
        if not self._request.extension.boxes:
            return cited
        drawn = tuple(with_boxes(self._engine, citation) for citation in cited.citations)
        return replace(cited, citations=drawn)

    # --- what a response consists of ----------------------------------------------------------

    def _begin_message(
        self, kind: type[MessageEvents] = MessageEvents
    ) -> Generator[Event, None, MessageEvents]:
        if self._message is not None and type(self._message) is not kind:
            yield from self._end_message("completed")
        if self._message is None:
            self.cited = []
            at, item_id = len(self.body["output"]), new_id("message")
            self._message = kind(self._recorder, output_index=at, item_id=item_id)
            yield from self._message.start()
        return self._message

    def _end_message(self, status: str) -> Iterator[Event]:
        told = self._message
        if told is not None:
            self._put_message(status)
            yield from told.end(status=status)

    def _put_message(self, status: str) -> None:
        if self._message is not None:
            self.body["output"].append(self._message.item(status=status))
            self._message = None

    def _search(self, wanted: Search) -> Generator[Event, None, Found]:
        """Run every `file_search` tool, as far as `max_tool_calls` lets; None: none ran."""
        found: list[Hit] | None = None
        for search in self._request.searches:
            limit = self._request.max_tool_calls
            if limit is not None and self._n_searches >= limit:
                break
            self._n_searches += 1
            hits = yield from self._search_one(search, wanted)
            if hits is not None:
                found = [*(found or []), *hits]
        self.hits += tuple(found or ())
        return None if found is None else tuple(found)

    def _search_one(self, search: FileSearch, wanted: Search) -> Generator[Event, None, Found]:
        self._stop.check()
        queries = wanted.queries or question_texts(self._prepared.turns)
        at, item_id = len(self.body["output"]), new_id("file_search_call")
        told = SearchEvents(self._recorder, output_index=at, item_id=item_id)
        yield from told.start()
        item = search_item(item_id, status="completed", queries=queries)
        self.body["output"].append(item)
        try:
            query = replace(search.query, texts=queries)
            hits = self._engine.search(search.vector_store_ids, query).hits
        except FileSearchError:
            item["status"] = "failed"
            yield from told.end(item)
            if wanted.queries:
                return None
            raise
        boxes = self._request.extension.boxes and self._request.include_results
        shown = [with_boxes(self._engine, hit) for hit in hits] if boxes else hits
        item["results"] = [result(hit) for hit in shown]
        yield from told.end(item)
        return hits

    def _call(self, call: FunctionCall) -> Iterator[Event]:
        status = "completed" if call.is_whole else "incomplete"
        at, item_id = len(self.body["output"]), new_id("function_call")
        item = call_item(item_id, call, status=status, arguments=call.arguments)
        self.body["output"].append(item)
        yield from CallEvents(self._recorder, output_index=at, item_id=item_id).all(call, item)

    def _task(self) -> Task:
        request = self._request
        return Task(
            question=question_texts(self._prepared.turns)[0],
            turns=self._prepared.turns,
            instructions=request.instructions,
            can_search=bool(request.searches),
            text_format=request.text_format,
            sampling=request.sampling,
            extension=request.extension,
            functions=request.functions,
            choice=request.choice,
            parallel_tool_calls=request.parallel_tool_calls,
            truncate=request.truncate,
        )

    # --- how it ends --------------------------------------------------------------------------

    def _finish(self, finished: Finished) -> Iterator[Event]:
        self.body["usage"] = usage_object(finished.usage)
        is_whole = finished.reason == "stop"
        if self._message is None and not _has_answer(self.body["output"]):
            yield from self._begin_message()
        if is_whole and type(self._message) is MessageEvents:
            check_answer(self._message.text, self._request.text_format)
        yield from self._end_message("completed" if is_whole else "incomplete")
        if not is_whole:
            self.body["incomplete_details"] = {"reason": finished.reason}
        self._end("completed" if is_whole else "incomplete")

    def _fail(self, exc: Exception) -> Iterator[Event]:
        self.error = exc
        if isinstance(exc, FileSearchError):
            message = str(exc)
        else:
            log.error("response_failed", exc_info=exc, extra={"response_id": self.id})
            message = "The server had an error while answering."
        code = getattr(exc, "response_code", "server_error")
        self.body["error"] = {"code": code, "message": message}
        self._end("failed")
        yield self._recorder.error(code=code, message=message)

    def _leave(self) -> None:
        if self._interrupted:
            self.body["error"] = {"code": "server_error", "message": INTERRUPTED}
            self._recorder.error(code="server_error", message=INTERRUPTED)
        self._end("failed" if self._interrupted else "cancelled")
        if self._interrupted:
            self._recorder.emit("response.failed", response=self.body)
        with suppress(Stopped):  # it was cancelled or deleted in the store
            self._keeper.save(self.body, self._recorder.events, owner=None)

    def _end(self, status: str) -> None:
        self.body["status"] = status
        if status != "cancelled":  # as recorded
            self.body["service_tier"] = "default"
        if status == "completed":
            self.body["completed_at"] = int(time.time())

    def _terminal(self) -> Event:
        kind = _TERMINAL.get(self.body["status"], "response.failed")
        event = self._recorder.emit(kind, response=self.body)
        self._keeper.save(self.body, self._recorder.events, owner=None)
        return event

    def _checkpoint(self, *, at_once: bool = False) -> None:
        self._keeper.checkpoint(self._so_far, self._recorder.events, at_once=at_once)

    def _so_far(self) -> dict[str, Any]:
        """The response with what there is of a message that is not done."""
        if self._message is None:
            return self.body
        output = [*self.body["output"], self._message.item(status="in_progress")]
        return {**self.body, "output": output}


def _next(writer: Generator[Written, Found, None], found: Found) -> Written | None:
    try:
        return writer.send(found)
    except StopIteration:
        return None


def _has_answer(output: list[Item]) -> bool:
    return bool(output) and output[-1]["type"] in {"message", "function_call"}


def _new_body(request: ResponseRequest) -> dict[str, Any]:
    """The response at its start: every key of the contract."""
    conversation = request.conversation_id
    return {
        "id": new_id("response"),
        "object": "response",
        "created_at": int(time.time()),
        "status": "queued" if request.background else "in_progress",
        "completed_at": None,
        "error": None,
        "incomplete_details": None,
        "model": request.model,
        "output": [],
        "previous_response_id": request.previous_response_id,
        **({"conversation": {"id": conversation}} if conversation else {}),
        "instructions": request.instructions,
        "service_tier": "auto",
        "store": request.store,
        "usage": None,
        **request.echo,
    }
