"""What routes take: checked ids from the path, lists' parameters, bodies."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

from fastapi import Depends, Request
from pydantic import BaseModel

from api.pages import MAX_FILES_LIMIT, extras, page_request, status_filter
from api.request import json_object
from api.wire.ids import check_id
from api.wire.validation import parse
from retrieval.types import AttachmentStatus, PageRequest

M = TypeVar("M", bound=BaseModel)


def _path_id(param: str, kind: str) -> Callable[[Request], Awaitable[str]]:
    async def read(request: Request) -> str:
        return check_id(request.path_params[param], param=param, kind=kind)

    return read


FileId = Annotated[str, Depends(_path_id("file_id", "file"))]
StoreId = Annotated[str, Depends(_path_id("vector_store_id", "vector_store"))]
UploadId = Annotated[str, Depends(_path_id("upload_id", "upload"))]
BatchId = Annotated[str, Depends(_path_id("batch_id", "file_batch"))]


async def _page(request: Request) -> PageRequest:
    return page_request(request.query_params)


async def _files_page(request: Request) -> PageRequest:
    most = MAX_FILES_LIMIT
    query = request.query_params
    return page_request(query, default_limit=most, max_limit=most, has_before=False)


async def _status(request: Request) -> AttachmentStatus | None:
    return status_filter(request.query_params)


async def _extras(request: Request) -> frozenset[str]:
    return extras(request.query_params, allowed=("places", "progress"))


async def _progress(request: Request) -> bool:
    return bool(extras(request.query_params, allowed=("progress",)))


ListPage = Annotated[PageRequest, Depends(_page)]
FilesPage = Annotated[PageRequest, Depends(_files_page)]
Status = Annotated[AttachmentStatus | None, Depends(_status)]
Extras = Annotated[frozenset[str], Depends(_extras)]
WantsProgress = Annotated[bool, Depends(_progress)]


def body(model: type[M]) -> Callable[[Request], Awaitable[M]]:
    """A dependency that reads the request's JSON body as a `model`.

    It is ours rather than FastAPI's because that one answers 422 with a body of its own.
    """

    async def read(request: Request) -> M:
        return parse(model, await json_object(request))

    return read
