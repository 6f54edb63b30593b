"""/v1/vector_stores/{id}/files and /file_batches: files in a vector store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse, StreamingResponse

from api.routes.inputs import (
    BatchId,
    Extras,
    FileId,
    ListPage,
    Status,
    StoreId,
    WantsProgress,
    body,
)
from api.wire.lists import deleted_body
from api.wire.vector_stores import (
    NONE_KNOWN,
    AttachFile,
    CreateBatch,
    UpdateAttributes,
    attachment_body,
    attachments_body,
    batch_body,
    content_frames,
)
from retrieval.store.progress import FileProgress
from retrieval.types import Attachment, Page

if TYPE_CHECKING:
    from api.engine import Engine

# SDK poll helpers sleep this long between two looks, and 1,000 ms when not told.
POLL_AFTER_MS = 200


def routes(engine: Engine) -> APIRouter:
    """The endpoints of a vector store's files and file batches, on `engine`."""
    router = APIRouter(prefix="/v1/vector_stores/{vector_store_id}")
    _add_files(router, engine)
    _add_batches(router, engine)
    return router


def _add_files(router: APIRouter, engine: Engine) -> None:
    @router.post("/files")
    def attach(
        vector_store_id: StoreId, given: Annotated[AttachFile, Depends(body(AttachFile))]
    ) -> JSONResponse:
        member = given.member()
        attachment = engine.attach(
            vector_store_id,
            member.file_id,
            attributes=member.attributes,
            chunking=member.chunking,
        )
        return _polled(attachment_body(attachment))

    @router.get("/files")
    def list_files(
        vector_store_id: StoreId, page: ListPage, status: Status, wanted: Extras
    ) -> JSONResponse:
        found = engine.attachments(vector_store_id, page, status=status)
        return JSONResponse(_page_body(engine, vector_store_id, found, wanted))

    @router.get("/files/{file_id}")
    def retrieve(vector_store_id: StoreId, file_id: FileId, wanted: Extras) -> JSONResponse:
        found = engine.attachment(vector_store_id, file_id)
        progress = _progress(engine, vector_store_id, [file_id], wanted).get(file_id)
        return _polled(attachment_body(found, places="places" in wanted, progress=progress))

    @router.post("/files/{file_id}")
    def update(
        vector_store_id: StoreId,
        file_id: FileId,
        given: Annotated[UpdateAttributes, Depends(body(UpdateAttributes))],
    ) -> JSONResponse:
        attributes = given.attributes or {}
        return _polled(
            attachment_body(engine.update_attributes(vector_store_id, file_id, attributes))
        )

    @router.delete("/files/{file_id}")
    def delete(vector_store_id: StoreId, file_id: FileId) -> JSONResponse:
        engine.detach(vector_store_id, file_id)
        return JSONResponse(deleted_body(file_id, "vector_store.file.deleted"))

    @router.get("/files/{file_id}/content")
    def content(vector_store_id: StoreId, file_id: FileId) -> StreamingResponse:
        frames = content_frames(engine.content_pieces(vector_store_id, file_id))
        return StreamingResponse(frames, media_type="application/json")


def _add_batches(router: APIRouter, engine: Engine) -> None:
    @router.post("/file_batches")
    def create(
        vector_store_id: StoreId, given: Annotated[CreateBatch, Depends(body(CreateBatch))]
    ) -> JSONResponse:
        return _polled(batch_body(engine.create_batch(vector_store_id, given.members())))

    @router.get("/file_batches/{batch_id}")
    def retrieve_batch(
        vector_store_id: StoreId, batch_id: BatchId, *, wants_progress: WantsProgress
    ) -> JSONResponse:
        batch = engine.batch(vector_store_id, batch_id)
        progress = engine.batch_progress(vector_store_id, batch_id) if wants_progress else None
        return _polled(batch_body(batch, progress=progress))

    @router.post("/file_batches/{batch_id}/cancel")
    def cancel(vector_store_id: StoreId, batch_id: BatchId) -> JSONResponse:
        return JSONResponse(batch_body(engine.cancel_batch(vector_store_id, batch_id)))

    @router.get("/file_batches/{batch_id}/files")
    def list_batch_files(
        vector_store_id: StoreId,
        batch_id: BatchId,
        *,
        page: ListPage,
        status: Status,
        wanted: Extras,
    ) -> JSONResponse:
        found = engine.batch_files(vector_store_id, batch_id, page, status=status)
        return JSONResponse(_page_body(engine, vector_store_id, found, wanted))


def _page_body(
    engine: Engine, store_id: str, page: Page[Attachment], wanted: frozenset[str]
) -> dict[str, Any]:
    progress = _progress(engine, store_id, [item.file_id for item in page.items], wanted)
    return attachments_body(page, places="places" in wanted, progress=progress)


def _progress(
    engine: Engine, store_id: str, file_ids: Sequence[str], wanted: frozenset[str]
) -> Mapping[str, FileProgress]:
    return engine.progress(store_id, file_ids) if "progress" in wanted else NONE_KNOWN


def _polled(reply: dict[str, Any]) -> JSONResponse:
    """`reply`, telling pollers when to look again while the work is running."""
    running = reply["status"] == "in_progress"
    headers = {"openai-poll-after-ms": str(POLL_AFTER_MS)} if running else {}
    return JSONResponse(reply, headers=headers)
