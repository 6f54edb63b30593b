"""Rows of a table → lines that can be understood alone. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

Row = Sequence[str]

_LOOK_AT_ROWS = 12
_MAX_SPAN = 1000  # columns; HTML itself allows no more
_MIN_CELLS = 2  # wide and high, or there is nothing to name
_FULL = 0.75  # share of the usual number of cells a header fills
_HEADER_CHARS = 80
_NUMBER = re.compile(r"[-+(]?\s*[$€£¥]?\s*[-+]?\d[\d,.' ]*\s*(?:%|[kKMB]|[$€£¥])?\)?")
_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?:[ T]\d{1,2}:\d{2}.*)?")
_YEAR = re.compile(r"(?:19|20)\d\d")


def header_row(rows: Sequence[Row]) -> int | None:
    """Return the position of the row that names the columns, or None if none plausibly does.

    That is the first row as wide as the table, all of words (years may name columns), each
    other, with rows after it; only narrower rows, such as a title, may stand above.

    >>> header_row([["Sales 2024", ""], ["Team", "Cups"], ["Blues", "1"]])
    1
    >>> header_row([["1", "2"], ["3", "4"]]) is None
    True
    """
    sample = rows[:_LOOK_AT_ROWS]
    widths = sorted(sum(1 for cell in row if cell) for row in sample)
    usual = widths[len(widths) // 2] if widths else 0
    if usual < _MIN_CELLS or len(rows) < _MIN_CELLS:
        return None
    for position, row in enumerate(sample[:-1]):
        filled = [cell for cell in row if cell]
        if len(filled) >= max(2, _FULL * usual):
            return position if _names_columns(filled, sample[position + 1 :]) else None
    return None


def _names_columns(filled: Sequence[str], below: Sequence[Row]) -> bool:
    if len(set(filled)) < len(filled) or filled[0].endswith(":"):
        return False
    years = any(_YEAR.fullmatch(cell) for cell in filled)
    if years and not any(cell for row in below for cell in row if not _YEAR.fullmatch(cell)):
        return False
    return all(
        len(cell) <= _HEADER_CHARS and (_YEAR.fullmatch(cell) or not _is_value(cell))
        for cell in filled
    ) and not all(_YEAR.fullmatch(cell) for cell in filled[:1])


def _is_value(cell: str) -> bool:
    return bool(_NUMBER.fullmatch(cell) or _DATE.fullmatch(cell))


def render(row: Row, header: Row | None = None) -> str:
    """Return a row as ``Header: value; Header: value``, empty cells left out.

    >>> render(["Blues", "", "1"], ["Team", "Place", "Cups"])
    'Team: Blues; Cups: 1'
    """
    names = list(header or ())
    names += [""] * (len(row) - len(names))
    pairs = ((name, value) for name, value in zip(names, row, strict=False) if value)
    return "; ".join(f"{name}: {value}" if name else value for name, value in pairs)


class Cell(NamedTuple):
    """One cell of a document's table and how many columns and rows it spans."""

    text: str
    n_columns: int = 1
    n_rows: int = 1
    is_header: bool = False


def grid(rows: Sequence[Sequence[Cell]]) -> list[list[str]]:
    """Return the rows with every cell in its column.

    A cell that spans rows stands in each of them, for a row has to be understood alone. One that
    spans columns stands in the first only; a header over several columns names all of them, see
    `spread`.

    >>> grid([[Cell("a", n_rows=2), Cell("b")], [Cell("c")]])
    [['a', 'b'], ['a', 'c']]
    """
    placed: list[list[str]] = []
    held: dict[int, tuple[int, str]] = {}  # column → rows still to fill, text
    for row in rows:
        line: list[str] = []
        for cell in row:
            _fill_held(line, held)
            if cell.n_rows > 1:
                held.update(
                    dict.fromkeys(range(len(line), len(line) + 1), (cell.n_rows - 1, cell.text))
                )
            line.append(cell.text)
            line += [""] * min(cell.n_columns - 1, _MAX_SPAN)
        _fill_held(line, held)
        placed.append(line)
    return placed


def _fill_held(line: list[str], held: dict[int, tuple[int, str]]) -> None:
    while (column := len(line)) in held:
        left, text = held.pop(column)
        line.append(text)
        if left > 1:
            held[column] = (left - 1, text)


def spread(header: Row) -> list[str]:
    """Return a header whose empty cells are named by what stands to their left.

    >>> spread(["Team", "Cups", ""])
    ['Team', 'Cups', 'Cups']
    """
    names: list[str] = []
    for cell in header:
        names.append(cell or (names[-1] if names else ""))
    return names


def rendered(rows: Sequence[Row], *, header: int | None = None) -> Iterator[str]:
    """Yield each row as text, the ones below the header row with its names.

    Args:
        rows: of equal meaning by column; may differ in length.
        header: position of the header row where the format states it; else it is looked for.
    """
    position = header_row(rows) if header is None else header
    names = None if position is None else spread(rows[position])
    for number, row in enumerate(rows):
        below = position is not None and number > position
        yield render(row, names if below else None)
