"""The shape of every reply, for descriptions; `*_body` functions beside them make the replies.

Objects are closed: every key is always sent, but for those marked `NotRequired`. The contract
tests hold each reply of the running application to these shapes.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired

from pydantic import ConfigDict, Field, WithJsonSchema, with_config
from typing_extensions import TypedDict

from api.wire.fields import ATTRIBUTES_SCHEMA, METADATA_SCHEMA
from api.wire.files import PURPOSES
from api.wire.indexing import BatchExtension, FileOrigin
from retrieval.why_not import Stage

closed = with_config(ConfigDict(extra="forbid"))

UnixSeconds = Annotated[int, Field(description="Unix time in seconds.")]
Score = Annotated[float, Field(ge=0, le=1, description="Higher is better.")]
AttributeMap = Annotated[dict[str, Any], WithJsonSchema(ATTRIBUTES_SCHEMA)]
MetadataMap = Annotated[dict[str, Any], WithJsonSchema(METADATA_SCHEMA)]
Purpose = Annotated[str, WithJsonSchema({"type": "string", "enum": list(PURPOSES)})]
State = Literal["in_progress", "completed", "cancelled", "failed"]


@closed
class ErrorObject(TypedDict):
    """What went wrong; all four keys are always there."""

    message: str
    type: str
    param: Annotated[str | None, Field(description="Dotted path of the parameter.")]
    code: str | None


@closed
class ErrorBody(TypedDict):
    """Body of every reply that is not a success."""

    error: ErrorObject


@closed
class Health(TypedDict):
    """The store opens and reads."""

    status: Literal["ok"]


@closed
class ListEnvelope(TypedDict):
    """What all lists share."""

    object: Literal["list"]
    first_id: Annotated[str | None, Field(description="Null on an empty page only.")]
    last_id: Annotated[str | None, Field(description="Null on an empty page only.")]
    has_more: bool


@closed
class DeletedEnvelope(TypedDict):
    """What all deletions answer."""

    id: str
    deleted: Literal[True]


# --- files and uploads --------------------------------------------------------------------


@closed
class FileObject(TypedDict):
    """Stored bytes with a name."""

    id: str
    object: Literal["file"]
    bytes: int
    created_at: UnixSeconds
    expires_at: UnixSeconds | None
    filename: str
    purpose: Purpose
    status: Literal["processed"]
    status_details: None


@closed
class FileList(ListEnvelope):
    """A page of files."""

    data: list[FileObject]


@closed
class FileDeleted(DeletedEnvelope):
    """The file is gone, from every vector store too."""

    object: Literal["file"]


@closed
class UploadObject(TypedDict):
    """A file that arrives in parts."""

    id: str
    object: Literal["upload"]
    bytes: Annotated[int, Field(description="As declared.")]
    created_at: UnixSeconds
    expires_at: UnixSeconds
    filename: str
    purpose: Purpose
    status: Literal["pending", "completed", "cancelled", "expired"]
    file: NotRequired[FileObject]


@closed
class UploadPart(TypedDict):
    """One part of an upload."""

    id: str
    object: Literal["upload.part"]
    created_at: UnixSeconds
    upload_id: str


# --- vector stores and their files --------------------------------------------------------


@closed
class FileCountsObject(TypedDict):
    """Files by state."""

    in_progress: int
    completed: int
    failed: int
    cancelled: int
    total: int


@closed
class StoreExpiryObject(TypedDict):
    """When a vector store expires, counted from its last use."""

    anchor: Literal["last_active_at"]
    days: int


@closed
class VectorStoreObject(TypedDict):
    """A group of files that is searched together."""

    id: str
    object: Literal["vector_store"]
    created_at: UnixSeconds
    name: str | None
    description: str | None
    usage_bytes: int
    file_counts: FileCountsObject
    status: Literal["in_progress", "completed", "expired"]
    expires_after: StoreExpiryObject | None
    expires_at: UnixSeconds | None
    last_active_at: UnixSeconds
    metadata: MetadataMap


@closed
class VectorStoreList(ListEnvelope):
    """A page of vector stores."""

    data: list[VectorStoreObject]


@closed
class VectorStoreDeleted(DeletedEnvelope):
    """The vector store is gone; its files stay."""

    object: Literal["vector_store.deleted"]


@closed
class FileError(TypedDict):
    """Why a file could not be indexed."""

    code: Literal["server_error", "unsupported_file", "invalid_file"]
    message: str


@closed
class ChunkSizes(TypedDict):
    """Sizes in tokens of the embedding model."""

    max_chunk_size_tokens: int
    chunk_overlap_tokens: int


@closed
class ChunkingObject(TypedDict):
    """The sizes in use; `auto` is shown as what it stands for."""

    type: Literal["static"]
    static: ChunkSizes


@closed
class VectorStoreFileObject(TypedDict):
    """A file in a vector store; its id is that of the file."""

    id: str
    object: Literal["vector_store.file"]
    usage_bytes: int
    created_at: UnixSeconds
    vector_store_id: str
    status: State
    last_error: FileError | None
    chunking_strategy: ChunkingObject
    attributes: AttributeMap
    sourcebook: NotRequired[FileOrigin]


@closed
class VectorStoreFileList(ListEnvelope):
    """A page of a vector store's files."""

    data: list[VectorStoreFileObject]


@closed
class VectorStoreFileDeleted(DeletedEnvelope):
    """The file left the vector store; it stays among the files."""

    object: Literal["vector_store.file.deleted"]


@closed
class TextContent(TypedDict):
    """A piece of text."""

    type: Literal["text"]
    text: str


@closed
class FileContentPage(TypedDict):
    """A file's parsed text, all of it on one page."""

    object: Literal["vector_store.file_content.page"]
    data: list[TextContent]
    has_more: Literal[False]
    next_page: None


@closed
class FileBatchObject(TypedDict):
    """Files that were attached together; `total` never changes."""

    id: str
    object: Literal["vector_store.files_batch"]
    created_at: UnixSeconds
    vector_store_id: str
    status: State
    file_counts: FileCountsObject
    sourcebook: NotRequired[BatchExtension]


# --- search and models --------------------------------------------------------------------


@closed
class PageBoxesObject(TypedDict):
    """Where to draw a text on one page: a box is left, top, right and bottom.

    In points (PDF) or pixels (pictures) from the page's left and top edges as it is shown.
    """

    page: int
    width: float
    height: float
    boxes: list[list[float]]


@closed
class PlaceObject(TypedDict):
    """Where in the original file a text stands, in what its format counts, from 1."""

    first_page: NotRequired[int]
    last_page: NotRequired[int]
    first_page_label: NotRequired[str]
    last_page_label: NotRequired[str]
    first_slide: NotRequired[int]
    last_slide: NotRequired[int]
    sheet: NotRequired[str]
    first_row: NotRequired[int]
    last_row: NotRequired[int]
    first_line: NotRequired[int]
    last_line: NotRequired[int]
    boxes: NotRequired[list[PageBoxesObject]]


@closed
class SpanObject(PlaceObject):
    """With the span of characters in the file's text as it was read."""

    start_char: int
    end_char: int


@closed
class LegObject(TypedDict):
    """Rank, from 1, and score of a chunk in one of the rankings; null where it has none."""

    rank: int | None
    score: float


@closed
class ExplanationObject(TypedDict):
    """Why a chunk was found."""

    plan: str
    dense: LegObject
    keyword: LegObject
    fused: float
    query: str
    features: dict[str, float]
    weights: dict[str, float]
    reranker: float | None


@closed
class WhyNotObject(TypedDict):
    """What became of a file or a chunk in a search; the last four where it was ranked."""

    file_id: str
    chunk_ordinal: int | None
    stage: Stage
    rank: int | None
    score: float | None
    last_score: float | None
    explanation: ExplanationObject | None


@closed
class SearchExtension(TypedDict):
    """With `sourcebook.why_not`: the stage that each named file or chunk reached."""

    why_not: list[WhyNotObject]


@closed
class HitExtension(PlaceObject):
    """With `sourcebook`: the hit's id, its place if asked for, and why it was found."""

    id: str
    start_char: NotRequired[int]
    end_char: NotRequired[int]
    heading_path: NotRequired[list[str]]
    explanation: NotRequired[ExplanationObject]


@closed
class SearchHit(TypedDict):
    """One chunk."""

    file_id: str
    filename: str
    score: Score
    attributes: AttributeMap
    content: list[TextContent]
    sourcebook: NotRequired[HitExtension]


@closed
class SearchResultsPage(TypedDict):
    """Chunks, best first, all on one page."""

    object: Literal["vector_store.search_results.page"]
    search_query: list[str]
    data: list[SearchHit]
    has_more: Literal[False]
    next_page: None
    sourcebook: NotRequired[SearchExtension]


@closed
class ModelObject(TypedDict):
    """A model that can write answers."""

    id: str
    object: Literal["model"]
    created: UnixSeconds
    owned_by: str


@closed
class ModelList(TypedDict):
    """All models."""

    object: Literal["list"]
    data: list[ModelObject]
