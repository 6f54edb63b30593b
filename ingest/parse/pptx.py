"""PPTX: titles, text, tables, charts, diagrams and speaker notes, slide by slide."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from ingest.clean import one_line
from ingest.parse.assemble import Assembler
from ingest.parse.ooxml import Package, attribute, child, descendants, local
from ingest.parse.tables import Cell, grid, rendered
from retrieval.types import BlockKind, Document, Place

_EMPTY = (
    "There is no text on the slides, perhaps only pictures. "
    "If they are scans, run OCR on them first."
)
_TITLES = frozenset({"title", "ctrTitle"})
_LISTS = frozenset({"body", "obj", ""})  # placeholders whose paragraphs are bullets
_FIELDS = frozenset({"sldNum", "dt", "ftr", "hdr", "sldImg"})  # of notes pages: no notes


def read(path: Path, media_type: str) -> Document:
    """Parse a PPTX file; every block has its slide, and a slide's title heads it.

    Raises:
        NoText, Unreadable, OverBudget: it is blank, damaged, or unpacks without end.
    """
    with Package(path) as package:
        name, root = package.main_part(kind="officeDocument", usual="ppt/presentation.xml")
        slides = _slide_names(package, name, root)
        assembler = Assembler(media_type)
        unread = tuple(
            number
            for number, slide in enumerate(slides, start=1)
            if not _Slide(package, slide, number, assembler).read()
        )
        return assembler.document(
            title=package.title() or assembler.first_heading,
            n_pages=len(slides),
            unread_pages=unread,
            if_empty=_EMPTY,
        )


def _slide_names(package: Package, name: str, root: etree._Element) -> list[str]:
    """Part names of the slides in the order they are shown."""
    by_id = dict(package.related(name, kind="slide"))
    listed = child(root, "sldIdLst")
    ids = [] if listed is None else [_relation_id(slide) for slide in listed]
    return [by_id[slide_id] for slide_id in ids if slide_id in by_id] or list(by_id.values())


def _relation_id(element: etree._Element) -> str:
    """The id of a relationship; the element's own plain id is another attribute."""
    for key, value in element.attrib.items():
        if str(key).endswith("}id"):
            return str(value)
    return ""


class _Slide:
    def __init__(self, package: Package, name: str, number: int, assembler: Assembler) -> None:
        self._package = package
        self._name = name
        self._assembler = assembler
        self._place = Place(first_slide=number, last_slide=number)

    def read(self) -> bool:
        """Add what the slide holds; tell whether that was anything."""
        before = self._assembler.n_blocks
        self._assembler.close_sections()
        root = self._package.xml(self._name)
        if root is not None:
            shapes = list(_shapes(root))
            titles = [shape for shape in shapes if _placeholder(shape) in _TITLES]
            for shape in titles:
                self._assembler.heading(" ".join(_texts(shape)), level=1, place=self._place)
            for shape in shapes:
                if shape not in titles:
                    self._shape(shape)
            self._master()
            self._notes()
        return self._assembler.n_blocks > before

    def _add(self, text: str, kind: BlockKind = "paragraph") -> None:
        self._assembler.add(text, kind=kind, place=self._place)

    def _shape(self, shape: etree._Element) -> None:
        if local(shape) == "graphicFrame":
            self._frame(shape)
            return
        placeholder = _placeholder(shape)
        if placeholder in _FIELDS:
            for text in _texts(shape):
                self._add(text, "other")
            return
        texts = list(_texts(shape))
        listed = placeholder in _LISTS and len(texts) > 1
        for text in texts:
            self._add(text, "list_item" if listed else "paragraph")

    def _frame(self, frame: etree._Element) -> None:
        for table in descendants(frame, "tbl"):
            rows = [_cells(row) for row in table if local(row) == "tr"]
            stated = attribute(child(table, "tblPr"), "firstRow") in {"1", "true"}
            header = 0 if stated and len(rows) > 1 else None
            for text in rendered(grid(rows), header=header):
                self._add(text, "table_row")
        for kind in ("chart", "diagramData"):
            wanted = {_relation_id(element) for element in descendants(frame, "chart")}
            wanted |= {attribute(element, "dm") or "" for element in descendants(frame, "relIds")}
            for relation_id, name in self._package.related(self._name, kind=kind):
                part = self._package.xml(name) if relation_id in wanted else None
                if part is not None:
                    self._graphic(part, kind)

    def _graphic(self, part: etree._Element, kind: str) -> None:
        if kind == "diagramData":
            for text in _texts(part):
                self._add(text, "list_item")
            return
        title = child(part, "chart", "title")
        self._add(" ".join(_texts(title)) if title is not None else "")
        for text in rendered(_chart_rows(part), header=0):
            self._add(text, "table_row")

    def _master(self) -> None:
        """Add text that the slide shows from its layout and master: footers, slogans.

        Placeholders there only prompt the author, but for footers.
        """
        for _, layout in self._package.related(self._name, kind="slideLayout"):
            names = [
                layout,
                *(name for _, name in self._package.related(layout, kind="slideMaster")),
            ]
            for name in names:
                root = self._package.xml(name)
                for shape in _shapes(root) if root is not None else ():
                    if _placeholder(shape) in {None, "ftr"}:
                        for text in _texts(shape):
                            self._add(text, "other")

    def _notes(self) -> None:
        for _, name in self._package.related(self._name, kind="notesSlide"):
            root = self._package.xml(name)
            for shape in _shapes(root) if root is not None else ():
                if _placeholder(shape) not in _FIELDS:
                    for text in _texts(shape):
                        self._add(text)


def _shapes(root: etree._Element) -> Iterator[etree._Element]:
    """Shapes and frames in their order, groups opened, fallbacks of newer features left out."""
    for element in root:
        name = local(element)
        if name in {"sp", "graphicFrame", "cxnSp", "pic"}:
            yield element
        elif name != "Fallback":
            yield from _shapes(element)


def _placeholder(shape: etree._Element) -> str | None:
    """A placeholder's type, "" for the plain kind, None for other shapes."""
    for properties in shape:
        if local(properties).startswith("nv"):
            found = child(properties, "nvPr", "ph")
            return None if found is None else attribute(found, "type") or ""
    return None


def _texts(element: etree._Element) -> Iterator[str]:
    for paragraph in descendants(element, "p"):
        pieces = [
            "\n" if local(inner) == "br" else inner.text or ""
            for inner in paragraph.iter("{*}t", "{*}br")
        ]
        text = "".join(pieces).strip()
        if text:
            yield text


def _cells(row: etree._Element) -> list[Cell]:
    """Cells of a table row; the ones that another covers are left to `grid`."""
    return [
        Cell(
            one_line(" ".join(_texts(cell))),
            n_columns=int(attribute(cell, "gridSpan") or 1),
            n_rows=int(attribute(cell, "rowSpan") or 1),
        )
        for cell in row
        if local(cell) == "tc" and not (attribute(cell, "hMerge") or attribute(cell, "vMerge"))
    ]


def _chart_rows(part: etree._Element) -> list[list[str]]:
    """The numbers that a chart was drawn from, a row a category, a column a series."""
    series = list(descendants(part, "ser"))
    names = [" ".join(_points(child(one, "tx"))) for one in series]
    columns = [_points(child(one, "val")) for one in series]
    categories = _points(child(series[0], "cat")) if series else []
    height = max([len(categories), *map(len, columns)], default=0)
    rows = [
        [column[row] if row < len(column) else "" for column in (categories, *columns)]
        for row in range(height)
    ]
    return [["", *names], *rows]


def _points(element: etree._Element | None) -> list[str]:
    if element is None:
        return []
    return [one_line(value.text or "") for value in descendants(element, "v")]
