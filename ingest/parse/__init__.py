"""Bytes → Document. One module a format; a new format is a module and a row in `PARSERS`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path, PurePath
from types import MappingProxyType
from typing import cast

from ingest.detect import DOCX, EPUB, HTML, PDF, PLAIN, PPTX, XLSX, detect, read_ends
from ingest.parse.advice import PICTURES, refusal
from ingest.parse.parts import joined
from retrieval.errors import NoText, Unreadable
from retrieval.types import Document

__all__ = ["PARSERS", "PARSER_VERSION", "Parser", "parse", "parse_parts"]

Parser = Callable[[Path, str], Document]  # path and media type; raises FileFailed only

# Raise it when output changes: cached documents are then parsed anew, as they are when the extra
# for pictures is installed or taken away.
PARSER_VERSION = "3" + ("+ocr" if find_spec("rapidocr") else "")

_CODE_TYPES = (
    "text/x-c", "text/x-c++", "text/x-csharp", "text/css", "text/x-golang", "text/x-java",
    "text/javascript", "text/x-php", "text/x-python", "text/x-ruby", "application/x-sh",
    "application/typescript", "text/x-rust", "text/x-kotlin", "text/x-swift",
    "text/x-scala", "text/x-lua", "text/x-perl", "text/x-r", "application/sql", "text/x-objc",
    "text/x-dart", "text/x-elixir", "text/x-haskell", "text/x-powershell", "text/x-protobuf",
)  # fmt: skip


_OPEN_DOCUMENTS = tuple(
    f"application/vnd.oasis.opendocument.{kind}"
    for kind in ("text", "text-template", "text-master", "spreadsheet", "spreadsheet-template",
                 "presentation", "presentation-template", "graphics")
)  # fmt: skip


# No program saves text under these names, so what is text there is the rest of something else.
_NEVER_TEXT = frozenset(
    {".pdf", ".docx", ".pptx", ".xlsx", ".xlsb", ".odt", ".ods", ".odp", ".epub"}
)
# Types that are read part by part, so that a file may be of any length.
_IN_PARTS = {
    PLAIN: "plain",
    "text/csv": "delimited",
    "text/tab-separated-values": "delimited",
    "application/jsonl": "structured",
}
# Types whose text is the source itself. Longer files, such as dumps of databases, are no work of
# an author: they are read part by part as plain text, instead of filling the parser's memory.
_SOURCE_TYPES = frozenset(
    {*_CODE_TYPES, "text/markdown", "application/json", "application/yaml", "application/toml",
     "text/x-tex", "text/x-rst", "text/x-asciidoc", "text/x-org"}
)  # fmt: skip
_LONG_BYTES = 16 << 20
_ZIP = "application/zip"
_CUT_SHORT = (
    "The name says {0}, but no {0} file is in it: it is damaged, or was cut short on its way. "
    "Add it anew, or open it in the program it was made with and save it again."
)
_NOT_WHAT_IT_SAYS = (
    "The name says {0}, but the file is none: it may have been damaged on its way. Add it anew, "
    "or, if it is text, under a name that ends in .txt."
)


def _in_module(name: str) -> Parser:
    """Return the `read` of a module here, imported only when a file needs it."""

    def read(path: Path, media_type: str) -> Document:
        module = import_module(f"ingest.parse.{name}")
        return cast("Document", module.read(path, media_type))

    return read


PARSERS: Mapping[str, Parser] = MappingProxyType({
    PDF: _in_module("pdf"),
    DOCX: _in_module("docx"),
    PPTX: _in_module("pptx"),
    XLSX: _in_module("xlsx"),
    "application/msword": _in_module("doc"),
    "application/vnd.ms-powerpoint": _in_module("ppt"),
    "application/vnd.ms-excel": _in_module("workbook"),
    "application/vnd.ms-excel.sheet.binary.macroenabled.12": _in_module("workbook"),
    **dict.fromkeys(_OPEN_DOCUMENTS, _in_module("odf")),
    EPUB: _in_module("epub"),
    HTML: _in_module("html"),
    "application/rtf": _in_module("rtf"),
    "message/rfc822": _in_module("mail"),
    "multipart/related": _in_module("mail"),
    "application/vnd.ms-outlook": _in_module("msg"),
    "text/markdown": _in_module("markdown"),
    "text/csv": _in_module("delimited"),
    "text/tab-separated-values": _in_module("delimited"),
    "application/json": _in_module("structured"),
    "application/jsonl": _in_module("structured"),
    "text/x-tex": _in_module("tex"),
    "application/yaml": _in_module("structured"),
    "application/toml": _in_module("structured"),
    "application/xml": _in_module("xml"),
    "application/x-ipynb+json": _in_module("notebook"),
    "text/x-rst": _in_module("markup"),
    "text/x-asciidoc": _in_module("markup"),
    "text/x-org": _in_module("markup"),
    **dict.fromkeys(PICTURES, _in_module("picture")),
    PLAIN: _in_module("plain"),
    **dict.fromkeys(_CODE_TYPES, _in_module("code")),
})  # fmt: skip


def parse(path: Path, *, filename: str) -> Document:
    """Detect the type of the file at `path` and parse it.

    Runs in this process, without limits: for files that users bring, call
    `ingest.sandbox.parse_in_child`.

    Args:
        path: where the bytes are; its own name does not matter.
        filename: the user's name for it; decides only between types of text.

    Raises:
        UnsupportedFile, Unreadable, Encrypted, NoText: see `retrieval.errors`.
    """
    return joined(parse_parts(path, filename=filename))


def parse_parts(path: Path, *, filename: str) -> Iterator[Document]:
    """The same in parts, see `ingest.parse.parts`; most types come in one."""
    ends = read_ends(path)
    if not ends:
        raise NoText("The file is empty: it has zero bytes.")
    media_type = detect(ends, filename)
    suffix = PurePath(filename.lower()).suffix
    if media_type == _ZIP and suffix in _NEVER_TEXT:
        raise Unreadable(_CUT_SHORT.format(suffix[1:].upper()))
    if media_type == PLAIN and suffix in _NEVER_TEXT:
        raise Unreadable(_NOT_WHAT_IT_SAYS.format(suffix[1:].upper()))
    parser = PARSERS.get(media_type)
    if parser is None:
        raise refusal(media_type)
    module = _in_parts(media_type, path.stat().st_size)
    if module is not None:
        yield from import_module(f"ingest.parse.{module}").read_parts(path, media_type)
    else:
        yield parser(path, media_type)


def _in_parts(media_type: str, n_bytes: int) -> str | None:
    """The module that reads such a file part by part; None where it is read as a whole."""
    is_long = n_bytes > _LONG_BYTES and media_type in _SOURCE_TYPES
    return "plain" if is_long else _IN_PARTS.get(media_type)
