"""RTF: paragraphs, headings, lists, tables, notes, headers and footers."""

from __future__ import annotations

import re
from pathlib import Path

from ingest.clean import one_line
from ingest.parse.assemble import Assembler
from ingest.parse.rtf_scan import Piece, Scan
from ingest.parse.tables import rendered
from retrieval.types import BlockKind, Document

_EMPTY = "There is no text in the document, perhaps only pictures."
_HEADING = re.compile(r"(?i)heading (\d)$")
_BODY_LEVEL = 9  # levels count 0-8; 9 is body text


def read(path: Path, media_type: str) -> Document:
    """Parse an RTF file.

    Raises:
        NoText: it is blank.
    """
    assembler = Assembler(media_type)
    scan = Scan(path.read_bytes().decode("latin-1"))
    title, margins = "", []
    rows = _Rows(assembler)
    for piece in scan.pieces():
        if piece.kind in {"cell", "row"}:
            rows.take(piece)
        elif piece.kind == "title":
            title = piece.text
        elif piece.kind == "margin":
            margins.append(one_line(piece.text))
        else:
            rows.end()
            _add(piece, scan.styles, assembler)
    rows.end()
    assembler.close_sections()
    for text in dict.fromkeys(margins):
        assembler.add(text, kind="other")
    return assembler.document(title=title or assembler.first_heading, if_empty=_EMPTY)


def rtf_text(content: bytes) -> str:
    """Return the text of an RTF file alone, a line a paragraph."""
    return "\n".join(piece.text for piece in Scan(content.decode("latin-1")).pieces())


def _add(piece: Piece, styles: dict[int, str], assembler: Assembler) -> None:
    level = piece.level
    if named := _HEADING.match(styles.get(-1 if piece.style is None else piece.style, "")):
        level = int(named.group(1)) - 1
    if piece.kind == "paragraph" and level is not None and 0 <= level < _BODY_LEVEL:
        assembler.heading(piece.text, level=level + 1)
        return
    kind: BlockKind = "list_item" if piece.is_list else "paragraph"
    assembler.add(piece.text, kind="other" if piece.kind == "beside" else kind)


class _Rows:
    """Gathers a table's rows until something else comes."""

    def __init__(self, assembler: Assembler) -> None:
        self._assembler = assembler
        self._rows: list[list[str]] = []
        self._cells: list[str] = []

    def take(self, piece: Piece) -> None:
        """Add a cell, or end a row."""
        if piece.kind == "cell":
            self._cells.append(one_line(piece.text))
        elif self._cells:
            self._rows.append(self._cells)
            self._cells = []

    def end(self) -> None:
        """Add the table to the document, if there is one."""
        if self._cells:
            self._rows.append(self._cells)
        rows, self._rows, self._cells = self._rows, [], []
        for text in rendered(rows):
            self._assembler.add(text, kind="table_row")
