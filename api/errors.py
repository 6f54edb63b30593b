"""One table: exception → HTTP status and error body. The core knows nothing of either."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from retrieval.errors import (
    Conflict,
    CorruptStore,
    Encrypted,
    FileFailed,
    FileSearchError,
    IncompatibleStore,
    InvalidFilter,
    InvalidQuery,
    InvalidRequest,
    ModelUnavailable,
    NoText,
    NotFound,
    OverBudget,
    StoreBusy,
    StoreError,
    StoreUnwritable,
    TooLarge,
    Unavailable,
    Unreadable,
    UnsupportedFile,
)

CALLER = "invalid_request_error"
SERVER = "server_error"

# Seconds to ask for when a failure does not know its own: SDKs wait at most 8 s by themselves.
RETRY_AFTER_S = 1.0


@dataclass(frozen=True, slots=True)
class ErrorReply:
    """An HTTP error: its status, and the four keys every error body has."""

    status: int
    message: str
    type: str = CALLER
    param: str | None = None
    code: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def body(self) -> dict[str, Any]:
        """The JSON body; all four keys are always there."""
        error = {
            "message": self.message,
            "type": self.type,
            "param": self.param,
            "code": self.code,
        }
        return {"error": error}


INTERNAL: Final = ErrorReply(
    500, "The server had an error while processing your request.", type=SERVER, code=SERVER
)


def _invalid(exc: InvalidRequest) -> ErrorReply:
    return ErrorReply(400, str(exc), param=exc.param, code=exc.code)


def _too_large(exc: TooLarge) -> ErrorReply:
    return ErrorReply(413, str(exc))


# The hosted service words "not found" differently for each kind of object, and clients match
# on the words; `param` is `id` only where the files service's style is used.
_NOT_FOUND: Final[Mapping[str, tuple[str, str | None]]] = {
    "file": ("No such File object: {id}", "id"),
    "vector_store": ("No vector store found with id '{id}'.", None),
    "vector_store_file": ("No file found with id '{id}' in vector store '{within}'.", None),
    "batch": ("No such FileBatch object: {id}", "id"),
    "upload": ("No such Upload object: {id}", "id"),
    "upload_part": ("No such UploadPart object: {id}", "id"),
    "response": ("Response with id '{id}' not found.", None),
    "item": ("Item with id '{id}' not found.", "input"),
    "conversation": ("Conversation with id '{id}' not found.", None),
    "conversation_item": (
        "Conversation item with id '{id}' not found in conversation '{within}'.",
        None,
    ),
    "model": ("The model '{id}' does not exist", None),
}


def _not_found(exc: NotFound) -> ErrorReply:
    message, param = _NOT_FOUND.get(exc.kind, (str(exc), None))
    return ErrorReply(404, message.format(id=exc.id, within=exc.within), param=param)


def _conflict(exc: Conflict) -> ErrorReply:
    """400, not 409: SDKs would send a 409 again, and the object's state would still forbid it."""
    if exc.kind == "vector_store" and exc.state == "expired":
        return ErrorReply(400, f"Vector store '{exc.id}' has expired.")
    return ErrorReply(400, str(exc))


def _file_failed(exc: FileFailed) -> ErrorReply:
    """A file that came with the request itself, such as an inline `input_file`."""
    return ErrorReply(400, str(exc), code=exc.code)


def _unavailable(exc: Unavailable) -> ErrorReply:
    wait_s = RETRY_AFTER_S if exc.retry_after_s is None else exc.retry_after_s
    headers = {"retry-after": f"{wait_s:g}", "retry-after-ms": str(round(wait_s * 1000))}
    return ErrorReply(503, str(exc), type=SERVER, headers=headers)


def _store_error(_exc: StoreError) -> ErrorReply:
    """Says nothing of paths or versions: that is for the operator, who has the log."""
    message = "The stored data cannot be used. The server's log says what its operator must do."
    return ErrorReply(500, message, type=SERVER, code=SERVER)


TABLE: Final[Mapping[type[FileSearchError], Callable[[Any], ErrorReply]]] = {
    InvalidRequest: _invalid,
    InvalidFilter: _invalid,
    InvalidQuery: _invalid,
    TooLarge: _too_large,
    NotFound: _not_found,
    Conflict: _conflict,
    UnsupportedFile: _file_failed,
    Unreadable: _file_failed,
    Encrypted: _file_failed,
    NoText: _file_failed,
    OverBudget: _file_failed,
    Unavailable: _unavailable,
    StoreBusy: _unavailable,
    StoreUnwritable: _unavailable,
    ModelUnavailable: _unavailable,
    CorruptStore: _store_error,
    IncompatibleStore: _store_error,
}


def error_reply(exc: Exception) -> ErrorReply:
    """What the caller is told of `exc`; anything not of our tree is a plain 500.

    >>> error_reply(NotFound("file", "file-1")).body()["error"]["message"]
    'No such File object: file-1'
    """
    for cls in type(exc).__mro__:
        if cls in TABLE:
            return TABLE[cls](exc)
    return INTERNAL
