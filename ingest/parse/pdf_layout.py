"""Pieces of text on a page → rows in reading order → paragraphs, table rows. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from ingest.parse.pdf_page import Piece
from retrieval.types import BlockKind

# All in heights of the font's box unless they say otherwise; found by looking at the pages of
# 19 filings and of 160 PDFs from the test suites of other readers.
WIDE_GAP = 1.0  # between words: the next cell or column
_SAME_LINE = 0.35  # of difference in baseline
_INDENT = 0.8  # of a first line
_SAME_COLUMN = 0.6  # of difference between edges of cells
_LOOSE = 1.35  # times the usual distance of lines: a new paragraph
_SIZE_STEP = 1.07  # ratio of font sizes that tells two kinds of text apart
_PROSE_SHARE = 0.27  # of the page's width: lines this wide are columns of prose, not cells
_MIN_COLUMN_ROWS = 5

_BULLET = re.compile(r"(?:[•●○■□▪◦‣⁃–—*·\uf0b7\uf0a7➢✓-]|\(?(?:\d{1,2}|[a-z]|[ivx]{1,4})[.)])\s+\S")
_SENTENCE_END = re.compile(r"[.!?:;。！？][\"'”’)\]]*$")
_LONE_SIGN = re.compile(r"[$€£¥]|US\$")
_TRAILING_SIGN = re.compile(r"(.*\S)\s+([$€£¥])$")
_CLOSING_SIGN = re.compile(r"[)%]+%?")


@dataclass(frozen=True, slots=True)
class Row:
    """Pieces on one baseline, from left to right."""

    pieces: tuple[Piece, ...]

    @property
    def text(self) -> str:
        return " ".join(piece.text for piece in self.pieces)

    @property
    def left(self) -> float:
        return min(piece.left for piece in self.pieces)

    @property
    def right(self) -> float:
        return max(piece.right for piece in self.pieces)

    @property
    def y(self) -> float:
        return self.pieces[0].y

    @property
    def size(self) -> float:
        return max(piece.size for piece in self.pieces)

    @property
    def bold(self) -> bool:
        return all(piece.bold for piece in self.pieces)


@dataclass(frozen=True, slots=True)
class Part:
    """Rows that belong together: a paragraph, a list item, or one row of a table."""

    kind: BlockKind
    rows: tuple[Row, ...]

    @property
    def text(self) -> str:
        if self.kind == "table_row":
            return " | ".join(_cells(self.rows[0]))
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
    for is_table, run in _runs(rows):
        if is_table:
            found += [Part("table_row", (row,)) for row in run]
        else:
            found += _paragraphs(run)
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
    return [Row(tuple(sorted(row, key=lambda piece: piece.left))) for row in rows]


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
        left += [Row(west)] if west else []
        right += [Row(east)] if east else []
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
    for position, (above, below) in enumerate(pairwise(rows)):
        if _aligned(above, below):
            marks[position] = marks[position + 1] = True
    for position in range(1, len(rows) - 1):
        # A label over some rows ("Current assets:") is part of the table around it.
        inside = marks[position - 1] and marks[position + 1]
        if inside and not marks[position] and _near(rows[position - 1], rows[position + 1]):
            marks[position] = len(rows[position].text) < 90  # noqa: PLR2004 - a label, no prose
    return marks


def _aligned(above: Row, below: Row) -> bool:
    """Tell whether two rows have cells, and one beyond the first stands under the other's."""
    if min(len(above.pieces), len(below.pieces)) < 2 or not _near(above, below):  # noqa: PLR2004
        return False
    slack = _SAME_COLUMN * below.size
    return any(
        abs(upper.right - lower.right) <= slack
        or abs(upper.left - lower.left) <= slack
        or (upper.left - slack <= lower.left and lower.right <= upper.right + slack)
        or (lower.left - slack <= upper.left and upper.right <= lower.right + slack)
        for upper in above.pieces[1:]
        for lower in below.pieces[1:]
    )


def _near(above: Row, below: Row) -> bool:
    return 0 < above.y - below.y < 6 * max(above.size, below.size)


def _cells(row: Row) -> list[str]:
    """Texts of a row's cells; a currency sign goes with the number after it, % before it."""
    cells: list[str] = []
    sign = ""
    for piece in row.pieces:
        text = f"{sign} {piece.text}" if sign else piece.text
        sign = ""
        if _LONE_SIGN.fullmatch(text):
            sign = text
            continue
        if trailing := _TRAILING_SIGN.match(text):
            text, sign = trailing.groups()
        if cells and _CLOSING_SIGN.fullmatch(text):
            cells[-1] += " " + text
        else:
            cells.append(text)
    return [*cells, sign] if sign else cells


# --- paragraphs ---------------------------------------------------------------------------


def _paragraphs(rows: list[Row]) -> Iterator[Part]:
    if not rows:
        return
    pitch = _pitch(rows)
    run: list[Row] = []
    for row in rows:
        if run and _begins(run, row, pitch=pitch, margin=_margin(rows, row)):
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
        if 0.5 < (above.y - below.y) / above.size < 2.5 and _same_size(above, below)
    ]
    return sorted(steps)[len(steps) // 3] if steps else 1.0


def _margin(rows: list[Row], row: Row) -> float:
    """The right edge of the column that `row` stands in."""
    return max(other.right for other in rows if other.left < row.right and other.right > row.left)


def _same_size(above: Row, below: Row) -> bool:
    return max(above.size, below.size) <= _SIZE_STEP * min(above.size, below.size)


def _begins(run: list[Row], row: Row, *, pitch: float, margin: float) -> bool:
    """Tell whether `row` begins a new paragraph after the rows of `run`."""
    last = run[-1]
    if not (last.pieces[0].upright and row.pieces[0].upright):
        return not (last.pieces[0].upright == row.pieces[0].upright)
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
