"""Where on its page a passage of a PDF stands: boxes to draw over it.

Boxes are not stored. A page is laid out again when somebody wants to see them, which takes
milliseconds; its parts come in the same order as when the file was indexed, and each knows which
of PDFium's letters it was made of. So a passage is found by counting letters, not by searching,
and the third "Total" of a page is not taken for the first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pypdfium2 as pdfium

from ingest.clean import clean
from ingest.parse.letters import PageSpan, letters_of
from ingest.parse.pdf import open_pdf
from ingest.parse.pdf_layout import parts
from ingest.parse.pdf_page import HYPHEN, PageReader
from ingest.parse.pdf_rows import WIDE_GAP
from retrieval.boxes import Box, PageBoxes


class _Letter(NamedTuple):
    text: str
    position: int  # in PDFium's text of the page
    run: int  # letters of one run stand on one line without a wide gap


def find_boxes(path: Path, spans: Sequence[PageSpan]) -> list[PageBoxes]:
    """Return where `spans` stand on their pages, one entry a span that is found.

    A span whose letters are not at its place, since another version laid the page out, is looked
    for on the whole page.

    Raises:
        Encrypted, Unreadable: the file cannot be opened.
    """
    _, pdf = open_pdf(path)
    try:
        found = [_on_page(pdf, span) for span in spans if 0 < span.page <= len(pdf)]
    finally:
        pdf.close()
    return [boxes for boxes in found if boxes and boxes.boxes]


def _on_page(pdf: pdfium.PdfDocument, span: PageSpan) -> PageBoxes | None:
    try:
        page = pdf[span.page - 1]
    except pdfium.PdfiumError:
        return None
    text_page = page.get_textpage()
    try:
        reader = PageReader(text_page)
        wanted = _wanted(list(_letters(reader)), span)
        left, bottom, _, top = page.get_bbox()
        look = (left, bottom, top), page.get_rotation(), page.get_size()
        boxes = (_turned(box, *look) for box in _run_boxes(wanted, reader))
        width, height = page.get_size()
        return PageBoxes(span.page, width, height, tuple(boxes))
    finally:
        text_page.close()
        page.close()


def _letters(reader: PageReader) -> Iterator[_Letter]:
    """Letters of the page in the order of its parts, which is that of the indexed text."""
    run = 0
    for part in parts(reader.pieces(WIDE_GAP)):
        for piece in (piece for row in part.rows for piece in row.pieces):
            run += 1
            for position in (at for start, end in piece.spans for at in range(start, end)):
                letter = reader.text[position]
                kept = letters_of("-" if letter == HYPHEN else clean(letter))
                if kept:
                    yield _Letter(kept, position, run)
                run += letter == HYPHEN  # PDFium's line goes on, the page's does not


def _wanted(letters: list[_Letter], span: PageSpan) -> list[_Letter]:
    """The letters of `span`; none if the page does not have them."""
    source = "".join(letter.text for letter in letters)
    first = span.first
    if not source.startswith(span.letters, first):
        first = source.find(span.letters)
    return letters[first : first + len(span.letters)] if first >= 0 else []


def _run_boxes(
    letters: list[_Letter], reader: PageReader
) -> Iterator[tuple[float, float, float, float]]:
    """One box a run, around all of its letters that have one."""
    runs: dict[int, list[tuple[float, float, float, float]]] = {}
    for letter in letters:
        box = reader.box(letter.position)
        if box[0] < box[2] or box[1] < box[3]:  # PDFium gives letters that it made up no place
            runs.setdefault(letter.run, []).append(box)
    for boxes in runs.values():
        lefts, bottoms, rights, tops = zip(*boxes, strict=True)
        yield min(lefts), min(bottoms), max(rights), max(tops)


def _turned(
    box: tuple[float, float, float, float],
    edges: tuple[float, float, float],
    rotation: int,
    size: tuple[float, float],
) -> Box:
    """A box in the page's own axes (y upwards) → in those of the page as it is shown."""
    page_left, page_bottom, page_top = edges
    left, bottom, right, top = box
    width, height = size
    if rotation == 90:  # noqa: PLR2004 - degrees, clockwise
        return Box(bottom - page_bottom, left - page_left, top - page_bottom, right - page_left)
    if rotation == 180:  # noqa: PLR2004
        return Box(
            width - (right - page_left), bottom - page_bottom,
            width - (left - page_left), top - page_bottom,
        )  # fmt: skip
    if rotation == 270:  # noqa: PLR2004
        return Box(
            page_top - top, height - (right - page_left),
            page_top - bottom, height - (left - page_left),
        )  # fmt: skip
    return Box(left - page_left, page_top - top, right - page_left, page_top - bottom)
