"""Pieces of text on a page → rows in reading order → paragraphs, table rows. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import attrgetter
from statistics import median
from typing import NamedTuple

from ingest.parse.pdf_page import Piece
from retrieval.types import BlockKind

# All in heights of the font's box unless they say otherwise; found by looking at the pages of
# 19 filings and of 160 PDFs from the test suites of other readers.
WIDE_GAP = 1.0  # between words: the next cell or column
_HAIR = 0.1  # between letters of a word; a blank is about 0.25
_HAIR_IN_NUMBERS = 0.19  # where a 1 has as much room as an 8
_FIGURES = "0123456789.,()"
_SAME_LINE = 0.35  # of difference in baseline
_INDENT = 0.8  # of a first line
_SAME_COLUMN = 1.3  # of difference between edges of cells; a sign behind a number is part of it
_LOOSE = 1.35  # times the usual distance of lines: a new paragraph
_CLOSEST, _FARTHEST = 0.5, 2.5  # distances of lines that can be those of one paragraph
_SIZE_STEP = 1.07  # ratio of font sizes that tells two kinds of text apart
_PROSE_SHARE = 0.27  # of the page's width: lines this wide are columns of prose, not cells
_MIN_COLUMN_ROWS = 5
_MAX_LABELS = 3  # rows of one cell inside a table, one after the other
_LABEL_CHARS = 90
_FEW_ROWS = 3
_HEADER_CHARS = 24

_BULLET = re.compile(
    r"(?:[•●○■□▪◦‣⁃–—*·\uf0b7\uf0a7➢✓-]|\(?(?:\d{1,2}|[a-z]|[ivx]{1,4})[.)])\s+\S"
)
_MARKER = re.compile(
    r"[•●○■□▪◦‣⁃–—*·\uf0b7\uf0a7➢✓-]|\(?(?:\d{1,2}|[A-Za-z]|[ivx]{1,4})[.)]|\d{1,2}(?:\.\d{1,2}){0,4}"
)
_SENTENCE_END = re.compile(r"[.!?:;。！？][\"'”’)\]]*$")
_LONE_SIGN = re.compile(r"[$€£¥]|US\$")
_TRAILING_SIGN = re.compile(r"(.*\S)\s+([$€£¥])$")
_CLOSING_SIGN = re.compile(r"[)%]+%?")


class _Cell(NamedTuple):
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
    cells: tuple[_Cell, ...]


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
                )
                continue
        joined.append(piece)
    return tuple(joined)


def _with_marker(pieces: tuple[Piece, ...]) -> tuple[Piece, ...]:
    """A bullet or number goes with its text, however wide the gap: it is no cell."""
    if len(pieces) < 2 or not _MARKER.fullmatch(pieces[0].text):  # noqa: PLR2004
        return pieces
    first, second = pieces[:2]
    both = second._replace(text=f"{first.text} {second.text}", left=first.left)
    return (both, *pieces[2:])


@dataclass(frozen=True, slots=True)
class Part:
    """Rows that belong together: a paragraph, a list item, or one row of a table."""

    kind: BlockKind
    rows: tuple[Row, ...]

    @property
    def text(self) -> str:
        """The part's text on one line."""
        if self.kind == "table_row":
            return " | ".join(cell.text for cell in self.rows[0].cells)
        return join_lines([row.text for row in self.rows])


def join_lines(lines: Sequence[str]) -> str:
    """Join lines of a paragraph: with a blank, or with nothing after a hyphen.

    >>> join_lines(["a well-", "known", "fact"])
    'a well-known fact'
    """
    text = lines[0]
    for before, line in pairwise(lines):
        hyphened = before.endswith("-") and before[-2:-1].isalpha() and line[:1].isalpha()
        text += line if hyphened else " " + line
    return text


def parts(pieces: Sequence[Piece]) -> list[Part]:
    """Return the parts of a page in reading order."""
    rows = _by_column(_rows(pieces))
    found: list[Part] = []
    runs = list(_runs(rows))
    for position, (is_table, run) in enumerate(runs):
        if is_table:
            found += [Part("table_row", (row,)) for row in run]
        else:
            # Some lines over a table tell nothing of their column's width; the table does.
            around = runs[max(position - 1, 0) : position + 2] if len(run) <= _FEW_ROWS else []
            floor = max(
                (row.right for is_table, rows in around if is_table for row in rows), default=0.0
            )
            found += _paragraphs(run, floor)
    return found


# --- rows and columns ---------------------------------------------------------------------


def _rows(pieces: Sequence[Piece]) -> list[Row]:
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


# --- tables -------------------------------------------------------------------------------


def _runs(rows: list[Row]) -> Iterator[tuple[bool, list[Row]]]:
    """Cut a page into runs of table rows and runs of other rows."""
    marks = _table_marks(rows)
    run: list[Row] = []
    for position, row in enumerate(rows):
        if run and marks[position] != marks[position - 1]:
            yield marks[position - 1], run
            run = []
        run.append(row)
    if run:
        yield marks[-1], run


def _table_marks(rows: list[Row]) -> list[bool]:
    marks = [False] * len(rows)
    for position, above in enumerate(rows):
        if len(above.cells) < 2 and not _is_header_like(above):  # noqa: PLR2004
            continue
        for below in range(position + 1, min(position + 2 + _MAX_LABELS, len(rows))):
            if _aligned(above, rows[below]):
                marks[position : below + 1] = [True] * (below + 1 - position)
            if marks[below] or not _is_label(rows[below]):
                break
    return marks


def _is_label(row: Row) -> bool:
    """A row over some others ("Current assets:"), or one whose cells are on the next line."""
    return len(row.pieces) == 1 and len(row.text) < _LABEL_CHARS


def _is_header_like(row: Row) -> bool:
    """One short cell that may name a column, as a year does."""
    return len(row.pieces) == 1 and len(row.text) < _HEADER_CHARS


def _aligned(above: Row, below: Row) -> bool:
    """Tell whether a cell of `below` that is not its first stands under one of `above`."""
    if len(below.cells) < 2 or not _near(above, below):  # noqa: PLR2004
        return False
    slack = _SAME_COLUMN * below.size
    uppers = above.cells[1:] or above.cells
    if len(above.cells) > 1 and above.left > below.cells[0].right:
        uppers = above.cells  # a row of headers without one for the labels
    return any(
        upper.left > below.left + slack and _in_column(upper, lower, slack)
        for upper in uppers
        for lower in below.cells[1:]
    )


def _in_column(upper: _Cell, lower: _Cell, slack: float) -> bool:
    """Tell whether two cells share an edge, or one is over the other's middle."""
    return (
        abs(upper.right - lower.right) <= slack
        or abs(upper.left - lower.left) <= slack
        or (upper.left - slack <= lower.left and lower.right <= upper.right + slack)
        or (lower.left - slack <= upper.left and upper.right <= lower.right + slack)
    )


def _near(above: Row, below: Row) -> bool:
    return 0 < above.y - below.y < 6 * max(above.size, below.size)


def _cells(pieces: Sequence[Piece]) -> list[_Cell]:
    """Pieces as cells: a currency sign goes with the number after it, % and ) before it."""
    cells: list[_Cell] = []
    sign: _Cell | None = None
    for piece in pieces:
        cell = _Cell(piece.text, piece.left, piece.right)
        if sign:
            cell = _Cell(f"{sign.text} {cell.text}", sign.left, cell.right)
            sign = None
        if _LONE_SIGN.fullmatch(cell.text):
            sign = cell
            continue
        if trailing := _TRAILING_SIGN.match(cell.text):
            sign = _Cell(trailing.group(2), cell.right - piece.size / 2, cell.right)
            cell = _Cell(trailing.group(1), cell.left, cell.right - piece.size)
        if cells and _CLOSING_SIGN.fullmatch(cell.text):
            cells[-1] = _Cell(f"{cells[-1].text} {cell.text}", cells[-1].left, cell.right)
        else:
            cells.append(cell)
    return [*cells, sign] if sign else cells


# --- paragraphs ---------------------------------------------------------------------------


def _paragraphs(rows: list[Row], floor: float) -> Iterator[Part]:
    """Cut rows into paragraphs; `floor` is the least that their right margin can be."""
    pitch = _pitch(rows)
    run: list[Row] = []
    margins = [max(margin, floor) for margin in _margins(rows)]
    for row, margin in zip(rows, margins, strict=True):
        if run and _begins(run, row, pitch=pitch, margin=margin):
            yield _part(run)
            run = []
        run.append(row)
    yield _part(run)


def _part(run: list[Row]) -> Part:
    return Part("list_item" if _BULLET.match(run[0].text) else "paragraph", tuple(run))


def _pitch(rows: list[Row]) -> float:
    """The usual distance of two lines, in font heights."""
    steps = [
        (above.y - below.y) / above.size
        for above, below in pairwise(rows)
        if _CLOSEST < (above.y - below.y) / above.size < _FARTHEST and _same_size(above, below)
    ]
    return sorted(steps)[len(steps) // 3] if steps else 1.0


def _margins(rows: list[Row]) -> list[float]:
    """The right edge of the column that each row stands in.

    Rows that follow each other upwards or without overlap are in different columns.
    """
    columns: list[list[Row]] = []
    for row in rows:
        last = columns[-1][-1] if columns else None
        if last and last.y >= row.y and row.left < last.right and last.left < row.right:
            columns[-1].append(row)
        else:
            columns.append([row])
    return [
        edge for column in columns for edge in [max(row.right for row in column)] * len(column)
    ]


def _same_size(above: Row, below: Row) -> bool:
    return max(above.size, below.size) <= _SIZE_STEP * min(above.size, below.size)


def _begins(run: list[Row], row: Row, *, pitch: float, margin: float) -> bool:
    """Tell whether `row` begins a new paragraph after the rows of `run`."""
    last = run[-1]
    if not (last.pieces[0].upright and row.pieces[0].upright):
        return last.pieces[0].upright != row.pieces[0].upright
    step = (last.y - row.y) / last.size
    if not 0 < step <= _LOOSE * pitch or not _same_size(last, row):
        return True
    if last.bold != row.bold and not _mid_sentence(last, row):
        return True
    if _BULLET.match(row.text) and (_BULLET.match(run[0].text) or _is_short(last, margin)):
        return True
    indented = row.left - last.left > _INDENT * row.size
    if indented and len(run) > 1 and _SENTENCE_END.search(last.text):
        return True
    return bool(_is_short(last, margin) and not _mid_sentence(last, row))


def _is_short(row: Row, margin: float) -> bool:
    """Tell whether there was room for another word behind a row's end."""
    return margin - row.right > max(4 * row.size, 0.12 * (margin - row.left))


def _mid_sentence(above: Row, below: Row) -> bool:
    return not _SENTENCE_END.search(above.text) and below.text[:1].islower()
