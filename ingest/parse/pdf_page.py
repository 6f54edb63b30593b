"""One page of a PDF → its words, in lines and with places, as PDFium reads them.

The only module that talks to PDFium's C interface. A call costs about a microsecond, so words are
asked for where they begin and end, and characters are not.
"""

from __future__ import annotations

import re
from collections import Counter
from ctypes import byref, c_double, c_int, create_string_buffer
from math import pi
from typing import NamedTuple

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from ingest.clean import clean

_WORD = re.compile(r"\S+")
HYPHEN = "\ufffe"  # PDFium's sign for a hyphen at which a word goes on in the next line
_BOLD_WEIGHT = 600  # of 100-900; 700 is "bold" in OpenType and CSS
_BOLD_NAME = re.compile(rb"(?i)bold|black|heavy|semibold|demi")


class Piece(NamedTuple):
    """A run of words on one line without a wide gap. Points, y upwards, text upright."""

    text: str
    left: float
    right: float
    y: float  # of the baseline
    size: float  # height of the font's box, about 1.2 times its nominal size
    bold: bool
    order: int  # of the line in the page's own sequence
    upright: bool = True  # runs in the page's main direction
    spans: tuple[tuple[int, int], ...] = ()  # where its letters stand in PDFium's text of the page


class _Word(NamedTuple):
    start: int  # in its line
    end: int
    left: float
    right: float


def read_pieces(page: pdfium.PdfPage, *, wide_gap: float) -> list[Piece]:
    """Return the pieces of a page in PDFium's order.

    Args:
        page: an open page.
        wide_gap: from this many times the font's height, a gap between words ends a piece.
    """
    text_page = page.get_textpage()
    try:
        return PageReader(text_page).pieces(wide_gap)
    finally:
        text_page.close()


class PageReader:
    """Asks for boxes of characters; holds the buffers that the answers are written to."""

    def __init__(self, text_page: pdfium.PdfTextPage) -> None:
        self._handle = text_page.raw
        self.text = text_page.get_text_range() if text_page.count_chars() else ""
        self._is_direct = len(self.text) == text_page.count_chars()
        self._box = tuple(c_double() for _ in range(4))
        self._references = tuple(byref(value) for value in self._box)
        self._name = create_string_buffer(128)
        self._flags = c_int()
        self._rect = pdfium_c.FS_RECTF()
        self._turn = 0

    def box(self, position: int) -> tuple[float, float, float, float]:
        """Left, bottom, right and top of a letter of the text, in the page's own axes."""
        left, right, bottom, top = self._references
        pdfium_c.FPDFText_GetCharBox(self._handle, self._index(position), left, right, bottom, top)
        values = [value.value for value in self._box]
        return values[0], values[2], values[1], values[3]

    def pieces(self, wide_gap: float) -> list[Piece]:
        """The pieces of the page in PDFium's order; see `read_pieces`."""
        lines = list(re.finditer(r"[^\r\n]*\S[^\r\n]*", self.text))
        turns = [self._quarter(line.start() + _indent(line.group())) for line in lines]
        self._turn = Counter(turns).most_common(1)[0][0] if turns else 0
        found: list[Piece] = []
        for order, (line, turn) in enumerate(zip(lines, turns, strict=True)):
            found += self._line(line, order, wide_gap, upright=turn == self._turn)
        return found

    def _line(
        self, line: re.Match[str], order: int, wide_gap: float, *, upright: bool
    ) -> list[Piece]:
        offset = line.start()
        first = self._index(offset + _indent(line.group()))
        size, bold, y = self._size(first), self._is_bold(first), self._baseline(first)
        look = Piece("", 0.0, 0.0, y, size, bold, order, upright)
        edges = self._edges_direct if self._is_direct and self._turn == 0 else self._edges
        wide = wide_gap * size if upright else float("inf")
        return _cut(line, edges(line), wide, look)

    def _edges_direct(self, line: re.Match[str]) -> list[_Word]:
        """Start and end of each word with its left and right; the hot loop of the parser."""
        get_box, handle = pdfium_c.FPDFText_GetCharBox, self._handle
        left, right, bottom, top = self._references
        at_left, at_right = self._box[:2]
        offset = line.start()
        words = []
        for found in _WORD.finditer(line.group()):
            start, end = found.span()
            get_box(handle, offset + start, left, right, bottom, top)
            first, last = at_left.value, at_right.value
            if end - start > 1:
                get_box(handle, offset + end - 1, left, right, bottom, top)
                first, last = min(first, at_left.value), max(last, at_right.value)
            words.append(_Word(start, end, first, last))
        return words

    def _edges(self, line: re.Match[str]) -> list[_Word]:
        """The same for pages that run sideways, or whose characters are counted otherwise."""
        words = []
        for found in _WORD.finditer(line.group()):
            start, end = found.span()
            ends = [
                self._turned_box(self._index(line.start() + place)) for place in (start, end - 1)
            ]
            words.append(_Word(start, end, min(e[0] for e in ends), max(e[1] for e in ends)))
        return words

    def _turned_box(self, index: int) -> tuple[float, float]:
        """Left and right of a character, in the direction the page's text runs."""
        left, right, bottom, top = self._references
        pdfium_c.FPDFText_GetCharBox(self._handle, index, left, right, bottom, top)
        values = [value.value for value in self._box]
        if self._turn % 2 == 0:
            return (values[0], values[1]) if self._turn == 0 else (-values[1], -values[0])
        return (values[2], values[3]) if self._turn == 1 else (-values[3], -values[2])

    def _baseline(self, index: int) -> float:
        x, y = self._references[:2]
        pdfium_c.FPDFText_GetCharOrigin(self._handle, index, x, y)
        across, up = self._box[0].value, self._box[1].value
        return (up, -across, -up, across)[self._turn]

    def _quarter(self, position: int) -> int:
        """In which direction the text at `position` runs: quarter turns, counter-clockwise."""
        angle = pdfium_c.FPDFText_GetCharAngle(self._handle, self._index(position))
        return -round(angle / (pi / 2)) % 4 if angle > 0 else 0  # PDFium counts clockwise

    def _size(self, index: int) -> float:
        pdfium_c.FPDFText_GetLooseCharBox(self._handle, index, self._rect)
        rect = self._rect
        upright = self._turn % 2 == 0
        height = rect.top - rect.bottom if upright else rect.right - rect.left
        return max(abs(float(height)), 1.0)

    def _is_bold(self, index: int) -> bool:
        if pdfium_c.FPDFText_GetFontWeight(self._handle, index) >= _BOLD_WEIGHT:
            return True
        n_bytes = pdfium_c.FPDFText_GetFontInfo(self._handle, index, self._name, 128, self._flags)
        return bool(_BOLD_NAME.search(self._name.raw[: min(n_bytes, 128)]))

    def _index(self, position: int) -> int:
        """Character number of PDFium for a position in the page's text.

        The two differ where characters outside the basic plane take two code units, or where
        PDFium knows no Unicode for a glyph.
        """
        if self._is_direct:
            return position
        unit = len(self.text[:position].encode("utf-16-le", "surrogatepass")) // 2
        index: int = pdfium_c.FPDFText_GetCharIndexFromTextIndex(self._handle, unit)
        return max(index, 0)


def _cut(found: re.Match[str], words: list[_Word], wide: float, look: Piece) -> list[Piece]:
    """Cut a line at gaps of `wide` points or more."""
    line, offset = found.group(), found.start()
    pieces = []
    first = 0
    for position in range(1, len(words) + 1):
        if position < len(words):
            before, after = words[position - 1], words[position]
            if after.left - before.right < wide and before.left - after.right < wide:
                continue
        run = words[first:position]
        text = clean(" ".join(line[run[0].start : run[-1].end].split()).replace(HYPHEN, "-"))
        left, right = min([word.left for word in run]), max([word.right for word in run])
        if text:  # nothing but unusable characters, otherwise
            spans = ((offset + run[0].start, offset + run[-1].end),)
            pieces.append(look._replace(text=text, left=left, right=right, spans=spans))
        first = position
    return pieces


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
