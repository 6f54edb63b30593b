"""/v1/vector_stores/{id}/search."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse

from api.boxes import with_boxes
from api.routes.inputs import StoreId, body
from api.wire.search import SearchRequest, results_body
from api.wire.sourcebook import wanted

if TYPE_CHECKING:
    from api.engine import Engine


def routes(engine: Engine) -> APIRouter:
    """The search endpoint, on `engine`."""
    router = APIRouter(prefix="/v1/vector_stores/{vector_store_id}")

    @router.post("/search")
    def search(
        vector_store_id: StoreId, given: Annotated[SearchRequest, Depends(body(SearchRequest))]
    ) -> JSONResponse:
        want = wanted(given.sourcebook, always=engine.settings.places)
        names, missing = given.sourcebook.why_not if given.sourcebook else None, None
        if names is None:
            result = engine.search([vector_store_id], given.to_query())
        else:
            result, missing = engine.why_not(vector_store_id, given.to_query(), names)
        if want.boxes:
            result = replace(result, hits=tuple(with_boxes(engine, hit) for hit in result.hits))
        return JSONResponse(results_body(result, want, missing))

    return router
