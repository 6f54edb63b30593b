"""/v1/responses: create, retrieve, follow, cancel, delete, count, compact, input items."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator
from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api import stream
from api.answer.keep import load
from api.answer.models import default_model
from api.answer.prepare import Prepared, prepare
from api.answer.respond import Run
from api.answer.serving import begin, cancel, compact, input_tokens, replay
from api.answer.stop import Stop
from api.answer.types import Item
from api.answer.view import View
from api.pages import flag, wants_places, whole
from api.request import json_object
from api.routes.inputs import ListPage
from api.wire.ids import check_id
from api.wire.lists import deleted_body, list_body
from api.wire.responses import (
    INCLUDABLE,
    RESULTS,
    compact_request,
    compaction_body,
    partial_request,
    response_request,
)
from api.wire.validation import one_of
from retrieval.errors import InvalidRequest
from retrieval.types import PageRequest

if TYPE_CHECKING:
    from api.engine import Engine


async def _id(request: Request) -> str:
    return check_id(request.path_params["response_id"], param="response_id", kind="response")


ResponseId = Annotated[str, Depends(_id)]
_ANY = 10**12  # more events than any response has


def view_of_query(request: Request) -> View:
    """What a GET wants to see: `include[]` reveals results, `sourcebook=places` places."""
    query = request.query_params
    include = [*query.getlist("include[]"), *query.getlist("include")]
    for name in include:
        one_of(name, INCLUDABLE, param="include")
    return View(results=RESULTS in include, places=wants_places(query))


SeenAs = Annotated[View, Depends(view_of_query)]


def routes(engine: Engine) -> APIRouter:
    """The responses endpoints, on `engine`."""
    router = APIRouter(prefix="/v1/responses")

    @router.post("")
    async def create(request: Request) -> Response:
        body = await json_object(request)
        asked = response_request(body, places=engine.settings.places)
        prepared = await run_in_threadpool(prepare, engine, asked)
        if asked.background:
            return await _begun(engine, prepared)
        if asked.stream:
            return _as_stream(_streamed(engine, prepared))
        return JSONResponse(await run_in_threadpool(_answered, engine, prepared))

    @router.post("/input_tokens")
    async def count_input_tokens(request: Request) -> JSONResponse:
        asked = partial_request(await json_object(request), default=default_model(engine))
        n_tokens = await run_in_threadpool(input_tokens, engine, asked)
        return JSONResponse({"object": "response.input_tokens", "input_tokens": n_tokens})

    @router.post("/compact")
    async def compact_conversation(request: Request) -> JSONResponse:
        asked = compact_request(await json_object(request))
        item, usage = await run_in_threadpool(compact, engine, asked)
        return JSONResponse(compaction_body(item, usage=usage))

    _add_stored(router, engine)
    return router


def _add_stored(router: APIRouter, engine: Engine) -> None:
    @router.get("/{response_id}")
    def retrieve(request: Request, response_id: ResponseId, view: SeenAs) -> Response:
        stored = load(engine, response_id)
        if not flag(request.query_params, "stream"):
            return JSONResponse(view.of_response(stored.body))
        after = whole(request.query_params, "starting_after", default=-1, low=-1, high=_ANY)
        return _as_stream(_replayed(engine, response_id, view, after=after))

    @router.delete("/{response_id}")
    def delete(response_id: ResponseId) -> JSONResponse:
        engine.delete_response(response_id)
        return JSONResponse(deleted_body(response_id, "response.deleted"))

    @router.post("/{response_id}/cancel")
    def cancel_response(response_id: ResponseId, view: SeenAs) -> JSONResponse:
        return JSONResponse(view.of_response(cancel(engine, response_id).body))

    @router.get("/{response_id}/input_items")
    def list_input_items(response_id: ResponseId, page: ListPage, view: SeenAs) -> JSONResponse:
        items = load(engine, response_id).input_items
        shown, has_more = _page([view.of_item(item) for item in items], page)
        return JSONResponse(list_body(shown, has_more=has_more))


def _view_of(prepared: Prepared) -> View:
    request = prepared.request
    return View(results=request.include_results, places=request.extension.places)


def _answered(engine: Engine, prepared: Prepared) -> dict[str, Any]:
    """The finished response; what made it fail is raised, as for every other call."""
    run = Run(engine, prepared)
    for _event in run.events():
        pass
    if run.error is not None:
        raise run.error
    return _view_of(prepared).of_response(run.body)


def _streamed(engine: Engine, prepared: Prepared) -> AsyncIterator[bytes]:
    stop = Stop()
    run = Run(engine, prepared, stop=stop)
    view = _view_of(prepared)

    def events() -> Generator[dict[str, Any], None, None]:
        with closing(run.events()) as made:
            for event in made:
                yield view.of_event(event)

    return stream.sent(events, leave=stop.set)


async def _begun(engine: Engine, prepared: Prepared) -> Response:
    """A response in the background: its beginning, or the stream that may be left."""
    run = await run_in_threadpool(begin, engine, prepared)
    view = _view_of(prepared)
    if not prepared.request.stream:
        return JSONResponse(view.of_response({**run.body, "status": "queued", "output": []}))
    return _as_stream(_replayed(engine, run.id, view, after=-1))


def _replayed(engine: Engine, response_id: str, view: View, *, after: int) -> AsyncIterator[bytes]:
    stop = Stop()

    def events() -> Generator[dict[str, Any], None, None]:
        for event in replay(engine, response_id, after=after, stop=stop):
            yield view.of_event(event)

    return stream.sent(events, leave=stop.set)


def _as_stream(events: AsyncIterator[bytes]) -> StreamingResponse:
    return StreamingResponse(events, media_type=stream.MEDIA_TYPE)


def _page(items: list[Item], page: PageRequest) -> tuple[list[Item], bool]:
    """The part of `items`, oldest first, that `page` asks for, and whether more follow it."""
    ordered = items if page.order == "asc" else items[::-1]
    ids = [item["id"] for item in ordered]
    for name, cursor in (("after", page.after), ("before", page.before)):
        if cursor is not None and cursor not in ids:
            message = f"Invalid '{name}': '{cursor}' is no item of this response."
            raise InvalidRequest(message, param=name, code="invalid_value")
    start = ids.index(page.after) + 1 if page.after else 0
    end = ids.index(page.before) if page.before else len(ids)
    first = max(start, end - page.limit) if page.before and not page.after else start
    last = min(first + page.limit, end)
    return ordered[first:last], last < end
