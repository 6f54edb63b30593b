"""/v1/sourcebook/verify: any text against any sources."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse

from api.answer.check import Source, check, file_source, hit_source
from api.routes.inputs import body
from api.wire.verify import GivenSource, VerifyRequest, verification_body
from retrieval.verify import MIN_SUPPORT

if TYPE_CHECKING:
    from api.engine import Engine


def routes(engine: Engine) -> APIRouter:
    """The verification endpoint, on `engine`."""
    router = APIRouter(prefix="/v1/sourcebook")

    @router.post("/verify")
    def verify(given: Annotated[VerifyRequest, Depends(body(VerifyRequest))]) -> JSONResponse:
        bar = MIN_SUPPORT if given.min_support is None else given.min_support
        sources = [_source(engine, each) for each in given.sources]
        checked = check(given.text, sources, verifier=engine.verifier, min_support=bar)
        return JSONResponse(verification_body(checked, sources, min_support=bar))

    return router


def _source(engine: Engine, given: GivenSource) -> Source:
    if given.text is not None:
        return Source(given.text, given.name or "")
    store_id = given.vector_store_id or ""
    if given.hit_id is not None:
        return hit_source(engine, store_id, given.hit_id)
    return file_source(engine, store_id, given.file_id or "")
