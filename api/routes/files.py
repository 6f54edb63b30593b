"""/v1/files: bytes with a name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, StreamingResponse

from api.routes.inputs import FileId, FilesPage
from api.routes.multipart import upload_form
from api.wire.files import file_body, files_body
from api.wire.lists import deleted_body

if TYPE_CHECKING:
    from api.engine import Engine

PIECE_BYTES = 256 * 1024


def routes(engine: Engine) -> APIRouter:
    """The files endpoints, on `engine`."""
    router = APIRouter(prefix="/v1/files")

    @router.post("")
    async def create(request: Request) -> JSONResponse:
        async with upload_form(request, max_bytes=engine.settings.max_file_bytes) as form:
            file = await run_in_threadpool(
                engine.upload,
                form.content,
                filename=form.filename,
                purpose=form.purpose,
                expires_after_s=form.expires_after_s,
            )
        return JSONResponse(file_body(file))

    @router.get("")
    def list_files(page: FilesPage, request: Request) -> JSONResponse:
        purpose = request.query_params.get("purpose") or None
        return JSONResponse(files_body(engine.files(page, purpose=purpose)))

    @router.get("/{file_id}")
    def retrieve(file_id: FileId) -> JSONResponse:
        return JSONResponse(file_body(engine.file(file_id)))

    @router.delete("/{file_id}")
    def delete(file_id: FileId) -> JSONResponse:
        engine.delete_file(file_id)
        return JSONResponse(deleted_body(file_id, "file"))

    @router.get("/{file_id}/content")
    def content(file_id: FileId) -> StreamingResponse:
        file = engine.file(file_id)
        handle = engine.open_file(file_id)
        headers = {
            "content-length": str(file.n_bytes),
            "content-disposition": f"attachment; filename*=UTF-8''{quote(file.filename, safe='')}",
            # The bytes are the uploader's: no browser may take them for a page of ours.
            "x-content-type-options": "nosniff",
        }
        return StreamingResponse(
            _pieces(handle), media_type="application/octet-stream", headers=headers
        )

    return router


def _pieces(handle: BinaryIO) -> Iterator[bytes]:
    with handle:
        while piece := handle.read(PIECE_BYTES):
            yield piece
