"""Rows of a spreadsheet → blocks under the sheet's name, whatever library read them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ingest.parse.assemble import Assembler
from ingest.parse.tables import rendered
from retrieval.types import Place


class SheetRow(NamedTuple):
    """One row as text, or several equal ones that follow each other; rows count from 1."""

    first: int
    last: int
    cells: list[str]


def add_sheet(name: str, rows: Iterable[SheetRow], assembler: Assembler) -> None:
    """Add a sheet: its name as heading, then a block a row; nothing if all rows are empty."""
    named = False
    for region in _regions(rows):
        if not named:
            assembler.heading(name, level=1, place=Place(sheet=name))
            named = True
        texts = rendered([row.cells for row in region])
        for row, text in zip(region, texts, strict=True):
            place = Place(sheet=name, first_row=row.first, last_row=row.last)
            assembler.add(text, kind="table_row", place=place)


def _regions(rows: Iterable[SheetRow]) -> Iterator[list[SheetRow]]:
    """Cut a sheet at empty rows: what stands between them is a table of its own."""
    region: list[SheetRow] = []
    for row in rows:
        if any(row.cells):
            region.append(row)
        elif region:
            yield region
            region = []
    if region:
        yield region
