"""/v1/sourcebook: what is ours alone. The queue, and trying failed files again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse

from api.routes.inputs import StoreId, body
from api.wire.indexing import RetryFiles, queue_body, retry_body

if TYPE_CHECKING:
    from api.engine import Engine


def routes(engine: Engine) -> APIRouter:
    """The endpoints that tell of the queue and change it, on `engine`."""
    router = APIRouter(prefix="/v1/sourcebook")

    @router.get("/queue")
    def queue() -> JSONResponse:
        return JSONResponse(queue_body(*engine.at_work()))

    @router.post("/vector_stores/{vector_store_id}/retry")
    def retry(
        vector_store_id: StoreId, given: Annotated[RetryFiles, Depends(body(RetryFiles))]
    ) -> JSONResponse:
        n_queued = engine.retry(vector_store_id, file_id=given.file_id, code=given.code)
        return JSONResponse(retry_body(vector_store_id, n_queued))

    return router
