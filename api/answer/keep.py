"""Keeps a response in the store while it is written, so that a crash loses a second of it.

A response in the store is `queued` or `in_progress` only as long as its owner lives: whoever
reads one whose owner is dead ends it first, with what was written.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from api.answer.stop import Stopped
from api.answer.types import Item, ResponseRequest
from retrieval.errors import NotFound, Unavailable
from retrieval.store.responses import StoredResponse

if TYPE_CHECKING:
    from api.engine import Engine
    from retrieval.store import Tables

CHECKPOINT_S = 1.0  # what a crash may lose
INTERRUPTED = "The server stopped while it was writing this response."
Json = dict[str, Any]


class Keeper:
    """Saves one response now and then; does nothing for one that is not to be stored."""

    def __init__(self, engine: Engine, request: ResponseRequest) -> None:
        self._engine = engine
        self._request = request
        self._is_stored = False
        self._saved_at = 0.0

    def checkpoint(
        self, body: Callable[[], Json], events: Sequence[Json], *, at_once: bool = False
    ) -> None:
        """Save if a second has passed since the last time, or `at_once`.

        Raises:
            Stopped: somebody cancelled or deleted the response meanwhile.
        """
        is_due = at_once or time.monotonic() - self._saved_at >= CHECKPOINT_S
        if is_due and self._request.store:
            with suppress(Unavailable):  # the end will be saved, or the next state
                self.save(body(), events, owner=self._engine.runner.owner)

    def save(self, body: Json, events: Sequence[Json], *, owner: str | None) -> None:
        """Save; without an owner it is the end, and a conversation gets its items.

        Raises:
            Stopped: somebody cancelled or deleted the response meanwhile.
        """
        request = self._request
        self._saved_at = time.monotonic()
        with self._engine.store.write() as tables:
            if request.store:
                self._put(tables, body, events, owner=owner)
            if owner is None and request.conversation_id:
                _converse(tables, request.conversation_id, [*request.input_items, *body["output"]])
        self._is_stored = request.store

    def _put(
        self, tables: Tables, body: Json, events: Sequence[Json], *, owner: str | None
    ) -> None:
        items = [*self._request.input_items]
        response = StoredResponse(body, items, list(events), owner)
        if not self._is_stored:
            tables.responses.add(body["id"], response)
        elif not tables.responses.update(body["id"], response, by=self._engine.runner.owner):
            raise Stopped


def _converse(tables: Tables, conversation_id: str, items: Sequence[Item]) -> None:
    try:
        tables.conversations.add_items(conversation_id, items)
    except NotFound:  # deleted while the response was written
        return


def load(engine: Engine, response_id: str) -> StoredResponse:
    """A stored response, or NotFound. One whose process died is ended first."""
    stored = engine.load_response(response_id)
    if not stored.is_running or stored.owner is None:
        return stored
    if not engine.runner.is_dead(stored.owner):
        return stored
    ended = interrupted(stored)
    with engine.store.write() as tables:
        tables.responses.update(response_id, ended, by=stored.owner)
        return tables.responses.get(response_id)


def interrupted(stored: StoredResponse) -> StoredResponse:
    """A response as it is when its process died: failed, with what was written."""
    error = {"code": "server_error", "message": INTERRUPTED}
    output = [_cut_off(item) for item in stored.body["output"]]
    body = {**stored.body, "status": "failed", "error": error, "output": output}
    return StoredResponse(body, stored.input_items, [*stored.events, *_ending(stored, body)])


def cancelled(stored: StoredResponse) -> StoredResponse:
    """A response that was cancelled where nobody here writes it."""
    output = [_cut_off(item) for item in stored.body["output"]]
    body = {**stored.body, "status": "cancelled", "output": output}
    return StoredResponse(body, stored.input_items, stored.events)


def _ending(stored: StoredResponse, body: Json) -> list[Json]:
    number = len(stored.events)
    told = {"code": "server_error", "message": INTERRUPTED, "param": None}
    inner = {"type": "server_error", **told}
    return [
        {"type": "error", "sequence_number": number, **told, "error": inner},
        {"type": "response.failed", "sequence_number": number + 1, "response": body},
    ]


def _cut_off(item: Mapping[str, Any]) -> Json:
    if item.get("status") in {"in_progress", "searching"}:
        return {**item, "status": "incomplete"}
    return dict(item)
