"""Pieces of text on a page → rows of cells, in reading order. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from operator import attrgetter
from statistics import median
from typing import NamedTuple

from ingest.parse.pdf_page import Piece

# All in heights of the font's box unless they say otherwise; found by looking at the pages of
# 19 filings and of 160 PDFs from the test suites of other readers.
WIDE_GAP = 1.0  # between words: the next cell or column
_HAIR = 0.1  # between letters of a word; a blank is about 0.25
_HAIR_IN_NUMBERS = 0.19  # where a 1 has as much room as an 8
_FIGURES = "0123456789.,()"
_SAME_LINE = 0.35  # of difference in baseline
_PROSE_SHARE = 0.27  # of the page's width: lines this wide are columns of prose, not cells
_MIN_COLUMN_ROWS = 5

_MARKER = re.compile(
    r"[•●○■□▪◦‣⁃–—*·\uf0b7\uf0a7➢✓-]|\(?(?:\d{1,2}|[A-Za-z]|[ivx]{1,4})[.)]|\d{1,2}(?:\.\d{1,2}){0,4}"
)
_LONE_SIGN = re.compile(r"[$€£¥]|US\$")
_TRAILING_SIGN = re.compile(r"(.*\S)\s+([$€£¥])$")
_CLOSING_SIGN = re.compile(r"[)%]+%?")


class Cell(NamedTuple):
    """What stands in one column of a row."""

    text: str
    left: float
    right: float


class Row(NamedTuple):
    """Pieces on one baseline, from left to right."""

    pieces: tuple[Piece, ...]
    text: str
    left: float
    right: float
    y: float
    size: float
    bold: bool
    cells: tuple[Cell, ...]


def row_of(pieces: Iterable[Piece]) -> Row:
    """Return the row that `pieces`, at least one, make up."""
    ordered = _with_marker(_without_seams(sorted(pieces, key=attrgetter("left"))))
    return Row(
        pieces=ordered,
        text=" ".join([piece.text for piece in ordered]),
        left=ordered[0].left,
        right=max([piece.right for piece in ordered]),
        y=ordered[0].y,
        size=max([piece.size for piece in ordered]),
        bold=all([piece.bold for piece in ordered]),  # noqa: C419 - faster for so few
        cells=tuple(_cells(ordered)),
    )


def _without_seams(pieces: Sequence[Piece]) -> tuple[Piece, ...]:
    """Join pieces that PDFium told apart though there is no wide gap between them.

    It does so at changes of font, and in some files at every letter.
    """
    joined: list[Piece] = []
    for piece in pieces:
        last = joined[-1] if joined else None
        if last and last.order != piece.order and last.upright and piece.upright:
            gap = (piece.left - last.right) / max(last.size, piece.size)
            if gap < WIDE_GAP:
                in_number = last.text[-1] in _FIGURES and piece.text[0] in _FIGURES
                hair = _HAIR_IN_NUMBERS if in_number else _HAIR
                seam = "" if -hair < gap < hair else " "
                joined[-1] = last._replace(
                    text=last.text + seam + piece.text,
                    right=max(last.right, piece.right),
                    order=piece.order,
                    bold=last.bold and piece.bold,
                    spans=last.spans + piece.spans,
                )
                continue
        joined.append(piece)
    return tuple(joined)


def _with_marker(pieces: tuple[Piece, ...]) -> tuple[Piece, ...]:
    """A bullet or number goes with its text, however wide the gap: it is no cell."""
    if len(pieces) < 2 or not _MARKER.fullmatch(pieces[0].text):  # noqa: PLR2004
        return pieces
    first, second = pieces[:2]
    both = second._replace(
        text=f"{first.text} {second.text}", left=first.left, spans=first.spans + second.spans
    )
    return (both, *pieces[2:])


def _cells(pieces: Sequence[Piece]) -> list[Cell]:
    """Pieces as cells: a currency sign goes with the number after it, % and ) before it."""
    cells: list[Cell] = []
    sign: Cell | None = None
    for piece in pieces:
        cell = Cell(piece.text, piece.left, piece.right)
        if sign:
            cell = Cell(f"{sign.text} {cell.text}", sign.left, cell.right)
            sign = None
        if _LONE_SIGN.fullmatch(cell.text):
            sign = cell
            continue
        if trailing := _TRAILING_SIGN.match(cell.text):
            sign = Cell(trailing.group(2), cell.right - piece.size / 2, cell.right)
            cell = Cell(trailing.group(1), cell.left, cell.right - piece.size)
        if cells and _CLOSING_SIGN.fullmatch(cell.text):
            cells[-1] = Cell(f"{cells[-1].text} {cell.text}", cells[-1].left, cell.right)
        else:
            cells.append(cell)
    return [*cells, sign] if sign else cells


def rows_of(pieces: Sequence[Piece]) -> list[Row]:
    """Return a page's rows in reading order.

    Neighbours in the page's own sequence that stand on one baseline are a row. That sequence is
    kept, except where it runs across two columns of prose: these are read one after the other.
    """
    return _by_column(_joined(pieces))


def _joined(pieces: Sequence[Piece]) -> list[Row]:
    """Join neighbours in the page's sequence that stand on one baseline."""
    rows: list[list[Piece]] = []
    for piece in pieces:
        if rows and _goes_on(rows[-1], piece):
            rows[-1].append(piece)
        else:
            rows.append([piece])
    return [row_of(row) for row in rows]


def _goes_on(row: list[Piece], piece: Piece) -> bool:
    last = row[-1]
    if not (last.upright and piece.upright):
        return last.order == piece.order
    if abs(piece.y - row[0].y) > _SAME_LINE * min(last.size, piece.size):
        return last.order == piece.order
    return piece.order == last.order or piece.left >= last.right - 0.2 * last.size


def _by_column(rows: list[Row]) -> list[Row]:
    """Read columns of prose one after the other where the page's sequence goes across them."""
    gutter = _gutter(rows)
    if gutter is None:
        return rows
    ordered: list[Row] = []
    left: list[Row] = []
    right: list[Row] = []
    for row in rows:
        if row.left < gutter < row.right and not _gap_at(row, gutter):
            ordered += left + right + [row]
            left, right = [], []
            continue
        west = tuple(piece for piece in row.pieces if piece.right <= gutter)
        east = tuple(piece for piece in row.pieces if piece.right > gutter)
        left += [row_of(west)] if west else []
        right += [row_of(east)] if east else []
    return ordered + left + right


def _gutter(rows: list[Row]) -> float | None:
    """Where a page's two columns of prose part, if its rows run across both."""
    if not rows:
        return None
    width = max(row.right for row in rows) - min(row.left for row in rows)
    gaps = [
        (before.right, after.left)
        for row in rows
        if len(row.pieces) == 2  # noqa: PLR2004 - one on each side
        for before, after in pairwise(row.pieces)
        if min(before.right - before.left, after.right - after.left) > _PROSE_SHARE * width
    ]
    if len(gaps) < _MIN_COLUMN_ROWS:
        return None
    middle = median((start + end) / 2 for start, end in gaps)
    crossed = sum(1 for start, end in gaps if start < middle < end)
    return middle if crossed >= 0.8 * len(gaps) else None


def _gap_at(row: Row, x: float) -> bool:
    return any(before.right <= x <= after.left for before, after in pairwise(row.pieces))
