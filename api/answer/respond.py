"""One response, top to bottom: search, model, cited text, each step as its events.

``prepare`` does what can still be refused as an ordinary error; after it, whatever happens
is told in events and ends in a document with every key of the contract.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from api.answer.conversation import history, question_texts, turns_of
from api.answer.events import Event, MessageEvents, Recorder, SearchEvents
from api.answer.models import find_model
from api.answer.output import result, search_item, usage_object
from api.answer.stop import Stop, Stopped
from api.answer.types import Cited, FileSearch, Finished, Model, ResponseRequest, Task, Turn
from retrieval.errors import Conflict, FileSearchError, InvalidRequest
from retrieval.ids import new_id
from retrieval.types import Hit

if TYPE_CHECKING:
    from api.engine import Engine

log = logging.getLogger(__name__)

# An end that is not `stop`, as `response.incomplete_details` names it.
_TERMINAL = {"completed": "response.completed", "incomplete": "response.incomplete"}


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request that can be answered: its model is there, and so are its vector stores."""

    request: ResponseRequest
    model: Model
    turns: tuple[Turn, ...]  # the chain before it, and its own messages


def prepare(engine: Engine, request: ResponseRequest) -> Prepared:
    """Find everything the request names.

    Raises:
        InvalidRequest: no such model or previous response, or nothing to answer.
        NotFound: no such vector store.
        Conflict: a vector store has expired.
    """
    model = find_model(engine, request)
    earlier = history(engine, request.previous_response_id)
    turns = turns_of([*earlier, *request.input_items])
    if not any(turn.role == "user" for turn in turns):
        message = "Invalid 'input': it holds no user message with text to answer."
        raise InvalidRequest(message, param="input", code="invalid_value")
    for store_id in {i for search in request.searches for i in search.vector_store_ids}:
        if engine.vector_store(store_id).expired:
            raise Conflict("vector_store", store_id, state="expired")
    return Prepared(request, model, tuple(turns))


class Run:
    """Answers one prepared request. Drain `events`; `body` is then the finished response."""

    def __init__(self, engine: Engine, prepared: Prepared, *, stop: Stop | None = None) -> None:
        self._engine = engine
        self._prepared = prepared
        self._stop = stop or Stop()
        self._recorder = Recorder()
        self.error: Exception | None = None  # why it failed, if it did
        self.hits: tuple[Hit, ...] = ()
        self.cited: list[Cited] = []
        self.body: dict[str, Any] = _new_body(prepared.request)

    def events(self) -> Generator[Event, None, None]:
        """Every event in order. The response is stored, if it is to be, before the last one.

        A failure becomes `error` and `response.failed`; leaving early, by the iterator's
        `close` or by `stop`, ends the response as `cancelled`.
        """
        try:
            yield self._recorder.emit("response.created", response=self.body)
            yield self._recorder.emit("response.in_progress", response=self.body)
            searched = yield from self._search_all()
            yield from self._write(searched=searched)
        except (GeneratorExit, Stopped):
            self._end("cancelled")
            self._save()
            raise
        except Exception as exc:  # noqa: BLE001 - the outermost handler: record, and tell
            yield from self._fail(exc)
        yield self._terminal()

    def _search_all(self) -> Generator[Event, None, bool]:
        """Run every file search; returns whether there was one."""
        limit = self._prepared.request.echo.get("max_tool_calls")
        searches = self._prepared.request.searches[:limit]
        found: list[Hit] = []
        for search in searches:
            found.extend((yield from self._search(search)))
        self.hits = tuple(found)
        return bool(searches)

    def _search(self, search: FileSearch) -> Generator[Event, None, tuple[Hit, ...]]:
        self._stop.check()
        queries = question_texts(self._prepared.turns)
        item_id = new_id("file_search_call")
        told = SearchEvents(self._recorder, output_index=self._next_index(), item_id=item_id)
        yield from told.start()
        item = search_item(item_id, status="completed", queries=queries)
        self.body["output"].append(item)
        try:
            query = replace(search.query, texts=queries)
            hits = self._engine.search(search.vector_store_ids, query).hits
        except FileSearchError:
            item["status"] = "failed"
            yield from told.end(item)
            raise
        item["results"] = [result(hit) for hit in hits]
        yield from told.end(item)
        return hits

    def _write(self, *, searched: bool) -> Iterator[Event]:
        self._stop.check()
        item_id = new_id("message")
        told = MessageEvents(self._recorder, output_index=self._next_index(), item_id=item_id)
        yield from told.start()
        status, place = "incomplete", len(self.body["output"])
        try:
            for written in self._prepared.model.write(
                self._task(searched=searched), stop=self._stop
            ):
                if isinstance(written, Finished):
                    status = self._finish(written)
                elif isinstance(written, Cited):
                    self.cited.append(written)
                    yield from told.cited(written)
                else:
                    yield told.delta(written)
        finally:
            self.body["output"][place:] = [told.item(status=status)]
        yield from told.end(status=status)

    def _task(self, *, searched: bool) -> Task:
        request = self._prepared.request
        return Task(
            question=question_texts(self._prepared.turns)[0],
            turns=self._prepared.turns,
            instructions=request.instructions,
            hits=self.hits if searched else None,
            text_format=request.text_format,
            sampling=request.sampling,
            extension=request.extension,
        )

    def _next_index(self) -> int:
        return len(self.body["output"])

    def _finish(self, finished: Finished) -> str:
        """Record how the model ended; returns the message's status."""
        self.body["usage"] = usage_object(finished.usage)
        if finished.reason == "stop":
            self._end("completed")
            return "completed"
        self.body["incomplete_details"] = {"reason": finished.reason}
        self._end("incomplete")
        return "incomplete"

    def _fail(self, exc: Exception) -> Iterator[Event]:
        self.error = exc
        if isinstance(exc, FileSearchError):
            message = str(exc)
        else:
            log.error("response_failed", exc_info=exc, extra={"response_id": self.body["id"]})
            message = "The server had an error while answering."
        code = getattr(exc, "response_code", "server_error")
        self.body["error"] = {"code": code, "message": message}
        self._end("failed")
        yield self._recorder.error(code=code, message=message)

    def _end(self, status: str) -> None:
        self.body["status"] = status
        self.body["service_tier"] = "default"
        if status == "completed":
            self.body["completed_at"] = int(time.time())

    def _terminal(self) -> Event:
        kind = _TERMINAL.get(self.body["status"], "response.failed")
        event = self._recorder.emit(kind, response=self.body)
        self._save()
        return event

    def _save(self) -> None:
        request = self._prepared.request
        if request.store:
            self._engine.save_response(
                self.body["id"],
                body=self.body,
                input_items=list(request.input_items),
                events=self._recorder.events,
            )


def _new_body(request: ResponseRequest) -> dict[str, Any]:
    """The response at its start: every key of the contract."""
    return {
        "id": new_id("response"),
        "object": "response",
        "created_at": int(time.time()),
        "status": "in_progress",
        "completed_at": None,
        "error": None,
        "incomplete_details": None,
        "model": request.model,
        "output": [],
        "previous_response_id": request.previous_response_id,
        "instructions": request.instructions,
        "service_tier": "auto",
        "store": request.store,
        "usage": None,
        **request.echo,
    }
