"""What can be done with responses over any transport, beside writing them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from api.answer.compaction import compacted
from api.answer.events import Event
from api.answer.keep import cancelled, load
from api.answer.models import find_model
from api.answer.output import usage_object
from api.answer.prepare import Prepared, conversation
from api.answer.respond import Run
from api.answer.stop import Stop
from api.answer.truncate import entry_text
from api.answer.types import Entry, Item, ResponseRequest, Usage
from retrieval.errors import InvalidRequest, NotFound
from retrieval.store.responses import StoredResponse

if TYPE_CHECKING:
    from api.engine import Engine

_POLL_S = 0.5  # for a response that another process writes


def begin(engine: Engine, prepared: Prepared) -> Run:
    """Write a response in the background; it is stored, `queued`, on return."""
    run = Run(engine, prepared)
    run.queue()
    engine.runner.start(run)
    return run


def replay(engine: Engine, response_id: str, *, after: int, stop: Stop) -> Iterator[Event]:
    """The events of a stored response past number `after`; of a running one as they come."""
    running = engine.runner.find(response_id)
    if running is not None:
        yield from running.follow(after=after, stop=stop)
        return
    wait = threading.Event()
    stop.on_set(wait.set)
    while not stop.is_set():
        try:
            stored = load(engine, response_id)
        except NotFound:  # deleted meanwhile
            return
        for event in stored.events[after + 1 :]:
            yield event
            after = event["sequence_number"]
        if not stored.is_running:
            return
        wait.wait(_POLL_S)


def cancel(engine: Engine, response_id: str) -> StoredResponse:
    """Cancel a response in the background; one that has ended stays as it is.

    Raises:
        NotFound: no such response.
        InvalidRequest: it is not in the background.
    """
    stored = load(engine, response_id)
    if not stored.body["background"]:
        message = "Only responses that were created with 'background' can be cancelled."
        raise InvalidRequest(message, param=None, code=None)
    if not stored.is_running:
        return stored
    running = engine.runner.find(response_id)
    if running is not None:
        running.cancel()
    else:  # another process finds out at its next save
        with engine.store.write() as tables:
            tables.responses.update(response_id, cancelled(stored), by=stored.owner)
    return load(engine, response_id)


def input_tokens(engine: Engine, request: ResponseRequest) -> int:
    """Tokens of a request before anything is searched, as the embedding model counts them."""
    find_model(engine, request)
    _, turns = conversation(engine, request)
    tools = [json.dumps(tool) for tool in request.functions]
    return _count(engine, turns, request.instructions or "", *tools)


def compact(engine: Engine, request: ResponseRequest) -> tuple[Item, dict[str, Any]]:
    """A conversation as one item, and the usage of making it."""
    find_model(engine, request)
    _, turns = conversation(engine, request)

    def count(text: str) -> int:
        return len(engine.embedder.token_spans(text))

    item, n_kept = compacted(turns, count_tokens=count)
    n_read = _count(engine, turns, request.instructions or "")
    return item, usage_object(Usage(input_tokens=n_read, output_tokens=n_kept))


def _count(engine: Engine, turns: Sequence[Entry], *texts: str) -> int:
    all_texts = [*(entry_text(turn) for turn in turns), *texts]
    return sum(len(engine.embedder.token_spans(text)) for text in all_texts)
