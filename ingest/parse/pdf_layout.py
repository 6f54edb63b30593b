"""Rows of a page → paragraphs, list items and rows of tables. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ingest.parse.pdf_page import Piece
from ingest.parse.pdf_rows import Row, rows_of
from ingest.parse.pdf_tables import table_runs
from retrieval.types import BlockKind

# In heights of the font's box unless they say otherwise; see `ingest.parse.pdf_rows`.
_INDENT = 0.8  # of a first line
_LOOSE = 1.35  # times the usual distance of lines: a new paragraph
_CLOSEST, _FARTHEST = 0.5, 2.5  # distances of lines that can be those of one paragraph
_SIZE_STEP = 1.07  # ratio of font sizes that tells two kinds of text apart
_FEW_ROWS = 3

_BULLET = re.compile(
    r"(?:[•●○■□▪◦‣⁃–—*·\uf0b7\uf0a7➢✓-]|\(?(?:\d{1,2}|[a-z]|[ivx]{1,4})[.)])\s+\S"
)
_SENTENCE_END = re.compile(r"[.!?:;。！？][\"'”’)\]]*$")


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
    rows = rows_of(pieces)
    found: list[Part] = []
    runs = list(table_runs(rows))
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
