"""Which rows of a page belong to tables. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ingest.parse.pdf_rows import Cell, Row

# In heights of the font's box; see `ingest.parse.pdf_rows`.
_SAME_COLUMN = 1.3  # of difference between edges of cells; a sign behind a number is part of it
_TABLE_REACH = 6  # between two rows of one table
_MAX_LABELS = 3  # rows of one cell inside a table, one after the other
_LABEL_CHARS = 90
_HEADER_CHARS = 24


def table_runs(rows: list[Row]) -> Iterator[tuple[bool, list[Row]]]:
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


def _in_column(upper: Cell, lower: Cell, slack: float) -> bool:
    """Tell whether two cells share an edge, or one is over the other's middle."""
    return (
        abs(upper.right - lower.right) <= slack
        or abs(upper.left - lower.left) <= slack
        or (upper.left - slack <= lower.left and lower.right <= upper.right + slack)
        or (lower.left - slack <= upper.left and upper.right <= lower.right + slack)
    )


def _near(above: Row, below: Row) -> bool:
    return 0 < above.y - below.y < _TABLE_REACH * max(above.size, below.size)
