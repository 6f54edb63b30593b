"""One page of a PDF → its words, in lines and with places, as PDFium reads them.

The only module that talks to PDFium's C interface. A call costs about a microsecond, so words are
asked for where they begin and end, and characters are not.
"""

from __future__ import annotations

import re
from collections import Counter
from ctypes import byref, c_double, create_string_buffer, c_int
from typing import NamedTuple

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from ingest.parse.clean import clean

_WORD = re.compile(r"\S+")
_HYPHEN = "\ufffe"  # PDFium's sign for a hyphen at which a word goes on in the next line
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


class _Word(NamedTuple):
    text: str
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
        return _Reader(text_page).pieces(wide_gap)
    finally:
        text_page.close()


class _Reader:
    """Asks for boxes of characters; holds the buffers that the answers are written to."""

    def __init__(self, text_page: pdfium.PdfTextPage) -> None:
        self._handle = text_page.raw
        self._text = text_page.get_text_range() if text_page.count_chars() else ""
        self._is_direct = len(self._text) == text_page.count_chars()
        self._box = tuple(c_double() for _ in range(4))
        self._references = tuple(byref(value) for value in self._box)
        self._name = create_string_buffer(128)
        self._flags = c_int()
        self._rect = pdfium_c.FS_RECTF()
        self._turn = 0

    def pieces(self, wide_gap: float) -> list[Piece]:
        lines = [found for found in re.finditer(r"[^\r\n]*\S[^\r\n]*", self._text)]
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
        groups: list[list[_Word]] = []
        for found in _WORD.finditer(line.group()):
            word = self._word(found.group(), offset + found.start(), offset + found.end() - 1)
            if groups and (not upright or _gap(groups[-1][-1], word) < wide_gap * size):
                groups[-1].append(word)
            else:
                groups.append([word])
        look = Piece("", 0.0, 0.0, y, size, bold, order, upright)
        return [_joined(words, look) for words in groups]

    def _word(self, text: str, first: int, last: int) -> _Word:
        start_box = self._turned_box(self._index(first))
        end_box = start_box if last == first else self._turned_box(self._index(last))
        left, right = min(start_box[0], end_box[0]), max(start_box[1], end_box[1])
        return _Word(text, left, right)

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
        return round(angle / 1.5708) % 4 if angle > 0 else 0

    def _size(self, index: int) -> float:
        pdfium_c.FPDFText_GetLooseCharBox(self._handle, index, self._rect)
        rect = self._rect
        upright = self._turn % 2 == 0
        height = rect.top - rect.bottom if upright else rect.right - rect.left
        return max(abs(height), 1.0)

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
        unit = len(self._text[:position].encode("utf-16-le", "surrogatepass")) // 2
        index: int = pdfium_c.FPDFText_GetCharIndexFromTextIndex(self._handle, unit)
        return max(index, 0)


def _joined(words: list[_Word], look: Piece) -> Piece:
    text = clean(" ".join(word.text for word in words).replace(_HYPHEN, "-"))
    left, right = min(word.left for word in words), max(word.right for word in words)
    return look._replace(text=text, left=left, right=right)


def _gap(before: _Word, after: _Word) -> float:
    return max(after.left - before.right, before.left - after.right)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
