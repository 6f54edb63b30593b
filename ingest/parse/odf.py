"""OpenDocument: texts, spreadsheets and presentations of LibreOffice and others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from ingest.clean import one_line
from ingest.parse.archive import Archive, damaged
from ingest.parse.assemble import Assembler
from ingest.parse.ooxml import attribute, child, descendants, local
from ingest.parse.sheets import SheetRow, add_sheet
from ingest.parse.tables import Cell, grid, rendered
from retrieval.errors import Encrypted
from retrieval.types import BlockKind, Document, Place

_PASSWORD = "The file is protected by a password. Save a copy without one and add that."  # noqa: S105
_EMPTY = "There is no text in the file, perhaps only pictures."
_MAX_COLUMNS = 16_384  # as many as spreadsheets have; what claims more is damage
# Elements without text that a reader sees where they stand.
_SKIPPED = frozenset({"tracked-changes", "annotation", "note", "frame", "custom-shape", "forms",
                      "sequence-decls", "variable-decls", "desc", "title", "ruby-text"})  # fmt: skip
_SIGNS = {"tab": "\t", "line-break": "\n"}


def read(path: Path, media_type: str) -> Document:
    """Parse an ODT, ODS or ODP file.

    Raises:
        NoText, Unreadable, Encrypted, OverBudget: it is blank, damaged, needs a password, or
            unpacks without end.
    """
    with Archive(path) as archive:
        manifest = archive.xml("META-INF/manifest.xml")
        if (
            manifest is not None
            and next(descendants(manifest, "encryption-data"), None) is not None
        ):
            raise Encrypted(_PASSWORD)
        content = archive.xml("content.xml")
        body = child(content, "body")
        if body is None:
            raise damaged("its part content.xml is missing or broken")
        reader = _Reader(Assembler(media_type))
        n_slides = reader.body(body)
        reader.margins(archive.xml("styles.xml"))
        return reader.assembler.document(
            title=_title(archive) or reader.assembler.first_heading,
            n_pages=n_slides,
            if_empty=_EMPTY,
        )


def _title(archive: Archive) -> str | None:
    meta = archive.xml("meta.xml")
    return None if meta is None else next((e.text for e in descendants(meta, "title")), None)


class _Reader:
    def __init__(self, assembler: Assembler) -> None:
        self.assembler = assembler
        self._place = Place()

    def body(self, body: etree._Element) -> int | None:
        """Add all there is; return the number of slides of a presentation."""
        slides = [page for kind in body if local(kind) == "presentation"
                  for page in kind if local(page) == "page"]  # fmt: skip
        for number, slide in enumerate(slides, start=1):
            self._slide(slide, number)
        for kind in body:
            if local(kind) == "spreadsheet":
                for table in descendants(kind, "table"):
                    self._sheet(table)
            elif local(kind) != "presentation":
                self._blocks(kind, "paragraph")
        return len(slides) or None

    def margins(self, styles: etree._Element | None) -> None:
        """Add each distinct header and footer once, at the end and under no heading."""
        if styles is None:
            return
        self.assembler.close_sections()
        seen: set[str] = set()
        for master in descendants(styles, "master-page"):
            for margin in master:
                text = one_line("\n".join(_text(p) for p in _paragraphs(margin)))
                if local(margin).startswith(("header", "footer")) and text not in seen:
                    seen.add(text)
                    self.assembler.add(text, kind="other")

    def _slide(self, slide: etree._Element, number: int) -> None:
        self._place = Place(first_slide=number, last_slide=number)
        self.assembler.close_sections()
        for shape in slide:
            if attribute(shape, "class") == "title":
                text = " ".join(_text(p) for p in _paragraphs(shape))
                self.assembler.heading(text, level=1, place=self._place)
        for shape in slide:
            if attribute(shape, "class") != "title":
                kind: BlockKind = "other" if local(shape) == "notes" else "paragraph"
                self._blocks(shape, kind)

    def _sheet(self, table: etree._Element) -> None:
        add_sheet(attribute(table, "name") or "Sheet", _sheet_rows(table), self.assembler)

    def _blocks(self, parent: etree._Element, kind: BlockKind) -> None:
        for element in parent:
            name = local(element)
            if name == "h":
                level = attribute(element, "outline-level") or "1"
                self.assembler.heading(
                    _text(element), level=int(level) if level.isdigit() else 1, place=self._place
                )
            elif name == "p":
                self.assembler.add(_text(element), kind=kind, place=self._place)
            elif name == "table":
                self._table(element)
            elif name in {"tracked-changes", "annotation", "forms"}:
                continue
            else:
                self._blocks(element, "list_item" if name == "list" else kind)
            if name in {"h", "p"}:
                self._hanging(element)

    def _hanging(self, paragraph: etree._Element) -> None:
        """Add what is anchored in a paragraph: notes, text boxes, shapes."""
        for name in ("note-body", "text-box", "custom-shape"):
            for element in descendants(paragraph, name):
                self._blocks(element, "other" if name == "note-body" else "paragraph")

    def _table(self, table: etree._Element) -> None:
        rows = [[_cell(cell) for cell in _cells(row)] for row in descendants(table, "table-row")]
        stated = any(local(part) == "table-header-rows" for part in table)
        for text in rendered(grid(rows), header=0 if stated and len(rows) > 1 else None):
            self.assembler.add(text, kind="table_row", place=self._place)


def _paragraphs(element: etree._Element) -> Iterator[etree._Element]:
    yield from element.iter("{*}p", "{*}h")


def _text(element: etree._Element) -> str:
    """Text of a paragraph without what is only anchored in it."""
    return "".join(_strings(element))


def _strings(element: etree._Element) -> Iterator[str]:
    yield element.text or ""
    for inner in element:
        name = local(inner)
        if name == "s":
            yield " " * min(_count(inner, "c"), 1000)
        elif name in _SIGNS:
            yield _SIGNS[name]
        elif name and name not in _SKIPPED:
            yield from _strings(inner)
        yield inner.tail or ""


def _count(element: etree._Element, name: str) -> int:
    value = attribute(element, name) or "1"
    return max(int(value), 1) if value.isdigit() and len(value) < len("1000000000") else 1


def _cells(row: etree._Element) -> Iterator[etree._Element]:
    return (cell for cell in row if local(cell) in {"table-cell", "covered-table-cell"})


def _cell(cell: etree._Element) -> Cell:
    # The cells that a wide one covers are there, so only rows have to be filled.
    covered = local(cell) == "covered-table-cell"
    return Cell("" if covered else _shown(cell))


def _shown(cell: etree._Element) -> str:
    return one_line(" ".join(_text(paragraph) for paragraph in _paragraphs(cell)))


def _sheet_rows(table: etree._Element) -> Iterator[SheetRow]:
    """Rows that hold something, and one empty row for each gap between them."""
    first = 1
    for row in descendants(table, "table-row"):
        last = first + _count(row, "number-rows-repeated") - 1
        yield SheetRow(first, last, _sheet_cells(row))
        first = last + 1


def _sheet_cells(row: etree._Element) -> list[str]:
    texts: list[str] = []
    for cell in _cells(row):
        n_times = min(_count(cell, "number-columns-repeated"), _MAX_COLUMNS - len(texts))
        texts += [_shown(cell)] * n_times
    while texts and not texts[-1]:
        texts.pop()
    return texts
