"""CSV, TSV and their cousins: one block a record."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

from ingest.clean import one_line
from ingest.decode import decoded
from ingest.parse.assemble import Assembler
from ingest.parse.parts import PART_CHARS, joined, lines
from ingest.parse.tables import header_row, render
from retrieval.errors import Unreadable
from retrieval.types import Document, Place

_DELIMITERS = ",;\t|"
_LOOK_AT_RECORDS = 30


class _Record(NamedTuple):
    row: int
    cells: list[str]
    place: Place


def read(path: Path, media_type: str) -> Document:
    """Parse delimited text; rows count records from 1, the header included.

    Raises:
        NoText, Unreadable: the file is blank, or not text.
    """
    return joined(read_parts(path, media_type))


def read_parts(path: Path, media_type: str) -> Iterator[Document]:
    """The same in parts of about a million characters, so that the file may be of any length.

    Raises:
        NoText, Unreadable: like `read`; maybe after some parts.
    """
    pieces = decoded(path)
    head = next(pieces, "")
    _allow_fields_of(path.stat().st_size)
    reader = csv.reader(lines(chain([head], pieces)), delimiter=_delimiter(head, media_type))
    try:
        yield from _parts(_records(reader), media_type)
    except csv.Error as error:
        raise Unreadable(f"The table cannot be read: {error}. Export it anew as CSV.") from error


def _allow_fields_of(n_chars: int) -> None:
    """Fields as long as the whole file; it is one limit a process."""
    csv.field_size_limit(max(csv.field_size_limit(), n_chars))


def _records(reader: Any) -> Iterator[_Record]:
    line = 1
    for row, cells in enumerate(reader, start=1):
        place = Place(first_row=row, last_row=row, first_line=line, last_line=reader.line_num)
        yield _Record(row, [one_line(cell) for cell in cells], place)
        line = reader.line_num + 1


def _parts(records: Iterator[_Record], media_type: str) -> Iterator[Document]:
    first = list(islice(records, _LOOK_AT_RECORDS))
    position = header_row([record.cells for record in first])
    header = None if position is None else first[position].cells
    assembler, n_parts = Assembler(media_type), 0
    for record in chain(first, records):
        if assembler.n_chars >= PART_CHARS:
            yield assembler.part()
            n_parts += 1
        below = position is not None and record.row > position + 1
        text = render(record.cells, header if below else None)
        assembler.add(text, kind="table_row", place=record.place)
    if assembler.n_blocks or not n_parts:
        yield assembler.document()


def _delimiter(text: str, media_type: str) -> str:
    """The sign that cuts the first records into equally many cells, and the most of them."""
    if media_type == "text/tab-separated-values":
        return "\t"
    return max(_DELIMITERS, key=lambda sign: _evenness(text, sign))


def _evenness(text: str, sign: str) -> tuple[float, int]:
    sample = text[:65_536]
    try:
        records = list(islice(csv.reader(io.StringIO(sample), delimiter=sign), _LOOK_AT_RECORDS))
    except csv.Error:
        return (0.0, 0)
    widths = [len(record) for record in records if record]
    usual = max(set(widths), key=widths.count) if widths else 1
    return (widths.count(usual) / len(widths), usual) if usual > 1 else (0.0, 0)
