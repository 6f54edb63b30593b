"""DOC, Word's old binary format: its text by the piece table, paragraphs and rows of tables.

Source: [MS-DOC] 2.4.1 (retrieving text), 2.5 (the file information block), 2.9.177 (pieces).
Styles are not read, so there are no headings.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from pathlib import Path

from ingest.clean import one_line
from ingest.parse.assemble import Assembler
from ingest.parse.compound import open_compound, stream
from ingest.parse.tables import rendered
from retrieval.errors import Encrypted, Unreadable
from retrieval.types import Document

_EMPTY = "There is no text in the document, perhaps only pictures."
_PASSWORD = "The document is protected by a password. Save a copy without one and add that."  # noqa: S105
_DAMAGED = "The document is damaged: {0}. Open it in Word or LibreOffice and save it as DOCX."
_WORD_97 = 0x00C1  # versions below have no piece table where this one has it
_ENCRYPTED, _TABLE_1, _COMPLEX = 0x0100, 0x0200, 0x0004  # flags at byte 10
_PACKED = 0x40000000  # bit of a piece's offset: one byte a character
_MIN_HEADER = 0x01AA

_FIELD_CODE = re.compile(r"\x13[^\x13\x14\x15]*(?:\x14|(?=\x15))")
_MARKS = re.compile(r"[\x01-\x06\x08\x0e-\x12\x14-\x1d]")
_CELL = "\x07"


def read(path: Path, media_type: str) -> Document:
    """Parse a DOC file of Word 6 or later.

    Raises:
        NoText, Unreadable, Encrypted: it is blank, damaged, or needs a password.
    """
    with open_compound(path) as file:
        main = stream(file, "WordDocument") or b""
        if len(main) < _MIN_HEADER:
            raise Unreadable(_DAMAGED.format("its text is missing"))
        flags = struct.unpack_from("<H", main, 10)[0]
        if flags & _ENCRYPTED:
            raise Encrypted(_PASSWORD)
        table = stream(file, "1Table" if flags & _TABLE_1 else "0Table") or b""
    try:
        text = _text(main, table, is_complex=bool(flags & _COMPLEX))
    except struct.error as error:
        raise Unreadable(_DAMAGED.format("its text is cut off")) from error
    assembler = Assembler(media_type)
    _add(text, assembler)
    return assembler.document(if_empty=_EMPTY)


def _text(main: bytes, table: bytes, *, is_complex: bool) -> str:
    version, start, end = (
        struct.unpack_from("<H", main, 2)[0],
        *struct.unpack_from("<II", main, 24),
    )
    if version >= _WORD_97:
        offset, size = struct.unpack_from("<II", main, 0x01A2)
        return "".join(_pieces(main, table[offset : offset + size]))
    if is_complex:
        raise Unreadable(_DAMAGED.format("it was saved fast, by a version before Word 97"))
    return main[start:end].decode("cp1252", "replace")


def _pieces(main: bytes, clx: bytes) -> Iterator[str]:
    """Text of each piece in order; before the table of pieces stand changes of format."""
    at = 0
    while at < len(clx) and clx[at] == 1:
        at += 3 + struct.unpack_from("<H", clx, at + 1)[0]
    size = struct.unpack_from("<I", clx, at + 1)[0]
    plc = clx[at + 5 : at + 5 + size]
    n_pieces = (len(plc) - 4) // 12
    for number in range(n_pieces):
        first, last = struct.unpack_from("<II", plc, 4 * number)
        offset = struct.unpack_from("<I", plc, 4 * (n_pieces + 1) + 8 * number + 2)[0]
        n_chars = min(max(last - first, 0), len(main))
        if offset & _PACKED:
            begin = (offset & ~_PACKED) // 2
            yield main[begin : begin + n_chars].decode("cp1252", "replace")
        else:
            yield main[offset : offset + 2 * n_chars].decode("utf-16-le", "replace")


def _add(text: str, assembler: Assembler) -> None:
    """Add paragraphs, and runs of cells as rows of a table: an empty cell ends a row."""
    shown = text
    while (without := _FIELD_CODE.sub("", shown)) != shown:  # fields may stand in fields
        shown = without
    rows: list[list[str]] = []
    for paragraph in re.split(r"[\r\x0c]", _MARKS.sub("", shown).replace("\x1e", "-")):
        *cells, rest = paragraph.split(_CELL)
        rows += _rows(cells)
        if not cells or rest.strip():
            _end_table(rows, assembler)
            assembler.add(rest)
    _end_table(rows, assembler)


def _rows(cells: list[str]) -> Iterator[list[str]]:
    row: list[str] = []
    for cell in cells:
        if cell or not row:
            row.append(one_line(cell))
        else:
            yield row
            row = []
    if any(row):
        yield row


def _end_table(rows: list[list[str]], assembler: Assembler) -> None:
    for text in rendered(rows):
        assembler.add(text, kind="table_row")
    rows.clear()
