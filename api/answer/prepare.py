"""Everything that can be refused before a response begins: names, formats, what is to answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from api.answer.attached import EXTRACTIVE, with_files
from api.answer.backends import backend_of
from api.answer.conversation import earlier_items, resolved, turns_of
from api.answer.models import find_model
from api.answer.truncate import entry_text, within_context
from api.answer.types import Entry, Item, Model, ResponseRequest, Turn
from retrieval.errors import Conflict, InvalidRequest

if TYPE_CHECKING:
    from api.engine import Engine


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request that can be answered: its model is there, and so are its vector stores."""

    request: ResponseRequest
    model: Model
    turns: tuple[Entry, ...]  # what was said before it, and its own items


def prepare(
    engine: Engine, request: ResponseRequest, *, earlier: Sequence[Item] | None = None
) -> Prepared:
    """Find everything the request names.

    Args:
        engine: an open one.
        request: validated.
        earlier: the items before it, where they are not to be looked up in the store.

    Raises:
        InvalidRequest: no such model, previous response or item, or nothing to answer.
        NotFound: no such vector store, conversation or file.
        Conflict: a vector store has expired.
        FileFailed: a file in the input cannot be read.
    """
    model = find_model(engine, request)
    own, turns = conversation(engine, request, earlier=earlier)
    if not any(isinstance(turn, Turn) and turn.role == "user" for turn in turns):
        message = "Invalid 'input': it holds no user message with text to answer."
        raise InvalidRequest(message, param="input", code="invalid_value")
    _check_stores(engine, request)
    return _fitted(engine, Prepared(replace(request, input_items=own), model, turns))


def conversation(
    engine: Engine, request: ResponseRequest, *, earlier: Sequence[Item] | None = None
) -> tuple[tuple[Item, ...], tuple[Entry, ...]]:
    """The request's own items, references resolved, and everything that was said, files read."""
    before = earlier_items(engine, request) if earlier is None else list(earlier)
    own = resolved(engine, request.input_items, before)
    turns = turns_of([*before, *own])
    budget = request.extension.max_source_tokens
    return tuple(own), with_files(engine, turns, model=request.model, budget=budget)


def _check_stores(engine: Engine, request: ResponseRequest) -> None:
    for store_id in {i for search in request.searches for i in search.vector_store_ids}:
        if engine.vector_store(store_id).expired:
            raise Conflict("vector_store", store_id, state="expired")


def _fitted(engine: Engine, prepared: Prepared) -> Prepared:
    """With the turns that the model can read, and with sources that leave room for them.

    A quarter of the context is kept for the answer unless the request limits that, and half of
    the rest for sources where turns may be dropped for them.
    """
    request = prepared.request
    backend = None if request.model == EXTRACTIVE else backend_of(engine.settings, request.model)
    if backend is None or (context := backend.context_tokens) is None:
        return prepared

    def count(text: str) -> int:
        return len(engine.embedder.token_spans(text))

    room = context - (request.sampling.max_output_tokens or context // 4)
    room = max(0, room - count(request.instructions or ""))
    wanted = min(request.extension.max_source_tokens, room // 2) if request.searches else 0
    turns = within_context(
        prepared.turns,
        room=room - wanted if request.truncate else room,
        count_tokens=count,
        truncate=request.truncate,
    )
    left = room - sum(count(entry_text(turn)) for turn in turns)
    budget = min(request.extension.max_source_tokens, max(1, left))
    extension = replace(request.extension, max_source_tokens=budget)
    return Prepared(replace(request, extension=extension), prepared.model, turns)
