"""Every exception Sourcebook raises on purpose.

::

    FileSearchError
    ├ RequestError            the caller can fix it
    │ ├ InvalidRequest        a field is wrong; names the field and what is allowed
    │ │ ├ InvalidFilter       the path inside the filter, and the reason
    │ │ └ InvalidQuery        the query text or a search option
    │ ├ TooLarge              more bytes, tokens or items than the limit
    │ ├ NotFound              no such file, vector store, batch, response
    │ └ Conflict              the object is in a state that forbids the call
    ├ FileFailed              recorded on the attachment, never raised over HTTP
    │ ├ UnsupportedFile       a type that no parser reads; says which format to save as
    │ ├ Unreadable            damaged, or not what its name says
    │ ├ Encrypted             needs a password; save a copy without one
    │ ├ NoText                opens, but holds no text (a scan, pictures, blank)
    │ └ OverBudget            parsing went past its time, memory or size limit
    ├ Unavailable             try again later; may say after how many seconds
    │ ├ StoreBusy             another process held the write lock too long
    │ ├ StoreUnwritable       the disk is full, or the data folder may only be read
    │ └ ModelUnavailable      an embedding model or LLM cannot be reached or loaded
    └ StoreError              the operator must act
      ├ CorruptStore          stored bytes are not what was written
      └ IncompatibleStore     written by another version, or for another model

Code decides from the fields; the message is for people and says what was got, what is
allowed and what to do next. The core knows no HTTP: ``api/errors.py`` maps these to
status codes in one table.
"""

from __future__ import annotations


class FileSearchError(Exception):
    """Root of everything raised on purpose; catch it to catch all of them."""


class RequestError(FileSearchError):
    """The caller can fix this and try again."""


class InvalidRequest(RequestError):
    """A request field is missing, unknown, of the wrong type or out of range.

    Attributes:
        param: dotted path of the field, such as ``ranking_options.score_threshold``.
        code: the contract's word for what is wrong, such as ``invalid_value``.
    """

    def __init__(self, message: str, *, param: str | None, code: str | None) -> None:
        super().__init__(message)
        self.param = param
        self.code = code


class InvalidFilter(InvalidRequest):
    """A filter is malformed in itself; ``param`` is the path inside it."""

    def __init__(self, path: str, reason: str, *, code: str = "invalid_value") -> None:
        super().__init__(f"Invalid filter at '{path}': {reason}", param=path, code=code)
        self.path = path
        self.reason = reason


class InvalidQuery(InvalidRequest):
    """The query text or a search option cannot be used."""

    def __init__(self, reason: str, *, param: str = "query", code: str = "invalid_value") -> None:
        super().__init__(reason, param=param, code=code)
        self.reason = reason


class TooLarge(RequestError):
    """More than a limit allows; ``what`` names the thing, ``limit`` and ``got`` its numbers."""

    def __init__(self, what: str, *, limit: int, got: int) -> None:
        super().__init__(f"{what} is too large: {got}, where at most {limit} is allowed.")
        self.what = what
        self.limit = limit
        self.got = got


class NotFound(RequestError):
    """No object of ``kind`` (``file``, ``vector_store``, …) has this ``id``.

    ``within`` names the vector store when the object was looked for inside one.
    """

    def __init__(self, kind: str, id: str, *, within: str | None = None) -> None:
        place = f" in {within}" if within else ""
        super().__init__(f"No such {kind.replace('_', ' ')}: {id!r}{place}.")
        self.kind = kind
        self.id = id
        self.within = within


class Conflict(RequestError):
    """The object exists, but its ``state`` forbids the call."""

    def __init__(self, kind: str, id: str, *, state: str) -> None:
        super().__init__(f"{kind.replace('_', ' ').capitalize()} {id!r} is {state}.")
        self.kind = kind
        self.id = id
        self.state = state


class FileFailed(FileSearchError):
    """This file cannot be indexed as it is; the message says what to do about it.

    ``code`` is what the contract puts into ``last_error.code``.
    """

    code = "invalid_file"


class UnsupportedFile(FileFailed):
    """No parser reads this media type."""

    code = "unsupported_file"

    def __init__(self, media_type: str, *, advice: str) -> None:
        super().__init__(f"Files of type {media_type} are not supported. {advice}")
        self.media_type = media_type


class Unreadable(FileFailed):
    """The bytes are damaged, or are not what the file claims to be."""


class Encrypted(FileFailed):
    """A password is needed."""


class NoText(FileFailed):
    """The file opens, but there is no text in it."""


class OverBudget(FileFailed):
    """Parsing went past a limit; ``what`` is ``seconds``, ``bytes`` or the like."""

    def __init__(self, what: str, *, limit: float) -> None:
        shown = f"{limit:,.0f}" if limit >= 1000 else f"{limit:g}"  # noqa: PLR2004
        super().__init__(
            f"Parsing needed more than {shown} {what}. Split the file, or raise the limit."
        )
        self.what = what
        self.limit = limit


class Unavailable(FileSearchError):
    """Nothing is wrong with the request; trying again later may help."""

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class StoreBusy(Unavailable):
    """Another process kept the write lock for longer than the timeout."""


class StoreUnwritable(Unavailable):
    """The data folder cannot be written: the disk is full, or the folder may only be read."""


class ModelUnavailable(Unavailable):
    """An embedding model or a language model cannot be loaded or reached."""


class StoreError(FileSearchError):
    """The data folder needs its operator."""


class CorruptStore(StoreError):
    """What is on disk is not what was written there."""

    def __init__(self, path: str, *, expected: str, found: str) -> None:
        super().__init__(f"{path} is damaged: expected {expected}, found {found}.")
        self.path = path
        self.expected = expected
        self.found = found


class IncompatibleStore(StoreError):
    """Written by a version, or for a model, that this process cannot serve."""

    def __init__(self, what: str, *, found: str, supported: str) -> None:
        super().__init__(f"{what} is {found!r}; this Sourcebook supports {supported!r}.")
        self.what = what
        self.found = found
        self.supported = supported
