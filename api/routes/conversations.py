"""/v1/conversations: threads of items that responses read and go on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from api.answer.conversation import resolved
from api.answer.types import Item
from api.request import json_object
from api.routes.inputs import ListPage
from api.routes.responses import SeenAs
from api.wire.conversations import (
    conversation_body,
    conversation_metadata,
    given_items,
    new_metadata,
)
from api.wire.ids import check_characters, check_id
from api.wire.lists import deleted_body, list_body
from retrieval.store.conversations import Conversation

if TYPE_CHECKING:
    from api.engine import Engine


async def _id(request: Request) -> str:
    value = request.path_params["conversation_id"]
    return check_id(value, param="conversation_id", kind="conversation")


async def _item_id(request: Request) -> str:
    return check_characters(request.path_params["item_id"], param="item_id")


ConversationId = Annotated[str, Depends(_id)]
ItemId = Annotated[str, Depends(_item_id)]


def routes(engine: Engine) -> APIRouter:
    """The conversations endpoints, on `engine`."""
    router = APIRouter(prefix="/v1/conversations")

    @router.post("")
    async def create(request: Request) -> JSONResponse:
        body = await json_object(request)
        metadata, items = conversation_metadata(body), given_items(body, required=False)
        return _shown(await run_in_threadpool(_create, engine, metadata, items))

    @router.get("/{conversation_id}")
    def retrieve(conversation_id: ConversationId) -> JSONResponse:
        with engine.store.read() as view:
            return _shown(view.conversations.get(conversation_id))

    @router.post("/{conversation_id}")
    async def update(request: Request, conversation_id: ConversationId) -> JSONResponse:
        metadata = new_metadata(await json_object(request))
        return _shown(await run_in_threadpool(_update, engine, conversation_id, metadata))

    @router.delete("/{conversation_id}")
    def delete(conversation_id: ConversationId) -> JSONResponse:
        with engine.store.write() as tables:
            tables.conversations.remove(conversation_id)
        return JSONResponse(deleted_body(conversation_id, "conversation.deleted"))

    _add_items(router, engine)
    return router


def _add_items(router: APIRouter, engine: Engine) -> None:
    @router.post("/{conversation_id}/items")
    async def create_items(
        request: Request, conversation_id: ConversationId, view: SeenAs
    ) -> JSONResponse:
        items = given_items(await json_object(request), required=True)
        added = await run_in_threadpool(_append, engine, conversation_id, items)
        return JSONResponse(list_body([view.of_item(item) for item in added], has_more=False))

    @router.get("/{conversation_id}/items")
    def list_items(conversation_id: ConversationId, page: ListPage, view: SeenAs) -> JSONResponse:
        with engine.store.read() as tables:
            found = tables.conversations.page(conversation_id, page)
        shown = [view.of_item(item) for item in found.items]
        return JSONResponse(list_body(shown, has_more=found.has_more))

    @router.get("/{conversation_id}/items/{item_id}")
    def retrieve_item(
        conversation_id: ConversationId, item_id: ItemId, view: SeenAs
    ) -> JSONResponse:
        with engine.store.read() as tables:
            return JSONResponse(view.of_item(tables.conversations.item(conversation_id, item_id)))

    @router.delete("/{conversation_id}/items/{item_id}")
    def delete_item(conversation_id: ConversationId, item_id: ItemId) -> JSONResponse:
        with engine.store.write() as tables:
            tables.conversations.remove_item(conversation_id, item_id)
            return _shown(tables.conversations.get(conversation_id))


def _create(engine: Engine, metadata: dict[str, str], items: list[Item]) -> Conversation:
    found = resolved(engine, items, [])
    with engine.store.write() as tables:
        made = tables.conversations.create(metadata)
        tables.conversations.add_items(made.id, found)
    return made


def _update(engine: Engine, conversation_id: str, metadata: dict[str, str]) -> Conversation:
    with engine.store.write() as tables:
        return tables.conversations.update(conversation_id, metadata)


def _append(engine: Engine, conversation_id: str, items: list[Item]) -> list[dict[str, Any]]:
    with engine.store.read() as view:
        earlier = view.conversations.items(conversation_id)
    found = resolved(engine, items, earlier)
    with engine.store.write() as tables:
        tables.conversations.add_items(conversation_id, found)
    return found


def _shown(conversation: Conversation) -> JSONResponse:
    return JSONResponse(conversation_body(conversation))
