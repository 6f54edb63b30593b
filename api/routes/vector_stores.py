"""/v1/vector_stores: groups of files that are searched together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse

from api.routes.inputs import ListPage, StoreId, body
from api.wire.lists import deleted_body
from api.wire.vector_stores import (
    CreateVectorStore,
    UpdateVectorStore,
    store_body,
    stores_body,
)

if TYPE_CHECKING:
    from api.engine import Engine


def routes(engine: Engine) -> APIRouter:
    """The vector store endpoints, on `engine`; their files and search have modules of their own."""
    router = APIRouter(prefix="/v1/vector_stores")

    @router.post("")
    def create(
        given: Annotated[CreateVectorStore, Depends(body(CreateVectorStore))],
    ) -> JSONResponse:
        return JSONResponse(store_body(engine.create_vector_store(**given.arguments())))

    @router.get("")
    def list_stores(page: ListPage) -> JSONResponse:
        return JSONResponse(stores_body(engine.vector_stores(page)))

    @router.get("/{vector_store_id}")
    def retrieve(vector_store_id: StoreId) -> JSONResponse:
        return JSONResponse(store_body(engine.vector_store(vector_store_id)))

    @router.post("/{vector_store_id}")
    def update(
        vector_store_id: StoreId,
        given: Annotated[UpdateVectorStore, Depends(body(UpdateVectorStore))],
    ) -> JSONResponse:
        store = engine.update_vector_store(vector_store_id, **given.arguments())
        return JSONResponse(store_body(store))

    @router.delete("/{vector_store_id}")
    def delete(vector_store_id: StoreId) -> JSONResponse:
        engine.delete_vector_store(vector_store_id)
        return JSONResponse(deleted_body(vector_store_id, "vector_store.deleted"))

    return router
