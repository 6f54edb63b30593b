"""How far indexing is, and trying again, on the wire: all of it ours, under `sourcebook`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Literal, NotRequired

from pydantic import ConfigDict, Field, with_config
from typing_extensions import TypedDict

from api.wire.ids import FileId
from api.wire.validation import Closed
from retrieval.store.jobs import BULK
from retrieval.store.progress import AtWork, FileProgress, GroupProgress, Waiting

_closed = with_config(ConfigDict(extra="forbid"))

Code = Literal["server_error", "unsupported_file", "invalid_file"]
Stage = Literal[
    "queued", "parsing", "cutting", "embedding", "committing", "completed", "failed", "cancelled"
]
_UNITS = {"parsing": "bytes", "cutting": "pages", "embedding": "windows"}


@_closed
class FileProgressObject(TypedDict):
    """How far a file is: `done` of `total` units of `stage`; a `total` of 0 is not known."""

    stage: Stage
    unit: Literal["bytes", "pages", "windows", "chunks"]
    done: int
    total: int
    bytes: int
    pages: int | None
    priority: Annotated[
        Literal["interactive", "bulk"] | None,
        Field(description="Null once it has left the queue."),
    ]
    attempts: int
    failures: Annotated[int, Field(description="Attempts that ended with an error.")]
    retry_at: Annotated[int | None, Field(description="Unix time in seconds.")]
    failed_at: Annotated[int | None, Field(description="Unix time in seconds.")]


@_closed
class GroupProgressObject(TypedDict):
    """How far the files of a batch are that are still in the vector store."""

    files: int
    stages: Annotated[dict[str, int], Field(description="Files in progress, by stage.")]
    bytes: int
    bytes_done: Annotated[int, Field(description="Files in work count by their share.")]
    windows: Annotated[int, Field(description="Of the files being embedded just now.")]
    windows_done: int
    chunks: Annotated[int, Field(description="Searchable by now.")]


@_closed
class BatchExtension(TypedDict):
    """With `sourcebook=progress`."""

    progress: GroupProgressObject


@_closed
class AtWorkObject(TypedDict):
    """A file that a worker is at."""

    vector_store_id: str
    file_id: str
    filename: str
    progress: FileProgressObject


@_closed
class WaitingObject(TypedDict):
    """Files that nobody is at yet."""

    interactive: int
    bulk: int
    to_be_retried: Annotated[int, Field(description="Later, after a failure.")]


@_closed
class QueueObject(TypedDict):
    """What all workers on the data folder are at."""

    object: Literal["sourcebook.queue"]
    at_work: list[AtWorkObject]
    waiting: WaitingObject


@_closed
class RetryObject(TypedDict):
    """How many files were queued again."""

    object: Literal["sourcebook.retry"]
    vector_store_id: str
    queued: int


@_closed
class FileOrigin(TypedDict):
    """With `sourcebook=places` where the file comes from, with `progress` how far it is."""

    filename: NotRequired[str]
    path: NotRequired[str | None]
    n_chunks: NotRequired[int]
    progress: NotRequired[FileProgressObject]


class RetryFiles(Closed):
    """Body of `POST /sourcebook/vector_stores/{id}/retry`; without keys, all that failed."""

    file_id: FileId | None = None
    code: Code | None = None


def file_progress_body(progress: FileProgress) -> dict[str, Any]:
    """A `FileProgressObject`."""
    return {
        "stage": progress.stage,
        "unit": _UNITS.get(progress.stage, "chunks"),
        "done": progress.n_done,
        "total": progress.n_total,
        "bytes": progress.n_bytes,
        "pages": progress.n_pages,
        "priority": _priority(progress.priority),
        "attempts": progress.n_attempts,
        "failures": progress.n_failures,
        "retry_at": None if progress.retry_at is None else int(progress.retry_at),
        "failed_at": progress.failed_at,
    }


def _priority(priority: int | None) -> str | None:
    if priority is None:
        return None
    return "bulk" if priority >= BULK else "interactive"


def group_progress_body(progress: GroupProgress) -> dict[str, Any]:
    """A `GroupProgressObject`."""
    return {
        "files": progress.n_files,
        "stages": dict(progress.stages),
        "bytes": progress.n_bytes,
        "bytes_done": progress.n_bytes_done,
        "windows": progress.n_windows,
        "windows_done": progress.n_windows_done,
        "chunks": progress.n_chunks,
    }


def queue_body(at_work: list[AtWork], waiting: Waiting) -> dict[str, Any]:
    """A `QueueObject`."""
    files = [
        {
            "vector_store_id": each.vector_store_id,
            "file_id": each.file_id,
            "filename": each.filename,
            "progress": file_progress_body(each.progress),
        }
        for each in at_work
    ]
    return {"object": "sourcebook.queue", "at_work": files, "waiting": asdict(waiting)}


def retry_body(store_id: str, n_queued: int) -> dict[str, Any]:
    """A `RetryObject`."""
    return {"object": "sourcebook.retry", "vector_store_id": store_id, "queued": n_queued}
