"""Where on its page a quoted text of a PDF stands: boxes to draw over it.

Boxes are not stored. A citation knows its page and its words, and PDFium gives the boxes of a
page in milliseconds, so they are looked up when somebody wants to see them.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pypdfium2 as pdfium

from ingest.parse.pdf import open_pdf

_MAX_GAP = 3.0  # times the line's height: what is further is another column
_SAME_LINE = 0.5  # of the lower character's height: boxes that overlap so much are on one line
# Hyphens at a line's end may stand in the page alone, bars between cells in our text alone.
_PASSED_OVER = frozenset("-\xad\u2010\ufffe|")
_MIN_PART = 12  # letters of a part of a text that goes on on another page


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle on a page, in points (1/72 inch) from the page's left and top edges."""

    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True)
class PageBoxes:
    """Boxes of a text on one page, one a line, and the page's size in points."""

    page: int  # from 1
    width: float
    height: float
    boxes: tuple[Box, ...]


def find_boxes(path: Path, text: str, *, first_page: int, last_page: int) -> list[PageBoxes]:
    """Return where `text` stands on the pages from `first_page` to `last_page`, both from 1.

    White space and hyphens do not count, and each line of `text` is looked for by itself, for a
    page may hold them in another order. A line that runs over two pages is found in parts; a page
    on which nothing is found is left out.

    Raises:
        Encrypted, Unreadable: the file cannot be opened.
    """
    _, pdf = open_pdf(path)
    try:
        wanted = [bare for line in text.split("\n") if (bare := _bare(line))]
        pages = range(max(first_page, 1), min(last_page, len(pdf)) + 1)
        found = [_on_page(pdf, page, wanted) for page in pages]
    finally:
        pdf.close()
    return [boxes for boxes in found if boxes.boxes]


def _on_page(pdf: pdfium.PdfDocument, number: int, wanted: list[str]) -> PageBoxes:
    page = pdf[number - 1]
    text_page = page.get_textpage()
    try:
        width, height = page.get_size()
        source, places = _characters(text_page)
        left, bottom, _, top = page.get_bbox()
        look = (left, bottom, top), page.get_rotation(), (width, height)
        boxes: list[Box] = []
        for start, length in _matches(source, wanted):
            raw = (text_page.get_charbox(index) for index in places[start : start + length])
            boxes += _lines(_turned(box, *look) for box in raw)
        return PageBoxes(number, width, height, tuple(boxes))
    finally:
        text_page.close()
        page.close()


def _characters(text_page: pdfium.PdfTextPage) -> tuple[str, list[int]]:
    """Letters of the page that count, and PDFium's number of the character each comes from."""
    letters: list[str] = []
    places: list[int] = []
    for index in range(text_page.count_chars()):
        bare = _bare(text_page.get_text_range(index, 1))
        letters.append(bare)
        places += [index] * len(bare)
    return "".join(letters), places


def _bare(text: str) -> str:
    """Text as it is compared: NFKC, without white space, hyphens and invisible marks."""
    normal = unicodedata.normalize("NFKC", text)
    return "".join(
        letter
        for letter in normal
        if not letter.isspace()
        and letter not in _PASSED_OVER
        and unicodedata.category(letter) not in {"Cf", "Cc", "Cn", "Cs"}
    )


def _matches(source: str, wanted: list[str]) -> Iterator[tuple[int, int]]:
    """Start and length of each line in the page; each is looked for after the one before first."""
    at = 0
    for line in wanted:
        start = source.find(line, at)
        start = source.find(line) if start < 0 else start
        length = len(line)
        if start < 0:
            start, length = _part(source, line)
        if length:
            yield start, length
            at = start + length


def _part(source: str, line: str) -> tuple[int, int]:
    """Start and length of a line's beginning at the page's end, or its end at the beginning."""
    for length in range(min(len(source), len(line)) - 1, _MIN_PART - 1, -1):
        if source.endswith(line[:length]):
            return len(source) - length, length
        if source.startswith(line[-length:]):
            return 0, length
    return 0, 0


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


def _lines(boxes: Iterable[Box]) -> Iterator[Box]:
    """Join the boxes of characters that follow each other on one line."""
    line: Box | None = None
    for box in boxes:
        if line is not None and _is_one_line(line, box):
            line = Box(
                min(line.left, box.left), min(line.top, box.top),
                max(line.right, box.right), max(line.bottom, box.bottom),
            )  # fmt: skip
            continue
        if line is not None:
            yield line
        line = box
    if line is not None:
        yield line


def _is_one_line(line: Box, box: Box) -> bool:
    """Tell whether a character stands beside a line, not far from its end."""
    overlap = min(line.bottom, box.bottom) - max(line.top, box.top)
    height = min(line.bottom - line.top, box.bottom - box.top)
    gap = max(box.left - line.right, line.left - box.right)
    return overlap >= _SAME_LINE * height and gap < _MAX_GAP * (line.bottom - line.top)
