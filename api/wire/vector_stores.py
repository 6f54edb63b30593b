"""Vector stores, their files and file batches on the wire."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from types import MappingProxyType
from typing import Annotated, Any, Final

from pydantic import ConfigDict, Field, model_validator

from api.wire.fields import (
    Attributes,
    Chunking,
    Metadata,
    StoreExpiry,
    chunking_strategy,
)
from api.wire.ids import FileId
from api.wire.indexing import file_progress_body, group_progress_body
from api.wire.lists import list_body
from api.wire.validation import Closed, refuse
from retrieval.store.progress import FileProgress, GroupProgress
from retrieval.types import UNSET, Attachment, Batch, BatchMember, Page, Unset, VectorStore

# Specification and SDK-generated tests demand this spelling; the hosted service sends
# `vector_store.file_batch`, and every SDK reads both.
BATCH_OBJECT: Final = "vector_store.files_batch"

NONE_KNOWN: Final[Mapping[str, FileProgress]] = MappingProxyType({})

_HERE: Final = "the text"  # stands in a body for what is put there

MAX_STORE_FILES = 500  # `file_ids` at creation
MAX_BATCH_FILES = 2000


class CreateVectorStore(Closed):
    """Body of `POST /vector_stores`."""

    name: str | None = None
    description: str | None = None
    file_ids: Annotated[list[FileId], Field(max_length=MAX_STORE_FILES)] | None = None
    chunking_strategy: Chunking | None = None
    expires_after: StoreExpiry | None = None
    metadata: Metadata | None = None

    def arguments(self) -> dict[str, Any]:
        """For `Engine.create_vector_store`."""
        return {
            "name": self.name,
            "description": self.description,
            "file_ids": self.file_ids or (),
            "chunking": chunking_strategy(self.chunking_strategy),
            "expires_after_days": self.expires_after.days if self.expires_after else None,
            "metadata": self.metadata or {},
        }


class UpdateVectorStore(Closed):
    """Body of `POST /vector_stores/{id}`, where null clears and absence leaves."""

    name: str | None = None
    expires_after: StoreExpiry | None = None
    metadata: Metadata | None = None

    def arguments(self) -> dict[str, Any]:
        """For `Engine.update_vector_store`."""
        days = self.expires_after.days if self.expires_after else None
        return {
            "name": self._given("name", self.name),
            "expires_after_days": self._given("expires_after", days),
            "metadata": self._given("metadata", self.metadata or {}),
        }

    def _given(self, field: str, value: Any) -> Any | Unset:
        return value if field in self.model_fields_set else UNSET


class AttachFile(Closed):
    """Body of `POST /vector_stores/{id}/files`, and one member of a batch's `files`."""

    file_id: FileId
    attributes: Attributes | None = None
    chunking_strategy: Chunking | None = None

    def member(self) -> BatchMember:
        """With what is absent filled in."""
        return BatchMember(
            file_id=self.file_id,
            attributes=self.attributes or {},
            chunking=chunking_strategy(self.chunking_strategy),
        )


class UpdateAttributes(Closed):
    """Body of `POST /vector_stores/{id}/files/{file_id}`; null empties the map."""

    attributes: Attributes | None


_FileIds = Annotated[list[FileId], Field(min_length=1, max_length=MAX_BATCH_FILES)]
_Members = Annotated[list[AttachFile], Field(min_length=1, max_length=MAX_BATCH_FILES)]


def _one_list_schema(schema: dict[str, Any]) -> None:
    null = {"type": "null"}
    schema["oneOf"] = [
        {"required": [one], "properties": {one: {"type": "array"}, other: null}}
        for one, other in (("file_ids", "files"), ("files", "file_ids"))
    ]


class CreateBatch(Closed):
    """Body of `POST /vector_stores/{id}/file_batches`: either `file_ids` or `files`.

    The top-level attributes and chunking are for `file_ids`; with `files` they are ignored.
    """

    model_config = ConfigDict(json_schema_extra=_one_list_schema)

    file_ids: _FileIds | None = None
    files: _Members | None = None
    attributes: Attributes | None = None
    chunking_strategy: Chunking | None = None

    @model_validator(mode="after")
    def _exactly_one_list(self) -> CreateBatch:
        if self.file_ids is None and self.files is None:
            text = "Missing required parameter: '<path>'."
            refuse(text, code="missing_required_parameter", at="file_ids")
        if self.file_ids is not None and self.files is not None:
            refuse("Mutually exclusive parameters: give 'file_ids' or 'files'.", at="files")
        return self

    def members(self) -> list[BatchMember]:
        """The batch's files with the attributes and chunking that apply to each."""
        if self.files is not None:
            return [file.member() for file in self.files]
        shared = chunking_strategy(self.chunking_strategy)
        return [
            BatchMember(file_id=file_id, attributes=self.attributes or {}, chunking=shared)
            for file_id in self.file_ids or ()
        ]


def store_body(store: VectorStore) -> dict[str, Any]:
    """A VectorStore object."""
    days = store.expires_after_days
    return {
        "id": store.id,
        "object": "vector_store",
        "created_at": store.created_at,
        "name": store.name,
        "description": store.description,
        "usage_bytes": store.usage_bytes,
        "file_counts": asdict(store.counts),
        "status": _store_status(store),
        "expires_after": None if days is None else {"anchor": "last_active_at", "days": days},
        "expires_at": store.expires_at,
        "last_active_at": store.last_active_at,
        "metadata": dict(store.metadata),
    }


def _store_status(store: VectorStore) -> str:
    if store.expired:
        return "expired"
    return "in_progress" if store.counts.in_progress else "completed"


def stores_body(page: Page[VectorStore]) -> dict[str, Any]:
    """A page of vector stores."""
    return list_body([store_body(store) for store in page.items], has_more=page.has_more)


def attachment_body(
    attachment: Attachment, *, places: bool = False, progress: FileProgress | None = None
) -> dict[str, Any]:
    """A VectorStoreFile object, whose id is that of the file.

    `places` adds the extension: the file's name, its path in the folder it was indexed from,
    and its number of chunks. `progress` adds how far it is.
    """
    body = {
        "id": attachment.file_id,
        "object": "vector_store.file",
        "usage_bytes": attachment.usage_bytes,
        "created_at": attachment.created_at,
        "vector_store_id": attachment.vector_store_id,
        "status": attachment.status,
        "last_error": _last_error(attachment),
        "chunking_strategy": {"type": "static", "static": asdict(attachment.chunking)},
        "attributes": dict(attachment.attributes),
    }
    extension = _origin(attachment) if places else {}
    if progress is not None:
        extension["progress"] = file_progress_body(progress)
    return {**body, "sourcebook": extension} if extension else body


def _last_error(attachment: Attachment) -> dict[str, str] | None:
    if attachment.error_code is None:
        return None
    return {"code": attachment.error_code, "message": attachment.error_message or ""}


def _origin(attachment: Attachment) -> dict[str, Any]:
    return {
        "filename": attachment.filename,
        "path": attachment.path,
        "n_chunks": attachment.n_chunks,
    }


def attachments_body(
    page: Page[Attachment],
    *,
    places: bool = False,
    progress: Mapping[str, FileProgress] = NONE_KNOWN,
) -> dict[str, Any]:
    """A page of vector store files, with the progress of those whose progress is given."""
    data = [
        attachment_body(item, places=places, progress=progress.get(item.file_id))
        for item in page.items
    ]
    return list_body(data, has_more=page.has_more)


def content_body(text: str) -> dict[str, Any]:
    """A file's parsed text, whole: SDKs never follow `next_page`."""
    return {
        "object": "vector_store.file_content.page",
        "data": [{"type": "text", "text": text}],
        "has_more": False,
        "next_page": None,
    }


def content_frames(pieces: Iterable[str]) -> Iterator[bytes]:
    """The JSON of `content_body` of a text that comes in pieces, of which one is held at a time."""
    head, tail = _dumped(content_body(_HERE)).split(_dumped(_HERE)[1:-1])
    yield head.encode()
    for piece in pieces:
        yield _dumped(piece)[1:-1].encode("utf-8", "surrogatepass")
    yield tail.encode()


def _dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def batch_body(batch: Batch, *, progress: GroupProgress | None = None) -> dict[str, Any]:
    """A VectorStoreFileBatch object; `progress` adds how far its files are."""
    body = {
        "id": batch.id,
        "object": BATCH_OBJECT,
        "created_at": batch.created_at,
        "vector_store_id": batch.vector_store_id,
        "status": batch.status,
        "file_counts": asdict(batch.counts),
    }
    if progress is None:
        return body
    return {**body, "sourcebook": {"progress": group_progress_body(progress)}}
