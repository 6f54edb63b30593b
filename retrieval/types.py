"""What is stored and passed on: documents, files, vector stores.

All frozen: what flows is never changed in place. What a search asks and gives is in
`retrieval.queries`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Generic, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from retrieval.boxes import PageBoxes
from retrieval.errors import InvalidRequest

Vectors = NDArray[np.float32]  # shape (n, dim), unit rows
AttributeValue = str | float | int | bool
Attributes = Mapping[str, AttributeValue]

BlockKind = Literal["heading", "paragraph", "list_item", "table_row", "code", "other"]
AttachmentStatus = Literal["in_progress", "completed", "cancelled", "failed"]

DEFAULT_CHUNK_TOKENS = 800  # OpenAI's `auto` strategy
DEFAULT_OVERLAP_TOKENS = 400
MIN_CHUNK_TOKENS = 100
MAX_CHUNK_TOKENS = 4096

T = TypeVar("T")


class Unset(Enum):
    """Tells "leave it as it is" from None, which clears."""

    UNSET = "unset"


UNSET = Unset.UNSET


@dataclass(frozen=True, slots=True)
class Blob:
    """Stored bytes, named by what they are."""

    sha256: str  # 64 hex digits
    n_bytes: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the original a piece of text stands; what does not apply is None.

    All numbers count from 1 and ranges include both ends. Pages serve PDF, slides PPTX,
    sheet and rows XLSX and CSV, lines everything that has lines.
    """

    first_page: int | None = None
    last_page: int | None = None
    first_page_label: str | None = None  # as printed, "iv" or "A-3"; None where it is the number
    last_page_label: str | None = None
    first_slide: int | None = None
    last_slide: int | None = None
    sheet: str | None = None
    first_row: int | None = None
    last_row: int | None = None
    first_line: int | None = None
    last_line: int | None = None

    @classmethod
    def over(cls, places: Iterable[Place]) -> Place:
        """The smallest place that holds all of `places`; a sheet only if they agree on it.

        Rows are given only within one sheet, since row 5 of another is another row.
        """
        given = list(places)
        sheets = {place.sheet for place in given}
        one_sheet = len(sheets) == 1
        return cls(
            first_page=(first := _least([place.first_page for place in given])),
            last_page=(last := _most([place.last_page for place in given])),
            first_page_label=_label(given, first),
            last_page_label=_label(given, last),
            first_slide=_least([place.first_slide for place in given]),
            last_slide=_most([place.last_slide for place in given]),
            sheet=sheets.pop() if one_sheet else None,
            first_row=_least([place.first_row for place in given]) if one_sheet else None,
            last_row=_most([place.last_row for place in given]) if one_sheet else None,
            first_line=_least([place.first_line for place in given]),
            last_line=_most([place.last_line for place in given]),
        )

    def as_dict(self) -> dict[str, Any]:
        """Only what is known, for JSON."""
        pairs = ((name, getattr(self, name)) for name in self.__slots__)
        return {name: value for name, value in pairs if value is not None}


def _least(values: Sequence[int | None]) -> int | None:
    return min([value for value in values if value is not None], default=None)


def _label(places: Iterable[Place], page: int | None) -> str | None:
    """The label of the places that begin or end on `page`."""
    if page is None:
        return None
    begun = (place.first_page_label for place in places if place.first_page == page)
    ended = (place.last_page_label for place in places if place.last_page == page)
    return next((label for label in (*begun, *ended) if label), None)


def _most(values: Sequence[int | None]) -> int | None:
    return max([value for value in values if value is not None], default=None)


@dataclass(frozen=True, slots=True)
class Block:
    """One heading, paragraph, list item, table row or piece of code of a document."""

    kind: BlockKind
    start_char: int  # into Document.text
    end_char: int  # exclusive; text[start:end] has no white space at its ends
    place: Place = Place()
    heading_path: tuple[str, ...] = ()  # headings above, outermost first; a heading ends its own
    lines: PageBoxes | None = None  # of a scanned page: a box for each line of the block's text


@dataclass(frozen=True, slots=True)
class Document:
    """A file's parsed text.

    `blocks` are in order, do not overlap, and hold every character of `text` that is not
    white space, so windows made of them lose nothing.
    """

    media_type: str
    text: str
    blocks: tuple[Block, ...]
    title: str | None = None
    n_pages: int | None = None  # pages or slides; None where the type has none
    unread_pages: tuple[int, ...] = ()  # pages that gave no text, from 1


@dataclass(frozen=True, slots=True)
class ChunkingStrategy:
    """How an attachment is cut; the contract's `static`, and `auto` with its values."""

    max_chunk_size_tokens: int = DEFAULT_CHUNK_TOKENS  # MIN_CHUNK_TOKENS to MAX_CHUNK_TOKENS
    chunk_overlap_tokens: int = DEFAULT_OVERLAP_TOKENS  # 0 to half of the above

    def __post_init__(self) -> None:
        if not MIN_CHUNK_TOKENS <= self.max_chunk_size_tokens <= MAX_CHUNK_TOKENS:
            raise InvalidRequest(
                f"Invalid 'max_chunk_size_tokens': expected {MIN_CHUNK_TOKENS} to"
                f" {MAX_CHUNK_TOKENS}, but got {self.max_chunk_size_tokens}.",
                param="chunking_strategy.static.max_chunk_size_tokens",
                code="invalid_value",
            )
        if not 0 <= self.chunk_overlap_tokens <= self.max_chunk_size_tokens // 2:
            raise InvalidRequest(
                "Invalid 'chunk_overlap_tokens': expected 0 to half of max_chunk_size_tokens,"
                f" but got {self.chunk_overlap_tokens}.",
                param="chunking_strategy.static.chunk_overlap_tokens",
                code="invalid_value",
            )


@dataclass(frozen=True, slots=True)
class Window:
    """What is embedded: a run of text within the model's reach. Windows do not overlap."""

    ordinal: int
    start_char: int
    end_char: int
    n_tokens: int  # of text[start:end], prefix and special tokens not counted
    prefix: str = ""  # file name and heading words put before the text for the model


@dataclass(frozen=True, slots=True)
class Chunk:
    """What is scored and returned: a run of consecutive windows. Chunks may overlap."""

    ordinal: int
    first_window: int
    n_windows: int
    start_char: int
    end_char: int
    n_tokens: int
    place: Place
    heading_path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Commit:
    """One step of truth: after it, the file is searchable in its vector store."""

    seq: int
    vector_store_id: str
    file_id: str
    n_chunks: int


# --- the resources ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class File:
    """Uploaded bytes with a name."""

    id: str
    filename: str
    purpose: str
    n_bytes: int
    sha256: str
    created_at: int  # Unix seconds, like every *_at
    expires_at: int | None = None


@dataclass(frozen=True, slots=True)
class FileCounts:
    """How many attachments are in which state; always adds up to `total`."""

    in_progress: int = 0
    completed: int = 0
    failed: int = 0
    cancelled: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True)
class VectorStore:
    """A public group of files that is searched together."""

    id: str
    name: str | None
    description: str | None
    created_at: int
    last_active_at: int
    expires_after_days: int | None
    expires_at: int | None
    usage_bytes: int
    counts: FileCounts
    metadata: Mapping[str, str]
    expired: bool
    model_id: str  # embedding model and revision all its vectors are of
    seq: int  # of its newest commit


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file in a vector store: the unit of work, of retry and of failure."""

    vector_store_id: str
    file_id: str
    filename: str
    created_at: int
    status: AttachmentStatus
    usage_bytes: int
    chunking: ChunkingStrategy
    attributes: Attributes
    error_code: str | None = None  # server_error, unsupported_file or invalid_file
    error_message: str | None = None
    path: str | None = None  # relative path it was indexed under by the command line
    n_chunks: int = 0


@dataclass(frozen=True, slots=True)
class BatchMember:
    """One file of a batch, with its own attributes and chunking."""

    file_id: str
    attributes: Attributes = field(default_factory=dict)
    chunking: ChunkingStrategy = ChunkingStrategy()


@dataclass(frozen=True, slots=True)
class Batch:
    """Files attached together; its total never changes."""

    id: str
    vector_store_id: str
    created_at: int
    status: AttachmentStatus
    counts: FileCounts


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which part of a list is wanted; `after` and `before` are ids, exclusive."""

    limit: int = 20
    order: Literal["asc", "desc"] = "desc"
    after: str | None = None
    before: str | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list, in the requested order."""

    items: tuple[T, ...]
    has_more: bool


@dataclass(frozen=True, slots=True)
class FileChange:
    """The newest state of one attachment that changed after some `seq`."""

    seq: int
    file_n: int  # row number of the attachment, never used again
    file_id: str
    filename: str
    attributes: Attributes
    content_seq: int  # when its chunks were last committed; 0 means it has none yet
    deleted: bool


@dataclass(frozen=True, slots=True)
class FileContent:
    """What an index needs to know of one file, or of a stretch of one that is long."""

    texts: Sequence[str]  # (n_windows,)
    vectors: Vectors  # (n_windows, dim)
    chunk_first_window: NDArray[np.int32]  # (n_chunks,)
    chunk_n_windows: NDArray[np.int32]  # (n_chunks,)
    headings: Sequence[str] = ()  # (n_chunks,) the headings over each; empty where none has any
    title: str = ""  # the document's own, if it has one
    first_chunk: int = 0  # ordinal, in the file, of the first of these chunks
