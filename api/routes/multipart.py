"""The upload form: spooled to disk while it arrives, so that memory stays flat."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import BinaryIO
from urllib.parse import unquote_to_bytes

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from api.request import UnsupportedMediaType, has_body, limited, media_type
from api.wire.files import check_purpose, expiry_s, lifetime_s
from api.wire.validation import echo, missing, wrong_type
from retrieval.errors import InvalidRequest

FIELDS = ("file", "purpose", "expires_after[anchor]", "expires_after[seconds]")
MAX_FIELD_BYTES = 64 * 1024
FRAME_BYTES = 1024 * 1024  # what a form may hold around its file: boundaries, headers, fields

# RFC 5987: filename*=charset'language'percent-encoded
_EXTENDED = re.compile(rb"filename\*\s*=\s*\"?([\w.-]+)'[^']*'([^;\s\"]+)\"?", re.IGNORECASE)
_PLAIN = re.compile(rb';\s*filename\s*=\s*("(?:[^"\\]|\\.)*"|[^;]*)', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class UploadForm:
    """The checked fields of `POST /files`; `content` is open until the request ends."""

    content: BinaryIO
    filename: str
    purpose: str
    expires_after_s: int | None


# Browsers and clients write these three so in a form, and "%" as it is (WHATWG HTML, 4.10.21.8).
_FORM_ESCAPES = re.compile(r"%(?:22|0[Aa]|0[Dd])")


def decoded_filename(name: str) -> str:
    """A file name as its sender has it: quotes and line ends that the form escapes.

    >>> decoded_filename("a %22quoted%22 name, 100%25.txt")
    'a "quoted" name, 100%25.txt'
    """
    return _FORM_ESCAPES.sub(lambda found: chr(int(found.group()[1:], 16)), name)


class _Parser(MultiPartParser):
    """Starlette's, which knows no `filename*` and would take such a part for a text field."""

    def on_headers_finished(self) -> None:
        part = self._current_part
        if part.content_disposition is not None:
            part.content_disposition = plain_filename(part.content_disposition)
        super().on_headers_finished()

    def on_end(self) -> None:
        self.ended = True

    async def parse(self) -> FormData:
        """The form; refuses one that breaks off, whose last file would be cut short."""
        self.ended = False
        form = await super().parse()
        if not self.ended:
            for file in self._files_to_close_on_error:
                file.close()
            raise MultiPartException("it ends before its closing boundary.")
        return form


def plain_filename(disposition: bytes) -> bytes:
    """`disposition` with `filename*` turned into a `filename` in UTF-8, which it overrides.

    >>> plain_filename(b"form-data; name=f; filename=x; filename*=utf-8''%C3%A4.txt").decode()
    'form-data; name=f; filename="ä.txt"'
    """
    found = _EXTENDED.search(disposition)
    if found is None:
        return disposition
    try:
        name = unquote_to_bytes(found[2]).decode(found[1].decode("ascii"))
    except (LookupError, UnicodeDecodeError):
        return disposition
    before = disposition[: found.start()].rstrip(b"; \t") + disposition[found.end() :]
    quoted = name.replace('"', "%22").encode()  # as browsers escape it
    return _PLAIN.sub(b"", before) + b'; filename="' + quoted + b'"'


@asynccontextmanager
async def upload_form(request: Request, *, max_bytes: int) -> AsyncIterator[UploadForm]:
    """The form of `POST /files`, closed after use.

    Raises:
        UnsupportedMediaType: not multipart/form-data.
        InvalidRequest: not readable as such, or a field is missing, unknown or not allowed.
        TooLarge: the whole body is larger than the file may be, framing allowed for.
    """
    async with _form(request, FIELDS, what="File", max_bytes=max_bytes) as form:
        yield _checked(form)


@asynccontextmanager
async def part_form(request: Request, *, max_bytes: int) -> AsyncIterator[BinaryIO]:
    """The bytes in the form of `POST /uploads/{id}/parts`; errors as of `upload_form`."""
    async with _form(request, ("data",), what="Part", max_bytes=max_bytes) as form:
        data = _file(form, "data")
        if data is None:
            raise missing("data")
        yield data.file


@asynccontextmanager
async def _form(
    request: Request, fields: tuple[str, ...], *, what: str, max_bytes: int
) -> AsyncIterator[FormData]:
    """A form of no other than these `fields`, the first of which is the file."""
    if not has_body(request):
        raise missing(fields[0])
    if media_type(request) != "multipart/form-data":
        raise UnsupportedMediaType(media_type(request), wanted="multipart/form-data")
    stream = limited(request, what=what, limit=max_bytes, framing=FRAME_BYTES)
    parser = _Parser(
        request.headers,
        stream,  # type: ignore[arg-type]  # it is an async generator
        max_files=1,
        max_fields=len(FIELDS),
        max_part_size=MAX_FIELD_BYTES,
    )
    try:
        form = await parser.parse()
    except MultiPartException as exc:
        message = f"We could not parse the multipart body of your request: {exc.message}"
        raise InvalidRequest(message, param=None, code=None) from exc
    try:
        _check_names(form, fields)
        yield form
    finally:
        await form.close()


def _check_names(form: FormData, fields: tuple[str, ...]) -> None:
    for name in form:
        if name not in fields:
            shown = echo(name)
            message = f"Unknown parameter: '{shown}'."
            raise InvalidRequest(message, param=shown, code="unknown_parameter")


def _checked(form: FormData) -> UploadForm:
    file = _file(form, "file")
    purpose = _text(form, "purpose")
    given_s = expiry_s(_text(form, FIELDS[2]), _text(form, FIELDS[3]))
    if file is None or purpose is None:
        raise missing("file" if file is None else "purpose")
    purpose = check_purpose(purpose)
    name = decoded_filename(file.filename or "") or "upload"
    return UploadForm(file.file, name, purpose, lifetime_s(purpose, given_s))


def _file(form: FormData, name: str) -> UploadFile | None:
    value = form.get(name)
    if isinstance(value, str):
        raise wrong_type(name, expected="a file", got=value)
    return value


def _text(form: FormData, name: str) -> str | None:
    value = form.get(name)
    if isinstance(value, UploadFile):
        path = name.replace("[", ".").rstrip("]")
        raise wrong_type(path, expected="a string", got=value)
    return value
