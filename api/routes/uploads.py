"""/v1/uploads: large files in parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from api.routes.inputs import UploadId, body
from api.routes.multipart import part_form
from api.wire.uploads import CompleteUpload, CreateUpload, part_body, upload_body

if TYPE_CHECKING:
    from api.engine import Engine


def routes(engine: Engine) -> APIRouter:
    """The uploads endpoints, on `engine`."""
    router = APIRouter(prefix="/v1/uploads")

    @router.post("")
    def create(given: Annotated[CreateUpload, Depends(body(CreateUpload))]) -> JSONResponse:
        arguments = given.arguments(max_bytes=engine.settings.max_upload_bytes)
        return JSONResponse(upload_body(engine.create_upload(**arguments)))

    @router.post("/{upload_id}/parts")
    async def add_part(upload_id: UploadId, request: Request) -> JSONResponse:
        async with part_form(request, max_bytes=engine.settings.max_part_bytes) as content:
            part = await run_in_threadpool(engine.add_part, upload_id, content)
        return JSONResponse(part_body(part))

    @router.post("/{upload_id}/complete")
    def complete(
        upload_id: UploadId, given: Annotated[CompleteUpload, Depends(body(CompleteUpload))]
    ) -> JSONResponse:
        part_ids = given.checked_part_ids()
        return JSONResponse(
            upload_body(*engine.complete_upload(upload_id, part_ids, md5=given.md5))
        )

    @router.post("/{upload_id}/cancel")
    def cancel(upload_id: UploadId) -> JSONResponse:
        return JSONResponse(upload_body(engine.cancel_upload(upload_id)))

    return router
