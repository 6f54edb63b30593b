"""DOCX: paragraphs, headings, lists, tables, notes, text boxes, headers and footers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lxml import etree

from ingest.clean import one_line
from ingest.parse.assemble import Assembler
from ingest.parse.ooxml import Package, attribute, child, descendants, local
from ingest.parse.tables import Cell, grid, rendered
from retrieval.types import BlockKind, Document

_EMPTY = (
    "There is no text in the document, perhaps only pictures. "
    "If it was scanned, run OCR on it first."
)
_HEADING_NAME = re.compile(r"(?i)(?:heading|überschrift|titre|título|titolo|kop)\s*(\d)$")
_BODY_LEVEL = 9  # outline levels count 0-8; 9 is body text (ECMA-376, 17.3.1.20)
# A cell with this much in it is a column of a laid-out page, not a value.
_LAYOUT_PARAGRAPHS = 3
_LAYOUT_CHARS = 600

# Elements of a paragraph that hold no text of its own, or text that a reader does not see.
_SKIPPED = frozenset({"del", "moveFrom", "instrText", "delText", "pPr", "rPr", "Fallback", "pict"})
_SIGNS = {"tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-", "ptab": "\t"}


@dataclass(frozen=True, slots=True)
class _Style:
    name: str = ""
    level: int | None = None  # of its heading, from 1; 0 for the document's title
    is_list: bool = False


@dataclass(slots=True)
class _Paragraph:
    """What one paragraph holds: its own text, and what hangs on it."""

    pieces: list[str] = field(default_factory=list)
    boxes: list[etree._Element] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)  # part kind and id


def read(path: Path, media_type: str) -> Document:
    """Parse a DOCX file. Numbers that Word counts out itself are not part of the text.

    Raises:
        NoText, Unreadable, OverBudget: it is blank, damaged, or unpacks without end.
    """
    with Package(path) as package:
        name, root = package.main_part(kind="officeDocument", usual="word/document.xml")
        reader = _Reader(package, name, Assembler(media_type))
        body = child(root, "body")
        reader.blocks(root if body is None else body)
        reader.margins()
        return reader.document(package.title())


class _Reader:
    def __init__(self, package: Package, name: str, assembler: Assembler) -> None:
        self._package = package
        self._name = name
        self._assembler = assembler
        self._styles = _styles(self._part("styles"))
        self._notes = {
            kind: _by_id(self._part(kind)) for kind in ("footnotes", "endnotes", "comments")
        }
        self._title: str | None = None

    def document(self, title: str | None) -> Document:
        return self._assembler.document(title=title or self._title, if_empty=_EMPTY)

    def _part(self, kind: str) -> etree._Element | None:
        names = self._package.related(self._name, kind=kind)
        return self._package.xml(names[0][1]) if names else None

    def blocks(self, parent: etree._Element) -> None:
        """Add all paragraphs and tables below `parent`, through content controls and the like."""
        for element in parent:
            name = local(element)
            if name == "p":
                self._paragraph(element)
            elif name == "tbl":
                self._table(element)
            elif name not in _SKIPPED and name != "sectPr":
                self.blocks(element)

    def margins(self) -> None:
        """Add each distinct header and footer once, at the end and under no heading."""
        self._assembler.close_sections()
        seen: set[str] = set()
        for kind in ("header", "footer"):
            for _, name in self._package.related(self._name, kind=kind):
                root = self._package.xml(name)
                text = one_line("\n".join(_texts(root))) if root is not None else ""
                if text not in seen:
                    seen.add(text)
                    self._assembler.add(text, kind="other")

    def _paragraph(self, element: etree._Element) -> None:
        paragraph = _Paragraph()
        _collect(element, paragraph)
        self._add(element, "".join(paragraph.pieces))
        for box in paragraph.boxes:
            self.blocks(box)
        for kind, note_id in paragraph.notes:
            note = self._notes[kind].get(note_id)
            if note is not None:
                self._assembler.add("\n".join(_texts(note)), kind="other")

    def _add(self, element: etree._Element, text: str) -> None:
        style = self._styles.get(_value(element, "pPr", "pStyle") or "", _Style())
        own = _value(element, "pPr", "outlineLvl")
        level = style.level if own is None else int(own) + 1
        if level is not None and level <= _BODY_LEVEL and text.strip():
            if level == 0 or self._title is None:
                self._title = one_line(text)
            self._assembler.heading(text, level=level)
            return
        number = _value(element, "pPr", "numPr", "numId")
        listed = number != "0" if number is not None else style.is_list
        kind: BlockKind = "list_item" if listed else "paragraph"
        self._assembler.add(text, kind=kind)

    def _table(self, table: etree._Element) -> None:
        rows = list(_children(table, "tr"))
        if _is_layout(table, rows):
            for row in rows:
                for cell in _children(row, "tc"):
                    self.blocks(cell)
            return
        lines = grid(_cells(rows))
        stated = rows and child(rows[0], "trPr", "tblHeader") is not None
        for text in rendered(lines, header=0 if stated and len(rows) > 1 else None):
            self._assembler.add(text, kind="table_row")


def _is_layout(table: etree._Element, rows: list[etree._Element]) -> bool:
    """Tell whether a table only arranges text: one cell, tables within, or whole columns of it."""
    if any(inner is not table for inner in descendants(table, "tbl")):
        return True
    cells = [cell for row in rows for cell in _children(row, "tc")]
    return len(cells) <= 1 or any(
        len(texts) >= _LAYOUT_PARAGRAPHS and sum(map(len, texts)) > _LAYOUT_CHARS
        for texts in (list(_texts(cell)) for cell in cells)
    )


def _cells(rows: list[etree._Element]) -> list[list[Cell]]:
    """The cells of each row; one that goes on with the cell above repeats its text."""
    table: list[list[Cell]] = []
    above: dict[int, str] = {}
    for row in rows:
        line = [Cell("")] * int(_value(row, "trPr", "gridBefore") or 0)
        column = len(line)
        for cell in _children(row, "tc"):
            span = int(_value(cell, "tcPr", "gridSpan") or 1)
            merge = child(cell, "tcPr", "vMerge")
            goes_on = merge is not None and attribute(merge, "val") != "restart"
            text = above.get(column, "") if goes_on else one_line(" ".join(_texts(cell)))
            above[column] = text
            line.append(Cell(text, n_columns=span))
            column += span
        table.append(line)
    return table


def _children(element: etree._Element, name: str) -> Iterator[etree._Element]:
    """Children called `name`, also inside content controls."""
    for inner in element:
        if local(inner) == name:
            yield inner
        elif local(inner) in {"sdt", "sdtContent", "customXml", "ins"}:
            yield from _children(inner, name)


def _texts(element: etree._Element) -> Iterator[str]:
    """The text of every paragraph below `element`, those of text boxes too."""
    for inner in descendants(element, "p"):
        if next(inner.iterancestors("{*}Fallback"), None) is None:
            paragraph = _Paragraph()
            _collect(inner, paragraph)
            text = "".join(paragraph.pieces)
            if text.strip():
                yield text


def _collect(element: etree._Element, into: _Paragraph) -> None:
    for inner in element:
        name = local(inner)
        if name == "t":
            into.pieces.append(inner.text or "")
        elif name in _SIGNS:
            into.pieces.append(_SIGNS[name])
        elif name == "txbxContent":
            into.boxes.append(inner)
        elif name in {"footnoteReference", "endnoteReference", "commentReference"}:
            kind = name.removesuffix("Reference") + "s"
            into.notes.append((kind, attribute(inner, "id") or ""))
        elif name == "pict" and next(descendants(inner, "txbxContent"), None) is not None:
            into.boxes += list(descendants(inner, "txbxContent"))
        elif name not in _SKIPPED:
            _collect(inner, into)


def _by_id(root: etree._Element | None) -> dict[str, etree._Element]:
    if root is None:
        return {}
    return {
        attribute(note, "id") or "": note
        for note in root
        if local(note) in {"footnote", "endnote", "comment"}
    }


def _value(element: etree._Element, *path: str) -> str | None:
    found = child(element, *path)
    value = attribute(found, "val")
    if value is not None and path[-1] != "pStyle" and not value.lstrip("-").isdigit():
        return None
    return value


def _styles(root: etree._Element | None) -> dict[str, _Style]:
    """Styles by id, each with what it takes over from those it is based on."""
    if root is None:
        return {}
    elements = {attribute(style, "styleId") or "": style for style in descendants(root, "style")}
    return {style_id: _style(style_id, elements) for style_id in elements}


def _style(style_id: str, elements: dict[str, etree._Element]) -> _Style:
    name, level, is_list = "", None, False
    seen: set[str] = set()
    while style_id in elements and style_id not in seen:
        seen.add(style_id)
        style = elements[style_id]
        own_name = attribute(child(style, "name"), "val") or ""
        name = name or own_name
        if level is None:
            level = _level(own_name, _value(style, "pPr", "outlineLvl"))
        is_list = (
            is_list
            or child(style, "pPr", "numPr") is not None
            or own_name.lower().startswith("list ")
        )
        style_id = attribute(child(style, "basedOn"), "val") or ""
    return _Style(name, level, is_list)


def _level(name: str, outline: str | None) -> int | None:
    if name.lower() == "title":
        return 0
    if named := _HEADING_NAME.match(name):
        return int(named.group(1))
    return int(outline) + 1 if outline and int(outline) < _BODY_LEVEL else None
